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

command_fuzz() {
  local seconds=${1:-60} target
  if [[ ! -f fuzz/CMakeLists.txt ]]; then
    say "There are no fuzz targets yet"
    return
  fi
  command_setup
  timed "Building fuzz" build_preset fuzz
  for target in "$HOTSWAP_BUILD"/fuzz/fuzz/fuzz_*; do
    [[ -x $target ]] || continue
    mkdir -p "$HOTSWAP_CACHE/corpus/${target##*/}"
    timed "${target##*/} for $seconds s" "$target" -max_total_time="$seconds" -print_final_stats=1 \
      "$HOTSWAP_CACHE/corpus/${target##*/}"
  done
}

command_bench() {
  command_setup
  timed "Building release" build_preset release
  timed "Building the samples" samples/build
  samples/build --wasmtime
  HOTSWAP_PROGRAMS=$HOTSWAP_BUILD/release bench/run "$@"
}
