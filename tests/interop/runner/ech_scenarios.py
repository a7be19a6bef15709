# SPDX-License-Identifier: Apache-2.0
"""What is tried between a client and a server of Encrypted Client Hello. A scenario is a function of an EchCell."""

import dataclasses
from collections.abc import Callable

TLS, QUIC = "tls", "quic"
ACCEPTED, REJECTED, GREASE, NOT_TRIED, FAILED = "accepted", "rejected", "GREASE", "not tried", "failed"


@dataclasses.dataclass(frozen=True)
class EchScenario:
    name: str
    what: str
    run: Callable
    protocol: str = TLS
    fast: bool = False
    limit: float = 40.0


def good(cell):
    cell.start_server(keys=[cell.world.current])
    cell.visit(offer=cell.world.current)
    cell.expect(ACCEPTED, connections=1, hidden=True)


def stale(cell):
    cell.client_tries_again()
    cell.start_server(keys=[cell.world.current])
    cell.visit(offer=cell.world.stale)
    cell.expect(ACCEPTED, connections=2, hidden=True, retried=True)


def old_key(cell):
    cell.start_server(keys=[cell.world.current, cell.world.old])
    cell.visit(offer=cell.world.old)
    cell.expect(ACCEPTED, connections=1, hidden=True)


def hello_retry(cell):
    cell.server_reads_second_hellos()
    cell.start_server("--groups", "P-384", keys=[cell.world.current])
    cell.visit(offer=cell.world.current)
    cell.expect(ACCEPTED, connections=1, hidden=True)


def grease(cell):
    cell.start_server(keys=[cell.world.current])
    cell.visit("--ech-grease")
    cell.expect(GREASE, connections=1, hidden=False)


def plain(cell):
    cell.start_server(keys=[cell.world.current])
    cell.visit()
    cell.expect(NOT_TRIED, connections=1, hidden=False)


def wrong_name(cell):
    cell.client_checks_public_name()
    cell.start_server(keys=[cell.world.current], certificate=cell.world.hidden_only)
    cell.visit(offer=cell.world.stale, well=False)
    cell.expect(FAILED, connections=1, hidden=True)


def unproven(cell):
    """Whoever has no keys, and no certificate of the public name, must not talk a client out of ECH."""
    cell.client_checks_public_name()
    cell.start_server(certificate=cell.world.hidden_only)
    cell.visit("--ech-secure-disable", offer=cell.world.current, well=False)
    cell.expect(FAILED, connections=1, hidden=True)


def old_version(cell):
    cell.client_is_strict()
    cell.start_server("--tls12")
    cell.visit("--ech-secure-disable", offer=cell.world.current, well=False)
    cell.expect(FAILED, connections=1, hidden=True)


def without(cell):
    cell.client_is_strict()
    cell.start_server()
    cell.visit(offer=cell.world.current, well=False)
    cell.expect(REJECTED, connections=1, hidden=True)


def secure_disable(cell):
    cell.client_tells_rejections()
    cell.client_tries_again()
    cell.start_server()
    cell.visit("--ech-secure-disable", offer=cell.world.current)
    cell.expect(REJECTED, connections=2, hidden=False)


OVER_BOTH = (
    ("good", "the key that DNS has", good),
    ("stale", "another key: one retry with what the server names", stale),
    ("old-key", "the older one of two that the server has", old_key),
    ("grease", "an imitation at a server with keys", grease),
    ("plain", "no ECH at a server with keys", plain),
    ("wrong-name", "a rejection by a certificate without the public name leads nowhere", wrong_name),
    ("unproven", "no keys and no proof leads nowhere, even with secure disable", unproven),
    ("without", "no keys, proven: strict clients give up", without),
    ("secure-disable", "no keys, proven: where it is allowed, in plain", secure_disable),
)
FAST = ("good", "stale", "wrong-name")
SCENARIOS = (
    *(EchScenario(name, what, run, fast=name in FAST) for name, what, run in OVER_BOTH),
    EchScenario("hello-retry", "the server asks for a second hello", hello_retry),
    EchScenario("tls-1.2", "a server of TLS 1.2 only leads nowhere", old_version),
    *(EchScenario(name, what, run, QUIC, fast=name in FAST) for name, what, run in OVER_BOTH),
)
