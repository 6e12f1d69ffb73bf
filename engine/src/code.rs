//! Compiled machine code: compile, serialize, load.

use crate::abi::{ErrorKind, Failure, Fallible};
use crate::engine::Engine;
use std::path::Path;
use std::sync::Arc;
use wasmtime::component::Component;
use wasmtime::{Module, Precompiled};

/// What `eng_code` points at.
pub struct Code {
    pub engine: Arc<Engine>,
    pub binary: Binary,
}

/// The two kinds of WebAssembly binary.
pub enum Binary {
    Core(Module),
    Component(Component),
}

impl Code {
    pub fn compile(engine: &Arc<Engine>, bytes: &[u8]) -> Fallible<Self> {
        let compiled = if wasmparser::Parser::is_component(bytes) {
            Component::from_binary(&engine.wasmtime, bytes).map(Binary::Component)
        } else {
            Module::from_binary(&engine.wasmtime, bytes).map(Binary::Core)
        };
        let binary = compiled.map_err(|error| {
            let invalid = error.downcast_ref::<wasmparser::BinaryReaderError>().is_some();
            Failure::of(if invalid { ErrorKind::InvalidBinary } else { ErrorKind::Compile })(error)
        })?;
        Ok(Self { engine: engine.clone(), binary })
    }

    pub fn serialize(&self) -> Fallible<Vec<u8>> {
        match &self.binary {
            Binary::Core(module) => module.serialize(),
            Binary::Component(component) => component.serialize(),
        }
        .map_err(Failure::of(ErrorKind::Internal))
    }

    /// # Safety
    /// The file was written by [`Code::serialize`] on this machine and nobody changes it while it is mapped: machine
    /// code is trusted. Wasmtime itself checks its version, settings and CPU features.
    pub unsafe fn deserialize(engine: &Arc<Engine>, path: &Path) -> Fallible<Self> {
        let incompatible = Failure::of(ErrorKind::IncompatibleCache);
        let kind = wasmtime::Engine::detect_precompiled_file(path).map_err(&incompatible)?;
        // SAFETY: the caller's promise, both times.
        let binary = match kind {
            Some(Precompiled::Module) => unsafe { Module::deserialize_file(&engine.wasmtime, path) }.map(Binary::Core),
            Some(Precompiled::Component) => {
                unsafe { Component::deserialize_file(&engine.wasmtime, path) }.map(Binary::Component)
            }
            None => return Err(Failure::new(ErrorKind::IncompatibleCache, "not a file of compiled machine code")),
        };
        Ok(Self { engine: engine.clone(), binary: binary.map_err(&incompatible)? })
    }
}
