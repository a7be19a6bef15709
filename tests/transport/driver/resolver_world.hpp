// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/io_context.hpp>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <optional>
#include <string>

#include "strata/transport/core/error.hpp"
#include "strata/transport/resolver.hpp"
#include "testkit/error_text.hpp"

namespace strata::tests {

/// Where resolvers are asked, one question at a time.
struct resolver_world {
  /// What a resolution ended in: the addresses, or the error.
  std::string ask(transport::resolver& names, const std::string& host) {
    return ask(names, host, {.https = false});
  }
  std::string ask(transport::resolver& names, const std::string& host,
                  const transport::resolve_options& wanted) {
    std::optional<std::string> out;
    names.async_resolve(host, wanted, [&](std::error_code error, auto found) {
      out = error ? error.message() : text(*found);
      CHECK((found != nullptr) == !error);
    });
    run_until([&] { return out.has_value(); });
    return out.value_or("nothing");
  }

  static std::string text(const transport::resolution& found) {
    std::string out;
    for (const transport::address& each : found.addresses)
      out += (out.empty() ? "" : " ") + each.ip_string();
    for (const auto& each : found.services) out += "; " + describe(each.record);
    return out;
  }

  template <class Condition>
  void run_until(Condition holds) {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!holds() && std::chrono::steady_clock::now() < limit)
      context.run_one_for(std::chrono::seconds(1));
    REQUIRE(holds());
  }

  asio::io_context context;
};

}  // namespace strata::tests
