# SPDX-License-Identifier: Apache-2.0
"""The command line that every program of ./dev interop ech has, for programs that have another one."""

import argparse
import base64
import json
import pathlib
import re
import signal
import subprocess
import sys

EXIT_FAILED, EXIT_UNSUPPORTED = 1, 127
QUESTION = b"GET / HTTP/1.0\r\n\r\n"
SECONDS = 15
MOST_OUTPUT = 100_000


class Unsupported(Exception):
    """What a program cannot do."""


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("program", help="the folder or the file that was built")
    modes = parser.add_subparsers(dest="mode", required=True)
    modes.add_parser("version")
    server = modes.add_parser("server")
    server.add_argument("--listen", required=True)
    server.add_argument("--cert", type=pathlib.Path)
    server.add_argument("--key", type=pathlib.Path)
    server.add_argument("--ech-key", type=pathlib.Path, action="append", default=[])
    server.add_argument("--tls12", action="store_true")
    server.add_argument("--groups", default="")
    client = modes.add_parser("client")
    client.add_argument("--connect", required=True)
    client.add_argument("--name", required=True)
    client.add_argument("--cacert", type=pathlib.Path)
    client.add_argument("--ech", default="")
    client.add_argument("--ech-grease", action="store_true")
    client.add_argument("--ech-secure-disable", action="store_true")
    client.add_argument("--groups", default="")
    for each in (server, client):
        each.add_argument("--quic", action="store_true")
    return parser.parse_args()


def run(version, server, client):
    """The three are functions of the arguments; server gives a command and what finds its port in a line of its output."""
    chosen = arguments()
    try:
        if chosen.mode == "version":
            print(version(chosen))
        elif chosen.mode == "server":
            serve(*server(chosen))
        else:
            sys.exit(visit(chosen, client))
    except Unsupported as why:
        print(f"unsupported: {why}", file=sys.stderr)
        sys.exit(EXIT_UNSUPPORTED)


def serve(command, find_port, environment=None):
    child = subprocess.Popen([str(part) for part in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, env=environment)
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    for line in child.stdout:
        text = line.decode("utf-8", "replace").rstrip()
        print(text, file=sys.stderr, flush=True)
        if found := find_port(text):
            print(f"listening on 127.0.0.1:{found}", flush=True)
    sys.exit(child.wait())


def visit(chosen, attempt):
    """Tries again where a rejection allows it, as an application would. attempt(chosen, list) gives (status, retry list, went well)."""
    offered, retried, disabled, attempts = chosen.ech, False, False, 0
    while True:
        attempts += 1
        status, named, well = attempt(chosen, offered)
        if status == "rejected with retry" and not retried:
            offered, retried = named, True
        elif status == "rejected" and not well and chosen.ech_secure_disable and not disabled:
            offered, disabled = "", True
        else:
            break
    status = "rejected" if disabled else status
    print(json.dumps({"ech": status, "retried": retried and status == "accepted", "attempts": attempts}), flush=True)
    return 0 if well else EXIT_FAILED


def call(command, question=QUESTION, environment=None):
    """(exit code, everything it said) of a client that is asked to say something."""
    try:
        done = subprocess.run([str(part) for part in command], input=question, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env=environment, timeout=SECONDS, check=False)
        code, output = done.returncode, done.stdout
    except subprocess.TimeoutExpired as late:
        code, output = -1, late.stdout or b""
    said = output.decode("utf-8", "replace")[:MOST_OUTPUT]
    print(said, file=sys.stderr, flush=True)
    return code, said


def pem_parts(path):
    """{label: content}"""
    found = re.findall(r"-----BEGIN ([A-Z ]+)-----\n(.*?)-----END", path.read_text(encoding="ascii"), re.S)
    return {label: base64.b64decode(content) for label, content in found}
