# SPDX-License-Identifier: Apache-2.0
"""The Conan recipes, from an empty Conan cache, without a remote."""

import glob
import os
import subprocess
import sys

import consumers
from workshop import SKIPPED, Failure, Skip


def find_conan(shop):
    for program in glob.glob(os.path.join(shop["cache"], "conan-*", "bin", "conan")) if shop["cache"] else []:
        if ".environment" not in program:
            return program
    try:
        import ensurepip  # pylint: disable=unused-import,import-outside-toplevel
        import venv  # pylint: disable=unused-import,import-outside-toplevel
    except ImportError as missing:
        raise Skip("this machine's python3 makes no virtual environments, so there is no Conan here") from missing
    raise Failure("Conan is not in the cache of dependencies, so the recipes were not tested: run ./dev deps --packages")


def conan(shop, kind):
    if kind == "both":
        both()
    else:
        create(shop, kind)


def both():
    """Side by side, since half of what Conan and CMake do for a recipe keeps one processor busy."""
    running = {kind: subprocess.Popen([sys.executable, "-B", *sys.argv[:2], "conan", kind], text=True, errors="replace",
                                      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
               for kind in ("static", "shared")}
    for kind, child in running.items():
        output, _ = child.communicate()
        print(f"{kind}:\n{output}", flush=True)
    wrong = [kind for kind, child in running.items() if child.returncode not in (0, SKIPPED)]
    if wrong:
        raise Failure(f"the recipes of {' and '.join(wrong)} libraries, see above")
    if any(child.returncode == SKIPPED for child in running.values()):
        raise Skip("see above")


def create(shop, kind):
    program = find_conan(shop)
    home = shop.path("home")
    os.makedirs(shop.path("links"))
    os.makedirs(shop.path("tests"))
    environment = {
        "CONAN_HOME": home,
        "TMPDIR": shop.path("tests"),
        "STRATA_DEPS": shop["cache"],
        "STRATA_OPENSSL": shop.openssl(kind) or "/usr",
        "STRATA_OPENSSL_VERSION": shop["openssl_version"],
    }
    if shop["ccache"]:
        environment |= {
            "CMAKE_CXX_COMPILER_LAUNCHER": os.path.join(shop.here, "launch"),
            "STRATA_LINKS": shop.path("links"),
            "CCACHE_BASEDIR": home,
        }
    profile = os.path.join(shop.source, "conan", "profiles", "offline")
    shared = kind == "shared"
    options = ["-pr:a", profile, "-nr", "-o", f"*:shared={shared}",
               "-c:a", "tools.cmake.cmaketoolchain:extra_variables*={'CMAKE_CXX_FLAGS_RELEASE': '-O0', 'CMAKE_UNITY_BUILD': 'ON', "
               "'CMAKE_UNITY_BUILD_BATCH_SIZE': '12'}"]
    # Each test_package is its library's example, which has the library's name in its own.
    expected = {library: text for library in shop.libraries for name, text in consumers.EXAMPLES.items() if library in name.split("-")}
    if shared:
        # All of them in their order, by the workspace, which creates and tests what the cache has not.
        output = shop.run(program, "workspace", "create", *options, env=environment,
                          cwd=os.path.join(shop.source, "conan", "workspace"))
        for library in shop.libraries:
            shop.expect(expected[library], output)
    else:
        for library in shop.libraries:
            output = shop.run(program, "create", os.path.join(shop.source, f"lib{library}"), *options, env=environment)
            shop.expect(expected[library], output)
    left = [path for name in ("build", "CMakeUserPresets.json") for folder in ("lib*", "lib*/test_package", "conan/workspace")
            for path in glob.glob(os.path.join(shop.source, folder, name))]
    if left:
        raise Failure(f"the recipes left something in the checkout: {left}")
