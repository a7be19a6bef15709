# SPDX-License-Identifier: Apache-2.0
"""Through a SOCKS5 proxy and anytls: ours at both ends, beside sing-box at both ends."""

import contextlib
import dataclasses
import os
import pathlib
import subprocess
import time

from interop.runner import anytls_programs, certificates

from . import Failed, building, machine, table
from .programs import Steered, cpu, figures_of
from .record import HIGHER, LOWER, Figure

PEER = "sing-box"
RECIPES = (PEER,)
BYTES = 2 << 30
LANES = (1, 16)
SECONDS = 3.0
FRESH = 1000
HELD = 200
SETTLED = 2.0
BEATS = 2000
IDLE_SECONDS = 60.0
RATIO_GOAL, IDLE_GOAL, BEAT_GOAL, SHARE_GOAL = 2.0, 32 * 1024, 1000.0, 0.001
PATIENCE = 120.0
NOTE = """
Everything is on loopback, application and target in one process of ours, which is the same for both and not counted. CPU: of
client and server together, by /proc. by CPU: what a core for each side would carry, by the busier side."""
STAT_TICKS = machine.TICKS


def cpu_of(pid):
    """Seconds, with those of threads that have ended."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / STAT_TICKS


def precise_cpu_of(pid):
    """Seconds by the scheduler's own count, of the threads that there are."""
    counts = pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(count.read_text(encoding="ascii").split()[0]) for count in counts) * 1e-9


def resident_of(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return 1024 * int(line.split()[1])
    raise Failed(f"process {pid} has ended")


@dataclasses.dataclass
class Pair:
    """A client and a server that run, and the load that they bear."""

    client: anytls_programs.Server
    server: anytls_programs.Server
    load: str

    def ask(self, mode, port=None, **options):
        done = subprocess.run(self.words(mode, port, options), capture_output=True, text=True, check=False, timeout=PATIENCE,
                              stdin=subprocess.DEVNULL)
        return figures_of(done.stdout, done.returncode, f"proxy load {mode}: {done.stderr.strip()[-300:]}")

    def words(self, mode, port, options):
        words = [self.load, mode, "--port", str(port or self.client.address[1])]
        for name, value in options.items():
            words += [f"--{name}", str(value)]
        return words

    def cpu(self):
        return {side: cpu_of(getattr(self, side).child.pid) for side in ("client", "server")}


class Bench:
    def __init__(self, session):
        self.session = session
        self.folder = building.ROOT / "build/bench/anytls"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.certificates = certificates.make(self.folder / "certificates")
        binaries = session.binaries
        self.load = str(binaries / "strata-proxy-load")
        self.programs = [anytls_programs.Ours(session.ours.name, binaries)]
        self.versions = {session.ours.name: "this tree"}
        if peer := session.built.get(PEER):
            self.programs.append(anytls_programs.SingBox(PEER, peer.command))
            self.versions[PEER] = peer.version.splitlines()[0]

    @contextlib.contextmanager
    def pair(self, program, **asked):
        """Logs of both lie in the folder; a peer that logs less does less, so its level is the lowest."""
        running = []
        try:
            options = self._options(program, "server")
            server = program.running(program.server_command(options), options.folder, "server")
            running.append(server)
            options = self._options(program, "client", server=server.address, **asked)
            client = program.running(program.client_command(options), options.folder, "client")
            running.append(client)
            yield Pair(client, server, self.load)
        finally:
            for each in running:
                each.end()

    def _options(self, program, side, **asked):
        folder = self.folder / program.name / side
        folder.mkdir(parents=True, exist_ok=True)
        return anytls_programs.Options(certificates=self.certificates, folder=folder, **asked)

    def compared(self, what, run):
        return self.session.interleaved(what, self.programs, run)

    def add(self, found, member, case, unit, better, goal=None):
        """As Session.compare does it, for the one peer of this bench."""
        ours, peer = found[self.session.ours.name], found.get(PEER)
        figure = Figure("anytls", case, unit, ours.median(member), better=better, others=ours.others)
        if peer:
            figure = dataclasses.replace(figure, peer=PEER, peer_version=self.versions[PEER], theirs=peer.median(member),
                                         goal=goal, others=max(ours.others, peer.others))
        self.session.figures.append(figure)


def used_by(pair, before):
    now = pair.cpu()
    return {side: now[side] - before[side] for side in now}


def bulk_run(bench, program, upward):
    size = bench.session.size(BYTES, 1 << 24)
    with bench.pair(program) as pair:
        pair.ask("bulk", bytes=1 << 20)
        before = pair.cpu()
        got = pair.ask("bulk", bytes=size, upward=int(upward))
        used = used_by(pair, before)
    both = sum(used.values())
    return {"gbits": 8e-9 * size / got["seconds"], "core_gbits": 8e-9 * size / max(*used.values(), 1e-9), "cpu": both,
            **{f"{side}_cpu": seconds for side, seconds in used.items()}}, both + cpu(got)


def bulk(bench):
    rows = []
    for upward in (False, True):
        way = "up" if upward else "down"
        found = bench.compared(f"bulk {way}", lambda program, upward=upward: bulk_run(bench, program, upward))
        for name, runs in found.items():
            rows.append([way if name == bench.session.ours.name else "", name, *(runs.median(member) for member in (
                "gbits", "core_gbits", "cpu", "client_cpu", "server_cpu"))])
        bench.add(found, "gbits", f"bulk {way}", "Gbit/s", HIGHER, RATIO_GOAL)
        bench.add(found, "core_gbits", f"bulk {way} by CPU", "Gbit/s", HIGHER)
        bench.add(found, "cpu", f"bulk {way}: CPU of both", "s", LOWER)
    print(f"\n{bench.session.size(BYTES, 1 << 24) >> 20} MiB over one connection, median of {bench.session.runs} runs\n")
    print(table.text(["", "", "Gbit/s", "by CPU", "CPU s", "client", "server"], rows))


def connections_run(bench, program, lanes, reuse):
    with bench.pair(program) as pair:
        pair.ask("bulk", bytes=1 << 20)
        before = pair.cpu()
        if reuse:
            got = pair.ask("connections", parallel=lanes, seconds=SECONDS * bench.session.scale)
        else:
            got = pair.ask("fresh", parallel=lanes, count=bench.session.size(FRESH, 50))
        used = used_by(pair, before)
    count = got["count"] or 1
    if got.get("failed", 0) > 0.01 * count:
        raise Failed(f"{program.name}: {got['failed']:.0f} of {count:.0f} connections failed")
    return {"rate": got["count"] / got["seconds"], "cpu_us": 1e6 * sum(used.values()) / count,
            "core_rate": count / max(*used.values(), 1e-9)}, sum(used.values()) + cpu(got)


def connections(bench):
    """Without reuse all of them stay open: sing-box has no switch, but a session that is in use nobody else gets."""
    rows = []
    for reuse in (True, False):
        for lanes in LANES:
            words = f"{'with' if reuse else 'without'} reuse, {lanes} at a time"
            found = bench.compared(f"connections {words}",
                                   lambda program, lanes=lanes, reuse=reuse: connections_run(bench, program, lanes, reuse))
            for name, runs in found.items():
                rows.append([words if name == bench.session.ours.name else "", name, *(runs.median(member) for member in (
                    "rate", "core_rate", "cpu_us"))])
            bench.add(found, "rate", f"connections {words}", "connections/s", HIGHER, RATIO_GOAL)
            bench.add(found, "core_rate", f"connections {words} by CPU", "connections/s", HIGHER)
    print("\nConnections through the proxy, one byte there and back\n")
    print(table.text(["", "", "per second", "by CPU", "CPU us"], rows))


def held_run(bench, program):
    """Bytes for each session, with its stream open and after."""
    count = bench.session.size(HELD, 10)
    found = {}
    with bench.pair(program) as pair, Steered(pair.words("hold", None, {"count": count})) as load:
        pair.ask("bulk", bytes=1 << 20)
        base = {side: resident_of(getattr(pair, side).child.pid) for side in ("client", "server")}
        for step in ("open", "close"):
            load.ask(step)
            time.sleep(SETTLED)
            for side in base:
                found[step, side] = (resident_of(getattr(pair, side).child.pid) - base[side]) / count
    return found


def held(bench):
    found = {program.name: held_run(bench, program) for program in bench.programs}
    steps = (("open", "a stream open on each"), ("close", "idle in the pool"))
    rows = [[words if name == bench.session.ours.name else "", name, of[step, "client"], of[step, "server"]]
            for step, words in steps for name, of in found.items()]
    print(f"\nResident bytes for each of {bench.session.size(HELD, 10)} sessions\n")
    print(table.text(["", "", "client", "server"], rows))
    for step, words in steps:
        for side in ("client", "server"):
            ours = found[bench.session.ours.name][step, side]
            bench.session.figures.append(Figure("anytls", f"session, {words}: {side}", "bytes", ours, better=LOWER,
                                                goal=IDLE_GOAL if step == "close" else None))
            if peer := found.get(PEER):
                bench.session.figures.append(Figure("anytls", f"session, {words}: {side} beside", "bytes", ours, PEER,
                                                    bench.versions[PEER], peer[step, side], better=LOWER))


def beat_run(bench, program):
    with bench.pair(program) as pair:
        before = pair.cpu()
        got = pair.ask("heartbeat", pair.server.address[1], password=anytls_programs.PASSWORD, count=bench.session.size(BEATS, 100))
        used = used_by(pair, before)
    return got, sum(used.values()) + cpu(got)


def idle_share(bench, program):
    """Of a core that client and server use together while one session has nothing to carry but heartbeats."""
    seconds = IDLE_SECONDS * min(1.0, bench.session.scale)
    with bench.pair(program) as pair, Steered(pair.words("hold", None, {"count": 1})) as load:
        load.ask("open")
        time.sleep(min(SETTLED, seconds))
        pids = [each.child.pid for each in (pair.client, pair.server)]
        before = [precise_cpu_of(pid) for pid in pids]
        time.sleep(seconds)
        return sum(precise_cpu_of(pid) - used for pid, used in zip(pids, before)) / seconds


def beats(bench):
    found = bench.compared("heartbeats", lambda program: beat_run(bench, program))
    share = {program.name: idle_share(bench, program) for program in bench.programs}
    rows = [[name, *(runs.median(member) for member in ("p50_us", "p99_us", "max_us")), 100 * share[name]] for name, runs in found.items()]
    print("\nHeartbeats: how long the server takes to answer, and what an idle session costs\n")
    print(table.text(["", "p50 us", "p99 us", "max us", "CPU % of a core"], rows))
    ours = bench.session.ours.name
    bench.session.figures.append(Figure("anytls", "heartbeat p99", "us", found[ours].median("p99_us"), better=LOWER, goal=BEAT_GOAL))
    bench.session.figures.append(Figure("anytls", "idle session's CPU", "share of a core", share[ours], better=LOWER, goal=SHARE_GOAL))
    bench.add(found, "p99_us", "heartbeat p99 beside", "us", LOWER)


def measure(session):
    bench = Bench(session)
    for name, version in bench.versions.items():
        building.say(f"{name}: {version}")
    os.environ.setdefault("GOMAXPROCS", str(os.cpu_count()))
    for part in (bulk, connections, held, beats):
        part(bench)
    print(NOTE)
