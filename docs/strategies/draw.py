#!/usr/bin/env python3
"""Draws the pictures of docs/strategies/ from real runs: `./dev pictures`.

Starts three regions of three nodes, deploys a new version by each strategy, reads the deployment's events, and draws
which share of each region's requests went to the new version. Needs matplotlib (the command above brings it).
"""
import datetime
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "hotswap"  # the same run draws the same bytes
import matplotlib.pyplot as plot  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
REGIONS = ["us-east", "us-west", "eu-west"]
NODES_PER_REGION = 3
COLORS = ["#4269d0", "#efb118", "#3ca951"]
# Name of the page, strategy, settings, and how many holds a person ends.
RUNS = [
    ("all-at-once", "AllAtOnce", {"holdSeconds": 3}, 0),
    ("rolling", "Rolling", {"batchSize": 1, "batchDurationSeconds": 2}, 0),
    ("canary", "Canary", {"stages": [10, 25, 50, 100], "holdSeconds": 3}, 0),
    ("blue-green", "BlueGreen", {"testDurationSeconds": 3, "keepBlueSeconds": 3}, 0),
    ("regional", "Regional", {"regions": REGIONS, "strategy": "Canary",
                              "strategyConfig": {"stages": [25, 100], "holdSeconds": 2}, "holdSeconds": 2}, 0),
    ("ab-testing", "ABTesting", {"weights": [80, 20], "maximumSeconds": 60}, 1),
]


def hotswap(program, api, *words):
    return subprocess.run([program, "--server", api, "--output", "json", *map(str, words)], check=True,
                          stdout=subprocess.PIPE, text=True).stdout


def share(route, candidate):
    """Percent of a region's requests that the new version gets, counting nodes that route otherwise."""
    def weight(versions):
        return sum(version["weight"] for version in versions if version["moduleId"] == candidate)

    whole = weight(route["versions"])
    parts = route.get("onNodes") or []
    apart = sum(len(part["nodes"]) for part in parts)
    on_parts = sum(len(part["nodes"]) * weight(part["versions"]) for part in parts)
    return ((NODES_PER_REGION - apart) * whole + on_parts) / NODES_PER_REGION


def seconds(event, start):
    at = datetime.datetime.fromisoformat(event["at"].replace("Z", "+00:00"))
    return (at - start).total_seconds()


def draw(name, events, candidate):
    started = next(event for event in events if event["type"] == "DeploymentStarted")
    start = datetime.datetime.fromisoformat(started["at"].replace("Z", "+00:00"))
    end = seconds(events[-1], start) * 1.05
    lines = {region: [(0.0, 0.0)] for region in REGIONS}
    stages = []
    for event in events:
        at = seconds(event, start)
        if event["type"] == "RoutesChanged":
            for route in event["detail"]["routes"]:
                lines[route["region"]].append((at, share(route, candidate)))
        elif event["type"] == "StepStarted":
            stage = event["detail"].get("stage") or event["detail"]["kind"]
            if not stages or stages[-1][1] != stage:
                stages.append((at, stage))
    figure, axes = plot.subplots(figsize=(8, 3.2))
    for offset, (region, points) in enumerate(lines.items()):
        points = [*points, (end, points[-1][1])]
        # Lines that coincide are set apart by a hair, so that each can be seen.
        axes.step([at for at, _ in points], [value + (offset - 1) * 0.8 for _, value in points], where="post",
                  label=region, color=COLORS[offset], linewidth=2)
    for at, _ in stages:
        axes.axvline(at, color="#999999", linewidth=0.6, linestyle=":")
    shown = []
    for at, stage in stages:
        # Of stages that follow at once, the last one says where the rollout stands.
        if shown and at - shown[-1][0] < end / 28:
            shown[-1] = (shown[-1][0], stage)
        else:
            shown.append((at, stage))
    for at, stage in shown:
        axes.text(at, 104, stage, rotation=35, fontsize=7, color="#444444", ha="left", va="bottom")
    axes.set_xlim(-end / 50, end)
    axes.set_ylim(-3, 103)
    axes.set_xlabel("seconds since the start")
    axes.set_ylabel("requests to the new version, %")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.savefig(HERE / f"{name}.svg", bbox_inches="tight", metadata={"Date": None})
    plot.close(figure)


def run(program, api, module, strategy, config, promotions):
    deploy = ["deploy", module, "--strategy", strategy, "--config-json", json.dumps(config)]
    made = json.loads(hotswap(program, api, *deploy))
    identity = made["deploymentId"]
    for _ in range(promotions):
        # Until the test has begun, and then as long as a person may look.
        watch = subprocess.Popen([program, "--server", api, "--output", "json", "rollout", "watch", identity],
                                 stdout=subprocess.PIPE, text=True)
        for line in watch.stdout:
            event = json.loads(line)
            if event.get("type") == "StepStarted" and event["detail"]["kind"] == "Hold":
                break
        try:
            watch.wait(4)
        except subprocess.TimeoutExpired:
            hotswap(program, api, "rollout", "promote", identity)
        watch.wait(60)
    if not promotions:
        hotswap(program, api, "rollout", "watch", identity)
    return json.loads(hotswap(program, api, "rollout", "events", identity))["items"]


def main():
    program, sample = sys.argv[1:3]
    with tempfile.TemporaryDirectory() as data:
        command = [program, "up", "--nodes", str(NODES_PER_REGION * len(REGIONS)), "--regions", ",".join(REGIONS),
                   "--data", data, "--api", "127.0.0.1:0", "--gateway", "127.0.0.1:0", "--output", "json"]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            api = json.loads(server.stdout.readline())["api"]
            hotswap(program, api, "module", "push", sample, "--name", "add", "--version", "1.0.0")
            hotswap(program, api, "deploy", "add@1.0.0", "--watch")
            for number, (name, strategy, config, promotions) in enumerate(RUNS, 2):
                version = f"{number}.0.0"
                print(f"{number - 1} of {len(RUNS)}: {name}", file=sys.stderr, flush=True)
                hotswap(program, api, "module", "push", sample, "--name", "add", "--version", version)
                draw(name, run(program, api, f"add@{version}", strategy, config, promotions), f"add-v{version}")
        finally:
            server.terminate()
            server.wait(30)


if __name__ == "__main__":
    os.umask(0o022)
    main()
