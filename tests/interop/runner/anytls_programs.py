# SPDX-License-Identifier: Apache-2.0
"""The programs of ./dev interop anytls: each is a SOCKS5 proxy in front of an anytls client, and an anytls server."""

import dataclasses
import json
import pathlib
import re

from . import NotApplicable
from .cell import Server
from .certificates import AUTHORITY, Certificates
from .programs import join_address

PASSWORD = "a password of the suite"
GO, SING_BOX = "sing-anytls", "sing-box"
CLIENT, SERVER = "anytls-client", "anytls-server"
SCHEME = "stop=4\n0=20-20\n1=120-300\n2=40-90,c,40-90\n3=9-9,200-300\n"
SING_DATAGRAM = 16_000
"""A packet buffer of sing has 16 KiB, with room in front for headers."""


@dataclasses.dataclass
class Options:
    """What a scenario asks of one program."""

    certificates: Certificates
    folder: pathlib.Path
    server: tuple = ()
    password: str = PASSWORD
    version: int = 2
    reuse: bool = True
    await_answer: bool = False
    datagrams: int = 2
    connected: bool = False
    padding: pathlib.Path | None = None
    fallback: bool = False

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path


class Program:
    """`lacks` says why it cannot do what a scenario asks, by that option's name."""

    lacks = {}
    largest_datagram = SING_DATAGRAM
    half_closes = False
    connects_each = True
    """In the mode with a stream for one target: whether the second target of an association has its own."""
    running = Server

    def __init__(self, name, command):
        self.name = name
        self.command = [str(part) for part in command]

    def demand(self, **asked):
        for option in asked:
            if option in self.lacks:
                raise NotApplicable(f"{self.name} {self.lacks[option]}")


class Ours(Program):
    lacks = {"connected": "sends datagrams in the mode with addresses only", "datagrams": "asks for version 2 of udp-over-tcp only",
             "fallback": "closes when it is asked for something else"}
    largest_datagram = 65_497
    half_closes = True

    def __init__(self, name, folder):
        super().__init__(name, [])
        self.folder = folder

    def client_command(self, options):
        switches = [] if options.reuse else ["-no-reuse"]
        switches += ["-v1"] if options.version == 1 else []
        switches += ["-await"] if options.await_answer else []
        return [self.folder / CLIENT, "-l", "127.0.0.1:0", "-s", join_address(options.server), "-p", options.password,
                "-sni", AUTHORITY, "-ca", options.certificates.authority, *switches]

    def server_command(self, options):
        switches = ["-v1"] if options.version == 1 else []
        switches += ["-padding", options.padding] if options.padding else []
        return [self.folder / SERVER, "-l", "127.0.0.1:0", "-p", options.password, "-cert", options.certificates.chain,
                "-key", options.certificates.key, *switches]


class GoAnytls(Program):
    lacks = {"reuse": "always reuses its sessions", "await_answer": "never waits for the server's answer"}
    largest_datagram = 65_497

    def client_command(self, options):
        switches = ["-uot-connect"] if options.connected else []
        return [*self.command, "client", "-server", join_address(options.server), "-password", options.password, "-sni", AUTHORITY,
                "-ca", options.certificates.authority, "-version", options.version, "-uot", options.datagrams, *switches]

    def server_command(self, options):
        switches = ["-padding", options.padding] if options.padding else []
        switches += ["-fallback"] if options.fallback else []
        return [*self.command, "server", "-password", options.password, "-cert", options.certificates.chain,
                "-key", options.certificates.key, "-version", options.version, *switches]


class SingBoxServer(Server):
    """It tells where it listens among its other messages."""

    def said(self):
        return re.sub(r"^.*tcp server started at ", "listening on ", self.complained(), flags=re.M)


class SingBox(Program):
    """It takes a configuration file, and stands for its inbound and its outbound."""

    lacks = {"version": "speaks version 2 only", "reuse": "always reuses its sessions",
             "await_answer": "never waits for the server's answer", "datagrams": "asks for version 2 of udp-over-tcp only",
             "fallback": "closes when it is asked for something else"}
    running = SingBoxServer
    connects_each = False

    def _command(self, options, name, inbound, outbound, rules=()):
        names = {"type": "hosts", "tag": "names", "predefined": {"localhost": ["127.0.0.1"]}}  # it would ask a server of the network
        text = json.dumps({"log": {"level": "info", "timestamp": False}, "inbounds": [inbound], "outbounds": [outbound],
                           "dns": {"servers": [names], "final": "names"},
                           "route": {"rules": list(rules), "default_domain_resolver": "names"}}, indent=1)
        return [*self.command, "run", "--disable-color", "-c", options.write(f"{name}.json", text)]

    def client_command(self, options):
        host, port = options.server
        inbound = {"type": "socks", "listen": "127.0.0.1", "listen_port": 0}
        outbound = {"type": "anytls", "server": host, "server_port": port, "password": options.password,
                    "tls": {"enabled": True, "server_name": AUTHORITY, "certificate_path": str(options.certificates.authority)}}
        rules = [{"action": "route-options", "udp_connect": True}] if options.connected else []
        return self._command(options, "client", inbound, outbound, rules)

    def server_command(self, options):
        inbound = {"type": "anytls", "listen": "127.0.0.1", "listen_port": 0,
                   "users": [{"name": "interop", "password": options.password}],
                   "tls": {"enabled": True, "certificate_path": str(options.certificates.chain),
                           "key_path": str(options.certificates.key)}}
        if options.padding:
            inbound["padding_scheme"] = options.padding.read_text(encoding="utf-8").splitlines()
        return self._command(options, "server", inbound, {"type": "direct"})


PEERS = {GO: GoAnytls, SING_BOX: SingBox}
