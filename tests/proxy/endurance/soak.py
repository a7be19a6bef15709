#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""soak.py --bin FOLDER: many tunnels (SOCKS5, Encrypted Client Hello, WebSocket, yamux, TCP) through two strata-proxy, of which the
far one is killed and comes back all the time. Fails when a byte is wrong, when an end looks like one in order that is none, when anything
gets stuck, and when memory or descriptors grow."""

import argparse
import asyncio
import collections
import hashlib
import json
import pathlib
import random
import signal
import struct
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from world import Failed, run  # noqa: E402  the line above has to come first

BLOCK = random.Random(20261122).randbytes(1 << 20)
LARGEST = 256 << 10
STUCK_SECONDS = 90
WARM = 20
SHORT_MINUTES = 2.0
"""Of shorter runs the memory is only told: it still grows to what it needs."""
EXACT, REFUSED, RESET, UNANSWERED = "exact", "refused", "reset", "ended before an answer"
CLEAN = (EXACT, REFUSED, RESET, UNANSWERED)


def pattern(seed, size):
    at = seed % (len(BLOCK) - LARGEST)
    return memoryview(BLOCK)[at:at + size]


class Wrong(Exception):
    """What must not happen."""


class Unanswered(Exception):
    pass


class Refused(Exception):
    pass


class Target:
    """D: sends so much of the pattern and ends. U: reads so much, answers its hash and ends. E: echoes so much and ends: there is no half
    close in a tunnel, so the client's end could not be waited for."""

    async def start(self, host="127.0.0.1"):
        self.server = await asyncio.start_server(self.serve, host, 0, backlog=1024)
        return self.server.sockets[0].getsockname()

    async def serve(self, reader, writer):
        try:
            order, size, seed = struct.unpack(">cQI", await reader.readexactly(13))
            if order == b"D":
                writer.write(pattern(seed, size))
                await writer.drain()
            elif order == b"U":
                digest = hashlib.sha256(await reader.readexactly(size))
                writer.write(digest.digest())
            else:
                while size and (piece := await reader.read(min(size, 65536))):
                    size -= len(piece)
                    writer.write(piece)
                    await writer.drain()
            writer.write_eof()
            while await reader.read(65536):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # a tunnel was lost, or all is over
        finally:
            writer.close()


async def read_exactly(reader, size):
    try:
        return await reader.readexactly(size)
    except asyncio.IncompleteReadError as early:
        raise Wrong(f"an end in order after {len(early.partial)} of {size} bytes") from None


async def expect_end(reader):
    if behind := await reader.read(1):
        raise Wrong(f"bytes behind the last: {behind!r}")


async def connect(proxy, target):
    reader, writer = await asyncio.open_connection(*proxy)
    try:
        writer.write(b"\5\1\0\5\1\0\1" + bytes(map(int, target[0].split("."))) + struct.pack(">H", target[1]))
        try:
            answer = await reader.readexactly(12)
        except asyncio.IncompleteReadError:
            raise Unanswered from None
        if answer[3] != 0:
            raise Refused(answer[3])
        return reader, writer
    except BaseException:
        writer.close()
        raise


async def download(reader, writer, chance):
    size, seed = chance.randrange(1, LARGEST), chance.getrandbits(31)
    writer.write(struct.pack(">cQI", b"D", size, seed))
    if await read_exactly(reader, size) != pattern(seed, size):
        raise Wrong("other bytes came")
    await expect_end(reader)


async def upload(reader, writer, chance):
    size, seed = chance.randrange(1, LARGEST), chance.getrandbits(31)
    writer.write(struct.pack(">cQI", b"U", size, seed))
    writer.write(pattern(seed, size))
    await writer.drain()
    if await read_exactly(reader, 32) != hashlib.sha256(pattern(seed, size)).digest():
        raise Wrong("the target got other bytes")
    await expect_end(reader)


async def converse(reader, writer, chance, pause=4.0):
    """With pauses of up to so many seconds, so that most tunnels are open for a while."""
    pieces = [pattern(chance.getrandbits(31), chance.randrange(1, 20_000)) for _ in range(chance.randrange(1, 6))]
    writer.write(struct.pack(">cQI", b"E", sum(map(len, pieces)), 0))
    for piece in pieces:
        await asyncio.sleep(chance.uniform(0, pause))
        writer.write(piece)
        if await read_exactly(reader, len(piece)) != piece:
            raise Wrong("another echo came")
    await expect_end(reader)


async def exchange(proxy, target, chance):
    """What came of one tunnel."""
    try:
        reader, writer = await connect(proxy, target)
    except Refused:
        return REFUSED
    except Unanswered:
        return UNANSWERED
    except OSError:
        return RESET
    try:
        await chance.choices((download, upload, converse), (3, 2, 5))[0](reader, writer, chance)
        return EXACT
    except OSError:
        return RESET
    finally:
        writer.transport.abort()


class Soak:
    def __init__(self, options, world):
        self.options, self.world = options, world
        self.counts = collections.Counter()
        self.wrong, self.samples = [], []
        self.kills = 0

    async def tunnel(self, number):
        chance = random.Random(f"{self.options.seed} {number}")
        await asyncio.sleep(chance.uniform(0, 2))
        while time.monotonic() < self.end:
            try:
                async with asyncio.timeout(STUCK_SECONDS):
                    what = await exchange(self.proxy, self.target, chance)
            except TimeoutError:
                what = "stuck"
            except Wrong as why:
                what = str(why)
            self.counts[what if what in CLEAN else "wrong"] += 1
            if what not in CLEAN:
                self.wrong.append(f"{time.monotonic() - self.began:.1f} s: {what}")
            if what in (REFUSED, UNANSWERED):
                await asyncio.sleep(chance.uniform(0.1, 0.5))  # nobody hammers at a server that is away

    async def kill(self):
        """The tunnel's far end, mostly without a warning."""
        chance = random.Random(f"{self.options.seed} kills")
        while time.monotonic() < self.end - 5:
            await asyncio.sleep(chance.uniform(*self.options.between))
            number = signal.SIGTERM if chance.random() < 0.2 else signal.SIGKILL
            await asyncio.to_thread(self.server.signal, number)
            await asyncio.sleep(chance.uniform(0, 1))
            self.server = await asyncio.to_thread(self.world.start_server)
            self.kills += 1

    async def watch(self):
        while time.monotonic() < self.end:
            await asyncio.sleep(1)
            open_now = await asyncio.to_thread(self.client.metric, "strata_proxy_connections")
            self.samples.append((self.client.resident(), self.client.descriptors(), open_now))

    async def settled(self, daemon, what, allowed):
        """Until the figure is down again: seconds are for what is held for clients that might read on."""
        until = time.monotonic() + 60
        while (now := what(daemon)) > allowed:
            if time.monotonic() > until:
                raise Failed(f"{daemon.name}: {now} and not {allowed} a minute after the last tunnel")
            await asyncio.sleep(0.2)
        return now

    async def run(self):
        self.server, self.client = self.world.start_server(), self.world.start_client()
        self.proxy, self.target = self.client.listening(), await Target().start()
        chance = random.Random(self.options.seed)
        for _ in range(WARM):
            await download(*await connect(self.proxy, self.target), chance)
        before = self.client.descriptors()
        self.began = time.monotonic()
        self.end = self.began + self.options.minutes * 60
        lanes = [self.tunnel(number) for number in range(self.options.tunnels)]
        await asyncio.gather(self.kill(), self.watch(), *lanes)
        self.client.still_runs()
        for daemon in (self.client, self.server):
            await self.settled(daemon, lambda each: each.metric("strata_proxy_connections"), 0)
        # Sessions of each way are kept, and some more descriptors are of this machine's library.
        await self.settled(self.client, lambda each: each.descriptors(), before + 2 * 8 + 4)
        if await exchange(self.proxy, self.target, chance) not in (EXACT, RESET, REFUSED):
            raise Failed("no tunnel afterwards")
        return self.report(before)

    def report(self, before):
        quarter = max(len(self.samples) // 4, 1)
        warm, late = self.samples[quarter:2 * quarter] or self.samples, self.samples[-quarter:]
        figures = {"minutes": self.options.minutes, "tunnels": self.options.tunnels, "kills": self.kills, **self.counts,
                   "open at most": max(each[2] for each in self.samples), "descriptors before": before,
                   "descriptors at most": max(each[1] for each in self.samples), "descriptors after": self.client.descriptors(),
                   "MiB warm": round(max(each[0] for each in warm), 1), "MiB late": round(max(each[0] for each in late), 1),
                   "CPU s": round(self.client.processor(), 1)}
        print(json.dumps(figures), flush=True)
        for each in self.wrong[:10]:
            print(f"  wrong: {each}")
        if self.wrong:
            raise Failed(f"{len(self.wrong)} tunnels went wrong")
        if self.counts[EXACT] < self.options.tunnels:
            raise Failed("too few tunnels came to their end")
        if self.options.minutes >= SHORT_MINUTES and figures["MiB late"] > figures["MiB warm"] * 1.1 + 4:
            raise Failed("memory grows")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--tunnels", type=int, default=1000)
    parser.add_argument("--between", type=float, nargs=2, default=(3, 12), help="seconds from a start to the next kill")
    return run(Soak, parser)


if __name__ == "__main__":
    sys.exit(main())
