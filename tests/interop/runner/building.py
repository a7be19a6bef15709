# SPDX-License-Identifier: Apache-2.0
"""Builds peers out of the tree, once for every state of their sources and locks."""

import contextlib
import dataclasses
import fcntl
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

from . import Failed, NotApplicable

PEERS = pathlib.Path(__file__).resolve().parent.parent / "peers"
PULSE_SECONDS = 30
UNSUPPORTED = 127


def cache_folder():
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(base) / "strata" / "interop"


def say(text):
    print(text, file=sys.stderr, flush=True)


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How one peer is made: `fetch` may fail because the machine has no network, `compile` may not."""

    name: str
    tool: tuple
    """The command that tells the version of what builds it."""
    least: tuple
    sources: tuple
    fetch: tuple
    compile: tuple
    environment: dict
    product: str
    keep: tuple
    """What of the build folder stays in the cache."""
    command: tuple
    folder: str = ""
    """Of the sources, where several peers share them; else its name."""


def venv_recipe(name):
    return Recipe(
        name=name, tool=(sys.executable, "--version"), least=(3, 11), sources=("requirements.txt",),
        fetch=((sys.executable, "-m", "venv", "{build}/venv"),
               ("{build}/venv/bin/python", "-m", "pip", "--disable-pip-version-check", "install", "--require-hashes", "--no-deps",
                "--only-binary=:all:", "-r", "requirements.txt")),
        compile=(), environment={}, product="venv/bin/python", keep=(), command=("{product}", "-B", "{sources}/peer.py"))


RECIPES = {
    "quic-go": lambda: Recipe(
        name="quic-go", tool=("go", "version"), least=(1, 26), sources=("*.go", "go.mod", "go.sum"),
        fetch=(("go", "mod", "download"),), compile=(("go", "build", "-trimpath", "-o", "{build}/quic-go", "."),),
        environment={"GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly -buildvcs=false", "GOWORK": "off", "CGO_ENABLED": "0"},
        product="quic-go", keep=("quic-go",), command=("{product}",)),
    "quinn": lambda: Recipe(
        name="quinn", tool=("cargo", "--version"), least=(1, 85), sources=("src/*.rs", "Cargo.toml", "Cargo.lock"),
        fetch=(("cargo", "fetch", "--locked"),), compile=(("cargo", "build", "--release", "--locked", "--offline"),),
        environment={"CARGO_TARGET_DIR": "{build}/target"}, product="target/release/quinn-peer",
        keep=("target/release/quinn-peer",), command=("{product}",)),
    "aioquic": lambda: venv_recipe("aioquic"),
}


def go_mux_recipe(name):
    return Recipe(
        name=name, folder="go-mux", tool=("go", "version"), least=(1, 26), sources=("*.go", "go.mod", "go.sum"),
        fetch=(("go", "mod", "download"),), compile=(("go", "build", "-trimpath", "-o", "{build}/go-mux", "."),),
        environment={"GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly -buildvcs=false", "GOWORK": "off", "CGO_ENABLED": "0"},
        product="go-mux", keep=("go-mux",), command=("{product}", name))


YAMUX_RECIPES = {
    "hashicorp-yamux": lambda: go_mux_recipe("hashicorp-yamux"),
    "go-yamux": lambda: go_mux_recipe("go-yamux"),
    "rust-yamux": lambda: Recipe(
        name="rust-yamux", tool=("cargo", "--version"), least=(1, 85), sources=("src/*.rs", "Cargo.toml", "Cargo.lock"),
        fetch=(("cargo", "fetch", "--locked"),), compile=(("cargo", "build", "--release", "--locked", "--offline"),),
        environment={"CARGO_TARGET_DIR": "{build}/target"}, product="target/release/rust-yamux-peer",
        keep=("target/release/rust-yamux-peer",), command=("{product}",)),
    "js-yamux": lambda: Recipe(  # its modules look for each other from where it lies
        name="js-yamux", tool=("node", "--version"), least=(20, 0), sources=("package.json", "package-lock.json", "peer.mjs"),
        fetch=(("cp", "package.json", "package-lock.json", "peer.mjs", "{build}"),
               ("npm", "ci", "--prefix", "{build}", "--ignore-scripts", "--no-audit", "--no-fund")),
        compile=(), environment={}, product="peer.mjs", keep=("peer.mjs", "node_modules"), command=("node", "{product}")),
}

WEBSOCKET_RECIPES = {
    "websockets": lambda: venv_recipe("websockets"),
    "ws": lambda: Recipe(
        name="ws", tool=("node", "--version"), least=(20, 0), sources=("package.json", "package-lock.json"),
        fetch=(("cp", "package.json", "package-lock.json", "{build}"),
               ("npm", "ci", "--prefix", "{build}", "--ignore-scripts", "--no-audit", "--no-fund")),
        compile=(), environment={}, product="node_modules/ws/index.js", keep=("node_modules",),
        command=("node", "{sources}/peer.mjs", "{product}")),
}

GO_ECH = Recipe(
    name="go-ech", folder="go-ech", tool=("go", "version"), least=(1, 26), sources=("*.go", "go.mod", "go.sum"),
    fetch=(("go", "mod", "download"),), compile=(("go", "build", "-trimpath", "-o", "{build}/go-ech", "."),),
    environment={"GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly -buildvcs=false", "GOWORK": "off", "CGO_ENABLED": "0"},
    product="go-ech", keep=("go-ech",), command=("{product}",))


def openssl_recipe():
    """The command line of a version with ECH, which no Debian has. What its crate would build is libraries alone."""
    return Recipe(
        name="openssl", folder="ech-programs", tool=("cargo", "--version"), least=(1, 78),
        sources=("openssl.py", "interface.py", "Cargo.toml", "Cargo.lock"),
        fetch=(("cargo", "vendor", "--locked", "--quiet", "{build}/vendor"),),
        compile=(("sh", "-c", "cp -r {build}/vendor/openssl-src/openssl {build}/openssl && cd {build}/openssl && ./Configure "
                  "--openssldir=/nonexistent no-shared no-module no-docs no-tests no-legacy linux-$(uname -m) && make -j2 build_programs"),),
        environment={}, product="openssl/apps/openssl", keep=("openssl/apps/openssl",),
        command=(sys.executable, "-B", "{sources}/openssl.py", "{product}"))


def nss_recipe():
    """Debian's packages, unpacked."""
    return Recipe(
        name="nss", folder="ech-programs", tool=("dpkg-deb", "--version"), least=(1, 18), sources=("nss.py", "interface.py"),
        fetch=(("sh", "-c", "cd {build} && apt-get download -o APT::Sandbox::User=root libnss3-tools libnss3 libnspr4 && "
                "for each in *.deb; do dpkg-deb -x $each tree || exit 1; done && "
                "dpkg-deb -f libnss3-tools_*.deb Version >tree/version"),),
        compile=(), environment={}, product="tree", keep=("tree",), command=(sys.executable, "-B", "{sources}/nss.py", "{product}"))


def chromium_recipe():
    """Debian's packages with all that this system lacks, unpacked: 120 MB to fetch."""
    return Recipe(
        name="chromium", folder="ech-programs", tool=("dpkg-deb", "--version"), least=(1, 18),
        sources=("chromium.py", "interface.py"),
        fetch=(("sh", "-c", "mkdir -p {build}/archives/partial && cd {build} && apt-get -y --no-install-recommends --download-only "
                "-o Debug::NoLocking=1 -o APT::Sandbox::User=root -o Dir::Cache::archives={build}/archives install chromium && "
                "cd archives && apt-get download -o APT::Sandbox::User=root libnss3-tools libnss3 libnspr4 && "
                "for each in *.deb; do dpkg-deb -x $each {build}/tree || exit 1; done"),),
        compile=(), environment={}, product="tree", keep=("tree",), command=(sys.executable, "-B", "{sources}/chromium.py", "{product}"))


ECH_RECIPES = {"openssl": openssl_recipe, "go": lambda: GO_ECH, "nss": nss_recipe, "chromium": chromium_recipe}
ECH_QUIC_RECIPES = {"quic-go": lambda: GO_ECH, "chromium": chromium_recipe}


GO_ENVIRONMENT = {"GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly -buildvcs=false", "GOWORK": "off", "CGO_ENABLED": "0"}
SING_BOX = "github.com/sagernet/sing-box"


def required(peer, module):
    """The version that a peer's go.mod names."""
    found = re.search(rf"{re.escape(module)} v(\S+)", (PEERS / peer / "go.mod").read_text(encoding="utf-8"))
    return found.group(1)


ANYTLS_RECIPES = {
    "sing-anytls": lambda: Recipe(
        name="sing-anytls", folder="go-anytls", tool=("go", "version"), least=(1, 26), sources=("*.go", "go.mod", "go.sum"),
        fetch=(("go", "mod", "download"),), compile=(("go", "build", "-trimpath", "-o", "{build}/go-anytls", "."),),
        environment=GO_ENVIRONMENT, product="go-anytls", keep=("go-anytls",), command=("{product}",)),
    # The whole program, as its module has it; what it makes optional by build tags is not needed here.
    "sing-box": lambda: Recipe(
        name="sing-box", tool=("go", "version"), least=(1, 26), sources=("go.mod", "go.sum"),
        fetch=(("go", "mod", "download"),), compile=(("go", "build", "-trimpath", "-ldflags", f"-X {SING_BOX}/constant.Version={required('sing-box', SING_BOX)}",
                  "-o", "{build}/sing-box", f"{SING_BOX}/cmd/sing-box"),),
        environment=GO_ENVIRONMENT, product="sing-box", keep=("sing-box",), command=("{product}",)),
}


def debian_recipe(name, *packages):
    """A program of Debian's, unpacked; the first package's version is the peer's."""
    return Recipe(
        name=name, folder="proxy-programs", tool=("dpkg-deb", "--version"), least=(1, 18), sources=("debian.py",),
        fetch=(("sh", "-c", f"cd {{build}} && apt-get download -o APT::Sandbox::User=root {' '.join(packages)} && "
                "for each in *.deb; do dpkg-deb -x $each tree || exit 1; done && "
                f"dpkg-deb -f {packages[0]}_*.deb Version >tree/version"),),
        compile=(), environment={}, product="tree", keep=("tree",), command=(sys.executable, "-B", "{sources}/debian.py", "{product}", name))


def dig_recipe():
    """With all of its libraries that this system lacks."""
    packages = "bind9-dnsutils bind9-libs"
    return dataclasses.replace(
        debian_recipe("dig", *packages.split()),
        fetch=(("sh", "-c", f"mkdir -p {{build}}/partial && cd {{build}} && apt-get download -o APT::Sandbox::User=root {packages} && "
                "dpkg-deb -f bind9-dnsutils_*.deb Version >version && apt-get -y --no-install-recommends --download-only "
                "-o Debug::NoLocking=1 -o APT::Sandbox::User=root -o Dir::Cache::archives={build} install bind9-dnsutils && "
                "for each in *.deb; do dpkg-deb -x $each tree || exit 1; done && mv version tree"),))


PROXY_CLIENT_RECIPES = {
    "curl": lambda: Recipe(
        name="curl", folder="proxy-programs", tool=("curl", "--version"), least=(7, 80), sources=("curl.py",),
        fetch=(("touch", "{build}/none"),), compile=(), environment={}, product="none", keep=("none",),
        command=(sys.executable, "-B", "{sources}/curl.py")),
    "pysocks": lambda: venv_recipe("pysocks"),
    "proxychains4": lambda: debian_recipe("proxychains4", "proxychains4", "libproxychains4"),
}
PROXY_SERVER_RECIPES = {
    "microsocks": lambda: debian_recipe("microsocks", "microsocks"),
    "tinyproxy": lambda: debian_recipe("tinyproxy", "tinyproxy-bin"),
    "danted": lambda: debian_recipe("danted", "dante-server", "libwrap0"),
    **ANYTLS_RECIPES,
}
PROXY_APPLICATION_RECIPES = {"chromium": chromium_recipe, "dig": dig_recipe, "pysocks": PROXY_CLIENT_RECIPES["pysocks"]}
FORWARDING_RECIPES = {
    "haproxy": lambda: debian_recipe("haproxy", "haproxy", "liblua5.3-0", "libopentracing-c-wrapper0", "libopentracing1"),
    "nginx": lambda: debian_recipe("nginx", "nginx"),
}
TUNNEL_RECIPES = {
    "go-tunnel": lambda: Recipe(
        name="go-tunnel", tool=("go", "version"), least=(1, 26), sources=("*.go", "go.mod", "go.sum"),
        fetch=(("go", "mod", "download"),), compile=(("go", "build", "-trimpath", "-o", "{build}/go-tunnel", "."),),
        environment=GO_ENVIRONMENT, product="go-tunnel", keep=("go-tunnel",), command=("{product}",)),
}

HTTP1_RECIPES = {
    "llhttp": lambda: Recipe(
        name="llhttp", tool=("node", "--version"), least=(20, 18), sources=("package.json", "package-lock.json"),
        fetch=(("cp", "package.json", "package-lock.json", "{build}"),
               ("npm", "ci", "--prefix", "{build}", "--ignore-scripts", "--no-audit", "--no-fund")),
        compile=(), environment={}, product="node_modules/undici/index.js", keep=("node_modules",),
        command=("node", "{sources}/peer.mjs", "{product}")),
    "h11": lambda: venv_recipe("h11"),
}

DNS_RECIPES = {
    "miekg-dns": lambda: Recipe(
        name="miekg-dns", folder="go-dns", tool=("go", "version"), least=(1, 26), sources=("*.go", "go.mod", "go.sum"),
        fetch=(("go", "mod", "download"),), compile=(("go", "build", "-trimpath", "-o", "{build}/go-dns", "."),),
        environment={"GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly -buildvcs=false", "GOWORK": "off", "CGO_ENABLED": "0"},
        product="go-dns", keep=("go-dns",), command=("{product}",)),
}


class Built:
    """A peer ready to run."""

    def __init__(self, command, version):
        self.command = command
        self.version = version


class Build:
    def __init__(self, name, logs, recipes=RECIPES):
        self.recipe = recipes[name]()
        self.sources = PEERS / (self.recipe.folder or name)
        self.log = logs / f"build-{name}.log"
        self.tool_version = ""

    def get(self):
        """Built, or NotApplicable: no tools or no network, or Failed: does not build."""
        self._check_tool()
        final = cache_folder() / f"{self.recipe.name}-{self._state()}"
        final.parent.mkdir(parents=True, exist_ok=True)
        with self._only_one():
            if not (final / self.recipe.product).exists():
                self._make(final)
        command = [part.format(product=final / self.recipe.product, sources=self.sources) for part in self.recipe.command]
        told = subprocess.run([*command, "version"], capture_output=True, text=True, check=False, timeout=60)
        if told.returncode == UNSUPPORTED:
            raise NotApplicable(f"{self.recipe.name}: {told.stderr.strip().removeprefix('unsupported: ')}")
        if told.returncode != 0:
            raise Failed(f"what was built does not run: {told.stderr.strip()[-200:]}; to build it anew: rm -r {final}")
        return Built(command, told.stdout.strip())

    def _check_tool(self):
        program, least = self.recipe.tool[0], ".".join(map(str, self.recipe.least))
        if shutil.which(program) is None:
            raise NotApplicable(f"no {program}; version {least} or newer builds it")
        told = subprocess.run(self.recipe.tool, capture_output=True, text=True, check=False, timeout=60,
                              env=os.environ | {"GOTOOLCHAIN": "local"})
        found = re.search(r"(\d+)\.(\d+)", told.stdout)
        if not found or tuple(map(int, found.groups())) < self.recipe.least:
            raise NotApplicable(f"{told.stdout.strip() or program + ' does not run'}; version {least} or newer builds it")
        self.tool_version = told.stdout.strip().splitlines()[0]

    def _state(self):
        digest = hashlib.sha256(f"{self.recipe!r} {self.tool_version}".encode())
        for pattern in self.recipe.sources:
            for path in sorted(self.sources.glob(pattern)):
                digest.update(f"{path.name} {path.stat().st_size} ".encode() + path.read_bytes())
        return digest.hexdigest()[:16]

    @contextlib.contextmanager
    def _only_one(self):
        with (cache_folder() / f".lock-{self.recipe.name}").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _make(self, final):
        """A venv cannot be moved, so everything is made in place and a failure takes it away again."""
        began = time.monotonic()
        say(f"==> build {self.recipe.name} with {self.tool_version}")
        shutil.rmtree(final, ignore_errors=True)
        work = final.with_suffix(".building") if self.recipe.keep else final
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        try:
            with self.log.open("wb") as log:
                self._run(self.recipe.fetch, work, log, NotApplicable, "could not be fetched (is there a network?)")
                self._run(self.recipe.compile, work, log, Failed, "does not build")
            if self.recipe.keep:
                self._keep(work, final)
        except BaseException:
            shutil.rmtree(final, ignore_errors=True)
            raise
        finally:
            if self.recipe.keep:
                shutil.rmtree(work, ignore_errors=True)
        say(f"    done in {time.monotonic() - began:.0f} s")

    def _keep(self, work, final):
        staged = work / "staged"
        for name in self.recipe.keep:
            (staged / name).parent.mkdir(parents=True, exist_ok=True)
            if (work / name).is_dir():
                shutil.copytree(work / name, staged / name, symlinks=True)
            else:
                shutil.copy2(work / name, staged / name)
        staged.rename(final)

    def _run(self, commands, work, log, failure, sentence):
        environment = os.environ | {name: value.format(build=work) for name, value in self.recipe.environment.items()}
        for command in commands:
            arguments = [part.format(build=work) for part in command]
            log.write(f"$ {' '.join(arguments)}\n".encode())
            log.flush()
            running = subprocess.Popen(arguments, cwd=self.sources, env=environment, stdin=subprocess.DEVNULL, stdout=log,
                                       stderr=subprocess.STDOUT)
            began = time.monotonic()
            while True:
                try:
                    code = running.wait(PULSE_SECONDS)
                    break
                except subprocess.TimeoutExpired:
                    say(f"    {time.monotonic() - began:.0f} s: {last_line(self.log)}")
            if code != 0:
                raise failure(f"{self.recipe.name} {sentence}: {last_line(self.log)} (log: {self.log})")


def last_line(path):
    lines = [line for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1][:120] if lines else ""
