# SPDX-License-Identifier: Apache-2.0
"""chromium.py FOLDER MODE ...: Chromium as a client. It has ECH from DNS alone, so a resolver for it (RFC 8484) runs here."""

import base64
import http.server
import json
import os
import pathlib
import shutil
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import urllib.parse

import interface

A, HTTPS = 1, 65
ALPN, ECH = 1, 5
RESPONSE, ANSWER_SECONDS = 0x8180, 60
SECONDS = 30
# How long to wait for a record of type HTTPS when the address is known: by default so short that a busy machine goes without.
PATIENCE = "UseDnsHttpsSvcb:UseDnsHttpsSvcbSecureExtraTimeMin/10s/UseDnsHttpsSvcbSecureExtraTimeMax/10s"


def name_end(message, place):
    while message[place]:
        place += 1 + message[place]
    return place + 1


def answer_to(query, config_list, alpn):
    """RFC 1035 and RFC 9460: every name is this machine, and has this list."""
    end = name_end(query, 12)
    (kind,) = struct.unpack_from(">H", query, end)
    content = {A: bytes([127, 0, 0, 1])}.get(kind)
    if kind == HTTPS and config_list:
        parameters = struct.pack(">HHB", ALPN, 1 + len(alpn), len(alpn)) + alpn
        parameters += struct.pack(">HH", ECH, len(config_list)) + config_list
        # Of priority 1, and of the name itself: it is what follows a name of another port.
        content = struct.pack(">H", 1) + service_of(query[12:end]) + parameters
    record = b"" if content is None else struct.pack(">HHHIH", 0xC00C, kind, 1, ANSWER_SECONDS, len(content)) + content
    return query[:2] + struct.pack(">HHHHH", RESPONSE, 1, 1 if record else 0, 0, 0) + query[12:end + 4] + record


def service_of(name):
    """The host of _PORT._https.HOST."""
    while name[1:2] == b"_":
        name = name[1 + name[0]:]
    return name


class Resolver:
    def __init__(self, folder, config_list, alpn):
        self.certificate = folder / "resolver.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "7",
                        "-subj", "/CN=resolver", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", folder / "resolver.key",
                        "-out", self.certificate], check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, folder / "resolver.key")
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler(config_list, alpn))
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"https://127.0.0.1:{self.server.server_port}/dns-query"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @staticmethod
    def _handler(config_list, alpn):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def respond(self, query):
                body = answer_to(query, config_list, alpn)
                self.send_response(200)
                self.send_header("Content-Type", "application/dns-message")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self):
                self.respond(self.rfile.read(int(self.headers["Content-Length"])))

            def do_GET(self):
                text = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)["dns"][0]
                self.respond(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))

            def log_message(self, *_):
                pass

        return Handler


def environment(chosen, home):
    tree = pathlib.Path(chosen.program).resolve()
    libraries = [str(path) for base in ("usr/lib", "lib") for path in sorted(tree.glob(f"{base}/*-linux-gnu*"))]
    libraries += [f"{each}/{part}" for each in libraries for part in ("nss", "pulseaudio")]
    return os.environ | {"LD_LIBRARY_PATH": ":".join(libraries), "HOME": str(home)}


def version(chosen):
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run([f"{chosen.program}/usr/lib/chromium/chromium", "--version"], env=environment(chosen, home),
                              capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise interface.Unsupported((done.stderr.strip().splitlines() or ["it does not start"])[-1])
    return done.stdout.strip()


def server(_):
    raise interface.Unsupported("Chromium is no server")


def attempt(chosen, offered):
    if not offered and not chosen.ech_grease:
        raise interface.Unsupported("it always imitates ECH where there is none")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="chromium-", dir=chosen.cacert.parent))
    try:
        return browse(chosen, folder, base64.b64decode(offered))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def browse(chosen, folder, config_list):
    resolver = Resolver(folder, config_list, b"h3" if chosen.quic else b"http/1.1")
    surroundings = environment(chosen, folder)
    store = folder / ".pki/nssdb"
    store.mkdir(parents=True)
    tool = f"{chosen.program}/usr/bin/certutil"
    subprocess.run([tool, "-N", "-d", f"sql:{store}", "--empty-password"], env=surroundings, check=True)
    for name, path in (("authority", chosen.cacert), ("resolver", resolver.certificate)):
        subprocess.run([tool, "-A", "-d", f"sql:{store}", "-n", name, "-t", "C,,", "-i", path], env=surroundings, check=True)
    profile = folder / "profile"
    profile.mkdir()
    state = {"dns_over_https": {"mode": "secure", "templates": resolver.url}}
    (profile / "Local State").write_text(json.dumps(state), encoding="ascii")
    port = chosen.connect.rsplit(":", 1)[1]
    log = folder / "net.json"
    command = [f"{chosen.program}/usr/lib/chromium/chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
               "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
               f"--enable-features={PATIENCE}",
               f"--origin-to-force-quic-on={chosen.name}:{port}" if chosen.quic else "--disable-quic",
               f"--user-data-dir={profile}", f"--log-net-log={log}", "--dump-dom", f"https://{chosen.name}:{port}/"]
    try:
        done = subprocess.run(command, env=surroundings, capture_output=True, timeout=SECONDS, check=False)
        page, complaints = done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
    except subprocess.TimeoutExpired as late:
        page, complaints = (late.stdout or b"").decode("utf-8", "replace"), "it did not end"
    print(page[:2000], complaints[-2000:], sep="\n", file=sys.stderr)
    return judged(page, log.read_text(encoding="utf-8", errors="replace") if log.exists() else "", chosen, bool(config_list))


def judged(page, log, chosen, offered):
    if f"hello {chosen.name}" not in page:
        return "failed", "", False
    if not offered:
        return "GREASE", "", True
    # Without ECH it goes on only after a server that has proven to have none, and over QUIC not even then.
    return ("accepted" if chosen.quic or '"encrypted_client_hello":true' in log else "rejected"), "", True


if __name__ == "__main__":
    interface.run(version, server, attempt)
