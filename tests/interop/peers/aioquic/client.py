# SPDX-License-Identifier: Apache-2.0
"""Downloads files over one connection."""

import asyncio
import json
import os
import sys
import time

from aioquic.h3.connection import H3_ALPN
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import StreamReset

from visit import Visit, split_address

EXIT_FAILED = 1
EXIT_HTTP = 22


class Download:
    """A file that gets its name only when all of it has arrived."""

    def __init__(self, folder, path):
        self.path = path
        self.name = os.path.join(folder, path.rsplit("/", 1)[-1])
        self.file = open(self.name + ".part", "wb")

    def complete(self):
        self.file.close()
        os.rename(self.name + ".part", self.name)


class ClientVisit(Visit):
    def __init__(self, quic, options, paths):
        super().__init__(quic, options)
        self.waiting = list(reversed(paths))
        self.running = {}
        self.received = 0
        self.refused = []
        self.done = asyncio.Event()
        self.end = asyncio.Event()
        self.last_words = {"by": "", "space": "", "code": None}

    def fill(self):
        while self.waiting and len(self.running) < max(1, self.options.parallel):
            path = self.waiting.pop()
            stream_id = self._quic.get_next_available_stream_id()
            fields = {":method": "GET", ":scheme": "https", ":authority": self.options.authority, ":path": path}
            self.http.send_headers(stream_id, [(k.encode(), v.encode()) for k, v in fields.items()], end_stream=True)
            self.running[stream_id] = Download(self.options.output_dir, path)
        if not self.waiting and not self.running:
            self.done.set()

    def http_event(self, event):
        download = self.running.get(event.stream_id)
        if download is None:
            return
        if isinstance(event, HeadersReceived) and self.alpn in H3_ALPN:
            status = dict(event.headers).get(b":status", b"")
            if status != b"200":
                self._refuse(event.stream_id, status.decode())
                return
        if isinstance(event, DataReceived):
            download.file.write(event.data)
            self.received += len(event.data)
            self.passed(len(event.data))
        if event.stream_ended:
            self.running.pop(event.stream_id).complete()

    def quic_event_received(self, event):
        super().quic_event_received(event)
        if isinstance(event, StreamReset) and event.stream_id in self.running:
            self._refuse(event.stream_id, f"reset with {event.error_code}")

    def _refuse(self, stream_id, why):
        self.refused.append(f"refused: {self.running.pop(stream_id).path}: {why}")

    def ended(self, by):
        self.last_words = self.closing(by)
        self.done.set()
        self.end.set()


async def download(options, configuration):
    paths = options.paths
    if options.paths_file:
        with open(options.paths_file, encoding="utf-8") as file:
            paths += file.read().split()
    loop = asyncio.get_running_loop()
    address = split_address(options.connect)
    began = time.monotonic()
    transport, visit = await loop.create_datagram_endpoint(
        lambda: ClientVisit(QuicConnection(configuration=configuration), options, paths),
        local_addr=("::" if ":" in address[0] else "0.0.0.0", 0))
    visit.connect(address)
    try:
        await visit.wait_connected()
    except ConnectionError:
        print(f"no connection: {visit._quic._close_event}", file=sys.stderr)
        transport.close()
        return EXIT_FAILED
    handshake = time.monotonic() - began
    await visit.done.wait()
    seconds = time.monotonic() - began
    complete = not visit.waiting and not visit.running
    if complete and options.linger:
        try:
            await asyncio.wait_for(visit.end.wait(), options.linger)
        except TimeoutError:
            pass
    report(visit, handshake, seconds)
    visit.close(error_code=visit.no_error())
    transport.close()
    return verdict(visit, complete)


def report(visit, handshake, seconds):
    words = visit.last_words
    print(json.dumps({
        "handshake_ms": handshake * 1000, "bytes": visit.received, "seconds": seconds,
        "close_code": words["code"] if words["by"] == "peer" else None, "close_space": words["space"],
        "resumed": visit._quic.tls.session_resumed, "cipher": visit.cipher(), "key_updates": visit.key_updates,
    }), flush=True)


def verdict(visit, complete):
    if visit.refused:
        print("\n".join(visit.refused[:10]), file=sys.stderr)
        return EXIT_HTTP
    if not complete:
        print(f"the connection ended before the files did: {visit.last_words}", file=sys.stderr)
        return EXIT_FAILED
    return 0
