# SPDX-License-Identifier: Apache-2.0
"""The programs of ./dev interop proxy: clients that fetch through a proxy, and servers that are one."""

import json
import os
import re
import socket
import subprocess
import sys
import time

from . import Failed, NotApplicable, anytls_programs, building
from .cell import Running, Server, last_words
from .programs import join_address

USER, PASSWORD = "ann", "a password: with ünusual bytes"
PLAIN_PASSWORD = "secret"
START_SECONDS = 10


class Client:
    """`kinds` are the ways through a proxy that it knows."""

    kinds = ()

    def __init__(self, name, command):
        self.name = name
        self.command = [*command]

    def get(self, cell, kind, proxy, url, user=None):
        if kind not in self.kinds:
            raise NotApplicable(f"{self.name} does not speak {kind}")
        command = self.get_command(cell, kind, proxy, url, user)
        done = subprocess.run(command, capture_output=True, check=False, timeout=60, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            raise Failed(f"{self.name} ended with {done.returncode}: {last_words(done.stderr.decode(errors='replace'))}")
        return done.stdout

    def get_command(self, cell, kind, proxy, url, user):
        raise NotImplementedError


class Curl(Client):
    kinds = ("socks4", "socks4a", "socks5", "socks5h", "connect", "forward")

    def words(self, kind, proxy, user):
        scheme = "http" if kind in ("connect", "forward") else kind
        switches = ["--proxytunnel"] if kind == "connect" else []
        switches += ["--proxy-user", ":".join(user)] if user else []
        return [*self.command, "--silent", "--show-error", "--fail", "--max-time", "50", "--noproxy", "",
                "--proxy", f"{scheme}://{join_address(proxy)}", *switches]

    def get_command(self, cell, kind, proxy, url, user):
        return [*self.words(kind, proxy, user), url]

    def put(self, kind, proxy, url, path):
        command = [*self.words(kind, proxy, None), "--upload-file", str(path), url]
        done = subprocess.run(command, capture_output=True, check=False, timeout=60, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            raise Failed(f"curl ended with {done.returncode}: {last_words(done.stderr.decode(errors='replace'))}")
        return done.stdout


class PySocks(Client):
    kinds = ("socks4", "socks4a", "socks5", "socks5h", "connect")

    def get_command(self, cell, kind, proxy, url, user):
        host, port, path = re.fullmatch(r"http://([^/]*):(\d+)(/.*)", url).groups()
        named = "http" if kind == "connect" else kind
        return [*self.command, "get", named, proxy[0], str(proxy[1]), *(user or ("", "")), host.strip("[]"), port, path]


    def datagrams(self, proxy, target, sizes):
        command = [*self.command, "datagrams", proxy[0], str(proxy[1]), target[0], str(target[1]), *map(str, sizes)]
        done = subprocess.run(command, capture_output=True, check=False, timeout=60, stdin=subprocess.DEVNULL)
        if done.stdout.strip() != b"same":
            raise Failed(f"{self.name} ended with {done.returncode}: {last_words(done.stderr.decode(errors='replace'))}")


class Chromium(Client):
    """It knows proxies by their URL, and does not end by itself."""

    BROWSER = building.PEERS / "proxy-programs" / "browser.py"

    def browse(self, cell, scheme, proxy, url):
        home = cell.folder / "home"
        home.mkdir()
        command = [sys.executable, "-B", self.BROWSER, self.command[-1], home, f"{scheme}://{join_address(proxy)}", url]
        made = Running(command, cell.folder, "browser")
        cell.adopt(made)
        return made


class Dig(Client):
    def ask(self, address, name, kind):
        """(status, what the records say)"""
        command = [*self.command, f"@{address[0]}", "-p", str(address[1]), "+tries=2", "+time=10", "+notcp", name, kind]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, stdin=subprocess.DEVNULL)
        status = re.search(r"status: (\w+)", done.stdout)
        if done.returncode != 0 or not status:
            raise Failed(f"dig ended with {done.returncode}: {last_words(done.stdout + done.stderr)}")
        return status.group(1), re.findall(rf"^{re.escape(name)}\.\s+\d+\s+IN\s+{kind}\s+(.*)$", done.stdout, re.M)


class Proxychains(Client):
    """It takes over the connections of another program, which is this system's curl."""

    kinds = ("socks4", "socks5", "connect")

    def get_command(self, cell, kind, proxy, url, user):
        named = "http" if kind == "connect" else kind
        words = " ".join([named, proxy[0], str(proxy[1]), *(user or ())])
        path = cell.folder / "proxychains.conf"
        path.write_text(f"strict_chain\nquiet_mode\n[ProxyList]\n{words}\n", encoding="utf-8")
        return [*self.command, "-f", str(path), "curl", "--silent", "--show-error", "--fail", "--max-time", "50", "--noproxy", "*", url]


class FixedPort(Server):
    """A server that cannot say which port it got, so it is given one that was free."""

    def __init__(self, command, folder, name, port):
        self._port = port
        super().__init__(command, folder, name)

    def _wait_until_listening(self):
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            self.still_runs()
            try:
                socket.create_connection(("127.0.0.1", self._port), 1).close()
                return "127.0.0.1", self._port
            except OSError:
                time.sleep(0.02)
        self.end()
        raise Failed(f"the server does not listen within {START_SECONDS} s: {last_words(self.complained())}")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as once:
        return once.getsockname()[1]


class Upstream:
    """A proxy of others; `kinds` are what it can be asked for: socks, http, anytls."""

    kinds = ()
    largest_datagram = 0
    authenticates = True
    half_closes = False
    """Whether the other direction goes on when the application has ended one; most end both."""

    def __init__(self, name, command):
        self.name = name
        self.command = [*command]

    early = ()
    """The kinds that tell of success before they dial."""

    def start(self, cell, kind, user=None):
        """Where it is."""
        if kind not in self.kinds:
            raise NotApplicable(f"{self.name} is no {kind} proxy")
        if user and not self.authenticates:
            raise NotApplicable(f"{self.name} asks the system's users for their passwords")
        port = free_port()
        made = FixedPort(self.server_command(cell, kind, port, user), cell.folder, f"{self.name}-{kind}", port)
        cell.adopt(made)
        return made.address

    def server_command(self, cell, kind, port, user):
        raise NotImplementedError


class Microsocks(Upstream):
    kinds = ("socks",)

    def server_command(self, cell, kind, port, user):
        switches = ["-u", user[0], "-P", user[1]] if user else []
        return [*self.command, "-i", "127.0.0.1", "-p", str(port), *switches]


class Tinyproxy(Upstream):
    kinds = ("http",)

    def server_command(self, cell, kind, port, user):
        lines = [f"Port {port}", "Listen 127.0.0.1", "Timeout 60", "MaxClients 200", "Allow 127.0.0.1", "LogLevel Error"]
        lines += [f"BasicAuth {user[0]} {user[1]}"] if user else []
        path = cell.folder / "tinyproxy.conf"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return [*self.command, "-d", "-c", str(path)]


class Danted(Upstream):
    kinds = ("socks",)
    largest_datagram = 60_000
    authenticates = False
    half_closes = True

    def server_command(self, cell, kind, port, user):
        if os.geteuid() != 0:
            raise NotApplicable("danted wants to be started by root")
        text = f"""logoutput: stderr
internal: 127.0.0.1 port = {port}
external: 127.0.0.1
clientmethod: none
socksmethod: none
user.privileged: root
user.unprivileged: nobody
client pass {{ from: 127.0.0.0/8 to: 0.0.0.0/0 }}
socks pass {{ from: 127.0.0.0/8 to: 0.0.0.0/0 protocol: tcp udp }}
socks pass {{ from: 0.0.0.0/0 to: 127.0.0.0/8 command: udpreply }}
"""
        path = cell.folder / "danted.conf"
        path.write_text(text, encoding="utf-8")
        return [*self.command, "-f", str(path), "-p", str(cell.folder / "danted.pid")]


class AnytlsPeer(Upstream):
    """The programs of ./dev interop anytls, of which `PROGRAM` knows the command lines."""

    kinds = ("anytls",)
    PROGRAM = None
    connects_each = True

    def _options(self, cell, server=(), password=anytls_programs.PASSWORD, **asked):
        return anytls_programs.Options(certificates=cell.certificates(), folder=cell.folder, server=server, password=password, **asked)

    def start_anytls(self, cell):
        made = self.PROGRAM.running(self.PROGRAM(self.name, self.command).server_command(self._options(cell)), cell.folder, "server")
        cell.adopt(made)
        return made.address

    def start_client(self, cell, kind, proxy, user=None, **asked):
        """A client of the proxy that is itself one, of SOCKS; where it is."""
        if kind != "anytls":
            raise NotApplicable(f"{self.name} is no client of {kind} proxies")
        program = self.PROGRAM(self.name, self.command)
        program.demand(**asked)
        command = program.client_command(self._options(cell, proxy, user[1], **asked))
        made = self.PROGRAM.running(command, cell.folder, "client")
        cell.adopt(made)
        return made.address

    def start(self, cell, kind, user=None):
        return self.start_anytls(cell) if kind == "anytls" else super().start(cell, kind, user)


class SingAnytls(AnytlsPeer):
    PROGRAM = anytls_programs.GoAnytls
    largest_datagram = anytls_programs.GoAnytls.largest_datagram


class SingBox(AnytlsPeer):
    kinds = ("socks", "http", "anytls")
    early = ("http",)
    largest_datagram = 16_000
    PROGRAM = anytls_programs.SingBox
    connects_each = False
    VERSIONS = {"socks4a": "4a", "socks5": "5"}

    def _command(self, cell, name, inbound, outbound):
        names = {"type": "hosts", "tag": "names", "predefined": {"localhost": ["127.0.0.1"]}}
        text = json.dumps({"log": {"level": "error"}, "inbounds": [{"listen": "127.0.0.1", **inbound}], "outbounds": [outbound],
                           "dns": {"servers": [names], "final": "names"}, "route": {"default_domain_resolver": "names"}})
        path = cell.folder / f"{name}.json"
        path.write_text(text, encoding="utf-8")
        return [*self.command, "run", "--disable-color", "-c", str(path)]

    def server_command(self, cell, kind, port, user):
        users = {"users": [{"username": user[0], "password": user[1]}]} if user else {}
        return self._command(cell, "sing-box", {"type": kind, "listen_port": port, **users}, {"type": "direct"})

    def start_client(self, cell, kind, proxy, user=None, **asked):
        if kind == "anytls":
            return super().start_client(cell, kind, proxy, user, **asked)
        version = {"version": self.VERSIONS[kind]} if kind in self.VERSIONS else {}
        who = {"username": user[0], "password": user[1]} if user else {}
        outbound = {"type": "socks" if version else "http", "server": proxy[0], "server_port": proxy[1], **version, **who}
        port = free_port()
        made = FixedPort(self._command(cell, "client", {"type": "mixed", "listen_port": port}, outbound), cell.folder, "client", port)
        cell.adopt(made)
        return made.address


class Ours:
    """strata-proxy, with a configuration of its own for each start."""

    PROGRAM = "strata-proxy"

    def __init__(self, name, folder):
        self.name = name
        self.folder = folder

    def start(self, cell, text, name="strata-proxy"):
        path = cell.folder / f"{name}.toml"
        path.write_text(text, encoding="utf-8")
        made = Server([str(self.folder / self.PROGRAM), "--config", str(path)], cell.folder, name)
        cell.adopt(made)
        return made.address

    def start_tunnels(self, cell, text):
        """Where its tunnel server is, which says so behind its inbounds."""
        self.start(cell, text, "tunnels")
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            if found := re.search(r"^tunnels on (\S+):(\d+)$", (cell.folder / "tunnels.stdout").read_text(encoding="utf-8"), re.M):
                return found.group(1), int(found.group(2))
            time.sleep(0.01)
        raise Failed("it does not say where its tunnel server is")


PROGRAMS = {"curl": Curl, "pysocks": PySocks, "proxychains4": Proxychains, "chromium": Chromium, "dig": Dig, "microsocks": Microsocks,
            "tinyproxy": Tinyproxy, "danted": Danted, "sing-box": SingBox, "sing-anytls": SingAnytls}


def program(name, command):
    return PROGRAMS[name](name, command)


__all__ = ["PASSWORD", "PLAIN_PASSWORD", "USER", "Ours", "Running", "program"]
