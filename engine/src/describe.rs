//! Validates a binary and says what is in it, without compiling.

use crate::abi::{ErrorKind, Failure, Fallible};
use crate::limits::lock;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::num::NonZero;
use std::panic::resume_unwind;
use std::sync::Mutex;
use std::thread;
use wasmparser::component_types::{ComponentDefinedType, ComponentEntityType, ComponentValType};
use wasmparser::types::{EntityType, Types, TypesRef};
use wasmparser::{
    ExternalKind, FuncToValidate, FuncValidatorAllocations, FunctionBody, Operator, Parser, Payload, Result,
    ValidPayload, Validator, ValidatorResources, WasmFeatures,
};

/// What the engine accepts at most; whether it takes the asynchronous component model depends on its configuration.
const FEATURES: WasmFeatures = WasmFeatures::WASM3
    .union(WasmFeatures::THREADS)
    .union(WasmFeatures::GC_TYPES)
    .union(WasmFeatures::COMPONENT_MODEL)
    .union(WasmFeatures::CM_ASYNC);

/// The JSON of `eng_describe`.
pub fn describe(bytes: &[u8]) -> Fallible<String> {
    let invalid = |error: wasmparser::BinaryReaderError| Failure::new(ErrorKind::InvalidBinary, error.to_string());
    let scan = Scan::new(bytes).map_err(invalid)?;
    let description = scan.describe();
    validate_functions(scan.functions).map_err(invalid)?;
    Ok(description.to_string())
}

type Function<'a> = (FuncToValidate<ValidatorResources>, FunctionBody<'a>);

/// What one thread takes at a time, and how much code is worth another thread.
const FUNCTIONS_AT_A_TIME: usize = 16;
const BYTES_WORTH_A_THREAD: usize = 128 * 1024;

/// Function bodies are most of a binary and independent of each other, so a large one is validated by every core. The
/// threads are new ones: the scheduler puts those on idle cores, where it often leaves a pool's on the waker's.
fn validate_functions(functions: Vec<Function<'_>>) -> Result<()> {
    let bytes: usize = functions.iter().map(|(_, body)| body.range().len()).sum();
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let queue = Mutex::new(functions.into_iter());
    let work = || {
        let mut allocations = FuncValidatorAllocations::default();
        loop {
            let taken: Vec<_> = lock(&queue).by_ref().take(FUNCTIONS_AT_A_TIME).collect();
            if taken.is_empty() {
                return Ok(());
            }
            for (function, body) in taken {
                let mut validator = function.into_validator(allocations);
                validator.validate(&body)?;
                allocations = validator.into_allocations();
            }
        }
    };
    thread::scope(|scope| {
        let others = cores.min(bytes / BYTES_WORTH_A_THREAD).saturating_sub(1);
        let others: Vec<_> = (0..others).map(|_| scope.spawn(work)).collect();
        let mine = work();
        others
            .into_iter()
            .fold(mine, |result, other| result.and(other.join().unwrap_or_else(|panic| resume_unwind(panic))))
    })
}

/// One pass over the binary, everything validated but the function bodies.
struct Scan<'a> {
    functions: Vec<Function<'a>>,
    types: Types,
    memories: Vec<Value>,
    custom: Vec<Value>,
    /// Names of a component's own imports and exports, in order.
    imports: Vec<&'a str>,
    exports: Vec<&'a str>,
    /// Exports, of any core module inside, that never return.
    endless: Vec<&'a str>,
}

impl<'a> Scan<'a> {
    fn new(bytes: &'a [u8]) -> Result<Self> {
        let mut validator = Validator::new_with_features(FEATURES);
        let (mut functions, mut memories, mut custom) = (Vec::<Function<'a>>::new(), Vec::new(), Vec::new());
        let (mut imports, mut exports, mut endless) = (Vec::new(), Vec::new(), Vec::new());
        let mut module_exports: HashMap<u32, Vec<&'a str>> = HashMap::new();
        let mut depth = 0_usize;
        let mut types = None;
        for payload in Parser::new(0).parse_all(bytes) {
            let payload = payload?;
            match validator.payload(&payload)? {
                ValidPayload::Func(function, body) => {
                    if let Some(names) = module_exports.get(&function.index)
                        && never_returns(&body).unwrap_or(false)
                    {
                        endless.extend(names);
                    }
                    functions.push((function, body));
                }
                ValidPayload::End(ended) => {
                    if depth == 0 {
                        types = Some(ended);
                    }
                    depth = depth.saturating_sub(1);
                }
                ValidPayload::Ok | ValidPayload::Parser(_) => {}
            }
            match payload {
                Payload::Version { .. } => module_exports.clear(),
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::MemorySection(section) => {
                    for memory in section {
                        let memory = memory?;
                        let page = 1_u64 << memory.page_size_log2.unwrap_or(16);
                        memories.push(json!({
                            "initialBytes": memory.initial.saturating_mul(page),
                            "maximumBytes": memory.maximum.map(|maximum| maximum.saturating_mul(page)),
                        }));
                    }
                }
                Payload::ExportSection(section) => {
                    for export in section {
                        let export = export?;
                        if export.kind == ExternalKind::Func {
                            module_exports.entry(export.index).or_default().push(export.name);
                        }
                    }
                }
                Payload::CustomSection(section) if depth == 0 => {
                    custom.push(json!({"name": section.name(), "bytes": section.data().len()}));
                }
                Payload::ComponentImportSection(section) if depth == 0 => {
                    for import in section {
                        imports.push(import?.name.name);
                    }
                }
                Payload::ComponentExportSection(section) if depth == 0 => {
                    for export in section {
                        exports.push(export?.name.name);
                    }
                }
                _ => {}
            }
        }
        let types = types.expect("a binary that ends without its end is an error of the parser");
        Ok(Self { functions, types, memories, custom, imports, exports, endless })
    }

    fn describe(&self) -> Value {
        let types = self.types.as_ref();
        let (kind, imports, exports) = match (types.core_imports(), types.core_exports()) {
            (Some(imports), Some(exports)) => {
                let import = |(module, name, ty)| core_item(types, &format!("{module}#{name}"), &ty);
                let imports: Vec<_> = imports.map(import).collect();
                ("core", imports, exports.map(|(name, ty)| core_item(types, name, &ty)).collect())
            }
            _ => ("component", self.component_imports(types), self.component_exports(types)),
        };
        let named = |list: &[Value], test: &dyn Fn(&str) -> bool| {
            list.iter().any(|item| item["name"].as_str().is_some_and(test))
        };
        let wasi = |version: &str| {
            let test = |name: &str| name.starts_with("wasi:") && name.contains(version);
            named(&imports, &test) || named(&exports, &test)
        };
        let exported = |prefix: &str| named(&exports, &|name| name.starts_with(prefix));
        let preview1 = |name: &str| name.starts_with("wasi_snapshot_preview1#") || name.starts_with("wasi_unstable#");
        let endless: Vec<_> = exports.iter().filter(|item| self.is_endless(item)).map(|item| &item["name"]).collect();
        json!({
            "kind": kind,
            "wasi": if kind == "core" {
                if named(&imports, &preview1) { "preview1" } else { "none" }
            } else if wasi("@0.3") {
                "0.3"
            } else if wasi("@0.2") {
                "0.2"
            } else {
                "none"
            },
            "http": if exported("wasi:http/handler@0.3.") {
                Some("0.3")
            } else {
                exported("wasi:http/incoming-handler@0.2.").then_some("0.2")
            },
            "command": if kind == "core" { named(&exports, &|name| name == "_start") } else { exported("wasi:cli/run@0.") },
            "memories": self.memories,
            "customSections": self.custom,
            "endlessExports": endless,
            "imports": imports,
            "exports": exports,
        })
    }

    /// A component's function is lifted from a core function of the same name, by the conventions of all toolchains.
    fn is_endless(&self, export: &Value) -> bool {
        let Some(name) = export["name"].as_str() else { return false };
        export["kind"] == "func"
            && self.endless.iter().any(|core| {
                let core = core.strip_prefix("[async-lift]").unwrap_or(core);
                core.strip_prefix("[async-lift-stackful]").unwrap_or(core) == name
            })
    }

    fn component_imports(&self, types: TypesRef<'_>) -> Vec<Value> {
        let kind = |name| types.component_item_for_import(name).map_or("type", |item| component_kind(&item.ty));
        self.imports.iter().map(|name| json!({"name": name, "kind": kind(name)})).collect()
    }

    fn component_exports(&self, types: TypesRef<'_>) -> Vec<Value> {
        let mut list = Vec::new();
        for name in &self.exports {
            let Some(item) = types.component_item_for_export(name) else { continue };
            let ComponentEntityType::Instance(instance) = item.ty else {
                list.push(component_export(types, name, &item.ty));
                continue;
            };
            for (function, item) in &types[instance].exports {
                if matches!(item.ty, ComponentEntityType::Func(_)) {
                    list.push(component_export(types, &format!("{name}#{function}"), &item.ty));
                }
            }
        }
        list
    }
}

fn core_kind(ty: &EntityType) -> &'static str {
    match ty {
        EntityType::Func(_) | EntityType::FuncExact(_) => "func",
        EntityType::Table(_) => "table",
        EntityType::Memory(_) => "memory",
        EntityType::Global(_) => "global",
        EntityType::Tag(_) => "tag",
    }
}

fn core_item(types: TypesRef<'_>, name: &str, ty: &EntityType) -> Value {
    let mut item = json!({"name": name, "kind": core_kind(ty)});
    match ty {
        EntityType::Func(id) | EntityType::FuncExact(id) => {
            let function = types[*id].unwrap_func();
            let params = function.params().iter().map(|ty| json!({"name": null, "type": ty.to_string()}));
            item["params"] = params.collect();
            item["results"] = function.results().iter().map(|ty| json!(ty.to_string())).collect();
        }
        EntityType::Global(global) if global.mutable => item["type"] = json!(format!("mut {}", global.content_type)),
        EntityType::Global(global) => item["type"] = json!(global.content_type.to_string()),
        EntityType::Memory(memory) => item["type"] = json!(limits(memory.initial, memory.maximum)),
        EntityType::Table(table) => {
            item["type"] = json!(format!("{} {}", limits(table.initial, table.maximum), table.element_type));
        }
        EntityType::Tag(_) => {}
    }
    item
}

fn limits(initial: u64, maximum: Option<u64>) -> String {
    maximum.map_or(initial.to_string(), |maximum| format!("{initial} {maximum}"))
}

fn component_kind(ty: &ComponentEntityType) -> &'static str {
    match ty {
        ComponentEntityType::Module(_) => "module",
        ComponentEntityType::Func(_) => "func",
        ComponentEntityType::Value(_) => "value",
        ComponentEntityType::Type { .. } => "type",
        ComponentEntityType::Instance(_) => "instance",
        ComponentEntityType::Component(_) => "component",
    }
}

fn component_export(types: TypesRef<'_>, name: &str, ty: &ComponentEntityType) -> Value {
    let mut export = json!({"name": name, "kind": component_kind(ty)});
    if let ComponentEntityType::Func(id) = ty {
        let function = &types[*id];
        let params = function.params.iter();
        export["params"] = params.map(|(name, ty)| json!({"name": name.as_str(), "type": wit(types, ty)})).collect();
        export["results"] = function.result.iter().map(|ty| json!(wit(types, ty))).collect();
    }
    export
}

/// A type as WIT text; records, variants, enums and flags are written out, since a component keeps no name at their
/// uses.
fn wit(types: TypesRef<'_>, ty: &ComponentValType) -> String {
    let id = match ty {
        ComponentValType::Primitive(primitive) => return primitive.to_string(),
        ComponentValType::Type(id) => *id,
    };
    let inner = |ty: &ComponentValType| wit(types, ty);
    let optional = |ty: &Option<ComponentValType>| ty.as_ref().map_or("_".to_string(), &inner);
    let braces = |what: &str, items: Vec<String>| format!("{what} {{ {} }}", items.join(", "));
    match &types[id] {
        ComponentDefinedType::Primitive(primitive) => primitive.to_string(),
        ComponentDefinedType::Record(record) => {
            braces("record", record.fields.iter().map(|(name, ty)| format!("{name}: {}", inner(ty))).collect())
        }
        ComponentDefinedType::Variant(variant) => {
            let case =
                |ty: &Option<ComponentValType>| ty.as_ref().map_or(String::new(), |ty| format!("({})", inner(ty)));
            braces("variant", variant.cases.iter().map(|(name, ty)| format!("{name}{}", case(&ty.ty))).collect())
        }
        ComponentDefinedType::Flags(names) => braces("flags", names.iter().map(ToString::to_string).collect()),
        ComponentDefinedType::Enum(names) => braces("enum", names.iter().map(ToString::to_string).collect()),
        ComponentDefinedType::List { element, .. } => format!("list<{}>", inner(element)),
        ComponentDefinedType::FixedLengthList { element, length, .. } => format!("list<{}, {length}>", inner(element)),
        ComponentDefinedType::Map { key, value, .. } => format!("map<{}, {}>", inner(key), inner(value)),
        ComponentDefinedType::Tuple(tuple) => {
            format!("tuple<{}>", tuple.types.iter().map(inner).collect::<Vec<_>>().join(", "))
        }
        ComponentDefinedType::Option { ty, .. } => format!("option<{}>", inner(ty)),
        ComponentDefinedType::Result { ok: None, err: None, .. } => "result".to_string(),
        ComponentDefinedType::Result { ok, err: None, .. } => format!("result<{}>", optional(ok)),
        ComponentDefinedType::Result { ok, err, .. } => format!("result<{}, {}>", optional(ok), optional(err)),
        ComponentDefinedType::Own(_) => "own<resource>".to_string(),
        ComponentDefinedType::Borrow(_) => "borrow<resource>".to_string(),
        ComponentDefinedType::Future { ty, .. } => format!("future<{}>", optional(ty)),
        ComponentDefinedType::Stream { ty, .. } => format!("stream<{}>", optional(ty)),
    }
}

/// Whether a body is, after operations without effect on control, one loop without a way out. What could trap, call,
/// or leave on a condition is not certain and answers false.
fn never_returns(body: &FunctionBody<'_>) -> Result<bool> {
    use Operator::*;
    let mut in_loop = false;
    for operator in body.get_operators_reader()? {
        match operator? {
            Loop { .. } if !in_loop => in_loop = true,
            Br { relative_depth: 0 } => return Ok(in_loop),
            Nop | Drop | Select | LocalGet { .. } | LocalSet { .. } | LocalTee { .. } => {}
            GlobalGet { .. } | GlobalSet { .. } | I32Const { .. } | I64Const { .. } | F32Const { .. } => {}
            F64Const { .. } | I32Add | I32Sub | I32Mul | I32And | I32Or | I32Xor | I32Eqz | I32Eq | I32Ne => {}
            I64Add | I64Sub | I64Mul | I64And | I64Or | I64Xor | I64Eqz | I64Eq | I64Ne => {}
            I64ExtendI32S | I64ExtendI32U | I32WrapI64 => {}
            _ => return Ok(false),
        }
    }
    Ok(false)
}
