# SPDX-License-Identifier: Apache-2.0
"""A resolver on loopback over HTTPS (RFC 8484), which remembers what it was asked."""

import base64
import http.server
import ssl
import struct
import threading
import urllib.parse

A, SOA, HTTPS = 1, 6, 65
ALPN, ECH = 1, 5
HEADER_SIZE = 12
ANSWER_FLAGS, SECONDS_TO_LIVE = 0x8180, 60
POINTER_TO_QUESTION = 0xC00C


def question_of(query):
    """(name, type, where the question ends)"""
    labels, place = [], HEADER_SIZE
    while size := query[place]:
        labels.append(query[place + 1:place + 1 + size].decode("ascii"))
        place += 1 + size
    (kind,) = struct.unpack_from(">H", query, place + 1)
    return ".".join(labels), kind, place + 5


def host_of(name):
    """Of _PORT._https.HOST (RFC 9460, section 2.3)."""
    labels = name.split(".")
    return ".".join(labels[2:]) if labels[0].startswith("_") else name


def wire_name(name):
    return b"".join(bytes((len(label),)) + label.encode("ascii") for label in name.split(".")) + b"\0"


def https_content(host, config_list):
    """RFC 9460, section 2.2: of priority 1, and of the host itself, whatever port was asked for."""
    alpn = b"\x08http/1.1"
    return b"".join((struct.pack(">H", 1), wire_name(host), struct.pack(">HH", ALPN, len(alpn)), alpn,
                     struct.pack(">HH", ECH, len(config_list)), config_list))


def record_of(kind, content):
    return struct.pack(">HHHIH", POINTER_TO_QUESTION, kind, 1, SECONDS_TO_LIVE, len(content)) + content


NOTHING = record_of(SOA, b"\0\0" + struct.pack(">IIIII", 1, 0, 0, 0, SECONDS_TO_LIVE))
"""Beside an answer without records, so that it may be remembered (RFC 2308, section 5)."""


class Resolver:
    """Every name is this machine. `configs` has an ECHConfigList for each name that has an HTTPS record; `failing` answers with 500."""

    def __init__(self, certificate, key, configs=(), failing=False):
        self.asked = []
        """(name, type) of every question."""
        self._configs, self._failing = dict(configs), failing
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.address = self._server.server_address[:2]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    def answer(self, query):
        name, kind, end = question_of(query)
        self.asked.append((name, kind))
        content = None
        if kind == A and name == host_of(name):
            content = bytes((127, 0, 0, 1))
        elif kind == HTTPS and host_of(name) in self._configs:
            content = https_content(host_of(name), self._configs[host_of(name)])
        found = content is not None
        record = record_of(kind, content) if found else NOTHING
        return query[:2] + struct.pack(">HHHHH", ANSWER_FLAGS, 1, found, not found, 0) + query[HEADER_SIZE:end] + record

    def _handler(self):
        resolver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def respond(self, query):
                body = resolver.answer(query)
                if resolver._failing:
                    body = b""
                self.send_response(500 if resolver._failing else 200)
                self.send_header("Content-Type", "application/dns-message")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self):
                self.respond(self.rfile.read(int(self.headers["Content-Length"])))

            def do_GET(self):
                text = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)["dns"][0]
                self.respond(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))

            def log_message(self, *_):
                pass

        return Handler
