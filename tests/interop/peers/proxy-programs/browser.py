# SPDX-License-Identifier: Apache-2.0
"""browser.py TREE FOLDER PROXY-URL URL: Chromium out of its packages, which shows the page through the proxy until it is ended."""

import os
import pathlib
import sys
import types

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "ech-programs"))
from chromium import environment  # noqa: E402  the line above has to come first

tree, folder, proxy, url = sys.argv[1:]
program = f"{tree}/usr/lib/chromium/chromium"
os.execve(program, [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
                    "--disable-component-update", "--disable-dev-shm-usage", "--disable-quic", f"--user-data-dir={folder}",
                    f"--proxy-server={proxy}", "--proxy-bypass-list=<-loopback>", url],
          environment(types.SimpleNamespace(program=tree), folder))
