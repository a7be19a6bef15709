# SPDX-License-Identifier: Apache-2.0
"""One cell of the table: a scenario between one client and one server, with its folder and what runs in it."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import time

from . import Failed, NotApplicable
from .contents import sum_of
from .programs import ClientOptions, Outcome, ServerOptions, json_lines
from .relay import Relay, drop_nothing

START_SECONDS = 20
PATIENCE_SECONDS = 2
STOP_SECONDS = 10
UNSUPPORTED = 127
LISTENING = re.compile(r"^listening on (?:https://)?\[?([0-9a-fA-F:.]+?)\]?:(\d+)$", re.M)
KEPT_OUTPUT = 1 << 20


class Running:
    """A child in a session of its own, with its output in files."""

    def __init__(self, command, folder, name):
        self.stdout, self.stderr = folder / f"{name}.stdout", folder / f"{name}.stderr"
        command = [str(part) for part in command]
        with (folder / "commands.txt").open("a", encoding="utf-8") as file:
            file.write(f"{name}: {shlex.join(command)[:4000]}\n")
        self.began = time.monotonic()
        with self.stdout.open("wb") as out, self.stderr.open("wb") as err:
            self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True)

    def said(self):
        return self.stdout.read_text(encoding="utf-8", errors="replace")

    def complained(self):
        return self.stderr.read_text(encoding="utf-8", errors="replace")

    def signal(self, number):
        try:
            os.killpg(self.child.pid, number)
        except ProcessLookupError:
            pass

    def end(self):
        if self.child.poll() is None:
            self.signal(signal.SIGKILL)
            self.child.wait()


class Server(Running):
    def __init__(self, command, folder, name):
        super().__init__(command, folder, name)
        self.address = self._wait_until_listening()

    def _wait_until_listening(self):
        while time.monotonic() - self.began < START_SECONDS:
            code = self.child.poll()
            if found := LISTENING.search(self.said()):
                return found.group(1), int(found.group(2))
            if code == UNSUPPORTED:
                raise NotApplicable(last_words(self.complained()))
            if code is not None:
                raise Failed(f"the server ended at once with {describe(code)}: {last_words(self.complained())}")
            time.sleep(0.01)
        self.end()
        raise Failed(f"the server did not say where it listens within {START_SECONDS} s")

    def still_runs(self):
        if (code := self.child.poll()) is not None:
            raise Failed(f"the server ended by itself with {describe(code)}: {last_words(self.complained())}")

    def stop(self):
        """Asks it to end and waits until it has. A server may wait for clients that are still there until it is asked twice."""
        self.still_runs()
        for seconds in (PATIENCE_SECONDS, STOP_SECONDS):
            self.signal(signal.SIGTERM)
            try:
                self.child.wait(seconds)
                return
            except subprocess.TimeoutExpired:
                continue
        raise Failed(f"the server did not end within {STOP_SECONDS} s of a second SIGTERM")

    def closings(self):
        return [event for event in json_lines(self.said()) if event.get("event") == "closed"]


class Cell:
    """What a scenario works with. `world` has contents and certificates."""

    def __init__(self, world, scenario, pair, alpn):
        self.world = world
        self.scenario = scenario
        self.client, self.server = pair
        self.alpn = alpn
        self.limit = scenario.limit
        self.folder = world.folder / f"{scenario.name}-{alpn}--{self.client.name}--{self.server.name}"
        self._children = []
        self._runs = 0
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)

    def start_server(self, host="127.0.0.1", **options):
        name = f"server-{len(self._children)}"
        made = ServerOptions(host=host, folder=self.world.contents.folder, chain=self.world.certificates.chain,
                             key=self.world.certificates.key, keylog=self.folder / f"{name}.keys", qlog=self._qlog(name))
        for option, value in options.items():
            setattr(made, option, value)
        server = Server(self.server.server_command(made), self.folder, name)
        server.qlog = made.qlog
        self._children.append(server)
        return server

    def relay(self, server, drop=drop_nothing):
        return Relay(server.address, drop, self.folder / "relay.txt")

    def start_client(self, address, files, **options):
        self._runs += 1
        name = f"client-{self._runs}"
        output = self.folder / f"out-{self._runs}" / "files"
        output.mkdir(parents=True)
        made = ClientOptions(alpn=self.alpn, address=address, authority_certificate=self.world.certificates.authority,
                             paths=["/" + file for file in files], output=output, keylog=self.folder / f"{name}.keys",
                             limit=self.limit, qlog=self._qlog(name))
        for option, value in options.items():
            setattr(made, option, value)
        client = Running(self.client.client_command(made), self.folder, name)
        client.output = output
        client.limit = made.limit
        self._children.append(client)
        return client

    def wait(self, client):
        try:
            code = client.child.wait(max(0.0, client.began + client.limit + STOP_SECONDS - time.monotonic()))
        except subprocess.TimeoutExpired:
            client.end()
            raise Failed(f"the client had not ended after {client.limit:.0f} s") from None
        outcome = Outcome(code, time.monotonic() - client.began, client.said(), client.complained())
        if code == UNSUPPORTED:
            raise NotApplicable(last_words(outcome.stderr))
        if code < 0:
            raise Failed(f"the client died of {describe(code)}")
        return outcome

    def run_client(self, address, files, **options):
        """Runs a client that has to succeed and compares every file."""
        client = self.start_client(address, files, **options)
        outcome = self.wait(client)
        if outcome.code != 0:
            raise Failed(f"the client ended with {describe(outcome.code)}: {last_words(outcome.stderr)}")
        self.compare(client.output, files)
        return outcome

    def compare(self, output, files):
        wrong = [name for name in files
                 if not (output / name).is_file() or sum_of(output / name) != self.world.contents.sum(name)]
        if wrong:
            missing = [name for name in wrong if not (output / name).exists()]
            raise Failed(f"{len(missing)} files missing and {len(wrong) - len(missing)} different, of {len(files)}: {wrong[0]}")
        strays = sorted({path.name for path in output.iterdir()} - set(files))
        if strays:
            raise Failed(f"files that nobody asked for: {strays[:3]}")

    def _qlog(self, name):
        if not self.scenario.qlog:
            return None
        folder = self.folder / f"{name}.qlog"
        folder.mkdir()
        return folder

    def end(self, passed, keep):
        for child in self._children:
            child.end()
        if passed and not keep:
            shutil.rmtree(self.folder, ignore_errors=True)
            return
        for output in self.folder.glob("out-*"):
            self._shorten(output)

    @staticmethod
    def _shorten(output):
        """Leaves the names and sizes of what would fill the disk."""
        files = sorted(path for path in output.rglob("*") if path.is_file())
        lines = [f"{path.stat().st_size} {path.relative_to(output)}\n" for path in files]
        (output / "listing.txt").write_text("".join(lines), encoding="utf-8")
        for path in files:
            if path.stat().st_size > KEPT_OUTPUT:
                path.unlink()


def describe(code):
    if code < 0:
        return signal.Signals(-code).name
    return f"exit code {code}"


def last_words(text):
    """The end of an error output on one line."""
    return " ".join(text.split())[-200:] or "it said nothing"
