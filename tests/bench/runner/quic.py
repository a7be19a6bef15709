# SPDX-License-Identifier: Apache-2.0
"""One transfer over one connection and one stream, a process for each side."""

from . import limit, table
from .programs import cpu
from .record import HIGHER, LOWER, Figure

BYTES = 1 << 30
GOALS = {"quinn current_thread": 2.0, "quic-go": 4.0}
LIMIT_SHARE = 0.40

COLUMNS = (  # member, title, unit, whether more is better
    ("gbits", "Gbit/s", "Gbit/s", True),
    ("core_gbits", "by CPU", "Gbit/s", True),
    ("sender_cpu", "send s/GiB", "CPU s/GiB", False),
    ("receiver_cpu", "recv s/GiB", "CPU s/GiB", False),
    ("sender_ns", "send ns/pkt", "ns/packet", False),
    ("receiver_ns", "recv ns/pkt", "ns/packet", False),
    ("sender_allocations", "send alloc/pkt", "allocations/packet", False),
    ("receiver_allocations", "recv alloc/pkt", "allocations/packet", False),
    ("sender_peak", "send KiB", "KiB", False),
    ("receiver_peak", "recv KiB", "KiB", False),
)
NOTE = """
by CPU: what a core for each side would carry, 8 x bytes / the CPU time of the slower side; it holds on a busy machine, too.
CPU: getrusage of the whole process; peak: VmHWM. Allocations: calls of malloc (ours: in the second half of the transfer,
those of the TLS library included), of the global allocator (quinn) and of the runtime (quic-go, whole runs).
Equal on all: UDP payload {datagram}, no MTU discovery, AES-128-GCM, {window} MiB stream windows, {buffer} MiB socket buffers.
Congestion control: CUBIC (ours, quinn), NewReno (quic-go has no other)."""


def per_gib(seconds, size):
    return seconds * (1 << 30) / size


def run(session, program, **options):
    size = session.size(BYTES, 1 << 20)
    with program.server(session.settings) as server:
        before = server.ask()
        got = program.client("bulk", server, session.settings, bytes=size, **options)
        sent = server.ask_until(lambda figures: figures["closed"] >= 1)
    used = cpu(sent) - cpu(before)
    packets = sent["packets_sent"] or 1
    result = {
        "gbits": 8e-9 * got["bytes"] / got["seconds"],
        "core_gbits": 8e-9 * got["bytes"] / max(used, cpu(got), 1e-9),
        "sender_cpu": per_gib(used, size), "receiver_cpu": per_gib(cpu(got), size),
        "sender_ns": 1e9 * used / packets, "receiver_ns": 1e9 * cpu(got) / packets,
        "sender_system_ns": 1e9 * (sent["cpu_system"] - before["cpu_system"]) / packets,
        "sender_allocations": allocations(sent, before, packets), "receiver_allocations": allocations(got, {}, packets),
        "sender_peak": sent["peak_kib"], "receiver_peak": got["peak_kib"],
        "batch": packets / sent["batches_sent"] if sent.get("batches_sent") else None, "lost": sent["packets_lost"],
    }
    return result, cpu(sent) + cpu(got)


def allocations(later, earlier, packets):
    if later.get("steady_packets"):
        return later["steady_allocations"] / later["steady_packets"]
    return (later["allocations"] - earlier.get("allocations", 0)) / packets


def measure(session):
    alone, both, cipher = limit.transfer(session, limit.PLAIN), limit.transfer(session, limit.PROTECTED), limit.cipher(session)
    found = session.interleaved("bulk", session.programs, lambda program: run(session, program))
    rows = [[name, *(runs.median(member) for member, *_ in COLUMNS)] for name, runs in found.items()]
    rows += [["limit: with AEAD", both["gbits"], both["core_gbits"], None, None, both["sender_ns"], both["receiver_ns"]],
             ["limit: UDP alone", alone["gbits"], alone["core_gbits"], None, None, alone["sender_ns"], alone["receiver_ns"]]]
    settings = session.settings
    print(f"\nOne stream of {session.size(BYTES, 1 << 20) >> 20} MiB, median of {session.runs} runs\n")
    print(table.text(["", *(title for _, title, *_ in COLUMNS)], [row + [None] * (len(COLUMNS) + 1 - len(row)) for row in rows]))
    print(NOTE.format(datagram=settings.datagram, window=settings.window >> 20, buffer=settings.socket_buffer >> 20))
    split = sender_split(found, session, cipher)
    print_split(split, found[session.ours.name], cipher)
    record(session, found, (alone, both), split)


def sender_split(found, session, cipher):
    ours = found[session.ours.name]
    system, whole = ours.median("sender_system_ns"), ours.median("sender_ns")
    return {"system calls": system, "AEAD": cipher["seal_ns"], "header protection": cipher["mask_ns"],
            "rest": whole - system - cipher["seal_ns"] - cipher["mask_ns"]}


def print_split(split, ours, cipher):
    print("\nWhere our sender's time goes, ns per packet\n")
    print(table.text(["", "ns"], [*split.items(), ["together", ours.median("sender_ns")]]))
    print("\nsystem calls: the system time of getrusage. AEAD and header protection: measured alone at the same size in this run "
          f"(open: {table.number(cipher['open_ns'])}).\nrest: what remains. Packets per sendmsg: {table.number(ours.median('batch'))}; "
          f"lost: {table.number(ours.median('lost'))}.")


def record(session, found, limits, split):
    alone, both = limits
    ours = found[session.ours.name]
    bound = {"gbits": both["gbits"], "core_gbits": both["core_gbits"], "sender_ns": both["sender_ns"], "receiver_ns": both["receiver_ns"]}
    for member, title, unit, more in COLUMNS:
        goals = GOALS if member in ("gbits", "core_gbits") else None
        figure = Figure("quic", f"bulk {title}", unit, limit=bound.get(member), better=HIGHER if more else LOWER)
        session.compare(found, member, figure, goals)
    shares = (("bulk share of the limit", "gbits"), ("bulk share of the limit by CPU", "core_gbits"))
    for case, member in shares:
        session.figures.append(Figure("quic", case, "share", ours.median(member) / both[member], limit=1.0,
                                      goal=LIMIT_SHARE, others=ours.others))
    for side in ("sender", "receiver"):
        session.figures.append(Figure("quic", f"{side} allocations", "allocations/packet", ours.median(f"{side}_allocations"),
                                      better=LOWER, goal=0.0, others=ours.others))
    for part, nanoseconds in split.items():
        session.figures.append(Figure("quic", f"sender split: {part}", "ns/packet", nanoseconds, better=LOWER, others=ours.others))
    session.figures.append(Figure("quic", "limit: UDP alone", "Gbit/s", alone["gbits"]))
    session.figures.append(Figure("quic", "limit: UDP and AEAD", "Gbit/s", both["gbits"]))
