#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""strata-proxy as its user meets it: the daemon, its files and signals, and `strata-proxy top`, on a terminal and without one.

STRATA_PROXY names the program."""

import contextlib
import fcntl
import http.client
import http.server
import json
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import tempfile
import termios
import threading
import time
import unittest

PROGRAM = os.environ["STRATA_PROXY"]
ENVIRONMENT = {"PATH": os.environ.get("PATH", ""), "LANG": "C.UTF-8", "TERM": "xterm"}
LIMIT = 20
"""Seconds after which something that is waited for has failed."""


class Daemon:
    """A strata-proxy of a configuration, on ports that the system chose."""

    def __init__(self, folder, extra=""):
        self.path = os.path.join(folder, "proxy.toml")
        self.write(extra)
        self.errors = open(os.path.join(folder, "errors"), "w+", encoding="utf-8")
        self.running = subprocess.Popen([PROGRAM, "--config", self.path], stdout=subprocess.PIPE, stderr=self.errors, text=True, env=ENVIRONMENT)
        self.port = self._port_after("listening on")
        self.admin = self._port_after("admin on")

    def write(self, extra):
        lines = ['admin = "127.0.0.1:0"', extra, "[[inbound]]", 'name = "home"', 'listen = "127.0.0.1:0"',
                 "[[outbound]]", 'name = "direct"', 'type = "direct"', 'allow = ["127.0.0.0/8"]',
                 "[[rule]]", 'name = "no mail"', 'ports = ["25"]', "reject = true"]
        with open(self.path, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")

    def _port_after(self, words):
        line = self.running.stdout.readline()
        found = re.match(words + r" 127\.0\.0\.1:(\d+)$", line)
        assert found, (line, self.complained())
        return int(found.group(1))

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
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client = self.listener.accept()[0]
                threading.Thread(target=self._echo, args=(client,), daemon=True).start()

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


def echoed(connection, data):
    connection.sendall(data)
    got = b""
    while len(got) < len(data):
        some = connection.recv(65536)
        assert some, "the echo ended"
        got += some
    assert got == data


def get(port, path, host=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT)
    connection.request("GET", path, headers={"Host": host} if host else {})
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def top(*words, **environment):
    return subprocess.run([PROGRAM, "top", *words], capture_output=True, text=True, timeout=LIMIT, stdin=subprocess.DEVNULL, check=False,
                          env={**ENVIRONMENT, **environment})


class Screen:
    """`strata-proxy top` on a terminal of its own."""

    def __init__(self, *words, size=(80, 24), **environment):
        self.leader, self.follower = pty.openpty()
        self.resize(size)
        self.before = termios.tcgetattr(self.follower)
        self.seen = b""
        self.running = subprocess.Popen([PROGRAM, "top", *words], stdin=self.follower, stdout=self.follower, stderr=self.follower,
                                        env={**ENVIRONMENT, **environment}, start_new_session=True, preexec_fn=self._take_terminal)

    @staticmethod
    def _take_terminal():
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def resize(self, size):
        fcntl.ioctl(self.follower, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))

    def read(self):
        while select.select([self.leader], [], [], 0)[0]:
            self.seen += os.read(self.leader, 65536)
        return self.seen

    def until_shows(self, text, after=0):
        wait_for(lambda: text.encode() in self.read()[after:], lambda: f"{text!r} in {self.seen[after:]!r}")
        return self.seen[after:].index(text.encode()) + after

    def press(self, key):
        os.write(self.leader, key.encode())

    def frames(self):
        return self.read().decode().split("\x1b[H")[1:]

    def until_ended(self):
        wait_for(lambda: (self.read(), self.running.poll())[1] is not None, lambda: "an end")
        self.read()
        return self.running.returncode

    def is_restored(self):
        return (self.seen.endswith(b"\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l")
                and termios.tcgetattr(self.follower) == self.before)

    def end(self):
        if self.running.poll() is None:
            self.running.kill()
            self.running.wait()
        os.close(self.leader)
        os.close(self.follower)


class ProgramTest(unittest.TestCase):
    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory())

    def daemon(self, extra=""):
        made = Daemon(self.folder, extra)
        self.addCleanup(made.end)
        return made

    def echo(self):
        made = Echo()
        self.addCleanup(made.listener.close)
        return made

    def screen(self, *words, **more):
        made = Screen(*words, **more)
        self.addCleanup(made.end)
        return made


class Configuration(ProgramTest):
    def check(self, text, *words):
        path = os.path.join(self.folder, "wrong.toml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        done = subprocess.run([PROGRAM, *(words or ("--check",)), path], capture_output=True, text=True, timeout=LIMIT, check=False)
        return done.returncode, done.stderr.replace(path, "wrong.toml")

    def test_check_says_file_and_line_and_ends(self):
        self.assertEqual(self.check("drain = 3\n"), (0, ""))
        code, told = self.check('\nadmin = "x"\n[[rule]]\nreject = 1\n')
        self.assertEqual(code, 1)
        self.assertEqual(told.splitlines()[0], "wrong.toml:2: admin: 'x' is no address; write it as \"127.0.0.1:1080\" or \"[::1]:1080\"")
        self.assertTrue(told.splitlines()[1].startswith("wrong.toml:2: admin: only an address"))
        self.assertIn("wrong.toml:4: reject must be true or false", told)

    def test_a_file_that_is_wrong_starts_nothing(self):
        code, told = self.check("drain = true\n", "--config")
        self.assertEqual((code, told), (1, "wrong.toml:1: drain must be a number from 0 to 86400\n"))

    def test_check_looks_into_the_files_that_are_named(self):
        code, told = self.check('[[outbound]]\nname = "a"\ntype = "http"\nserver = "p.example:1"\n[outbound.tls]\nca = "none.pem"\n')
        self.assertEqual(code, 1)
        self.assertIn("none.pem", told)
        code, told = self.check('pac = "none.pac"\n')
        self.assertEqual((code, told), (1, "strata-proxy: pac: the file 'none.pac' cannot be read\n"))

    def test_wrong_options_say_which(self):
        done = subprocess.run([PROGRAM, "--verbose"], capture_output=True, text=True, timeout=LIMIT, check=False)
        self.assertEqual((done.returncode, done.stderr), (2, "strata-proxy: there is no option '--verbose'; strata-proxy --help names all options\n"))
        done = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, timeout=LIMIT, check=False)
        self.assertRegex(done.stdout, r"^strata-proxy \d+\.\d+\.\d+\n$")

    def test_reading_again_keeps_all_where_something_is_wrong(self):
        proxy, echo = self.daemon(), self.echo()
        held, code = through(proxy.port, echo.port)
        self.assertEqual(code, 0)
        proxy.write('access_log = "/nowhere/at/all"')
        proxy.running.send_signal(signal.SIGHUP)
        proxy.until_complains("access_log: '/nowhere/at/all' cannot be opened")
        proxy.until_complains("the configuration stays as it was")
        with held:
            echoed(held, b"still here")


class AccessLog(ProgramTest):
    def lines(self, path):
        with open(path, encoding="utf-8") as file:
            return [json.loads(line) for line in file]

    def test_rotation_loses_nothing(self):
        path = os.path.join(self.folder, "access.log")
        proxy, echo = self.daemon(f'access_log = {{file = "{path}", rotate_bytes = 2000, keep = 20}}'), self.echo()
        for _ in range(40):
            connection, code = through(proxy.port, echo.port)
            self.assertEqual(code, 0)
            echoed(connection, b"x" * 10)
            connection.close()

        def all_lines():
            names = sorted((name for name in os.listdir(self.folder) if name.startswith("access.log")), key=lambda name: -int(name[11:] or 0))
            return [line for name in names for line in self.lines(os.path.join(self.folder, name))]
        wait_for(lambda: len(all_lines()) == 40, lambda: f"40 lines, but {len(all_lines())}")
        self.assertTrue(os.path.exists(path + ".1"))
        self.assertTrue(all(line["sent"] == 10 and line["connect_microseconds"] > 0 for line in all_lines()))
        times = [line["time"] for line in all_lines()]
        self.assertEqual(times, sorted(times))

    def test_renamed_and_opened_anew(self):
        path = os.path.join(self.folder, "access.log")
        proxy, echo = self.daemon(f'access_log = "{path}"'), self.echo()
        through(proxy.port, echo.port)[0].close()
        wait_for(lambda: len(self.lines(path)) == 1, lambda: "a line")
        os.rename(path, path + ".taken")
        proxy.running.send_signal(signal.SIGUSR1)
        wait_for(lambda: os.path.exists(path), lambda: "a new file")
        through(proxy.port, echo.port)[0].close()
        wait_for(lambda: len(self.lines(path)) == 1, lambda: "a line in the new file")

    def test_a_full_disk_is_one_warning(self):
        proxy, echo = self.daemon('access_log = "/dev/full"'), self.echo()
        for _ in range(5):
            connection, code = through(proxy.port, echo.port)
            self.assertEqual(code, 0)
            echoed(connection, b"goes on")
            connection.close()
        proxy.until_complains("No space left on device")
        self.assertEqual(proxy.complained().count("access_log"), 1)


class Admin(ProgramTest):
    def test_figures_hold_what_is_under_way(self):
        proxy, echo = self.daemon(), self.echo()
        held = through(proxy.port, echo.port)[0]
        echoed(held, b"x" * 1000)
        through(proxy.port, 25)[0].close()
        _, metrics = get(proxy.admin, "/metrics")
        self.assertIn('strata_proxy_bytes_total{rule="default",outbound="direct",direction="sent"} 1000\n', metrics)
        self.assertIn('strata_proxy_sessions{rule="default",outbound="direct"} 1\n', metrics)
        self.assertIn('strata_proxy_connect_seconds_count{outbound="direct"} 1\n', metrics)
        self.assertIn('strata_proxy_requests_total{rule="no mail",outbound="",result="error"} 1\n', metrics)
        held.close()
        wait_for(lambda: 'outbound="direct",result="ok"} 1\n' in get(proxy.admin, "/metrics")[1], lambda: "an end")
        _, metrics = get(proxy.admin, "/metrics")
        self.assertIn('strata_proxy_bytes_total{rule="default",outbound="direct",direction="sent"} 1000\n', metrics)
        self.assertIn('strata_proxy_connect_seconds_bucket{outbound="direct",le="+Inf"} 1\n', metrics)

    def test_what_is_not_wanted_any_more_still_tells_of_its_sessions(self):
        proxy, echo = self.daemon(), self.echo()
        held = through(proxy.port, echo.port)[0]
        self.addCleanup(held.close)
        # The port of the inbound is the system's choice, so reading again makes another.
        proxy.running.send_signal(signal.SIGHUP)
        proxy.until_complains("the configuration was read again")
        with self.assertRaises(OSError):
            socket.create_connection(("127.0.0.1", proxy.port), LIMIT)
        self.assertEqual(len(json.loads(get(proxy.admin, "/sessions")[1])), 1)
        echoed(held, b"x" * 77)
        self.assertIn('direction="sent"} 77\n', get(proxy.admin, "/metrics")[1])

    def test_sessions_in_both_forms(self):
        proxy, echo = self.daemon(), self.echo()
        held = through(proxy.port, echo.port, b"localhost")[0]
        self.addCleanup(held.close)
        one, = json.loads(get(proxy.admin, "/sessions")[1])
        self.assertEqual(one["target"], f"localhost:{echo.port}")
        titles, row = (line.split("\t") for line in get(proxy.admin, "/sessions.tsv")[1].splitlines())
        self.assertEqual(dict(zip(titles, row, strict=True))["target"], one["target"])

# attack P32: a page of others cannot ask by a name of its own
    def test_a_page_of_others_cannot_ask_by_a_name_of_its_own(self):
        proxy = self.daemon()
        for host in ("evil.example", f"evil.example:{proxy.admin}", "localhost.evil.example"):
            self.assertEqual(get(proxy.admin, "/sessions", host)[0], 421, host)
        for host in ("127.0.0.1", f"127.0.0.1:{proxy.admin}", "localhost", f"[::1]:{proxy.admin}", "[::1]"):
            self.assertEqual(get(proxy.admin, "/sessions", host)[0], 200, host)


class Drain(ProgramTest):
    def test_top_says_that_it_drains_and_the_end_is_told(self):
        proxy, echo = self.daemon("drain = 60"), self.echo()
        held = through(proxy.port, echo.port)[0]
        proxy.running.terminate()
        wait_for(lambda: get(proxy.admin, "/readyz")[0] == 503, lambda: "draining")
        done = top("--once", "--interval", "0.1", "--admin", f"127.0.0.1:{proxy.admin}")
        self.assertIn("draining", done.stdout.splitlines()[0])
        held.close()
        self.assertEqual(proxy.running.wait(LIMIT), 0)


class TopOnce(ProgramTest):
    def test_one_frame_of_a_running_proxy(self):
        proxy, echo = self.daemon(), self.echo()
        held = through(proxy.port, echo.port)[0]
        self.addCleanup(held.close)
        echoed(held, b"x" * 1000)
        through(proxy.port, 25)[0].close()
        done = top("--once", "--interval", "0.1", "--admin", f"127.0.0.1:{proxy.admin}")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, r"\Astrata-proxy \d+\.\d+\.\d+  up \d+ s +127\.0\.0\.1:\d+\n1 open  2 accepted  0 refused")
        self.assertRegex(done.stdout, r"(?m)^RULE +OUTBOUND +OPEN +REQ/S +ERR/S +UP/S +DOWN/S +REQUESTS +ERRORS +UP +DOWN$")
        self.assertRegex(done.stdout, r"(?m)^default +direct +1 .* 1\.0 kB +1\.0 kB$")
        self.assertRegex(done.stdout, r"(?m)^no mail +refused +0 +[0-9.]+ +[0-9.]+ +0 B +0 B +1 +1 ")
        self.assertRegex(done.stdout, rf"(?m)^127\.0\.0\.1:\d+ +127\.0\.0\.1:{echo.port} +default +direct ")
        self.assertNotIn("\x1b", done.stdout)

    def test_what_is_piped_is_one_frame_too(self):
        proxy = self.daemon()
        done = top("--interval", "0.1", "--admin", f"127.0.0.1:{proxy.admin}", COLUMNS="60", LANG="C")
        self.assertEqual(done.returncode, 0)
        self.assertTrue(done.stdout.isascii())
        self.assertTrue(all(len(line) <= 60 for line in done.stdout.splitlines()), done.stdout)

    def test_nobody_there_is_told(self):
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            port = closed.getsockname()[1]
            done = top("--once", "--admin", f"127.0.0.1:{port}")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertRegex(done.stderr, rf"^strata-proxy top: 127\.0\.0\.1:{port}: .*refused; the proxy's configuration must say "
                                      rf'admin = "127\.0\.0\.1:{port}"\n$')

    def test_another_server_is_told(self):
        with OtherServer({}) as other:
            done = top("--once", "--admin", f"127.0.0.1:{other.port}")
        self.assertTrue(done.stderr.startswith(f"strata-proxy top: 127.0.0.1:{other.port}: the answer to /metrics is 404; "), done.stderr)


class OtherServer:
    """Answers with these pages, whatever they are."""

    def __init__(self, pages):
        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(self):
                page = pages.get(self.path)
                self.send_response(404 if page is None else 200)
                self.end_headers()
                self.wfile.write(page or b"")
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


OWN_SEQUENCE = re.compile(r"\x1b\[(H|K|J|2J|0m|1m|2m|7m|31m|\?1049[hl]|\?25[hl]|\?7[hl])")


class TopOnTerminal(ProgramTest):
    def start(self, proxy, *words, **more):
        return self.screen("--interval", "0.1", "--admin", f"127.0.0.1:{proxy.admin}", *words, **more)

    def test_a_frame_is_drawn_and_everything_restored_by_each_end(self):
        proxy = self.daemon()
        for name, end in (("q", lambda of: of.press("q")), ("ctrl-c", lambda of: of.press("\x03")),
                          ("term", lambda of: of.running.terminate()), ("hup", lambda of: of.running.send_signal(signal.SIGHUP))):
            with self.subTest(name):
                screen = self.start(proxy)
                screen.until_shows("0 open")
                self.assertTrue(screen.seen.startswith(b"\x1b[?1049h\x1b[?25l\x1b[?7l"), screen.seen[:40])
                self.assertFalse(termios.tcgetattr(screen.follower)[3] & (termios.ICANON | termios.ECHO))
                end(screen)
                self.assertEqual(screen.until_ended(), 0)
                self.assertTrue(screen.is_restored(), screen.seen[-60:])

    def test_it_is_put_aside_like_any_job(self):
        proxy = self.daemon()
        screen = self.start(proxy)
        at = screen.until_shows("0 open")
        screen.press("\x1a")
        wait_for(lambda: os.waitpid(screen.running.pid, os.WNOHANG | os.WUNTRACED)[1] != 0, lambda: "a stop")
        self.assertIn(b"\x1b[?1049l", screen.read()[at:])
        self.assertEqual(termios.tcgetattr(screen.follower), screen.before)
        at = len(screen.read())
        screen.running.send_signal(signal.SIGCONT)
        screen.until_shows("\x1b[?1049h", at)
        screen.press("q")
        self.assertEqual(screen.until_ended(), 0)

    def test_frames_follow_the_size_of_the_terminal(self):
        proxy = self.daemon()
        screen = self.start(proxy)
        screen.until_shows("0 open")
        screen.resize((50, 12))
        screen.running.send_signal(signal.SIGWINCH)
        wait_for(lambda: len(screen.frames()) > 1 and screen.frames()[-2].count("\n") == 11, lambda: "12 lines")
        last = [OWN_SEQUENCE.sub("", line) for line in screen.frames()[-2].replace("\r", "").split("\n")]
        self.assertTrue(all(len(line) <= 50 for line in last), last)

    def test_keys_pause_and_sort(self):
        proxy = self.daemon()
        screen = self.start(proxy)
        screen.until_shows("s sort: rate")
        screen.press("s")
        screen.until_shows("s sort: bytes")
        screen.press("p")
        at = screen.until_shows("p go on")
        held = through(proxy.port, self.echo().port)[0]
        self.addCleanup(held.close)
        screen.press("s")
        screen.until_shows("s sort: age", at)
        self.assertNotIn(b"1 open", screen.seen)
        screen.press("p")
        screen.until_shows("1 open", at)

    def test_a_lost_proxy_is_told_and_found_again(self):
        pages = {}
        with OtherServer(pages) as other:
            proxy = self.daemon()
            screen = self.screen("--interval", "0.1", "--admin", f"127.0.0.1:{other.port}")
            screen.until_shows("lost: the answer to /metrics is 404, tried again in 100 ms")
            for path in ("/sessions.tsv", "/metrics"):
                pages[path] = get(proxy.admin, path)[1].encode()
            at = screen.until_shows("0 open")
            del pages["/metrics"]
            screen.until_shows("lost: ", at)
            screen.press("q")
            self.assertEqual(screen.until_ended(), 0)
            self.assertTrue(screen.is_restored())

# attack P31: what others say does not reach the terminal
    def test_what_others_say_does_not_reach_the_terminal(self):
        hostile = "\x1b]0;owned\x07\x1b[2J\x9b6n\x1b[6n\u202e"
        escaped = "".join(f"\\x{octet:02x}" for octet in hostile.encode())
        pages = {"/metrics": ('strata_proxy_build_info{version="' + hostile + '"} 1\n'
                              'strata_proxy_bytes_total{rule="' + hostile + '",outbound="\\n' + hostile + '",direction="sent"} 1\n').encode(),
                 "/sessions.tsv": ("client\tuser\ttarget\n" + "\t".join([escaped, hostile, escaped]) + "\n").encode()}
        with OtherServer(pages) as other:
            screen = self.screen("--interval", "0.1", "--admin", f"127.0.0.1:{other.port}", size=(200, 50))
            screen.until_shows("?]0;owned??[2J?6n?[6n?")
            screen.press("q")
            screen.until_ended()
        rest = OWN_SEQUENCE.sub("", screen.seen.decode())
        self.assertEqual({each for each in rest if ord(each) < 0x20 or 0x7f <= ord(each) < 0xa0}, {"\r", "\n"})
        self.assertNotIn("\u202e", rest)

    def test_no_color(self):
        proxy = self.daemon()
        for environment, expected in (({}, True), ({"NO_COLOR": "1"}, False)):
            screen = self.start(proxy, **environment)
            screen.until_shows("CLIENT")
            screen.until_shows("q quit", screen.seen.index(b"CLIENT"))
            self.assertEqual(b"\x1b[7m" in screen.seen, expected)
            self.assertEqual(b"\x1b[1m" in screen.seen, expected)


if __name__ == "__main__":
    unittest.main()
