# SPDX-License-Identifier: Apache-2.0
"""The files that servers serve: the same bytes in every run, made once."""

import hashlib
import random

SMALL, MEGABYTE, LARGE, ENDLESS = "1k.bin", "1m.bin", "100m.bin", "endless.bin"
SIZES = {SMALL: 1024, MEGABYTE: 1_000_000, LARGE: 100_000_000}
ENDLESS_SIZE = 4 << 30  # sparse: nobody ever gets all of it
MANY = tuple(f"many-{number:04}.bin" for number in range(2000))
MANY_SIZES = (32, 2048)


class Contents:
    """The folder to serve; sums(names) are SHA-256."""

    def __init__(self, folder):
        self.folder = folder
        self._sums = {}
        folder.mkdir(parents=True, exist_ok=True)

    def need(self, names):
        for name in names:
            path = self.folder / name
            size = self.size(name)
            if path.exists() and path.stat().st_size == size:
                continue
            with path.open("wb") as file:
                if name == ENDLESS:
                    file.truncate(size)
                else:
                    file.write(random.Random(name).randbytes(size))

    def size(self, name):
        if name == ENDLESS:
            return ENDLESS_SIZE
        return SIZES.get(name) or random.Random(f"size of {name}").randint(*MANY_SIZES)

    def sum(self, name):
        if name not in self._sums:
            self._sums[name] = sum_of(self.folder / name)
        return self._sums[name]


def sum_of(path):
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
