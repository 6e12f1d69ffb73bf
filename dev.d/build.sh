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

# fuzz_target SECONDS NAME: one target; its output goes to a file, and to the terminal where it fails.
fuzz_target() {
  local seconds=$1 name=$2 corpus=$HOTSWAP_CACHE/corpus/$2 folder=$HOTSWAP_BUILD/asan/fuzz
  local log=$folder/$name.log
  mkdir -p "$corpus"
  "$folder/fuzz_$name" -max_total_time="$seconds" -timeout=10 -print_final_stats=1 -verbosity=0 \
    -artifact_prefix="$folder/$name-" "$corpus" "fuzz/corpus/$name" >"$log" 2>&1 || {
    tail -60 "$log" >&2
    printf '  fuzz_%s failed; what broke it is in %s\n' "$name" "$folder" >&2
    return 1
  }
  printf '  fuzz_%-12s %s runs in %s s\n' "$name" "$(awk '/stat::number_of_executed_units/ { print $2 }' "$log")" "$seconds"
}

# fuzz [SECONDS [NAME]]: each target for so long, one on each processor. What it learns stays in the cache; what breaks
# it, in the build folder.
command_fuzz() {
  local seconds=${1:-60} name failed=0 names=()
  command_setup
  timed "Building the targets" build_preset asan fuzz_targets
  # What fuzz_wit_value calls.
  timed "Building the samples" samples/build test-guests
  for name in fuzz/*.cc; do
    name=$(basename "$name" .cc)
    [[ -n ${2:-} && $name != "$2" ]] || names+=("$name")
  done
  [[ ${#names[@]} -gt 0 ]] || fail "there is no fuzz target ${2:-}"
  say "Fuzzing ${names[*]} for $seconds s each"
  export -f fuzz_target
  printf '%s\n' "${names[@]}" | xargs -P "$jobs" -I{} bash -euo pipefail -c "fuzz_target $seconds {}" || failed=1
  [[ $failed -eq 0 ]] || fail "a target failed"
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
