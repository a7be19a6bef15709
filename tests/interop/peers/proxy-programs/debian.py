# SPDX-License-Identifier: Apache-2.0
"""debian.py TREE PROGRAM version|ARGUMENTS...: a program out of Debian's packages unpacked in TREE."""

import os
import pathlib
import sys

tree, program = pathlib.Path(sys.argv[1]), sys.argv[2]
if sys.argv[3:] == ["version"]:
    print(program, (tree / "version").read_text(encoding="ascii").strip())
    sys.exit(0)
found = [path for folder in ("usr/bin", "usr/sbin") if (path := tree / folder / program).is_file()]
libraries = ":".join(str(path) for pattern in ("usr/lib/*-linux-gnu", "lib/*-linux-gnu") for path in tree.glob(pattern))
if program == "proxychains4":  # it would look for its library where the package puts it
    (library,) = tree.glob("usr/lib/*-linux-gnu/libproxychains.so.4")
    _, path, command, *arguments = sys.argv[3:]
    os.execvpe(command, [command, *arguments], os.environ | {"LD_PRELOAD": str(library), "PROXYCHAINS_CONF_FILE": path})
os.execve(found[0], [program, *sys.argv[3:]], os.environ | {"LD_LIBRARY_PATH": libraries})
