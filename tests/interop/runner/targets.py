# SPDX-License-Identifier: Apache-2.0
"""What proxies are asked to reach: a TCP server that takes the orders of README.md, UDP servers that echo, a TCP relay."""

import hashlib
import itertools
import socket
import struct
import threading

BLOCK_SIZE = 65521
BLOCK = bytes((31 * i + i // 251) & 255 for i in range(BLOCK_SIZE))
PIECE = 1 << 18


def pattern(size):
    """Pieces of the pattern, so many bytes together."""
    for block in itertools.repeat(BLOCK, size // BLOCK_SIZE):
        yield block
    yield BLOCK[:size % BLOCK_SIZE]


def pattern_sum(size):
    digest = hashlib.sha256()
    for piece in pattern(size):
        digest.update(piece)
    return digest.digest()


def pieces_of(source, limit=None):
    left = limit
    while left is None or left:
        piece = source.recv(PIECE if left is None else min(PIECE, left))
        if not piece:
            return
        left = None if left is None else left - len(piece)
        yield piece


def sum_of(source, limit=None):
    digest, size = hashlib.sha256(), 0
    for piece in pieces_of(source, limit):
        digest.update(piece)
        size += len(piece)
    return size, digest.digest()


class Accepting:
    """Serves every connection in a thread of its own."""

    def __init__(self, host="127.0.0.1"):
        self.accepted = 0
        self.ended = 0
        self._changed = threading.Condition()
        self._open = set()
        self._listening = socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=512)
        self.address = self._listening.getsockname()[:2]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with self._changed:
            sockets = [self._listening, *self._open]
        for each in sockets:
            self._shut(each)
        self._listening.close()

    @staticmethod
    def _shut(each):
        try:
            each.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # it ended before

    def wait_until(self, condition, seconds):
        with self._changed:
            return self._changed.wait_for(condition, seconds)

    def wait_until_ended(self, count, seconds):
        """Whether so many connections have ended in time."""
        return self.wait_until(lambda: self.ended >= count, seconds)

    def _accept(self):
        while True:
            try:
                made, _ = self._listening.accept()
            except OSError:
                return
            with self._changed:
                self.accepted += 1
                self._open.add(made)
            threading.Thread(target=self._run, args=(made,), daemon=True).start()

    def _run(self, made):
        try:
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.serve(made)
        except OSError:
            pass  # the other side ended it
        finally:
            made.close()
            with self._changed:
                self.ended += 1
                self._open.discard(made)
                self._changed.notify_all()

    def serve(self, made):
        raise NotImplementedError


class Orders(Accepting):
    """E, N, U, H and D of README.md."""

    def serve(self, made):
        order = made.recv(1)
        size = None
        if order in (b"N", b"U", b"D"):
            (size,) = struct.unpack(">Q", made.recv(8, socket.MSG_WAITALL))
        if order in (b"E", b"N"):
            for piece in pieces_of(made, size):
                made.sendall(piece)
        elif order in (b"U", b"H"):
            count, digest = sum_of(made, size)
            made.sendall(struct.pack(">Q", count) + digest)
        elif order == b"D":
            for piece in pattern(size):
                made.sendall(piece)
            made.shutdown(socket.SHUT_WR)
            for _ in pieces_of(made):
                pass


class Passage(Accepting):
    """Leads to `upstream`, which may change, and counts."""

    def __init__(self, upstream):
        self.upstream = upstream
        super().__init__()

    def serve(self, made):
        with socket.create_connection(self.upstream) as out:
            out.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            back = threading.Thread(target=self._pump, args=(out, made), daemon=True)
            back.start()
            self._pump(made, out)
            back.join()

    def cut(self):
        """Ends all connections that there are."""
        with self._changed:
            sockets = [*self._open]
        for each in sockets:
            self._shut(each)

    def _pump(self, source, sink):
        try:
            for piece in pieces_of(source):
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            self._shut(source)
            self._shut(sink)


class Echo:
    """Sends every datagram back."""

    def __init__(self, host="127.0.0.1"):
        self._socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
        self._socket.bind((host, 0))
        self.address = self._socket.getsockname()[:2]
        self._stopping = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stopping = True
        with socket.socket(self._socket.family, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", self.address)
        self._thread.join()
        self._socket.close()

    def _run(self):
        while True:
            datagram, sender = self._socket.recvfrom(65535)
            if self._stopping:
                return
            self._socket.sendto(datagram, sender)
