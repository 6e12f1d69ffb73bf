// Lists as the API shows them: {"items": […], "nextCursor": "…" or null}.
#pragma once

#include <string>

#include "base/json.h"
#include "store/store.h"

namespace hotswap::control {

template <class T>
[[nodiscard]] std::string page_json(const Page<T>& page) {
  return json::serialize(json::object{{"items", to_json(page.items)}, {"nextCursor", to_json(page.nextCursor)}});
}

// A list that always comes whole.
template <class T>
[[nodiscard]] std::string list_json(const std::vector<T>& items) {
  return json::serialize(json::object{{"items", to_json(items)}});
}

}  // namespace hotswap::control
