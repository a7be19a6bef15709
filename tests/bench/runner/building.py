# SPDX-License-Identifier: Apache-2.0
"""Our programs in the release preset, and peers by the recipes' builder of tests/interop."""

import os
import pathlib
import subprocess

from interop.runner import Failed as BuildFailed
from interop.runner import NotApplicable, building

from . import Failed

ROOT = pathlib.Path(__file__).resolve().parents[3]
PEERS = pathlib.Path(__file__).resolve().parent.parent / "peers"
say = building.say
OURS = ("strata-quic-bench", "strata-h3-bench", "strata-limit-bench", "strata-mux-bench", "strata-tls-bench",
        "strata-masking-bench", "strata-mux-soak", "strata-proxy-load", "anytls-client", "anytls-server",
        "strata-proxy")

RECIPES = {
    "quinn": building.Recipe(
        name="bench-quinn", tool=("cargo", "--version"), least=(1, 85),
        sources=("src/*.rs", "build.rs", "Cargo.toml", "Cargo.lock"), fetch=(("cargo", "fetch", "--locked"),),
        compile=(("cargo", "build", "--release", "--locked", "--offline"),), environment={"CARGO_TARGET_DIR": "{build}/target"},
        product="target/release/quinn-bench", keep=("target/release/quinn-bench",), command=("{product}",)),
    "quic-go": building.Recipe(
        name="bench-quic-go", tool=("go", "version"), least=(1, 26), sources=("*.go", "go.mod", "go.sum"),
        fetch=(("go", "mod", "download"),), compile=(("go", "build", "-trimpath", "-o", "{build}/quic-go", "."),),
        environment={"GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly -buildvcs=false", "GOWORK": "off", "CGO_ENABLED": "0"},
        product="quic-go", keep=("quic-go",), command=("{product}",)),
    "go-yamux": building.Recipe(
        name="bench-go-yamux", tool=("go", "version"), least=(1, 26), sources=("*.go", "go.mod", "go.sum"),
        fetch=(("go", "mod", "download"),), compile=(("go", "build", "-trimpath", "-o", "{build}/go-yamux", "."),),
        environment={"GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly -buildvcs=false", "GOWORK": "off", "CGO_ENABLED": "0"},
        product="go-yamux", keep=("go-yamux",), command=("{product}",)),
    **{name: recipe() for name, recipe in (building.PROXY_SERVER_RECIPES | building.TUNNEL_RECIPES).items()},
}
OF_INTEROP = (*building.PROXY_SERVER_RECIPES, *building.TUNNEL_RECIPES)


def sources_of(name):
    return (building.PEERS if name in OF_INTEROP else PEERS) / (RECIPES[name].folder or name)


class Build(building.Build):
    """One peer of RECIPES; get() gives its command and version."""

    def __init__(self, name, logs):  # the base class looks among the peers of tests/interop
        self.recipe = RECIPES[name]
        self.sources = sources_of(name)
        self.log = logs / f"build-{name}.log"
        self.tool_version = ""


def peer(name, logs):
    """Built, or None with a line that says why; an absent peer leaves its columns empty."""
    try:
        return Build(name, logs).get()
    except (NotApplicable, BuildFailed) as why:
        building.say(f"{name}: {why}")
        return None


def our_programs():
    """The folder of our programs: $STRATA_BIN, else they are built in the release preset."""
    if named := os.environ.get("STRATA_BIN"):
        return pathlib.Path(named).resolve()
    if subprocess.run([ROOT / "dev", "build", "release", *OURS], check=False).returncode != 0:
        raise Failed("our programs do not build")
    return ROOT / "build/release/bin"
