# SPDX-License-Identifier: Apache-2.0
"""The command line of ./dev bench."""

import argparse
import os
import pathlib
import shutil
import subprocess

from interop.runner import certificates

from . import Failed, anytls, building, endurance, handshake, http3, machine, memory, mux, pingpong, profile, proxy, quic, record, report, soak, table, tls
from .building import ROOT, say
from .programs import Settings
from .session import Session, program_list

BENCHES = {"quic": quic, "handshake": handshake, "pingpong": pingpong, "h3": http3, "memory": memory, "mux": mux, "anytls": anytls, "tls": tls,
           "proxy": proxy, "soak": soak, "endurance": endurance}


def options_of(arguments):
    parser = argparse.ArgumentParser(prog="./dev bench", description="Measures Strata beside other implementations.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{' '.join(BENCHES)}; all but soak and endurance when none is named; report draws the page")
    parser.add_argument("--runs", type=int, default=3, help="of each program, interleaved (3)")
    parser.add_argument("--repeats", type=int, default=2, help="of a run during which others worked on this machine (2)")
    parser.add_argument("--datagram", type=int, default=1452, help="UDP payload of all programs (1452)")
    parser.add_argument("--scale", type=float, default=1.0, help="0.01: everything a hundred times shorter")
    parser.add_argument("--congestion", metavar="NAME", help="TCP's congestion control for all programs, in a network of their own (the system's)")
    parser.add_argument("--no-peers", action="store_true", help="only our programs")
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "build", help="folder of bench.jsonl and the report")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.names if name not in (*BENCHES, "report")]:
        parser.error(f"unknown name {unknown[0]}; choose from: {' '.join(BENCHES)} report")
    return options


def commit():
    told = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return told.stdout.strip() or "unknown"


def recipes_of(names):
    """Of all peers that benches compare with; those for QUIC where a bench names none."""
    wanted = {peer for name in names for peer in getattr(BENCHES[name], "RECIPES", ("quinn", "quic-go"))}
    return [name for name in building.RECIPES if name in wanted]


def session_of(options, folder, names):
    folder.mkdir(parents=True, exist_ok=True)
    binaries = building.our_programs()
    built = {} if options.no_peers else {name: peer for name in recipes_of(names) if (peer := building.peer(name, folder))}
    made = certificates.make(folder / "certificates")
    settings = Settings(str(made.chain), str(made.key), datagram=options.datagram)
    return Session(program_list(binaries, built), settings, str(binaries / "strata-limit-bench"), options.runs,
                   options.repeats, options.scale, binaries=binaries, built=built)


def measure(options, names):
    session = session_of(options, options.work.resolve() / "bench", names)
    if options.congestion:
        machine.isolate(options.congestion)
    mark = record.stamp(f"{machine.description()}, {machine.congestion()}", commit())
    say(f"machine: {mark['machine']}")
    for program in session.peers:
        say(f"{program.name}: {program.version}")
    for name in names:
        say(f"==> bench {name}")
        BENCHES[name].measure(session)
    record.append(options.work / "bench.jsonl", session.figures, mark)
    show_goals(session.figures)


def show_goals(figures):
    goals = [figure for figure in figures if figure.goal is not None]
    if goals:
        print("\nWhat was to be reached\n" + "\n".join("  " + table.verdict(figure) for figure in goals))
    if busy := max((figure.others for figure in figures), default=0.0) if figures else 0.0:
        if busy > machine.BUSY_SHARE:
            print(f"\nThe machine was busy: others used up to {busy:.2f} of a core during runs that were repeated and counted.")


def main(arguments):
    if arguments[:1] == ["profile"]:
        return profile.main(arguments[1:])
    options = options_of(arguments)
    names = [name for name, bench in BENCHES.items() if name in options.names or not (options.names or hasattr(bench, "ALONE"))]
    if shutil.which("openssl") is None:
        say("no openssl program, which makes the certificates: nothing can run")
        return 77
    os.environ.setdefault("LC_ALL", "C")
    try:
        if names:
            measure(options, names)
    except (Failed, subprocess.TimeoutExpired) as why:
        say(f"error: {why}")
        return 1
    if "report" in options.names or not options.names:
        path = report.write(options.work)
        print(f"\nreport: {path}" if path else "\nreport: nothing has been measured yet")
    return 0
