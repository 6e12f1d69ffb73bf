// A module upload as a JSON document, whose "binary" never becomes a JSON string in memory.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/json.h"
#include "model/module.h"

namespace hotswap::control {

// The document: a registration with the binary in base64.
struct UploadDocument : ModuleRegistration {
  std::string binary;
};
BOOST_DESCRIBE_STRUCT(UploadDocument, (ModuleRegistration), (binary))

// Belongs to one coroutine.
class JsonUploadParser {
 public:
  JsonUploadParser();
  ~JsonUploadParser();
  JsonUploadParser(const JsonUploadParser&) = delete;
  JsonUploadParser& operator=(const JsonUploadParser&) = delete;

  // Appends the bytes of the binary that `text` completes. kInvalid for malformed JSON; kTooLarge where all but the
  // binary is larger than limits::kJsonBodyBytes.
  [[nodiscard]] Result<> write(std::string_view text, std::string& binary);
  // At the end of the body: the document, its `binary` being an empty string.
  [[nodiscard]] Result<json::value> finish();
  // What is wrong with the binary; empty where nothing is.
  [[nodiscard]] const std::string& binary_problem() const;

 private:
  struct Parser;
  std::unique_ptr<Parser> parser_;
  std::uint64_t consumed_ = 0;
};

}  // namespace hotswap::control
