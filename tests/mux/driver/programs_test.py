#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""programs_test.py PORT-FORWARD ANYTLS-CLIENT ANYTLS-SERVER: the programs from the outside, between a client and a target in here."""

import asyncio
import contextlib
import hashlib
import os
import pathlib
import re
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from interop.runner import certificates  # noqa: E402  the path has to be set first

PROGRAM, CLIENT, SERVER = sys.argv[1:4]
PATIENCE = 60


class Target:
    """Reads to the end, then answers with the SHA-256 of what came: so it needs the half close."""

    def __init__(self):
        self.inside = self.most = 0

    async def start(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.address = "127.0.0.1:%d" % self.server.sockets[0].getsockname()[1]

    async def serve(self, reader, writer):
        self.inside += 1
        self.most = max(self.most, self.inside)
        with contextlib.suppress(ConnectionError):
            digest = hashlib.sha256()
            while piece := await reader.read(65536):
                digest.update(piece)
            writer.write(digest.digest())
            await writer.drain()
        self.inside -= 1
        writer.close()


class Wire:
    """TCP between the two sides, which can be cut, and be led elsewhere or nowhere."""

    def __init__(self):
        self.upstream = None
        self.legs = set()
        self.connections = 0

    async def start(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.address = "127.0.0.1:%d" % self.server.sockets[0].getsockname()[1]

    async def serve(self, reader, writer):
        if self.upstream is None:
            writer.transport.abort()
            return
        host, port = self.upstream.split(":")
        there, back = await asyncio.open_connection(host, int(port))
        self.connections += 1
        self.legs |= {writer, back}
        await asyncio.gather(self.copy(reader, back), self.copy(there, writer))

    @staticmethod
    async def copy(reader, writer):
        with contextlib.suppress(ConnectionError):
            while piece := await reader.read(65536):
                writer.write(piece)
                await writer.drain()
            writer.write_eof()

    def cut(self):
        for leg in self.legs:
            leg.transport.abort()
        self.legs.clear()


class Side:
    """One program that listens."""

    def __init__(self, *words, program=PROGRAM):
        self.words = (program, *words)
        self.hash = None
        self.lines = []
        self.news = asyncio.Event()

    async def start(self):
        self.child = await asyncio.create_subprocess_exec(*self.words, stdout=asyncio.subprocess.PIPE,
                                                          stderr=asyncio.subprocess.PIPE)
        while line := (await self.child.stdout.readline()).decode():
            if found := re.search("certificate SHA-256 ([0-9a-f]{64})", line):
                self.hash = found[1]
            if found := re.search("listening on (.*)", line):
                self.address = found[1]
                break
        else:
            raise AssertionError((await self.child.stderr.read()).decode())
        self.reading = asyncio.create_task(self.read())
        return self

    async def read(self):
        while line := (await self.child.stderr.readline()).decode():
            self.lines.append(line)
            self.news.set()

    async def said(self, text, times=1):
        while sum(text in line for line in self.lines) < times:
            self.news.clear()
            await asyncio.wait_for(self.news.wait(), PATIENCE)

    async def end(self):
        if self.child.returncode is None:
            self.child.kill()
        await self.child.wait()
        await self.reading


async def exchange(address, content):
    """What the target answers, to the end."""
    host, port = address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(content)
        writer.write_eof()
        return await asyncio.wait_for(reader.read(), PATIENCE)
    finally:
        writer.close()


class PortForward(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.target, self.wire = Target(), Wire()
        await self.target.start()
        await self.wire.start()

    async def side(self, *words):
        started = await Side(*words).start()
        self.addAsyncCleanup(started.end)
        return started

    async def remote(self, *words, target=None):
        remote = await self.side("-s", "127.0.0.1:0", "--target", target or self.target.address, *words)
        self.wire.upstream = remote.address
        return remote

    async def local(self, *words):
        return await self.side("-l", "127.0.0.1:0", "--connect", self.wire.address, *words)

    async def check_exchange(self, local, size):
        content = os.urandom(size)
        self.assertEqual(await exchange(local.address, content), hashlib.sha256(content).digest())

    async def test_two_hundred_connections_at_once_over_one(self):
        remote = await self.remote()
        local = await self.local("--pin", remote.hash)
        await asyncio.gather(*(self.check_exchange(local, 1 + 977 * number) for number in range(200)))
        self.assertEqual(self.wire.connections, 1)

    async def test_more_than_fits_any_window(self):
        await self.remote()
        await self.check_exchange(await self.local("-k"), 20_000_000)

    async def test_a_target_that_refuses_resets_the_client(self):
        self.target.server.close()
        await self.target.server.wait_closed()
        remote = await self.remote()
        local = await self.local("-k")
        with self.assertRaises(ConnectionError):
            await exchange(local.address, b"hello")
        await remote.said("cannot reach")
        self.assertEqual(self.wire.connections, 1)

    async def test_a_connection_that_is_lost_is_dialled_again(self):
        await self.remote()
        local = await self.local("-k")
        host, port = local.address.split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"without an end")
        await local.said("connected to")
        self.wire.cut()
        with self.assertRaises(ConnectionError):
            await asyncio.wait_for(reader.read(), PATIENCE)
        writer.close()
        await self.check_exchange(local, 100_000)
        self.assertEqual(self.wire.connections, 2)

    async def test_a_client_waits_for_a_remote_side_that_is_away(self):
        local = await self.local("-k")
        await local.said("cannot reach")
        content = os.urandom(50_000)
        waiting = asyncio.create_task(exchange(local.address, content))
        await local.said("cannot reach", 2)
        await self.remote()
        self.assertEqual(await waiting, hashlib.sha256(content).digest())

    async def test_a_client_does_not_wait_for_ever(self):
        local = await self.local("-k", "--wait", "1")
        with self.assertRaises(ConnectionError):
            await exchange(local.address, b"hello")

    async def test_a_remote_side_that_was_killed_and_started_anew(self):
        first = await self.remote()
        local = await self.local("-k")
        await self.check_exchange(local, 1000)
        await first.end()
        await local.said("lost")
        await self.remote()
        await self.check_exchange(local, 1000)

    async def test_no_more_connections_than_asked_for(self):
        await self.remote()
        local = await self.local("-k", "--max", "2")
        await asyncio.gather(*(self.check_exchange(local, 10_000) for _ in range(12)))
        self.assertEqual(self.target.most, 2)

    async def test_a_stranger_is_not_believed(self):
        await self.remote()
        local = await self.local("--pin", "00" * 32, "--wait", "1")
        with self.assertRaises(ConnectionError):
            await exchange(local.address, b"hello")
        self.assertFalse(any("connected to" in line for line in local.lines))

    @unittest.skipUnless(shutil.which("openssl"), "no openssl program to make certificates with")
    async def test_certificates_of_both_sides(self):
        with tempfile.TemporaryDirectory() as folder:
            made = certificates.make(pathlib.Path(folder))
            own = ("--cert", str(made.chain), "--key", str(made.key))
            remote = await self.remote(*own)
            await self.check_exchange(await self.local("--cacert", str(made.authority)), 1000)
            self.assertIsNone(remote.hash)
            await self.remote(*own, "--client-ca", str(made.authority))
            await self.check_exchange(await self.local("--cacert", str(made.authority), *own), 1000)
            await self.remote(*own, "--client-ca", str(made.stranger))
            refused = await self.local("--cacert", str(made.authority), *own, "--wait", "1")
            with self.assertRaises(ConnectionError):
                await exchange(refused.address, b"hello")

    async def test_usage(self):
        for words in (["-l", "127.0.0.1:0"], ["--connect", "a:1"], ["-l", "127.0.0.1:0", "--target", "a:1"], ["-s", "127.0.0.1:0"],
                      ["-s", "127.0.0.1:0", "--target", "a:1", "-k"], ["-l", "127.0.0.1:0", "--connect", "a:1", "--max", "501"]):
            done = subprocess.run([PROGRAM, *words], capture_output=True, text=True, check=False, timeout=PATIENCE)
            self.assertEqual(done.returncode, 2, words)
            self.assertIn("port-forward:", done.stderr)


class Echo(asyncio.DatagramProtocol):
    """Sends every datagram back, and knows where they came from."""

    async def start(self):
        self.ports = set()
        self.transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, ("127.0.0.1", 0))
        self.port = self.transport.get_extra_info("sockname")[1]

    def datagram_received(self, data, addr):
        self.ports.add(addr[1])
        self.transport.sendto(b"echo " + data, addr)


class Recorder:
    """Keeps what comes, and sends it back if it is to."""

    def __init__(self, answers):
        self.answers = answers

    async def start(self):
        self.had = bytearray()
        self.news = asyncio.Event()
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.address = "127.0.0.1:%d" % self.server.sockets[0].getsockname()[1]

    async def serve(self, reader, writer):
        with contextlib.suppress(ConnectionError):
            while piece := await reader.read(65536):
                self.had += piece
                self.news.set()
                if self.answers:
                    writer.write(piece)
        writer.close()

    async def until(self, holds):
        while not holds():
            self.news.clear()
            await asyncio.wait_for(self.news.wait(), PATIENCE)


def payload_of(session):
    """What an anytls client has sent on its first stream, as far as it is there."""
    at = 34 + int.from_bytes(session[32:34], "big")
    out = b""
    while at + 7 <= len(session):
        command, _, size = struct.unpack_from("!BIH", session, at)
        if command == 2:
            out += session[at + 7:at + 7 + size]
        at += 7 + size
    return out


class Anytls(unittest.IsolatedAsyncioTestCase):
    async def start(self, thing):
        await thing.start()
        return thing

    async def side(self, program, *words):
        started = await Side(*words, program=program).start()
        self.addAsyncCleanup(started.end)
        return started

    async def proxy(self, *words, password="right", fallback=()):
        server = await self.side(SERVER, "-l", "127.0.0.1:0", "-p", "right", *fallback)
        return await self.side(CLIENT, "-l", "127.0.0.1:0", "-s", server.address, "-p", password, "-pin", server.hash, *words)

    async def associate(self, proxy):
        """Where datagrams go, and the connection that keeps the association."""
        host, port = proxy.address.split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        self.addCleanup(writer.close)
        writer.write(b"\5\1\0")
        self.assertEqual(await reader.readexactly(2), b"\5\0")
        writer.write(b"\5\3\0\1" + bytes(6))
        reply = await asyncio.wait_for(reader.readexactly(10), PATIENCE)
        self.assertEqual(reply[:4], b"\5\0\0\1")
        near = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(near.close)
        near.setblocking(False)
        near.bind(("127.0.0.1", 0))
        return near, ("127.0.0.1", int.from_bytes(reply[8:], "big"))

    async def test_datagrams_by_one_stream_or_one_for_each_target(self):
        loop = asyncio.get_running_loop()
        for words, sockets in (([], 1), (["--uot", "1"], 1), (["--uot", "2"], 1), (["--uot", "2", "--uot-connect"], 2)):
            with self.subTest(words=words):
                targets = [await self.start(Echo()) for _ in range(2)]
                near, there = await self.associate(await self.proxy(*words))
                for number in range(3):
                    for target in targets:
                        head = b"\0\0\0\1\x7f\0\0\1" + target.port.to_bytes(2, "big")
                        await loop.sock_sendto(near, head + b"%d" % number, there)
                        answer = await asyncio.wait_for(loop.sock_recv(near, 2000), PATIENCE)
                        self.assertEqual(answer, head + b"echo %d" % number)
                self.assertEqual(len(targets[0].ports | targets[1].ports), sockets)
                for target in targets:
                    self.assertEqual(len(target.ports), 1)
                    target.transport.close()

    async def test_what_udp_over_tcp_looks_like_to_the_server(self):
        where = b"\x7f\0\0\1\0\x09"
        for words, name, request in (([], b"sp.v2.udp-over-tcp.arpa", b"\0"), (["--uot", "1"], b"sp.udp-over-tcp.arpa", b"\0" + where),
                                     (["--uot-connect"], b"sp.v2.udp-over-tcp.arpa", b"\1\1" + where)):
            with self.subTest(words=words):
                fallback = await self.start(Recorder(answers=False))
                # A password that the server does not know: what the client says is shown to us.
                proxy = await self.proxy(*words, password="wrong", fallback=("--fallback", fallback.address))
                near, there = await self.associate(proxy)
                near.sendto(b"\0\0\0\1" + where + b"hello", there)
                await fallback.until(lambda: payload_of(fallback.had).endswith(b"hello"))
                self.assertEqual(fallback.had[:32], hashlib.sha256(b"wrong").digest())
                said = payload_of(fallback.had)
                self.assertEqual(said[:2 + len(name)], b"\3" + bytes([len(name)]) + name)
                self.assertEqual(said[4 + len(name):][:len(request)], request)

    async def test_what_is_not_anytls_is_relayed(self):
        fallback = await self.start(Recorder(answers=True))
        server = await self.side(SERVER, "-l", "127.0.0.1:0", "-p", "right", "--fallback", fallback.address)
        host, port = server.address.split(":")
        trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
        reader, writer = await asyncio.open_connection(host, int(port), ssl=trusting)
        content = b"GET / HTTP/1.1\r\nHost: somebody.test\r\n\r\n" + os.urandom(100_000)
        writer.write(content)
        self.assertEqual(await asyncio.wait_for(reader.readexactly(len(content)), PATIENCE), content)
        writer.close()
        self.assertEqual(bytes(fallback.had), content)

    async def test_a_fallback_that_is_away_ends_the_connection(self):
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            server = await self.side(SERVER, "-l", "127.0.0.1:0", "-p", "right", "--fallback", "127.0.0.1:%d" % closed.getsockname()[1])
            host, port = server.address.split(":")
            trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
            reader, writer = await asyncio.open_connection(host, int(port), ssl=trusting)
            writer.write(b"GET / HTTP/1.1\r\nHost: somebody.test\r\n\r\n")
            with contextlib.suppress(ConnectionError):
                self.assertEqual(await asyncio.wait_for(reader.read(), PATIENCE), b"")
            writer.close()

    async def test_usage(self):
        for program, *words in ((CLIENT, "-s", "a:1", "-p", "x", "--uot", "3"), (CLIENT, "-s", "a:1", "-p", "x", "--uot", "1", "--uot-connect"),
                                (CLIENT, "-s", "a:1", "-p", "x", "--uot"), (SERVER, "-p", "x", "--fallback")):
            done = subprocess.run([program, *words], capture_output=True, text=True, check=False, timeout=PATIENCE)
            self.assertEqual(done.returncode, 2, words)
        done = subprocess.run([SERVER, "-l", "127.0.0.1:0", "-p", "x", "--fallback", "nonsense"], capture_output=True, text=True,
                              check=False, timeout=PATIENCE)
        self.assertEqual(done.returncode, 1)
        self.assertIn("-fallback", done.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[4:], warnings="ignore")  # a transport that is aborted stays open
