# SPDX-License-Identifier: Apache-2.0
"""Bulk over TLS on TCP beside SSL_write and SSL_read through memory BIOs, and WebSocket's masking: two threads, no peers."""

import json
import resource
import subprocess

from . import Failed, machine, table
from .building import say
from .record import Figure

RECIPES = ()
MEBIBYTES, CHUNK = 2048, 128 * 1024
GOAL, MASKING_GOAL = 0.9, 5.0
MEMORY_BIOS = "SSL_write through memory BIOs"
SIZES = (("b64", "64 bytes"), ("b1024", "1 KiB"), ("b16384", "16 KiB"))


def told(*command):
    """The figures of a program, and the CPU seconds it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, timeout=60)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        raise Failed(f"{command[0]}: {done.stderr.strip()[-300:]}")
    return json.loads(done.stdout), after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(session):
    program = session.binaries / "strata-tls-bench"
    size = session.size(MEBIBYTES, 8)
    found, others = machine.measured(lambda: told(program, size, CHUNK, session.runs), session.repeats, say)
    theirs = found["memory_bios_gbits"]
    rows = [["strata, as applications use it", found["stream_gbits"], found["stream_gbits"] / theirs],
            ["strata, the core alone", found["core_gbits"], found["core_gbits"] / theirs], [MEMORY_BIOS, theirs, 1.0]]
    print(f"\n{size} MiB over TLS 1.3 with AES-128-GCM, in writes of 128 KiB, median of {session.runs} runs\n")
    print(table.text(["", "Gbit/s", "ratio"], rows))
    for case, value in (("bulk", found["stream_gbits"]), ("bulk, the core alone", found["core_gbits"])):
        session.figures.append(Figure("tls", case, "Gbit/s", value, MEMORY_BIOS, "OpenSSL", theirs, goal=GOAL, others=others))
    measure_masking(session)


def measure_masking(session):
    program = session.binaries / "strata-masking-bench"
    found, others = machine.measured(lambda: told(program, session.size(256, 1)), session.repeats, say)
    print("\nWebSocket masking, one core, GB/s: " + ", ".join(f"{words} {table.number(found[name])}" for name, words in SIZES))
    for name, words in SIZES:
        session.figures.append(Figure("tls", f"WebSocket masking, {words}", "GB/s", found[name], goal=MASKING_GOAL, others=others))
