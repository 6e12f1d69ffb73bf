# shellcheck shell=bash disable=SC2154
# Installs what is missing on Debian 12. Quick when nothing is.

packages=(
  # to build with
  clang-19 lld-19 libclang-rt-19-dev clang-tidy-19 clang-format-19 llvm-19 mold ccache ninja-build cmake make pkg-config
  git curl ca-certificates
  # libraries
  libboost1.81-dev libboost-json1.81-dev libboost-url1.81-dev libsoci-dev libsqlite3-dev libpq-dev libspdlog-dev
  libfmt-dev libcli11-dev prometheus-cpp-dev libbrotli-dev libcurl4-openssl-dev libyaml-cpp-dev libssl-dev
  libjemalloc-dev
  # tests and benchmarks
  libgtest-dev libgmock-dev libbenchmark-dev wrk iproute2 shellcheck
  # guests
  wasi-libc libclang-rt-19-dev-wasm32 libc++-19-dev-wasm32 libc++abi-19-dev-wasm32
)

rust_minimum=1.95
cargo_version() { cargo --version 2>/dev/null | cut -d' ' -f2; }

at_least() { [[ -n $2 && $(printf '%s\n' "$1" "$2" | sort -V | head -1) == "$1" ]]; }

missing_packages() {
  local wanted=("${packages[@]}")
  at_least "$rust_minimum" "$(cargo_version)" || wanted+=(cargo-web rustc-web rust-web-clippy rustfmt-web)
  command -v node >/dev/null || wanted+=(nodejs)
  command -v npm >/dev/null || wanted+=(npm)
  python3 -c 'import ensurepip, venv' 2>/dev/null || wanted+=(python3 python3-venv)
  comm -23 <(printf '%s\n' "${wanted[@]}" | sort -u) \
    <(dpkg-query -W -f '${Package} ${db:Status-Status}\n' 2>/dev/null | sed -n 's/ installed$//p' | sort -u)
}

# The tests start their own PostgreSQL; the package must not leave one running.
install_postgresql() {
  [[ -x /usr/lib/postgresql/15/bin/postgres ]] && return
  apt_get install postgresql-common
  sed -i -E 's/^#?create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf
  apt_get install postgresql-15
}

apt_get() {
  local as_root=()
  [[ $EUID -eq 0 ]] || as_root=(sudo)
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 --no-install-recommends -y "$@" \
    >"$HOTSWAP_CACHE/apt.log" 2>&1 || {
    tail -20 "$HOTSWAP_CACHE/apt.log" >&2
    fail "apt-get $* failed (all of it is in $HOTSWAP_CACHE/apt.log)"
  }
}

command_setup() {
  local missing=() started=$SECONDS
  mkdir -p "$HOTSWAP_CACHE" "$HOTSWAP_BUILD"
  command -v dpkg-query >/dev/null ||
    fail "this installs Debian 12's packages; elsewhere install their like yourself: ${packages[*]}"
  mapfile -t missing < <(missing_packages)
  [[ -x /usr/lib/postgresql/15/bin/postgres ]] || missing+=(postgresql-15)
  if [[ ${#missing[@]} -gt 0 ]]; then
    if [[ $EUID -ne 0 ]] && ! sudo -n true 2>/dev/null; then
      fail "needs root to install packages; run this first, then again:
  sudo apt-get update && sudo apt-get install --no-install-recommends ${missing[*]}"
    fi
    say "Installing ${#missing[@]} packages: ${missing[*]}"
    apt_get update
    apt_get install "${missing[@]/postgresql-15/postgresql-common}"
    install_postgresql
    say "Installed in $((SECONDS - started)) s"
  fi
  hash -r
  at_least "$rust_minimum" "$(cargo_version)" ||
    fail "cargo $rust_minimum or newer is needed, found '$(cargo_version)'; Debian 12's updates have cargo-web and rustc-web"
  at_least 1.24 "$(GOTOOLCHAIN=local go env GOVERSION 2>/dev/null | sed 's/^go//')" ||
    say "No Go 1.24 or newer: the Go sample is left out"
}
