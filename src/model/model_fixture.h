// What tests of the model have in common.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/result.h"

namespace hotswap {

// The fields that the errors name, each with a message.
inline std::vector<std::string> fields_of(const std::vector<FieldError>& errors) {
  std::vector<std::string> fields;
  for (const auto& error : errors) {
    EXPECT_FALSE(error.message.empty()) << error.field;
    fields.push_back(error.field);
  }
  return fields;
}

}  // namespace hotswap
