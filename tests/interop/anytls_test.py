#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The scenarios of anytls notice what they are there for, without any anytls: the proxy here dials by itself, and can be made to fail."""

import pathlib
import socket
import sys
import threading
import types
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from runner import Failed, anytls_scenarios, socks, targets  # noqa: E402
from runner.anytls_programs import SingBoxServer  # noqa: E402
from runner.cell import LISTENING  # noqa: E402


class Proxy(targets.Accepting):
    """SOCKS5, with what it does wrong."""

    def __init__(self, fault=""):
        self.fault = fault
        super().__init__()

    def serve(self, made):
        made.recv(3)
        made.sendall(b"\5\0")
        asked = made.recv(300)
        target, _ = socks.decode(asked[3:])
        if asked[1] == socks.ASSOCIATE:
            return self._associate(made)
        try:
            out = socket.create_connection(target)
        except OSError:
            made.sendall(b"\5\5\0" + socks.encode("0.0.0.0", 0))
            return None
        with out:
            made.sendall(b"\5\0\0" + socks.encode("0.0.0.0", 0))
            # Only the way back is changed: two changes of the same byte would undo each other in an echo.
            back = threading.Thread(target=self._copy, args=(out, made, self.fault == "changes a byte"), daemon=True)
            if self.fault == "ends both":
                self._copy(made, out)
                return None  # before a byte of the answer, however late that was noticed
            back.start()
            self._copy(made, out)
            back.join()
        return None

    def _copy(self, source, sink, changed=False):
        try:
            for piece in targets.pieces_of(source):
                if changed and len(piece) > 100:
                    piece = piece[:50] + bytes((piece[50] ^ 1,)) + piece[51:]
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the scenario has gone

    def _associate(self, made):
        near, far = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        for each in (near, far):
            each.bind(("127.0.0.1", 0))
        made.sendall(b"\5\0\0" + socks.encode(*near.getsockname()))
        owner = []

        def out():
            while datagram := near.recvfrom(65535):
                owner[:] = [datagram[1]]
                target, used = socks.decode(datagram[0][3:])
                far.sendto(datagram[0][3 + used:], target)

        def back():
            while datagram := far.recvfrom(65535):
                source = ("127.0.0.1", 1) if self.fault == "wrong source" else datagram[1]
                payload = datagram[0][:1000] if self.fault == "cuts datagrams" else datagram[0]
                near.sendto(b"\0\0\0" + socks.encode(*source) + payload, owner[0])

        for each in (out, back):
            threading.Thread(target=each, daemon=True).start()
        made.recv(1)


def cell_with(proxy):
    program = types.SimpleNamespace(name="a program", largest_datagram=65_497, half_closes=True, connects_each=True)
    server = types.SimpleNamespace(address=("127.0.0.1", 1), still_runs=lambda: None)
    return types.SimpleNamespace(
        client=program, server=program, start_both=lambda **_: proxy.address, start_server=lambda **_: server,
        start_client=lambda *_, **__: types.SimpleNamespace(address=proxy.address))


class Scenarios(unittest.TestCase):
    def test_a_proxy_without_fault_passes(self):
        for name in ("echo", "application_ends", "server_first", "half_close", "at_once", "datagram", "datagram_name", "sizes", "two_targets",
                     "many_datagrams", "unreachable", "association_ends", "refused", "refused_told"):
            with Proxy() as proxy, self.subTest(name):
                getattr(anytls_scenarios, name)(cell_with(proxy))

    def test_each_fault_is_found(self):
        for fault, names in (("changes a byte", ("echo", "at_once", "half_close")), ("ends both", ("half_close",)),
                             ("cuts datagrams", ("sizes",)), ("wrong source", ("datagram", "two_targets"))):
            for name in names:
                with Proxy(fault) as proxy, self.subTest(f"{fault}: {name}"), self.assertRaises((Failed, OSError)):
                    getattr(anytls_scenarios, name)(cell_with(proxy))

    def test_no_connection_may_pass_with_a_wrong_password(self):
        with Proxy() as proxy, self.assertRaises(Failed):
            anytls_scenarios.wrong_password(cell_with(proxy))

    def test_sessions_are_counted(self):
        with Proxy() as proxy:  # which makes none
            with self.assertRaises(Failed):
                anytls_scenarios.no_reuse(cell_with(proxy))

    def test_a_program_that_tells_its_address_among_messages(self):
        told = types.SimpleNamespace(complained=lambda: "INFO one\nINFO inbound/socks[0]: tcp server started at 127.0.0.1:4321\n")
        self.assertEqual(LISTENING.search(SingBoxServer.said(told)).group(2), "4321")


class Addresses(unittest.TestCase):
    def test_there_and_back(self):
        for address in (("127.0.0.1", 80), ("::1", 65535), ("a.example", 1)):
            octets = socks.encode(*address)
            self.assertEqual(socks.decode(octets + b"more"), (address, len(octets)))


class Patterns(unittest.TestCase):
    def test_sizes(self):
        for size in (0, 1, targets.BLOCK_SIZE - 1, targets.BLOCK_SIZE, targets.BLOCK_SIZE + 1, 200_000):
            made = b"".join(targets.pattern(size))
            self.assertEqual(len(made), size)
            self.assertTrue(all(made[i] == (31 * (i % 65521) + (i % 65521) // 251) & 255 for i in range(0, size, 997)))


if __name__ == "__main__":
    unittest.main()
