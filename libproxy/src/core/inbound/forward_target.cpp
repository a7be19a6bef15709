// SPDX-License-Identifier: Apache-2.0
#include "core/inbound/forward_target.hpp"

#include "core/ascii_case.hpp"
#include "core/socks_target.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace core {
namespace {

constexpr std::uint16_t default_http_port = 80;
constexpr transport::http1_problem not_absolute{400, "a proxy wants a whole URI, or CONNECT"};
constexpr transport::http1_problem late_tunnel{400, "a CONNECT is the first of its connection"};
constexpr transport::http1_problem other_scheme{400, "only http is fetched: CONNECT for others"};
constexpr transport::http1_problem no_target{400, "a host or a port that is none"};

}  // namespace

std::optional<transport::target> target_of_forward(const transport::http1_target& named,
                                                   transport::http1_problem& problem) {
  using enum transport::http1_target_form;
  if (named.form != absolute) {
    problem = named.form == authority ? late_tunnel : not_absolute;
    return std::nullopt;
  }
  if (!equal_ignoring_case(named.scheme, "http")) {
    problem = other_scheme;
    return std::nullopt;
  }
  const auto where = target_of_name(named.host, named.port.value_or(default_http_port));
  if (where && where->port() != 0) return where;
  problem = no_target;
  return std::nullopt;
}

}  // namespace core
}  // namespace v0
}  // namespace strata::proxy
