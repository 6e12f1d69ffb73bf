//! Interfaces: WIT packages and components as one resolved description, through wit-parser and wit-component.

use crate::abi::{ErrorKind, Failure, Fallible, Slice, array};
use crate::limits::lock;
use serde_json::json;
use std::collections::{BTreeSet, HashSet, VecDeque};
use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock};
use wit_component::semver_check;
use wit_parser::abi::{AbiVariant, WasmType};
use wit_parser::decoding::{DecodedWasm, decode};
use wit_parser::{
    Docs, Function, LiftLowerAbi, ManglingAndAbi, PackageId, PackageName, ParseError, Resolve, ResolveError,
    ResolveErrorKind, SourceMap, Span, TypeDefKind, UnresolvedPackageGroup, WasmExport, WasmExportKind, WasmImport,
    WorldId, WorldItem, WorldKey,
};

/// WASI's packages as this build links them, and the core modules of Preview 1; made by build.rs.
mod wasi {
    pub struct Package {
        pub name: &'static str,
        pub path: &'static str,
        pub text: &'static str,
    }
    include!(concat!(env!("OUT_DIR"), "/wasi.rs"));
}

/// The magic and version of a component, which a wasm-encoded WIT package is too.
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

/// `eng_wit_file`.
#[repr(C)]
pub struct File {
    path: Slice,
    bytes: Slice,
}

/// `eng_wit_package`.
#[repr(C)]
pub struct Package {
    files: *const File,
    count: usize,
}

/// What was read of the packages of one call.
struct Parsed {
    resolve: Resolve,
    main: PackageId,
}

/// A file's name and bytes.
type Source<'a> = (&'a str, &'a [u8]);

/// The JSON of `eng_wit_parse`.
///
/// # Safety
/// The packages are as engine.h has them.
pub unsafe fn parse(packages: *const Package, count: usize, docs: bool) -> Fallible<String> {
    // SAFETY: the caller's promise.
    let mut parsed = resolve(&unsafe { sources(packages, count) }?, true, docs)?;
    if !docs {
        drop_docs(&mut parsed.resolve);
    }
    describe("package", parsed.main, None, &parsed.resolve)
}

/// The JSON of `eng_wit_decode`.
pub fn describe_binary(bytes: &[u8]) -> Fallible<String> {
    if !bytes.starts_with(COMPONENT) {
        return Err(Failure::new(ErrorKind::InvalidBinary, "not a component: a core module has no interfaces"));
    }
    let decoded = decode(bytes).map_err(|error| Failure::new(ErrorKind::InvalidBinary, format!("{error:#}")))?;
    match &decoded {
        DecodedWasm::WitPackage(resolve, main) => describe("package", *main, None, resolve),
        DecodedWasm::Component(resolve, world) => describe("component", decoded.package(), Some(*world), resolve),
    }
}

/// The JSON of `eng_wit_semver_check`.
///
/// # Safety
/// The packages are as engine.h has them.
pub unsafe fn check(
    (old, old_count): (*const Package, usize),
    (new, new_count): (*const Package, usize),
    world: &str,
) -> Fallible<String> {
    // SAFETY: the caller's promise.
    let (old, new) = unsafe { (sources(old, old_count)?, sources(new, new_count)?) };
    let (old, mut new) = (resolve(&old, false, false)?, resolve(&new, false, false)?);
    let before = world_of(&old, world)?;
    let after = world_of(&new, world)?;
    // The check drops all versions; until then they keep the two sides apart, which may have the same.
    new.resolve.package_names.clear();
    for (id, package) in new.resolve.packages.iter_mut() {
        let mut version = package.name.version.take().unwrap_or_else(|| semver::Version::new(0, 0, 0));
        version.build = semver::BuildMetadata::new("new").expect("a word is valid build metadata");
        package.name.version = Some(version);
        new.resolve.package_names.insert(package.name.clone(), id);
    }
    let internal = |error: &dyn std::fmt::Display| Failure::new(ErrorKind::Internal, format!("{error:#}"));
    let mut both = old.resolve;
    let moved = both.merge(new.resolve).map_err(|error| internal(&error))?;
    let after = moved.map_world(after, Span::default()).map_err(|error| internal(&error))?;
    Ok(match semver_check(both, before, after) {
        Ok(()) => json!({"compatible": true}),
        // Anything else than the last step's error says that the check could not be made.
        Err(error) if error.to_string().contains("not semver-compatible") => {
            json!({"compatible": false, "reason": format!("{error:#}")})
        }
        Err(error) => json!({"compatible": null, "reason": format!("{error:#}")}),
    }
    .to_string())
}

/// The JSON of `eng_wit_core_functions`.
///
/// # Safety
/// The packages are as engine.h has them.
pub unsafe fn core_functions(packages: *const Package, count: usize, world: &str) -> Fallible<String> {
    // SAFETY: the caller's promise.
    let parsed = resolve(&unsafe { sources(packages, count) }?, true, false)?;
    let resolve = &parsed.resolve;
    let world = &resolve.worlds[world_of(&parsed, world)?];
    let (mut imports, mut exports) = (Vec::new(), Vec::new());
    for (key, item) in &world.imports {
        for (interface, func) in functions(resolve, key, item) {
            let name = WasmImport::Func { interface, func };
            let (module, name) = resolve.wasm_import_name(ManglingAndAbi::Legacy(LiftLowerAbi::Sync), name);
            imports.push(core_function(resolve, &format!("{module}#{name}"), AbiVariant::GuestImport, func));
        }
    }
    for (key, item) in &world.exports {
        for (interface, func) in functions(resolve, key, item) {
            let name = WasmExport::Func { interface, func, kind: WasmExportKind::Normal };
            let name = resolve.wasm_export_name(ManglingAndAbi::Legacy(LiftLowerAbi::Sync), name);
            exports.push(core_function(resolve, &name, AbiVariant::GuestExport, func));
        }
    }
    Ok(json!({"imports": imports, "exports": exports}).to_string())
}

fn functions<'a>(
    resolve: &'a Resolve,
    key: &'a WorldKey,
    item: &'a WorldItem,
) -> Vec<(Option<&'a WorldKey>, &'a Function)> {
    match item {
        WorldItem::Interface { id, .. } => {
            resolve.interfaces[*id].functions.values().map(|function| (Some(key), function)).collect()
        }
        WorldItem::Function(function) => vec![(None, function)],
        WorldItem::Type { .. } => Vec::new(),
    }
}

fn core_function(resolve: &Resolve, name: &str, variant: AbiVariant, function: &Function) -> serde_json::Value {
    let signature = resolve.wasm_signature(variant, function);
    let names = |types: &[WasmType]| types.iter().map(core_type).collect::<Vec<_>>();
    json!({"name": name, "params": names(&signature.params), "results": names(&signature.results)})
}

fn core_type(ty: &WasmType) -> &'static str {
    match ty {
        WasmType::I32 | WasmType::Pointer | WasmType::Length => "i32",
        WasmType::I64 | WasmType::PointerOrI64 => "i64",
        WasmType::F32 => "f32",
        WasmType::F64 => "f64",
    }
}

/// The JSON of `eng_wit_wasi`.
pub fn wasi() -> String {
    let package =
        |package: &wasi::Package| json!({"package": package.name, "path": package.path, "text": package.text});
    wasi::PACKAGES.iter().map(package).collect::<serde_json::Value>().to_string()
}

/// The JSON of `eng_wit_preview1`.
pub fn preview1() -> &'static str {
    wasi::PREVIEW1
}

/// Documentation is most of what packages say.
fn drop_docs(resolve: &mut Resolve) {
    for (_, package) in &mut resolve.packages {
        package.docs = Docs::default();
    }
    for (_, interface) in &mut resolve.interfaces {
        interface.docs = Docs::default();
        interface.functions.values_mut().for_each(|function| function.docs = Docs::default());
    }
    for (_, ty) in &mut resolve.types {
        ty.docs = Docs::default();
        match &mut ty.kind {
            TypeDefKind::Record(record) => record.fields.iter_mut().for_each(|field| field.docs = Docs::default()),
            TypeDefKind::Variant(variant) => variant.cases.iter_mut().for_each(|case| case.docs = Docs::default()),
            TypeDefKind::Enum(list) => list.cases.iter_mut().for_each(|case| case.docs = Docs::default()),
            TypeDefKind::Flags(list) => list.flags.iter_mut().for_each(|flag| flag.docs = Docs::default()),
            _ => {}
        }
    }
    for (_, world) in &mut resolve.worlds {
        world.docs = Docs::default();
        for item in world.imports.values_mut().chain(world.exports.values_mut()) {
            match item {
                WorldItem::Interface { docs, .. } => *docs = Docs::default(),
                WorldItem::Function(function) => function.docs = Docs::default(),
                WorldItem::Type { .. } => {}
            }
        }
    }
}

fn describe(kind: &str, main: PackageId, world: Option<WorldId>, resolve: &Resolve) -> Fallible<String> {
    let text = serde_json::to_string(resolve).map_err(|error| Failure::new(ErrorKind::Internal, error.to_string()))?;
    let world = world.map_or("null".to_string(), |world| world.index().to_string());
    Ok(format!(r#"{{"kind":"{kind}","main":{},"world":{world},"resolve":{text}}}"#, main.index()))
}

fn world_of(parsed: &Parsed, name: &str) -> Fallible<WorldId> {
    let package = &parsed.resolve.packages[parsed.main];
    let found = package.worlds.get(name).copied();
    found.ok_or_else(|| Failure::new(ErrorKind::NoSuchExport, format!("{} has no world \"{name}\"", package.name)))
}

/// # Safety
/// The packages are as engine.h has them.
unsafe fn sources<'a>(packages: *const Package, count: usize) -> Fallible<Vec<Vec<Source<'a>>>> {
    // SAFETY: the caller's promise.
    let packages = unsafe { array(packages, count) };
    let mut all = Vec::new();
    for package in packages {
        let mut files = Vec::new();
        // SAFETY: as above.
        for file in unsafe { array(package.files, package.count) } {
            files.push(unsafe { (file.path.text("a file's name")?, file.bytes.bytes()) });
        }
        all.push(files);
    }
    Ok(all)
}

/// Parses the packages, the first one being the main one, and puts WASI's where they are missing, with or without what
/// they say of themselves.
fn resolve(packages: &[Vec<Source<'_>>], unstable: bool, docs: bool) -> Fallible<Parsed> {
    let mut resolve = Resolve { all_features: unstable, ..Resolve::default() };
    let mut groups = Vec::new();
    let mut encoded_main = None;
    for (index, files) in packages.iter().enumerate() {
        if let [(path, bytes)] = files[..]
            && bytes.starts_with(COMPONENT)
        {
            let main = merge_encoded(&mut resolve, path, bytes)?;
            if index == 0 {
                encoded_main = Some(main);
            }
        } else {
            groups.push(parse_texts(files)?);
        }
    }
    add_wasi(&mut resolve, &mut groups, docs);
    let named = groups.iter().flat_map(packages_of).map(|package| &package.name);
    let given: Vec<_> = named.chain(resolve.package_names.keys()).map(ToString::to_string).collect();
    let located = |error: ResolveError, map: &SourceMap| {
        let message = match error.kind() {
            // wit-parser knows those alone that it has come to.
            ResolveErrorKind::PackageNotFound { requested, .. } => {
                format!("there is no package {requested}; given are {}", given.join(", "))
            }
            kind => kind.to_string(),
        };
        let all = packages.iter().flatten().copied().chain(wasi::PACKAGES.iter().map(|p| (p.path, p.text.as_bytes())));
        located(error.kind().span(), &message, map, all)
    };
    let main = match encoded_main {
        Some(main) => {
            // Nothing hangs on these but each other, so any of them may stand for the main one.
            if !groups.is_empty() {
                let first = groups.remove(0);
                resolve.push_groups(first, groups).map_err(|error| located(error, &resolve.source_map))?;
            }
            main
        }
        None if groups.is_empty() => return Err(Failure::new(ErrorKind::Config, "no package is given")),
        None => {
            let main = groups.remove(0);
            resolve.push_groups(main, groups).map_err(|error| located(error, &resolve.source_map))?
        }
    };
    Ok(Parsed { resolve, main })
}

fn merge_encoded(resolve: &mut Resolve, path: &str, bytes: &[u8]) -> Fallible<PackageId> {
    let invalid = |error: String| Failure::new(ErrorKind::InvalidBinary, format!("{path}: {error}"));
    match decode(bytes).map_err(|error| invalid(format!("{error:#}")))? {
        DecodedWasm::Component(..) => Err(invalid("a component, where a WIT package is expected".to_string())),
        DecodedWasm::WitPackage(package, main) => {
            let moved = resolve.merge(package).map_err(|error| invalid(format!("{error:#}")))?;
            Ok(moved.packages[main.index()])
        }
    }
}

fn parse_texts(files: &[Source<'_>]) -> Fallible<UnresolvedPackageGroup> {
    let mut map = SourceMap::new();
    for (path, bytes) in files {
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let line = bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
            problem(path, line, 1, 1, "", "not valid UTF-8")
        })?;
        map.push_str(path, text);
    }
    map.parse().map_err(|(map, error): (SourceMap, ParseError)| {
        located(error.kind().span(), &error.to_string(), &map, files.iter().copied())
    })
}

/// Puts WASI's packages there that something refers to and nobody gave. Where they depend on nothing that was given, they
/// are resolved already, since that takes longer than all else.
fn add_wasi(resolve: &mut Resolve, groups: &mut Vec<UnresolvedPackageGroup>, docs: bool) {
    let given: HashSet<PackageName> = resolve
        .package_names
        .keys()
        .chain(groups.iter().flat_map(packages_of).map(|package| &package.name))
        .cloned()
        .collect();
    let mut wanted = BTreeSet::new();
    // What was given encoded stands there already.
    let mut on_given = resolve.packages.len() > 0;
    let mut asked: Vec<&PackageName> = groups.iter().flat_map(dependencies).collect();
    while let Some(name) = asked.pop() {
        let Some(index) = wasi_groups().iter().position(|(package, _)| package == name) else { continue };
        if given.contains(name) || !wanted.insert(index) {
            continue;
        }
        for dependency in dependencies(&wasi_groups()[index].1) {
            on_given |= given.contains(dependency);
            asked.push(dependency);
        }
    }
    match if on_given { None } else { resolved_wasi(&wanted, resolve.all_features, docs) } {
        Some(wasi) => *resolve = Resolve::clone(&wasi),
        None => groups.extend(wanted.iter().map(|index| wasi_groups()[*index].1.clone())),
    }
}

/// Which of WASI's packages, whether with what is unstable, and whether with documentation.
type Chosen = (BTreeSet<usize>, bool, bool);

/// Those of WASI's packages together; none where there is nothing to resolve.
fn resolved_wasi(wanted: &BTreeSet<usize>, unstable: bool, docs: bool) -> Option<Arc<Resolve>> {
    /// Whoever writes WIT chooses what it depends on, and so how many there would be.
    const KEPT: usize = 16;
    static RESOLVED: Mutex<VecDeque<(Chosen, Arc<Resolve>)>> = Mutex::new(VecDeque::new());
    let chosen = (wanted.clone(), unstable, docs);
    if let Some((_, resolve)) = lock(&RESOLVED).iter().find(|(kept, _)| *kept == chosen) {
        return Some(resolve.clone());
    }
    let mut groups: Vec<_> = wanted.iter().map(|index| wasi_groups()[*index].1.clone()).collect();
    let first = groups.pop()?;
    let mut resolve = Resolve { all_features: unstable, ..Resolve::default() };
    resolve.push_groups(first, groups).ok()?;
    if !docs {
        drop_docs(&mut resolve);
    }
    let resolve = Arc::new(resolve);
    let mut kept = lock(&RESOLVED);
    if kept.len() == KEPT {
        kept.pop_front();
    }
    kept.push_back((chosen, resolve.clone()));
    Some(resolve)
}

/// WASI's texts, parsed once: reading them takes longer than all else.
fn wasi_groups() -> &'static [(PackageName, UnresolvedPackageGroup)] {
    static GROUPS: OnceLock<Vec<(PackageName, UnresolvedPackageGroup)>> = OnceLock::new();
    GROUPS.get_or_init(|| {
        let parse = |package: &wasi::Package| UnresolvedPackageGroup::parse(package.path, package.text).ok();
        wasi::PACKAGES.iter().filter_map(parse).map(|group| (group.main.name.clone(), group)).collect()
    })
}

fn packages_of(group: &UnresolvedPackageGroup) -> impl Iterator<Item = &wit_parser::UnresolvedPackage> {
    group.nested.iter().chain([&group.main])
}

fn dependencies(group: &UnresolvedPackageGroup) -> impl Iterator<Item = &PackageName> {
    packages_of(group).flat_map(|package| package.foreign_deps.keys())
}

/// An error with its place in the sources.
fn located<'a>(span: Span, message: &str, map: &SourceMap, mut files: impl Iterator<Item = Source<'a>>) -> Failure {
    let Some(place) = map.resolve_span(span) else { return problem("", 0, 0, 0, "", message) };
    let text = files.find(|(path, _)| *path == place.path).and_then(|(_, bytes)| std::str::from_utf8(bytes).ok());
    let Some(text) = text else { return problem(place.path, 0, 0, 0, "", message) };
    let Range { start, end } = place.range;
    let before = &text[..floor(text, start)];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = text[line_start..].lines().next().unwrap_or_default();
    let width = text[floor(text, start)..floor(text, end)].lines().next().map_or(1, |part| part.chars().count().max(1));
    let number = before.matches('\n').count() + 1;
    problem(place.path, number, before[line_start..].chars().count() + 1, width, line, message)
}

/// The last boundary of a character that is not behind `at`.
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

fn problem(file: &str, line: usize, column: usize, width: usize, text: &str, message: &str) -> Failure {
    let told = json!({"file": file, "line": line, "column": column, "width": width, "text": text, "message": message});
    Failure { kind: ErrorKind::Wit, message: told.to_string() }
}
