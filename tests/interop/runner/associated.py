# SPDX-License-Identifier: Apache-2.0
"""For programs that know no proxy but speak in datagrams: a way into a SOCKS association, and a name server to ask through it."""

import socket
import struct
import threading

from .socks import Association

A, TXT = 1, 16
RESPONSE, NO_SUCH_NAME, SECONDS = 0x8180, 3, 60
ADDRESS = "192.0.2.7"
TEXTS = [letter * 250 for letter in "abcd"]
"""Together more than a message may have without EDNS, and less than dig says that it takes with it."""
HOST, LONG, NONE = "host.interop.test", "long.interop.test", "none.interop.test"


def name_of(message):
    labels, place = [], 12
    while message[place]:
        labels.append(message[place + 1:place + 1 + message[place]].decode("ascii"))
        place += 1 + message[place]
    return ".".join(labels), place + 1


def answer_to(query):
    """RFC 1035; the question's own name is at 12."""
    name, end = name_of(query)
    (kind,) = struct.unpack_from(">H", query, end)
    contents = []
    if (name, kind) == (HOST, A):
        contents = [socket.inet_aton(ADDRESS)]
    elif (name, kind) == (LONG, TXT):
        contents = [bytes((len(text),)) + text.encode("ascii") for text in TEXTS]
    records = b"".join(struct.pack(">HHHIH", 0xC00C, kind, 1, SECONDS, len(each)) + each for each in contents)
    status = RESPONSE | (NO_SUCH_NAME if name == NONE else 0)
    return query[:2] + struct.pack(">HHHHH", status, 1, len(contents), 0, 0) + query[12:end + 4] + records


class Datagrams:
    """A socket of this machine, with a thread that is told of each datagram and its sender."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.address = self.socket.getsockname()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stopping = True
        self.socket.sendto(b"", self.address)
        self._thread.join()
        self.socket.close()

    def _run(self):
        while True:
            datagram, sender = self.socket.recvfrom(65535)
            if self._stopping:
                return
            self.take(datagram, sender)

    def take(self, datagram, sender):
        raise NotImplementedError


class NameServer(Datagrams):
    def take(self, datagram, sender):
        self.socket.sendto(answer_to(datagram), sender)


class Entry(Datagrams):
    """What comes here goes to `target` through an association with the proxy, and answers come back, one for each."""

    def __init__(self, proxy, target):
        self._association, self._target = Association(proxy), target
        super().__init__()

    def __exit__(self, *_):
        super().__exit__()
        self._association.control.close()

    def take(self, datagram, sender):
        self._association.send(self._target, datagram)
        if answer := self._association.receive(10):
            self.socket.sendto(answer[1], sender)
