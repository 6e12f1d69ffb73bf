//! The bridge through its C ABI. One binary, because linking Wasmtime takes longer than all the tests.

mod support;

mod components;
mod core_modules;
mod descriptions;
mod http;
mod interfaces;
mod limits;
mod wasi;
