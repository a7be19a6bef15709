# SPDX-License-Identifier: Apache-2.0
"""A thousand sessions of yamux with a hundred streams each, for ten minutes: does memory grow?"""

import json
import subprocess

from . import Failed, table
from .record import LOWER, Figure

RECIPES = ()
ALONE = True
"""Runs only when it is named."""
SESSIONS, STREAMS, ROUNDS, SECONDS = 1000, 100, 10, 600
ALLOWED = 1.02


def measure(session):
    seconds = session.size(SECONDS, 4)
    words = {"connections": session.size(SESSIONS, 10), "parallel": STREAMS, "count": ROUNDS, "seconds": seconds}
    command = [session.binaries / "strata-mux-soak", "run", *(part for name, value in words.items() for part in (f"--{name}", str(value)))]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=2 * seconds + 120)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if not lines:
        raise Failed(f"soak: {done.stderr.strip()[-300:]}")
    found = json.loads(lines[-1])
    print(f"\n{words['connections']} sessions of {STREAMS} streams for {seconds} s: {found['sessions']:,} sessions and "
          f"{found['streams']:,} streams came and went\n")
    phases = ("start", "warm", "late", "end")
    print(table.text(["MiB", "at the start", "second quarter", "last quarter", "at the end"],
                     [[kind, *(found[f"{kind}_{phase}"] for phase in phases)] for kind in ("heap", "resident")]))
    for kind in ("heap", "resident"):
        growth = found[f"{kind}_late"] / max(found[f"{kind}_warm"], 1e-3)
        session.figures.append(Figure("soak", f"growth, {kind}", "last quarter / second quarter", growth, better=LOWER, goal=ALLOWED))
    if done.returncode != 0:
        raise Failed(f"soak: {done.stderr.strip()[-300:]}")
