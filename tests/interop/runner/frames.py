# SPDX-License-Identifier: Apache-2.0
"""Stands between a client and a server of yamux over TCP and notes the header of every frame."""

import collections
import socket
import struct
import threading

HEADER = struct.Struct(">BBHII")
DATA, WINDOW, PING, GO_AWAY = range(4)
SYN, ACK, FIN, RST = 1, 2, 4, 8
TO_SERVER, TO_CLIENT = "to server", "to client"
Frame = collections.namedtuple("Frame", "kind flags stream length")


class Reader:
    """Frames out of the bytes of one direction."""

    def __init__(self):
        self.frames = []
        self._header = b""
        self._skip = 0

    def add(self, piece):
        while piece:
            if self._skip:
                taken = min(self._skip, len(piece))
                self._skip -= taken
                piece = piece[taken:]
                continue
            taken = HEADER.size - len(self._header)
            self._header, piece = self._header + piece[:taken], piece[taken:]
            if len(self._header) == HEADER.size:
                _, *fields = HEADER.unpack(self._header)
                frame = Frame(*fields)
                self.frames.append(frame)
                self._header = b""
                self._skip = frame.length if frame.kind == DATA else 0


class FrameRelay:
    def __init__(self, server):
        self.readers = {TO_SERVER: Reader(), TO_CLIENT: Reader()}
        self._server = server
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = self._listening.getsockname()
        self._sockets = [self._listening]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for each in self._sockets:
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it ended before
            each.close()
        for thread in self._threads:
            thread.join()

    def frames(self, way, kind):
        return [frame for frame in self.readers[way].frames if frame.kind == kind]

    def flagged(self, way, flag):
        return [frame for frame in self.readers[way].frames if frame.kind in (DATA, WINDOW) and frame.flags & flag]

    def _accept(self):
        try:
            client, _ = self._listening.accept()
        except OSError:
            return  # nobody came
        server = socket.create_connection(self._server)
        self._sockets += [client, server]
        pumps = [threading.Thread(target=self._pump, args=each, daemon=True)
                 for each in ((client, server, TO_SERVER), (server, client, TO_CLIENT))]
        self._threads += pumps
        for pump in pumps:
            pump.start()

    def _pump(self, source, sink, way):
        try:
            while piece := source.recv(1 << 16):
                self.readers[way].add(piece)
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            for each in (source, sink):
                try:
                    each.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass  # it ended before
