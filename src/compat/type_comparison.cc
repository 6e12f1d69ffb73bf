#include "compat/type_comparison.h"

#include <fmt/format.h>

#include <algorithm>

namespace hotswap::compat {
namespace {

// Structures that differ in their names may be as deep as their text is long. Beyond this they count as different:
// nobody writes such a type, and the stack is bounded.
constexpr int kDeepest = 500;

bool has_named_members(TypeKind kind) {
  return kind == TypeKind::kRecord || kind == TypeKind::kVariant || kind == TypeKind::kEnum || kind == TypeKind::kFlags;
}

// Names in their order, of those that the other side has too.
std::string shared_names(const std::vector<Member>& members, const MemberIndex& others) {
  std::string names;
  for (const auto& member : members) {
    if (others.find(member.name) == nullptr) continue;
    if (!names.empty()) names += ", ";
    names += member.name;
  }
  return names;
}

Breaks without(Breaks breaks, Breaks spared) {
  return breaks_of(breaks_callers(breaks) && !breaks_callers(spared),
                   breaks_implementers(breaks) && !breaks_implementers(spared));
}

std::string text_of_member(const Wit& wit, const Member& member, bool field) {
  if (member.type.none()) return member.name;
  return field ? fmt::format("{}: {}", member.name, text_of(wit, member.type))
               : fmt::format("{}({})", member.name, text_of(wit, member.type));
}

}  // namespace

MemberIndex::MemberIndex(const std::vector<Member>& members) : members_(members) {
  constexpr std::size_t kFew = 16;
  if (members.size() <= kFew) return;
  for (const auto& member : members) by_name_.emplace(member.name, &member);
}

const Member* MemberIndex::find(std::string_view name) const {
  if (by_name_.empty()) {
    const auto found = std::ranges::find(members_, name, &Member::name);
    return found == members_.end() ? nullptr : &*found;
  }
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : found->second;
}

void TypeComparison::add(const Where& where, ChangeKind kind, std::string path, std::string was, std::string is,
                         Breaks breaks, std::string hint) {
  const auto explain = [&](std::string why) {
    if (!hint.empty()) hint += "; ";
    hint += why;
  };
  if (!where.unstable.empty() && breaks != Breaks::None) {
    breaks = Breaks::None;
    explain(fmt::format("it stood behind @unstable(feature = {})", where.unstable));
  }
  if (const Breaks left = without(breaks, where.spared); left != breaks) {
    breaks = left;
    explain("no function of the world carries it");
  }
  changes_.push_back({.kind = kind,
                      .path = std::move(path),
                      .was = std::move(was),
                      .is = std::move(is),
                      .breaks = breaks,
                      .modules = where.modules,
                      .hint = std::move(hint)});
}

bool TypeComparison::compare_gates(const Where& where, const Gate& mine, const Gate& theirs) {
  if (mine == theirs) return true;
  const bool hidden = !theirs.unstable.empty() && mine.unstable.empty();
  const bool shown = theirs.unstable.empty() && !mine.unstable.empty();
  std::string hint;
  if (hidden) hint = "only for whoever turns the feature on";
  if (shown) hint = "for everybody now";
  if (mine.deprecated.empty() && !theirs.deprecated.empty()) hint = "works as before; callers should move on";
  // What everybody may use now is as if it were added; what only some may, as if it were removed.
  changes_.push_back({.kind = ChangeKind::GateChanged,
                      .path = where.path,
                      .was = text_of(mine),
                      .is = text_of(theirs),
                      .breaks = without(breaks_of(hidden && where.unstable.empty(), shown), where.spared),
                      .modules = where.modules,
                      .hint = std::move(hint)});
  return !hidden && !shown;
}

bool TypeComparison::match(TypeRef mine, TypeRef theirs, int depth) {
  const auto by_name = [&] {
    const auto i = mine.index();
    const auto j = theirs.index();
    if (!i || !j || !pairing_.same(*i, *j)) return false;
    pending_.emplace_back(*i, *j);
    return true;
  };
  if (mine.none() || theirs.none()) return mine.none() && theirs.none();
  if (by_name()) return true;
  mine = behind_aliases(old_, mine);
  theirs = behind_aliases(new_, theirs);
  if (by_name()) return true;
  const auto i = mine.index();
  const auto j = theirs.index();
  if (!i || !j) return !i && !j && mine == theirs;
  const auto known = matched_.find({*i, *j});
  if (known != matched_.end()) return known->second;
  if (depth >= kDeepest) return false;
  const bool same = same_structure(*i, *j, depth + 1);
  matched_.emplace(std::pair{*i, *j}, same);
  return same;
}

bool TypeComparison::same_structure(std::uint32_t mine, std::uint32_t theirs, int depth) {
  const Type& a = old_.types[mine];
  const Type& b = new_.types[theirs];
  if (a.kind != b.kind || a.kind == TypeKind::kResource) return false;
  if (a.length != b.length || a.members.size() != b.members.size()) return false;
  for (std::size_t i = 0; i < a.members.size(); ++i) {
    if (a.members[i].name != b.members[i].name || !match(a.members[i].type, b.members[i].type, depth)) return false;
  }
  return true;
}

bool TypeComparison::match(const Function& mine, const Function& theirs) {
  if (mine.kind != theirs.kind || mine.async != theirs.async) return false;
  if (mine.params.size() != theirs.params.size()) return false;
  for (std::size_t i = 0; i < mine.params.size(); ++i) {
    if (mine.params[i].name != theirs.params[i].name || !match(mine.params[i].type, theirs.params[i].type))
      return false;
  }
  return match(mine.result, theirs.result);
}

bool TypeComparison::alike(std::uint32_t mine, std::uint32_t theirs) { return same_structure(mine, theirs, 0); }

std::optional<std::pair<std::uint32_t, std::uint32_t>> TypeComparison::next() {
  while (!pending_.empty()) {
    const auto pair = pending_.back();
    pending_.pop_back();
    if (!compared_.contains(pair)) return pair;
  }
  return std::nullopt;
}

void TypeComparison::compare(std::uint32_t mine, std::uint32_t theirs, const Where& where) {
  if (!compared_.emplace(mine, theirs).second) return;
  const Type& a = old_.types[mine];
  const Type& b = new_.types[theirs];
  if (!compare_gates(where, a.gate, b.gate)) return;
  if (a.kind == b.kind && has_named_members(a.kind)) return compare_members(a, b, where);
  if (a.kind == TypeKind::kResource && b.kind == TypeKind::kResource) return;
  const bool aliased = a.kind == TypeKind::kAlias || b.kind == TypeKind::kAlias;
  const auto behind = [](const Wit& wit, std::uint32_t type) {
    return wit.types[type].kind == TypeKind::kAlias ? wit.types[type].members[0].type : TypeRef::at(type);
  };
  const bool same = aliased ? match(behind(old_, mine), behind(new_, theirs)) : alike(mine, theirs);
  if (!same) add(where, ChangeKind::TypeChanged, where.path, text_of(old_, a), text_of(new_, b), Breaks::Both);
}

bool TypeComparison::same_members(const Type& mine, const Type& theirs) {
  if (mine.members.size() != theirs.members.size()) return false;
  for (std::size_t i = 0; i < mine.members.size(); ++i) {
    const Member& was = mine.members[i];
    const Member& is = theirs.members[i];
    if (was.name != is.name || !match(was.type, is.type)) return false;
  }
  return true;
}

void TypeComparison::compare_members(const Type& mine, const Type& theirs, const Where& where) {
  static constexpr Words kFields{ChangeKind::FieldAdded, ChangeKind::FieldRemoved, ChangeKind::FieldMoved,
                                 ChangeKind::FieldTypeChanged};
  static constexpr Words kCases{ChangeKind::CaseAdded, ChangeKind::CaseRemoved, ChangeKind::CaseMoved,
                                ChangeKind::CaseTypeChanged};
  static constexpr Words kFlags{ChangeKind::FlagAdded, ChangeKind::FlagRemoved, ChangeKind::FlagMoved,
                                ChangeKind::TypeChanged};
  const bool field = mine.kind == TypeKind::kRecord;
  const Words& words = field ? kFields : mine.kind == TypeKind::kFlags ? kFlags : kCases;
  if (same_members(mine, theirs)) return;
  const std::size_t told = changes_.size();
  const MemberIndex own(mine.members);
  const MemberIndex others(theirs.members);
  const auto path = [&](const Member& member) { return where.path + '.' + member.name; };
  for (std::size_t i = 0; i < mine.members.size(); ++i) {
    const Member& was = mine.members[i];
    const std::string text = text_of_member(old_, was, field);
    if (const auto* is = others.find(was.name)) {
      if (!match(was.type, is->type)) {
        add(where, words.type_changed, path(was), text, text_of_member(new_, *is, field), Breaks::Both);
      }
      continue;
    }
    std::string hint;
    if (i < theirs.members.size() && theirs.members.size() == mine.members.size()) {
      const Member& there = theirs.members[i];
      if (own.find(there.name) == nullptr && match(was.type, there.type)) {
        hint = fmt::format("perhaps renamed to {}", there.name);
      }
    }
    add(where, words.removed, path(was), text, {}, Breaks::Both, std::move(hint));
  }
  for (const auto& is : theirs.members) {
    if (own.find(is.name) == nullptr) {
      add(where, words.added, path(is), {}, text_of_member(new_, is, field), Breaks::Both);
    }
  }
  auto was = shared_names(mine.members, others);
  auto is = shared_names(theirs.members, own);
  if (was != is) add(where, words.moved, where.path, std::move(was), std::move(is), Breaks::Both);
  // Cases of one name, which the parser lets pass: they are not the same type, whatever can be said about them.
  if (changes_.size() == told) {
    add(where, ChangeKind::TypeChanged, where.path, text_of(old_, mine), text_of(new_, theirs), Breaks::Both);
  }
}

void TypeComparison::compare(const Function& mine, const Function& theirs, const Where& where) {
  const auto whole = [&](ChangeKind kind) {
    add(where, kind, where.path, text_of(old_, mine), text_of(new_, theirs), Breaks::Both);
  };
  if (mine.kind != theirs.kind) return whole(ChangeKind::FunctionKindChanged);
  if (mine.async != theirs.async) whole(ChangeKind::AsyncChanged);
  compare_parameters(mine.params, theirs.params, where);
  if (!match(mine.result, theirs.result)) {
    const auto text = [](const Wit& wit, TypeRef type) { return type.none() ? "no result" : text_of(wit, type); };
    add(where, ChangeKind::ResultChanged, where.path, text(old_, mine.result), text(new_, theirs.result), Breaks::Both);
  }
}

void TypeComparison::compare_parameters(const std::vector<Member>& mine, const std::vector<Member>& theirs,
                                        const Where& where) {
  const MemberIndex own(mine);
  const MemberIndex others(theirs);
  const auto text = [](const Wit& wit, const Member& param) { return param.name + ": " + text_of(wit, param.type); };
  const auto renamed = [&](std::size_t at) {
    return at < mine.size() && at < theirs.size() && others.find(mine[at].name) == nullptr &&
           own.find(theirs[at].name) == nullptr && match(mine[at].type, theirs[at].type);
  };
  std::vector<std::string_view> order;
  std::vector<std::string_view> new_order;
  for (std::size_t i = 0; i < mine.size(); ++i) {
    const auto path = where.path + '.' + mine[i].name;
    if (const auto* other = others.find(mine[i].name)) {
      order.push_back(mine[i].name);
      if (!match(mine[i].type, other->type)) {
        add(where, ChangeKind::ParameterTypeChanged, path, text(old_, mine[i]), text(new_, *other), Breaks::Both);
      }
    } else if (renamed(i)) {
      add(where, ChangeKind::ParameterRenamed, path, text(old_, mine[i]), text(new_, theirs[i]), Breaks::Both,
          "names of parameters are part of a function's type");
    } else {
      add(where, ChangeKind::ParameterRemoved, path, text(old_, mine[i]), {}, Breaks::Both);
    }
  }
  for (std::size_t i = 0; i < theirs.size(); ++i) {
    if (own.find(theirs[i].name) != nullptr) {
      new_order.push_back(theirs[i].name);
    } else if (!renamed(i)) {
      add(where, ChangeKind::ParameterAdded, where.path + '.' + theirs[i].name, {}, text(new_, theirs[i]),
          Breaks::Both);
    }
  }
  if (order != new_order) {
    add(where, ChangeKind::ParameterMoved, where.path, fmt::format("({})", fmt::join(order, ", ")),
        fmt::format("({})", fmt::join(new_order, ", ")), Breaks::Both);
  }
}

}  // namespace hotswap::compat
