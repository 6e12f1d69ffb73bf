"""The lines of ./dev bench hostile: what guests that attack get, and what a neighbour on the same core notices."""
import contextlib
import http.client
import json
import pathlib
import statistics
import subprocess
import time

from parts import LOAD_CORE, PROGRAMS, ROUNDS, SAMPLES, SECONDS, HotSwap, load, progress, wrk

PERCENTAGES = (10, 25, 50, 100)
CPU_SECONDS = 5

# Name: guest, function, parameters, connections that call it one call after the other. All have the limits that a module
# has which states none: 128 MiB, 50 % of a core, 100 calls at once.
ATTACKS = {
    "one spinning call": ("test-guests", "spin", "[]", 1),
    "8 spinning calls": ("test-guests", "spin", "[]", 8),
    "4 that spin in host calls": ("hostile-preview1", "spin_asking", "[]", 4),
    "4 that spin between waits": ("hostile-preview1", "spin_waiting", "[50000,200000]", 4),
    "4 that fill 64 MiB at once": ("hostile-memories", "fill", "[1024,1000]", 4),
    "4 that touch 100 MiB": ("test-guests", "touch", "[100]", 4),
    "4 that grow memories": ("hostile-memories", "grow_all", "[]", 4),
    "4 that grow tables": ("hostile-memories", "grow_tables", "[]", 4),
    "4 that exhaust the stack": ("hostile-recursion", "recurse_asking", "[]", 4),
    "4 that write without end": ("hostile-preview1", "flood", "[1]", 4),
    "4 that never drop timers": ("hostile-component", "timers", "[1000000]", 4),
    "4 that keep header fields": ("hostile-component", "field-sets", "[1000000]", 4),
    "4 that pass large lists": ("hostile-component", "header-list", "[100000,10000]", 4),
    "4 that send large parameters": ("c-component", "echo-bytes", f"[[{','.join(['7'] * 150_000)}]]", 4),
    "4 with large results": ("hostile-component", "bytes", "[1000000]", 4),
}


class Guests(HotSwap):
    """A server on one thread of one core, with the guests that attack and one that does not."""

    def __init__(self, data):
        super().__init__(data, "--threads", "1")
        self.deploy(self.push("neighbour", "1.0.0", binary("c-add")))
        for guest in sorted({guest for guest, *_ in ATTACKS.values()}):
            self.deploy(self.push(guest, "1.0.0", binary(guest)))
        for percent in PERCENTAGES:
            self.deploy(self.push(f"spin-{percent}", "1.0.0", binary("test-guests"), maxCpuPercent=percent))

    def processor_seconds(self):
        """Of the threads that run guests and of the others (the ticker above all), to the nanosecond."""
        guests = others = 0
        for task in pathlib.Path(f"/proc/{self.process.pid}/task").iterdir():
            with contextlib.suppress(FileNotFoundError):
                used = int((task / "schedstat").read_text().split()[0]) / 1e9
                if (task / "comm").read_text().startswith(("io", "guests")):
                    guests += used
                else:
                    others += used
        return guests, others


def binary(sample):
    return (SAMPLES / f"{sample}.wasm").read_bytes()


def guests(bench):
    return bench.server("guests", lambda: Guests(bench.work / "guests"))


def body_file(bench, module, function, params):
    path = bench.work / f"{module}-{function}.json"
    path.write_text(f'{{"module":"{module}","function":"{function}","params":{params}}}')
    return path


def processor_share(bench, server, percent):
    """Percent of a core that the guest's thread uses while it spins."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    guest, others = server.processor_seconds()
    began = time.monotonic()
    connection.request("POST", "/api/v1/wasm/execute", f'{{"module":"spin-{percent}","function":"spin","params":[]}}')
    time.sleep(CPU_SECONDS)
    seconds = time.monotonic() - began
    guest_after, others_after = server.processor_seconds()
    connection.close()  # which ends the call
    time.sleep(0.2)
    bench.figures.add(f"beside-{percent}", 100 * (others_after - others) / seconds)
    return 100 * (guest_after - guest) / seconds


def cpu(bench):
    server = guests(bench)
    bench.figures.interleave(
        ROUNDS, **{f"cpu-{percent}": lambda percent=percent: processor_share(bench, server, percent) for percent in PERCENTAGES})
    for percent in PERCENTAGES:
        shares = bench.figures.samples[f"cpu-{percent}"]
        bench.figures.samples[f"cpu-{percent}-off"] = [100 * abs(share / percent - 1) for share in shares]
        bench.info(f"a spinning guest at {percent} %, over {CPU_SECONDS} s", f"cpu-{percent}", "% core")
        bench.row(f"how far that is from {percent} %", f"cpu-{percent}-off", 10, False, "%")
        bench.info("the server's other threads meanwhile", f"beside-{percent}", "% core")


def neighbour(bench):
    server = guests(bench)
    body = body_file(bench, "neighbour", "add", "[2,3]")
    rate = int(wrk(server.port, "/api/v1/wasm/execute", "execute.lua", env={"MODULE": "neighbour"}) / 2)

    turns = {name: {"calm": [], "busy": []} for name in ATTACKS}
    for i in range(ROUNDS):
        for name, (*attack, connections) in ATTACKS.items():
            progress(f"round {i + 1}/{ROUNDS}: {name}")
            result = load(server.port, "/api/v1/wasm/execute", body=body, rate=rate, seconds=SECONDS,
                          attack=body_file(bench, *attack), attackers=connections)
            p99 = {which: [turn["p99Us"] / 1000 for turn in result[which]] for which in ("calm", "busy")}
            if failures := sum(turn["failures"] for which in p99 for turn in result[which]):
                raise SystemExit(f"the neighbour saw {failures} failures beside {name}")
            for which, values in p99.items():
                turns[name][which] += values
            bench.figures.add("neighbour calm", statistics.median(p99["calm"]))
            bench.figures.add(f"{name} p99", statistics.median(p99["busy"]))
            bench.figures.add(name, statistics.median(p99["busy"]) / statistics.median(p99["calm"]))
    bench.info(f"p99 of the neighbour by itself, {rate} req/s", "neighbour calm", "ms")
    for name, of in turns.items():
        bench.info(f"p99 beside {name}", f"{name} p99", "ms")
        bench.row("  by its own, medians of all turns", name, 3, False,
                  value=statistics.median(of["busy"]) / statistics.median(of["calm"]))


def sandbox(bench):
    for i in range(ROUNDS):
        progress(f"round {i + 1}/{ROUNDS}: sandbox")
        out = json.loads(subprocess.run(
            ["taskset", "-c", LOAD_CORE, PROGRAMS / "bench" / "bench_sandbox", "--module", SAMPLES / "c-add.wasm",
             "--component", SAMPLES / "hostile-component.wasm"], capture_output=True, text=True, check=True).stdout)
        bench.figures.add("wasi_setup_p99", out["setup"]["p99Us"] / 1000)
        bench.figures.add("wasi_setup_p50", out["setup"]["p50Us"] / 1000)
        bench.figures.add("bounded", out["bounded"]["p50Us"])
        bench.figures.add("unbounded", out["unbounded"]["p50Us"])
        bench.figures.add("overhead", out["overheadPercent"])
    bench.row("WASI set up for a call: 32 variables, 4 directories, 8 hosts, p99", "wasi_setup_p99", 0.2, False, "ms")
    bench.info("the same, p50", "wasi_setup_p50", "ms")
    bench.info("fresh call, bounded and metered", "bounded", "µs")
    bench.info("fresh call that nothing bounds", "unbounded", "µs")
    bench.row("overhead of limiter, epoch and meters on a fresh call", "overhead", 15, False, "%")


LINES = {"sandbox": sandbox, "hostile-cpu": cpu, "hostile-neighbour": neighbour}
