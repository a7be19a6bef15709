# SPDX-License-Identifier: Apache-2.0
"""Full handshakes, one at a time and sixteen at a time, for each key exchange."""

import dataclasses

from . import table
from .building import say
from .programs import cpu
from .record import HIGHER, LOWER, Figure

GROUPS = ("X25519", "X25519MLKEM768")
LANES = (1, 16)
SECONDS = 1.0
PEERS = ("quinn current_thread", "quic-go")
GOALS = {"quinn current_thread": 1.0}
NOTE = """
Full handshakes with an ECDSA P-256 certificate, no tickets, no resumption; the client checks the signature but no name. A
handshake counts when the client's is complete; it closes the connection then and begins the next. CPU: getrusage of the
process, divided by handshakes. incomplete: handshakes that the server never saw the end of."""


def run(session, program, group, lanes):
    settings = dataclasses.replace(session.settings, group=group)
    with program.server(settings) as server:
        before = server.ask()
        done = program.client("handshake", server, settings, parallel=lanes, seconds=SECONDS * session.scale)
        after = server.ask_until(lambda figures: figures["connections"] >= done["count"] + 1, patience=0.2)
    count = done["count"] or 1
    result = {"rate": done["count"] / done["seconds"], "server_ms": 1e3 * (cpu(after) - cpu(before)) / count,
              "client_ms": 1e3 * cpu(done) / count, "incomplete": max(0, done["count"] + 1 - after["connections"])}
    result["core_rate"] = 1e3 / max(result["server_ms"], result["client_ms"])
    return result, cpu(after) + cpu(done)


def measure(session):
    rows = []
    for group in GROUPS:
        for lanes in LANES:
            what = f"{group} {lanes} at a time"
            found = session.interleaved(f"handshakes {what}", session.choose(*PEERS),
                                        lambda program: run(session, program, group, lanes))  # noqa: B023  called in this turn
            for name, runs in found.items():
                rows.append([what if name == session.ours.name else "", name, *(runs.median(member) for member in (
                    "rate", "core_rate", "server_ms", "client_ms", "incomplete"))])
            record(session, what, found)
    print("\nFull handshakes\n")
    print(table.text(["", "", "per second", "by CPU", "server CPU ms", "client CPU ms", "incomplete"], rows))
    print(NOTE)


def record(session, what, found):
    ours = found[session.ours.name]
    if ours.median("incomplete"):
        say(f"    {what}: {ours.median('incomplete'):.0f} handshakes were never complete at the server")
    for member, case, unit, better in (("rate", "rate", "handshakes/s", HIGHER), ("core_rate", "rate by CPU", "handshakes/s", HIGHER),
                                       ("server_ms", "server CPU", "ms", LOWER), ("client_ms", "client CPU", "ms", LOWER)):
        figure = Figure("handshake", f"{what}: {case}", unit, better=better)
        session.compare(found, member, figure, GOALS if member == "rate" else None)
