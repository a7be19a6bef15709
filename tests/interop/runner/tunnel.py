# SPDX-License-Identifier: Apache-2.0
"""The cells of ./dev interop proxy in which both ends of a tunnel take part."""

import time

from . import Failed, NotApplicable, ech_keys
from .anytls_scenarios import ENOUGH_SECONDS
from .programs import OURS
from .suite import SuiteCell
from .tunnel_programs import Asked

NO_ECH = "needs OpenSSL 4"


class TunnelCell(SuiteCell):
    def __init__(self, folder, scenario, pair):
        super().__init__(folder, scenario, pair)
        self.world = ech_keys.make(folder.parent / "keys", None)

    def _asked(self, **options):
        return Asked(self.world, mode=self.scenario.mode, **options)

    def start_server(self, **options):
        self._server = self.server.server(self, f"server-{len(self._children)}", self._asked(**options))
        self._children.append(self._server)
        return self._server

    def start_client(self, server, **options):
        client = self.client.client(self, f"client-{len(self._children)}", self._asked(server=server, **options))
        self._children.append(client)
        return client

    def start_both(self, client=None, server=None):
        return self.start_client(self.start_server(**(server or {})).address, **(client or {})).address

    def need_ech(self):
        """Ours tells at its start that it was built without."""
        for each in (self.client, self.server):
            if each.name != OURS:
                continue
            try:
                self._children.append(each.server(self, f"probe-{len(self._children)}", self._asked(keys=[self.world.current])))
            except Failed as why:
                if NO_ECH in str(why):
                    raise NotApplicable("this build's OpenSSL has no Encrypted Client Hello") from None
                raise

    @staticmethod
    def until_it_works(attempt):
        """A client may need a moment to see that its session is lost."""
        until = time.monotonic() + ENOUGH_SECONDS
        while True:
            try:
                return attempt()
            except (Failed, OSError):
                if time.monotonic() > until:
                    raise Failed(f"nothing gets through {ENOUGH_SECONDS} s after the session was lost") from None
                time.sleep(0.1)
