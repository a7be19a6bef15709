# SPDX-License-Identifier: Apache-2.0
"""The websockets library as a server and a client: README.md has what it takes and prints."""

import argparse
import asyncio
import hashlib
import json
import sys

import websockets
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve

BLOCK = bytes((31 * i + i // 251) & 0xFF for i in range(65521))
SIZES = (1, 125, 126, 65535, 65536, 65537, 1_000_000, 10_000_000)
BULK = 100_000_000
MESSAGE = 1 << 20
SMALL = 1000
SUBPROTOCOL = "interop.strata"
CLIENT_CODE, SERVER_CODE = 4002, 4001


def pattern(size):
    return (BLOCK * (size // len(BLOCK) + 1))[:size]


def counted(order, size):
    return order + size.to_bytes(8, "big")


def pieces(data, size=MESSAGE):
    return [data[at:at + size] for at in range(0, len(data), size)]


class Bytes:
    """The borders of messages mean nothing: this reads across them."""

    def __init__(self, socket):
        self._socket = socket
        self._kept = b""

    async def some(self, most):
        if not self._kept:
            self._kept = await self._socket.recv()
        taken, self._kept = self._kept[:most], self._kept[most:]
        return taken

    async def exactly(self, size):
        parts = []
        while size:
            parts.append(await self.some(size))
            size -= len(parts[-1])
        return b"".join(parts)


async def send(socket, data, fragments):
    """As one message, or as one in fragments of uneven sizes."""
    await socket.send(pieces(data, max(1, len(data) // 3)) if fragments else data)


async def answer(socket, fragments):
    source = Bytes(socket)
    order = await source.exactly(9)
    size = int.from_bytes(order[1:], "big")
    match order[:1]:
        case b"N":
            while size:
                piece = await source.some(size)
                await send(socket, piece, fragments)
                size -= len(piece)
        case b"U":
            digest, left = hashlib.sha256(), size
            while left:
                piece = await source.some(left)
                digest.update(piece)
                left -= len(piece)
            await socket.send(counted(b"", size) + digest.digest())
        case b"D":
            for piece in pieces(pattern(size)):
                await socket.send(piece)
        case b"C":
            await socket.close(size, "as asked")
            return
        case _:
            raise ValueError(f"an unknown order: {order}")
    await socket.close()


async def run_server(options):
    async def handle(socket):
        try:
            await answer(socket, options.fragments)
        except websockets.ConnectionClosed as why:
            print(f"closed early: {why}", file=sys.stderr)
        await socket.wait_closed()
        event = {"event": "closed", "clean": socket.close_code not in (1002, 1006, 1011), "code": socket.close_code}
        print(json.dumps(event), flush=True)

    host, _, port = options.listen.rpartition(":")
    async with serve(handle, host, int(port), max_size=None, subprotocols=[SUBPROTOCOL], compression=None,
                     ping_interval=options.keep_alive, ping_timeout=5,
                     select_subprotocol=lambda _, offered: SUBPROTOCOL if SUBPROTOCOL in offered else None) as server:
        print("listening on %s:%d" % server.sockets[0].getsockname()[:2], flush=True)
        await server.serve_forever()


async def expect_close(socket, code):
    try:
        extra = await socket.recv()
    except websockets.ConnectionClosed:
        extra = b""
    if extra or socket.close_code != code:
        raise ValueError(f"closed with {socket.close_code} instead of {code}, {len(extra)} bytes before")


async def echo(socket, sizes, fragments=False):
    await socket.send(counted(b"N", sum(sizes)))
    source = Bytes(socket)
    for size in sizes:
        sending = asyncio.create_task(send(socket, pattern(size), fragments))
        if await source.exactly(size) != pattern(size):
            raise ValueError(f"the echo of {size} bytes differs")
        await sending
    await expect_close(socket, 1000)


async def upload(socket):
    await socket.send(counted(b"U", BULK))
    for piece in pieces(pattern(BULK)):
        await socket.send(piece)
    expected = counted(b"", BULK) + hashlib.sha256(pattern(BULK)).digest()
    if await Bytes(socket).exactly(len(expected)) != expected:
        raise ValueError("the server sums otherwise")
    await expect_close(socket, 1000)


async def download(socket):
    await socket.send(counted(b"D", BULK))
    if await Bytes(socket).exactly(BULK) != pattern(BULK):
        raise ValueError("the bytes differ")
    await expect_close(socket, 1000)


async def ping(socket):
    await socket.send(counted(b"N", SMALL)[:5])
    for payload in (b"", b"1", bytes(125)):
        waiting = await socket.ping(payload)
        await asyncio.wait_for(waiting, 5)
    await asyncio.sleep(2)
    await socket.send(counted(b"N", SMALL)[5:])
    await socket.send(pattern(SMALL))
    if await Bytes(socket).exactly(SMALL) != pattern(SMALL):
        raise ValueError("the echo differs")
    await expect_close(socket, 1000)


async def run_client(options):
    offered = [SUBPROTOCOL] if options.scenario == "subprotocol" else None
    async with connect(f"ws://{options.connect}/", max_size=None, compression=None, subprotocols=offered,
                       ping_interval=options.keep_alive, ping_timeout=5) as socket:
        match options.scenario:
            case "messages":
                await echo(socket, SIZES)
            case "fragments":
                await echo(socket, SIZES, fragments=True)
            case "subprotocol":
                if socket.subprotocol != SUBPROTOCOL:
                    raise ValueError(f"the server chose {socket.subprotocol}")
                await echo(socket, SIZES[:3])
            case "bulk-upload":
                await upload(socket)
            case "bulk-download":
                await download(socket)
            case "pings":
                await ping(socket)
            case "server-code":
                await socket.send(counted(b"C", SERVER_CODE))
                await expect_close(socket, SERVER_CODE)
            case "client-code":
                await socket.send(counted(b"N", SMALL))
                await socket.close(CLIENT_CODE, "as planned")
                if socket.close_code != CLIENT_CODE:
                    raise ValueError(f"the server answered with {socket.close_code}")
            case _:
                raise ValueError("no such scenario")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("mode", choices=("version", "server", "client"))
    parser.add_argument("--listen", default="127.0.0.1:0")
    parser.add_argument("--connect")
    parser.add_argument("--keep-alive", type=lambda text: int(text) / 1000)
    parser.add_argument("--fragments", action="store_true")
    parser.add_argument("scenario", nargs="?")
    options = parser.parse_intermixed_args()
    if options.mode == "version":
        print(f"websockets {websockets.__version__}")
        return
    try:
        asyncio.run(run_server(options) if options.mode == "server" else run_client(options))
    except (ValueError, OSError, websockets.WebSocketException, asyncio.TimeoutError) as why:
        sys.exit(f"{type(why).__name__}: {why}")


if __name__ == "__main__":
    main()
