#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""strata-proxy as its user meets it: the daemon, its files and signals. STRATA_PROXY names the program."""

import json
import os
import signal
import socket
import subprocess
import unittest

from daemon import LIMIT, PROGRAM, ProgramTest, echoed, get, is_ended, through, top, wait_for


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


class ReadAgain(ProgramTest):
    """The inbound's address stays, and its port is never given up."""

    def test_limits_are_those_of_the_file(self):
        proxy, echo = self.daemon(), self.echo()
        held, _ = through(proxy.port, echo.port)
        self.addCleanup(held.close)
        proxy.read_again(inbound="max_per_source = 1", port=proxy.port)
        with socket.create_connection(("127.0.0.1", proxy.port), LIMIT) as refused:
            self.assertTrue(is_ended(refused))
        echoed(held, b"still here")
        proxy.read_again(inbound="max_per_source = 2", port=proxy.port)
        second, code = through(proxy.port, echo.port)
        with second:
            self.assertEqual(code, 0)
        self.assertEqual(proxy.running.poll(), None)

    def test_protocols_and_idle_timeouts_are_those_of_the_file(self):
        proxy, echo = self.daemon(), self.echo()
        held, _ = through(proxy.port, echo.port)
        self.addCleanup(held.close)
        proxy.read_again(inbound='protocols = ["socks5"]\nidle_timeout = 1', port=proxy.port)
        with socket.create_connection(("127.0.0.1", proxy.port), LIMIT) as refused:
            refused.sendall(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\n\r\n" % echo.port)
            self.assertTrue(is_ended(refused))
        idle, code = through(proxy.port, echo.port)
        with idle:
            self.assertEqual(code, 0)
            self.assertTrue(is_ended(idle))
        echoed(held, b"still here")

    def test_a_name_and_a_page_are_those_of_the_file(self):
        proxy, echo = self.daemon(), self.echo()
        with open(os.path.join(self.folder, "proxy.pac"), "w", encoding="utf-8") as page:
            page.write("function")
        self.assertEqual(get(proxy.port, "/proxy.pac")[0], 400)
        proxy.read_again(f'pac = "{page.name}"', port=proxy.port, name="lan")
        self.assertEqual(get(proxy.port, "/proxy.pac"), (200, "function"))
        through(proxy.port, echo.port)[0].close()
        self.assertIn('strata_proxy_connections_total{inbound="lan"}', get(proxy.admin, "/metrics")[1])

    def test_two_inbounds_cannot_have_one_address(self):
        proxy, echo = self.daemon(), self.echo()
        proxy.write(f"""[[inbound]]
name = "lan"
listen = "127.0.0.1:{proxy.port}"
""", port=proxy.port)
        proxy.running.send_signal(signal.SIGHUP)
        proxy.until_complains("Address already in use")
        proxy.until_complains("the configuration stays as it was")
        through(proxy.port, echo.port)[0].close()


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

    def test_a_pipe_that_nobody_reads_holds_nothing_up(self):
        pipe = os.path.join(self.folder, "pipe")
        os.mkfifo(pipe)
        proxy, echo = self.daemon(), self.echo()
        proxy.write(f'access_log = "{pipe}"')
        proxy.running.send_signal(signal.SIGHUP)
        proxy.until_complains(f"access_log: '{pipe}' cannot be opened: nobody reads from this pipe")
        proxy.until_complains("the configuration stays as it was")
        connection, code = through(proxy.port, echo.port)
        with connection:
            self.assertEqual(code, 0)


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
        proxy.read_again()
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


if __name__ == "__main__":
    unittest.main()
