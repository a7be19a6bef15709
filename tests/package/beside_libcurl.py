# SPDX-License-Identifier: Apache-2.0
"""A program with ours and the system's libcurl, which brings the system's OpenSSL: two in one process that must not meet."""

import glob
import os
import re
import ssl
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import consumers
from workshop import Failure

BINDING = re.compile(r"binding file (\S+) \[\d+\] to (\S+) \[\d+\]: normal symbol `([^']+)'")
OPENSSL_NAME = re.compile(r"(SSL|EVP|X509|CRYPTO|OPENSSL|BIO|ERR|OSSL|PEM|ASN1|BN|RAND)_")


class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"from the system's OpenSSL")

    def log_message(self, format, *args):  # pylint: disable=redefined-builtin
        pass


def https_server(shop):
    key, certificate = shop.path("key.pem"), shop.path("certificate.pem")
    shop.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
             "-out", certificate, "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
    server = HTTPServer(("127.0.0.1", 0), Answer)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"https://127.0.0.1:{server.server_port}/", certificate


def beside_libcurl(shop, kind):
    if shop.attempt("pkg-config", "--exists", "libcurl")[0] != 0:
        raise Failure("the system's libcurl is not installed for building: run ./dev deps --packages")
    url, certificate = https_server(shop)
    project = os.path.join(shop.here, "beside_libcurl")
    shop.run(*shop.configure(project, CMAKE_PREFIX_PATH=shop.prefix_path(shop.installed(kind)), OPENSSL_ROOT_DIR=shop.openssl(kind)))
    shop.build(shop.path("build"))
    check(shop, kind, shop.path("build", "beside_libcurl"), (url, certificate))

    cflags, libs = consumers.pkg_config_flags(shop, kind, "strata-h3")
    more = consumers.pkg_config_path(shop, "", shop.openssl(kind))
    for module in ("libcrypto", "libcurl"):  # in one call pkg-config would take libcurl's static dependencies
        cflags += shop.run("pkg-config", "--cflags", module, env=more).split()
        libs += shop.run("pkg-config", "--libs", module, env=more).split()
    consumers.compile_with(shop, "gcc", os.path.join(project, "main.cpp"), "by-pkg-config", (cflags, libs))
    check(shop, kind, shop.path("by-pkg-config"), (url, certificate))


def check(shop, kind, program, arguments):
    log = program + ".bindings"
    folders = consumers.library_folder(shop.installed(kind)) + (":" + shop.openssl(kind) + "/lib" if shop.openssl(kind) else "")
    output = shop.run(program, *arguments, env={"LD_LIBRARY_PATH": folders, "LD_BIND_NOW": "1", "LD_DEBUG": "bindings",
                                                "LD_DEBUG_OUTPUT": log}, seconds=60)
    shop.expect(f"strata's OpenSSL: OpenSSL {shop['openssl_version']} ", output)
    shop.expect("libcurl's OpenSSL: OpenSSL/", output)
    shop.expect("HTTP/3 before: 200, HTTPS: 200, HTTP/3 after: 200", output)
    if shop["openssl"]:
        meetings = set()
        for path in glob.glob(log + ".*"):
            with open(path, encoding="utf-8", errors="replace") as file:
                meetings |= {tuple(match) for match in BINDING.findall(file.read()) if OPENSSL_NAME.match(match[2])}
        check_bindings(shop, kind, program, meetings)


def check_bindings(shop, kind, program, meetings):
    """Ours bind to our OpenSSL, all others to the system's."""
    ours = os.path.realpath(shop.openssl(kind)) + "/"
    wrong, counts = [], {"ours": 0, "system": 0}
    for user, provider, symbol in meetings:
        user_is_ours = user == program or "libstrata-" in user or os.path.realpath(user).startswith(ours)
        provider_is_ours = provider == program or os.path.realpath(provider).startswith(ours)
        counts["ours" if provider_is_ours else "system"] += 1
        if user_is_ours != provider_is_ours:
            wrong.append(f"{user} uses {symbol} of {provider}")
    if wrong:
        raise Failure(f"{len(wrong)} symbols bind across the two OpenSSLs, for example: " + "; ".join(sorted(wrong)[:5]))
    if not counts["system"] or (kind == "shared" and not counts["ours"]):
        raise Failure(f"the loader named too few bindings to judge: {counts}")
    print(f"    bindings to OpenSSL: {counts}")
