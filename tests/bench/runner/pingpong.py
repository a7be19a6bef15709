# SPDX-License-Identifier: Apache-2.0
"""64 bytes there and back over one stream."""

from . import table
from .programs import cpu
from .record import LOWER, Figure

ROUNDS = 20_000
PEERS = ("quinn current_thread", "quic-go")
GOALS = {"quinn current_thread": 1.0}


def run(session, program):
    rounds = session.size(ROUNDS, 100)
    with program.server(session.settings) as server:
        before = server.ask()
        got = program.client("pingpong", server, session.settings, count=rounds)
        after = server.ask()
    used = cpu(after) - cpu(before) + cpu(got)
    return {"p50": got["p50_us"], "p99": got["p99_us"], "cpu": 1e6 * used / (1.1 * rounds)}, cpu(after) + cpu(got)


def measure(session):
    programs = session.choose(*PEERS)
    found = session.interleaved("ping-pong", programs, lambda program: run(session, program))
    print(f"\n64 bytes there and back, {session.size(ROUNDS, 100):,} rounds\n")
    print(table.text(["", "p50 us", "p99 us", "CPU us, both sides"],
                     [[name, *(runs.median(member) for member in ("p50", "p99", "cpu"))] for name, runs in found.items()]))
    for member, case in (("p50", "p50"), ("p99", "p99"), ("cpu", "CPU of both sides")):
        figure = Figure("pingpong", f"64 bytes: {case}", "us", better=LOWER)
        session.compare(found, member, figure, GOALS if member != "cpu" else None)
