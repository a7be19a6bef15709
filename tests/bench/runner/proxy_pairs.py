# SPDX-License-Identifier: Apache-2.0
"""Two proxies with something between them: strata-proxy at both ends, beside sing-box (anytls) and go-tunnel (tunnels with ECH)."""

import contextlib
import types

from interop.runner import Failed as StartFailed
from interop.runner import anytls_programs, certificates, ech_keys, proxy_programs, tunnel, tunnel_programs
from interop.runner.cell import Server
from interop.runner.certificates import AUTHORITY
from interop.runner.doh import Resolver
from interop.runner.programs import join_address

from . import anytls, building, table
from .record import HIGHER, LOWER, Figure

SING_BOX, GO = "sing-box", tunnel_programs.GO
GIB = 1 << 30
NOTE = """
Everything is on loopback, application and target in one process of ours, which is the same for both and not counted; each end is a process.
CPU: of client and server, by /proc. by CPU: what a core for each side would carry, by the busier side."""


class OurAnytls:
    """strata-proxy with anytls as its way out, and with anytls on a tunnel server's port."""

    def __init__(self, name, folder, made):
        self.name, self.made = name, made
        self.program = folder / proxy_programs.Ours.PROGRAM

    def _start(self, folder, side, lines, kind):
        path = folder / f"{side}.toml"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return kind([self.program, "--config", path], folder, side)

    def server(self, folder):
        lines = ["[[tunnel_server]]", 'listen = "127.0.0.1:0"', f'uuid = "{tunnel_programs.UUID}"', f'certificate = "{self.made.chain}"',
                 f'key = "{self.made.key}"', f'anytls_passwords = ["{anytls_programs.PASSWORD}"]',
                 "[[outbound]]", 'name = "direct"', 'type = "direct"', 'allow = ["127.0.0.0/8"]']
        return self._start(folder, "server", lines, tunnel_programs.TunnelEnd)

    def client(self, folder, server):
        lines = ['default = "far"', "[[inbound]]", 'listen = "127.0.0.1:0"', "[[outbound]]", 'name = "far"', 'type = "anytls"',
                 f'server = "{join_address(server)}"', f'password = "{anytls_programs.PASSWORD}"', "[outbound.tls]",
                 f'ca = "{self.made.authority}"', f'server_name = "{AUTHORITY}"']
        return self._start(folder, "client", lines, Server)


class TheirAnytls:
    def __init__(self, peer, made):
        self.name, self.made = SING_BOX, made
        self.by = anytls_programs.SingBox(SING_BOX, peer.command)

    def _options(self, folder, **asked):
        return anytls_programs.Options(certificates=self.made, folder=folder, **asked)

    def server(self, folder):
        return self.by.running(self.by.server_command(self._options(folder)), folder, "server")

    def client(self, folder, server):
        return self.by.running(self.by.client_command(self._options(folder, server=server)), folder, "client")


class Tunnel:
    """With Encrypted Client Hello at both ends; ours learns the configuration from a resolver, once."""

    def __init__(self, by, mode, world):
        self.name, self.by, self.mode, self.world = by.name, by, mode, world
        self._resolver = None

    def server(self, folder):
        asked = tunnel_programs.Asked(self.world, mode=self.mode, keys=[self.world.current])
        return self.by.server(types.SimpleNamespace(folder=folder), "server", asked)

    def client(self, folder, server):
        asked = tunnel_programs.Asked(self.world, mode=self.mode, server=server, offer=self.world.current)
        if self.by.asks_dns:
            configs = {ech_keys.HIDDEN: tunnel_programs.configs_of(self.world.current)}
            self._resolver = Resolver(self.world.resolver, self.world.key, configs)
            asked.resolver = self._resolver.address
        return self.by.client(types.SimpleNamespace(folder=folder), "client", asked)

    def end(self):
        if self._resolver:
            self._resolver.__exit__()
            self._resolver = None


class Bench:
    """What bulk_run and connections_run of anytls want, for one kind of pairs."""

    def __init__(self, session, what, programs, versions, goals):
        self.session, self.what, self.programs, self.versions, self.goals = session, what, programs, versions, goals
        self.load = str(session.binaries / "strata-proxy-load")
        self.folder = building.ROOT / "build/bench" / what.replace(" ", "-")

    @contextlib.contextmanager
    def pair(self, program):
        folder = self.folder / program.name
        folder.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as held:
            held.callback(getattr(program, "end", lambda: None))
            server = program.server(folder)
            held.callback(server.end)
            client = program.client(folder, server.address)
            held.callback(client.end)
            yield anytls.Pair(client, server, self.load)

    def compared(self, what, run):
        return self.session.interleaved(f"{self.what} {what}", self.programs, run)

    def add(self, found, member, case, unit, better, goal=None):
        ours = found[self.session.ours.name]
        for name, runs in found.items():
            if name != self.session.ours.name:
                self.session.figures.append(Figure(
                    "proxy", f"{self.what}, {case}", unit, ours.median(member), name, self.versions[name], runs.median(member), goal=goal,
                    better=better, others=max(ours.others, runs.others)))


def bulk(bench):
    rows = []
    size = bench.session.size(anytls.BYTES, 1 << 24)
    for upward in (False, True):
        way = "up" if upward else "down"

        def run(program, upward=upward):
            got, used = anytls.bulk_run(bench, program, upward)
            return got | {f"{part}_gib": got[part] * GIB / size for part in ("cpu", "client_cpu", "server_cpu")}, used

        found = bench.compared(f"bulk {way}", run)
        rows += [[way, name, *(runs.median(member) for member in ("gbits", "core_gbits", "cpu_gib", "client_cpu_gib", "server_cpu_gib"))]
                 for name, runs in found.items()]
        bench.add(found, "gbits", f"bulk {way}", "Gbit/s", HIGHER, bench.goals.get("bulk"))
        bench.add(found, "core_gbits", f"bulk {way} by CPU", "Gbit/s", HIGHER)
        bench.add(found, "cpu_gib", f"bulk {way}: CPU of both", "s/GiB", LOWER)
    print(f"\n{bench.what}: {size >> 20} MiB over one connection, median of {bench.session.runs} runs\n")
    print(table.text(["", "", "Gbit/s", "by CPU", "CPU s/GiB", "client", "server"], rows))


def connections(bench):
    rows = []
    for lanes in anytls.LANES:
        found = bench.compared(f"connections {lanes} at a time",
                               lambda program, lanes=lanes: anytls.connections_run(bench, program, lanes, reuse=True))
        rows += [[f"{lanes} at a time", name, *(runs.median(member) for member in ("rate", "core_rate", "cpu_us"))]
                 for name, runs in found.items()]
        bench.add(found, "rate", f"connections, {lanes} at a time", "connections/s", HIGHER, bench.goals.get("connections"))
        bench.add(found, "core_rate", f"connections, {lanes} at a time by CPU", "connections/s", HIGHER)
    print(f"\n{bench.what}: connections, one byte there and back\n")
    print(table.text(["", "", "per second", "by CPU", "CPU us"], rows))


def benches(session):
    folder = building.ROOT / "build/bench/proxy"
    made = certificates.make(folder / "certificates")
    ours = session.ours.name
    programs, versions = [OurAnytls(ours, session.binaries, made)], {}
    if peer := session.built.get(SING_BOX):
        programs.append(TheirAnytls(peer, made))
        versions[SING_BOX] = peer.version.splitlines()[0]
    yield Bench(session, "anytls", programs, versions, {"bulk": 2.0, "connections": 2.0})
    world = ech_keys.make(folder / "ech", None)
    for mode, goals in (("yamux", {"bulk": 1.5, "connections": 1.5}), ("simple", {})):
        programs, versions = [Tunnel(tunnel_programs.OurTunnel(ours, session.binaries), mode, world)], {}
        if peer := session.built.get(GO):
            programs.append(Tunnel(tunnel_programs.GoTunnel(GO, peer.command), mode, world))
            versions[GO] = peer.version
        yield Bench(session, f"ECH tunnel, {mode}", programs, versions, goals)


def measure(session):
    for bench in benches(session):
        for name, version in bench.versions.items():
            building.say(f"{name}: {version}")
        try:
            bulk(bench)
            connections(bench)
        except StartFailed as why:
            if tunnel.NO_ECH not in str(why):
                raise
            building.say(f"{bench.what}: this build's OpenSSL has no Encrypted Client Hello")
    print(NOTE)
