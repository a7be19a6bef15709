# SPDX-License-Identifier: Apache-2.0
"""What the benches share: the programs, the settings, and runs that are interleaved and watched."""

import dataclasses
import pathlib

from . import machine
from .building import say
from .programs import OURS, Program, Settings
from .record import median


@dataclasses.dataclass
class Session:
    programs: list
    settings: Settings
    limits: str
    """The program that measures this machine without a protocol."""
    runs: int = 3
    repeats: int = 2
    """Of a run during which others worked."""
    scale: float = 1.0
    """Below 1 everything is shorter, for trying the benches themselves."""
    figures: list = dataclasses.field(default_factory=list)
    binaries: pathlib.Path = pathlib.Path()
    """The folder of our programs, and ..."""
    built: dict = dataclasses.field(default_factory=dict)
    """... the peers by name, for benches that have programs of their own."""

    @property
    def ours(self):
        return next(program for program in self.programs if program.name == OURS)

    @property
    def peers(self):
        return [program for program in self.programs if program.name != OURS]

    def choose(self, *names):
        """Ours and the named peers, as far as they were built."""
        return [program for program in self.programs if program.name in (OURS, *names)]

    def size(self, whole, least=1):
        return max(least, int(whole * self.scale))

    def interleaved(self, what, programs, run):
        """run(program) gives (figures as a dict, CPU seconds used): `runs` rounds over all programs.

        Gives {name: Runs}."""
        found = {program.name: Runs() for program in programs}
        for turn in range(self.runs):
            order = programs[turn % len(programs):] + programs[:turn % len(programs)]
            for program in order:
                result, others = machine.measured(lambda program=program: run(program), self.repeats, say)
                found[program.name].add(result, others)
                note = f" (others used {others:.2f} of a core)" if others > machine.BUSY_SHARE else ""
                say(f"    {what}: {program.name}{note}")
        return found


    def compare(self, found, member, figure, goals=None):
        """Adds `figure`, completed with the medians of `member`, once for each peer of `found`; once without any peer."""
        ours = found[self.ours.name]
        whole = dataclasses.replace(figure, ours=ours.median(member), others=ours.others)
        peers = [peer for peer in self.peers if peer.name in found]
        for peer in peers:
            theirs = found[peer.name]
            self.figures.append(dataclasses.replace(
                whole, peer=peer.name, peer_version=peer.version, theirs=theirs.median(member), goal=(goals or {}).get(peer.name),
                others=max(ours.others, theirs.others)))
        if not peers:
            self.figures.append(whole)


class Runs:
    """Figures of several runs of one program."""

    def __init__(self):
        self.results = []
        self.others = 0.0

    def add(self, result, others):
        self.results.append(result)
        self.others = max(self.others, others)

    def median(self, name):
        return median([result[name] for result in self.results if result.get(name) is not None])


def program_list(binaries, built):
    """Ours, then every manner of running the peers that there are."""
    programs = [Program(OURS, "this tree", (str(binaries / "strata-quic-bench"),), (str(binaries / "strata-h3-bench"),),
                        flags=("--borrowed", "1"))]
    if quinn := built.get("quinn"):
        command = tuple(map(str, quinn.command))
        programs.append(Program("quinn current_thread", quinn.version, command, flags=("--runtime", "current")))
        programs.append(Program("quinn multi_thread", quinn.version, command, flags=("--runtime", "multi")))
    if quic_go := built.get("quic-go"):
        command = tuple(map(str, quic_go.command))
        programs.append(Program("quic-go", quic_go.version, command, command))
    return programs
