# SPDX-License-Identifier: Apache-2.0
"""Reads the ClientHellos in the Initial packets of QUIC clients, as anybody on the way can (RFC 9001, section 5.2)."""

import hashlib
import hmac
import struct
import subprocess

from .packets import Truncated, V1_TYPES, _Reader
from .relay import TO_SERVER, Relay

SALT = bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a")
TAG_SIZE, SAMPLE_SIZE, BLOCK = 16, 16, 16
PADDING, PING, ACK, ACK_ECN, CRYPTO = 0, 1, 2, 3, 6


def _expand(secret, label, size):
    full = b"tls13 " + label
    block = struct.pack(">HB", size, len(full)) + full + b"\0\1"
    return hmac.new(secret, block, hashlib.sha256).digest()[:size]


def client_keys(destination):
    """(key, iv, header protection key) of what a client sends to its first choice of a connection ID."""
    initial = hmac.new(SALT, destination, hashlib.sha256).digest()
    secret = _expand(initial, b"client in", 32)
    return _expand(secret, b"quic key", 16), _expand(secret, b"quic iv", 12), _expand(secret, b"quic hp", 16)


def _aes(mode, key, *options, content):
    done = subprocess.run(["openssl", "enc", f"-aes-128-{mode}", "-nopad", "-K", key.hex(), *options], input=content,
                          capture_output=True, check=True)
    return done.stdout


def opened(packet, number_at, keys):
    """The frames of a protected Initial packet; the tag is not looked at."""
    key, iv, header_key = keys
    sample = packet[number_at + 4:number_at + 4 + SAMPLE_SIZE]
    mask = _aes("ecb", header_key, content=sample)
    size = ((packet[0] ^ mask[0]) & 3) + 1
    number = bytes(a ^ b for a, b in zip(packet[number_at:number_at + size], mask[1:]))
    nonce = bytes(a ^ b for a, b in zip(iv, number.rjust(len(iv), b"\0")))
    # GCM counts from 2 on.
    return _aes("ctr", key, "-iv", (nonce + struct.pack(">I", 2)).hex(), content=packet[number_at + size:-TAG_SIZE])


def crypto_pieces(frames):
    """(offset, bytes) of every CRYPTO frame."""
    reader = _Reader(frames)
    while reader.position < len(frames):
        kind = reader.varint()
        if kind == CRYPTO:
            offset = reader.varint()
            yield offset, reader.take(reader.varint())
        elif kind in (ACK, ACK_ECN):
            reader.varint(), reader.varint()
            for _ in range(2 * reader.varint() + 1):
                reader.varint()
            for _ in range(3 if kind == ACK_ECN else 0):
                reader.varint()
        elif kind not in (PADDING, PING):
            return  # such as a CONNECTION_CLOSE


def initial_packets(datagram):
    """(packet, where its number is, destination, source) of those at the front."""
    reader = _Reader(datagram)
    try:
        while reader.position < len(datagram):
            start = reader.position
            first, version = reader.number(1), reader.number(4)
            if not first & 0x80 or version != 1 or V1_TYPES[first >> 4 & 3] != "initial":
                return
            destination, source = reader.take(reader.number(1)), reader.take(reader.number(1))
            reader.take(reader.varint())
            size = reader.varint()
            number_at = reader.position - start
            reader.take(size)
            yield datagram[start:reader.position], number_at, destination, source
    except Truncated:
        return


class QuicTap(Relay):
    """A relay that keeps what clients send; `connections` are the ClientHellos, one for each connection."""

    def __init__(self, server):
        super().__init__(server)
        self._kept = []
        self._sender = None

    @property
    def connections(self):
        keys, hellos = {}, {}
        for sender, datagram in list(self._kept):
            for packet, number_at, destination, source in initial_packets(datagram):
                one = (sender, source)
                keys.setdefault(one, client_keys(destination))
                hello = hellos.setdefault(one, bytearray())
                for offset, piece in crypto_pieces(opened(packet, number_at, keys[one])):
                    hello.extend(bytes(max(0, offset + len(piece) - len(hello))))
                    hello[offset:offset + len(piece)] = piece
        return list(hellos.values())

    def _upstream_of(self, client):
        self._sender = client
        return super()._upstream_of(client)

    def _forward(self, way, datagram, send):
        if way == TO_SERVER:
            self._kept.append((self._sender, datagram))
        super()._forward(way, datagram, send)
