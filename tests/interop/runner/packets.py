# SPDX-License-Identifier: Apache-2.0
"""What anybody can read of a QUIC datagram without keys (RFC 8999; RFC 9000, section 17.2)."""

import dataclasses

V1_TYPES = ("initial", "0-rtt", "handshake", "retry")
V2_TYPES = ("retry", "initial", "0-rtt", "handshake")  # RFC 9369, section 3.2
VERSION_2 = 0x6B3343CF


@dataclasses.dataclass(frozen=True)
class LongPacket:
    kind: str
    version: int
    destination: bytes
    source: bytes
    token: bytes


class Truncated(Exception):
    pass


class _Reader:
    def __init__(self, octets):
        self.octets = octets
        self.position = 0

    def take(self, size):
        if self.position + size > len(self.octets):
            raise Truncated
        self.position += size
        return self.octets[self.position - size:self.position]

    def number(self, size):
        return int.from_bytes(self.take(size), "big")

    def varint(self):
        first = self.number(1)
        size = 1 << (first >> 6)
        return (first & 0x3F) << (8 * (size - 1)) | self.number(size - 1)


def long_packets(datagram):
    """The packets with long headers at the front of a datagram; what is cut short or has a short header ends it."""
    reader = _Reader(datagram)
    found = []
    try:
        while reader.position < len(datagram) and datagram[reader.position] & 0x80:
            found.append(_packet(reader))
    except Truncated:
        pass
    return found


def _packet(reader):
    first, version = reader.number(1), reader.number(4)
    destination = reader.take(reader.number(1))
    source = reader.take(reader.number(1))
    token = b""
    if version == 0:
        kind = "version negotiation"
    else:
        kind = (V2_TYPES if version == VERSION_2 else V1_TYPES)[first >> 4 & 3]
    if kind in ("retry", "version negotiation"):
        rest = reader.take(len(reader.octets) - reader.position)
        token = rest[:-16] if kind == "retry" else b""
    else:
        if kind == "initial":
            token = reader.take(reader.varint())
        reader.take(reader.varint())
    return LongPacket(kind, version, destination, source, token)
