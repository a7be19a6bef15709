# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# Conan in a Python environment of its own in the cache. Without Python's venv there is none, and the tests of recipes are skipped.

conan_version=2.34.0

install_conan() {
  [[ ! -x $cache/conan-$conan_version/bin/conan ]] || return 0
  if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
    say "note: this python3 makes no virtual environments: the Conan recipes will not be tested here"
    return 0
  fi
  step "Conan $conan_version into $cache/conan-$conan_version" "$cache/logs/conan.log" \
    "check that pip can reach its package index from here, then run ./dev deps --packages again" make_conan_environment
}

# Programs in such an environment name its folder, so it is made in its place, and marked as whole by its last link.
make_conan_environment() {
  local folder=$cache/conan-$conan_version
  rm -rf "$folder"
  python3 -m venv "$folder.environment" &&
    "$folder.environment/bin/pip" install --quiet --only-binary :all: --require-hashes -r "$here/deps/conan-requirements.txt" &&
    "$folder.environment/bin/conan" --version && ln -s "$(basename "$folder").environment" "$folder"
}
