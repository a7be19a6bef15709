#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The runner notices what it is there for, without any QUIC: its programs here are a few lines of Python."""

import pathlib
import socket
import sys
import tempfile
import types
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from runner import Failed, NotApplicable, building, command, doh, ech, frames, initials, mux, packets, relay, scenarios, table, tap, tunnel_scenarios  # noqa: E402
from runner.cell import Cell  # noqa: E402
from runner.contents import SMALL, Contents  # noqa: E402
from runner.programs import Program  # noqa: E402

# RFC 9001, appendix A: the Retry packet, and the header of the client's first Initial packet.
RETRY = bytes.fromhex("ff000000010008f067a5502a4262b5746f6b656e04a265ba2eff4d829058fb3f0f2496ba")
INITIAL = bytes.fromhex("c000000001088394c8f03e5157080000449e").ljust(1200, b"\0")
HANDSHAKE = bytes.fromhex("e0000000010000" "05") + b"12345"


class Packets(unittest.TestCase):
    def test_retry(self):
        (packet,) = packets.long_packets(RETRY)
        self.assertEqual((packet.kind, packet.version, packet.token), ("retry", 1, b"token"))
        self.assertEqual(packet.source.hex(), "f067a5502a4262b5")

    def test_initial(self):
        (packet,) = packets.long_packets(INITIAL)
        self.assertEqual((packet.kind, packet.destination.hex(), packet.token), ("initial", "8394c8f03e515708", b""))

    def test_coalesced_packets_end_at_a_short_header(self):
        kinds = [packet.kind for packet in packets.long_packets(INITIAL + HANDSHAKE + b"\x40rest")]
        self.assertEqual(kinds, ["initial", "handshake"])

    def test_version_2_has_other_types(self):
        (packet,) = packets.long_packets(bytes.fromhex("d06b3343cf0000" "00" "00"))
        self.assertEqual(packet.kind, "initial")

    def test_truncation_at_every_length(self):
        for size in range(len(INITIAL)):
            self.assertEqual(packets.long_packets(INITIAL[:size]), [], size)


class Way(unittest.TestCase):
    """What is seen between a client and a server of Encrypted Client Hello."""

    def cell(self, *connections, client="go"):
        cell = ech.EchCell.__new__(ech.EchCell)
        cell.client = types.SimpleNamespace(name=client)
        cell._tap = types.SimpleNamespace(connections=[bytearray(each) for each in connections])
        return cell

    def refuses(self, sentence, cell, connections, hidden):
        with self.assertRaisesRegex(Failed, sentence):
            cell._check_the_way(connections, hidden)

    def test_a_name_that_is_hidden(self):
        self.cell(b"public.test", b"", b"public.test")._check_the_way(2, True)
        self.refuses("is seen on", self.cell(b"public.test", b"hidden.test"), 2, True)
        self.refuses("is seen on", self.cell(b"hidden.test", b"public.test"), 2, True)

    def test_a_name_that_is_not(self):
        self.cell(b"public.test", b"hidden.test")._check_the_way(2, False)
        self.refuses("is not seen", self.cell(b"public.test"), 1, False)
        self.refuses("before the server", self.cell(b"hidden.test", b"hidden.test"), 2, False)

    def test_the_number_of_connections(self):
        self.refuses("made 2 connections, not 1", self.cell(b"a", b"b"), 1, True)
        self.refuses("made 1 connections, not 2", self.cell(b"a"), 2, True)
        self.cell(b"public.test", b"public.test", client="chromium")._check_the_way(1, True)
        self.refuses("public name is not seen", self.cell(b"a"), 1, True)
        self.refuses("made 1 connections", self.cell(b"a", client="chromium"), 2, True)

    def test_what_a_client_says(self):
        cell = self.cell(b"public.test")
        cell._server = types.SimpleNamespace(still_runs=lambda: None)
        cell._report = {"ech": "accepted", "retried": False}
        cell.expect("accepted", 1, True)
        for status, retried in (("rejected", False), ("accepted", True)):
            with self.subTest(status=status), self.assertRaises(Failed):
                cell.expect(status, 1, True, retried)
        cell._report = {"ech": "failed"}
        cell.client.name = "openssl"
        cell.expect("rejected", 1, True)
        with self.assertRaises(Failed):
            cell.expect("accepted", 1, True)

    def test_a_client_hello_in_an_initial_packet(self):
        """RFC 9001, appendix A.2."""
        keys = initials.client_keys(bytes.fromhex("8394c8f03e515708"))
        self.assertEqual([each.hex() for each in keys], ["1f369613dd76d5467730efcbe3b1a22d", "fa044b2f42a3fd3b46fb255c",
                                                         "9f50449e04a0e810283a1e9933adedd2"])
        # PADDING, a later piece, PING, an acknowledgement, the first piece.
        frames = bytes.fromhex("0000" "060202cdef" "01" "0207000003" "060002abcd")
        self.assertEqual(list(initials.crypto_pieces(frames)), [(2, b"\xcd\xef"), (0, b"\xab\xcd")])

    def test_the_tap_keeps_what_clients_send(self):
        with socket.create_server(("127.0.0.1", 0)) as server, tap.Tap(server.getsockname()) as between:
            for text in (b"first", b"second"):
                with socket.create_connection(between.address) as client:
                    accepted, _ = server.accept()
                    with accepted:
                        client.sendall(text)
                        client.shutdown(socket.SHUT_WR)
                        self.assertEqual(accepted.makefile("rb").read(), text)
                        accepted.sendall(b"answer")
                    self.assertEqual(client.makefile("rb").read(), b"answer")
            self.assertEqual(between.connections, [b"first", b"second"])

    def test_a_configuration_as_openssl_prints_it(self):
        sys.path.insert(0, str(building.PEERS / "ech-programs"))
        self.addCleanup(sys.path.remove, str(building.PEERS / "ech-programs"))
        import openssl
        key = "e78e7dcbde41a7ab8eab1832b548be44e5e8386bb2c43c66ddf599812976733c"
        self.assertEqual(openssl.encoded(f"[fe0d,01,public.test,[0020,0001,0001],{key},00,00]"),
                         "AD7+DQA6AQAgACDnjn3L3kGnq46rGDK1SL5E5eg4a7LEPGbd9ZmBKXZzPAAEAAEAAQALcHVibGljLnRlc3QAAA==")


class Resolving(unittest.TestCase):
    """What a resolver over HTTPS answers, without its HTTPS."""

    def answer(self, name, kind, configs=()):
        resolver = doh.Resolver.__new__(doh.Resolver)
        resolver.asked, resolver._configs = [], dict(configs)
        query = b"\x12\x34\1\0\0\1\0\0\0\0\0\0" + doh.wire_name(name) + kind.to_bytes(2, "big") + b"\0\1"
        told = resolver.answer(query)
        self.assertEqual(resolver.asked, [(name, kind)])
        self.assertEqual((told[:2], told[12:len(query)]), (query[:2], query[12:]))
        self.assertEqual(told[8:10], b"\0\1" if told[6:8] == b"\0\0" else b"\0\0")
        return told[6:8], told[len(query):]

    def test_addresses(self):
        count, record = self.answer("hidden.test", doh.A)
        self.assertEqual((count, record[-6:]), (b"\0\1", b"\0\4\x7f\0\0\1"))
        self.assertEqual(self.answer("_444._https.hidden.test", doh.A), (b"\0\0", doh.NOTHING))

    def test_configurations_are_of_the_name_at_any_port(self):
        for name in ("hidden.test", "_444._https.hidden.test"):
            count, record = self.answer(name, doh.HTTPS, {"hidden.test": b"list"})
            self.assertEqual(count, b"\0\1")
            self.assertIn(b"\6hidden\4test\0", record)
            self.assertTrue(record.endswith(b"\0\5\0\4list"), record)
        self.assertEqual(self.answer("other.test", doh.HTTPS, {"hidden.test": b"list"}), (b"\0\0", doh.NOTHING))


class Tunnels(unittest.TestCase):
    """What is seen before a tunnel's server and before the resolver."""

    def way(self, server, resolver=(), asked=(("_444._https.hidden.test", doh.HTTPS),)):
        way = tunnel_scenarios.Way.__new__(tunnel_scenarios.Way)
        way.tap, way.before_resolver = (types.SimpleNamespace(connections=[bytearray(each) for each in seen]) for seen in (server, resolver))
        way.resolver = types.SimpleNamespace(asked=list(asked))
        return way

    def test_what_may_be_seen(self):
        self.way([b"public.test", b""], [b"dns.test"]).expect(1)
        self.way([b"public.test"] * 2, [b"dns.test"]).expect(1, most=2)
        self.way([], [b"dns.test"]).expect(0)

    def test_what_may_not(self):
        for sentence, way in (("made 0", self.way([])), ("made 2", self.way([b"public.test"] * 2)), ("public name", self.way([b"other"])),
                              ("seen on the way to the server", self.way([b"public.test hidden.test"])),
                              ("seen on the way to the resolver", self.way([b"public.test"], [b"hidden.test"])),
                              ("was not asked", self.way([b"public.test"], asked=[("hidden.test", doh.A)]))):
            with self.subTest(sentence), self.assertRaisesRegex(Failed, sentence):
                way.expect(1)


class Frames(unittest.TestCase):
    """Headers of yamux, wherever the bytes are cut."""

    WIRE = bytes.fromhex("00 01 0001 00000001 00000000" "00 00 0004 00000001 00000003") + b"abc" + bytes.fromhex(
        "00 02 0001 00000000 00000007")

    def test_every_cut(self):
        for cut in range(len(self.WIRE) + 1):
            reader = frames.Reader()
            reader.add(self.WIRE[:cut])
            reader.add(self.WIRE[cut:])
            self.assertEqual(reader.frames, [(frames.WINDOW, frames.SYN, 1, 0), (frames.DATA, frames.FIN, 1, 3),
                                             (frames.PING, frames.SYN, 0, 7)], cut)

    def test_a_length_that_is_no_size_is_not_skipped(self):
        reader = frames.Reader()
        reader.add(bytes.fromhex("00 01 0008 00000001 00000009" "00 03 0000 00000000 00000000"))
        self.assertEqual([frame.kind for frame in reader.frames], [frames.WINDOW, frames.GO_AWAY])


class GoAway(unittest.TestCase):
    def test_what_is_missing_is_a_failure(self):
        program = types.SimpleNamespace(name="somebody")
        mux.MuxCell.check_go_away(program, [0])
        for codes in ([], [1], [0, 0]):
            with self.assertRaises(Failed):
                mux.MuxCell.check_go_away(program, codes)

    def test_who_cannot_say_it(self):
        program = types.SimpleNamespace(name="go-yamux")
        mux.MuxCell.check_go_away(program, [])
        with self.assertRaises(Failed):
            mux.MuxCell.check_go_away(program, [2])


class Counting(unittest.TestCase):
    def setUp(self):
        self.census = relay.Census()

    def test_ratio_until_the_address_is_validated(self):
        self.census.add(relay.TO_SERVER, INITIAL)
        for _ in range(4):
            self.census.add(relay.TO_CLIENT, b"\x40" * 1200)
        self.assertEqual(self.census.worst_ratio, 4.0)
        self.census.add(relay.TO_SERVER, HANDSHAKE)
        for _ in range(9):
            self.census.add(relay.TO_CLIENT, b"\x40" * 1200)
        self.assertEqual(self.census.worst_ratio, 4.0)

    def test_short_initial(self):
        self.census.add(relay.TO_SERVER, INITIAL)
        self.assertEqual(self.census.short_initials, 0)
        self.census.add(relay.TO_SERVER, bytes.fromhex("c0000000010000" "00" "00"))
        self.assertEqual(self.census.short_initials, 1)

    def test_token_of_a_retry_comes_back(self):
        self.census.add(relay.TO_SERVER, INITIAL)
        self.census.add(relay.TO_CLIENT, RETRY)
        self.assertFalse(self.census.token_returned)
        self.census.add(relay.TO_SERVER, bytes.fromhex("c0000000010000" "05") + b"token" + b"\0")
        self.assertTrue(self.census.token_returned)


class Relaying(unittest.TestCase):
    def test_passes_both_ways_and_drops(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            for each in (server, client):
                each.bind(("127.0.0.1", 0))
                each.settimeout(10)
            with relay.Relay(server.getsockname(), lambda way, number: way == relay.TO_SERVER and number == 1) as between:
                client.sendto(b"lost", between.address)
                client.sendto(b"arrives", between.address)
                got, sender = server.recvfrom(100)
                server.sendto(b"answer", sender)
                self.assertEqual((got, client.recv(100)), (b"arrives", b"answer"))
            self.assertEqual(between.census.datagrams, {relay.TO_SERVER: 1, relay.TO_CLIENT: 1})

    def test_the_same_datagrams_are_lost_every_time(self):
        first, second = relay.drop_some(0.5, "seed"), relay.drop_some(0.5, "seed")
        self.assertEqual(*[[drop(relay.TO_CLIENT, 0) for _ in range(100)] for drop in (first, second)])


class Script(Program):
    """A server that only says that it listens, and a client that does what `does` says with `out`, its folder."""

    name = "script"

    def __init__(self, does="", serves="print('listening on 127.0.0.1:1', flush=True); time.sleep(60)"):
        self.does = does
        self.serves = serves

    def server_command(self, options):
        return [sys.executable, "-c", f"import sys, time\n{self.serves}"]

    def client_command(self, options):
        return [sys.executable, "-c", f"import pathlib, sys, time\nout = pathlib.Path({str(options.output)!r})\n{self.does}"]


class Cells(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        root = pathlib.Path(self.folder.name)
        certificates = types.SimpleNamespace(chain="chain", key="key", authority="authority", stranger="stranger")
        self.world = command.World(root / "cells", Contents(root / "files"), certificates)
        self.world.contents.need([SMALL])
        self.right = f"(out / '{SMALL}').write_bytes({(root / 'files' / SMALL).read_bytes()!r})"

    def judge(self, program, limit=10.0):
        scenario = scenarios.Scenario("transfer", "", scenarios.transfer, limit=limit)
        verdict = command.judge(self.world, scenario, "h3", (program, program), keep=False)
        return verdict.word, verdict.reason

    def assert_failed(self, program, part, **options):
        word, reason = self.judge(program, **options)
        self.assertEqual(word, table.FAIL)
        self.assertIn(part, reason)

    def test_the_right_bytes_pass_and_leave_nothing(self):
        self.assertEqual(self.judge(Script(self.right)), (table.PASS, ""))
        self.assertEqual(list(self.world.folder.iterdir()), [])

    def test_a_wrong_byte_fails_and_keeps_the_logs(self):
        self.assert_failed(Script(f"(out / '{SMALL}').write_bytes(b'x' * 1024)"), "1 different")
        self.assertTrue(list(self.world.folder.glob("*/commands.txt")))

    def test_a_missing_file_fails(self):
        self.assert_failed(Script(""), "1 files missing")

    def test_a_file_that_nobody_asked_for_fails(self):
        self.assert_failed(Script(f"{self.right}; (out / 'stray').touch()"), "nobody asked for")

    def test_an_exit_code_fails(self):
        self.assert_failed(Script(f"{self.right}; sys.exit('no luck')"), "no luck")

    def test_a_signal_fails(self):
        self.assert_failed(Script("import os; os.kill(os.getpid(), 11)"), "SIGSEGV")

    def test_a_client_that_does_not_end_fails(self):
        self.assert_failed(Script("time.sleep(60)"), "had not ended", limit=-9.5)

    def test_a_server_that_ends_at_once_fails(self):
        self.assert_failed(Script(self.right, serves="sys.exit('no port')"), "no port")

    def test_a_server_that_ends_by_itself_fails(self):
        serves = "print('listening on 127.0.0.1:1', flush=True)"
        self.assert_failed(Script(f"{self.right}; time.sleep(1)", serves=serves), "ended by itself")

    def test_127_says_that_a_library_cannot(self):
        word, reason = self.judge(Script("print('unsupported: --ciphers', file=sys.stderr); sys.exit(127)"))
        self.assertEqual((word, reason), (table.NONE, "unsupported: --ciphers"))

    def test_a_program_that_is_not_there(self):
        scenario = scenarios.SCENARIOS[0]
        for absent, word in ((NotApplicable("no go"), table.NONE), (Failed("does not build"), table.FAIL)):
            verdict = command.judge(self.world, scenario, "h3", (Script(), absent), keep=False)
            self.assertEqual((verdict.word, verdict.reason), (word, str(absent)))

    def test_children_end_with_their_cell(self):
        cell = Cell(self.world, scenarios.SCENARIOS[0], (Script(), Script()), "h3")
        server = cell.start_server()
        cell.end(passed=True, keep=False)
        self.assertIsNotNone(server.child.poll())


class Tables(unittest.TestCase):
    def test_closing_line_and_notes(self):
        verdicts = {("a h3", ("x", "y")): table.Verdict(table.PASS, 1.0), ("a h3", ("y", "x")): table.Verdict(table.FAIL, reason="why"),
                    ("b h3", ("x", "y")): table.Verdict(table.NONE, reason="no go")}
        self.assertEqual(table.closing_line(verdicts), "1 passed, 1 failed, 1 skipped")
        self.assertEqual(table.notes(verdicts), "FAIL a h3, y -> x: why\nn/a (no go): b h3, x -> y")
        self.assertIn("pass 1.0s", table.text([("x", "y"), ("y", "x")], verdicts))

    def test_every_peer_has_its_sources_and_its_lock(self):
        for name, recipe in building.RECIPES.items():
            for pattern in recipe().sources:
                self.assertTrue(list((building.PEERS / name).glob(pattern)), f"{name}: {pattern}")


if __name__ == "__main__":
    unittest.main()
