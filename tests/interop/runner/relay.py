# SPDX-License-Identifier: Apache-2.0
"""A UDP relay on loopback that watches what passes and may drop some of it."""

import random
import selectors
import socket
import threading

from .packets import long_packets

TO_SERVER, TO_CLIENT = "to server", "to client"
BUFFER = 4 << 20
JOURNAL_LINES = 1000


class Census:
    """What a relay has seen. Only its thread writes; read it when the relay has stopped."""

    def __init__(self):
        self.datagrams = {TO_SERVER: 0, TO_CLIENT: 0}
        self.octets = {TO_SERVER: 0, TO_CLIENT: 0}
        self.kinds = {TO_SERVER: set(), TO_CLIENT: set()}
        self.retry_tokens = set()
        self.token_returned = False
        self.short_initials = 0
        self.validated = False
        self.worst_ratio = 0.0
        self.journal = []

    def dropped(self, way, datagram):
        self._note(way, datagram, [packet.kind for packet in long_packets(datagram)] + ["(dropped)"])

    def _note(self, way, datagram, words):
        if len(self.journal) < JOURNAL_LINES:
            self.journal.append(f"{way} {len(datagram)} {' '.join(words)}\n")

    def add(self, way, datagram):
        self.datagrams[way] += 1
        self.octets[way] += len(datagram)
        packets = long_packets(datagram)
        self._note(way, datagram, [packet.kind for packet in packets])
        self.kinds[way].update(packet.kind for packet in packets)
        for packet in packets:
            if way == TO_CLIENT and packet.kind == "retry":
                self.retry_tokens.add(packet.token)
            if way == TO_SERVER and packet.kind == "initial" and packet.token in self.retry_tokens:
                self.token_returned = True
            # RFC 9000, section 8.1: a Handshake packet from the client validates its address.
            if way == TO_SERVER and packet.kind == "handshake":
                self.validated = True
        # RFC 9000, section 14.1: a client expands every datagram that carries an Initial packet.
        if way == TO_SERVER and any(packet.kind == "initial" for packet in packets) and len(datagram) < 1200:
            self.short_initials += 1
        if way == TO_CLIENT and not self.validated and self.octets[TO_SERVER]:
            self.worst_ratio = max(self.worst_ratio, self.octets[TO_CLIENT] / self.octets[TO_SERVER])


def drop_nothing(way, number):
    del way, number
    return False


def drop_some(share, seed):
    """Drops a share of the datagrams of both ways; the same ones for the same seed."""
    choice = {way: random.Random(f"{seed} {way}") for way in (TO_SERVER, TO_CLIENT)}
    return lambda way, number: choice[way].random() < share


class Relay:
    """with Relay(server address) as relay: relay.address is where clients go. drop(way, number from 1) -> bool."""

    def __init__(self, server, drop=drop_nothing, journal=None):
        self.server = server
        self.drop = drop
        self.journal = journal
        self.census = Census()
        self._family = socket.AF_INET6 if ":" in server[0] else socket.AF_INET
        self._selector = selectors.DefaultSelector()
        self._front = self._socket()
        self._front.bind((server[0], 0))
        self.address = self._front.getsockname()[:2]
        self._upstream = {}
        self._seen = {TO_SERVER: 0, TO_CLIENT: 0}
        self._stopping, self._stopped_by = socket.socketpair()
        self._selector.register(self._front, selectors.EVENT_READ, None)
        self._selector.register(self._stopping, selectors.EVENT_READ, None)
        self._thread = threading.Thread(target=self._pass_on, daemon=True)

    def _socket(self):
        made = socket.socket(self._family, socket.SOCK_DGRAM)
        made.setblocking(False)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            made.setsockopt(socket.SOL_SOCKET, option, BUFFER)
        return made

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stopped_by.send(b"x")
        self._thread.join()
        for each in (self._front, self._stopping, self._stopped_by, *self._upstream.values()):
            each.close()
        self._selector.close()
        if self.journal:
            self.journal.write_text("".join(self.census.journal), encoding="ascii")

    def _pass_on(self):
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._stopping:
                    return
                self._drain(key.fileobj, key.data)

    def _drain(self, source, client):
        while True:
            try:
                datagram, sender = source.recvfrom(65535)
            except BlockingIOError:
                return
            except OSError:
                return  # the other side has closed its port, which it may
            if client is None:
                self._forward(TO_SERVER, datagram, self._upstream_of(sender).send)
            else:
                self._forward(TO_CLIENT, datagram, lambda octets: self._front.sendto(octets, client))

    def _forward(self, way, datagram, send):
        self._seen[way] += 1
        if self.drop(way, self._seen[way]):
            self.census.dropped(way, datagram)
            return
        self.census.add(way, datagram)
        try:
            send(datagram)
        except OSError:
            pass  # as a network would: lost

    def _upstream_of(self, client):
        if client not in self._upstream:
            made = self._socket()
            made.connect(self.server)
            self._upstream[client] = made
            self._selector.register(made, selectors.EVENT_READ, client)
        return self._upstream[client]
