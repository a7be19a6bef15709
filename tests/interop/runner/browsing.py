# SPDX-License-Identifier: Apache-2.0
"""A site that a browser visits: its page speaks to it over a WebSocket and reports what came of it."""

import base64
import hashlib
import http.server
import struct
import threading
import urllib.parse

from . import Failed

PAGE = b"""<!doctype html><meta charset="utf-8"><title>waiting</title><script>
const sent = [new TextEncoder().encode("gr\\u00fc\\u00dfe"), new Uint8Array(0), new Uint8Array(100000).map((_, at) => at * 7)]
const report = (what) => fetch("/report?" + encodeURIComponent(what))
const socket = new WebSocket("ws://" + location.host + "/socket")
let received = 0
socket.binaryType = "arraybuffer"
socket.onopen = () => sent.forEach((each) => socket.send(each))
socket.onerror = () => report("the WebSocket failed")
socket.onclose = (event) => report(event.code === 4000 && received === sent.length ? "good" : "closed with " + event.code)
socket.onmessage = (event) => {
  const got = new Uint8Array(event.data), wanted = sent[received++]
  if (got.length !== wanted.length || got.some((octet, at) => octet !== wanted[at])) report("message " + received + " differs")
  if (received === sent.length) socket.close(4000)
}
</script>"""
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CLOSE, PING, PONG = 8, 9, 10


def read_frame(source):
    """(first octet, payload unmasked)"""
    first, size = source.read(2)
    size &= 0x7F
    if size == 126:
        (size,) = struct.unpack(">H", source.read(2))
    elif size == 127:
        (size,) = struct.unpack(">Q", source.read(8))
    mask = source.read(4)
    payload = source.read(size)
    pad = (mask * (size // 4 + 1))[:size]
    return first, (int.from_bytes(payload, "big") ^ int.from_bytes(pad, "big")).to_bytes(size, "big")


def frame(first, payload):
    size = len(payload)
    if size < 126:
        return bytes((first, size)) + payload
    return bytes((first, 126)) + struct.pack(">H", size) + payload if size < 65536 else bytes((first, 127)) + struct.pack(">Q", size) + payload


class Site:
    def __init__(self):
        self._reported = threading.Event()
        self._report = ""
        self.asked = []
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                site.asked.append(self.path)
                if self.path == "/socket":
                    return self.echo()
                if self.path.startswith("/report?"):
                    site.take_report(urllib.parse.unquote(self.path.partition("?")[2]))
                content = PAGE if self.path == "/" else b""
                self.send_response(200 if content or self.path.startswith("/report?") else 404)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                return self.wfile.write(content)

            def echo(self):
                self.close_connection = True
                self.send_response(101)
                self.send_header("Upgrade", "websocket")
                self.send_header("Connection", "Upgrade")
                key = self.headers["Sec-WebSocket-Key"].encode() + GUID
                self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key).digest()).decode())
                self.end_headers()
                first = 0
                while first & 0x0F != CLOSE:
                    first, payload = read_frame(self.rfile)
                    self.wfile.write(frame(first & 0xF0 | (PONG if first & 0x0F == PING else first & 0x0F), payload))

        class Quiet(http.server.ThreadingHTTPServer):
            def handle_error(self, *_):
                pass  # the browser has gone

        self.server = Quiet(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def url(self):
        return f"http://localhost:{self.server.server_address[1]}/"

    def take_report(self, what):
        if not self._reported.is_set():
            self._report = what
            self._reported.set()

    def expect_report(self, child, seconds):
        """Of the page that the child shows."""
        if not self._reported.wait(seconds):
            raise Failed(f"the page reported nothing in {seconds} s; asked for: {self.asked}; {child.complained()[-300:]}")
        if self._report != "good":
            raise Failed(f"the page reported: {self._report}")
