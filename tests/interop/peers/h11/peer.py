# SPDX-License-Identifier: Apache-2.0
"""h11 as a reader of heads and bodies: README.md has what it takes and prints."""

import json
import sys

import h11
from h11._connection import _body_framing

BODIES = {"content-length": "length", "chunked": "chunked", "http/1.0": "until_close"}
METHODS = {"head": b"HEAD", "connect": b"CONNECT"}


class Reading:
    """Takes part in the conversation as far as h11 needs that to read on."""

    def __init__(self, kind, exchange, octets):
        self.kind = kind
        self.exchange = exchange
        self.size = len(octets)
        self.messages = []
        self.method = b""
        self.connection = h11.Connection(h11.SERVER if kind == "request" else h11.CLIENT)
        self._ask()
        self.connection.receive_data(octets)

    def _ask(self):
        if self.kind == "request":
            return
        self.method = METHODS.get(self.exchange, b"GET")
        fields = [("Host", "a")] + [("Upgrade", "x"), ("Connection", "Upgrade")] * (self.exchange == "upgrade")
        self.connection.send(h11.Request(method=self.method, target="a:1" if self.exchange == "connect" else "/", headers=fields))
        self.connection.send(h11.EndOfMessage())
        self.exchange = "plain"

    def _at(self):
        return self.size - len(self.connection.trailing_data[0])

    def _begin(self, event, body, length=0):
        if isinstance(event, h11.Request):
            start = [event.method.hex(), event.target.hex(), event.http_version.decode()]
        else:
            start = [str(event.status_code), event.reason.hex(), event.http_version.decode()]
        self.messages.append({
            "start": start, "fields": [[name.hex(), value.hex()] for name, value in event.headers], "body": body, "length": length,
            "persistent": True, "content": "", "complete": False, "ends": self._at()})

    def _finish(self, persistent):
        self.messages[-1] |= {"complete": True, "ends": self._at(), "persistent": persistent}

    def _take(self, event):
        """The end of the reading, or None to read on."""
        tunnel = self.connection.their_state is h11.SWITCHED_PROTOCOL
        if isinstance(event, h11.InformationalResponse):
            self._begin(event, "tunnel" if tunnel else "none")
            self._finish(not tunnel)
            return "tunnel" if tunnel else None
        if isinstance(event, (h11.Request, h11.Response)):
            body, length = _body_framing(self.method, event)
            tunnel = tunnel or getattr(event, "method", b"") == b"CONNECT"
            if not tunnel:
                self._begin(event, BODIES[body], *length)
                return None
            self._begin(event, "tunnel")
            self._finish(persistent=False)
            return "tunnel"
        if isinstance(event, h11.Data):
            self.messages[-1]["content"] += bytes(event.data).hex()
            self.messages[-1]["ends"] = self._at()
            return None
        return self._end_message()

    def _end_message(self):
        if self.kind == "request":
            self.connection.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
            self.connection.send(h11.EndOfMessage())
        persistent = self.connection.our_state is h11.DONE and self.connection.their_state is h11.DONE
        self._finish(persistent)
        if not persistent:
            return "closed"
        self.connection.start_next_cycle()
        self._ask()
        return None

    def run(self):
        try:
            while True:
                event = self.connection.next_event()
                if event is h11.NEED_DATA:
                    return self._result(self._when_all_is_read())
                if end := self._take(event):
                    return self._result(end)
        except h11.RemoteProtocolError as why:
            return self._result("refused") | {"status": why.error_status_hint, "why": str(why)}

    def _when_all_is_read(self):
        last = self.messages[-1] if self.messages else None
        if last and not last["complete"]:
            if last["body"] != "until_close":
                return "waiting"
            self._finish(persistent=False)
            return "closed"
        return "waiting" if self.connection.trailing_data[0] else "clean"

    def _result(self, end):
        return {"messages": self.messages, "end": end, "status": 0, "why": ""}


def main():
    if sys.argv[1:] == ["version"]:
        print(f"h11 {h11.__version__}")
        return
    for line in sys.stdin:
        kind, exchange, octets = line.split()
        print(json.dumps(Reading(kind, exchange, bytes.fromhex(octets)).run()))


main()
