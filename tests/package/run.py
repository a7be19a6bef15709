#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""run.py SETTINGS TEST [ARGUMENTS]: one test of the packages; see CMakeLists.txt, which makes SETTINGS.

`run.py SETTINGS abi --write` writes the export lists anew, for a change of the interface that is meant.
"""

import os
import pathlib
import sys

import abi
import beside_libcurl
import consumers
import recipes
import refusals
from workshop import SKIPPED, Failure, Skip, Workshop

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from interop.runner.own_network import raise_loopback  # noqa: E402  the path has to be set first

TESTS = {
    "build": consumers.build,
    "find_package": consumers.find_package,
    "pkg_config": consumers.pkg_config,
    "subdirectory": consumers.subdirectory,
    "readme": consumers.readme,
    "one_library": refusals.one_library,
    "other_openssl": refusals.other_openssl,
    "other_asio": refusals.other_asio,
    "abi": abi.abi,
    "beside_libcurl": beside_libcurl.beside_libcurl,
    "conan": recipes.conan,
}


def main():
    settings, name, *arguments = sys.argv[1:]
    if os.environ.get("STRATA_ISOLATED"):
        raise_loopback()
    else:
        print("note: this test runs on the machine's network")
    try:
        TESTS[name](Workshop(settings, "-".join([name, *(a for a in arguments if not a.startswith("-"))])), *arguments)
    except Skip as reason:
        print(f"SKIPPED: {reason}")
        return SKIPPED
    except Failure as failure:
        print(f"FAILED: {failure}")
        return 1
    return 0


if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[2] not in TESTS:
        raise SystemExit(f"{__doc__}\nTests: {' '.join(TESTS)}")
    sys.exit(main())
