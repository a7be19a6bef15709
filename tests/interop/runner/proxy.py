# SPDX-License-Identifier: Apache-2.0
"""./dev interop proxy: clients of proxies by others through strata-proxy, and strata-proxy through proxies of others."""

from . import NotApplicable, building, certificates
from .programs import OURS
from .proxy_programs import Ours, program
from .proxy_scenarios import APPLICATIONS, CHAINED, INBOUND, OUTBOUND, SCENARIOS
from .suite import Suite, SuiteCell


class ProxyCell(SuiteCell):
    def adopt(self, child):
        self._children.append(child)

    def certificates(self):
        """Made once for all cells."""
        folder = self.folder.parent / "certificates"
        if not hasattr(ProxyCell, "_certificates"):
            ProxyCell._certificates = certificates.make(folder)
        return ProxyCell._certificates

    def demand_put(self):
        if not hasattr(self.client, "put"):
            raise NotApplicable(f"{self.client.name} only fetches")


SUITE = Suite(
    name="proxy", what="Talks to clients and servers of SOCKS and HTTP proxies.",
    recipes={INBOUND: building.PROXY_CLIENT_RECIPES, APPLICATIONS: building.PROXY_APPLICATION_RECIPES,
             CHAINED: building.ANYTLS_RECIPES, OUTBOUND: building.PROXY_SERVER_RECIPES}, scenarios=SCENARIOS,
    binaries=(Ours.PROGRAM,), ours=lambda folder, _: Ours(OURS, folder), cell=ProxyCell, program=program,
    only_clients=frozenset({INBOUND, APPLICATIONS, CHAINED}), only_servers=frozenset({OUTBOUND}))


def main(arguments):
    return SUITE.main(arguments)
