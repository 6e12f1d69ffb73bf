# shellcheck shell=bash disable=SC2154

lint_format() { cxx_sources | xargs -r clang-format-19 --dry-run -Werror; }

lint_tidy() { python3 dev.d/tidy.py "$HOTSWAP_BUILD/release" "$HOTSWAP_CACHE/tidy" "$jobs" ${tidy_minutes:+"$tidy_minutes"}; }

lint_rust() {
  local status=0
  if cargo fmt --version >/dev/null 2>&1; then
    cargo fmt --check --manifest-path engine/Cargo.toml || status=1
  else
    say "rustfmt is not installed: its check is left out"
  fi
  if cargo clippy --version >/dev/null 2>&1; then
    CARGO_TARGET_DIR=$HOTSWAP_CACHE/cargo cargo clippy --release --locked --quiet --all-targets \
      --manifest-path engine/Cargo.toml -- -D warnings || status=1
  else
    say "clippy is not installed: its check is left out"
  fi
  return "$status"
}

lint_shell() {
  local scripts
  mapfile -t scripts < <(git ls-files --cached --others --exclude-standard dev 'dev.d/*.sh' .ci/run samples/build \
    'samples/toolchain/*.sh' 'tests/*.sh' tests/conformance/run)
  shellcheck -x "${scripts[@]}"
}

command_lint() {
  local check failed=() tidy_minutes=${1:-}
  command_setup
  timed "Building release" build_preset release
  for check in format rust shell tidy; do
    say "lint: $check"
    # All of them are run; each answers with its own status, for `set -e` does not hold left of `||`.
    "lint_$check" || failed+=("$check")
  done
  [[ ${#failed[@]} -eq 0 ]] || fail "lint failed: ${failed[*]}"
  say "lint: clean"
}
