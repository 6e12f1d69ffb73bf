#include "compat/core_module.h"

#include <fmt/format.h>

#include <algorithm>

namespace hotswap::compat {
namespace {

std::string signature(const std::vector<std::string>& params, const std::vector<std::string>& results) {
  std::string text = fmt::format("func({})", fmt::join(params, ", "));
  if (results.size() == 1) text += " -> " + results.front();
  if (results.size() > 1) text += fmt::format(" -> ({})", fmt::join(results, ", "));
  return text;
}

template <class Item>
std::string text_of_item(const Item& item) {
  if (item.kind != "func") return item.type.empty() ? item.kind : item.kind + ' ' + item.type;
  std::vector<std::string> params;
  for (const auto& param : item.params) params.push_back(param.type);
  return signature(params, item.results);
}

template <class Item>
const Item* find(const std::vector<Item>& items, const std::string& name) {
  const auto found = std::ranges::find(items, name, &Item::name);
  return found == items.end() ? nullptr : &*found;
}

template <class Item>
void compare_items(const std::vector<Item>& mine, const std::vector<Item>& theirs, ModulesDo modules,
                   std::vector<Change>& changes) {
  const bool imports = modules == ModulesDo::Call;
  const auto add = [&](ChangeKind kind, const std::string& name, std::string was, std::string is, Breaks breaks,
                       std::string hint = {}) {
    changes.push_back({.kind = kind,
                       .path = (imports ? "imports." : "exports.") + name,
                       .was = std::move(was),
                       .is = std::move(is),
                       .breaks = breaks,
                       .modules = modules,
                       .hint = std::move(hint)});
  };
  for (const auto& item : mine) {
    const Item* other = find(theirs, item.name);
    std::string was = text_of_item(item);
    if (other == nullptr) {
      add(imports ? ChangeKind::ImportRemoved : ChangeKind::ExportRemoved, item.name, std::move(was), {},
          Breaks::Callers);
      continue;
    }
    std::string is = text_of_item(*other);
    if (was == is) continue;
    const bool sized = item.kind == other->kind && (item.kind == "memory" || item.kind == "table");
    const bool harmless = sized && !imports;
    add(item.kind == "func" && other->kind == "func" ? ChangeKind::SignatureChanged : ChangeKind::TypeChanged,
        item.name, std::move(was), std::move(is), harmless ? Breaks::None : Breaks::Both,
        harmless ? "its size is the module's own affair" : "");
  }
  for (const auto& item : theirs) {
    if (find(mine, item.name) != nullptr) continue;
    add(imports ? ChangeKind::ImportAdded : ChangeKind::ExportAdded, item.name, {}, text_of_item(item),
        Breaks::Implementers);
  }
}

}  // namespace

std::string text_of(const CoreFunction& function) { return signature(function.params, function.results); }
std::string text_of(const DescribedImport& item) { return text_of_item(item); }
std::string text_of(const DescribedExport& item) { return text_of_item(item); }

Comparison compare_core(const ModuleDescription& old_module, const ModuleDescription& new_module) {
  Comparison comparison{.subject = Subject::Module};
  compare_items(old_module.imports, new_module.imports, ModulesDo::Call, comparison.changes);
  compare_items(old_module.exports, new_module.exports, ModulesDo::Implement, comparison.changes);
  return comparison;
}

Comparison kind_changed(std::string_view was, std::string_view is) {
  Comparison comparison{.subject = Subject::Module};
  comparison.changes.push_back({.kind = ChangeKind::KindChanged,
                                .path = "module",
                                .was = std::string(was),
                                .is = std::string(is),
                                .breaks = Breaks::Both,
                                .modules = ModulesDo::Both,
                                .hint = "a core module and a component share no interface"});
  return comparison;
}

}  // namespace hotswap::compat
