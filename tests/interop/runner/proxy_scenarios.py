# SPDX-License-Identifier: Apache-2.0
"""What is tried through proxies. A scenario is a function of a ProxyCell: with the clients of others through strata-proxy (inbound), and
through strata-proxy and a proxy of others behind it (outbound)."""

import contextlib
import dataclasses
import hashlib
import http.server
import os
import socket
import threading
import types
from collections.abc import Callable

from . import Failed, NotApplicable, anytls_scenarios, targets
from .anytls_scenarios import BULK, SMALL, expect_datagrams, expect_download, must_fail
from .proxy_programs import PLAIN_PASSWORD, USER
from .socks import Association, connect

INBOUND, OUTBOUND = "inbound", "outbound"
WHO = (USER, PLAIN_PASSWORD)
CONTENT = bytes(range(256)) * 4000


@dataclasses.dataclass(frozen=True)
class ProxyScenario:
    name: str
    what: str
    run: Callable
    protocol: str = INBOUND
    fast: bool = False
    limit: float = 60.0


class Origin:
    """An HTTP server that answers GET with CONTENT, and PUT with the SHA-256 of what came."""

    def __init__(self):
        asked = self.asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def _answer(self, content):
                asked.append((self.command, self.path, dict(self.headers.items())))
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def do_GET(self):
                self._answer(CONTENT)

            def do_PUT(self):
                digest = hashlib.sha256()
                if "chunked" in self.headers.get("Transfer-Encoding", ""):
                    while size := int(self.rfile.readline(), 16):
                        digest.update(self.rfile.read(size))
                        self.rfile.readline()
                    self.rfile.readline()
                else:
                    digest.update(self.rfile.read(int(self.headers["Content-Length"])))
                self._answer(digest.hexdigest().encode())

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def url(self, host="127.0.0.1"):
        return f"http://{host}:{self.server.server_address[1]}/content"


def configuration(users=(), outbound="", default="direct"):
    lines = [f'default = "{default}"', "drain = 2", "[[inbound]]", 'listen = "127.0.0.1:0"', "bind = true"]
    for name, password in users:
        lines += ["[[inbound.user]]", f'name = "{name}"', f'password = "{password}"']
    lines += ["[[outbound]]", 'name = "direct"', 'type = "direct"', 'allow = ["127.0.0.0/8", "::1"]', outbound]
    return "\n".join(lines) + "\n"


def expect_content(got):
    if got != CONTENT:
        raise Failed(f"{len(got)} bytes came, of {len(CONTENT)}, or others")


def through(kind, names=("127.0.0.1",)):
    def run(cell):
        proxy = cell.server.start(cell, configuration())
        with Origin() as origin:
            for name in names:
                expect_content(cell.client.get(cell, kind, proxy, origin.url(name)))
    return run


def authenticated(kind):
    def run(cell):
        proxy = cell.server.start(cell, configuration(users=[WHO]))
        with Origin() as origin:
            expect_content(cell.client.get(cell, kind, proxy, origin.url(), WHO))
            for who in ((USER, "wrong"), None):
                with contextlib.suppress(Failed):
                    cell.client.get(cell, kind, proxy, origin.url(), who)
                    raise AssertionError(f"{kind} let {who} in")
            if any("Proxy-Authorization" in fields for _, _, fields in origin.asked):
                raise Failed("the origin saw the password")
    return run


def nobody_there(kind):
    """The client is told, and does not wait."""
    def run(cell):
        proxy = cell.server.start(cell, configuration())
        with socket.socket() as closed, Origin() as origin:
            closed.bind(("127.0.0.1", 0))
            try:
                cell.client.get(cell, kind, proxy, f"http://127.0.0.1:{closed.getsockname()[1]}/")
            except Failed:
                expect_content(cell.client.get(cell, kind, proxy, origin.url()))
                return
        raise Failed("it came from nobody")
    return run


def upload(kind):
    def run(cell):
        cell.demand_put()
        proxy = cell.server.start(cell, configuration())
        path = cell.folder / "upload"
        path.write_bytes(os.urandom(3_000_000))
        with Origin() as origin:
            told = cell.client.put(kind, proxy, origin.url(), path)
        if told.decode() != hashlib.sha256(path.read_bytes()).hexdigest():
            raise Failed("the origin got other bytes")
    return run


def behind(kind, user=None):
    """A strata-proxy whose way out is the peer, as those scenarios want it that tell nothing of proxies."""
    def start(cell):
        host, port = cell.server.start(cell, kind, user)
        lines = ["[[outbound]]", 'name = "peer"', f'type = "{kind}"', f'server = "{host}:{port}"']
        lines += [f'user = "{user[0]}"', f'password = "{user[1]}"'] if user else []
        proxy = cell.client.start(cell, configuration(outbound="\n".join(lines), default="peer"))
        both = types.SimpleNamespace(name=cell.server.name, half_closes=cell.server.half_closes, connects_each=True, early=kind in cell.server.early,
                                     largest_datagram=min(60_000, cell.server.largest_datagram))
        return types.SimpleNamespace(client=both, server=both, folder=cell.folder, start_both=lambda **_: proxy)
    return start


def onwards(kind, scenario, user=None):
    return lambda cell: scenario(behind(kind, user)(cell))


def echo(cell):
    proxy = cell.start_both()
    with targets.Orders() as orders:
        anytls_scenarios.echo_once(proxy, orders.address)
        anytls_scenarios.echo_once(proxy, ("localhost", orders.address[1]))


def half(cell):
    if not cell.server.half_closes:
        raise NotApplicable(f"{cell.server.name} ends both directions when the application ends one")
    anytls_scenarios.half_close(cell)


def bulk(cell):
    proxy = cell.start_both()
    with targets.Orders() as orders, connect(proxy, orders.address) as made:
        expect_download(made, BULK)


def refused(cell):
    """By the target; the application is told so and the next connection works."""
    if cell.server.early:
        raise NotApplicable(f"{cell.server.name} tells of success before it dials")
    proxy = cell.start_both()
    with targets.Orders() as orders, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        told = must_fail(proxy, closed.getsockname())
        if not told.startswith("the proxy answered"):
            raise Failed(f"the application was not told: {told}")
        anytls_scenarios.echo_once(proxy, orders.address)


def datagrams(cell):
    proxy = cell.start_both()
    if not cell.server.largest_datagram:
        raise NotApplicable(f"{cell.server.name} carries no datagrams")
    with targets.Echo() as echoes, Association(proxy) as association:
        expect_datagrams(association, echoes.address, [SMALL, 0, 1, 9000])


def wrong_password(kind):
    def run(cell):
        host, port = cell.server.start(cell, kind, WHO)
        lines = ["[[outbound]]", 'name = "peer"', f'type = "{kind}"', f'server = "{host}:{port}"', f'user = "{USER}"', 'password = "wrong"']
        proxy = cell.client.start(cell, configuration(outbound="\n".join(lines), default="peer"))
        with targets.Orders() as orders:
            must_fail(proxy, orders.address)
            if orders.accepted:
                raise Failed("the target was dialled with a wrong password")
    return run


KINDS = ("socks4", "socks4a", "socks5", "socks5h", "connect", "forward")
NAMED = {"socks4a", "socks5h", "connect", "forward"}


def inbound_scenarios():
    for kind in KINDS:
        names = ("127.0.0.1", "localhost") if kind in NAMED else ("127.0.0.1",)
        yield ProxyScenario(kind, f"a megabyte by {kind}" + (", also from a name" if kind in NAMED else ""), through(kind, names), fast=True)
    for kind in ("socks5", "connect", "forward"):
        yield ProxyScenario(f"{kind}-user", "with a password; a wrong one and none get nothing", authenticated(kind), fast=True)
        yield ProxyScenario(f"{kind}-nobody", "nobody is at the target: told at once", nobody_there(kind))
        yield ProxyScenario(f"{kind}-upload", "three megabytes by PUT", upload(kind))


def outbound_scenarios():
    for kind in ("socks", "http"):
        tried = (("echo", "there and back, to a name, too", echo, True), ("bulk", "100 MB down", bulk, False),
                 ("first", "the target speaks first", anytls_scenarios.server_first, True),
                 ("half", "half an end is kept", half, False),
                 ("at-once", "50 connections at once", anytls_scenarios.at_once, False), ("refused", "by the target", refused, True))
        for name, what, scenario, fast in tried:
            yield ProxyScenario(f"{kind}-{name}", what, onwards(kind, scenario), OUTBOUND, fast)
        yield ProxyScenario(f"{kind}-user", "with a password", onwards(kind, echo, WHO), OUTBOUND, True)
        yield ProxyScenario(f"{kind}-wrong", "a wrong password dials nothing", wrong_password(kind), OUTBOUND)
    yield ProxyScenario("socks-udp", "datagrams", onwards("socks", datagrams), OUTBOUND)


SCENARIOS = (*inbound_scenarios(), *outbound_scenarios())
