// One difference between two interfaces, and whom it breaks.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "model/interface.h"

namespace hotswap::compat {

using Mode = InterfaceCompatibility;

// A link has two ends. Callers break where those built for the old side cannot be linked to an implementation of the
// new one; implementers, where those of the old side cannot be linked to callers of the new one.
enum class Breaks { None, Callers, Implementers, Both };
BOOST_DESCRIBE_ENUM(Breaks, None, Callers, Implementers, Both)

// Which end of the link modules are: of what they import they are callers, of what they export implementers.
enum class ModulesDo { Call, Implement, Both };
BOOST_DESCRIBE_ENUM(ModulesDo, Call, Implement, Both)

enum class ChangeKind {
  FunctionAdded,
  FunctionRemoved,
  FunctionKindChanged,  // method, static, constructor
  AsyncChanged,
  ParameterAdded,
  ParameterRemoved,
  ParameterRenamed,
  ParameterMoved,
  ParameterTypeChanged,
  ResultChanged,
  SignatureChanged,  // of a core function
  TypeAdded,
  TypeRemoved,
  TypeChanged,  // another kind of type, or another type behind a name
  FieldAdded,
  FieldRemoved,
  FieldMoved,
  FieldTypeChanged,
  CaseAdded,
  CaseRemoved,
  CaseMoved,
  CaseTypeChanged,
  FlagAdded,
  FlagRemoved,
  FlagMoved,
  ResourceAdded,
  ResourceRemoved,
  InterfaceAdded,
  InterfaceRemoved,
  WorldAdded,
  WorldRemoved,
  ImportAdded,
  ImportRemoved,
  ExportAdded,
  ExportRemoved,
  DependencyVersionChanged,
  GateChanged,
  KindChanged,  // a core module became a component, or the other way round
};
BOOST_DESCRIBE_ENUM(ChangeKind, FunctionAdded, FunctionRemoved, FunctionKindChanged, AsyncChanged, ParameterAdded,
                    ParameterRemoved, ParameterRenamed, ParameterMoved, ParameterTypeChanged, ResultChanged,
                    SignatureChanged, TypeAdded, TypeRemoved, TypeChanged, FieldAdded, FieldRemoved, FieldMoved,
                    FieldTypeChanged, CaseAdded, CaseRemoved, CaseMoved, CaseTypeChanged, FlagAdded, FlagRemoved,
                    FlagMoved, ResourceAdded, ResourceRemoved, InterfaceAdded, InterfaceRemoved, WorldAdded,
                    WorldRemoved, ImportAdded, ImportRemoved, ExportAdded, ExportRemoved, DependencyVersionChanged,
                    GateChanged, KindChanged)

struct Change {
  ChangeKind kind{};
  std::string path;  // "wasi:http/types.request.method"
  std::string was;   // WIT text; empty where there was nothing
  std::string is;
  Breaks breaks{};
  ModulesDo modules{};  // with what it belongs to
  std::string hint;     // what may have been meant, why it breaks nobody; may be empty
  bool operator==(const Change&) const = default;
};
BOOST_DESCRIBE_STRUCT(Change, (), (kind, path, was, is, breaks, modules, hint))

// What was compared. Of a contract (a package or world) the versions are judged by modules on either side of it; of a
// module, by what surrounds it: its callers, and who implements what it imports.
enum class Subject { Contract, Module };
BOOST_DESCRIBE_ENUM(Subject, Contract, Module)

struct Comparison {
  Subject subject{};
  std::string from{};  // "acme:auth@1.0.0", or what the caller calls a module
  std::string to{};
  std::string from_version{};  // empty where there is none
  std::string to_version{};
  std::vector<Change> changes{};
};

[[nodiscard]] constexpr bool breaks_callers(Breaks breaks) {
  return breaks == Breaks::Callers || breaks == Breaks::Both;
}
[[nodiscard]] constexpr bool breaks_implementers(Breaks breaks) {
  return breaks == Breaks::Implementers || breaks == Breaks::Both;
}
[[nodiscard]] constexpr Breaks breaks_of(bool callers, bool implementers) {
  if (callers) return implementers ? Breaks::Both : Breaks::Callers;
  return implementers ? Breaks::Implementers : Breaks::None;
}

}  // namespace hotswap::compat
