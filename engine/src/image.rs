//! Code linked against a capability set, with its exports resolved once.

use crate::abi::{ErrorKind, Failure, Fallible};
use crate::code::{Binary, Code};
use crate::engine::Engine;
use crate::state::State;
use std::sync::Arc;
use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::component::{self, Component, ComponentExportIndex};
use wasmtime::{ExternType, InstancePre, Module, ModuleExport, ValType};
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmtime_wasi_http::p3::bindings::ServicePre;

/// What `eng_image` points at.
pub struct Image {
    pub engine: Arc<Engine>,
    pub linked: Linked,
}

/// The two kinds of image.
pub enum Linked {
    Core(CoreImage),
    Component(ComponentImage),
}

pub struct CoreImage {
    pub pre: InstancePre<State>,
    pub functions: Vec<CoreFunction>,
    /// `_initialize` of a reactor, to be called before anything else.
    pub initialize: Option<ModuleExport>,
    pub start: Option<ModuleExport>,
}

pub struct CoreFunction {
    name: String,
    pub export: ModuleExport,
    pub params: Vec<ValType>,
    pub results: Vec<ValType>,
}

pub struct ComponentImage {
    pub pre: component::InstancePre<State>,
    pub functions: Vec<ComponentFunction>,
    /// `run` of wasi:cli/run.
    pub command: Option<ComponentExportIndex>,
    pub http: Option<Http>,
}

pub struct ComponentFunction {
    /// "ns:pkg/iface@version", or none for a function of the world.
    interface: Option<String>,
    name: String,
    pub export: ComponentExportIndex,
    pub ty: ComponentFunc,
}

/// The HTTP handler that a component exports.
pub enum Http {
    V02(ProxyPre<State>),
    V03(ServicePre<State>),
}

impl Image {
    pub fn link(code: &Code, flags: u32) -> Fallible<Self> {
        let linked = match &code.binary {
            Binary::Core(module) => Linked::Core(link_core(&code.engine, module, flags)?),
            Binary::Component(component) => Linked::Component(link_component(&code.engine, component, flags)?),
        };
        Ok(Self { engine: code.engine.clone(), linked })
    }

    /// The index of the one function that `name` fits.
    pub fn function(&self, name: &str) -> Fallible<usize> {
        let names: Vec<String> = match &self.linked {
            Linked::Core(image) => image.functions.iter().map(|function| function.name.clone()).collect(),
            Linked::Component(image) => image.functions.iter().map(ComponentFunction::full_name).collect(),
        };
        if let Some(exact) = names.iter().position(|full| full == name) {
            return Ok(exact);
        }
        let fitting: Vec<usize> = match &self.linked {
            Linked::Core(_) => Vec::new(),
            Linked::Component(image) => (0..names.len()).filter(|index| image.functions[*index].fits(name)).collect(),
        };
        match fitting.as_slice() {
            [one] => Ok(*one),
            [] => {
                let problem = format!("no exported function {name:?}; exported are: {}", names.join(", "));
                Err(Failure::new(ErrorKind::NoSuchExport, problem))
            }
            several => {
                let several: Vec<_> = several.iter().map(|index| names[*index].as_str()).collect();
                let problem = format!("{name:?} fits several exported functions: {}", several.join(", "));
                Err(Failure::new(ErrorKind::AmbiguousExport, problem))
            }
        }
    }
}

fn link_core(engine: &Engine, module: &Module, flags: u32) -> Fallible<CoreImage> {
    let linker = engine.linkers.core(flags)?;
    let function = |name: &str| {
        let ty = module.get_export(name)?;
        ty.func().and_then(|_| module.get_export_index(name))
    };
    let functions = module.exports().filter_map(|export| match export.ty() {
        ExternType::Func(ty) => Some(CoreFunction {
            name: export.name().to_string(),
            export: module.get_export_index(export.name())?,
            params: ty.params().collect(),
            results: ty.results().collect(),
        }),
        _ => None,
    });
    Ok(CoreImage {
        functions: functions.collect(),
        initialize: function("_initialize"),
        start: function("_start"),
        pre: linker.instantiate_pre(module).map_err(Failure::of(ErrorKind::Link))?,
    })
}

fn link_component(engine: &Engine, component: &Component, flags: u32) -> Fallible<ComponentImage> {
    let linker = engine.linkers.component(flags)?;
    let pre = linker.instantiate_pre(component).map_err(Failure::of(ErrorKind::Link))?;
    let mut functions = Vec::new();
    let mut add = |interface: Option<(&str, &ComponentExportIndex)>, name: &str, item: ComponentItem| {
        let ComponentItem::ComponentFunc(ty) = item else { return };
        let (_, export) = component
            .get_export(interface.map(|(_, index)| index), name)
            .expect("the component's own type names this export");
        let interface = interface.map(|(name, _)| name.to_string());
        functions.push(ComponentFunction { interface, name: name.to_string(), export, ty });
    };
    for (name, export) in component.component_type().exports(&engine.wasmtime) {
        if let ComponentItem::ComponentInstance(instance) = &export.ty {
            let Some(index) = component.get_export_index(None, name) else { continue };
            for (function, export) in instance.exports(&engine.wasmtime) {
                add(Some((name, &index)), function, export.ty);
            }
        } else {
            add(None, name, export.ty);
        }
    }
    let exports = |interface: &str| {
        let fits = |function: &&ComponentFunction| {
            function.interface.as_deref().is_some_and(|name| name.starts_with(interface))
        };
        functions.iter().find(fits)
    };
    let http = if exports("wasi:http/incoming-handler@0.2.").is_some() {
        Some(Http::V02(ProxyPre::new(pre.clone()).map_err(Failure::of(ErrorKind::Link))?))
    } else if exports("wasi:http/handler@0.3.").is_some() {
        Some(Http::V03(ServicePre::new(pre.clone()).map_err(Failure::of(ErrorKind::Link))?))
    } else {
        None
    };
    // A program for 0.3 may carry an adapted 0.2 entry beside its own, which only aborts.
    let command = exports("wasi:cli/run@0.3.").or_else(|| exports("wasi:cli/run@0.")).map(|function| function.export);
    Ok(ComponentImage { pre, command, http, functions })
}

impl ComponentFunction {
    fn full_name(&self) -> String {
        match &self.interface {
            Some(interface) => format!("{interface}#{}", self.name),
            None => self.name.clone(),
        }
    }

    /// Whether a shorter name means this function: the interface may lack its namespace, package and version, or be
    /// left out.
    fn fits(&self, short: &str) -> bool {
        let Some((short_interface, name)) = short.split_once('#') else {
            return self.name == short;
        };
        let Some(interface) = &self.interface else { return false };
        let without_version = interface.split('@').next().unwrap_or(interface);
        let ends = |full: &str| {
            full.strip_suffix(short_interface).is_some_and(|rest| rest.is_empty() || rest.ends_with(['/', ':']))
        };
        name == self.name && (ends(interface) || ends(without_version))
    }
}
