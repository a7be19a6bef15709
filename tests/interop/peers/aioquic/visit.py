# SPDX-License-Identifier: Apache-2.0
"""What client and server have in common: one connection, its HTTP, its key updates and how it ended."""

from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h0.connection import H0_ALPN, H0Connection
from aioquic.h3.connection import H3_ALPN, ErrorCode, H3Connection
from aioquic.quic.connection import QuicConnectionState
from aioquic.quic.events import ProtocolNegotiated
from aioquic.tls import Epoch

# aioquic tells of the end only after the draining period and not who began it; its state says both at once.
ENDED_BY = {QuicConnectionState.CLOSING: "self", QuicConnectionState.DRAINING: "peer", QuicConnectionState.TERMINATED: "timeout"}


def split_address(text):
    host, _, port = text.rpartition(":")
    host = host.strip("[]")
    # aioquic compares addresses as sockets give them.
    return (host, int(port), 0, 0) if ":" in host else (host, int(port))


class Visit(QuicConnectionProtocol):
    """Subclasses have http_event(event), fill(), ended(by)."""

    def __init__(self, quic, options):
        super().__init__(quic)
        self.options = options
        self.http = None
        self.alpn = ""
        self.key_updates = 0
        self._key_phase = 0
        self._bytes = 0
        self._update_due = options.key_update is not None
        self._ended = False

    def no_error(self):
        return ErrorCode.H3_NO_ERROR if self.alpn in H3_ALPN else 0

    def quic_event_received(self, event):
        if isinstance(event, ProtocolNegotiated):
            self.alpn = event.alpn_protocol
            if self.alpn in H3_ALPN:
                self.http = H3Connection(self._quic)
            elif self.alpn in H0_ALPN:
                self.http = H0Connection(self._quic)
        elif self.http is not None:
            for http_event in self.http.handle_event(event):
                self.http_event(http_event)

    def passed(self, size):
        """So many bytes of content went by, either way."""
        self._bytes += size
        if self._update_due and self._bytes >= self.options.key_update:
            self._update_due = False
            self._quic.request_key_update()

    def transmit(self):
        if self.http is not None:
            self.fill()
        super().transmit()
        self._watch()

    def _watch(self):
        keys = self._quic._cryptos.get(Epoch.ONE_RTT) if hasattr(self._quic, "_cryptos") else None
        if keys is not None and keys.recv.key_phase != self._key_phase:
            self._key_phase = keys.recv.key_phase
            self.key_updates += 1
        by = ENDED_BY.get(self._quic._state)
        if by is not None and not self._ended:
            self._ended = True
            self.ended(by)

    def closing(self, by):
        event = self._quic._close_event
        if by == "timeout" or event is None:
            return {"by": "timeout", "space": "", "code": None}
        return {"by": by, "space": "application" if event.frame_type is None else "transport", "code": event.error_code}

    def cipher(self):
        suite = self._quic.tls.key_schedule.cipher_suite if self._quic.tls.key_schedule else None
        return "TLS_" + suite.name if suite is not None else None
