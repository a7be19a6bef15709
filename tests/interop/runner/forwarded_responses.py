# SPDX-License-Identifier: Apache-2.0
"""The responses of heads/cases.txt, given by an origin behind a proxy: what does the client get, and what the one that asks next?"""

import contextlib
import socket

from . import heads, http1
from .origin import CONTENT, Broken, Origin, Source, read_answers, read_request

FAMILIES = ("status line", "response fields", "response framing", "responses without a body", "responses that switch")
FAMILY = "answered: "
SECONDS = 10
UNREADABLE = ("rfield-99",)
"""With the Via of a proxy that is more fields than our parser takes, which reads what came."""
LAST = (200, CONTENT)


def read_cases():
    """Those to a GET; others switch or have no content, whatever they say."""
    return [heads.Case(FAMILY + case.family, case.name, case.kind, case.exchange, case.expected, case.octets)
            for case in heads.read_cases(http1.FOLDER / "cases.txt")
            if case.kind == "response" and case.exchange == "plain" and case.family in FAMILIES and case.name not in UNREADABLE]


class Answering(Origin):
    """Gives what the case has for the first request that it gets, and ends; others get its own answer."""

    def __init__(self):
        self.octets = b""
        super().__init__()

    def _serve(self, made, noted, seen):
        try:
            while True:
                request = read_request(Source(made, noted[0]))
                with self._lock:
                    seen.append(request)
                if request.path != "/last":
                    made.sendall(self.octets)
                    made.shutdown(socket.SHUT_WR)
                    while made.recv(4096):
                        pass
                    return
                made.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(CONTENT) + CONTENT)
        except (Broken, ValueError, OSError):
            pass  # the proxy ended it
        finally:
            with self._lock:
                self._open.discard(made)
            made.close()


def visit(address, origin, case):
    """The bytes that the client gets for two requests at once, the second for /last."""
    origin.clear()
    origin.octets = case.octets
    host = origin.authority
    asked = b"".join(b"GET http://%s%s HTTP/1.1\r\nHost: %s\r\n%s\r\n" % (host, path, host, more)
                     for path, more in ((b"/a", b""), (b"/last", b"Connection: close\r\n")))
    with socket.create_connection(address, SECONDS) as made:
        with contextlib.suppress(ConnectionError):
            made.sendall(asked)
        return read_answers(made)


def final(reading):
    """[(status, content)] of the responses that are whole, without interim ones."""
    found = []
    for message in reading["messages"]:
        if not message["complete"]:
            break
        if (status := int(message["start"][0])) >= 200:
            found.append((status, bytes.fromhex(message["content"])))
    return found


def readings(command, cases, came):
    """{case: what our parser makes of the bytes that came}"""
    told = [heads.Case("", case.name, "response", "plain", "", came[case.name]) for case in cases if came[case.name]]
    return {case.name: [] for case in cases} | {name: final(reading) for name, reading in http1.readings("ours", command, told).items()}


def given(answers):
    """What the client got for its first request; None when it was told that there is nothing good."""
    return None if not answers or answers[0][0] in (502, 504) else answers[0]


def wrong(case, meant, answers):
    """Why what came out of ours is not what it should be."""
    first = final(meant)[:1] if meant["end"] != "tunnel" else []
    if first and given(answers) != given(first):
        yield f"the client got {answers}, and {first} was meant"
    if not first and given(answers) is not None:
        yield f"the client got {answers} for a response that is none ({meant['why'] or meant['end']})"
    if any(each != LAST for each in answers[1:]):
        yield f"the next one got {answers[1:]}"


def difference(ours, theirs):
    mine, other = given(ours), given(theirs)
    if mine == other:
        return None
    if mine is None:
        return "stricter"
    return "lenient" if other is None else "otherwise"
