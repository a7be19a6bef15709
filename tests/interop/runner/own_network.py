# SPDX-License-Identifier: Apache-2.0
"""For processes that have a network of their own."""

import fcntl
import socket
import struct


def raise_loopback():
    """A network of one's own begins with its loopback interface down."""
    siocsifflags, up = 0x8914, 0x1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, siocsifflags, struct.pack("16sH22x", b"lo", up))
