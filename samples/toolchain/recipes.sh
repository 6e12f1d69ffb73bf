# shellcheck shell=bash disable=SC2034,SC2054,SC2154
# Functions for the samples' `recipe` files. A recipe runs in a scratch copy of its sample's folder, with $out naming the
# folder where its *.wasm go; samples/build calls it only when something changed.

# ($out and $repository come from samples/build; the commas belong to clang's flags.)

# What a small guest wants: optimised, unused code dropped. The names section stays, so that backtraces name functions.
wasm_flags=(--target=wasm32-wasi -O2 -Wall -Wextra -Werror -ffunction-sections -fdata-sections
  -Wl,--gc-sections -Wl,--strip-debug)

# For a module that needs no constructors run and no libc set up before its first call.
no_start_files=(-nostartfiles -Wl,--no-entry)

# c_library NAME FLAG|SOURCE…: a core module whose exported functions are called one by one (a "reactor").
c_library() {
  local name=$1
  shift
  clang-19 "${wasm_flags[@]}" -mexec-model=reactor -o "$out/$name.wasm" "$@"
}

# c_command NAME FLAG|SOURCE…: a core module with a main().
c_command() {
  local name=$1
  shift
  clang-19 "${wasm_flags[@]}" -o "$out/$name.wasm" "$@"
}

# cpp_command NAME FLAG|SOURCE…: the same in C++.
cpp_command() {
  local name=$1
  shift
  clang++-19 "${wasm_flags[@]}" -std=c++23 -stdlib=libc++ -fno-exceptions -o "$out/$name.wasm" "$@"
}

# crate_folder MANIFEST CRATE: where cargo keeps the sources of a crate that the manifest's lock file pins.
crate_folder() {
  cargo metadata --quiet --locked --format-version 1 --manifest-path "$1" |
    python3 -c 'import json, os, sys
for package in json.load(sys.stdin)["packages"]:
    if package["name"] == sys.argv[1]:
        print(os.path.dirname(package["manifest_path"]))' "$2"
}

# wasi_wit 0.2|0.3: puts the WIT of that WASI into wit/deps, as published with the engine.
wasi_wit() {
  local crate
  crate=$(crate_folder "$repository/engine/Cargo.toml" wasmtime-wasi-http)
  mkdir -p wit/deps
  case $1 in
    0.2) cp "$crate"/wit/deps/*.wit wit/deps/ ;;
    0.3) cp "$crate"/src/p3/wit/deps/*.wit wit/deps/ ;;
  esac
}

# component_bindings WORLD [FLAG…]: bindings for C, generated from wit/ into the folder bindings/.
component_bindings() {
  local world=$1
  shift
  wit-bindgen c --world "$world" --out-dir bindings "$@" wit >/dev/null
  # The generated code is not ours to warn about.
  clang-19 --target=wasm32-wasi -O2 -w -ffunction-sections -fdata-sections -c -o bindings/bindings.o bindings/*.c
}

# component NAME LINKED_MODULE: wraps a linked core module into a component.
component() {
  local adapter
  adapter=$(crate_folder "$repository/samples/toolchain/Cargo.toml" wasi-preview1-component-adapter-provider)
  wasm-tools component new "$2" -o "$out/$1.wasm" \
    --adapt wasi_snapshot_preview1="$adapter/artefacts/wasi_snapshot_preview1.reactor.wasm"
}

# c_component NAME FLAG|SOURCE…: a component in C, after component_bindings.
c_component() {
  local name=$1
  shift
  clang-19 "${wasm_flags[@]}" -mexec-model=reactor -Ibindings -o "$name.core.wasm" \
    "$@" bindings/bindings.o bindings/*_component_type.o
  component "$name" "$name.core.wasm"
}

# cpp_component NAME FLAG|SOURCE…: a component in C++, after component_bindings.
cpp_component() {
  local name=$1
  shift
  clang++-19 "${wasm_flags[@]}" -std=c++23 -stdlib=libc++ -fno-exceptions -mexec-model=reactor -Ibindings \
    -o "$name.core.wasm" "$@" bindings/bindings.o bindings/*_component_type.o
  component "$name" "$name.core.wasm"
}
