# SPDX-License-Identifier: Apache-2.0
"""./dev interop proxy: clients of proxies by others through strata-proxy, strata-proxy through proxies of others, and both ends of
tunnels."""

from . import NotApplicable, building, certificates, proxy_programs, proxy_scenarios, tunnel_programs, tunnel_scenarios
from .programs import OURS
from .proxy_programs import Ours
from .proxy_scenarios import APPLICATIONS, CHAINED, INBOUND, OUTBOUND
from .suite import Suite, SuiteCell
from .tunnel import TunnelCell
from .tunnel_programs import OurTunnel
from .tunnel_scenarios import TUNNEL


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


def cell(folder, scenario, pair):
    return (TunnelCell if scenario.protocol == TUNNEL else ProxyCell)(folder, scenario, pair)


def ours(folder, protocol):
    return (OurTunnel if protocol == TUNNEL else Ours)(OURS, folder)


def program(name, command):
    if kind := tunnel_programs.PEERS.get(name):
        return kind(name, command)
    return proxy_programs.program(name, command)


SUITE = Suite(
    name="proxy", what="Talks to clients and servers of SOCKS and HTTP proxies, and to both ends of tunnels.",
    recipes={INBOUND: building.PROXY_CLIENT_RECIPES, APPLICATIONS: building.PROXY_APPLICATION_RECIPES, CHAINED: building.ANYTLS_RECIPES,
             OUTBOUND: building.PROXY_SERVER_RECIPES, TUNNEL: building.TUNNEL_RECIPES},
    scenarios=(*proxy_scenarios.SCENARIOS, *tunnel_scenarios.SCENARIOS), binaries=(Ours.PROGRAM,), ours=ours, cell=cell, program=program,
    only_clients=frozenset({INBOUND, APPLICATIONS, CHAINED}), only_servers=frozenset({OUTBOUND}), with_ourselves=frozenset({TUNNEL}))


def main(arguments):
    return SUITE.main(arguments)
