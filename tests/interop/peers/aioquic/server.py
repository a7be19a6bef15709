# SPDX-License-Identifier: Apache-2.0
"""Serves files over h3 and hq-interop."""

import asyncio
import json
import os
import signal

from aioquic.asyncio.server import QuicServer
from aioquic.h3.connection import H3_ALPN
from aioquic.h3.events import HeadersReceived

from visit import Visit, split_address

CHUNK = 64 * 1024
# aioquic keeps what it has not sent in one array that it shifts with every acknowledgement: a short one shifts fast.
BUFFERED = 256 * 1024


class ServerVisit(Visit):
    def __init__(self, quic, options):
        super().__init__(quic, options)
        self.answers = {}

    def http_event(self, event):
        if not isinstance(event, HeadersReceived):
            return
        if self.options.close_code is not None:
            self._quic.close(error_code=self.options.close_code, reason_phrase="as asked")
            return
        fields = dict(event.headers)
        self._answer(event.stream_id, fields.get(b":path", b"/").decode())

    def _answer(self, stream_id, path):
        name = os.path.join(self.options.dir, os.path.normpath("/" + path).lstrip("/"))
        if not os.path.isfile(name):
            self._refuse(stream_id)
            return
        size = os.path.getsize(name)
        if self.alpn in H3_ALPN:
            fields = [(b":status", b"200"), (b"content-length", str(size).encode())]
            self.http.send_headers(stream_id, fields, end_stream=size == 0)
        elif size == 0:
            self.http.send_data(stream_id, b"", True)
        if size:
            self.answers[stream_id] = (open(name, "rb"), size)

    def _refuse(self, stream_id):
        if self.alpn in H3_ALPN:
            self.http.send_headers(stream_id, [(b":status", b"404")], end_stream=True)
        else:
            self._quic.reset_stream(stream_id, 4)

    def fill(self):
        for stream_id in list(self.answers):
            stream = self._quic._streams.get(stream_id)
            while stream_id in self.answers and stream and stream.sender._buffer_stop - stream.sender._buffer_start < BUFFERED:
                self._send_chunk(stream_id)

    def _send_chunk(self, stream_id):
        file, left = self.answers.pop(stream_id)
        data = file.read(CHUNK)
        left -= len(data)
        self.http.send_data(stream_id, data, left == 0)
        self.passed(len(data))
        if left:
            self.answers[stream_id] = (file, left)
        else:
            file.close()

    def ended(self, by):
        for file, _ in self.answers.values():
            file.close()
        self.answers.clear()
        report = {"event": "closed", "alpn": self.alpn, "cipher": self.cipher(), "key_updates": self.key_updates}
        print(json.dumps(report | self.closing(by)), flush=True)


async def serve(options, configuration):
    loop = asyncio.get_running_loop()
    visits = []

    def visit(quic, stream_handler=None):
        visits.append(ServerVisit(quic, options))
        return visits[-1]

    transport, listener = await loop.create_datagram_endpoint(
        lambda: QuicServer(configuration=configuration, create_protocol=visit, retry=options.retry),
        local_addr=split_address(options.listen)[:2])
    host, port = transport.get_extra_info("sockname")[:2]
    print(f"listening on [{host}]:{port}" if ":" in host else f"listening on {host}:{port}", flush=True)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()
    for each in visits:
        each.close(error_code=each.no_error())
    listener.close()
    return 0
