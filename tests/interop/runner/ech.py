# SPDX-License-Identifier: Apache-2.0
"""./dev interop ech: Encrypted Client Hello with implementations of others, both ways."""

import contextlib

from . import Failed, NotApplicable, building, ech_keys
from .cell import describe, last_words
from .ech_scenarios import QUIC, SCENARIOS, TLS
from .initials import QuicTap
from .programs import OURS, join_address, json_lines
from .suite import Program, Suite, SuiteCell
from .tap import Tap

TLS_PROGRAM, SERVER, CLIENT, KEYGEN = "strata-tls-peer", "h3-server", "h3-client", "ech-keygen"
# Clients of which a verdict about the public name cannot be had, and why.
BELIEVES_ANY_NAME = {"nss": "tstclnt does not compare the certificate of a rejection with the public name"}
# Clients that tell a rejection without other keys from no other failure.
TELLS_ONE_REJECTION = {"openssl": "s_client does not say whether a server that rejects ECH was proven"}


# What clients do by themselves, so that it cannot be asked of them.
OWN_POLICY = {"chromium": "Chromium's own policy is secure disable, for TLS 1.2 as well"}
# Servers that do not find what they ask for in a second hello that is encrypted.
WANTS_COOKIE = {"nss": "selfserv 3.87 misses its cookie in the second hello of OpenSSL and of Go alike"}
GIVES_UP_OVER_QUIC = {"chromium": "over QUIC Chromium does not try again"}
# Clients that open connections ahead, and try again out of sight.
OPENS_SEVERAL = ("chromium",)


class OverTls(Program):
    """Ours and the peers': README.md has what they take and print."""

    def server_command(self, cell, certificate, keys, options):
        command = [*self.command, "server", *self.protocol(cell), "--listen", "127.0.0.1:0", "--cert", certificate, "--key",
                   cell.world.key]
        return [*command, *(word for key in keys for word in ("--ech-key", key.path)), *options]

    def client_command(self, cell, address, offer, options):
        command = [*self.command, "client", *self.protocol(cell), "--connect", join_address(address), "--name", ech_keys.HIDDEN,
                   "--cacert", cell.world.authority]
        return [*command, *(("--ech", offer.record) if offer else ()), *options]

    @staticmethod
    def protocol(cell):
        return ["--quic"] if cell.scenario.protocol == QUIC else []

    @staticmethod
    def report(said):
        return (json_lines(said) or [{}])[-1]


class OverQuic(Program):
    """Our example programs."""

    def server_command(self, cell, certificate, keys, options):
        site = cell.folder / "site"
        site.mkdir()
        (site / "index.html").write_text(f"hello {ech_keys.HIDDEN}\n", encoding="ascii")
        command = [self.command[0] / SERVER, site, "--listen", "127.0.0.1:0", "--cert", certificate, "--key", cell.world.key]
        return [*command, *(word for key in keys for word in ("--ech-key", key.path)), *options]

    def client_command(self, cell, address, offer, options):
        command = [self.command[0] / CLIENT, "-s", "-f", "--cacert", cell.world.authority, "--connect-to", join_address(address),
                   "-w", "json"]
        return [*command, *(("--ech", offer.record) if offer else ()), *options, f"https://{ech_keys.HIDDEN}/index.html"]

    @staticmethod
    def report(said):
        figures = (json_lines(said) or [{}])[-1]
        return {"ech": figures.get("ech"), "retried": figures.get("ech_retried")}


class EchCell(SuiteCell):
    def __init__(self, folder, scenario, pair):
        super().__init__(folder, scenario, pair)
        keygens = [each.keygen for each in pair if each.name == OURS]
        self.world = ech_keys.make(folder.parent / "keys", keygens[0] if keygens else None)
        self._open = contextlib.ExitStack()

    def start_server(self, *options, keys=(), certificate=None):
        server = self.start(self.server.server_command(self, certificate or self.world.both, keys, options))
        self._tap = self._open.enter_context((Tap if self.scenario.protocol == TLS else QuicTap)(server.address))
        self._address = self._tap.address

    def visit(self, *options, offer=None, well=True):
        """Runs the client, which has to end well, or not."""
        client, code = self.finish(self.client.client_command(self, self._address, offer, options))
        self._report = self.client.report(client.said())
        if (code == 0) == well:
            return
        self.blame_server()
        if well:
            raise Failed(f"the client ended with {describe(code)}: {last_words(client.complained())}")
        raise Failed("the client went on")

    def expect(self, status, connections, hidden, retried=False):
        """What the client says, and what was to be seen on the way."""
        told = self._report.get("ech")
        if told != status and not (status == "rejected" and told == "failed" and self.client.name in TELLS_ONE_REJECTION):
            raise Failed(f"the client says of ECH: {told}, not {status}")
        if self.client.name not in OPENS_SEVERAL and bool(self._report.get("retried")) != retried:
            raise Failed("the client tried again" if self._report.get("retried") else "the client did not try again")
        self._check_the_way(connections, hidden)
        self._server.still_runs()

    def _check_the_way(self, connections, hidden):
        seen = [bytes(each) for each in self._tap.connections if each]
        several = self.client.name in OPENS_SEVERAL
        if len(seen) < connections or (len(seen) > connections and not several):
            raise Failed(f"the client made {len(seen)} connections, not {connections}")
        shown = [ech_keys.HIDDEN.encode() in each for each in seen]
        if hidden and any(shown):
            raise Failed("the hidden name is seen on the way")
        if hidden and not all(ech_keys.PUBLIC.encode() in each for each in seen):
            raise Failed("the public name is not seen on the way")
        if not hidden and not shown[-1]:
            raise Failed("the name is not seen on the way")
        if any(shown[:connections - 1]):
            raise Failed("the hidden name is seen before the server has proven anything")

    def client_checks_public_name(self):
        if why := BELIEVES_ANY_NAME.get(self.client.name):
            raise NotApplicable(f"{self.client.name}: {why}")

    def client_tries_again(self):
        if self.scenario.protocol == QUIC and (why := GIVES_UP_OVER_QUIC.get(self.client.name)):
            raise NotApplicable(f"{self.client.name}: {why}")

    def server_reads_second_hellos(self):
        if self.client.name != self.server.name and (why := WANTS_COOKIE.get(self.server.name)):
            raise NotApplicable(f"{self.server.name}: {why}")

    def client_is_strict(self):
        if why := OWN_POLICY.get(self.client.name):
            raise NotApplicable(f"{self.client.name}: {why}")

    def client_tells_rejections(self):
        if why := TELLS_ONE_REJECTION.get(self.client.name):
            raise NotApplicable(f"{self.client.name}: {why}")

    def end(self, passed, keep):
        self._open.close()
        super().end(passed, keep)


def ours(folder, protocol):
    program = OverQuic(OURS, [folder]) if protocol == QUIC else OverTls(OURS, [folder / TLS_PROGRAM])
    program.keygen = folder / KEYGEN
    return program


SUITE = Suite(
    name="ech", what="Talks to implementations of Encrypted Client Hello.",
    recipes={TLS: building.ECH_RECIPES, QUIC: building.ECH_QUIC_RECIPES}, scenarios=SCENARIOS,
    binaries=(TLS_PROGRAM, SERVER, CLIENT, KEYGEN), ours=ours, cell=EchCell, program=OverTls,
    only_clients=frozenset({"chromium"}), with_ourselves=frozenset({TLS, QUIC}))


def main(arguments):
    return SUITE.main(arguments)
