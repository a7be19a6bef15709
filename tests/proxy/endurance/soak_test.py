#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""soak.py sees what it is there for: each thing that a proxy can do to a download has its name."""

import asyncio
import pathlib
import random
import socket
import struct
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import soak  # noqa: E402  the line above has to come first

ANSWER = b"\5\0" + b"\5\0\0\1" + bytes(6)


class Proxy:
    """Answers, then does with the order that comes what it was made for."""

    def __init__(self, how):
        self.how = how

    async def serve(self, reader, writer):
        await reader.readexactly(13)
        if self.how == "unanswered":
            return writer.close()
        if self.how == "refused":
            writer.write(ANSWER[:3] + b"\5" + ANSWER[4:])
            return writer.close()
        writer.write(ANSWER)
        _, size, seed = struct.unpack(">cQI", await reader.readexactly(13))
        content = bytes(soak.pattern(seed, size))
        if self.how == "reset":
            writer.write(content[:-1])
            await writer.drain()
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return writer.transport.abort()
        writer.write({"short": content[:-1], "longer": content + b"x", "other": content[:-1] + bytes((content[-1] ^ 1,)),
                      "whole": content}[self.how])
        return writer.close()


async def through(how, run):
    server = await asyncio.start_server(Proxy(how).serve, "127.0.0.1", 0)
    async with server:
        return await run(server.sockets[0].getsockname())


class Downloads(unittest.TestCase):
    def outcome(self, how):
        class Chance(random.Random):
            def choices(self, *_, **__):
                return [soak.download]
        return asyncio.run(through(how, lambda proxy: soak.exchange(proxy, ("127.0.0.1", 1), Chance(1))))

    def test_what_may_be(self):
        for how, what in (("whole", soak.EXACT), ("refused", soak.REFUSED), ("unanswered", soak.UNANSWERED), ("reset", soak.RESET)):
            self.assertEqual(self.outcome(how), what)

    def test_what_may_not(self):
        for how in ("short", "longer", "other"):
            with self.assertRaises(soak.Wrong):
                self.outcome(how)


if __name__ == "__main__":
    unittest.main()
