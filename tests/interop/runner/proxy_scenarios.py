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

from . import Failed, NotApplicable, anytls_programs, anytls_scenarios, associated, browsing, certificates, targets
from .anytls_scenarios import BULK, SMALL, expect_datagrams, expect_download, must_fail
from .proxy_programs import PLAIN_PASSWORD, USER
from .socks import Association, connect

INBOUND, APPLICATIONS, CHAINED, OUTBOUND = "inbound", "applications", "chained", "outbound"
WHO = (USER, PLAIN_PASSWORD)
UUID = "d342d11e-d424-4583-b36e-524ab1f0afa4"
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


def way_out(cell, kind, address, user):
    """An outbound of strata-proxy through the peer."""
    lines = ["[[outbound]]", 'name = "peer"', f'type = "{kind}"', f'server = "{address[0]}:{address[1]}"']
    if kind == "anytls":
        password = user[1] if user else anytls_programs.PASSWORD
        return [*lines, f'password = "{password}"', "[outbound.tls]", f'server_name = "{certificates.AUTHORITY}"',
                f'ca = "{cell.certificates().authority}"']
    return lines + ([f'user = "{user[0]}"', f'password = "{user[1]}"'] if user else [])


def behind(kind, user=None):
    """A strata-proxy whose way out is the peer, as those scenarios want it that tell nothing of proxies."""
    def start(cell):
        lines = way_out(cell, kind, cell.server.start(cell, kind, user), user)
        proxy = cell.client.start(cell, configuration(outbound="\n".join(lines), default="peer"))
        both = types.SimpleNamespace(name=cell.server.name, half_closes=cell.server.half_closes, connects_each=True, early=kind in cell.server.early,
                                     largest_datagram=min(60_000, cell.server.largest_datagram))
        return types.SimpleNamespace(client=both, server=both, folder=cell.folder, start_both=lambda **_: proxy)
    return start


def in_front_of(kind, user=None):
    """A client by others that leads into strata-proxy, likewise. Of anytls the tunnel server is the way in."""
    def start(cell):
        peer = cell.client
        if kind == "anytls":
            made, who = cell.certificates(), (USER, anytls_programs.PASSWORD)
            server = cell.server.start_tunnels(cell, configuration(outbound="\n".join([
                "[[tunnel_server]]", 'listen = "127.0.0.1:0"', f'uuid = "{UUID}"', f'certificate = "{made.chain}"', f'key = "{made.key}"',
                f'anytls_passwords = ["{who[1]}"]'])))
        else:
            who, server = user, cell.server.start(cell, configuration(users=[user] if user else ()))

        def start_both(client=()):
            return peer.start_client(cell, kind, server, who, **dict(client))

        both = types.SimpleNamespace(name=peer.name, half_closes=False, connects_each=peer.connects_each, early=True,
                                     largest_datagram=min(60_000, peer.largest_datagram))
        return types.SimpleNamespace(client=both, server=both, folder=cell.folder, start_both=start_both)
    return start


def onwards(kind, scenario, user=None):
    return lambda cell: scenario(behind(kind, user)(cell))


def inwards(kind, scenario, user=None):
    return lambda cell: scenario(in_front_of(kind, user)(cell))


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
        lines = way_out(cell, kind, cell.server.start(cell, kind, WHO), (USER, "wrong"))
        proxy = cell.client.start(cell, configuration(outbound="\n".join(lines), default="peer"))
        with targets.Orders() as orders:
            must_fail(proxy, orders.address)
            if orders.accepted:
                raise Failed("the target was dialled with a wrong password")
    return run


def page(scheme):
    """The browser shows a page, which speaks to its origin over a WebSocket."""
    def run(cell):
        if not hasattr(cell.client, "browse"):
            raise NotApplicable(f"{cell.client.name} shows no pages")
        proxy = cell.server.start(cell, configuration())
        with browsing.Site() as site:
            site.expect_report(cell.client.browse(cell, scheme, proxy, site.url()), cell.scenario.limit)
    return run


def names(cell):
    """Of a name server beyond the proxy, by UDP ASSOCIATE."""
    if not hasattr(cell.client, "ask"):
        raise NotApplicable(f"{cell.client.name} asks no name server")
    proxy = cell.server.start(cell, configuration())
    with associated.NameServer() as server, associated.Entry(proxy, server.address) as entry:
        for name, kind, wanted in ((associated.HOST, "A", ("NOERROR", [associated.ADDRESS])),
                                   (associated.LONG, "TXT", ("NOERROR", [f'"{text}"' for text in associated.TEXTS])),
                                   (associated.NONE, "A", ("NXDOMAIN", []))):
            if (told := cell.client.ask(entry.address, name, kind)) != wanted:
                raise Failed(f"{name} {kind}: {told} instead of {wanted}")


def own_datagrams(cell):
    """The program itself asks for the association."""
    if not hasattr(cell.client, "datagrams"):
        raise NotApplicable(f"{cell.client.name} asks for no association")
    proxy = cell.server.start(cell, configuration())
    with targets.Echo() as echoes:
        cell.client.datagrams(proxy, echoes.address, [SMALL, 0, 1, 1472, 9000, 60_000])


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


def application_scenarios():
    for scheme in ("socks4", "socks5", "http"):
        yield ProxyScenario(f"page-{scheme}", "a page with a WebSocket in it", page(scheme), APPLICATIONS)
    yield ProxyScenario("names", "of a name server, by UDP ASSOCIATE", names, APPLICATIONS)
    yield ProxyScenario("datagrams", "of 0 to 60,000 bytes, by UDP ASSOCIATE", own_datagrams, APPLICATIONS, True)


def chained_scenarios():
    """An application, a client by others that is a proxy itself, strata-proxy."""
    for kind in ("socks4a", "socks5", "http", "anytls"):
        tried = (("echo", "there and back, to a name, too", echo), ("bulk", "100 MB down", bulk),
                 ("first", "the target speaks first", anytls_scenarios.server_first),
                 ("at-once", "50 connections at once", anytls_scenarios.at_once))
        for name, what, scenario in tried:
            yield ProxyScenario(f"from-{kind}-{name}", what, inwards(kind, scenario), CHAINED)
        if kind in ("socks5", "anytls"):
            yield ProxyScenario(f"from-{kind}-udp", "datagrams", inwards(kind, datagrams), CHAINED)
        if kind in ("socks5", "http"):
            yield ProxyScenario(f"from-{kind}-user", "with a password", inwards(kind, echo, WHO), CHAINED)
    for name, what, scenario in (("name", "to a name", anytls_scenarios.datagram_name), ("two", "to two targets", anytls_scenarios.two_targets),
                                 ("sizes", "of 0 to 60,000 bytes", anytls_scenarios.sizes),
                                 ("connected", "over a stream for one target", lambda cell: anytls_scenarios.sizes(cell, connected=True)),
                                 ("first", "in version 1", lambda cell: anytls_scenarios.sizes(cell, datagrams=1))):
        yield ProxyScenario(f"from-anytls-udp-{name}", f"datagrams, {what}", inwards("anytls", scenario), CHAINED)


def outbound_scenarios():
    for kind in ("socks", "http", "anytls"):
        tried = (("echo", "there and back, to a name, too", echo, True), ("bulk", "100 MB down", bulk, False),
                 ("first", "the target speaks first", anytls_scenarios.server_first, True),
                 ("half", "half an end is kept", half, False),
                 ("at-once", "50 connections at once", anytls_scenarios.at_once, False), ("refused", "by the target", refused, True))
        for name, what, scenario, fast in tried:
            yield ProxyScenario(f"{kind}-{name}", what, onwards(kind, scenario), OUTBOUND, fast)
        if kind != "anytls":  # which always has one
            yield ProxyScenario(f"{kind}-user", "with a password", onwards(kind, echo, WHO), OUTBOUND, True)
        yield ProxyScenario(f"{kind}-wrong", "a wrong password dials nothing", wrong_password(kind), OUTBOUND)
        if kind != "http":
            yield ProxyScenario(f"{kind}-udp", "datagrams", onwards(kind, datagrams), OUTBOUND)


SCENARIOS = (*inbound_scenarios(), *application_scenarios(), *chained_scenarios(), *outbound_scenarios())
