#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# attack Q42: an h3-server under a flood of Initial packets on loopback, and h3-client fetching from it
"""loopback_test.py H3-SERVER H3-CLIENT FLOOD-SENDER [--rate N] [--seconds N]

A server of files, a flood of valid Initial packets from a quarter of a million addresses of 127.0.0.0/8, and an honest client that
fetches a file again and again while it lasts. The server must ask for Retry by itself, stay small, and serve."""

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

FILE_SIZE = 1_000_000
# Beyond what the server held before: 512 handshakes with real TLS, and the sanitizer's share.
MOST_GROWTH_KB = 128 * 1024


def resident_kb(process):
    with open(f"/proc/{process.pid}/status") as status:
        return int(re.search(r"VmRSS:\s+(\d+) kB", status.read()).group(1))


def start_server(program, site):
    # Freed memory that the address sanitizer holds back is no growth of ours.
    environment = dict(os.environ, ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=8")
    server = subprocess.Popen([program, site, "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True, env=environment)
    for line in server.stdout:
        if found := re.search(r"listening on (https://127\.0\.0\.1:(\d+))", line):
            return server, found.group(1), found.group(2)
    raise AssertionError("the server did not start")


def fetch(program, url, content):
    begun = time.monotonic()
    done = subprocess.run([program, "-s", "-k", url], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False)
    if done.returncode != 0:
        print(f"  fetch failed: {done.stderr.decode().strip()}")
    return done.returncode == 0 and done.stdout == content, time.monotonic() - begun


def besiege(options, site, content):
    server, base, port = start_server(options.server, site)
    try:
        assert fetch(options.client, base + "/file", content)[0], "no file even in peace"
        before = resident_kb(server)
        flood = subprocess.Popen([options.sender, port, str(options.rate), str(options.seconds)], stdout=subprocess.PIPE, text=True)
        assert flood.stdout.readline() == "flooding\n"
        fetches, most = [], before
        time.sleep(0.5)
        while flood.poll() is None:
            fetches.append(fetch(options.client, base + "/file", content))
            most = max(most, resident_kb(server))
        said = flood.stdout.read()
        after = fetch(options.client, base + "/file", content)
    finally:
        server.send_signal(signal.SIGTERM)
        ended = server.wait(timeout=40)
        server.stdout.close()
    sent, retries = map(int, re.search(r"sent (\d+) retries (\d+)", said).groups())
    served = sum(right for right, _ in fetches)
    slowest = max((taken for right, taken in fetches if right), default=0.0)
    print(f"{sent} Initial packets, {retries} Retry packets; {served} of {len(fetches)} fetches served, the slowest in "
          f"{slowest:.2f} s; the server grew by {most - before} kB")
    assert ended == 0, "the server did not end well"
    assert sent >= options.rate * options.seconds * 0.5, "this machine could not make the flood"
    assert retries > 0, "the server did not begin to ask for Retry"
    assert served > 0, "nobody was served while the flood lasted"
    assert after[0], "nobody was served after the flood"
    assert most - before < MOST_GROWTH_KB, "the server grew without bound"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("server", "client", "sender"):
        parser.add_argument(name)
    parser.add_argument("--rate", type=int, default=20_000, help="packets a second")
    parser.add_argument("--seconds", type=int, default=10)
    options = parser.parse_args()
    content = os.urandom(FILE_SIZE)
    with tempfile.TemporaryDirectory(prefix="strata-flood-") as site:
        with open(os.path.join(site, "file"), "wb") as file:
            file.write(content)
        besiege(options, site, content)


if __name__ == "__main__":
    sys.exit(main())
