# shellcheck shell=bash disable=SC2154

# json_field NAME: that field of the JSON object on standard input.
json_field() { python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }

print_addresses() {
  local ready=$1 gateway
  gateway=$(json_field gateway <<<"$ready")
  printf '\n  API      %s\n  gateway  %s\n\n  curl %s/m/c-http-hello/\n\n' "$(json_field api <<<"$ready")" "$gateway" "$gateway"
}

# deploy_sample API NAME
deploy_sample() {
  local api=$1 name=$2
  # Registering the same bytes again answers with the module that is there.
  build/hotswap --server "$api" module push "samples/out/$name.wasm" --name "$name" --version 1.0.0 >/dev/null
  build/hotswap --server "$api" deploy "$name@1.0.0" >/dev/null
}

command_up() {
  local detach=false data=$repository/hotswap-data ready server
  case ${1:-} in
    --detach) detach=true ;;
    '') ;;
    *) fail "up takes nothing but --detach" ;;
  esac
  local pid_file=$data/up.pid ready_file=$data/up.ready log=$data/up.log

  if [[ -f $pid_file && -s $ready_file ]] && kill -0 "$(<"$pid_file")" 2>/dev/null &&
    curl -fsS -o /dev/null --max-time 2 2>/dev/null "$(head -1 "$ready_file" | json_field api)/health/live"; then
    say "A server is serving from $data already"
    print_addresses "$(head -1 "$ready_file")"
    printf '  It stops with: kill %s\n' "$(<"$pid_file")"
    return
  fi

  command_setup
  timed "Building release" build_preset release
  timed "Building two samples" samples/build c-add c-http-hello

  mkdir -p "$data"
  : >"$ready_file"
  say "Starting hotswap up"
  # A session of its own: Ctrl-C reaches this script, which then asks the server to drain.
  setsid build/hotswap up --output json --data "$data" >"$ready_file" 2>"$log" </dev/null &
  server=$!
  printf '%s\n' "$server" >"$pid_file"
  trap 'kill -TERM "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; rm -f "$pid_file"' EXIT
  trap 'exit 0' INT TERM

  for ((i = 0; i < 300; i++)); do
    [[ -s $ready_file ]] && break
    if ! kill -0 "$server" 2>/dev/null; then
      tail -5 "$log" >&2
      fail "the server ended before it was ready (is its port taken?); its log is $log"
    fi
    sleep 0.1
  done
  ready=$(head -1 "$ready_file")
  [[ -n $ready ]] || fail "the server was not ready within 30 s; its log is $log"

  deploy_sample "$(json_field api <<<"$ready")" c-http-hello
  deploy_sample "$(json_field api <<<"$ready")" c-add
  curl -fsS -o /dev/null --retry 20 --retry-delay 1 --retry-all-errors --max-time 5 \
    "$(json_field gateway <<<"$ready")/m/c-http-hello/" || fail "the sample does not answer; the server's log is $log"
  say "Serving; the samples c-http-hello and c-add are deployed"
  print_addresses "$ready"
  if $detach; then
    trap - EXIT
    printf '  It goes on in the background and stops with: kill %s\n' "$server"
    return
  fi
  printf '  Ctrl-C ends it. Its log is %s\n' "$log"
  wait "$server"
}
