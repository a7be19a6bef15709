# SPDX-License-Identifier: Apache-2.0
"""What this machine is, and whether somebody else is working on it."""

import ctypes
import fcntl
import os
import platform
import socket
import struct
import time

CONGESTION = "/proc/sys/net/ipv4/tcp_congestion_control"

TICKS = os.sysconf("SC_CLK_TCK")
BUSY_SHARE = 0.10
"""Of one core, used by others during a run: beyond it the run is repeated."""


def processor():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor()


def description():
    return f"{processor()}, {os.cpu_count()} cores, Linux {platform.release()}"


def congestion():
    """TCP's congestion control, where this process is."""
    with open(CONGESTION, encoding="ascii") as file:
        return file.read().strip()


def isolate(wanted):
    """This process and its children get a network of their own, with that congestion control; nobody else's changes."""
    clone_newnet, siocsifflags, up = 0x40000000, 0x8914, 0x1
    if ctypes.CDLL(None, use_errno=True).unshare(clone_newnet) != 0:
        raise OSError(ctypes.get_errno(), "this system gives no process a network of its own")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, siocsifflags, struct.pack("16sH22x", b"lo", up))
    with open(CONGESTION, "w", encoding="ascii") as file:
        file.write(wanted)


def busy_seconds():
    """All CPU time of this machine that was not idle, of everybody, in seconds; time that a host takes away counts, too."""
    with open("/proc/stat", encoding="ascii") as file:
        fields = [int(field) for field in file.readline().split()[1:]]
    idle = fields[3] + fields[4]
    return (sum(fields[:8]) - idle) / TICKS


class Watch:
    """Measures the work of others while a run goes on."""

    def __init__(self):
        self.began, self.busy = time.monotonic(), busy_seconds()

    def others(self, own_cpu):
        """Cores that others used, on average."""
        took = max(time.monotonic() - self.began, 1e-3)
        return max(0.0, busy_seconds() - self.busy - own_cpu) / took


def measured(run, repeats, say):
    """run() gives (result, CPU seconds of its processes). It is repeated while others work; the quietest counts.

    Gives the result and how much of a core others used."""
    best = None
    for attempt in range(1 + repeats):
        watch, own = Watch(), os.times()
        result, used = run()
        mine = os.times()
        others = watch.others(used + mine.user + mine.system - own.user - own.system)
        if best is None or others < best[1]:
            best = (result, others)
        if others <= BUSY_SHARE:
            break
        if attempt < repeats:
            say(f"    others used {others:.2f} of a core: once more")
    return best
