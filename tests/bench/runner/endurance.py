# SPDX-License-Identifier: Apache-2.0
"""strata-proxy with a tunnel behind it: a thousand tunnels for ten minutes while their far end is killed, then a minute of slowloris."""

import json
import subprocess
import sys

from . import Failed, table
from .building import ROOT

RECIPES = ()
ALONE = True
"""Runs only when it is named."""
MINUTES, TUNNELS = 10.0, 1000
SECONDS, CLIENTS = 60.0, 600
FOLDER = ROOT / "tests/proxy/endurance"


def run(session, name, **options):
    command = [sys.executable, "-B", FOLDER / f"{name}.py", "--bin", session.binaries]
    command += [str(word) for option, value in options.items() for word in (f"--{option}", value)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if lines:
        print(f"\n{name}\n" + table.text(["", ""], [[key, str(value)] for key, value in json.loads(lines[-1]).items()]))
    if done.returncode != 0:
        raise Failed(f"{name} failed")


def measure(session):
    run(session, "soak", minutes=max(MINUTES * session.scale, 0.2), tunnels=session.size(TUNNELS, 50))
    run(session, "slowloris", seconds=max(SECONDS * session.scale, 20.0), clients=session.size(CLIENTS, 60))
