#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`strata-proxy top` as its user meets it, on a terminal and without one. STRATA_PROXY names the program."""

import fcntl
import http.server
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import termios
import threading
import unittest

from daemon import ENVIRONMENT, PROGRAM, ProgramTest, echoed, get, through, top, wait_for

OWN_SEQUENCE = re.compile(r"\x1b\[(H|K|J|2J|0m|1m|2m|7m|31m|\?1049[hl]|\?25[hl]|\?7[hl])")


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


class TopOnTerminal(ProgramTest):
    def screen(self, *words, **more):
        made = Screen(*words, **more)
        self.addCleanup(made.end)
        return made

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
