#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""slow_clients.py PROXY-PORT TUNNEL-PORT CLIENTS AUTHORITY ORIGIN: so many clients of a proxy, and half as many of a tunnel server, that
begin something, some of them behind a request to the origin that is in order, and go on a byte a second; who is sent away comes again. At SIGTERM they leave, and what came of them is printed. A program of its
own, so that it takes no time from those that are served."""

import asyncio
import contextlib
import itertools
import json
import random
import signal
import ssl
import sys
import time

PUBLIC = "public.test"
SOURCES = 8


def client_hello():
    came, sent = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        ssl.create_default_context().wrap_bio(came, sent, server_hostname=PUBLIC).do_handshake()
    return sent.read()


def without_end(text):
    return itertools.chain(text, itertools.cycle(b"X-Slow: 1\r\n"))


HEAD = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
PLAIN = {
    "socks4": lambda: itertools.chain(b"\4\1\0\1\177\0\0\1", itertools.repeat(ord("a"))),
    "socks5": lambda: itertools.chain(b"\5\xff", itertools.repeat(2)),
    "socks5 request": lambda: itertools.chain(b"\5\1\0\5\1\0\3\xff", itertools.repeat(ord("a"))),
    "http head": lambda: without_end(b"GET http://127.0.0.1:1/ HTTP/1.1\r\nHost: a\r\n"),
    "connect head": lambda: without_end(b"CONNECT 127.0.0.1:1 HTTP/1.1\r\nHost: a\r\n"),
    "nothing": lambda: iter(b""),
    "second head": lambda: without_end(b"GET http://127.0.0.1:1/ HTTP/1.1\r\nHost: a\r\n"),
    "second head at once": lambda: without_end(b"T http://127.0.0.1:1/ HTTP/1.1\r\nHost: a\r\n"),
}
BEFORE = {"second head": b"", "second head at once": b"GE"}
"""What is sent right behind a whole request."""
TUNNEL = {
    "client hello": (False, lambda: itertools.chain(client_hello()[:-1])),
    "nothing": (False, lambda: iter(b"")),
    "websocket head": (True, lambda: without_end(HEAD)),
    "anytls": (True, lambda: itertools.repeat(0)),
    "nothing in TLS": (True, lambda: iter(b"")),
}


class Slow:
    def __init__(self, authority):
        self.kept = {}
        self.sent_away = 0
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.load_verify_locations(authority)

    def was_kept(self, port, began):
        self.kept[port] = max(self.kept.get(port, 0.0), time.monotonic() - began)

    async def come(self, number, port, tls, octets, before=b""):
        """Again and again. How long one is kept counts from when it was there to when it is sent away."""
        extra = {"ssl": self.context, "server_hostname": PUBLIC, "ssl_handshake_timeout": 60} if tls else {}
        while True:
            await asyncio.sleep(random.uniform(0, 3))
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(f"127.0.1.{number % SOURCES + 1}", 0), **extra)
            except OSError:
                continue
            began = time.monotonic()
            writer.write(before)
            sending = asyncio.create_task(self.drip(writer, octets()))
            try:
                with contextlib.suppress(OSError):
                    while await reader.read(4096):
                        pass
                self.sent_away += 1
            finally:
                self.was_kept(port, began)
                sending.cancel()
                writer.transport.abort()

    @staticmethod
    async def drip(writer, octets):
        with contextlib.suppress(OSError):
            for octet in octets:
                writer.write(bytes((octet,)))
                await writer.drain()
                await asyncio.sleep(1)

    async def run(self, proxy, tunnels, clients, origin):
        whole = f"GET http://{origin}/ HTTP/1.1\r\nHost: {origin}\r\n\r\n".encode()
        plain = [(proxy, False, octets, whole + BEFORE[name] if name in BEFORE else b"") for name, octets in PLAIN.items()]
        inside = [(tunnels, tls, octets) for tls, octets in TUNNEL.values()]
        kinds = [*itertools.islice(itertools.cycle(plain), clients), *itertools.islice(itertools.cycle(inside), clients // 2)]
        tasks = [asyncio.create_task(self.come(number, *kind)) for number, kind in enumerate(kinds)]
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        await stop.wait()
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        if wrong := [each for each in ended if not isinstance(each, asyncio.CancelledError)]:
            raise wrong[0]
        print(json.dumps({"kept": [self.kept[proxy], self.kept[tunnels]], "sent_away": self.sent_away}))


if __name__ == "__main__":
    asyncio.run(Slow(sys.argv[4]).run(*map(int, sys.argv[1:4]), sys.argv[5]))
