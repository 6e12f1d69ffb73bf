//! Brings the texts of WASI's interfaces into the library: they ship with the crates that implement them, so what is
//! described is what is linked. Preview 1 has no WIT; its witx becomes core signatures.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::env;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the crates keep their WIT. Where two have a package of the same name and version, they are one text.
const WIT: [(&str, &str); 4] = [
    ("wasmtime-wasi", "src/p2/wit/deps"),
    ("wasmtime-wasi", "src/p3/wit/deps"),
    ("wasmtime-wasi-http", "wit/deps"),
    ("wasmtime-wasi-http", "src/p3/wit/deps"),
];
/// The core modules that Preview 1 and its predecessor are imported as.
const WITX: [(&str, &str); 2] = [
    ("wasi_snapshot_preview1", "witx/p1/wasi_snapshot_preview1.witx"),
    ("wasi_unstable", "witx/p0/wasi_unstable.witx"),
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=Cargo.lock");
    let folders = crate_folders()?;
    let folder = |name: &str| folders.get(name).ok_or_else(|| format!("no dependency is called {name}"));
    let mut packages = BTreeMap::new();
    for (name, under) in WIT {
        for file in fs::read_dir(folder(name)?.join(under))? {
            let file = file?.path();
            let package = package_of(&file)?;
            packages.entry(package).or_insert(file);
        }
    }
    let mut code = String::from("pub const PACKAGES: &[Package] = &[\n");
    for (name, file) in &packages {
        let path = format!("{}.wit", name.replace([':', '@'], "-"));
        writeln!(code, "Package {{ name: {name:?}, path: {path:?}, text: include_str!({file:?}) }},")?;
    }
    let mut modules = Vec::new();
    for (module, path) in WITX {
        modules.push(core_module(module, &folder("wasmtime-wasi")?.join(path))?);
    }
    writeln!(code, "];\npub const PREVIEW1: &str = {:?};", Value::from(modules).to_string())?;
    fs::write(Path::new(&env::var("OUT_DIR")?).join("wasi.rs"), code)?;
    Ok(())
}

/// The folders of all dependencies: registry, vendored or patched, cargo alone knows.
fn crate_folders() -> Result<BTreeMap<String, PathBuf>, Box<dyn Error>> {
    let told = Command::new(env::var("CARGO")?)
        .args(["metadata", "--format-version=1", "--locked", "--offline"])
        // Without it, crates for other platforms would be asked for, which nobody has downloaded.
        .args(["--filter-platform", &env::var("TARGET")?])
        .arg("--manifest-path")
        .arg(Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("Cargo.toml"))
        .output()?;
    if !told.status.success() {
        return Err(String::from_utf8_lossy(&told.stderr).into());
    }
    let metadata: Value = serde_json::from_slice(&told.stdout)?;
    let packages = metadata["packages"].as_array().ok_or("cargo metadata lists no packages")?;
    let entry = |package: &Value| {
        let folder = Path::new(package["manifest_path"].as_str()?).parent()?.to_path_buf();
        Some((package["name"].as_str()?.to_string(), folder))
    };
    Ok(packages.iter().filter_map(entry).collect())
}

/// "wasi:io@0.2.12", from the line that every one of these files begins with.
fn package_of(file: &Path) -> Result<String, Box<dyn Error>> {
    let text = fs::read_to_string(file)?;
    let line = text.lines().find_map(|line| line.strip_prefix("package ")?.strip_suffix(';'));
    Ok(line.ok_or_else(|| format!("{}: names no package", file.display()))?.to_string())
}

/// A core module's functions as WebAssembly sees them, with their documentation.
fn core_module(name: &str, witx: &Path) -> Result<Value, Box<dyn Error>> {
    let document = witx::load(&[witx])?;
    let module = document.modules().next().ok_or("the witx defines no module")?;
    let names = |types: &[witx::WasmType]| types.iter().map(core_type).collect::<Vec<_>>();
    let function = |function: std::rc::Rc<witx::InterfaceFunc>| {
        let (params, results) = function.wasm_signature();
        // A function that never returns has no result, though its type says so in another place.
        let results = if function.noreturn { Vec::new() } else { names(&results) };
        json!({"name": function.name.as_str(), "params": names(&params), "results": results, "docs": function.docs.trim()})
    };
    Ok(json!({"module": name, "functions": module.funcs().map(function).collect::<Vec<_>>()}))
}

fn core_type(ty: &witx::WasmType) -> &'static str {
    match ty {
        witx::WasmType::I32 => "i32",
        witx::WasmType::I64 => "i64",
        witx::WasmType::F32 => "f32",
        witx::WasmType::F64 => "f64",
    }
}
