// SPDX-License-Identifier: Apache-2.0
#include "metrics.hpp"

#include <string>
#include <string_view>

#include "exposition.hpp"
#include "strata/proxy/version.hpp"

namespace {

using namespace strata;

void add_inbounds(exposition& out, const service& of) {
  const auto each = [&](std::string_view name, std::string_view kind, std::string_view help,
                        auto value) {
    out.family(name, kind, help);
    for (const auto& server : of.servers())
      out.value(label("inbound", server->name()), value(server->statistics()));
  };
  using figures = proxy::proxy_statistics;
  each("strata_proxy_connections_total", "counter", "Connections of clients.",
       [](const figures& all) { return all.accepted; });
  each("strata_proxy_connections", "gauge", "Connections of clients now.",
       [](const figures& all) { return std::uint64_t{all.active}; });
  each("strata_proxy_refused_total", "counter", "Connections beyond a limit.",
       [](const figures& all) { return all.refused_by_limits; });
  each("strata_proxy_authentication_failures_total", "counter", "Wrong passwords.",
       [](const figures& all) { return all.authentication_failures; });
  each("strata_proxy_malformed_total", "counter", "What was neither SOCKS nor HTTP, or broke them.",
       [](const figures& all) { return all.malformed; });
}

std::string labels_of(const traffic::way& of) {
  return label("rule", of.rule) + "," + label("outbound", of.outbound);
}

void add_ways(exposition& out, const traffic& figures) {
  out.family("strata_proxy_requests_total", "counter",
             "Requests that are over, by the rule that decided and where it led.");
  for (const auto& [way, of] : figures.ways) {
    out.value(labels_of(way) + ",result=\"ok\"", of.requests - of.failures);
    out.value(labels_of(way) + ",result=\"error\"", of.failures);
  }
  out.family("strata_proxy_sessions", "gauge", "Requests under way.");
  for (const auto& [way, of] : figures.ways) out.value(labels_of(way), of.sessions);
  out.family("strata_proxy_bytes_total", "counter",
             "Bytes carried so far, also by what is under way; sent is towards the target.");
  for (const auto& [way, of] : figures.ways) {
    out.value(labels_of(way) + ",direction=\"sent\"", of.moved.forth);
    out.value(labels_of(way) + ",direction=\"received\"", of.moved.back);
  }
}

void add_connecting(exposition& out, const traffic& figures) {
  out.family("strata_proxy_connect_seconds", "histogram",
             "How long outbounds took to connect, where they could.");
  for (const auto& [outbound, of] : figures.connecting) {
    const std::string by = label("outbound", outbound);
    for (std::size_t i = 0; i < connect_times::bounds.size(); ++i)
      out.sample("_bucket", by + "," + label("le", connect_times::bounds[i].seconds),
                 std::to_string(of.within(i)));
    out.sample("_bucket", by + ",le=\"+Inf\"", std::to_string(of.count()));
    out.sample("_sum", by, std::to_string(of.sum().count()));
    out.sample("_count", by, std::to_string(of.count()));
  }
}

}  // namespace

std::string metrics_of(const service& of, bool is_ready, std::chrono::seconds uptime) {
  exposition out;
  out.family("strata_proxy_build_info", "gauge", "Which version this is.");
  out.value(label("version", proxy::version()), 1);
  out.family("strata_proxy_uptime_seconds", "gauge", "How long it has been running.");
  out.value("", static_cast<std::uint64_t>(uptime.count()));
  out.family("strata_proxy_ready", "gauge", "Whether clients are accepted: 0 while it drains.");
  out.value("", is_ready ? 1 : 0);
  add_inbounds(out, of);
  const traffic figures = of.figures();
  add_ways(out, figures);
  add_connecting(out, figures);
  return std::move(out).text();
}
