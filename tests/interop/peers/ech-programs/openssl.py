# SPDX-License-Identifier: Apache-2.0
"""openssl.py PROGRAM MODE ...: ECH by OpenSSL's command line, s_server and s_client."""

import base64
import re
import shutil
import struct
import subprocess
import tempfile

import interface

STATUS = {"success": "accepted", "GREASE": "GREASE", "GREASE+retry-configs": "GREASE", "not tried": "not tried",
          "NOT CONFIGURED": "not tried", "failed+retry-configs": "rejected with retry"}


def version(chosen):
    return subprocess.run([chosen.program, "version"], capture_output=True, text=True, check=True).stdout.strip()


def server(chosen):
    command = [chosen.program, "s_server", "-accept", chosen.listen, "-www", "-cert", chosen.cert, "-key", chosen.key]
    if chosen.ech_key:
        folder = tempfile.mkdtemp(dir=chosen.ech_key[0].parent)
        for number, path in enumerate(chosen.ech_key):
            shutil.copy(path, f"{folder}/{number}.pem")
        command += ["-ech_dir", folder]
    if chosen.tls12:
        command += ["-tls1_2"]
    if chosen.groups:
        command += ["-groups", chosen.groups]
    return command, lambda line: (re.fullmatch(r"ACCEPT .*:(\d+)", line) or [None, None])[1]


def encoded(entry):
    """An ECHConfigList of what s_client prints: [version,id,name,[kem,kdf,aead],key,length,extensions]."""
    found = re.fullmatch(r"\[([0-9a-f]{4}),([0-9a-f]{2}),([^,]*),\[([0-9a-f,]*)\],([0-9a-f]+),([0-9a-f]{2}),([0-9a-f]*)\]", entry)
    kind, number, name, suite, key, length, extensions = found.groups()
    kem, *algorithms = [bytes.fromhex(part) for part in suite.split(",")]
    key, suites, name = bytes.fromhex(key), b"".join(algorithms), name.encode()
    extensions = b"" if extensions in ("00", "") else bytes.fromhex(extensions)
    content = bytes.fromhex(number) + kem + struct.pack(">H", len(key)) + key + struct.pack(">H", len(suites)) + suites
    content += bytes.fromhex(length) + bytes([len(name)]) + name + struct.pack(">H", len(extensions)) + extensions
    config = bytes.fromhex(kind) + struct.pack(">H", len(content)) + content
    return base64.b64encode(struct.pack(">H", len(config)) + config).decode()


def attempt(chosen, offered):
    command = [chosen.program, "s_client", "-connect", chosen.connect, "-servername", chosen.name, "-CAfile", chosen.cacert,
               "-verify_hostname", chosen.name, "-verify_return_error", "-ign_eof", "-prexit"]
    if chosen.groups:
        command += ["-groups", chosen.groups]
    if offered:
        command += ["-tls1_3", "-ech_config_list", offered]
    elif chosen.ech_grease:
        command += ["-ech_grease"]
    code, said = interface.call(command)
    told = re.findall(r"^ECH: ([A-Za-z +-]+): -?\d+$", said, re.M)
    status = STATUS.get(told[-1] if told else "", "failed")
    answered = code == 0 and re.search(r"^HTTP/1\.[01] 200", said, re.M) is not None
    named = ""
    if status == "rejected with retry":
        # It tells of the configurations whether or not it believed who sent them.
        believed = re.search(r"^Verify return code: 0 |^Verification: OK", said, re.M)
        entries = re.findall(r"^ECH: \t(\[.*\])$", said, re.M)
        status, named = ("rejected with retry", encoded(entries[0])) if believed and entries else ("failed", "")
    return status, named, answered


if __name__ == "__main__":
    interface.run(version, server, attempt)
