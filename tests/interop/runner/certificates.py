# SPDX-License-Identifier: Apache-2.0
"""Certificates for one run, made with the openssl program."""

import dataclasses
import pathlib
import subprocess

AUTHORITY = "server.test"
NAMES = f"DNS:{AUTHORITY},DNS:localhost,IP:127.0.0.1,IP:::1"
DAYS = "7"
# Makes a certificate of about 10 KB: far over what a server may send to an address that it has not validated (RFC 9000,
# section 8.1), and under the 16 KiB of CRYPTO data that some peers accept at most.
LONG_NAMES = 40


@dataclasses.dataclass(frozen=True)
class Certificates:
    authority: pathlib.Path
    stranger: pathlib.Path
    """Another authority, which signed nothing here."""
    chain: pathlib.Path
    key: pathlib.Path
    long_chain: pathlib.Path
    """Of the same key, with so many names that it does not fit three datagrams."""


def _openssl(*arguments):
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"openssl {arguments[0]} failed: {done.stderr.strip()}")


def _key(path):
    _openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", path)


def _authority(folder, name):
    key, certificate = folder / f"{name}.key", folder / f"{name}.pem"
    _key(key)
    _openssl("req", "-x509", "-new", "-key", key, "-days", DAYS, "-subj", f"/CN=interop {name}", "-out", certificate,
             "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    return key, certificate


def _leaf(folder, name, signer, names):
    signing_key, signing_certificate = signer
    request, extensions, certificate = (folder / f"{name}.{end}" for end in ("csr", "ext", "pem"))
    extensions.write_text(f"basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
                          f"extendedKeyUsage=serverAuth,clientAuth\nsubjectAltName={names}\n", encoding="ascii")
    _openssl("req", "-new", "-key", folder / "leaf.key", "-subj", f"/CN={AUTHORITY}", "-out", request)
    _openssl("x509", "-req", "-in", request, "-CA", signing_certificate, "-CAkey", signing_key, "-CAcreateserial",
             "-days", DAYS, "-extfile", extensions, "-out", certificate)
    return certificate


def make(folder):
    folder.mkdir(parents=True, exist_ok=True)
    signer = _authority(folder, "authority")
    _, stranger = _authority(folder, "stranger")
    _key(folder / "leaf.key")
    labels = ".".join(letter * 60 for letter in "abcd")
    long_names = "".join(f",DNS:n{number}.{labels}.test" for number in range(LONG_NAMES))
    return Certificates(
        authority=signer[1], stranger=stranger, chain=_leaf(folder, "leaf", signer, NAMES), key=folder / "leaf.key",
        long_chain=_leaf(folder, "long", signer, NAMES + long_names))
