# SPDX-License-Identifier: Apache-2.0
"""What is tried through an anytls client and server. A scenario is a function of an AnytlsCell."""

import contextlib
import dataclasses
import http.client
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable

from . import Failed, NotApplicable, socks, targets
from .anytls_programs import SCHEME
from .certificates import AUTHORITY
from .socks import Association, connect, read_exactly

SMALL, MEDIUM, BULK = 1000, 100_000, 100_000_000
ONE_BY_ONE, AT_ONCE = 30, 50
ENOUGH_SECONDS = 10
DATAGRAM_SECONDS = 2
TRIES = 3


@dataclasses.dataclass(frozen=True)
class AnytlsScenario:
    name: str
    what: str
    run: Callable
    fast: bool = False


def expect_echo(made, size=SMALL):
    sent = b"".join(targets.pattern(size))
    writer = threading.Thread(target=made.sendall, args=(sent,), daemon=True)
    writer.start()
    if read_exactly(made, size) != sent:
        raise Failed("the echo differs")
    writer.join()


def echo_once(proxy, target, size=SMALL):
    with connect(proxy, target) as made:
        made.sendall(b"E")
        expect_echo(made, size)


def echo_counted(proxy, target):
    """The target ends first, so that nobody waits for more of the other."""
    with connect(proxy, target) as made:
        made.sendall(b"N" + struct.pack(">Q", SMALL))
        expect_echo(made)
        if made.recv(1):
            raise Failed("bytes behind the last")


def expect_closed(servant, count):
    if not servant.wait_until_ended(count, ENOUGH_SECONDS):
        raise Failed(f"the target saw {servant.ended} ends of {count}")


def echo(cell):
    proxy = cell.start_both()
    with targets.Orders() as orders:
        echo_once(proxy, orders.address)
        echo_once(proxy, ("localhost", orders.address[1]))
    with contextlib.suppress(OSError), targets.Orders("::1") as orders:
        echo_once(proxy, orders.address)


def application_ends(cell):
    """It closes, and a target that would only wait for more sees that in time."""
    proxy = cell.start_both()
    with targets.Orders() as orders:
        echo_once(proxy, orders.address)
        expect_closed(orders, 1)


def server_first(cell):
    """The target speaks before the application does."""
    proxy = cell.start_both()

    class Greeter(targets.Accepting):
        def serve(self, made):
            made.sendall(b"220 interop\r\n")
            expect_echo_of(made)

    def expect_echo_of(made):
        for piece in targets.pieces_of(made):
            made.sendall(piece)

    with Greeter() as greeter, connect(proxy, greeter.address) as made:
        if read_exactly(made, 13) != b"220 interop\r\n":
            raise Failed("another greeting")
        expect_echo(made)


def upload(cell):
    proxy = cell.start_both()
    with targets.Orders() as orders, connect(proxy, orders.address) as made:
        made.sendall(b"U" + struct.pack(">Q", BULK))
        for piece in targets.pattern(BULK):
            made.sendall(piece)
        if read_exactly(made, 40) != struct.pack(">Q", BULK) + targets.pattern_sum(BULK):
            raise Failed("the target counts or sums otherwise")


def expect_download(made, size):
    made.sendall(b"D" + struct.pack(">Q", size))
    if targets.sum_of(made) != (size, targets.pattern_sum(size)):
        raise Failed("other bytes, or another number of them, up to the end")


def download(cell):
    proxy = cell.start_both()
    with targets.Orders() as orders, connect(proxy, orders.address) as made:
        expect_download(made, BULK)


def half_close(cell):
    """The application has nothing more to say when the answer begins."""
    if not cell.client.half_closes:
        raise NotApplicable(f"{cell.client.name} ends both directions when the application ends one: anytls has no half close")
    proxy = cell.start_both()
    with targets.Orders() as orders, connect(proxy, orders.address) as made:
        made.sendall(b"D" + struct.pack(">Q", 50 * MEDIUM))
        made.shutdown(socket.SHUT_WR)
        if targets.sum_of(made) != (50 * MEDIUM, targets.pattern_sum(50 * MEDIUM)):
            raise Failed("not all of the answer came once the application had ended its side")


def at_once(cell):
    proxy = cell.start_both()
    failures = []

    def one(target):
        try:
            echo_once(proxy, target, MEDIUM)
        except (Failed, OSError) as why:
            failures.append(why)

    with targets.Orders() as orders:
        threads = [threading.Thread(target=one, args=(orders.address,)) for _ in range(AT_ONCE)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise Failed(f"{len(failures)} of {AT_ONCE} failed: {failures[0]}")


def one_by_one(cell, **options):
    """So many TLS connections were made."""
    server = cell.start_server()
    with targets.Passage(server.address) as passage, targets.Orders() as orders:
        proxy = cell.start_client(passage.address, **options).address
        for count in range(1, ONE_BY_ONE + 1):
            echo_counted(proxy, orders.address)
            expect_closed(orders, count)
        server.still_runs()
        return passage.accepted


def reuse(cell):
    # A connection may follow faster than the client takes its session back, though never faster than it ended it.
    if (sessions := one_by_one(cell)) > 2:
        raise Failed(f"{sessions} sessions for {ONE_BY_ONE} connections, one after another")


def no_reuse(cell):
    if (sessions := one_by_one(cell, reuse=False)) < ONE_BY_ONE:
        raise Failed(f"{sessions} sessions for {ONE_BY_ONE} connections without reuse")


def must_fail(proxy, target):
    """No byte comes back; the sentence says how it failed."""
    try:
        with connect(proxy, target) as made:
            made.sendall(b"E" + bytes(SMALL))
            if made.recv(1):
                raise Failed("a byte came back")
            return "ended"
    except socks.Refused as why:
        return str(why)
    except TimeoutError:
        raise Failed("neither an answer nor an end") from None
    except OSError as why:
        return str(why)


def wrong_password(cell):
    server = cell.start_server()
    with targets.Orders() as orders:
        must_fail(cell.start_client(server.address, password="another").address, orders.address)
        if orders.accepted:
            raise Failed("the server dialled for a client with another password")
        echo_once(cell.start_client(server.address).address, orders.address)


def refused(cell, **options):
    server = cell.start_server()
    proxy = cell.start_client(server.address, **options).address
    with targets.Orders() as orders, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # nobody listens there
        echo_once(proxy, orders.address)
        for _ in range(TRIES):
            told = must_fail(proxy, closed.getsockname())
            echo_once(proxy, orders.address)
        return told


def refused_told(cell):
    """A client that waits for the server's answer gives it on."""
    told = refused(cell, await_answer=True)
    if not told.startswith("the proxy answered"):
        raise Failed(f"the application was not told that the target refused: {told}")


def server_returns(cell):
    first = cell.start_server()
    with targets.Passage(first.address) as passage, targets.Orders() as orders:
        proxy = cell.start_client(passage.address).address
        with connect(proxy, orders.address) as made:
            made.sendall(b"E")
            expect_echo(made)
            first.end()
            with contextlib.suppress(ConnectionResetError):
                if made.recv(1):
                    raise Failed("bytes from nowhere")
        passage.upstream = cell.start_server().address
        until = time.monotonic() + ENOUGH_SECONDS
        while True:
            try:
                echo_once(proxy, orders.address)
                break
            except (Failed, OSError):
                if time.monotonic() > until:
                    raise Failed(f"nothing gets through {ENOUGH_SECONDS} s after the server came back") from None
                time.sleep(0.1)
        for _ in range(TRIES):
            echo_once(proxy, orders.address)


def padding(cell):
    """The server has another scheme than the client, which takes it for its next sessions."""
    scheme = cell.folder / "padding"
    scheme.write_text(SCHEME, encoding="ascii")
    proxy = cell.start_both(server={"padding": scheme})
    with targets.Orders() as orders, connect(proxy, orders.address) as first, connect(proxy, orders.address) as second:
        first.sendall(b"E")
        expect_echo(first, MEDIUM)
        second.sendall(b"E")
        expect_echo(second, MEDIUM)
        for _ in range(TRIES):
            with connect(proxy, orders.address) as another:
                expect_download(another, MEDIUM)


def versions(client, server):
    def run(cell):
        options = {"client": {"version": 1} if client == 1 else {}, "server": {"version": 1} if server == 1 else {}}
        proxy = cell.start_both(**options)
        with targets.Orders() as orders, targets.Echo() as echoes:
            for count in range(1, TRIES + 1):
                echo_counted(proxy, orders.address)
                expect_closed(orders, count)
            with connect(proxy, orders.address) as made:
                expect_download(made, 10 * MEDIUM)
            with Association(proxy) as association:
                expect_datagrams(association, echoes.address, [SMALL])
        with targets.Orders() as orders, socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            must_fail(proxy, closed.getsockname())
            echo_once(proxy, orders.address)
    return run


def expect_datagrams(association, target, sizes, tells_source=True):
    for size in sizes:
        payload = b"".join(targets.pattern(size))
        for _ in range(TRIES):  # a datagram may be lost
            association.send(target, payload)
            answer = association.receive(DATAGRAM_SECONDS)
            if answer is not None:
                break
        if answer is None:
            raise Failed(f"no answer to a datagram of {size} bytes")
        if answer[1] != payload:
            raise Failed(f"a datagram of {size} bytes came back as another, of {len(answer[1])}")
        if tells_source and answer[0] != target:
            raise Failed(f"the answer is said to be from {answer[0]}, not {target}")


def datagram(cell, **options):
    proxy = cell.start_both(client=options)
    with targets.Echo() as echoes, Association(proxy) as association:
        expect_datagrams(association, echoes.address, [SMALL])
        return proxy


def datagram_name(cell):
    """To a name, which the server looks up."""
    proxy = cell.start_both()
    with targets.Echo() as echoes, Association(proxy) as association:
        for _ in range(TRIES):
            association.send(("localhost", echoes.address[1]), b"hello")
            if answer := association.receive(DATAGRAM_SECONDS):
                break
        if not answer or answer[1] != b"hello":
            raise Failed(f"no answer from a name: {answer}")


def sizes(cell, **options):
    proxy = cell.start_both(client=options)
    largest = min(cell.client.largest_datagram, cell.server.largest_datagram)
    tried = [0, 1, 2, 3, 255, 256, 1000, 1472, 1500, 4096, 9000, 16_000, 16_385, 32_768, 60_000, 65_000, 65_497]
    with targets.Echo() as echoes, Association(proxy) as association:
        expect_datagrams(association, echoes.address, [size for size in tried if size <= largest],
                         # A sing-box client then tells the anytls server's address as that of the target.
                         tells_source=cell.client.connects_each or not options.get("connected"))


def two_targets(cell, **options):
    """Over one association; every answer tells where it is from."""
    if options.get("connected") and not cell.client.connects_each:
        raise NotApplicable(f"{cell.client.name} connects an association to its first target")
    proxy = cell.start_both(client=options)
    with targets.Echo() as one, targets.Echo() as other, Association(proxy) as association:
        for size in (SMALL, 1, 300):
            expect_datagrams(association, one.address, [size])
            expect_datagrams(association, other.address, [size + 1])


def many_datagrams(cell):
    """A thousand, eight of them under way at a time; loopback loses none."""
    proxy = cell.start_both()
    wanted = {struct.pack(">I", number) * 100 for number in range(1000)}
    waiting = sorted(wanted, reverse=True)
    with targets.Echo() as echoes, Association(proxy) as association:
        expect_datagrams(association, echoes.address, [1])
        for _ in range(8):
            association.send(echoes.address, waiting.pop())
        while wanted:
            answer = association.receive(DATAGRAM_SECONDS)
            if answer is None:
                raise Failed(f"{len(wanted)} datagrams of 1000 had no answer")
            wanted.discard(answer[1])
            if waiting:
                association.send(echoes.address, waiting.pop())


def unreachable(cell):
    """Nobody is at the first target; the association lives on."""
    proxy = cell.start_both()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = closed.getsockname()
    with targets.Echo() as echoes, Association(proxy) as association:
        for _ in range(TRIES):
            association.send(nobody, b"hello")
        expect_datagrams(association, echoes.address, [SMALL])


def association_ends(cell):
    """With its connection; the next one works."""
    proxy = datagram(cell)
    for _ in range(TRIES):
        with targets.Echo() as echoes, Association(proxy) as association:
            expect_datagrams(association, echoes.address, [SMALL])


def fallback(cell):
    """An ordinary HTTPS client asks the anytls server for a page."""
    server = cell.start_server(fallback=True)
    trust = ssl.create_default_context(cafile=str(cell.world.certificates.authority))
    with socket.create_connection(server.address, ENOUGH_SECONDS) as plain, trust.wrap_socket(plain, server_hostname=AUTHORITY) as made:
        made.sendall(b"GET / HTTP/1.1\r\nHost: " + AUTHORITY.encode() + b"\r\nConnection: close\r\n\r\n")
        answer = http.client.HTTPResponse(made)
        answer.begin()
        if answer.status != 200 or not answer.read():
            raise Failed(f"an ordinary client got {answer.status}")
    server.still_runs()


SCENARIOS = (
    AnytlsScenario("echo", "IPv4, IPv6 and a name, there and back", echo, fast=True),
    AnytlsScenario("app-ends", "the application closes; its target sees that within 10 s", application_ends),
    AnytlsScenario("server-first", "the target speaks first", server_first, fast=True),
    AnytlsScenario("upload", "100 MB on one connection, compared by SHA-256", upload),
    AnytlsScenario("download", "100 MB on one connection, compared by SHA-256", download),
    AnytlsScenario("half-close", "all of the answer comes behind the application's end", half_close, fast=True),
    AnytlsScenario("at-once", "50 connections at once, 100 kB each way", at_once, fast=True),
    AnytlsScenario("reuse", "30 connections one after another over one session", reuse, fast=True),
    AnytlsScenario("no-reuse", "30 connections one after another over 30 sessions", no_reuse),
    AnytlsScenario("wrong-password", "nothing is dialled; a client with the right one goes on", wrong_password, fast=True),
    AnytlsScenario("refused", "by the target; the next connection works", refused, fast=True),
    AnytlsScenario("refused-told", "by the target, and the application is told so", refused_told, fast=True),
    AnytlsScenario("server-returns", "it is killed and comes back; the client goes on by itself", server_returns),
    AnytlsScenario("padding", "the server's scheme is taken over", padding, fast=True),
    AnytlsScenario("v1-to-v2", "a client of version 1, a server of 2", versions(1, 2), fast=True),
    AnytlsScenario("v2-to-v1", "a client of version 2, a server of 1", versions(2, 1), fast=True),
    AnytlsScenario("v1-to-v1", "both of version 1", versions(1, 1), fast=True),
    AnytlsScenario("datagram", "one there and back", datagram, fast=True),
    AnytlsScenario("datagram-name", "to a name", datagram_name),
    AnytlsScenario("sizes", "of datagrams, 0 to 65,497 bytes or what the programs can", sizes, fast=True),
    AnytlsScenario("two-targets", "over one association", two_targets, fast=True),
    AnytlsScenario("many-datagrams", "1,000, eight at a time", many_datagrams),
    AnytlsScenario("unreachable", "a target that is not there ends nothing", unreachable),
    AnytlsScenario("associations", "one after another", association_ends),
    AnytlsScenario("sizes-connected", "of datagrams over a stream for one target", lambda cell: sizes(cell, connected=True), fast=True),
    AnytlsScenario("two-connected", "targets, a stream for each", lambda cell: two_targets(cell, connected=True)),
    AnytlsScenario("sizes-first", "of datagrams in version 1 of udp-over-tcp", lambda cell: sizes(cell, datagrams=1), fast=True),
    AnytlsScenario("two-first", "targets in version 1 of udp-over-tcp", lambda cell: two_targets(cell, datagrams=1)),
    AnytlsScenario("fallback", "an ordinary HTTPS client gets a page", fallback, fast=True),
)
