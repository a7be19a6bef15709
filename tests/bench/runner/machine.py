# SPDX-License-Identifier: Apache-2.0
"""What this machine is, and whether somebody else is working on it."""

import ctypes
import os
import platform
import time

from interop.runner.own_network import raise_loopback

from . import Failed

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
    clone_newnet = 0x40000000
    if ctypes.CDLL(None).unshare(clone_newnet) != 0:
        raise Failed("this system gives no process a network of its own, which --congestion needs: be root, or leave it out")
    raise_loopback()
    try:
        with open(CONGESTION, "w", encoding="ascii") as file:
            file.write(wanted)
    except OSError as why:
        raise Failed(f"there is no congestion control '{wanted}' here; sysctl net.ipv4.tcp_available_congestion_control names those that "
                     f"are: {why.strerror}") from why


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
