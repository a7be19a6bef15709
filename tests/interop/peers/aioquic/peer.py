#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An interop peer over aioquic. What every peer takes and prints stands in tests/interop/README.md."""

import argparse
import asyncio
import importlib.metadata
import ssl
import sys

from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.logger import QuicFileLogger
from aioquic.tls import CipherSuite

import client
import server

WINDOW = 16 * 1024 * 1024
MAX_DATAGRAM_SIZE = 1400


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    modes = parser.add_subparsers(dest="mode", required=True)
    modes.add_parser("version")
    both = argparse.ArgumentParser(add_help=False)
    both.add_argument("--ciphers", choices=["chacha20"])
    both.add_argument("--key-update", type=int)
    both.add_argument("--idle-timeout", type=float, default=30)
    both.add_argument("--qlog")
    both.add_argument("--keylog")
    serving = modes.add_parser("server", parents=[both])
    serving.add_argument("--listen", default="127.0.0.1:0")
    serving.add_argument("--dir", default=".")
    serving.add_argument("--cert", required=True)
    serving.add_argument("--key", required=True)
    serving.add_argument("--retry", action="store_true")
    serving.add_argument("--close-code", type=lambda text: int(text, 0))
    serving.add_argument("--alpn", default="h3,hq-interop")
    downloading = modes.add_parser("client", parents=[both])
    downloading.add_argument("--connect", required=True)
    downloading.add_argument("--authority", default="localhost")
    downloading.add_argument("--cacert", required=True)
    downloading.add_argument("--parallel", type=int, default=100)
    downloading.add_argument("--output-dir", default=".")
    downloading.add_argument("--paths-file")
    downloading.add_argument("--linger", type=float, default=0)
    downloading.add_argument("--alpn", default="h3")
    downloading.add_argument("paths", nargs="*")
    return parser.parse_args()


def configuration(options):
    config = QuicConfiguration(
        is_client=options.mode == "client",
        alpn_protocols=options.alpn.split(","),
        idle_timeout=options.idle_timeout,
        max_data=WINDOW,
        max_stream_data=WINDOW,
        max_datagram_size=MAX_DATAGRAM_SIZE,
        congestion_control_algorithm="cubic",
    )
    if options.ciphers:
        config.cipher_suites = [CipherSuite.CHACHA20_POLY1305_SHA256]
    if options.qlog:
        config.quic_logger = QuicFileLogger(options.qlog)
    if options.keylog:
        config.secrets_log_file = open(options.keylog, "a", encoding="ascii", buffering=1)
    if options.mode == "client":
        config.server_name = options.authority
        config.verify_mode = ssl.CERT_REQUIRED
        config.load_verify_locations(cafile=options.cacert)
    else:
        config.load_cert_chain(options.cert, options.key)
    return config


def main():
    options = arguments()
    if options.mode == "version":
        print("aioquic", importlib.metadata.version("aioquic"))
        return 0
    role = client.download if options.mode == "client" else server.serve
    return asyncio.run(role(options, configuration(options)))


if __name__ == "__main__":
    sys.exit(main())
