# SPDX-License-Identifier: Apache-2.0
"""The application's side of SOCKS5 (RFC 1928), without authentication."""

import ipaddress
import socket
import struct

from . import Failed

CONNECT, ASSOCIATE = 1, 3
SECONDS = 15.0
LARGEST = 65535


class Refused(Failed):
    """The proxy answered that it could not."""


def encode(host, port):
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        name = host.encode("ascii")
        return bytes((3, len(name))) + name + struct.pack(">H", port)
    return bytes((1 if address.version == 4 else 4,)) + address.packed + struct.pack(">H", port)


def decode(octets):
    """((host, port), how many bytes those were)"""
    sizes = {1: 4, 4: 16}
    if octets[0] == 3:
        end = 2 + octets[1]
        host = octets[2:end].decode("ascii")
    else:
        end = 1 + sizes[octets[0]]
        host = str(ipaddress.ip_address(octets[1:end]))
    return (host, struct.unpack(">H", octets[end:end + 2])[0]), end + 2


def read_exactly(source, size):
    got = b""
    while len(got) < size:
        piece = source.recv(size - len(got))
        if not piece:
            raise Failed(f"the connection ended after {len(got)} of {size} bytes")
        got += piece
    return got


def _ask(proxy, command, target):
    made = socket.create_connection(proxy, SECONDS)
    try:
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made.sendall(b"\5\1\0")
        if read_exactly(made, 2) != b"\5\0":
            raise Failed("the proxy wants an authentication")
        made.sendall(bytes((5, command, 0)) + encode(*target))
        head = read_exactly(made, 4)
        rest = {1: 4, 4: 16}.get(head[3]) or read_exactly(made, 1)[0]
        bound = read_exactly(made, rest + 2)
        if head[1] != 0:
            raise Refused(f"the proxy answered with {head[1]}")
        return made, (str(ipaddress.ip_address(bound[:-2])) if head[3] != 3 else "", struct.unpack(">H", bound[-2:])[0])
    except BaseException:
        made.close()
        raise


def connect(proxy, target):
    """A socket that leads to the target, or Refused, or OSError."""
    return _ask(proxy, CONNECT, target)[0]


class Association:
    """Datagrams through the proxy, as long as the connection lives that asked for it."""

    def __init__(self, proxy):
        self.control, (host, port) = _ask(proxy, ASSOCIATE, ("0.0.0.0", 0))
        self._relay = (host if host and not ipaddress.ip_address(host).is_unspecified else proxy[0], port)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.control.close()
        self._socket.close()

    def send(self, target, payload):
        self._socket.sendto(b"\0\0\0" + encode(*target) + payload, self._relay)

    def receive(self, seconds):
        """(where it came from, payload), or None when nothing has come."""
        self._socket.settimeout(seconds)
        try:
            octets = self._socket.recv(LARGEST)
        except TimeoutError:
            return None
        source, used = decode(octets[3:])
        return source, octets[3 + used:]
