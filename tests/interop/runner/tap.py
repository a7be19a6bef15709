# SPDX-License-Identifier: Apache-2.0
"""Stands between clients and a server over TCP and keeps what the clients send, and what they get where that is asked for."""

import socket
import threading


class Tap:
    def __init__(self, server, answers=False):
        self.connections = []
        """What came to the server, one bytearray for each connection."""
        self.answers = []
        """What came from it, alike; empty unless asked for."""
        self._server = server
        self._keeps_answers = answers
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
        for thread in self._threads:
            thread.join()
        for each in self._sockets:
            each.close()

    def _accept(self):
        while True:
            try:
                client, _ = self._listening.accept()
                server = socket.create_connection(self._server)
            except OSError:
                return
            self._sockets += [client, server]
            seen = bytearray()
            self.connections.append(seen)
            answer = bytearray() if self._keeps_answers else None
            if answer is not None:
                self.answers.append(answer)
            for each in ((client, server, seen), (server, client, answer)):
                pump = threading.Thread(target=self._pump, args=each, daemon=True)
                self._threads.append(pump)
                pump.start()

    @staticmethod
    def _pump(source, sink, seen):
        try:
            while piece := source.recv(1 << 16):
                if seen is not None:
                    seen += piece
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            for each in (source, sink):
                try:
                    each.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass  # it ended before
