# SPDX-License-Identifier: Apache-2.0
"""Both ends of a tunnel over WebSocket: each is a SOCKS5 proxy in front of a client, and a server."""

import base64
import dataclasses
import re

from . import proxy_programs
from .cell import Server
from .ech_keys import HIDDEN, RESOLVER
from .programs import join_address

UUID, ANOTHER_UUID = "0b7e6a3e-5d3c-4a52-9f9b-6d0c5a1e7f21", "9d1d4c1a-33ab-4b0e-8a5d-2f7b1f0c9e55"
GO = "go-tunnel"


@dataclasses.dataclass
class Asked:
    """What a scenario asks of one program."""

    world: object
    mode: str = "yamux"
    secure: bool = True
    uuid: str = UUID
    certificate: object = None
    """Of a server; else the one of both names."""
    keys: tuple = ()
    """ECH keys of a server."""
    server: tuple = ()
    """Where a client finds it."""
    offer: object = None
    """The ECH key that DNS has, for a client."""
    resolver: tuple = ()
    """Where DNS is, for a client with ECH that asks it."""


class TunnelEnd(Server):
    """strata-proxy tells where its tunnels are in words of their own."""

    def said(self):
        return re.sub(r"^tunnels on ", "listening on ", super().said(), flags=re.M)


class GoTunnel:
    half_closes = False
    asks_dns = False
    tells_refusals = False
    tries_again = False
    most_sessions = 1

    def __init__(self, name, command):
        self.name = name
        self.command = [*command]

    def server(self, cell, name, asked):
        words = ["--certificate", asked.certificate or asked.world.both, "--key", asked.world.key] if asked.secure else []
        words += [word for key in asked.keys for word in ("--ech-key", key.path)]
        return Server([*self.command, "server", "--uuid", asked.uuid, *words], cell.folder, name)

    def client(self, cell, name, asked):
        url = f"wss://{HIDDEN}:{asked.server[1]}/" if asked.secure else f"ws://{join_address(asked.server)}/"
        words = ["--roots", asked.world.authority, "--address", join_address(asked.server)] if asked.secure else []
        words += ["--ech", asked.offer.record] if asked.offer else []
        return Server([*self.command, "client", "--uuid", asked.uuid, "--url", url, "--mode", asked.mode, *words], cell.folder, name)


class OurTunnel:
    """strata-proxy, with a configuration of its own for each start."""

    half_closes = True
    """Its end is held back until the server's has come."""
    asks_dns = True
    tells_refusals = True
    """Where the wire has an answer: in simple mode."""
    tries_again = True
    """With what a server names that rejects ECH, once."""
    most_sessions = 2
    """The second one when a stream is open on the first."""

    def __init__(self, name, folder):
        self.name = name
        self.folder = folder

    def _start(self, cell, name, lines, kind):
        path = cell.folder / f"{name}.toml"
        direct = ["[[outbound]]", 'name = "direct"', 'type = "direct"', 'allow = ["127.0.0.0/8", "::1"]']
        path.write_text("\n".join([*lines, *direct]) + "\n", encoding="utf-8")
        return kind([self.folder / proxy_programs.Ours.PROGRAM, "--config", path], cell.folder, name)

    def server(self, cell, name, asked):
        lines = ["drain = 1", "[[tunnel_server]]", 'listen = "127.0.0.1:0"', f'uuid = "{asked.uuid}"']
        if asked.secure:
            keys = ", ".join(f'"{key.path}"' for key in asked.keys)
            lines += [f'certificate = "{asked.certificate or asked.world.both}"', f'key = "{asked.world.key}"', f"ech_keys = [{keys}]"]
        return self._start(cell, name, lines, TunnelEnd)

    def client(self, cell, name, asked):
        lines = ['default = "tunnel"', 'access_log = "-"', "drain = 1"]
        by_name = bool(asked.resolver)
        if by_name:
            lines += [f'doh = "https://{RESOLVER}:{asked.resolver[1]}/dns-query"', f'doh_address = "{join_address(asked.resolver)}"',
                      f'doh_ca = "{asked.world.authority}"']
        where = f"{HIDDEN}:{asked.server[1]}" if by_name else join_address(asked.server)
        lines += ["[[inbound]]", 'listen = "127.0.0.1:0"', "[[outbound]]", 'name = "tunnel"', 'type = "tunnel"', f'server = "{where}"',
                  f'uuid = "{asked.uuid}"', f"simple = {str(asked.mode == 'simple').lower()}"]
        if asked.secure:
            lines += ["[outbound.tls]", f'ca = "{asked.world.authority}"', f'server_name = "{HIDDEN}"', f"ech = {str(by_name).lower()}"]
        return self._start(cell, name, lines, Server)


def configs_of(key):
    """An ECHConfigList as DNS has it, in bytes."""
    return base64.b64decode(key.record)


PEERS = {GO: GoTunnel}
