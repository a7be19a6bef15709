# SPDX-License-Identifier: Apache-2.0
"""What servers of Encrypted Client Hello need: keys with their configurations, and certificates of both names."""

import base64
import dataclasses
import functools
import pathlib
import re
import struct
import subprocess

from . import Failed, certificates

PUBLIC, HIDDEN, RESOLVER = "public.test", "hidden.test", "dns.test"
VERSION, X25519, HKDF_SHA256, AES_128_GCM = 0xFE0D, 0x20, 1, 1
KEY_SIZE = 32


@dataclasses.dataclass(frozen=True)
class Key:
    path: pathlib.Path
    """PEM as RFC 9934 has it."""
    record: str
    """As DNS has it."""


@dataclasses.dataclass(frozen=True)
class World:
    authority: pathlib.Path
    key: pathlib.Path
    both: pathlib.Path
    hidden_only: pathlib.Path
    resolver: pathlib.Path
    current: Key
    old: Key
    stale: Key
    """Of which no server knows anything."""


def _made_here(path, number):
    """By hand, with the openssl program for the numbers."""
    private = path.with_suffix(".private")
    certificates._openssl("genpkey", "-algorithm", "X25519", "-out", private)
    done = subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-outform", "DER"], capture_output=True, check=True)
    content = struct.pack(">BHH", number, X25519, KEY_SIZE) + done.stdout[-KEY_SIZE:]
    content += struct.pack(">HHHBB", 4, HKDF_SHA256, AES_128_GCM, 0, len(PUBLIC)) + PUBLIC.encode() + struct.pack(">H", 0)
    config = struct.pack(">HH", VERSION, len(content)) + content
    record = base64.b64encode(struct.pack(">H", len(config)) + config).decode()
    path.write_text(f"{private.read_text()}-----BEGIN ECHCONFIG-----\n{record}\n-----END ECHCONFIG-----\n", encoding="ascii")
    return Key(path, record)


def _made_by(program, path):
    done = subprocess.run([program, PUBLIC, "--out", path], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failed(f"ech-keygen: {done.stderr.strip()}")
    return Key(path, re.search('ech="([^"]+)"', done.stdout)[1])


@functools.cache
def make(folder, keygen):
    """The first key by our program, where there is one, the others by hand."""
    folder.mkdir(parents=True, exist_ok=True)
    for each in folder.glob("*.pem"):
        each.unlink()
    signer = certificates._authority(folder, "authority")
    certificates._key(folder / "leaf.key")
    current = _made_by(keygen, folder / "current.pem") if keygen else _made_here(folder / "current.pem", 1)
    taken = base64.b64decode(current.record)[6]
    old, stale = (_made_here(folder / f"{name}.pem", (taken + step) % 256) for step, name in ((1, "old"), (2, "stale")))
    return World(authority=signer[1], key=folder / "leaf.key", current=current, old=old, stale=stale,
                 both=certificates._leaf(folder, "both", signer, f"DNS:{PUBLIC},DNS:{HIDDEN}"),
                 hidden_only=certificates._leaf(folder, "hidden", signer, f"DNS:{HIDDEN}"),
                 resolver=certificates._leaf(folder, "resolver", signer, f"DNS:{RESOLVER}"))
