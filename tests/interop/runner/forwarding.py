# SPDX-License-Identifier: Apache-2.0
"""./dev interop forwarding: the same requests through strata-proxy and through proxies of others, to an origin that notes what it got."""

import collections
import concurrent.futures
import dataclasses
import os
import pathlib
import re
import signal
import subprocess
import sys

from . import Failed, NotApplicable, building, forwarded_responses, heads, http1
from .building import say
from .cell import Server
from .origin import Origin, Visit, path_of, visit
from .proxy_programs import FixedPort, free_port

ROOT = pathlib.Path(__file__).resolve().parents[3]
FOLDER = pathlib.Path(__file__).resolve().parent.parent / "forwarding"
PROXY = "strata-proxy"
LANES = 32
SHOWN = 40
AUTHORITY = b"127.0.0.1:65500"
"""What stands for the origin in the cases; every port that it can get has five digits, too."""
LAST = b"GET http://" + AUTHORITY + b"/last HTTP/1.1\r\nHost: " + AUTHORITY + b"\r\nConnection: close\r\n\r\n"
"""Behind every case: what swallows it, or takes it for more than one, is seen so."""
OWN = "forwarded "
FAMILIES = ("methods", "field names", "field values", "content-length", "transfer-encoding", "two framings", "chunks", "trailers",
            "connection and version", "one after another")
OF_THIS_HOP = re.compile(r"x-hop.*|te|keep-alive|proxy-.*|upgrade|http2-settings|trailer")
"""Fields that must not come to the origin."""
OF_BOTH_ENDS = "x-end"
"""How the names of those begin that must."""
KNOWN_METHODS = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"}
"""llhttp has a list of methods, and reads others not at all."""


def absolute(line):
    """A line of heads/cases.txt, of a request as a client of a proxy sends it."""
    return re.sub(r" /(\w*) HTTP/(1\.[01])\\r\\nHost: a(?=\\r)", r" http://\\(origin)/\1 HTTP/\2\\r\\nHost: \\(origin)", line)


def read_cases():
    """Ours, and those for a parser that begin as HTTP does for a port that takes SOCKS as well: with a letter."""
    words = {"origin": AUTHORITY}
    cases = [case for case in heads.read_cases(http1.FOLDER / "cases.txt", absolute, words)
             if case.kind == "request" and case.exchange == "plain" and case.family in FAMILIES and AUTHORITY in case.octets
             and case.octets[:1].isalpha() and not case.octets.startswith(b"CONNECT")]
    return [*(dataclasses.replace(case, family=OWN + case.family) for case in heads.read_cases(FOLDER / "cases.txt", words=words)), *cases,
            *forwarded_responses.read_cases()]


def is_own(case):
    """Of which cases.txt says what comes of it through a proxy; of others it is told by our parser."""
    return case.family.startswith(OWN)


class Run:
    """How the cases of requests are tried in a lane of a proxy."""

    ORIGIN = Origin

    @staticmethod
    def one(case, address, origin):
        octets = (case.octets + LAST).replace(AUTHORITY, origin.authority)
        return renamed(visit(address, origin, octets), origin.authority)


class Answers:
    """How those of responses are."""

    ORIGIN = forwarded_responses.Answering

    @staticmethod
    def one(case, address, origin):
        return forwarded_responses.visit(address, origin, case)


def renamed(found: Visit, authority):
    """The same visit, of whatever lane."""
    def rename(request):
        return dataclasses.replace(request, content=request.content.replace(authority, AUTHORITY))
    return Visit(found.statuses, [rename(each) for each in found.seen],
                 [(octets.replace(authority, AUTHORITY), [rename(each) for each in requests]) for octets, requests in found.carriers])


class Proxy:
    """One that runs: where the lane of a number is, and to which origin it leads."""

    def __init__(self, name, addresses, origins, children):
        self.name = name
        self.addresses, self.origins, self.children = addresses, origins, children

    def end(self):
        for each in self.children:
            each.end()
        for each in self.origins:
            each.close()

    def run(self, cases, how):
        """{name of a case: what came of it}"""
        free = list(range(len(self.origins)))

        def one(case):
            lane = free.pop()
            try:
                return case.name, how.one(case, self.addresses[lane], self.origins[lane])
            finally:
                free.append(lane)

        with concurrent.futures.ThreadPoolExecutor(len(free)) as lanes:
            visits = dict(lanes.map(one, cases))
        for each in self.children:
            each.still_runs()
        return visits


def our_folder():
    named = os.environ.get("STRATA_BIN")
    for folder in [pathlib.Path(named)] if named else [ROOT / each for each in http1.BINARIES]:
        if all(os.access(folder / each, os.X_OK) for each in (PROXY, http1.PROGRAM)):
            return folder.resolve()
    if named:
        raise NotApplicable(f"$STRATA_BIN lacks one of {PROXY} and {http1.PROGRAM}")
    if subprocess.run([ROOT / "dev", "build", "release", PROXY, http1.PROGRAM], check=False).returncode != 0:
        raise Failed("our programs do not build")
    return ROOT / http1.BINARIES[0]


def start_ours(folder, work, how):
    origins = [how.ORIGIN() for _ in range(LANES)]
    command = [folder / PROXY, "--listen", "127.0.0.1:0", "--allow", "127.0.0.0/8"]
    made = Server(command, work, PROXY)
    return Proxy(PROXY, [made.address] * LANES, origins, [made])


def start_haproxy(command, work, how):
    origins, ports = [how.ORIGIN() for _ in range(LANES)], [free_port() for _ in range(LANES)]
    lines = ["global", "  maxconn 1000", "  hard-stop-after 1s", "defaults", "  mode http", "  timeout connect 9s", "  timeout client 9s",
             "  timeout server 9s", "  timeout http-request 9s", "  http-reuse never"]
    for port, origin in zip(ports, origins):
        lines += [f"frontend in{port}", f"  bind 127.0.0.1:{port}", f"  default_backend to{port}",
                  f"backend to{port}", f"  server origin 127.0.0.1:{origin.port}"]
    path = work / "haproxy.cfg"
    path.write_text("\n".join(lines) + "\n", encoding="ascii")
    made = FixedPort([*command, "-db", "-f", str(path)], work, "haproxy", ports[-1])
    return Proxy("haproxy", [("127.0.0.1", port) for port in ports], origins, [made])


def start_nginx(command, work, how):
    origins, ports = [how.ORIGIN() for _ in range(LANES)], [free_port() for _ in range(LANES)]
    folders = "".join(f"  {name}_temp_path {work}/nginx-{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    servers = "".join(f"  server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://127.0.0.1:{origin.port}; "
                      "proxy_http_version 1.1; proxy_set_header Connection ''; } }\n" for port, origin in zip(ports, origins))
    path = work / "nginx.conf"
    path.write_text(f"daemon off;\nmaster_process off;\npid {work}/nginx.pid;\nerror_log {work}/nginx.errors;\n"
                    f"events {{ worker_connections 1000; }}\nhttp {{\n  access_log off;\n{folders}{servers}}}\n", encoding="ascii")
    made = FixedPort([*command, "-e", f"{work}/nginx.errors", "-p", str(work), "-c", str(path)], work, "nginx", ports[-1])
    return Proxy("nginx", [("127.0.0.1", port) for port in ports], origins, [made])


STARTS = {"haproxy": start_haproxy, "nginx": start_nginx}


def meant(reading):
    """The requests that a client meant, of whom our parser read what it sent."""
    requests = []
    for message in reading["messages"]:
        method, target = (bytes.fromhex(part).decode("latin-1") for part in message["start"][:2])
        if not message["complete"] or method == "CONNECT" or not target.lower().startswith("http://"):
            break
        requests.append((method, path_of(target), bytes.fromhex(message["content"])))
    return requests


def status_of(reading):
    """Of a body that is none it is not told what is wrong with it."""
    return reading["status"] if all(message["complete"] for message in reading["messages"]) else 400


def plain(requests):
    return [(each.method, each.path, each.content) for each in requests]


def said(found):
    if not isinstance(found, Visit):
        return str(found)
    return f"{','.join(map(str, found.statuses))}:{','.join(map(str, found.seen)) or '-'}"


def difference(ours, theirs):
    """What the origin saw through the other proxy that it did not see through ours, or the other way round."""
    if not isinstance(ours, Visit):
        return forwarded_responses.difference(ours, theirs)
    mine, other = plain(ours.seen), plain(theirs.seen)
    if mine == other:
        return None
    if mine == other[:len(mine)]:
        return "stricter"
    return "lenient" if other == mine[:len(other)] else "otherwise"


class Comparison(http1.Comparison):
    """Ours against what stands beside the cases and what was meant, then the others against ours."""

    def add_ours(self, mine, readings):
        for case in self.cases:
            found, reading = mine[case.name], readings[case.name]
            if case.kind == "response":
                self.ours[case.family]["accepted" if forwarded_responses.given(found) else "refused"] += 1
                self.problems += [f"{case.name}: {why}" for why in forwarded_responses.wrong(case, reading, found)]
                continue
            self.ours[case.family]["refused" if found.statuses[-1:] != [200] else "accepted"] += 1
            self.problems += [f"{case.name}: {why}" for why in self._wrong(case, found, reading)]

    @staticmethod
    def _wrong(case, found, reading):
        if is_own(case):
            if said(found) != case.expected:
                yield f"{case.expected} is expected, not {said(found)}"
        else:
            if plain(found.seen) != meant(reading):
                yield f"the origin saw {said(found)} and not what was meant: {meant(reading)}"
            if reading["end"] == "refused" and found.statuses[-1:] != [status_of(reading)]:
                yield f"the last of {found.statuses} is not {status_of(reading)}: {reading['why']}"
        for request in found.seen:
            if wrong := [name for name, _ in request.fields if OF_THIS_HOP.fullmatch(name)]:
                yield f"{wrong[0]} came to the origin"
            if request.path != "/last" and b"X-End" in case.octets and not any(name.startswith(OF_BOTH_ENDS) for name, _ in request.fields):
                yield f"{OF_BOTH_ENDS} did not come to the origin"

    def add_readers(self, mine, readers):
        """What the origin got from ours, other readers have to take for the same requests."""
        cases = [case for case in self.cases if case.kind == "request"]
        sent = {f"{case.name}#{number}": carrier for case in cases for number, carrier in enumerate(mine[case.name].carriers) if carrier[0]}
        streams = [heads.Case("", name, "request", "plain", "", octets) for name, (octets, _) in sent.items()]
        for reader, command in readers.items():
            for name, reading in http1.readings(reader, command, streams).items():
                requests = sent[name][1]
                if reader == "llhttp" and not {each.method for each in requests} <= KNOWN_METHODS:
                    continue
                if meant_at_origin(reading) != plain(requests):
                    self.problems.append(f"{name}: {reader} reads {meant_at_origin(reading)} ({reading['end']} {reading['why']}), "
                                         f"the origin {plain(requests)}")

    def add(self, peer, mine, theirs):
        counts = self.others[peer] = collections.defaultdict(collections.Counter)
        for case in self.cases:
            found = difference(mine[case.name], theirs[case.name])
            listed = self.listed.get((case.name, peer))
            if (found if found != "stricter" else None) != (listed.what if listed else None):
                self.problems.append(f"{case.name}, {peer}: {found or 'no difference'}, where {listed.what if listed else 'nothing'} is listed: "
                                     f"{said(mine[case.name])} by ours, {said(theirs[case.name])}")
                counts[case.family]["FAIL"] += 1
            else:
                counts[case.family]["listed" if listed else "ours stricter" if found else "alike"] += 1


def meant_at_origin(reading):
    return [tuple(bytes.fromhex(part).decode("latin-1") for part in message["start"][:2]) + (bytes.fromhex(message["content"]),)
            for message in reading["messages"] if message["complete"]]


def built(recipes, options, problems, absent):
    """{name: command}; why others are not there is noted."""
    found = {}
    for name in recipes:
        try:
            made = building.Build(name, options.work, recipes).get()
            say(f"{name}: {made.version}")
            found[name] = [str(part) for part in made.command]
        except (Failed, NotApplicable) as why:
            say(f"{name}: {why}")
            if options.require_peers or isinstance(why, Failed):
                problems.append(str(why))
            else:
                absent[name] = why
    return found


def through(proxy, cases, how):
    try:
        return proxy.run(cases, how)
    finally:
        proxy.end()


def compare(options, cases):
    listed, reasons = heads.read_differences(FOLDER / "differences.txt")
    unknown = {name for name, _ in listed} - {case.name for case in cases}
    cases = http1.chosen_cases(options, cases)
    if options.fast:
        cases = [case for case in cases if is_own(case)]
    comparison = Comparison(cases, listed)
    comparison.problems += [f"differences.txt names {name}, which is no case" for name in sorted(unknown)]
    folder, absent = our_folder(), {}
    requests, responses = ([case for case in cases if case.kind == kind] for kind in ("request", "response"))
    read = [str(folder / http1.PROGRAM)]

    def came_of(start):
        """{case: what came of it} through the proxy that this starts."""
        told = through(start(Run), requests, Run) if requests else {}
        answered = through(start(Answers), responses, Answers) if responses else {}
        return told | forwarded_responses.readings(read, responses, answered)

    told = {PROXY: came_of(lambda how: start_ours(folder, options.work, how))}
    whole = [dataclasses.replace(case, octets=case.octets + LAST) if case.kind == "request" else case for case in cases]
    comparison.add_ours(told[PROXY], http1.readings("ours", read, whole))
    comparison.add_readers(told[PROXY], built({} if options.fast else building.HTTP1_RECIPES, options, comparison.problems, absent))
    for name, command in built({} if options.fast else building.FORWARDING_RECIPES, options, comparison.problems, absent).items():
        told[name] = came_of(lambda how: STARTS[name](command, options.work, how))
        comparison.add(name, told[PROXY], told[name])
    if options.show:
        for case in cases[:SHOWN]:
            print(f"{case.name}: {case.octets[:200]!r}")
            for name, visits in told.items():
                print(f"  {name}: {said(visits[case.name])}")
    http1.report(comparison, listed, reasons, absent)
    return 1 if comparison.problems else 0


def main(arguments):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that children end, too
    try:
        cases = read_cases()
        options = http1.options_of(arguments, dict.fromkeys(case.family for case in cases), "forwarding",
                                   "Sends the same requests through strata-proxy, haproxy and nginx, and compares what the origin sees.",
                                   fast="only the cases of this comparison, without the proxies of others")
        if options.list:
            return 0
        options.work.mkdir(parents=True, exist_ok=True)
        return compare(options, cases)
    except NotApplicable as why:
        say(str(why))
        return http1.SKIPPED
    except (Failed, heads.Malformed) as why:
        say(str(why))
        return 1
