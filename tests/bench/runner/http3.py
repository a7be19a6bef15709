# SPDX-License-Identifier: Apache-2.0
"""Requests per second of small responses, and large ones, against quic-go's http3."""

from . import table
from .programs import cpu
from .record import HIGHER, LOWER, Figure

SHAPES = ((1, 1), (1, 100), (10, 10))
SMALL, LARGE = 1024, 100_000_000
SECONDS = 1.0
PEERS = ("quic-go",)


def run_requests(session, program, shape):
    connections, parallel = shape
    with program.server(session.settings, "server-h3") as server:
        before = server.ask()
        done = program.client("requests", server, session.settings, connections=connections, parallel=parallel, bytes=SMALL,
                              seconds=SECONDS * session.scale)
        after = server.ask()
    count = done["count"] or 1
    result = {"rate": done["count"] / done["seconds"], "server_cpu": 1e6 * (cpu(after) - cpu(before)) / count,
              "client_cpu": 1e6 * cpu(done) / count}
    return result, cpu(after) + cpu(done)


def run_body(session, program):
    size = session.size(LARGE, 1_000_000)
    with program.server(session.settings, "server-h3") as server:
        before = server.ask()
        done = program.client("body", server, session.settings, bytes=size)
        after = server.ask()
    result = {"rate": 8e-9 * done["bytes"] / done["seconds"], "server_cpu": 1e3 * (cpu(after) - cpu(before)), "client_cpu": 1e3 * cpu(done)}
    return result, cpu(after) + cpu(done)


def measure(session):
    programs = session.choose(*PEERS)
    rows = []
    for shape in SHAPES:
        what = f"1 KiB, {shape[0]} x {shape[1]}"
        found = session.interleaved(f"h3 {what}", programs, lambda program: run_requests(session, program, shape))  # noqa: B023
        add(session, rows, found, (what, "requests/s", "us/request"))
    found = session.interleaved("h3 100 MB", programs, lambda program: run_body(session, program))
    add(session, rows, found, ("100 MB", "Gbit/s", "ms/response"))
    print("\nHTTP/3: connections x requests at a time\n")
    print(table.text(["", "", "rate", "", "server CPU", "client CPU", ""], rows))


def add(session, rows, found, labels):
    what, unit, cpu_unit = labels
    ours = found[session.ours.name]
    for name, runs in found.items():
        rows.append([what if runs is ours else "", name, runs.median("rate"), unit, runs.median("server_cpu"), runs.median("client_cpu"),
                     cpu_unit])
    for member, case, of, better in (("rate", "rate", unit, HIGHER), ("server_cpu", "server CPU", cpu_unit, LOWER),
                                     ("client_cpu", "client CPU", cpu_unit, LOWER)):
        session.compare(found, member, Figure("h3", f"{what}: {case}", of, better=better))
