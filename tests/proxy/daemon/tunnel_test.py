#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Two strata-proxy with a tunnel between them. STRATA_PROXY names the program."""

import json
import os
import pathlib
import signal
import socket
import ssl
import struct
import sys
import unittest

from daemon import LIMIT, ProgramTest, associated, echoed, get, is_ended, through, top, wait_for

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from interop.runner import certificates  # noqa: E402  the path has to be set first

UUID = "d342d11e-d424-4583-b36e-524ab1f0afa4"


class TunnelTest(ProgramTest):
    @staticmethod
    def tunnel_server(port=0, name="far", keys="", uuid=UUID):
        return f'''
[[tunnel_server]]
name = "{name}"
listen = "127.0.0.1:{port}"
uuid = "{uuid}"
{keys}
'''

    def far_end(self, extra="", keys=""):
        return self.daemon(extra + self.tunnel_server(keys=keys))

    def near_end(self, far, keys="", kind=f'type = "tunnel"\nuuid = "{UUID}"'):
        return self.daemon(f'''default = "tunnel"
[[outbound]]
name = "tunnel"
server = "127.0.0.1:{far.tunnels}"
{kind}
{keys}
''')

    def connect(self, near, echo):
        made, code = through(near.port, echo.port)
        self.addCleanup(made.close)
        return made, code


class Pool(TunnelTest):
    def codes(self, keys, count):
        """Of so many connections at a time. One that finds all sessions full is refused at once; the others' targets are reached."""
        echo = self.echo()
        near = self.near_end(self.far_end(), keys)
        codes = []
        for _ in range(count):
            made, code = self.connect(near, echo)
            codes.append(code)
            if code == 0:
                echoed(made, b"here")
        return codes

    def test_sessions_and_streams_are_as_many_as_said(self):
        self.assertEqual(self.codes("max_sessions = 1\nmax_streams = 1", 2), [0, 1])
        self.assertEqual(self.codes("max_sessions = 1\nmax_streams = 2", 3), [0, 0, 1])
        self.assertEqual(self.codes("max_sessions = 3\nmax_streams = 1", 4), [0, 0, 0, 1])

    def test_more_streams_than_unless_told(self):
        self.assertEqual(self.codes("max_sessions = 3", 3 * 128 + 1), [0] * (3 * 128) + [1])


OTHER = """
[[outbound]]
name = "other"
type = "direct"
allow = ["127.0.0.0/8"]
"""


class ReadAgain(TunnelTest):
    """The tunnel server's address stays, and its port is never given up."""

    def certificates(self, folder):
        return certificates.make(pathlib.Path(self.folder) / folder)

    @staticmethod
    def keys(made, password="secret"):
        return f'certificate = "{made.chain}"\nkey = "{made.key}"\nanytls_passwords = ["{password}"]'

    def again(self, far, **how):
        far.read_again(self.tunnel_server(far.tunnels, **how))

    def check_code(self, near, echo, wanted):
        self.assertEqual(self.connect(near, echo)[1], wanted)

    def test_another_uuid(self):
        far, echo = self.far_end(), self.echo()
        held, _ = self.connect(self.near_end(far), echo)
        other = UUID[::-1]
        self.again(far, uuid=other)
        self.assertNotEqual(self.connect(self.near_end(far), echo)[1], 0)
        self.check_code(self.near_end(far, kind=f'type = "tunnel"\nuuid = "{other}"'), echo, 0)
        echoed(held, b"still here")

    def test_another_certificate_and_password(self):
        one, two, echo = self.certificates("one"), self.certificates("two"), self.echo()
        far = self.far_end(keys=self.keys(one))
        near = self.near_end(far, f'[outbound.tls]\nca = "{one.authority}"', 'type = "anytls"\npassword = "secret"')
        held, _ = self.connect(near, echo)
        self.again(far, keys=self.keys(two, "other"))
        shown = ssl.get_server_certificate(("127.0.0.1", far.tunnels))
        self.assertIn(shown.split(), [part.split() for part in two.chain.read_text().split("\n\n")])
        echoed(held, b"still here")
        for password, code in (("other", 0), ("secret", 1)):
            later = self.near_end(far, f'[outbound.tls]\nca = "{two.authority}"', f'type = "anytls"\npassword = "{password}"')
            self.check_code(later, echo, code)

    def test_what_is_wrong_changes_nothing(self):
        made, echo = self.certificates("made"), self.echo()
        far = self.far_end(keys=self.keys(made))
        near = self.near_end(far, f'[outbound.tls]\nca = "{made.authority}"', 'type = "anytls"\npassword = "secret"')
        for keys, problem in (("", "it has TLS from its start or never"),
                              (self.keys(made).rsplit("\n", 1)[0], "it has anytls from its start or never"),
                              (self.keys(made).replace(str(made.key), str(made.stranger)), "key")):
            far.write(self.tunnel_server(far.tunnels, keys=keys), port=far.port)
            far.running.send_signal(signal.SIGHUP)
            far.until_complains(problem)
            self.check_code(near, echo, 0)


class Streams(TunnelTest):
    """Those of a tunnel server are told as requests of an inbound are."""

    def check_told(self, far, near, log, protocol):
        echo = self.echo()
        held, _ = self.connect(near, echo)
        echoed(held, b"x" * 1000)
        one, = json.loads(get(far.admin, "/sessions")[1])
        del one["client"], one["milliseconds"]
        self.assertGreater(one.pop("connect_microseconds"), 0)
        user = {"user": "user 1"} if protocol == "anytls" else {}
        told = {"inbound": "far", **user, "protocol": protocol, "command": "connect", "target": f"127.0.0.1:{echo.port}",
                "rule": "tunnel far", "outbound": "direct", "sent": 1000, "received": 1000}
        self.assertEqual(one, told)
        figures = '{rule="tunnel far",outbound="direct"'
        self.assertIn(f'strata_proxy_bytes_total{figures},direction="sent"}} 1000\n', get(far.admin, "/metrics")[1])
        self.assertIn(f"strata_proxy_sessions{figures}}} 1\n", get(far.admin, "/metrics")[1])
        shown = top("--once", "--interval", "0.1", "--admin", f"127.0.0.1:{far.admin}").stdout
        self.assertRegex(shown, rf"(?m)^127\.0\.0\.1:\d+ +(user 1 +)?127\.0\.0\.1:{echo.port} +tunnel far +direct ")
        echo.hang_up()
        self.assertTrue(is_ended(held))
        held.close()
        wait_for(lambda: os.path.getsize(log) != 0, lambda: "a line")
        with open(log, encoding="utf-8") as lines:
            line = json.loads(lines.read())
        self.assertEqual({key: line[key] for key in told}, told)
        self.assertGreater(line["connect_microseconds"], 0)
        self.assertEqual(get(far.admin, "/sessions")[1], "[]\n")
        self.assertIn(f'strata_proxy_bytes_total{figures},direction="sent"}} 1000\n', get(far.admin, "/metrics")[1])

    def log(self):
        path = os.path.join(self.folder, "access.log")
        return path, f'access_log = "{path}"\n'

    def test_in_shared_sessions(self):
        log, key = self.log()
        far = self.far_end(key)
        self.check_told(far, self.near_end(far), log, "tunnel-yamux")

    def test_in_websockets_of_their_own(self):
        log, key = self.log()
        far = self.far_end(key)
        self.check_told(far, self.near_end(far, "simple = true"), log, "tunnel-simple")

    def test_by_anytls(self):
        log, key = self.log()
        made = certificates.make(pathlib.Path(self.folder) / "certificates")
        far = self.far_end(key, f'certificate = "{made.chain}"\nkey = "{made.key}"\nanytls_passwords = ["secret"]')
        near = self.near_end(far, f'[outbound.tls]\nca = "{made.authority}"', 'type = "anytls"\npassword = "secret"')
        self.check_told(far, near, log, "anytls")

    def test_datagrams_by_anytls(self):
        made = certificates.make(pathlib.Path(self.folder) / "certificates")
        far = self.far_end(keys=f'certificate = "{made.chain}"\nkey = "{made.key}"\nanytls_passwords = ["secret"]')
        near = self.near_end(far, f'[outbound.tls]\nca = "{made.authority}"', 'type = "anytls"\npassword = "secret"')
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as there, associated(near.port) as (client, proxy):
            there.bind(("127.0.0.1", 0))
            header = b"\x00\x00\x00\x01\x7f\x00\x00\x01" + struct.pack(">H", there.getsockname()[1])
            client.sendto(header + b"question", proxy)
            there.settimeout(LIMIT)
            question, server = there.recvfrom(100)
            self.assertEqual(question, b"question")
            there.sendto(b"answer", server)
            self.assertEqual(client.recv(100), header + b"answer")
            one, = json.loads(get(far.admin, "/sessions")[1])
            self.assertEqual((one["protocol"], one["command"], one["outbound"]), ("anytls", "udp_associate", "direct"))
            self.assertEqual((one["target"], one["sent"], one["received"]), (f"127.0.0.1:{there.getsockname()[1]}", 8, 6))

    def test_reading_again_moves_no_figures(self):
        far, echo = self.far_end(), self.echo()
        near = self.near_end(far)
        held, _ = self.connect(near, echo)
        echoed(held, b"x" * 1000)
        far.read_again(OTHER + self.tunnel_server(far.tunnels, "farther", 'outbound = "other"'))
        later, _ = self.connect(near, echo)
        echoed(later, b"y" * 50)
        metrics = get(far.admin, "/metrics")[1]
        for outbound, size in (("direct", 1000), ("other", 50)):
            self.assertIn(f'strata_proxy_bytes_total{{rule="tunnel farther",outbound="{outbound}",direction="sent"}} {size}\n', metrics)

    def test_one_that_is_not_wanted_any_more_goes_on_for_its_streams(self):
        far, echo = self.far_end("drain = 60\n"), self.echo()
        near = self.near_end(far)
        held, _ = self.connect(near, echo)
        far.read_again("drain = 60")
        echoed(held, b"x" * 1000)
        one, = json.loads(get(far.admin, "/sessions")[1])
        self.assertEqual((one["inbound"], one["sent"]), ("far", 1000))
        echo.hang_up()
        self.assertTrue(is_ended(held))
        held.close()
        wait_for(lambda: get(far.admin, "/sessions")[1] == "[]\n", lambda: "an end")
        self.assertIn('strata_proxy_bytes_total{rule="tunnel far",outbound="direct",direction="sent"} 1000\n', get(far.admin, "/metrics")[1])

    def test_two_cannot_have_one_address(self):
        far = self.far_end()
        far.write(self.tunnel_server(far.tunnels) + self.tunnel_server(far.tunnels, "second"))
        far.running.send_signal(signal.SIGHUP)
        far.until_complains("Address already in use")
        held, code = self.connect(self.near_end(far), self.echo())
        self.assertEqual(code, 0)
        echoed(held, b"still here")


if __name__ == "__main__":
    unittest.main()
