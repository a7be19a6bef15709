# SPDX-License-Identifier: Apache-2.0
"""What the machine can do without a protocol, measured in the same minute."""

import subprocess

from . import machine
from .building import say
from .programs import Server, cpu, figures_of
from .record import median

SEGMENTS = 44
PLAIN, PROTECTED = 0, 1


def cipher(session):
    """{seal_ns, open_ns, mask_ns}: per packet of the datagram size, alone."""
    done = subprocess.run([session.limits, "cipher", "--datagram", str(session.settings.datagram), "--segments", str(SEGMENTS)],
                          capture_output=True, text=True, check=False, timeout=30)
    return figures_of(done.stdout, done.returncode, done.stderr)


def _transfer(session, protection):
    words = ["--bytes", str(session.size(2 << 30, 1 << 20)), "--count", str(protection), "--datagram", str(session.settings.datagram),
             "--segments", str(SEGMENTS), "--socket-buffer", str(session.settings.socket_buffer)]
    with Server([session.limits], ["receive", *words]) as receiver:
        receiver.child.stdin.write("\n")
        receiver.child.stdin.flush()
        done = subprocess.run([session.limits, "send", "--connect", receiver.address, *words], capture_output=True, text=True,
                              check=False, timeout=30)
        sent = figures_of(done.stdout, done.returncode, done.stderr)
        got = figures_of(receiver.child.stdout.readline(), 0, "the receiver said nothing")
    used = {"gbits": 8e-9 * sent["bytes"] / sent["seconds"], "sender_ns": 1e9 * cpu(sent) / sent["packets"],
            "receiver_ns": 1e9 * cpu(got) / got["packets"]}
    used["core_gbits"] = 8 * sent["bytes"] / sent["packets"] / max(used["sender_ns"], used["receiver_ns"])
    return used, cpu(sent) + cpu(got)


def transfer(session, protection):
    """Medians of {gbits, core_gbits, sender_ns, receiver_ns} of UDP with GSO and GRO, with or without protection."""
    name = "limit: GSO, GRO and AEAD" if protection else "limit: GSO and GRO alone"
    results = []
    for _ in range(session.runs):
        result, others = machine.measured(lambda: _transfer(session, protection), session.repeats, say)
        results.append(result)
        say(f"    {name}" + (f" (others used {others:.2f} of a core)" if others > machine.BUSY_SHARE else ""))
    return {member: median([result[member] for result in results]) for member in results[0]}
