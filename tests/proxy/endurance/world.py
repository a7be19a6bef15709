# SPDX-License-Identifier: Apache-2.0
"""strata-proxy before a tunnel with Encrypted Client Hello, strata-proxy as the tunnel's server behind it, and what both need."""

import asyncio
import base64
import contextlib
import os
import pathlib
import re
import resource
import signal
import socket
import sys
import tempfile
import time
import urllib.request

TESTS = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TESTS / "interop"))
from runner import Failed, certificates, ech_keys  # noqa: E402  the line above has to come first
from runner.cell import Server  # noqa: E402
from runner.doh import Resolver  # noqa: E402

UUID = "d342d11e-d424-4583-b36e-524ab1f0afa4"
RESOLVER = "resolver.test"
WAYS = 8
"""Tunnels of one group: each has two sessions, of 128 streams."""
PATIENCE = 30


class Announced(Server):
    """One that has nothing but tunnels says that."""

    def said(self):
        return super().said().replace("tunnels on", "listening on")


class Daemon:
    """A strata-proxy that runs; its figures are those of /proc and of its own page."""

    def __init__(self, program, folder, name, text):
        path = folder / f"{name}.toml"
        path.write_text(text, encoding="utf-8")
        self._running = Announced([program, "--config", path], folder, name)
        self.name = name
        self.pid = self._running.child.pid

    def _place(self, what):
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            if found := re.search(rf"^{what} on (\S+):(\d+)$", self._running.said(), re.M):
                return found.group(1), int(found.group(2))
            time.sleep(0.01)
        raise Failed(f"{self.name} does not say where its {what} is")

    def listening(self):
        return self._running.address

    def signal(self, number):
        self._running.signal(number)
        if number in (signal.SIGKILL, signal.SIGTERM):
            self._running.child.wait(PATIENCE)

    def end(self):
        self._running.end()

    def still_runs(self):
        self._running.still_runs()

    def metric(self, name):
        host, port = self._place("admin")
        with urllib.request.urlopen(f"http://{host}:{port}/metrics", timeout=PATIENCE) as page:
            found = re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", page.read().decode(), re.M)
        return sum(map(float, found))

    def resident(self):
        """MiB."""
        text = pathlib.Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        return int(re.search(r"VmRSS:\s+(\d+)", text)[1]) / 1024

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def processor(self):
        """Seconds, user and system."""
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class World(contextlib.ExitStack):
    def __init__(self, program, folder):
        super().__init__()
        folder.mkdir(parents=True, exist_ok=True)
        self.program, self.folder = program, folder
        self.keys = ech_keys.make(folder / "keys", None)
        signer = certificates._authority(folder / "keys", "resolver")
        chain = certificates._leaf(folder / "keys", "doh", signer, f"DNS:{RESOLVER}")
        configs = {ech_keys.HIDDEN: base64.b64decode(self.keys.current.record)}
        self.resolver = self.enter_context(Resolver(chain, self.keys.key, configs))
        self.resolver_authority = signer[1]
        with socket.create_server(("127.0.0.1", 0)) as once:  # the server comes back where it was
            self.port = once.getsockname()[1]
        self._count = 0

    def start_server(self):
        self._count += 1
        text = f"""admin = "127.0.0.1:0"
access_log = "{self.folder}/server.log"
drain = 1
[[tunnel_server]]
listen = "127.0.0.1:{self.port}"
uuid = "{UUID}"
certificate = "{self.keys.both}"
key = "{self.keys.key}"
ech_keys = ["{self.keys.current.path}"]
anytls_passwords = ["secret"]
outbound = "direct"
[[outbound]]
name = "direct"
type = "direct"
allow = ["127.0.0.0/8"]
"""
        return self._start(f"server-{self._count}", text)

    def start_client(self):
        ways = "".join(f"""
[[outbound]]
name = "tunnel{number}"
type = "tunnel"
server = "{ech_keys.HIDDEN}:{self.port}"
uuid = "{UUID}"
[outbound.tls]
ech = true
ca = "{self.keys.authority}"
""" for number in range(WAYS))
        names = ", ".join(f'"tunnel{number}"' for number in range(WAYS))
        text = f"""admin = "127.0.0.1:0"
access_log = "{self.folder}/client.log"
default = "tunnels"
doh = "https://{RESOLVER}/dns-query"
doh_address = "{self.resolver.address[0]}:{self.resolver.address[1]}"
doh_ca = "{self.resolver_authority}"
[[inbound]]
listen = "127.0.0.1:0"
{ways}
[[outbound]]
name = "tunnels"
type = "group"
members = [{names}]
policy = "round_robin"
[[outbound]]
name = "direct"
type = "direct"
allow = ["127.0.0.0/8"]
[[rule]]
networks = ["127.0.0.2/32"]
outbound = "direct"
"""
        return self._start("client", text)

    def _start(self, name, text):
        until = time.monotonic() + PATIENCE
        while True:
            try:
                made = Daemon(self.program, self.folder, name, text)
                self.callback(made.end)
                return made
            except Failed:
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)  # what was killed may hold its port for a moment


def raise_limits():
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def run(scenario, parser):
    """A program's exit status: `scenario` is made of its options and a World, and its run() raises Failed where anything was wrong."""
    parser.add_argument("--bin", type=pathlib.Path, required=True, help="folder of strata-proxy")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", type=pathlib.Path, help="folder for logs; without: one that is gone afterwards")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that children end, too
    raise_limits()
    name = scenario.__name__.lower()
    with contextlib.ExitStack() as held:
        folder = options.work or pathlib.Path(held.enter_context(tempfile.TemporaryDirectory(prefix=f"strata-{name}-")))
        world = held.enter_context(World(options.bin.resolve() / "strata-proxy", folder.resolve()))
        try:
            asyncio.run(scenario(options, world).run())
        except Failed as why:
            print(f"{name}: {why}", file=sys.stderr)
            return 1
    return 0
