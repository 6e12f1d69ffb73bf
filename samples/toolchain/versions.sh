# shellcheck shell=bash disable=SC2034
# What the samples are built with. The two cargo tools must speak the component format of the Wasmtime that the engine
# links (its wasm-tools crates are 0.254): newer ones may write a component that it cannot read.
WASM_TOOLS_VERSION=1.254.0
WIT_BINDGEN_VERSION=0.60.0
WASMTIME_VERSION=48.0.8
