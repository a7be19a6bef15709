# SPDX-License-Identifier: Apache-2.0
"""What is tried between a client and a server of yamux or WebSocket. A scenario is a function of a MuxCell."""

import dataclasses
import time
from collections.abc import Callable

from . import Failed, frames

YAMUX, WEBSOCKET = "yamux", "websocket"
KEEP_ALIVE = ("--keep-alive", 300)
CLOSING_SECONDS = 5
CLIENT_CODE = 4002


@dataclasses.dataclass(frozen=True)
class MuxScenario:
    name: str
    what: str
    run: Callable
    protocol: str = YAMUX
    fast: bool = False
    limit: float = 30.0


def plain(cell):
    server = cell.start_server()
    cell.run_client(server.address)
    server.still_runs()


def watched(cell, *options):
    """Between the two stands a relay, which is returned when all is over."""
    server = cell.start_server(*options)
    with frames.FrameRelay(server.address) as relay:
        cell.run_client(relay.address, *(options if options == KEEP_ALIVE else ()))
        closing = wait_for_closing(server)
    return relay, closing


def wait_for_closing(server):
    until = time.monotonic() + CLOSING_SECONDS
    while time.monotonic() < until:
        server.still_runs()
        if found := server.closings():
            return found[0]
        time.sleep(0.01)
    raise Failed("the server does not notice the end of the connection")


def server_resets(cell):
    relay, _ = watched(cell)
    if not relay.flagged(frames.TO_CLIENT, frames.RST):
        raise Failed("the server sent no RST")


def client_resets(cell):
    relay, _ = watched(cell)
    if not relay.flagged(frames.TO_SERVER, frames.RST):
        raise Failed("the client sent no RST")


def server_first(cell):
    server = cell.start_server("--greet")
    cell.run_client(server.address)
    server.still_runs()


def idle(cell):
    relay, _ = watched(cell, *KEEP_ALIVE)
    asked = 0
    for way, back in ((frames.TO_SERVER, frames.TO_CLIENT), (frames.TO_CLIENT, frames.TO_SERVER)):
        asks = [each.length for each in relay.frames(way, frames.PING) if each.flags & frames.SYN]
        answers = [each.length for each in relay.frames(back, frames.PING) if each.flags & frames.ACK]
        if asks != answers:
            raise Failed(f"pings {way}: {asks[:8]}, answered by {answers[:8]}")
        asked += len(asks)
    if not asked:
        raise Failed("nobody sent a ping")


def server_closes(cell):
    relay, closing = watched(cell)
    codes = [each.length for each in relay.frames(frames.TO_CLIENT, frames.GO_AWAY)]
    cell.check_go_away(cell.server, codes)
    if not closing["clean"]:
        raise Failed("the server takes its own end for a failure")


def client_closes(cell):
    relay, closing = watched(cell)
    codes = [each.length for each in relay.frames(frames.TO_SERVER, frames.GO_AWAY)]
    cell.check_go_away(cell.client, codes)
    if not closing["clean"]:
        raise Failed("the server takes the end for a failure")


def fragments(cell):
    server = cell.start_server("--fragments")
    cell.run_client(server.address)
    server.still_runs()


def pings(cell):
    server = cell.start_server(*KEEP_ALIVE)
    cell.run_client(server.address, *KEEP_ALIVE)
    server.still_runs()


def client_code(cell):
    server = cell.start_server()
    cell.run_client(server.address)
    closing = wait_for_closing(server)
    if closing["code"] != CLIENT_CODE:
        raise Failed(f"the server saw {closing['code']} instead of {CLIENT_CODE}")


SCENARIOS = (
    MuxScenario("echo", "one stream there and back", plain, fast=True),
    MuxScenario("many", "100 streams at once, 100 kB each way", plain, fast=True),
    MuxScenario("upload", "100 MB on one stream, compared by SHA-256", plain),
    MuxScenario("download", "100 MB on one stream, compared by SHA-256", plain),
    MuxScenario("half-close", "the server answers only after the client's end", plain, fast=True),
    MuxScenario("server-resets", "after 1000 bytes; the connection lives on", server_resets, fast=True),
    MuxScenario("client-resets", "in the middle; the connection lives on", client_resets, fast=True),
    MuxScenario("server-first", "the client opens, the server speaks first", server_first, fast=True),
    MuxScenario("idle", "two silent seconds with keep-alive; every ping is answered once", idle),
    MuxScenario("server-closes", "the server closes in order while a stream is open", server_closes, fast=True),
    MuxScenario("client-closes", "the client closes in order", client_closes, fast=True),
    MuxScenario("messages", "of 1 byte to 10 MB there and back", plain, WEBSOCKET, fast=True),
    MuxScenario("fragments", "the peer sends its messages in pieces", fragments, WEBSOCKET, fast=True),
    MuxScenario("subprotocol", "the one that the client asks for", plain, WEBSOCKET, fast=True),
    MuxScenario("bulk-upload", "100 MB, compared by SHA-256", plain, WEBSOCKET),
    MuxScenario("bulk-download", "100 MB, compared by SHA-256", plain, WEBSOCKET),
    MuxScenario("pings", "in two silent seconds, of empty to 125 bytes", pings, WEBSOCKET),
    MuxScenario("server-code", "the server closes with 4001", plain, WEBSOCKET, fast=True),
    MuxScenario("client-code", "the client closes with 4002", client_code, WEBSOCKET, fast=True),
)
