# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# OpenSSL: the system's when it is new enough, else 4.0.3 from its crate, else the next Debian suite's 3.5 (no ECH then).
# Sets `openssl` to the prefix to use, empty for the system's.

openssl_version=4.0.3
openssl_crate=400.0.2
openssl_crate_sum=d2093956673b8dbda85c87fa4fb78e70698ce6c5978a2837d1613f661d3bef76
openssl_fallback_suite=trixie

choose_openssl() {
  openssl=${STRATA_OPENSSL-}
  [[ -z $openssl ]] || { openssl=${openssl%-shared}; return 0; }
  if [[ $ech != 1 ]] && pkg-config --atleast-version=3.5.2 libssl 2>/dev/null; then return 0; fi
  if [[ $ech != 0 && -d $cache/openssl-$openssl_version ]]; then
    openssl=$cache/openssl-$openssl_version
  elif [[ $ech != 0 ]] && cargo_is_usable; then
    step "OpenSSL $openssl_version: its source" "$cache/logs/openssl-source.log" \
      "check that cargo can fetch crates here, or do without ECH: STRATA_ECH=0 ./dev deps" fetch_crate
    build_openssl "$(cat "$work/crate/path")" "$cache/openssl-$openssl_version"
    openssl=$cache/openssl-$openssl_version
  elif [[ $ech == 1 ]]; then
    die "ECH needs OpenSSL $openssl_version, which comes as a crate, and there is no cargo of 1.68 or later here" \
      "install rustup with a stable toolchain, or do without ECH: STRATA_ECH=0 ./dev deps"
  else
    use_fallback_openssl
  fi
}

# Debian 12's own cargo is too old: it wants the registry's index from a git host. From 1.68 on it reads the sparse index.
cargo_is_usable() {
  local version
  version=$(cargo --version 2>/dev/null | sed -nE 's/^cargo ([0-9]+)\.([0-9]+).*/\1 \2/p') || return 1
  # shellcheck disable=SC2086
  set -- $version
  (($# == 2)) && (($1 > 1 || $2 >= 68))
}

fetch_crate() {
  local manifest
  work_folder
  mkdir -p "$work/crate/src"
  printf '[package]\nname = "x"\nversion = "0.0.0"\nedition = "2021"\n[dependencies]\nopenssl-src = "=%s"\n' \
    "$openssl_crate" >"$work/crate/Cargo.toml"
  : >"$work/crate/src/lib.rs"
  (cd "$work/crate" && cargo fetch) || return 1
  # cargo checks what it downloads against the index; this checks the index.
  if ! grep -q "$openssl_crate_sum" "$work/crate/Cargo.lock"; then
    echo "the registry's openssl-src $openssl_crate has another checksum than $openssl_crate_sum: it was changed. Not built."
    return 1
  fi
  manifest=$(cd "$work/crate" && cargo metadata --format-version 1 --offline |
    grep -o '"manifest_path":"[^"]*/openssl-src-[^"]*"' | head -n 1 | cut -d'"' -f4)
  cp -r "$(dirname "$manifest")/openssl" "$work/openssl" && echo "$work/openssl" >"$work/crate/path"
}

# install_build_tools COMMAND...: what only building OpenSSL needs; perl with its modules, of which the base system has few.
install_build_tools() {
  local command missing=()
  for command in "$@"; do
    # shellcheck disable=SC2207
    command -v "$command" >/dev/null || missing+=($(package_of "$command"))
  done
  perl -MIPC::Cmd -MTime::Piece -e1 2>/dev/null || missing+=(perl)
  ((${#missing[@]} == 0)) || apt_install "${missing[@]}"
}

# build_openssl SOURCE PREFIX: static, position-independent libraries, headers and .pc files.
build_openssl() {
  install_build_tools make
  step "build $(basename "$2") once, into $2 (one to three minutes on two cores)" "$cache/logs/$(basename "$2").log" \
    "read the log; a full disk and missing headers are the usual causes" compile_openssl "$@"
}

# The host's /etc/ssl is OPENSSLDIR, so that the system's certificate authorities are the default ones.
compile_openssl() {
  (cd "$1" && ./Configure "--prefix=$2" --libdir=lib --openssldir=/etc/ssl \
    no-shared no-module no-apps no-docs no-tests no-legacy -fPIC &&
    make -j"$jobs" build_generated && make -j"$jobs" build_libs && make install_dev "DESTDIR=$work/root") || return 1
  mv "$work/root$2" "$2"
}

use_fallback_openssl() {
  openssl=$(echo "$cache"/openssl-3.5.*)
  openssl=${openssl%% *} openssl=${openssl%-shared}
  if [[ ! -d $openssl ]]; then
    [[ $codename == bookworm ]] || die "no OpenSSL of 3.5.2 or later here, and no way to build one on this system" \
      "install OpenSSL 3.5.2 or later and set STRATA_OPENSSL to its prefix, or install rustup and run ./dev deps again"
    install_build_tools make patch xz
    step "OpenSSL 3.5: the source package of Debian $openssl_fallback_suite" "$cache/logs/openssl-source.log" \
      "check that this machine's mirror has $openssl_fallback_suite" fetch_source_package
    build_openssl "$work/openssl" "$cache/openssl-$(cat "$work/version")"
    openssl=$cache/openssl-$(cat "$work/version")
  fi
  say "note: $(basename "$openssl") has no ECH; with cargo 1.68 or later ./dev deps builds OpenSSL $openssl_version, which has"
}

fetch_source_package() {
  # The security archive first: it has the same source with later fixes, when there are any.
  fetch_source "$openssl_fallback_suite-security" openssl security || fetch_source "$openssl_fallback_suite" openssl || return 1
  unpack_source openssl "$work/openssl" && apply_debian_patches || return 1
  find "$work/source" -name 'openssl_*.orig.tar.*' ! -name '*.asc' -printf '%f\n' | sed -E 's/openssl_([0-9.]+)\.orig.*/\1/' >"$work/version"
}

# What Debian mended since the release stands in the packaging archive.
apply_debian_patches() {
  local packaging name
  packaging=$(echo "$work"/source/openssl_*.debian.tar.*)
  [[ -f $packaging ]] || return 0
  tar -xf "$packaging" -C "$work/openssl" || return 1
  while read -r name _; do
    [[ -z $name || $name == \#* ]] || patch -s -p1 -d "$work/openssl" <"$work/openssl/debian/patches/$name" || return 1
  done <"$work/openssl/debian/patches/series"
}

# Our shared libraries share one OpenSSL. Its crate cannot make shared libraries, its position-independent archives can. The
# version script keeps a program that also loads the system's OpenSSL from binding our calls to that one.
use_shared_openssl() {
  [[ -n $openssl ]] || return 0
  local static=$openssl
  [[ -f $static/lib/libssl.a ]] || return 0
  openssl=$static-shared
  [[ -d $openssl ]] || step "link $(basename "$static") as shared libraries" "$cache/logs/openssl-shared.log" \
    "read the log" link_shared_openssl "$static" "$openssl"
}

link_shared_openssl() {
  local static=$1 prefix=$2 major tree name
  work_folder
  tree=$work/shared
  major=$(sed -nE 's/^# *define OPENSSL_VERSION_MAJOR +([0-9]+).*/\1/p' "$static/include/openssl/opensslv.h")
  mkdir -p "$tree/lib/pkgconfig" || return 1
  cp -r "$static/include" "$tree/include"
  printf 'STRATA_OPENSSL_%s { global: *; };\n' "$major" >"$work/openssl.map"
  link_one_shared crypto "$static" "$tree/lib" "$major" || return 1
  link_one_shared ssl "$static" "$tree/lib" "$major" -L"$tree/lib" -lcrypto -Wl,-rpath,'$ORIGIN' || return 1
  for name in "$static"/lib/pkgconfig/*.pc; do
    sed "s|^prefix=.*|prefix=$prefix|" "$name" >"$tree/lib/pkgconfig/$(basename "$name")"
  done
  mv "$tree" "$prefix"
}

# link_one_shared NAME STATIC_PREFIX LIBRARY_FOLDER MAJOR [FLAGS...]
link_one_shared() {
  local name=$1 static=$2 folder=$3 soname=lib$1.so.$4
  shift 4
  g++ -shared "-Wl,-soname,$soname" -Wl,--whole-archive "$static/lib/lib$name.a" -Wl,--no-whole-archive "$@" \
    -Wl,-Bsymbolic "-Wl,--version-script=$work/openssl.map" -ldl -pthread -o "$folder/$soname" &&
    ln -s "$soname" "$folder/lib$name.so"
}
