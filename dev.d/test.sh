# shellcheck shell=bash disable=SC2154

# run_ctest PRESET [REGEX]: runs that build's tests; $tests_passed, $tests_failed and $tests_skipped are added to.
tests_passed=0 tests_failed=0 tests_skipped=0
run_ctest() {
  local folder=$HOTSWAP_BUILD/$1 report=$HOTSWAP_BUILD/$1/ctest.xml status=0 total failures skipped
  rm -f "$report"
  HOTSWAP_SAMPLES=$repository/samples/out ctest --test-dir "$folder" -j "$jobs" --output-on-failure --no-tests=error \
    --output-junit "$report" ${2:+-R "$2"} || status=$?
  [[ -f $report ]] || fail "ctest left no report"
  read -r total failures skipped < <(python3 -c '
import sys, xml.etree.ElementTree as tree
suite = tree.parse(sys.argv[1]).getroot()
print(*(suite.get(field, 0) for field in ("tests", "failures", "skipped")))' "$report")
  [[ $status -eq 0 || $failures -gt 0 ]] || failures=1
  tests_passed=$((tests_passed + total - failures - skipped))
  tests_failed=$((tests_failed + failures))
  tests_skipped=$((tests_skipped + skipped))
}

run_cargo_test() {
  local log=$HOTSWAP_BUILD/cargo-test.log status=0 passed failed ignored
  CARGO_TARGET_DIR=$HOTSWAP_CACHE/cargo cargo test --release --locked --manifest-path engine/Cargo.toml 2>&1 |
    tee "$log" || status=1
  read -r passed failed ignored < <(awk '/^test result:/ { p += $4; f += $6; i += $8 } END { print p + 0, f + 0, i + 0 }' "$log")
  [[ $status -eq 0 || $failed -gt 0 ]] || failed=1
  tests_passed=$((tests_passed + passed))
  tests_failed=$((tests_failed + failed))
  tests_skipped=$((tests_skipped + ignored))
}

closing_line() {
  local skipped=''
  [[ $tests_skipped -eq 0 ]] || skipped=", $tests_skipped skipped"
  printf '%d passed, %d failed%s\n' "$tests_passed" "$tests_failed" "$skipped"
  [[ $tests_failed -eq 0 && $tests_passed -gt 0 ]]
}

command_test() {
  command_setup
  timed "Building release" build_preset release
  timed "Building the samples" samples/build
  timed "C++ tests" run_ctest release "${1:-}"
  [[ -n ${1:-} ]] || timed "Rust tests" run_cargo_test
  closing_line
}

command_sim() {
  command_setup
  timed "Building the simulator" build_preset release hs_sim
  timed "Simulated fleets" "$HOTSWAP_BUILD/release/tests/sim/hs_sim" "$@"
}

# run_part LOG PROGRAM: one program of tests; what it says goes to the log, and to the terminal where it fails.
run_part() {
  local log=$1 program=$2 status=0
  "$program" --gtest_brief=1 >"$log" 2>&1 || status=$?
  if [[ $status -ne 0 ]]; then
    tail -100 "$log"
    printf '%s failed with status %d\n' "${program##*/}" "$status" | tee -a "$log"
  fi
  return "$status"
}

# run_parts PRESET: the tests beside that build's code; the three counts are added to, as run_ctest does.
run_parts() {
  local folder=$HOTSWAP_BUILD/$1 logs=$HOTSWAP_BUILD/$1/parts status=0 passed failed skipped
  rm -rf "$logs"
  mkdir -p "$logs"
  export -f run_part
  find "$folder" -maxdepth 1 -name 'hs_*_test' -executable ! -name hs_cli_test -printf '%f\n' | sort |
    xargs -P "$jobs" -I{} bash -euo pipefail -c "run_part '$logs/{}.log' '$folder/{}'" || status=1
  read -r passed failed skipped < <(awk '/^\[  PASSED  \]/ { p += $4 } /^\[  FAILED  \] [0-9]+ test/ { f += $4 }
    /^\[  SKIPPED \] [0-9]+ test/ { s += $4 } END { print p + 0, f + 0, s + 0 }' "$logs"/*.log)
  [[ $status -eq 0 || $failed -gt 0 ]] || failed=1
  tests_passed=$((tests_passed + passed))
  tests_failed=$((tests_failed + failed))
  tests_skipped=$((tests_skipped + skipped))
}

# sanitize [--parts] [PRESET...]: with --parts only the tests beside the code, which compile and run in half the time.
command_sanitize() {
  local parts=0 presets preset
  if [[ ${1:-} == --parts ]]; then
    parts=1
    shift
  fi
  presets=("$@")
  [[ ${#presets[@]} -gt 0 ]] || presets=(asan tsan)
  command_setup
  samples/build
  # Wasmtime runs guests on stacks of its own, which the detector of uses after return cannot follow.
  export ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=0:strict_string_checks=1
  export LSAN_OPTIONS=print_suppressions=0 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
  # Wasmtime unwinds a guest from its own signal handler and may allocate there; the trap came from guest code.
  export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:report_signal_unsafe=0
  [[ ! -f tests/tsan.supp ]] || TSAN_OPTIONS+=:suppressions=$repository/tests/tsan.supp
  [[ ! -f tests/lsan.supp ]] || LSAN_OPTIONS+=:suppressions=$repository/tests/lsan.supp
  for preset in "${presets[@]}"; do
    if ((parts)); then
      timed "Building the parts under $preset" build_preset "$preset" part_tests
      timed "Tests of the parts under $preset" run_parts "$preset"
    else
      timed "Building $preset" build_preset "$preset"
      timed "Tests under $preset" run_ctest "$preset"
    fi
  done
  closing_line
}

command_coverage() {
  local folder=$HOTSWAP_BUILD/coverage profiles=$HOTSWAP_BUILD/coverage/profiles objects=() program
  command_setup
  samples/build
  timed "Building coverage" build_preset coverage
  rm -rf "$profiles"
  # %4m: four files for each program, into which its processes merge.
  LLVM_PROFILE_FILE=$profiles/%4m.profraw timed "Tests" run_ctest coverage
  for program in "$folder"/hotswap "$folder"/*_test; do
    [[ ! -x $program ]] || objects+=(-object "$program")
  done
  llvm-profdata-19 merge -sparse "$profiles"/*.profraw -o "$profiles/all.profdata"
  llvm-cov-19 export --summary-only --instr-profile "$profiles/all.profdata" \
    --ignore-filename-regex '(_test\.cc|_fixture\.(h|cc))$' "${objects[@]}" -sources "$repository/src" >"$profiles/summary.json"
  python3 dev.d/coverage.py "$profiles/summary.json" "$repository/src" 85
  closing_line
}
