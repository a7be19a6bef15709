# SPDX-License-Identifier: Apache-2.0
"""The command lines of our programs and of the peers, and what they answer."""

import dataclasses
import json
import pathlib
import re

from . import NotApplicable
from .certificates import AUTHORITY

OURS = "strata"
H3, HQ = "h3", "hq-interop"
H3_NO_ERROR = 0x100
CERTIFICATE_REFUSED = 60


@dataclasses.dataclass
class ServerOptions:
    host: str
    folder: pathlib.Path
    chain: pathlib.Path
    key: pathlib.Path
    keylog: pathlib.Path
    qlog: pathlib.Path | None = None
    retry: bool = False
    ciphers: str = ""
    close_code: int | None = None
    key_update: int | None = None


@dataclasses.dataclass
class ClientOptions:
    alpn: str
    address: tuple
    authority_certificate: pathlib.Path
    paths: list
    output: pathlib.Path
    keylog: pathlib.Path
    limit: float
    qlog: pathlib.Path | None = None
    ciphers: str = ""
    key_update: int | None = None
    linger: float = 0
    idle: float = 0
    """After so many seconds of silence a client gives up; 0: its own default."""
    parallel: int = 100


@dataclasses.dataclass
class Outcome:
    """How a client ended."""

    code: int
    seconds: float
    stdout: str
    stderr: str

    @property
    def report(self):
        reports = json_lines(self.stdout)
        return reports[-1] if reports else {}


def json_lines(text):
    return [json.loads(line) for line in text.splitlines() if line.startswith("{") and line.endswith("}")]


def join_address(address):
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Program:
    """What a scenario may ask of a client or a server; a feature that it lacks stands in `lacks` with the reason."""

    name = ""
    lacks = {}
    # RFC 9000, section 8.1: three times what has come from an address that is not validated.
    amplification = 3.0

    def can(self, feature):
        return feature not in self.lacks

    def demand(self, feature):
        if not self.can(feature):
            raise NotApplicable(f"{self.name}: {self.lacks[feature]}")


class Strata(Program):
    name = OURS
    lacks = {
        "ciphers": "has no option for cipher suites",
        "key update": "has no option for key updates",
        "close code": "has no option for close codes",
        "closing report": "the server does not print how a connection ended",
        "linger": "the client does not wait for the server to close",
    }

    def __init__(self, folder):
        self.server, self.client = folder / "h3-server", folder / "h3-client"

    def server_command(self, options):
        command = [self.server, options.folder, "--listen", join_address((options.host, 0)), "--cert", options.chain,
                   "--key", options.key, "--keylog", options.keylog]
        if options.qlog:
            command += ["--qlog", options.qlog]
        if options.retry:
            command += ["--retry"]
        return command

    def client_command(self, options):
        port = options.address[1]
        command = [self.client, "-f", "--output-dir", options.output, "--remote-name-all", "--parallel-max", options.parallel,
                   "--connect-to", join_address(options.address), "--cacert", options.authority_certificate,
                   "--max-time", int(options.limit), "--keylog", options.keylog]
        if options.qlog:
            command += ["--qlog", options.qlog]
        if options.alpn != H3:
            command += ["--alpn", options.alpn]
        return [*command, *(f"https://{AUTHORITY}:{port}{path}" for path in options.paths)]

    def saw_close(self, outcome, code):
        return re.search(rf"0x0*{code:x}\b", outcome.stderr, re.IGNORECASE) is not None

    def refused_certificate(self, outcome):
        return outcome.code == CERTIFICATE_REFUSED, f"exit {CERTIFICATE_REFUSED}"


class Peer(Program):
    """All peers take and print the same: see README.md."""

    # quic-go and quinn send one more datagram while they are under the limit; the public interop runner lets that pass, too.
    amplification = 4.0

    def __init__(self, name, built):
        self.name = name
        self.command = built.command

    def server_command(self, options):
        command = [*self.command, "server", "--listen", join_address((options.host, 0)), "--dir", options.folder,
                   "--cert", options.chain, "--key", options.key]
        if options.retry:
            command += ["--retry"]
        if options.close_code is not None:
            command += ["--close-code", hex(options.close_code)]
        return command + self._shared(options)

    def client_command(self, options):
        listing = options.output.with_name("paths.txt")
        listing.write_text("\n".join(options.paths) + "\n", encoding="utf-8")
        command = [*self.command, "client", "--alpn", options.alpn, "--connect", join_address(options.address),
                   "--authority", AUTHORITY, "--cacert", options.authority_certificate, "--parallel", options.parallel,
                   "--output-dir", options.output, "--paths-file", listing]
        if options.linger:
            command += ["--linger", options.linger]
        if options.idle:
            command += ["--idle-timeout", options.idle]
        return command + self._shared(options)

    @staticmethod
    def _shared(options):
        command = ["--keylog", options.keylog]
        if options.qlog:
            command += ["--qlog", options.qlog]
        if options.ciphers:
            command += ["--ciphers", options.ciphers]
        if options.key_update is not None:
            command += ["--key-update", options.key_update]
        return command

    def saw_close(self, outcome, code):
        report = outcome.report
        return report.get("close_code") == code and report.get("close_space") == "application"

    def refused_certificate(self, outcome):
        return outcome.code not in (0, 22), "a failed handshake"
