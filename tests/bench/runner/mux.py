# SPDX-License-Identifier: Apache-2.0
"""yamux over TCP on loopback, a process for each side: bulk, opened streams per second, memory; and a long way in virtual time."""

import dataclasses
import json
import subprocess

from . import Failed, table
from .programs import OURS, Program, cpu
from .record import HIGHER, LOWER, Figure

RECIPES = ("go-yamux",)
LARGE = ("--window", str(16 << 20))
MANNERS = (("hashicorp/yamux", "hashicorp", ()), ("go-yamux", "libp2p", ()), ("hashicorp/yamux, 16 MiB", "hashicorp", LARGE))
PEERS = ("hashicorp/yamux", "go-yamux")
"""As they come, which is what the goals are about."""
BYTES = 4 << 30
READ = 128 << 10
STREAMS = (1, 10, 100)
AT_ONCE = (1, 16, 100)
SECONDS = 1.0
MEMORY_GOAL = 32 * 1024
LINK_GOAL = 1.0
BULK_GOAL, OPENS_GOAL = 1.5, 2.0

BULK = (  # member, title, unit, whether more is better
    ("gbits", "Gbit/s", "Gbit/s", HIGHER),
    ("core_gbits", "by CPU", "Gbit/s", HIGHER),
    ("sender_cpu", "send s/GiB", "CPU s/GiB", LOWER),
    ("receiver_cpu", "recv s/GiB", "CPU s/GiB", LOWER),
    ("sender_peak", "send KiB", "KiB", LOWER),
    ("receiver_peak", "recv KiB", "KiB", LOWER),
)
OPENS = (
    ("rate", "per second", "streams/s", HIGHER),
    ("core_rate", "by CPU", "streams/s", HIGHER),
    ("client_us", "client CPU us", "us", LOWER),
    ("server_us", "server CPU us", "us", LOWER),
)
NOTE = """
TCP on loopback with cubic set on the sockets of both sides. Windows as the libraries have them: 256 KiB (hashicorp/yamux, whose do
not grow; once with 16 MiB as well, from the first byte), up to 16 MiB (the others). Writes of 256 KiB, reads of 128 KiB. by CPU: what
a core for each side would carry. CPU: getrusage of the whole process; peak: VmHWM. A stream that is opened carries a byte there and
back and is ended by both sides before it counts."""


class NoFlags:
    """Instead of Settings: nothing that the programs for QUIC are given means anything here."""

    @staticmethod
    def flags():
        return []

    @staticmethod
    def server_flags():
        return ["--read-size", str(READ)]


def programs(binaries, built):
    made = [Program(OURS, "this tree", (str(binaries / "strata-mux-bench"),))]
    if peer := built.get("go-yamux"):
        for name, library, flags in MANNERS:
            command = (*map(str, peer.command), library)
            told = subprocess.run([*command, "version"], capture_output=True, text=True, check=True, timeout=10)
            made.append(Program(name, told.stdout.strip(), command, flags=flags))
    return made


def exchange(program, mode, **options):
    """What the client told, and the CPU seconds of the server meanwhile with its peak of memory."""
    with program.server(NoFlags) as server:
        before = server.ask()
        got = program.client(mode, server, NoFlags, **options)
        after = server.ask()
    return got, cpu(after) - cpu(before), after["peak_kib"]


def run_bulk(session, program, streams):
    size = session.size(BYTES, 1 << 20)
    got, server, peak = exchange(program, "bulk", bytes=size, parallel=streams, read_size=READ)
    gib = got["bytes"] / (1 << 30)
    return {
        "gbits": 8e-9 * got["bytes"] / got["seconds"], "core_gbits": 8e-9 * got["bytes"] / max(server, cpu(got), 1e-9),
        "sender_cpu": cpu(got) / gib, "receiver_cpu": server / gib, "sender_peak": got["peak_kib"], "receiver_peak": peak,
    }, server + cpu(got)


def run_opens(session, program, at_once):
    got, server, _ = exchange(program, "opens", parallel=at_once, seconds=SECONDS * session.scale)
    count = got["count"] or 1
    result = {"rate": got["count"] / got["seconds"], "client_us": 1e6 * cpu(got) / count, "server_us": 1e6 * server / count}
    return result | {"core_rate": 1e6 / max(result["client_us"], result["server_us"], 1e-3)}, server + cpu(got)


def run_link(session):
    """In virtual time, so the same on every machine."""
    words = ["link", "--bytes", str(session.size(1 << 30, 64 << 20))]
    done = subprocess.run([*session.ours.command, *words], capture_output=True, text=True, check=False, timeout=60)
    if done.returncode != 0:
        raise Failed(f"link: {done.stderr.strip()[-300:]}")
    return json.loads(done.stdout)


def measure(whole):
    session = dataclasses.replace(whole, programs=programs(whole.binaries, whole.built))
    for program in session.peers:
        print(f"{program.name}: {program.version}")
    sections = (("streams", STREAMS, run_bulk, BULK, "gbits", BULK_GOAL), ("at once", AT_ONCE, run_opens, OPENS, "rate", OPENS_GOAL))
    for word, counts, run, columns, member, goal in sections:
        rows = []
        for count in counts:
            what = f"{'bulk' if run is run_bulk else 'opens'}, {count} {word}"
            found = session.interleaved(what, session.programs, lambda program: run(session, program, count))  # noqa: B023
            rows += [[what if name == session.ours.name else "", name, *(runs.median(of) for of, *_ in columns)]
                     for name, runs in found.items()]
            record(session, what, found, columns, (member, goal))
        print()
        print(table.text(["", "", *(title for _, title, *_ in columns)], rows))
    print(NOTE)
    link = run_link(session)
    print(f"\n60 ms round trip, in virtual time: {table.number(link['gbits'])} Gbit/s of {table.number(link['link_gbits'])}, "
          f"{table.number(link['later_gbits'])} once the window has grown, which costs {table.number(link['ramp_seconds'])} s")
    session.figures.append(Figure("mux", "60 ms round trip, 1 stream", "Gbit/s", link["gbits"], limit=link["link_gbits"], goal=LINK_GOAL))


def record(session, what, found, columns, wanted):
    member, goal = wanted
    for of, title, unit, better in columns:
        goals = dict.fromkeys(PEERS, goal) if of == member else None
        session.compare(found, of, Figure("mux", f"{what}: {title}", unit, better=better), goals)
    if what == "bulk, 100 streams":
        ours = found[session.ours.name]
        for side in ("sender", "receiver"):
            session.figures.append(Figure("mux", f"{what}: peak memory of the {side}", "KiB", ours.median(f"{side}_peak"), better=LOWER,
                                          goal=MEMORY_GOAL, others=ours.others))
