# SPDX-License-Identifier: Apache-2.0
"""Plain proxies: strata-proxy by SOCKS5 and by CONNECT, beside microsocks, danted, sing-box and tinyproxy, and no proxy at all. And
pairs of proxies: proxy_pairs."""

import contextlib
import dataclasses
import subprocess
import time
import types

from interop.runner import proxy_programs
from interop.runner.proxy_scenarios import configuration

from . import Failed, building, proxy_pairs, table
from .anytls import cpu_of, resident_of
from .programs import Steered, cpu, figures_of
from .record import HIGHER, LOWER, Figure

PLAIN = ("microsocks", "danted", "sing-box", "tinyproxy")
RECIPES = (*PLAIN, proxy_pairs.GO)
KINDS = {"microsocks": "socks", "danted": "socks", "sing-box": "socks", "tinyproxy": "http"}
DIRECT = "no proxy"
BYTES = 4 << 30
LANES = (1, 16)
SECONDS = 3.0
COUNT = 5000
HELD = 500
SETTLED = 1.0
PATIENCE = 120.0
GOALS = {"microsocks": 5.0, "tinyproxy": 3.0, DIRECT: 0.6}
RATE_GOAL, IDLE_GOAL, DAEMON_GOAL, DELAY_GOAL = 1.5, 24 * 1024, 12 << 20, 100.0
NOTE = """
Everything is on loopback with the congestion control that the machine is named with. Application and target are one process of ours, which
is the same for all and not counted. CPU: of the proxy with its children, by /proc."""


@dataclasses.dataclass
class Way:
    """A kind of proxy to go through, or none."""

    name: str
    kind: str
    program: object = None


class Running:
    def __init__(self, bench, way, server=None):
        self.load, self.way = bench.load, way
        self.server = server

    def words(self, mode, options):
        port = self.server.address[1] if self.server else 0
        words = [self.load, mode, "--port", str(port), "--http", str(int(self.way.kind == "http"))]
        for name, value in options.items():
            words += [f"--{name}", str(value)]
        return words

    def ask(self, mode, **options):
        done = subprocess.run(self.words(mode, options), capture_output=True, text=True, check=False, timeout=PATIENCE,
                              stdin=subprocess.DEVNULL)
        return figures_of(done.stdout, done.returncode, f"proxy load {mode}: {done.stderr.strip()[-300:]}")

    def pids(self):
        """The program and its children: danted and tinyproxy serve in those."""
        if not self.server:
            return []
        told = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.server.child.pid)], capture_output=True, text=True, check=False)
        return [self.server.child.pid, *map(int, told.stdout.split())]

    def cpu(self):
        return sum(cpu_of(pid) for pid in self.pids())

    def resident(self):
        return sum(resident_of(pid) for pid in self.pids())


class Bench:
    def __init__(self, session):
        self.session = session
        self.folder = building.ROOT / "build/bench/proxy"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.load = str(session.binaries / "strata-proxy-load")
        self.ours = proxy_programs.Ours(session.ours.name, session.binaries)
        self.ways = [Way(session.ours.name, "socks", self.ours), Way(f"{session.ours.name} CONNECT", "http", self.ours)]
        self.versions = {DIRECT: ""}
        for name in PLAIN:
            if peer := session.built.get(name):
                self.ways.append(Way(name, KINDS[name], proxy_programs.program(name, peer.command)))
                self.versions[name] = peer.version.splitlines()[0]

    @contextlib.contextmanager
    def running(self, way):
        adopted = []
        folder = self.folder / way.name.replace(" ", "-")
        folder.mkdir(parents=True, exist_ok=True)
        cell = types.SimpleNamespace(folder=folder, adopt=adopted.append)
        try:
            if way.program is self.ours:
                way.program.start(cell, configuration())
            elif way.program:
                way.program.start(cell, way.kind)
            yield Running(self, way, adopted[0] if adopted else None)
        finally:
            for each in adopted:
                each.end()

    def compared(self, what, run, ways=None):
        return self.session.interleaved(what, ways or self.ways, run)

    def add(self, found, member, case, unit, better, goals=None):
        """A figure beside each of the others; the better of them is the one that a goal without a name is for."""
        ours = found[self.session.ours.name]
        for name, runs in found.items():
            if name.startswith(self.session.ours.name):
                continue
            self.session.figures.append(Figure(
                "proxy", f"{case} beside {name}", unit, ours.median(member), name, self.versions[name], runs.median(member),
                goal=(goals or {}).get(name), better=better, others=max(ours.others, runs.others)))


def bulk_run(bench, way, upward):
    size = bench.session.size(BYTES, 1 << 24)
    with bench.running(way) as proxy:
        proxy.ask("bulk", bytes=1 << 20)
        before = proxy.cpu()
        got = proxy.ask("bulk", bytes=size, upward=int(upward))
        used = proxy.cpu() - before
    return {"gbits": 8e-9 * size / got["seconds"], "cpu": used}, used + cpu(got)


def bulk(bench):
    rows = []
    ways = [*bench.ways, Way(DIRECT, "socks")]
    for upward in (False, True):
        way_name = "up" if upward else "down"
        found = bench.compared(f"bulk {way_name}", lambda way, upward=upward: bulk_run(bench, way, upward), ways)
        rows += [[way_name, name, runs.median("gbits"), runs.median("cpu")] for name, runs in found.items()]
        bench.add(found, "gbits", f"bulk {way_name}", "Gbit/s", HIGHER, GOALS)
    print(f"\n{bench.session.size(BYTES, 1 << 24) >> 20} MiB over one connection, median of {bench.session.runs} runs\n")
    print(table.text(["", "", "Gbit/s", "CPU s"], rows))


def connections_run(bench, way, lanes):
    with bench.running(way) as proxy:
        proxy.ask("bulk", bytes=1 << 20)
        before = proxy.cpu()
        got = proxy.ask("connections", parallel=lanes, seconds=SECONDS * bench.session.scale)
        used = proxy.cpu() - before
    count = got["count"] or 1
    if got.get("failed", 0) > 0.01 * count:
        raise Failed(f"{way.name}: {got['failed']:.0f} of {count:.0f} connections failed")
    return {"rate": got["count"] / got["seconds"], "cpu_us": 1e6 * used / count}, used + cpu(got)


def connections(bench):
    rows = []
    for lanes in LANES:
        found = bench.compared(f"connections {lanes} at a time", lambda way, lanes=lanes: connections_run(bench, way, lanes))
        rows += [[f"{lanes} at a time", name, runs.median("rate"), runs.median("cpu_us")] for name, runs in found.items()]
        best = max((name for name in found if not name.startswith(bench.session.ours.name)), key=lambda name: found[name].median("rate"), default="")
        bench.add(found, "rate", f"connections, {lanes} at a time", "connections/s", HIGHER, {best: RATE_GOAL})
    print("\nConnections through the proxy, one byte down\n")
    print(table.text(["", "", "per second", "CPU us"], rows))


def delay_run(bench, way):
    with bench.running(way) as proxy:
        before = proxy.cpu()
        got = proxy.ask("pingpong", count=bench.session.size(COUNT, 200))
        used = proxy.cpu() - before
    return got, used + cpu(got)


def delay(bench):
    found = bench.compared("delay", lambda way: delay_run(bench, way), [*bench.ways, Way(DIRECT, "socks")])
    rows = [[name, runs.median("p50_us"), runs.median("p99_us")] for name, runs in found.items()]
    print("\n64 bytes there and back on one connection\n")
    print(table.text(["", "p50 us", "p99 us"], rows))
    added = found[bench.session.ours.name].median("p50_us") - found[DIRECT].median("p50_us")
    bench.session.figures.append(Figure("proxy", "added delay p50", "us", added, better=LOWER, goal=DELAY_GOAL))
    bench.add(found, "p50_us", "p50", "us", LOWER)


def memory_run(bench, way):
    count = bench.session.size(HELD, 10)
    with bench.running(way) as proxy, Steered(proxy.words("hold", {"count": count})) as load:
        time.sleep(SETTLED)
        alone = proxy.resident()
        proxy.ask("bulk", bytes=1 << 20)
        base = proxy.resident()
        load.ask("open")
        time.sleep(SETTLED)
        return {"alone": alone, "each": (proxy.resident() - base) / count}


def memory(bench):
    ways = [way for way in bench.ways if way.name not in ("danted", "tinyproxy")]  # a process or a thread each
    found = {way.name: memory_run(bench, way) for way in ways}
    print(f"\nResident bytes: of the idle program, and of each of {bench.session.size(HELD, 10)} idle connections\n")
    print(table.text(["", "program", "connection"], [[name, of["alone"], of["each"]] for name, of in found.items()]))
    ours = found[bench.session.ours.name]
    bench.session.figures.append(Figure("proxy", "idle program", "bytes", ours["alone"], better=LOWER, goal=DAEMON_GOAL))
    bench.session.figures.append(Figure("proxy", "idle connection", "bytes", ours["each"], better=LOWER, goal=IDLE_GOAL))


def measure(session):
    bench = Bench(session)
    for name, version in bench.versions.items():
        building.say(f"{name}: {version}")
    for part in (bulk, connections, delay, memory):
        part(bench)
    print(NOTE)
    proxy_pairs.measure(session)
