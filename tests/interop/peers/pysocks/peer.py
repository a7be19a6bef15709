# SPDX-License-Identifier: Apache-2.0
"""peer.py version | get KIND HOST PORT USER PASSWORD TARGET-HOST TARGET-PORT PATH: writes what an HTTP server answers;
datagrams HOST PORT TARGET-HOST TARGET-PORT SIZE...: sends one of each size to a target that sends them back, and compares."""

import socket
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


def datagrams(host, port, target, target_port, *sizes):
    with socks.socksocket(type=socket.SOCK_DGRAM) as made:
        made.settimeout(20)
        made.set_proxy(socks.SOCKS5, host, int(port))
        where = (target, int(target_port))
        for size in map(int, sizes):
            payload = bytes((7 * at + size) & 255 for at in range(size))
            made.sendto(payload, where)
            answer, source = made.recvfrom(65535)
            if answer != payload or source[1] != where[1]:
                raise SystemExit(f"{len(answer)} bytes from {source} for {size} to {where}")
    print("same")


if sys.argv[1] == "version":
    print("PySocks", socks.__version__)
elif sys.argv[1] == "datagrams":
    datagrams(*sys.argv[2:])
else:
    get(*sys.argv[2:])
