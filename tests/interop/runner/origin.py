# SPDX-License-Identifier: Apache-2.0
"""An origin that notes every request it gets, and a client that sends raw bytes and notes what is answered."""

import contextlib
import dataclasses
import re
import socket
import threading

PIECE = 1 << 16
HEAD_END = b"\r\n\r\n"
STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")
SECONDS = 10
SILENCE_SECONDS = 2.0
"""After so long without an answer the client ends its side: nobody answers half a request."""
CONTENT = b"seen\n"


@dataclasses.dataclass(frozen=True)
class Request:
    method: str
    path: str
    content: bytes
    fields: tuple = dataclasses.field(default=(), compare=False)

    def __str__(self):
        return f"{self.method}{self.path}={self.content.decode('latin-1')}" if self.content else f"{self.method}{self.path}"


def path_of(target):
    """Without scheme and authority, whoever sends them on."""
    found = re.fullmatch(r"(?i:http)://[^/?#]*(.*)", target)
    path = found.group(1) if found else target
    return path if path.startswith("/") or not found else "/" + path


class Broken(Exception):
    """What came is no request."""


class Source:
    """A socket to read lines and counts from; what was read is noted."""

    def __init__(self, made, noted):
        self._socket, self._noted, self._waiting = made, noted, b""

    def _more(self):
        piece = self._socket.recv(PIECE)
        if not piece:
            raise Broken("the end")
        self._noted.extend(piece)
        self._waiting += piece

    def until(self, mark):
        while mark not in self._waiting:
            self._more()
        found, _, self._waiting = self._waiting.partition(mark)
        return found

    def exactly(self, size):
        while len(self._waiting) < size:
            self._more()
        found, self._waiting = self._waiting[:size], self._waiting[size:]
        return found


def read_chunks(source):
    content = b""
    while size := int(source.until(b"\r\n").split(b";")[0], 16):
        content += source.exactly(size)
        if source.exactly(2) != b"\r\n":
            raise Broken("a chunk without its end")
    while source.until(b"\r\n"):
        pass  # trailers
    return content


def read_request(source):
    lines = source.until(HEAD_END).decode("latin-1").split("\r\n")
    words = lines[0].split(" ")
    if len(words) != 3:
        raise Broken(lines[0])
    fields = tuple((name.lower(), value.strip(" \t")) for name, _, value in (line.partition(":") for line in lines[1:]))
    of_name = {name: value for name, value in fields}
    if of_name.get("transfer-encoding", "").lower().split(",")[-1].strip() == "chunked":
        content = read_chunks(source)
    else:
        content = source.exactly(int(of_name.get("content-length", "0")))
    return Request(words[0], path_of(words[1]), content, fields)


class Origin:
    """Answers every request with 200. One user at a time, who asks what has been seen since clear()."""

    def __init__(self):
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listening.getsockname()[1]
        self.authority = b"127.0.0.1:%d" % self.port
        self._lock = threading.Lock()
        self._open = set()
        self.clear()
        threading.Thread(target=self._accept, daemon=True).start()

    def clear(self):
        """Ends the connections that there are: what they say no longer counts."""
        with self._lock:
            for made in self._open:
                try:
                    made.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass  # it ended before
            self._open.clear()
            self.seen, self.carriers = [], []

    def close(self):
        self.clear()
        self._listening.close()

    def _accept(self):
        while True:
            try:
                made, _ = self._listening.accept()
            except OSError:
                return
            with self._lock:
                self._open.add(made)
                noted = (bytearray(), [])
                self.carriers.append(noted)
                seen = self.seen
            threading.Thread(target=self._serve, args=(made, noted, seen), daemon=True).start()

    def _serve(self, made, noted, seen):
        octets, requests = noted
        source = Source(made, octets)
        try:
            while True:
                request = read_request(source)
                with self._lock:
                    seen.append(request)
                    requests.append(request)
                content = b"" if request.method == "HEAD" else CONTENT
                made.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(CONTENT) + content)
        except (Broken, ValueError, OSError):
            pass  # the rest is in what was noted
        finally:
            with self._lock:
                self._open.discard(made)
            made.close()


@dataclasses.dataclass(frozen=True)
class Visit:
    """The statuses that came back, and what the origin saw: requests that were whole, and each connection's bytes with its requests."""

    statuses: list
    seen: list
    carriers: list


def visit(address, origin, octets):
    origin.clear()
    with socket.create_connection(address, SECONDS) as made:
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(ConnectionError):  # refused while it is still being sent
            made.sendall(octets)
        answered = read_answers(made)
    statuses = [int(each) for each in STATUS.findall(answered) if not each.startswith(b"1")]
    return Visit(statuses, list(origin.seen), [(bytes(noted), list(requests)) for noted, requests in origin.carriers])


def read_answers(made):
    """Until the end, which the client asks for where nothing comes."""
    answered = b""
    made.settimeout(SILENCE_SECONDS)
    while True:
        try:
            piece = made.recv(PIECE)
        except TimeoutError:
            if made.gettimeout() == SECONDS:
                return answered
            with contextlib.suppress(OSError):  # the other side was first
                made.shutdown(socket.SHUT_WR)
            made.settimeout(SECONDS)
            continue
        except ConnectionError:
            return answered
        if not piece:
            return answered
        answered += piece
