// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "strata/proxy/core/http_forwarder.hpp"
#include "strata/transport/core/error.hpp"

namespace strata::proxy::core::testing {

using transport::as_bytes;
using transport::as_text;

/// A head with these field lines, each ended by CR LF.
inline std::string head_of(std::string_view line, std::string_view fields = "") {
  return std::string(line).append("\r\n").append(fields).append("\r\n");
}
inline std::string get(std::string_view uri, std::string_view fields = "") {
  return head_of("GET " + std::string(uri) + " HTTP/1.1", "Host: h\r\n" + std::string(fields));
}
inline std::string post(std::string_view uri, std::string_view fields = "") {
  return head_of("POST " + std::string(uri) + " HTTP/1.1", "Host: h\r\n" + std::string(fields));
}
inline std::string response(unsigned status, std::string_view fields = "") {
  return head_of("HTTP/1.1 " + std::to_string(status) + " x", fields);
}

/// A forwarder between a client and its origins, each with what it has said and was not taken yet.
class forward_run {
  std::string from_client_;
  std::string from_origin_;
  std::string to_client_;
  std::string to_origin_;
  std::size_t step_;

 public:
  explicit forward_run(std::string_view text, const http_forwarder_config& config = {},
                       std::size_t step = SIZE_MAX)
      : step_(step), forwarder(begin(text, config)) {}

  /// The client, or the origin, says this.
  void client(std::string_view text) {
    from_client_ += text;
    pump();
  }
  void origin(std::string_view text) {
    from_origin_ += text;
    pump();
  }
  /// The wanted origin is connected to.
  void dial() {
    REQUIRE(forwarder.wanted() != nullptr);
    from_origin_.clear();
    forwarder.connected();
    pump();
  }
  void refuse(refusal why) {
    forwarder.refuse(why);
    pump();
  }
  void end_client() {
    forwarder.end_client();
    pump();
  }
  void end_origin(bool in_order = true) {
    forwarder.end_origin(in_order);
    pump();
  }

  std::string take_client() { return std::exchange(to_client_, {}); }
  std::string take_origin() { return std::exchange(to_origin_, {}); }
  std::size_t untaken_by_client() const { return from_client_.size(); }
  std::size_t untaken_by_origin() const { return from_origin_.size(); }
  bool wants_dial() const { return forwarder.wanted() != nullptr; }

  http_forwarder forwarder;

 private:
  http_forwarder begin(std::string_view text, const http_forwarder_config& config) {
    auto parser = transport::http1_head_parser::of_requests(config.head);
    const auto taken = parser.receive(as_bytes(text));
    REQUIRE(taken);
    REQUIRE(parser.is_done());
    from_client_ = text.substr(*taken);
    return http_forwarder(config, parser.head(), "user");
  }
  /// How much of it was taken.
  template <class Receive>
  bool feed(std::string& text, const Receive& receive) {
    if (text.empty()) return false;
    const std::string_view piece = std::string_view(text).substr(0, step_);
    const std::size_t taken = receive(as_bytes(piece));
    CHECK(taken <= piece.size());
    text.erase(0, taken);
    return taken != 0;
  }
  void pump() {
    for (bool moved = true; moved;) {
      moved = false;
      while (!forwarder.to_origin().empty()) {
        const auto out = forwarder.to_origin();
        const std::size_t size = std::min(step_, out.size());
        to_origin_ += as_text(out.first(size));
        forwarder.sent_to_origin(size);
      }
      while (!forwarder.to_client().empty()) {
        const auto out = forwarder.to_client();
        const std::size_t size = std::min(step_, out.size());
        to_client_ += as_text(out.first(size));
        forwarder.sent_to_client(size);
      }
      if (forwarder.wants_client())
        moved = feed(from_client_, [&](auto piece) { return forwarder.receive_client(piece); });
      if (forwarder.wants_origin())
        moved |= feed(from_origin_, [&](auto piece) { return forwarder.receive_origin(piece); });
    }
  }
};

}  // namespace strata::proxy::core::testing
