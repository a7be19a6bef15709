# SPDX-License-Identifier: Apache-2.0
"""What is tried through a tunnel over WebSocket. A scenario is a function of a TunnelCell."""

import contextlib
import dataclasses
import http.client
import socket
import ssl
import struct
import threading
import time

from . import Failed, NotApplicable, anytls_scenarios, targets
from .anytls_scenarios import BULK, ENOUGH_SECONDS, ONE_BY_ONE, echo_counted, echo_once, expect_closed, expect_download, must_fail
from .doh import HTTPS, Resolver
from .ech_keys import HIDDEN, PUBLIC
from .programs import OURS
from .proxy_scenarios import ProxyScenario
from .socks import connect
from .tap import Tap
from .tunnel_programs import ANOTHER_UUID, UUID, configs_of

TUNNEL = "tunnel"
YAMUX, SIMPLE = "yamux", "simple"
REJECTED, UNAVAILABLE, DNS_FAILED = "did not accept Encrypted Client Hello", "no ECH configuration in DNS", "name server"
PAGE_WORDS = b"Welcome to nginx!"
LONG = 600_000_000
FAST = ("echo", "half", "refused", "uuid", "ech")


@dataclasses.dataclass(frozen=True)
class TunnelScenario(ProxyScenario):
    protocol: str = TUNNEL
    mode: str = YAMUX


def plain(cell):
    """Without TLS, which somebody else does in front of the server."""
    proxy = cell.start_both(client={"secure": False}, server={"secure": False})
    with targets.Orders() as orders:
        echo_once(proxy, orders.address)


def half(cell):
    if not cell.client.half_closes:
        raise NotApplicable(f"{cell.client.name} ends both directions when the application ends one: a tunnel has no half close")
    anytls_scenarios.half_close(cell)


def both_ways(cell):
    """Up and down at once, on one connection: the echo of it all is read while it is written."""
    proxy = cell.start_both()
    with targets.Orders() as orders, connect(proxy, orders.address) as made:
        made.sendall(b"N" + struct.pack(">Q", BULK))
        writer = threading.Thread(target=made.sendall, args=(b"".join(targets.pattern(BULK)),), daemon=True)
        writer.start()
        if targets.sum_of(made, BULK) != (BULK, targets.pattern_sum(BULK)):
            raise Failed("other bytes came back, or another number of them")
        writer.join()


def long(cell):
    """So much that what is small in each message has to be small in all of them."""
    proxy = cell.start_both()
    with targets.Orders() as orders, connect(proxy, orders.address) as made:
        expect_download(made, LONG)


def one_by_one(cell):
    """How many WebSockets are made for connections that follow each other."""
    server = cell.start_server()
    with targets.Passage(server.address) as passage, targets.Orders() as orders:
        proxy = cell.start_client(passage.address).address
        for count in range(1, ONE_BY_ONE + 1):
            echo_counted(proxy, orders.address)
            expect_closed(orders, count)
        least, most = (1, cell.client.most_sessions) if cell.scenario.mode == YAMUX else (ONE_BY_ONE, ONE_BY_ONE)
        if not least <= passage.accepted <= most:
            raise Failed(f"{passage.accepted} WebSockets for {ONE_BY_ONE} connections, not {most}")


def refused(cell):
    """By the target. In simple mode the server says so, and a client may tell; in yamux mode the stream ends."""
    proxy = cell.start_both()
    with targets.Orders() as orders, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        echo_once(proxy, orders.address)
        told = must_fail(proxy, closed.getsockname())
        if cell.scenario.mode == SIMPLE and cell.client.tells_refusals and not told.startswith("the proxy answered"):
            raise Failed(f"the application was not told that the target refused: {told}")
        echo_once(proxy, orders.address)


def wrong_uuid(cell):
    server = cell.start_server()
    with targets.Orders() as orders:
        must_fail(cell.start_client(server.address, uuid=ANOTHER_UUID).address, orders.address)
        if orders.accepted:
            raise Failed("the server dialled for a client with another UUID")
        echo_once(cell.start_client(server.address).address, orders.address)


def page(cell):
    """An ordinary HTTPS client sees a web server; who has the UUID but no WebSocket does so, too."""
    if cell.server.name != OURS:
        raise NotApplicable("only the server is asked, and it is not ours")
    server = cell.start_server()
    trust = ssl.create_default_context(cafile=str(cell.world.authority))
    for path, wanted in (("/", PAGE_WORDS), ("/index.html", PAGE_WORDS), (f"/{UUID}", PAGE_WORDS), ("/healthz", b"OK"), ("/health", b"OK")):
        with socket.create_connection(server.address, ENOUGH_SECONDS) as plainly, trust.wrap_socket(plainly, server_hostname=PUBLIC) as made:
            made.sendall(f"GET {path} HTTP/1.1\r\nHost: {PUBLIC}\r\nConnection: close\r\n\r\n".encode("ascii"))
            answer = http.client.HTTPResponse(made)
            answer.begin()
            content = answer.read()
            if answer.status != 200 or wanted not in content or (wanted == b"OK") != (content == b"OK"):
                raise Failed(f"{path} is answered with {answer.status}: {content[:60]!r}")
            if wanted == PAGE_WORDS and not answer.getheader("Server", "").startswith("nginx"):
                raise Failed(f"{path} is served by {answer.getheader('Server')}")
    server.still_runs()


def session_lost(cell):
    """The carrier breaks, not the server: the stream ends, the next one has another session."""
    server = cell.start_server()
    with targets.Passage(server.address) as passage, targets.Orders() as orders:
        proxy = cell.start_client(passage.address).address
        for count in range(1, anytls_scenarios.TRIES + 1):
            with connect(proxy, orders.address) as made:
                made.sendall(b"E")
                anytls_scenarios.expect_echo(made)
                passage.cut()
                with contextlib.suppress(ConnectionResetError):
                    if made.recv(1):
                        raise Failed("bytes from nowhere")
            expect_closed(orders, 2 * count - 1)  # this one, and those of the rounds before
            cell.until_it_works(lambda: echo_once(proxy, orders.address))
        server.still_runs()


def wait_for(condition, complaint):
    until = time.monotonic() + ENOUGH_SECONDS
    while not condition():
        if time.monotonic() > until:
            raise Failed(complaint())
        time.sleep(0.01)


# With Encrypted Client Hello. What goes to the server and to the resolver is looked at.

class Way:
    """A server, what stands before it, and a client that is to hide where it goes."""

    def __init__(self, cell, held, offer=None, failing=False, **options):
        cell.need_ech()
        server = cell.start_server(**options)
        self.tap = held.enter_context(Tap(server.address))
        client = {"offer": offer}
        self.resolver = None
        if cell.client.asks_dns:
            configs = {HIDDEN: configs_of(offer)} if offer else {}
            self.resolver = held.enter_context(Resolver(cell.world.resolver, cell.world.key, configs, failing))
            self.before_resolver = held.enter_context(Tap(self.resolver.address))
            client = {"resolver": self.before_resolver.address}
        self.running = cell.start_client(self.tap.address, **client)
        self.proxy = self.running.address
        self._orders = held.enter_context(targets.Orders())

    def leads(self):
        echo_once(self.proxy, self._orders.address)

    def leads_nowhere(self, why):
        must_fail(self.proxy, self._orders.address)
        if self._orders.accepted:
            raise Failed("the target was dialled")
        if self.resolver:
            wait_for(lambda: why in self.running.said(), lambda: f"the access log does not say '{why}': {self.running.said().strip()[-300:]}")

    def expect(self, connections, most=0):
        seen = [bytes(each) for each in self.tap.connections if each]
        if not connections <= len(seen) <= max(most, connections):
            raise Failed(f"the client made {len(seen)} connections to the server, not {connections}")
        if any(HIDDEN.encode() in each for each in seen):
            raise Failed("the hidden name is seen on the way to the server")
        if not all(PUBLIC.encode() in each for each in seen):
            raise Failed("the public name is not seen on the way to the server")
        if not self.resolver:
            return
        if (HIDDEN, HTTPS) not in {(name.split("_https.")[-1], kind) for name, kind in self.resolver.asked}:
            raise Failed(f"the resolver was not asked for the configuration: {self.resolver.asked}")
        if any(HIDDEN.encode() in bytes(each) for each in self.before_resolver.connections):
            raise Failed("the hidden name is seen on the way to the resolver")


def hidden(cell):
    with contextlib.ExitStack() as held:
        way = Way(cell, held, offer=cell.world.current, keys=[cell.world.current])
        way.leads()
        way.leads()
        if cell.scenario.mode == YAMUX:
            way.expect(connections=1, most=cell.client.most_sessions)
        else:
            way.expect(connections=2)


def old_key(cell):
    with contextlib.ExitStack() as held:
        way = Way(cell, held, offer=cell.world.old, keys=[cell.world.current, cell.world.old])
        way.leads()
        way.expect(connections=1)


def stale(cell):
    """The server names other keys: once more with those, or nothing. Never without."""
    with contextlib.ExitStack() as held:
        way = Way(cell, held, offer=cell.world.stale, keys=[cell.world.current])
        if cell.client.tries_again:
            way.leads()
            way.expect(connections=2)
        else:
            way.leads_nowhere(REJECTED)
            way.expect(connections=1)


def without_keys(cell):
    """The server is whom it says it is, and has no ECH."""
    with contextlib.ExitStack() as held:
        way = Way(cell, held, offer=cell.world.current)
        way.leads_nowhere(REJECTED)
        way.expect(connections=1)


def unproven(cell):
    """The server has no certificate of the public name, so what it names is not believed."""
    with contextlib.ExitStack() as held:
        way = Way(cell, held, offer=cell.world.stale, keys=[cell.world.current], certificate=cell.world.hidden_only)
        way.leads_nowhere("error")
        way.expect(connections=1)


def of_dns(why, **options):
    def run(cell):
        if not cell.client.asks_dns:
            raise NotApplicable(f"{cell.client.name} is given its configuration by hand")
        with contextlib.ExitStack() as held:
            way = Way(cell, held, keys=[cell.world.current], **options)
            way.leads_nowhere(why)
            way.expect(connections=0)
    return run


def scenarios():
    ways = (("echo", "to IPv4, IPv6 and a name", anytls_scenarios.echo), ("first", "the target speaks first", anytls_scenarios.server_first),
            ("half", "all of the answer comes behind the application's end", half), ("refused", "by the target; the next one works", refused),
            ("uuid", "a wrong one dials nothing", wrong_uuid), ("at-once", "50 connections at once", anytls_scenarios.at_once),
            ("one-by-one", "30 connections one after another", one_by_one), ("plain", "without TLS", plain),
            ("upload", "100 MB on one connection, compared by SHA-256", anytls_scenarios.upload),
            ("download", "100 MB on one connection, compared by SHA-256", anytls_scenarios.download),
            ("long", "600 MB down on one connection", long),
            ("both-ways", "100 MB there and back at once", both_ways), ("ech", "the name is hidden, each time", hidden),
            ("returns", "the server is killed and comes back", anytls_scenarios.server_returns))
    for mode in (YAMUX, SIMPLE):
        for name, what, run in ways:
            yield TunnelScenario(f"{mode}-{name}", what, run, fast=name in FAST, mode=mode)
    yield TunnelScenario("session-lost", "the carrier breaks; the next connection has another", session_lost, fast=True)
    yield TunnelScenario("page", "an ordinary client gets a page, /healthz is answered", page, fast=True)
    yield TunnelScenario("ech-old", "the older one of two keys that the server has", old_key)
    yield TunnelScenario("ech-stale", "a key that the server has not", stale, fast=True)
    yield TunnelScenario("ech-without", "a server without keys leads nowhere", without_keys)
    yield TunnelScenario("ech-unproven", "keys named without proof lead nowhere", unproven)
    yield TunnelScenario("ech-stripped", "no configuration in DNS leads nowhere", of_dns(UNAVAILABLE))
    yield TunnelScenario("ech-no-dns", "a resolver that fails leads nowhere", of_dns(DNS_FAILED, failing=True))


SCENARIOS = tuple(scenarios())
