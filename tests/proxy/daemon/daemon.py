# SPDX-License-Identifier: Apache-2.0
"""A strata-proxy that runs, and what its tests ask of it. STRATA_PROXY names the program."""

import contextlib
import http.client
import os
import re
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
import unittest

PROGRAM = os.environ["STRATA_PROXY"]
ENVIRONMENT = {"PATH": os.environ.get("PATH", ""), "LANG": "C.UTF-8", "TERM": "xterm"}
READ_AGAIN = "the configuration was read again"
LIMIT = 20
"""Seconds after which something that is waited for has failed."""


class Daemon:
    """A strata-proxy of a configuration, on ports that the system chose."""

    def __init__(self, folder, extra="", inbound=""):
        self.path = os.path.join(folder, "proxy.toml")
        self.write(extra, inbound)
        self.errors = open(os.path.join(folder, "errors"), "w+", encoding="utf-8")
        self.running = subprocess.Popen([PROGRAM, "--config", self.path], stdout=subprocess.PIPE, stderr=self.errors, text=True, env=ENVIRONMENT)
        ports = self._ports()
        self.port, self.admin, self.tunnels = ports["listening"], ports["admin"], ports.get("tunnels")

    def write(self, extra="", inbound="", port=0, name="home"):
        lines = ['admin = "127.0.0.1:0"', extra, "[[inbound]]", f'name = "{name}"', f'listen = "127.0.0.1:{port}"', inbound,
                 "[[outbound]]", 'name = "direct"', 'type = "direct"', 'allow = ["127.0.0.0/8"]',
                 "[[rule]]", 'name = "no mail"', 'ports = ["25"]', "reject = true"]
        with open(self.path, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")

    def read_again(self, extra="", **more):
        self.write(extra, **more)
        before = self.complained().count(READ_AGAIN)
        self.running.send_signal(signal.SIGHUP)
        wait_for(lambda: self.complained().count(READ_AGAIN) > before, self.complained)

    def _ports(self):
        made = {}
        while "admin" not in made:
            line = self.running.stdout.readline()
            found = re.match(r"(\w+) on 127\.0\.0\.1:(\d+)$", line)
            assert found, (line, self.complained())
            made[found[1]] = int(found[2])
        return made

    def complained(self):
        self.errors.seek(0)
        return self.errors.read()

    def until_complains(self, words):
        wait_for(lambda: words in self.complained(), lambda: f"{words!r} in {self.complained()!r}")

    def end(self):
        self.running.kill()
        self.running.wait()
        self.running.stdout.close()
        self.errors.close()


class Echo:
    """Sends back what comes."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.clients = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client = self.listener.accept()[0]
                self.clients.append(client)
                threading.Thread(target=self._echo, args=(client,), daemon=True).start()

    def hang_up(self):
        """The first to end: a client's end is held back in tunnels, which have no half close."""
        for each in self.clients:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def _echo(client):
        with client, contextlib.suppress(OSError):
            while some := client.recv(65536):
                client.sendall(some)


def wait_for(holds, what):
    until = time.monotonic() + LIMIT
    while not holds():
        if time.monotonic() > until:
            raise AssertionError("never: " + what())
        time.sleep(0.01)


def through(proxy, port, host=b"127.0.0.1"):
    """A connection by SOCKS5 to a name, and its reply code."""
    made = socket.create_connection(("127.0.0.1", proxy), LIMIT)
    made.sendall(b"\x05\x01\x00")
    assert made.recv(2) == b"\x05\x00"
    made.sendall(b"\x05\x01\x00\x03" + bytes([len(host)]) + host + struct.pack(">H", port))
    reply = made.recv(10)
    return made, reply[1] if len(reply) > 1 else -1


@contextlib.contextmanager
def associated(proxy):
    """A socket for datagrams, and where SOCKS5 takes them."""
    with socket.create_connection(("127.0.0.1", proxy), LIMIT) as held, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        held.sendall(b"\x05\x01\x00")
        assert held.recv(2) == b"\x05\x00"
        held.sendall(b"\x05\x03\x00\x01\x00\x00\x00\x00\x00\x00")
        reply = held.recv(10)
        assert reply[1] == 0
        made.settimeout(LIMIT)
        yield made, ("127.0.0.1", struct.unpack(">H", reply[8:])[0])


def echoed(connection, data):
    connection.sendall(data)
    got = b""
    while len(got) < len(data):
        some = connection.recv(65536)
        assert some, "the echo ended"
        got += some
    assert got == data


def is_ended(connection):
    """Waits for the end, in order or not; false when something comes instead."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def get(port, path, host=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT)
    connection.request("GET", path, headers={"Host": host} if host else {})
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def top(*words, **environment):
    return subprocess.run([PROGRAM, "top", *words], capture_output=True, text=True, timeout=LIMIT, stdin=subprocess.DEVNULL, check=False,
                          env={**ENVIRONMENT, **environment})


class ProgramTest(unittest.TestCase):
    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory())

    def daemon(self, extra="", inbound=""):
        made = Daemon(tempfile.mkdtemp(dir=self.folder), extra, inbound)
        self.addCleanup(made.end)
        return made

    def echo(self):
        made = Echo()
        self.addCleanup(made.listener.close)
        return made
