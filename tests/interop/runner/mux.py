# SPDX-License-Identifier: Apache-2.0
"""./dev interop mux: implementations of yamux and WebSocket by others, both ways."""

from . import Failed, building
from .cell import describe, last_words
from .mux_scenarios import SCENARIOS, WEBSOCKET, YAMUX
from .programs import OURS, join_address
from .suite import Program, Suite, SuiteCell

PROGRAM = "strata-mux-peer"
# What a library cannot do on the wire though its program ends in order.
SILENT_AT_THE_END = {"go-yamux": "sends a go away only with a code other than 0"}


class MuxCell(SuiteCell):
    """README.md has what the programs take and print."""

    def _command(self, program, mode, options):
        protocol = ["--protocol", self.scenario.protocol] if program.name == OURS else []
        return [*program.command, mode, *protocol, *options]

    def start_server(self, *options):
        return self.start(self._command(self.server, "server", ["--listen", "127.0.0.1:0", *options]))

    def run_client(self, address, *options):
        command = self._command(self.client, "client", ["--connect", join_address(address), *options, self.scenario.name])
        client, code = self.finish(command)
        if code != 0:
            self.blame_server()
            raise Failed(f"the client ended with {describe(code)}: {last_words(client.complained())}")

    @staticmethod
    def check_go_away(program, codes):
        if codes != [0] and not (program.name in SILENT_AT_THE_END and not codes):
            raise Failed(f"{program.name} said that it goes with {codes}, not [0]")


SUITE = Suite(
    name="mux", what="Talks to implementations of yamux and WebSocket.",
    recipes={YAMUX: building.YAMUX_RECIPES, WEBSOCKET: building.WEBSOCKET_RECIPES}, scenarios=SCENARIOS, binaries=(PROGRAM,),
    ours=lambda folder, _: Program(OURS, [folder / PROGRAM]), cell=MuxCell)


def main(arguments):
    return SUITE.main(arguments)
