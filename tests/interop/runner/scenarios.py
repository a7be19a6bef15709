# SPDX-License-Identifier: Apache-2.0
"""What is tried between a client and a server. A scenario is a function of a Cell; it returns or raises."""

import dataclasses
import signal
import socket
import time
from collections.abc import Callable

from . import Failed, NotApplicable, contents
from .cell import last_words
from .programs import H3, H3_NO_ERROR, HQ
from .relay import TO_SERVER, drop_some

CLOSE_CODE = 0x1234
KEY_UPDATE_BYTES = 100_000
GONE_SECONDS = 10


@dataclasses.dataclass(frozen=True)
class Scenario:
    name: str
    what: str
    run: Callable
    files: tuple = (contents.SMALL,)
    alpns: tuple = (H3, HQ)
    limit: float = 30.0
    fast: bool = False
    qlog: bool = True


def transfer(cell):
    server = cell.start_server()
    cell.run_client(server.address, cell.scenario.files)
    server.still_runs()


def handshake(cell):
    server = cell.start_server()
    with cell.relay(server) as relay:
        cell.run_client(relay.address, cell.scenario.files)
    census = relay.census
    if "retry" in census.kinds["to client"] or "version negotiation" in census.kinds["to client"]:
        raise Failed(f"the server did not accept the first packet: {sorted(census.kinds['to client'])}")
    if census.short_initials:
        raise Failed(f"{census.short_initials} datagrams of the client with Initial packets were under 1200 bytes")
    server.still_runs()


def retry(cell):
    server = cell.start_server(retry=True)
    with cell.relay(server) as relay:
        cell.run_client(relay.address, cell.scenario.files)
    if not relay.census.retry_tokens:
        raise Failed("the server sent no Retry packet")
    if not relay.census.token_returned:
        raise Failed("the client did not return the token of the Retry packet")


def chacha20(cell):
    limits = [each for each in (cell.server, cell.client) if each.can("ciphers")]
    if not limits:
        cell.client.demand("ciphers")
    server = cell.start_server(**({"ciphers": "chacha20"} if limits[0] is cell.server else {}))
    outcome = cell.run_client(server.address, cell.scenario.files, **({"ciphers": "chacha20"} if limits[0] is cell.client else {}))
    chosen = outcome.report.get("cipher")
    if chosen and "CHACHA20" not in chosen:
        raise Failed(f"the client says that {chosen} was chosen")


def ipv6(cell):
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError as why:
        raise NotApplicable(f"this machine has no ::1: {why}") from None
    server = cell.start_server(host="::1")
    cell.run_client(server.address, cell.scenario.files)


def key_update(cell):
    """That the transfer goes on says that the other side followed: nobody can read packets of keys that it has not derived."""
    by_client = cell.client.can("key update")
    if not by_client:
        cell.server.demand("key update")
    server = cell.start_server(**({} if by_client else {"key_update": KEY_UPDATE_BYTES}))
    options = {"key_update": KEY_UPDATE_BYTES} if by_client else {}
    outcome = cell.run_client(server.address, cell.scenario.files, **options)
    server.still_runs()
    told = outcome.report if by_client else closing_of(server)
    if not told.get("key_updates"):
        raise Failed("no key update took place")


def closing_of(server, wait_seconds=5.0):
    """How the server says that its connection ended; it may take the draining period to know."""
    until = time.monotonic() + wait_seconds
    while time.monotonic() < until:
        if closings := server.closings():
            return closings[-1]
        time.sleep(0.02)
    raise Failed("the server does not know that the connection ended")


def close(cell):
    tried = 0
    if cell.server.can("close code"):
        client_sees_code(cell)
        tried += 1
    if cell.server.can("closing report"):
        server_sees_no_error(cell)
        tried += 1
    if cell.client.can("linger"):
        client_sees_server_stop(cell)
        tried += 1
    if not tried:
        raise NotApplicable("neither side can be told to close or tells how it was closed")


def client_sees_code(cell):
    server = cell.start_server(close_code=CLOSE_CODE)
    outcome = cell.wait(cell.start_client(server.address, cell.scenario.files))
    if outcome.code == 0:
        raise Failed(f"the server closed with {CLOSE_CODE:#x} instead of an answer and the client ended with 0")
    if not cell.client.saw_close(outcome, CLOSE_CODE):
        raise Failed(f"the client does not tell that the server closed with {CLOSE_CODE:#x}: {last_words(outcome.stderr)}")


def server_sees_no_error(cell):
    server = cell.start_server()
    cell.run_client(server.address, cell.scenario.files)
    told = closing_of(server)
    if told["by"] != "peer" or told["space"] != "application" or (cell.alpn == H3 and told["code"] != H3_NO_ERROR):
        raise Failed(f"a client that is done should close with H3_NO_ERROR; the server saw {told}")


def client_sees_server_stop(cell):
    server = cell.start_server()
    client = cell.start_client(server.address, cell.scenario.files, linger=cell.limit)
    wait_for(lambda: (client.output / cell.scenario.files[0]).exists() or client.child.poll() is not None, cell.limit)
    server.stop()
    outcome = cell.wait(client)
    cell.compare(client.output, cell.scenario.files)
    seen = outcome.report
    left_by_itself = cell.alpn == H3 and seen.get("close_code") is None  # as GOAWAY asks
    right_code = seen.get("close_code") == H3_NO_ERROR or (cell.alpn == HQ and seen.get("close_code") is not None)
    if seen.get("close_space") != "application" or not (left_by_itself or right_code):
        raise Failed(f"a server that stops should close with H3_NO_ERROR; the client saw {seen}")


def peer_closed_with(server, code):
    """Whether our server's own trace says that the client closed with the code."""
    told = f'"initiator":"remote","application_error":"unknown","error_code":{code},'
    return any(told in trace.read_text(errors="replace") for trace in server.qlog.glob("*.sqlog"))


def wait_for(condition, seconds):
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise Failed(f"nothing happened within {seconds:.0f} s")
        time.sleep(0.005)


def certificate(cell):
    server = cell.start_server()
    client = cell.start_client(server.address, cell.scenario.files, authority_certificate=cell.world.certificates.stranger)
    outcome = cell.wait(client)
    right, wanted = cell.client.refused_certificate(outcome)
    if not right:
        raise Failed(f"nobody trusted signed the certificate; wanted {wanted}, got exit code {outcome.code}")
    if any(path.stat().st_size for path in client.output.iterdir()):
        raise Failed("the client wrote a file over a connection that it must not trust")
    server.still_runs()
    cell.run_client(server.address, cell.scenario.files)


def server_gone(cell):
    server = cell.start_server()
    name = cell.scenario.files[0]
    client = cell.start_client(server.address, [name], limit=GONE_SECONDS + 5.0, idle=GONE_SECONDS / 2)
    wait_for(lambda: any(path.stat().st_size for path in client.output.iterdir()) or client.child.poll() is not None, cell.limit)
    if client.child.poll() is not None:
        raise Failed(f"the client ended before the server did: {last_words(client.complained())}")
    server.signal(signal.SIGKILL)
    server.child.wait()
    outcome = cell.wait(client)
    if outcome.code == 0:
        raise Failed("the server was killed mid-transfer and the client ended with 0")
    left = client.output / name
    if left.exists() and left.stat().st_size >= cell.world.contents.size(name):
        raise Failed("the client left a file that looks complete")


def loss(cell):
    server = cell.start_server()
    with cell.relay(server, drop_some(0.03, cell.scenario.name)) as relay:
        cell.run_client(relay.address, cell.scenario.files)


def amplification(cell):
    """A certificate of 10 KB, and the client's next datagrams lost: the server has to wait with most of it."""
    server = cell.start_server(chain=cell.world.certificates.long_chain)
    with cell.relay(server, lambda way, number: way == TO_SERVER and 2 <= number <= 4) as relay:
        cell.run_client(relay.address, cell.scenario.files)
    if relay.census.worst_ratio > cell.server.amplification:
        raise Failed(f"the server sent {relay.census.worst_ratio:.2f} times what it had received from an address not validated")


SCENARIOS = (
    Scenario("handshake", "1 KiB; the first flight is accepted and padded", handshake, fast=True),
    Scenario("transfer-1m", "1 MB", transfer, (contents.MEGABYTE,), fast=True),
    Scenario("transfer-100m", "100 MB", transfer, (contents.LARGE,), limit=300, qlog=False),
    Scenario("files", "2,000 files of 32 B to 2 KiB over one connection", transfer, contents.MANY, limit=90, qlog=False),
    Scenario("retry", "the server asks for a token first", retry),
    Scenario("chacha20", "ChaCha20-Poly1305 is the only suite", chacha20, (contents.MEGABYTE,)),
    Scenario("ipv6", "over [::1]", ipv6, (contents.MEGABYTE,)),
    Scenario("key-update", "new keys in the middle of 1 MB", key_update, (contents.MEGABYTE,)),
    Scenario("loss", "1 MB while three datagrams of a hundred are lost each way", loss, (contents.MEGABYTE,), limit=60),
    Scenario("amplification", "10 KB of certificate; three times at most before the address is validated", amplification,
             alpns=(H3,)),
    Scenario("close", "each side sees the other's application code", close),
    Scenario("certificate", "signed by somebody else: refused", certificate, alpns=(H3,)),
    Scenario("server-gone", "killed mid-transfer: the client ends, in time, with an error", server_gone, (contents.ENDLESS,),
             qlog=False),
)
