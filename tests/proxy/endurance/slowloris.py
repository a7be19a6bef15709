#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""slowloris.py --bin FOLDER: hundreds of clients begin everything that a strata-proxy takes, a byte a second, and come again when they are
sent away, while others are served. Fails when one of those is not, or late, when a slow one is kept, and when anything is left of them."""

import argparse
import asyncio
import contextlib
import json
import pathlib
import random
import statistics
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from soak import Target, connect, download  # noqa: E402  the line above has to come first
from world import Failed, run  # noqa: E402

KEPT_SECONDS = (10 + 10, 5 + 10 + 10)
"""core::limits::opening_timeout, at a tunnel server behind the time that anytls has for its authentication; and what a busy machine takes."""
COMES_AGAIN = 40
LATE_SECONDS = 5.0
HONEST = 8
PLAIN_KIB, TLS_KIB = 64, 192
"""What a slow client may cost while it is there."""


class Slowloris:
    def __init__(self, options, world):
        self.options, self.world = options, world
        self.waited = {"before": [], "meanwhile": []}

    async def honest(self, until, waited):
        """Through the proxy alone, and through the tunnel."""
        chance = random.Random(self.options.seed)
        while time.monotonic() < until:
            for target in self.targets:
                began = time.monotonic()
                reader, writer = await connect(self.proxy, target)
                await download(reader, writer, chance)
                writer.transport.abort()
                waited.append(time.monotonic() - began)
            await asyncio.sleep(0.05)

    async def serve(self, seconds, waited):
        until = time.monotonic() + seconds
        await asyncio.gather(*(self.honest(until, waited) for _ in range(HONEST)))

    @staticmethod
    async def start_origin():
        """Of plain HTTP, for those that are slow with their second request."""
        async def answer(reader, writer):
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while await reader.readuntil(b"\r\n\r\n"):
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            writer.close()

        made = await asyncio.start_server(answer, "127.0.0.2", 0, backlog=1024)
        return "{}:{}".format(*made.sockets[0].getsockname())

    async def settled(self, daemon, before):
        until = time.monotonic() + 40
        while (now := daemon.descriptors()) > before:
            if time.monotonic() > until:
                raise Failed(f"{daemon.name}: {now} descriptors, and {before} before")
            await asyncio.sleep(0.2)

    async def run(self):
        client, server = self.world.start_client(), self.world.start_server()
        self.proxy, tunnels = client.listening(), server.listening()
        self.targets = [await Target().start(host) for host in ("127.0.0.1", "127.0.0.2")]
        await self.serve(self.options.seconds / 6, self.waited["before"])
        before = {each: (each.descriptors(), each.resident()) for each in (client, server)}
        slow = await asyncio.create_subprocess_exec(
            sys.executable, "-B", str(pathlib.Path(__file__).with_name("slow_clients.py")), str(self.proxy[1]), str(tunnels[1]),
            str(self.options.clients), str(self.world.keys.authority), await self.start_origin(), stdout=asyncio.subprocess.PIPE)
        self.world.callback(lambda: slow.returncode is None and slow.kill())
        await self.serve(self.options.seconds, self.waited["meanwhile"])
        grown = {each.name: round(each.resident() - before[each][1], 1) for each in before}
        slow.terminate()
        told, _ = await slow.communicate()
        if slow.returncode != 0:
            raise Failed("the slow clients did not end well")
        self.slow = json.loads(told)
        for daemon, (descriptors, _) in before.items():
            await self.settled(daemon, descriptors)
            daemon.still_runs()
        self.report(grown, client.name, server.name)

    def report(self, grown, client, server):
        figures = {"slow clients": self.options.clients * 3 // 2, "sent away": self.slow["sent_away"],
                   "kept at most, s": [round(each, 1) for each in self.slow["kept"]], "MiB more": grown}
        for when, waited in self.waited.items():
            waited.sort()
            figures[f"ms {when}"] = {"served": len(waited), "p50": round(1000 * statistics.median(waited), 1),
                                     "p99": round(1000 * waited[len(waited) * 99 // 100], 1), "most": round(1000 * waited[-1], 1)}
        print(json.dumps(figures), flush=True)
        for kept, allowed in zip(self.slow["kept"], KEPT_SECONDS):
            if kept > allowed:
                raise Failed(f"a slow client was kept for {kept:.1f} s")
        if self.slow["sent_away"] < self.options.clients * self.options.seconds / COMES_AGAIN:
            raise Failed(f"only {self.slow['sent_away']} were sent away")
        if self.waited["meanwhile"][-1] > LATE_SECONDS:
            raise Failed(f"an honest client waited {self.waited['meanwhile'][-1]:.1f} s")
        for name, count, most in ((client, self.options.clients, PLAIN_KIB), (server, self.options.clients // 2, TLS_KIB)):
            if not self.options.sanitized and grown[name] * 1024 > count * most + 8 * 1024:
                raise Failed(f"{name}: {grown[name]} MiB for {count} slow clients")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--clients", type=int, default=600, help="slow ones of the proxy; half as many are the tunnel server's")
    parser.add_argument("--sanitized", action="store_true", help="of a build whose memory is not its own: it is told, not judged")
    return run(Slowloris, parser)


if __name__ == "__main__":
    sys.exit(main())
