# SPDX-License-Identifier: Apache-2.0
"""Where our programs spend time (perf, else callgrind) or memory (massif), both sides of one bench."""

import argparse
import collections
import dataclasses
import pathlib
import re
import shutil
import subprocess
import time

from interop.runner import certificates

from . import Failed, building, table
from .building import ROOT, say
from .programs import Program, Settings

PERF, CALLGRIND, MASSIF = "perf", "callgrind", "massif"
SAMPLES_PER_SECOND = 5000
SLOWER = 50
"""How much less work valgrind is given than perf."""
CASES = {
    "quic": ("server", "bulk", {"bytes": 2 << 30}),
    "handshake": ("server", "handshake", {"parallel": 4, "seconds": 2.0}),
    "pingpong": ("server", "pingpong", {"count": 50_000}),
    "h3": ("server-h3", "requests", {"connections": 1, "parallel": 100, "bytes": 1024, "seconds": 2.0}),
    "h3-body": ("server-h3", "body", {"bytes": 2_000_000_000}),
    "memory": ("server", "hold", {"count": 200, "bytes": 1_000_000}),
}
# The programs have a malloc of their own, which counts: valgrind has to be told to look for it there.
VALGRIND = ("valgrind", "-q", "--soname-synonyms=somalloc=NONE")


@dataclasses.dataclass
class Profile:
    """One profiled pair of processes; files go to `folder`."""

    tool: str
    folder: pathlib.Path
    name: str

    def file(self, side):
        return self.folder / f"{self.name}.{side}.{self.tool}"

    def prefix(self, side):
        file = self.file(side)
        return {PERF: ("perf", "record", "-q", "-F", str(SAMPLES_PER_SECOND), "-e", "cpu-clock", "-o", str(file), "--"),
                CALLGRIND: (*VALGRIND, "--tool=callgrind", f"--callgrind-out-file={file}"),
                MASSIF: (*VALGRIND, "--tool=massif", "--depth=14", "--threshold=0.5", f"--massif-out-file={file}")}[self.tool]

    def program(self, side, binaries):
        return Program(side, "", (*self.prefix(side), str(binaries / "strata-quic-bench")),
                       (*self.prefix(side), str(binaries / "strata-h3-bench")))

    def rows(self, side, count):
        """[(percent or bytes, name)], the largest first."""
        return {PERF: perf_rows, CALLGRIND: callgrind_rows, MASSIF: massif_rows}[self.tool](self.file(side), count)


def told(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failed(f"{command[0]} failed: {done.stderr.strip()[-200:]}")
    return done.stdout


def perf_rows(file, count):
    lines = told("perf", "report", "-i", str(file), "--stdio", "--sort", "sym").splitlines()
    found = [re.match(r"\s*([\d.]+)%\s+\[(.)\] (.*\S)", line) for line in lines]
    rows = [(float(match[1]), ("kernel: " if match[2] == "k" else "") + match[3]) for match in found if match]
    kernel = sum(share for share, name in rows if name.startswith("kernel: "))
    return [(kernel, "(everything in the kernel)"), *rows[:count]]


def callgrind_rows(file, count):
    found = re.findall(r"([\d,]+) \(\s*([\d.]+)%\)\s+(\S.*)", told("callgrind_annotate", str(file)))
    rows = [(float(share), name.split(":", 1)[-1]) for _, share, name in found if "PROGRAM TOTALS" not in name]
    return rows[:count]


def massif_rows(file, count):
    """Bytes at the peak by the two of our functions that are nearest to the allocation."""
    lines = file.read_text(encoding="utf-8").splitlines()
    peak = max(place for place, line in enumerate(lines) if line == "heap_tree=peak")
    sums = collections.Counter()
    place = peak + 1
    path = []
    while place < len(lines) and (match := re.match(r" *n(\d+): (\d+) (?:0x[0-9A-F]+: )?(.*)", lines[place])):
        depth = len(lines[place]) - len(lines[place].lstrip())
        del path[depth:]
        path.append(match[3])
        if match[1] == "0":
            own = [short(name) for name in path if "strata::" in name][:2]
            sums[" <- ".join(own) or short(path[-1])] += int(match[2])
        place += 1
    return [(size, name) for name, size in sums.most_common(count)]


def short(name):
    """A function without the namespaces and parameters that make lines too long to read."""
    return re.sub(r"strata::|quic::v0::|core::|transport::v0::|\(.*?\)(?= |$)", "", name)[:90].strip()


def run(profile, case, binaries, settings):
    mode, client_mode, work = case
    work = dict(work)
    if profile.tool != PERF:
        work = {name: value // SLOWER if name in ("bytes", "count") and client_mode not in ("hold", "requests") else value
                for name, value in work.items()}
    client = profile.program("client", binaries)
    with profile.program("server", binaries).server(settings, mode) as server:
        if client_mode == "hold":
            with client.steps(server, settings, **work) as steps:
                for step in ("open", "transfer"):
                    steps.ask(step)
                time.sleep(0.5)
        else:
            client.client(client_mode, server, settings, **work)


def options_of(arguments):
    parser = argparse.ArgumentParser(prog="./dev profile", description="Where our programs spend time or memory.")
    parser.add_argument("name", choices=CASES)
    parser.add_argument("--tool", choices=(PERF, CALLGRIND, MASSIF), help="perf where there is one; memory: massif")
    parser.add_argument("--group", default="X25519", help="key exchange (X25519)")
    parser.add_argument("--top", type=int, default=30, help="lines for each side (30)")
    options = parser.parse_args(arguments)
    if options.tool is None:
        options.tool = MASSIF if options.name == "memory" else PERF if shutil.which("perf") else CALLGRIND
    return options


def main(arguments):
    options = options_of(arguments)
    if shutil.which("perf" if options.tool == PERF else "valgrind") is None:
        say(f"{options.tool} is not there: apt-get install linux-perf valgrind")
        return 77
    folder = ROOT / "build/bench"
    folder.mkdir(parents=True, exist_ok=True)
    made = certificates.make(folder / "certificates")
    profile = Profile(options.tool, folder, options.name)
    try:
        run(profile, CASES[options.name], building.our_programs(), Settings(str(made.chain), str(made.key), group=options.group))
        for side in ("server", "client"):
            unit = "bytes/connection" if options.tool == MASSIF else "%"
            parts = CASES[options.name][2]["count"] if options.tool == MASSIF else 1
            print(f"\n{options.name}, {side} ({profile.file(side).relative_to(ROOT)})\n")
            print(table.text(["", unit], [(name[:110], share / parts) for share, name in profile.rows(side, options.top)]))
    except (Failed, subprocess.TimeoutExpired) as why:
        say(f"error: {why}")
        return 1
    return 0
