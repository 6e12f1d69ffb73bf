# shellcheck shell=bash disable=SC2154

build_preset() {
  local preset=$1 folder=$HOTSWAP_BUILD/$1 log=$HOTSWAP_BUILD/$1-configure.log
  mkdir -p "$HOTSWAP_BUILD"
  # A build that cannot be configured again (moved compiler, changed generator) is not worth saving.
  cmake --preset "$preset" >"$log" 2>&1 || {
    tail -30 "$log" >&2
    fail "cmake --preset $preset failed"
  }
  ninja -C "$folder" -j "$jobs" ${2:+"$2"}
  if [[ $preset == release && -x $folder/hotswap ]]; then
    mkdir -p build
    ln -sfn "$folder/hotswap" build/hotswap
    ln -sfn "$folder/compile_commands.json" compile_commands.json
  fi
}

command_build() {
  command_setup
  timed "Building ${1:-release}" build_preset "${1:-release}"
}

command_samples() {
  command_setup
  timed "Building the samples" samples/build "$@"
}

cxx_sources() { git ls-files --cached --others --exclude-standard '*.h' '*.cc' | grep -v '^samples/'; }

command_fmt() {
  command_setup
  cxx_sources | xargs -r clang-format-19 -i
  cargo fmt --manifest-path engine/Cargo.toml
}

# fuzz [SECONDS [NAME]]: each target for so long. What it learns stays in the cache; what breaks it, in the build folder.
command_fuzz() {
  local seconds=${1:-60} name source corpus
  command_setup
  timed "Building fuzz" build_preset fuzz fuzz_targets
  for source in fuzz/*.cc; do
    [[ -z ${2:-} || $source == "fuzz/$2.cc" ]] || continue
    name=$(basename "$source" .cc)
    corpus=$HOTSWAP_CACHE/corpus/$name
    mkdir -p "$corpus"
    timed "fuzz_$name for $seconds s" "$HOTSWAP_BUILD/fuzz/fuzz/fuzz_$name" -max_total_time="$seconds" -timeout=10 \
      -print_final_stats=1 -verbosity=0 -artifact_prefix="$HOTSWAP_BUILD/fuzz/" "$corpus" "fuzz/corpus/$name"
  done
}

command_bench() {
  command_setup
  timed "Building release" build_preset release
  timed "Building the samples" samples/build
  samples/build --wasmtime
  HOTSWAP_PROGRAMS=$HOTSWAP_BUILD/release bench/run "$@"
}

# pictures: runs every strategy and draws what the routes did, for docs/strategies/.
command_pictures() {
  local environment=$HOTSWAP_CACHE/pictures
  command_setup
  timed "Building release" build_preset release
  timed "Building the samples" samples/build c-add
  [[ -x $environment/bin/python ]] || python3 -m venv "$environment"
  "$environment/bin/pip" install --quiet --disable-pip-version-check matplotlib==3.10.8
  timed "Drawing" "$environment/bin/python" docs/strategies/draw.py "$HOTSWAP_BUILD/release/hotswap" samples/out/c-add.wasm
}
