"""What the lines of bench/run and bench/fleet.py have in common: servers, load, figures."""
import http.client
import json
import os
import pathlib
import signal
import socket
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
CACHE = pathlib.Path(os.environ["HOTSWAP_CACHE"])
PROGRAMS = pathlib.Path(os.environ["HOTSWAP_PROGRAMS"])  # the release build folder
SAMPLES = ROOT / "samples" / "out"
WASMTIME = CACHE / "tools" / "bin" / "wasmtime"
SERVER_CORE, LOAD_CORE = "0", "1"
ROUNDS = 5
SECONDS = 3


def progress(text):
    print(f"\r\033[K{text}" if sys.stderr.isatty() else text, end="" if sys.stderr.isatty() else "\n",
          file=sys.stderr, flush=True)


# ---- servers ------------------------------------------------------------------------------------------------------

class Server:
    """A child process pinned to the server core, or to others; ended by its id."""

    def __init__(self, command, ready, env=None, cores=SERVER_CORE, stdin=None):
        self.process = subprocess.Popen(["taskset", "-c", cores, *map(str, command)], stdin=stdin,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=env)
        try:
            ready(self)
        except BaseException:
            self.stop()
            raise

    def first_line(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.process.args} ended with {self.process.wait()} before it served")
        return line

    def resident_mb(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024
        raise SystemExit("no VmRSS")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def port_of(url):
    return int(url.rstrip("/").rsplit(":", 1)[1])


class Api(Server):
    """Whoever answers the API at port `api`."""

    def call(self, method, path, body=None, content_type="application/json"):
        connection = http.client.HTTPConnection("127.0.0.1", self.api, timeout=60)
        connection.request(method, path, body, {"Content-Type": content_type} if body is not None else {})
        reply = connection.getresponse()
        text = reply.read()
        connection.close()
        if reply.status >= 300:
            raise SystemExit(f"{method} {path}: {reply.status} {text.decode()}")
        return json.loads(text) if text else None

    def push(self, name, version, binary, **limits):
        stated = "".join(f"&limits.{limit}={value}" for limit, value in limits.items())
        self.call("POST", f"/api/v1/wasm/modules?name={name}&version={version}{stated}", binary, "application/wasm")
        return f"{name}-v{version}"

    def deployment(self, deployment_id):
        return self.call("GET", f"/api/v1/wasm/deployments/{deployment_id}")

    def execute(self, module_id, approve=False, **how):
        """Begins a deployment, to every region unless `how` says otherwise; its id. `approve`: whatever it breaks."""
        wish = {"moduleId": module_id, "targetRegions": ["all"], **how}
        made = self.call("POST", "/api/v1/wasm/deployments", json.dumps(wish))["deploymentId"]
        if approve:
            self.call("POST", f"/api/v1/wasm/deployments/{made}/approve")
        self.call("POST", f"/api/v1/wasm/deployments/{made}/execute")
        return made

    def wait(self, deployment_id, wanted="Completed"):
        deadline = time.monotonic() + 120
        while (state := self.deployment(deployment_id))["status"] != wanted:
            if state["status"] in ("Completed", "Failed", "RolledBack", "Paused"):
                raise SystemExit(f"the deployment of {state['moduleId']} is {state['status']}, not {wanted}: "
                                 f"{state.get('errorMessage')} {state.get('pauseReason')}")
            if time.monotonic() > deadline:
                raise SystemExit(f"the deployment of {state['moduleId']} did not end")
            time.sleep(0.001)

    def deploy(self, module_id, **how):
        made = self.execute(module_id, **how)
        self.wait(made)
        return made


class HotSwap(Api):
    """`hotswap up`: everything in one process, or with node processes of its own."""

    def __init__(self, data, *flags, cores=SERVER_CORE):
        super().__init__([PROGRAMS / "hotswap", "up", "--data", data, "--api", "127.0.0.1:0", "--gateway",
                          "127.0.0.1:0", "--deployments-per-hour", "0", "--output", "json", *flags],
                         self.read_addresses, cores=cores)

    def read_addresses(self, _):
        ready = json.loads(self.first_line())
        self.api, self.port = port_of(ready["api"]), port_of(ready["gateway"])
        self.nodes = ready.get("nodes", [])


def salted(binary, salt):
    """The same module with other bytes: a custom section makes the digest, and so the code, differ."""
    payload = bytes([4]) + b"salt" + salt.encode()
    return binary + bytes([0, len(payload)]) + payload


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# ---- load ---------------------------------------------------------------------------------------------------------

def wrk(port, path="/", script="plain.lua", connections=64, seconds=SECONDS, env=None, peer=False):
    """Good replies a second. Only a peer may fail some: they do not count for it."""
    out = subprocess.run(["taskset", "-c", LOAD_CORE, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s",
                          ROOT / "bench" / script, f"http://127.0.0.1:{port}{path}"], capture_output=True, text=True,
                         check=True, env={**os.environ, **(env or {})}).stdout
    result = json.loads(next(line for line in out.splitlines() if line.startswith("JSON "))[5:])
    if result["failures"] and not peer:
        raise SystemExit(f"wrk saw {result['failures']} failures on {path}")
    return (result["requests"] - result["failures"]) / result["seconds"]


def load(port, *paths, body=None, **options):
    command = ["taskset", "-c", LOAD_CORE, PROGRAMS / "bench" / "bench_load", "--port", port, "--path", *paths]
    for name, value in options.items():
        command += [f"--{name}", value]
    if body:
        command += ["--body", body]
    return json.loads(subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True).stdout)


# ---- figures ------------------------------------------------------------------------------------------------------

class Figures:
    """Samples by name, one a round; ratios are taken within a round, where both sides saw the same machine."""

    def __init__(self):
        self.samples = {}

    def add(self, name, value):
        self.samples.setdefault(name, []).append(value)

    def interleave(self, rounds, **measurements):
        for i in range(rounds):
            for name, measure in measurements.items():
                progress(f"round {i + 1}/{rounds}: {name}")
                self.add(name, measure())

    def ratio(self, name, over, under):
        self.samples[name] = [a / b for a, b in zip(self.samples[over], self.samples[under])]

    def difference(self, name, more, less):
        self.samples[name] = [a - b for a, b in zip(self.samples[more], self.samples[less])]

    def median(self, name):
        return statistics.median(self.samples[name])
