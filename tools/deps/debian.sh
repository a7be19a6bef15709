# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# Debian packages: the distribution's own by apt, and single packages of newer suites unpacked into the cache. The mirror's
# address comes from the machine's apt configuration.

# What is asked of newer suites, on Debian 12 only: later releases have them. A file of this version has this sum; a later
# one is taken on apt's signature alone.
asio_suite=trixie asio_package=libasio-dev asio_version=1:1.30.2-1
asio_sum=6661df94512655bfed7ee7a304b71f7d3494e023d7f4622d6f95622b76620768
catch2_suite=bookworm-backports catch2_package=libcatch2-dev catch2_version='3.7.1-0.4~bpo12+1'
catch2_sum_amd64=1dbb62ed9f177e1cf51e573903cc553241764bd3b6655f5a98889ad361d008dc

codename=$(. /etc/os-release 2>/dev/null && echo "${VERSION_CODENAME-}") || codename=''

as_root() {
  if ((EUID == 0)); then "$@"; else sudo -n "$@"; fi
}

# package_of COMMAND: the Debian package that brings it.
package_of() {
  case $1 in
    ninja) echo ninja-build ;;
    xz) echo xz-utils ;;
    clang++-19) echo clang-19 libclang-rt-19-dev ;;
    llvm-cov-19) echo llvm-19 ;;
    *) echo "$1" ;;
  esac
}

# Packages without a command to look for, and more of them.
wanted_libraries() {
  echo libfmt-dev libspdlog-dev libtomlplusplus-dev ca-certificates "$@"
  [[ $codename == bookworm ]] || echo libasio-dev libcatch2-dev libssl-dev
}

# install_missing_packages "COMMAND..." "PACKAGE..."
install_missing_packages() {
  local command missing=() commands=(g++ cmake ninja ccache pkg-config python3 openssl)
  # shellcheck disable=SC2206
  commands+=($1)
  for command in "${commands[@]}"; do
    # shellcheck disable=SC2207
    command -v "$command" >/dev/null || missing+=($(package_of "$command"))
  done
  # Elsewhere CMake names the libraries it misses.
  # shellcheck disable=SC2046,SC2207
  ! command -v dpkg-query >/dev/null || missing+=($(not_installed $(wanted_libraries $2)))
  ((${#missing[@]} == 0)) || apt_install "${missing[@]}"
}

not_installed() {
  local have
  have=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null) || true
  for package in "$@"; do
    grep -qx "installed $package" <<<"$have" || echo "$package"
  done
}

apt_install() {
  local line="apt-get install -y --no-install-recommends $*"
  command -v apt-get >/dev/null ||
    die "missing: $*, by Debian's names, and this system has no apt" "install them with the system's own package tool"
  if ((EUID != 0)) && ! sudo -n true 2>/dev/null; then
    die "these packages are missing: $*" "run: sudo $line"
  fi
  step "apt-get update" "$cache/logs/apt-update.log" "check this machine's apt sources" as_root apt-get -q update
  step "apt-get install $*" "$cache/logs/apt-install.log" "run it by hand: sudo $line" \
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "$@"
}

unpack_newer_packages() {
  [[ $codename == bookworm ]] || return 0
  unpack_package asio-1.30.2 "$asio_suite" "$asio_package" "$asio_version" "$asio_sum"
  local sum=''
  [[ $(dpkg --print-architecture) != amd64 ]] || sum=$catch2_sum_amd64
  unpack_catch2 "$sum"
}

# Backports of a release that is no longer stable are taken down one day; the next release's source builds here too.
unpack_catch2() {
  [[ ! -d $cache/catch2-3.7.1/usr ]] || return 0
  work_folder
  mkdir -p "$cache/logs"
  if (fetch_package catch2-3.7.1 "$catch2_suite" "$catch2_package" "$catch2_version" "$1") >"$cache/logs/catch2-3.7.1.log" 2>&1; then
    say "${bold}==>${plain} unpack $catch2_package of $catch2_suite into $cache/catch2-3.7.1"
    return 0
  fi
  say "note: $catch2_suite gives no usable $catch2_package: $(tail -n 1 "$cache/logs/catch2-3.7.1.log")"
  install_build_tools xz
  step "build Catch2 from the source package of $asio_suite" "$cache/logs/catch2-source.log" \
    "check that this machine's mirror has the suite $asio_suite" build_catch2
}

build_catch2() {
  local source=$work/catch2-source
  fetch_source "$asio_suite" catch2 && unpack_source catch2 "$source" || return 1
  cmake -G Ninja -S "$source" -B "$work/catch2-build" -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_STANDARD=20 \
    -DBUILD_TESTING=OFF -DCATCH_INSTALL_DOCS=OFF "-DCMAKE_INSTALL_PREFIX=$work/catch2-tree/usr" &&
    cmake --build "$work/catch2-build" -- "-j$jobs" && cmake --install "$work/catch2-build" &&
    mv "$work/catch2-tree" "$cache/catch2-3.7.1"
}

# fetch_source SUITE PACKAGE [SECURITY]: the files of a source package into the work folder.
fetch_source() {
  work_folder
  mkdir -p "$work/source"
  foreign_suite "$1" deb-src "${3-}" || return 1
  (cd "$work/source" && rm -f ./"$2"_* && foreign_apt source --download-only "$2")
}

# unpack_source PACKAGE FOLDER: what its authors released.
unpack_source() {
  local archive
  archive=$(find "$work/source" -name "$1_*.orig.tar.*" ! -name '*.asc' | head -n 1)
  [[ -n $archive ]] && mkdir -p "$2" && tar -xf "$archive" -C "$2" --strip-components=1
}

# unpack_package FOLDER SUITE PACKAGE VERSION SHA256
unpack_package() {
  [[ ! -d $cache/$1/usr ]] || return 0
  step "unpack $3 of $2 into $cache/$1" "$cache/logs/$1.log" \
    "check that this machine's mirror has the suite $2, then run ./dev deps again" fetch_package "$@"
}

fetch_package() {
  local folder=$1 suite=$2 package=$3 version=$4 sum=$5 deb found
  work_folder
  foreign_suite "$suite" deb || return 1
  mkdir -p "$work/$folder/deb" "$work/$folder/tree"
  (cd "$work/$folder/deb" && { foreign_apt download "$package=$version" || foreign_apt download "$package"; }) || return 1
  deb=$(echo "$work/$folder/deb"/*.deb)
  found=$(dpkg-deb -f "$deb" Version)
  if [[ $found != "$version" ]]; then
    echo "note: $package $found is newer than the tested $version; its signature was checked by apt"
  elif [[ -n $sum ]] && ! echo "$sum  $deb" | sha256sum -c --quiet -; then
    echo "$package $version from this mirror has the sum $(sha256sum <"$deb" | cut -d' ' -f1), expected $sum:"
    echo "the mirror's copy is damaged or was changed. Nothing was unpacked."
    return 1
  fi
  dpkg-deb -x "$deb" "$work/$folder/tree" || return 1
  # Some say /usr: where they were to be, and not where they are.
  find "$work/$folder/tree" -path '*/share/pkgconfig/*.pc' -exec sed -i 's|^prefix=.*|prefix=${pcfiledir}/../..|' {} + || return 1
  chmod 755 "$work/$folder/tree" && mv "$work/$folder/tree" "$cache/$folder"
}

# foreign_suite SUITE deb|deb-src [SECURITY]: package lists of another suite, in the work folder; nothing system-wide changes.
foreign_suite() {
  local mine=$codename${3:+-security} uri folder=$work/apt-$1-$2
  uri=$(apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Created-By: Packages' | awk -v c="$mine" '$1 == c {print $2; exit}')
  if [[ -z $uri ]]; then
    echo "no mirror of $mine among this machine's apt sources"
    return 1
  fi
  mkdir -p "$folder/lists/partial" "$folder/cache/archives/partial"
  chmod 755 "$work" "$folder"  # apt's own user reads here
  printf 'Types: %s\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n' \
    "$2" "$uri" "$1" >"$folder/suite.sources"
  foreign=(-q -o "Dir::Etc::sourcelist=$folder/suite.sources" -o Dir::Etc::sourceparts=- -o Dir::Etc::preferences=/dev/null
    -o Dir::Etc::preferencesparts=/dev/null -o "Dir::State::lists=$folder/lists" -o Dir::State::status=/dev/null
    -o "Dir::Cache=$folder/cache" -o Acquire::Languages=none -o APT::Sandbox::User=root)
  foreign_apt update
}

foreign_apt() { apt-get "${foreign[@]}" "$@"; }
