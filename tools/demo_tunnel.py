# SPDX-License-Identifier: Apache-2.0
"""The second half of the demo: a download by SOCKS5 through a tunnel whose server's name nobody on the way may see.

Everything runs on loopback. Before the tunnel server and before the resolver stands a relay that keeps the bytes of both directions.
"""

import contextlib
import functools
import hashlib
import http.server
import pathlib
import shutil
import struct
import subprocess
import sys
import threading
import time
import types

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "interop"))
from runner import Failed, ech_keys, socks  # noqa: E402
from runner.doh import HTTPS, Resolver  # noqa: E402
from runner.ech_keys import HIDDEN, PUBLIC  # noqa: E402
from runner.tap import Tap  # noqa: E402
from runner.tunnel_programs import Asked, OurTunnel, configs_of  # noqa: E402

PROGRAMS = ("strata-proxy", "ech-keygen")
ORIGIN = "localhost"
"""Found by the tunnel server, not by whoever asks for it."""
SECONDS = 120
PIECE = 1 << 18
RECORD_HEADER, HANDSHAKE, CLIENT_HELLO, SERVER_NAME = 5, 22, 1, 0


class Plain(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@contextlib.contextmanager
def origin(site):
    """A plain web server of the folder; its port."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Plain, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def keys_of(folder, programs):
    """Certificates, with an ECH key where the programs know ECH; and why they do not."""
    try:
        return ech_keys.make(folder, programs / "ech-keygen"), ""
    except Failed as why:
        if "needs OpenSSL 4" not in str(why):
            raise
        return ech_keys.make(folder, None), str(why).rpartition("ech-keygen: ")[2]


def server_name(seen):
    """What a ClientHello (RFC 8446, section 4.1.2) names to everybody, or nothing."""
    size = struct.unpack_from(">H", seen, 3)[0] if len(seen) > RECORD_HEADER else 0
    hello = bytes(seen[RECORD_HEADER:RECORD_HEADER + size])
    if not hello or seen[0] != HANDSHAKE or hello[0] != CLIENT_HELLO:
        return ""
    place = 4 + 2 + 32
    place += 1 + hello[place]
    place += 2 + struct.unpack_from(">H", hello, place)[0]
    place += 1 + hello[place] + 2
    while place + 4 <= len(hello):
        kind, size = struct.unpack_from(">HH", hello, place)
        if kind == SERVER_NAME:
            return hello[place + 9:place + 4 + size].decode("ascii", "replace")
        place += 4 + size
    return ""


def fetch(proxy, port, name, path):
    """By curl, or by a few lines of ours where there is none; who it was."""
    url = f"http://{ORIGIN}:{port}/{name}"
    if shutil.which("curl"):
        done = subprocess.run(["curl", "--silent", "--show-error", "--fail", "--max-time", str(SECONDS), "--noproxy", "", "--proxy",
                               f"socks5h://{proxy[0]}:{proxy[1]}", "--output", str(path), url], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failed(f"curl ended with {done.returncode}: {done.stderr.strip()[-300:]}")
        return "curl"
    with socks.connect(proxy, (ORIGIN, port)) as made, path.open("wb") as out:
        made.settimeout(SECONDS)
        made.sendall(f"GET /{name} HTTP/1.0\r\nHost: {ORIGIN}\r\n\r\n".encode("ascii"))
        head = b""
        while b"\r\n\r\n" not in head:
            head += socks.read_exactly(made, 1)
        while piece := made.recv(PIECE):
            out.write(piece)
    return "a client in Python (there is no curl)"


def times_seen(name, taps):
    """In all that passed, both ways."""
    return sum(bytes(each).count(name.encode("ascii")) for tap in taps for each in (*tap.connections, *tap.answers))


def captured(tap):
    return sum(len(each) for each in (*tap.connections, *tap.answers))


class Run:
    """The download, and what was seen meanwhile."""

    def __init__(self, folder, programs, site, name):
        work = folder / "tunnel"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        cell, ours = types.SimpleNamespace(folder=work), OurTunnel("strata", programs)
        world, self.without = keys_of(work / "keys", programs)
        keys = [] if self.without else [world.current]
        with contextlib.ExitStack() as held:
            port = held.enter_context(origin(site))
            server = ours.server(cell, "server", Asked(world, keys=keys))
            held.callback(server.end)
            self.tap = held.enter_context(Tap(server.address, answers=True))
            self.resolver = held.enter_context(Resolver(world.resolver, world.key, {HIDDEN: configs_of(world.current)}))
            self.resolver_tap = held.enter_context(Tap(self.resolver.address, answers=True))
            client = ours.client(cell, "client", Asked(world, server=self.tap.address,
                                                       resolver=() if self.without else self.resolver_tap.address))
            held.callback(client.end)
            self.path = work / name
            began = time.monotonic()
            self.by = fetch(client.address, port, name, self.path)
            self.seconds = time.monotonic() - began
        self.names = [server_name(each) for each in self.tap.connections]

    def wrong(self, digest):
        """What must not be, in a sentence; nothing when all is well."""
        if hashlib.sha256(self.path.read_bytes()).digest() != digest:
            return f"{self.path.name} arrived changed through the tunnel"
        if captured(self.tap) < self.path.stat().st_size:
            return "the file did not pass where the tunnel's bytes were captured"
        if self.without:
            return ""
        if set(self.names) != {PUBLIC}:
            return f"the ClientHello does not name {PUBLIC} alone, but {self.names}"
        if times_seen(HIDDEN, [self.tap, self.resolver_tap]):
            return f"{HIDDEN} was seen on the way"
        if not any(kind == HTTPS for _, kind in self.resolver.asked):
            return "the resolver was not asked for the ECH configuration"
        return ""

    def rows(self):
        size = self.path.stat().st_size
        yield "bytes, compared by SHA-256", f"{size:,}"
        yield "rate, the relay that captures included", f"{size * 8 / self.seconds / 1e9:.2f} Gbit/s"
        yield "captured bytes of the tunnel's connection", f"{captured(self.tap):,}"
        yield "named to everybody in its ClientHello", ", ".join(dict.fromkeys(self.names))
        if self.without:
            return
        yield f"times that {HIDDEN} is in them", f"{times_seen(HIDDEN, [self.tap])}"
        yield "ECH configuration, from DNS over HTTPS", f"{sum(kind == HTTPS for _, kind in self.resolver.asked)} question"
        yield f"times that {HIDDEN} is in what DNS took", f"{times_seen(HIDDEN, [self.resolver_tap])}"


def run(folder, programs, site, name):
    """Raises Failed when it does not come through."""
    return Run(pathlib.Path(folder), pathlib.Path(programs), pathlib.Path(site), name)
