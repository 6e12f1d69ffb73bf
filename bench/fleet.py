"""The lines of ./dev bench fleet: real control planes, nodes and agents as processes of their own on this machine."""
import itertools
import json
import os
import sqlite3
import subprocess
import time

from parts import (LOAD_CORE, PROGRAMS, ROUNDS, SAMPLES, SECONDS, SERVER_CORE, Api, HotSwap, Server, load, port_of,
                   progress, salted, wrk)

ANY_CORE = "0,1"
REGIONS = ("us-east", "eu-west", "ap-south")
NODES_IN_REGION = 3
NODE_FLAGS = ("--threads", "1", "--instances", "16")

# add(i32, i32) -> i32, which traps.
TRAPPING = bytes.fromhex("0061736d01000000" "01070160027f7f017f" "03020100" "0707010361646400" "00" "0a05010300000b")


class Control(Api):
    """`hotswap control`."""

    def __init__(self, data, *flags, cores=SERVER_CORE):
        super().__init__([PROGRAMS / "hotswap", "control", "--data", data, "--api", "127.0.0.1:0", "--output", "json",
                          "--deployments-per-hour", "0", *flags], self.read_address, cores=cores)

    def read_address(self, _):
        self.url = json.loads(self.first_line())["api"]
        self.api = port_of(self.url)

    def join_token(self):
        return self.call("POST", "/api/v1/wasm/join-tokens", "{}")["token"]


class Node(Server):
    """`hotswap node`."""

    def __init__(self, data, control, region, token="", cores=SERVER_CORE):
        super().__init__([PROGRAMS / "hotswap", "node", "--control", control, "--node-id", "bench", "--region", region,
                          "--data", data, "--gateway", "127.0.0.1:0", "--output", "json", *NODE_FLAGS,
                          *(["--join-token", token] if token else [])], self.read_address, cores=cores)

    def read_address(self, _):
        self.port = port_of(json.loads(self.first_line())["gateway"])


class Talking(Server):
    """A tool that is asked on standard input and answers with lines of JSON."""

    def __init__(self, *command, cores=LOAD_CORE):
        self.lines = []
        super().__init__([PROGRAMS / "bench" / command[0], *command[1:]], lambda _: None, cores=cores,
                         stdin=subprocess.PIPE)

    def ask(self, word):
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        return json.loads(self.first_line())

    def until(self, name, words=()):
        """The time of the first line that states `name`, with these words in any order."""
        for i in itertools.count():
            if i == len(self.lines):
                self.lines.append(json.loads(self.first_line()))
            line = self.lines[i]
            if "failure" in line:
                raise SystemExit(f"an agent failed: {line['failure']}")
            if name in line and (not words or set(words) == set(line[name].split())):
                return line["at"]


def until(condition, what, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"after {seconds} s: {what}")
        time.sleep(0.01)


def nine(bench):
    def make():
        server = HotSwap(bench.work / "nine", "--nodes", len(REGIONS) * NODES_IN_REGION, "--regions",
                         ",".join(REGIONS), *NODE_FLAGS, cores=ANY_CORE)
        until(lambda: all_healthy(server, len(server.nodes)), "not every node is healthy")
        return server
    return bench.server("nine", make)


def all_healthy(server, count):
    items = server.call("GET", "/api/v1/wasm/nodes")["items"]
    return len(items) == count and all(node["condition"] == "Healthy" for node in items)


class Watch(Talking):
    """Asks every gateway which version answers, each a thousand times a second at most."""

    def __init__(self, server, module):
        super().__init__("bench_watch", "--module", module, *(f"--gateway={node['gateway']}" for node in server.nodes))

    def reset(self):
        self.ask("reset")

    def seen(self, module_id):
        """By gateway: when the version answered first and last."""
        return [gateway.get(module_id) for gateway in self.ask("show")]

    def check_no_failures(self):
        for gateway in self.ask("show"):
            for module_id, seen in gateway.items():
                if seen["failures"]:
                    raise SystemExit(f"{seen['failures']} requests failed, answered by '{module_id}'")


def nodes(bench):
    server = nine(bench)
    binary = (SAMPLES / "c-add.wasm").read_bytes()

    def push(version):
        return server.push("bench-nine", f"{version}.0.0", salted(binary, f"nine-{version}"))

    before = push(1)
    server.deploy(before)
    watch = bench.server("watch nine", lambda: Watch(server, "bench-nine"))
    for i in range(ROUNDS):
        progress(f"round {i + 1}/{ROUNDS}: 9 nodes")
        module_id = push(2 * i + 2)
        watch.reset()
        started = time.monotonic()
        made = server.deploy(module_id)
        bench.figures.add("all_at_once", time.monotonic() - started)
        until(lambda: all(watch.seen(module_id)), "the new version does not answer everywhere")
        watch.check_no_failures()

        watch.reset()
        asked = time.monotonic()
        server.call("POST", f"/api/v1/wasm/deployments/{made}/rollback", "{}")
        bench.figures.add("rollback_reply", (time.monotonic() - asked) * 1000)
        until(lambda: all(watch.seen(before)), "the version before does not answer everywhere")
        time.sleep(0.5)  # whoever still answers with the other version is seen
        last = max(seen["last"] for seen in watch.seen(module_id) if seen)
        bench.figures.add("rollback", (last - asked) * 1000)
        watch.check_no_failures()

        green = push(2 * i + 3)
        watch.reset()
        made = server.execute(green, strategy="BlueGreen", strategyConfig={"keepBlueSeconds": 1})
        until(lambda: all(watch.seen(green)), "green does not answer everywhere")
        firsts = [seen["first"] for seen in watch.seen(green)]
        bench.figures.add("blue_green", (max(firsts) - min(firsts)) * 1000)
        server.wait(made)
        watch.check_no_failures()
        before = green
    bench.row("AllAtOnce on 9 nodes, execute to Completed", "all_at_once", 2, False, "s")
    bench.row("rollback on 9 nodes, request to last node switched", "rollback", 500, False, "ms")
    bench.info("rollback on 9 nodes, request to reply", "rollback_reply", "ms")
    bench.row("blue-green on 9 nodes, first to last switched", "blue_green", 100, False, "ms")


def bad_canary(bench):
    server = nine(bench)
    server.deploy(server.push("bench-canary", "1.0.0", (SAMPLES / "c-add.wasm").read_bytes()))
    watch = bench.server("watch canary", lambda: Watch(server, "bench-canary"))
    analysis = {"metrics": [{"metric": "errorRate", "threshold": 5}], "intervalSeconds": 1, "minimumRequests": 50}
    for i in range(ROUNDS):
        progress(f"round {i + 1}/{ROUNDS}: bad canary")
        bad = server.push("bench-canary", f"{i + 2}.0.0", salted(TRAPPING, f"bad-{i}"))
        watch.reset()
        # It traps, and has not all functions of the version in place either.
        made = server.execute(bad, approve=True, strategy="Canary",
                              strategyConfig={"stages": [10, 100], "holdSeconds": 60, "analysis": analysis})
        server.wait(made, "RolledBack")
        time.sleep(0.5)  # whoever still answers with the bad version is seen
        seen = [gateway for gateway in watch.seen(bad) if gateway]
        # Every request of the bad version fails: the first one crosses the threshold.
        bench.figures.add("bad_canary", max(s["last"] for s in seen) - min(s["first"] for s in seen))
    bench.row("bad canary on 9 nodes, threshold crossed to weight 0 everywhere", "bad_canary", 3, False, "s")


def forward(bench):
    """The holder's gateway and the other's in turn: the difference is what sending on adds."""
    server = bench.server("two", lambda: HotSwap(bench.work / "two", "--nodes", 2, "--regions", "us-east",
                                                 "--replicas", "1", *NODE_FLAGS))
    until(lambda: all_healthy(server, 2), "not every node is healthy")
    server.deploy(server.push("bench-add", "1.0.0", (SAMPLES / "c-add.wasm").read_bytes()))
    body = bench.add_body()
    ports = {node["nodeId"]: port_of(node["gateway"]) for node in server.nodes}
    answered = load(next(iter(ports.values())), "/api/v1/wasm/execute", body=body, connections=1, seconds=1)
    if answered["failures"]:
        raise SystemExit(f"{answered['failures']} of {answered['requests']} requests failed")
    holding = [node["nodeId"] for node in server.call("GET", "/api/v1/wasm/nodes")["items"] if node["deployedModules"]]
    if len(holding) != 1:
        raise SystemExit(f"one node should hold the module, and {holding} do")
    other = next(name for name in ports if name != holding[0])

    def p50(node):
        result = load(ports[node], "/api/v1/wasm/execute", body=body, connections=1, seconds=SECONDS)
        if result["failures"]:
            raise SystemExit(f"{result['failures']} requests failed")
        return result["p50Us"]

    bench.figures.interleave(ROUNDS, direct=lambda: p50(holding[0]), forwarded=lambda: p50(other))
    bench.figures.difference("forward_added", "forwarded", "direct")
    bench.info("JSON execute at the node that holds it, p50", "direct", "µs")
    bench.info("JSON execute at a node that sends it on, p50", "forwarded", "µs")
    bench.row("added latency of a forwarded request, p50", "forward_added", 150, False, "µs")


def node_start(bench):
    control = bench.server("control of one", lambda: Control(bench.work / "control", "--regions", "us-east"))
    data = bench.work / "node"
    node = Node(data, control.url, "us-east", control.join_token())
    try:
        until(lambda: all_healthy(control, 1), "the node is not healthy")
        binary = (SAMPLES / "c-add.wasm").read_bytes()
        for i in range(1000):
            if i % 50 == 0:
                progress(f"deploying 1,000 modules to a node: {i}")
            control.deploy(control.push(f"bench-{i}", "1.0.0", salted(binary, f"module-{i:04}")))
    finally:
        node.stop()
    control.stop()
    for i in range(ROUNDS):
        progress(f"round {i + 1}/{ROUNDS}: start of a node")
        started = time.monotonic()
        node = Node(data, control.url, "us-east")
        try:
            bench.figures.add("node_start", time.monotonic() - started)
            wrk(node.port, "/api/v1/wasm/execute", "execute.lua", env={"MODULES": "1000"}, seconds=1)
        finally:
            node.stop()
    bench.row("node with 1,000 modules on disk, start until it serves all", "node_start", 3, False, "s")


AGENTS, AGENT_REGIONS, MODULES = 1000, tuple(f"region-{i}" for i in range(10)), 10_000


def agents(bench):
    data = bench.work / "many-agents"
    fill(data)
    options = ("--regions", ",".join(AGENT_REGIONS))
    control = bench.server("control of agents", lambda: Control(data, *options))
    bench.figures.add("resident_before", control.resident_mb())
    tool = bench.server("agents", lambda: Talking("bench_agents", "--control", control.url, "--join-token",
                                                  control.join_token(), "--nodes", AGENTS, "--regions",
                                                  ",".join(AGENT_REGIONS), "--watch", "bench-route"))
    progress(f"{AGENTS} agents join")
    tool.until("started")
    tool.until("weights", ["bench-route-v1.0.0=100"])
    time.sleep(10)  # two reports of each

    for i in range(ROUNDS):
        progress(f"round {i + 1}/{ROUNDS}: {AGENTS} agents")
        before, started = cpu_seconds(control), time.monotonic()
        time.sleep(10)
        bench.figures.add("agents_cpu", 100 * (cpu_seconds(control) - before) / (time.monotonic() - started))
        bench.figures.add("agents_resident", control.resident_mb())

    weights = [10 * (i + 1) for i in range(ROUNDS + 1)] + [100]
    module_id = control.push("bench-route", "2.0.0", salted((SAMPLES / "c-add.wasm").read_bytes(), "route-2"))
    made = control.execute(module_id, strategy="Canary", strategyConfig={"stages": weights, "progression": "manual"})
    tool.until("weights", [f"bench-route-v1.0.0={100 - weights[0]}", f"{module_id}={weights[0]}"])
    for i, weight in enumerate(weights[1:ROUNDS + 1]):
        progress(f"round {i + 1}/{ROUNDS}: a change of one route")
        until(lambda: holds(control, made), "the rollout does not hold")
        asked = time.monotonic()
        control.call("POST", f"/api/v1/wasm/deployments/{made}/promote", "{}")
        last = tool.until("weights", [f"bench-route-v1.0.0={100 - weight}", f"{module_id}={weight}"])
        bench.figures.add("route_change", last - asked)
    bench.figures.add("agents_resident", control.resident_mb())
    bench.row(f"{AGENTS:,} agents, {MODULES:,} modules: CPU of the control plane", "agents_cpu", 30, False, "%")
    bench.row(f"{AGENTS:,} agents, {MODULES:,} modules: memory of the control plane", "agents_resident", 500, False, "MB")
    bench.row(f"change of one route until the last of {AGENTS:,} agents has it", "route_change", 1, False, "s")


def holds(control, deployment_id):
    state = control.deployment(deployment_id)
    return state["plan"][state["step"]]["kind"] == "Hold"


def cpu_seconds(server):
    with open(f"/proc/{server.process.pid}/stat", encoding="utf-8") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def fill(data):
    """Rows of a fleet that has 10,000 modules deployed, a tenth of them in each region: two are deployed, the others are
    copies of their rows."""
    control = Control(data, "--regions", ",".join(AGENT_REGIONS))
    few = None
    try:
        few = Talking("bench_agents", "--control", control.url, "--join-token", control.join_token(), "--nodes",
                      len(AGENT_REGIONS), "--regions", ",".join(AGENT_REGIONS))
        few.until("started")
        until(lambda: all_healthy(control, len(AGENT_REGIONS)), "not every agent is healthy")
        binary = (SAMPLES / "c-add.wasm").read_bytes()
        control.deploy(control.push("bench-route", "1.0.0", binary))
        control.deploy(control.push("bench-copied", "1.0.0", binary), targetRegions=[AGENT_REGIONS[0]])
    finally:
        if few:
            few.stop()
        control.stop()
    with sqlite3.connect(next(data.glob("*.db"))) as rows:
        for table in ("modules", "module_references", "routes"):
            copy_rows(rows, table)
    rows.close()


def copy_rows(rows, table):
    columns = [row[1] for row in rows.execute(f"PRAGMA table_info({table})")]
    found = [row for row in rows.execute(f"SELECT * FROM {table}")
             if any("bench-copied" in str(value) for value in row) and "deployment" not in row]
    for i in range(MODULES - 3):  # the two, and one that is registered while it runs
        region = AGENT_REGIONS[i % len(AGENT_REGIONS)]
        for row in found:
            copied = [value.replace("bench-copied", f"bench-{i:05}").replace(AGENT_REGIONS[0], region)
                      if isinstance(value, str) else value for value in row]
            rows.execute(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})", copied)


def decision_round(bench):
    progress("decision rounds")
    out = json.loads(subprocess.run(
        ["taskset", "-c", SERVER_CORE, PROGRAMS / "bench" / "bench_round", "--store", bench.work / "round.db", "--nodes",
         str(AGENTS), "--modules", str(MODULES), "--rounds", str(ROUNDS)], capture_output=True, text=True,
        check=True).stdout)
    for seconds in out["seconds"]:
        bench.figures.add("decision_round", seconds)
    bench.row(f"{AGENTS:,} nodes × {MODULES:,} modules, one full decision round", "decision_round", 1, False, "s")


LINES = {"fleet-nodes": nodes, "fleet-canary": bad_canary, "fleet-forward": forward, "fleet-start": node_start,
         "fleet-agents": agents, "fleet-round": decision_round}
