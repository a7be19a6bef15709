#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Two strata-proxy with a tunnel between them. STRATA_PROXY names the program."""

import unittest

from daemon import ProgramTest, echoed, through

UUID = "d342d11e-d424-4583-b36e-524ab1f0afa4"


class TunnelTest(ProgramTest):
    def far_end(self, extra=""):
        return self.daemon(f'''{extra}
[[tunnel_server]]
name = "far"
listen = "127.0.0.1:0"
uuid = "{UUID}"
''')

    def near_end(self, far, keys=""):
        return self.daemon(f'''default = "tunnel"
[[outbound]]
name = "tunnel"
type = "tunnel"
server = "127.0.0.1:{far.tunnels}"
uuid = "{UUID}"
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


if __name__ == "__main__":
    unittest.main()
