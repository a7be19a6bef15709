# SPDX-License-Identifier: Apache-2.0
"""What idle connections hold: after the handshake, after a transfer, and what is left after they closed."""

import time

from . import table
from .record import LOWER, Figure

CONNECTIONS, BYTES = 500, 1_000_000
SETTLED = 2.0
"""Seconds until HANDSHAKE_DONE has gone and connections are idle enough to give back what only traffic needs."""
PATIENCE = 10.0
PEERS = ("quinn current_thread", "quic-go")
IDLE_GOAL = 16 * 1024
STEPS = (("open", "after the handshake"), ("transfer", "after 1 MB"), ("close", "after the close"))


def held(now, base, count):
    """Bytes per connection that a process holds: resident memory, and the heap where the program knows it."""
    heap = (now["heap_bytes"] - base["heap_bytes"]) / count if "heap_bytes" in now else None
    return {"resident": 1024 * (now["resident_kib"] - base["resident_kib"]) / count, "heap": heap}


def run(session, program):
    """{(step, side): held}"""
    count = session.size(CONNECTIONS, 10)
    found = {}
    with program.server(session.settings) as server:
        with program.steps(server, session.settings, count=count, bytes=session.size(BYTES, 100_000)) as client:
            client.ask("start")
            bases = {"server": server.ask("collect"), "client": client.ask("start")}
            for step, _ in STEPS:
                client.ask(step)
                if step == "close":
                    server.ask_until(lambda figures: figures["open"] == 0, PATIENCE)
                time.sleep(SETTLED)
                now = {"server": server.ask("collect"), "client": client.ask("look")}
                for side, figures in now.items():
                    found[step, side] = held(figures, bases[side], count)
    return found


def measure(session):
    programs = session.choose(*PEERS)
    found = {program.name: run(session, program) for program in programs}
    rows = []
    for step, words in STEPS:
        for program in programs:
            sides = [found[program.name][step, side] for side in ("server", "client")]
            rows.append([words if program.name == session.ours.name else "", program.name, sides[0]["heap"], sides[0]["resident"],
                         sides[1]["heap"], sides[1]["resident"]])
    print(f"\nBytes per connection, of {session.size(CONNECTIONS, 10)} that are idle\n")
    print(table.text(["", "", "server heap", "server resident", "client heap", "client resident"], rows))
    print("\nheap: mallinfo2 (ours), HeapAlloc after a collection (quic-go); resident: VmRSS. Each less what was held before the first.")
    for step, words in STEPS:
        record(session, found, (step, words))


def record(session, found, step):
    name, words = step
    mine = found[session.ours.name]
    for side in ("server", "client"):
        session.figures.append(Figure("memory", f"{words}: {side} heap", "bytes/connection", mine[name, side]["heap"], better=LOWER,
                                      goal=IDLE_GOAL if name != "close" else None))
        for peer in session.choose(*PEERS)[1:]:
            session.figures.append(Figure(
                "memory", f"{words}: {side} resident", "bytes/connection", mine[name, side]["resident"], peer.name, peer.version,
                found[peer.name][name, side]["resident"], better=LOWER))
