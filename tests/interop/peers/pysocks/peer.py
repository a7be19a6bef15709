# SPDX-License-Identifier: Apache-2.0
"""peer.py version | get KIND HOST PORT USER PASSWORD TARGET-HOST TARGET-PORT PATH: writes what an HTTP server answers."""

import sys

import socks

KINDS = {"socks4": (socks.SOCKS4, False), "socks4a": (socks.SOCKS4, True), "socks5": (socks.SOCKS5, False), "socks5h": (socks.SOCKS5, True),
         "http": (socks.HTTP, True)}


def get(kind, host, port, user, password, target, target_port, path):
    number, remote = KINDS[kind]
    made = socks.socksocket()
    made.settimeout(20)
    made.set_proxy(number, host, int(port), rdns=remote, username=user or None, password=password or None)
    made.connect((target, int(target_port)))
    made.sendall(f"GET {path} HTTP/1.1\r\nHost: {target}\r\nConnection: close\r\n\r\n".encode())
    answer = b""
    while piece := made.recv(65536):
        answer += piece
    head, _, content = answer.partition(b"\r\n\r\n")
    if b" 200 " not in head.splitlines()[0]:
        raise SystemExit(f"not 200 but {head.splitlines()[0]!r}")
    sys.stdout.buffer.write(content)


if sys.argv[1] == "version":
    print("PySocks", socks.__version__)
else:
    get(*sys.argv[2:])
