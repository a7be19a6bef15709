# SPDX-License-Identifier: Apache-2.0
"""nss.py FOLDER MODE ...: ECH by NSS's selfserv and tstclnt, out of Debian's libnss3-tools unpacked in FOLDER."""

import base64
import os
import pathlib
import re
import socket
import struct
import subprocess
import tempfile

import interface

GROUPS = {"X25519": "x25519", "P-256": "P256", "P-384": "P384"}
GREASE_PADDING = "100"
STATUS = {"SSL_ERROR_ECH_RETRY_WITH_ECH": "rejected with retry", "SSL_ERROR_ECH_RETRY_WITHOUT_ECH": "rejected",
          "SSL_ERROR_ECH_FAILED": "failed"}
# Elliptic curve keys in PKCS#8 as NSS wants them: id-ecPublicKey, and the curve by an identifier of GNU's.
EC_PUBLIC_KEY = bytes.fromhex("06072a8648ce3d0201")
CURVE_25519 = bytes.fromhex("06092b06010401da470f01")
KEY_SIZE = 32


def environment(chosen):
    found = sorted(pathlib.Path(chosen.program).glob("usr/lib/*"))
    libraries = [str(path) for folder in found for path in (folder, folder / "nss")]
    return os.environ | {"LD_LIBRARY_PATH": ":".join(libraries)}


def tool(chosen, name, *words, **options):
    command = [f"{chosen.program}/usr/bin/{name}", *map(str, words)]
    done = subprocess.run(command, env=environment(chosen), capture_output=True, text=True, check=False, **options)
    if done.returncode != 0:
        raise SystemExit(f"{name}: {done.stderr.strip()}")
    return done.stdout


def store(chosen):
    """A new store of certificates, which goes with the folder of the run."""
    folder = tempfile.mkdtemp(prefix="nss-", dir=(chosen.cacert if chosen.mode == "client" else chosen.cert).parent)
    tool(chosen, "certutil", "-N", "-d", f"sql:{folder}", "--empty-password")
    return folder


def version(chosen):
    return "NSS " + pathlib.Path(chosen.program, "version").read_text(encoding="ascii").strip()


def der(tag, content):
    size = bytes([len(content)]) if len(content) < 128 else bytes([0x81, len(content)])
    return bytes([tag]) + size + content


def key_of_nss(path):
    """What selfserv takes: a private key with its public one, and the configurations."""
    parts = interface.pem_parts(path)
    private, configs = parts["PRIVATE KEY"][-KEY_SIZE:], parts["ECHCONFIG"]
    # Length of the list, version, length, id, KEM and length of the key come before it.
    public = configs[2 + 4 + 1 + 2 + 2:][:KEY_SIZE]
    ec_key = der(0x30, der(0x02, b"\1") + der(0x04, private) + der(0xA1, der(0x03, b"\0" + public)))
    pkcs8 = der(0x30, der(0x02, b"\0") + der(0x30, EC_PUBLIC_KEY + CURVE_25519) + der(0x04, ec_key))
    return base64.b64encode(struct.pack(">H", len(pkcs8)) + pkcs8 + configs).decode()


def free_port():
    """selfserv cannot choose one itself."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def server(chosen):
    if len(chosen.ech_key) > 1:
        raise interface.Unsupported("selfserv takes one ECH key")
    folder = store(chosen)
    bundle = f"{folder}/server.p12"
    subprocess.run(["openssl", "pkcs12", "-export", "-in", chosen.cert, "-inkey", chosen.key, "-name", "server", "-out", bundle,
                    "-passout", "pass:"], check=True)
    tool(chosen, "pk12util", "-i", bundle, "-d", f"sql:{folder}", "-W", "")
    port = free_port()
    versions = "tls1.2:tls1.2" if chosen.tls12 else "tls1.3:tls1.3"
    command = [f"{chosen.program}/usr/bin/selfserv", "-d", f"sql:{folder}", "-n", "server", "-p", port, "-V", versions, "-v"]
    if chosen.ech_key:
        command += ["-X", key_of_nss(chosen.ech_key[0])]
    if chosen.groups:
        command += ["-I", groups(chosen)]
    return command, lambda line: port if "About to call accept" in line else None, environment(chosen)


def groups(chosen):
    return ",".join(GROUPS[name] for name in chosen.groups.split(":"))


def attempt(chosen, offered):
    folder = store(chosen)
    tool(chosen, "certutil", "-A", "-d", f"sql:{folder}", "-n", "authority", "-t", "C,,", "-i", chosen.cacert)
    host, port = chosen.connect.rsplit(":", 1)
    # It would turn round and round over an input that has ended.
    question = pathlib.Path(folder, "question")
    question.write_bytes(interface.QUESTION)
    command = [f"{chosen.program}/usr/bin/tstclnt", "-4", "-h", host, "-p", port, "-a", chosen.name, "-d", f"sql:{folder}",
               "-V", "tls1.3:tls1.3" if offered else "tls1.2:tls1.3", "-A", question]
    if offered:
        command += ["-N", offered]
    elif chosen.ech_grease:
        command += ["-i", GREASE_PADDING]
    if chosen.groups:
        command += ["-I", groups(chosen)]
    code, said = interface.call(command, question=b"", environment=environment(chosen))
    answered = code == 0 and " 200 " in said
    if answered:
        return "accepted" if offered else "GREASE" if chosen.ech_grease else "not tried", "", True
    status = next((status for name, status in STATUS.items() if name in said), "failed" if offered else "not tried")
    named = re.search(r"retry_configs:?\s*\n?\s*([A-Za-z0-9+/=]{40,})", said, re.I)
    return status, named[1] if named else "", False


if __name__ == "__main__":
    interface.run(version, server, attempt)
