// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>
#include <string>

#include "strata/mux/core/error.hpp"
#include "strata/transport/core/error.hpp"

namespace mux = strata::mux;
namespace transport = strata::transport;

TEST_CASE("mux errc: every code has a text of its own and a condition", "[mux][error]") {
  std::string seen;
  for (int value = 1; value <= 17; ++value) {
    const std::error_code code = static_cast<mux::errc>(value);
    CHECK(code.category().name() == std::string("strata.mux"));
    CHECK(code.message() != "unknown mux error");
    CHECK(seen.find(code.message() + ";") == std::string::npos);
    seen += code.message() + ";";
  }
  CHECK(std::error_code(18, mux::error_category()).message() == "unknown mux error");
}

TEST_CASE("mux errc: conditions tell violations, silence and closing apart", "[mux][error]") {
  using enum transport::condition;
  CHECK(std::error_code(mux::errc::bad_version) == protocol_error);
  CHECK(std::error_code(mux::errc::flood) == protocol_error);
  CHECK(std::error_code(mux::errc::window_exceeded) == protocol_error);
  CHECK(std::error_code(mux::errc::bad_command) == protocol_error);
  CHECK(std::error_code(mux::errc::settings_missing) == protocol_error);
  CHECK(std::error_code(mux::errc::bad_settings) == protocol_error);
  CHECK(std::error_code(mux::errc::keep_alive_expired) == timed_out);
  CHECK(std::error_code(mux::errc::authentication_failed) == refused);
  CHECK(std::error_code(mux::errc::stream_refused) == refused);
  CHECK(std::error_code(mux::errc::peer_alert) == closed);
  CHECK(std::error_code(mux::errc::peer_saw_violation) == closed);
  CHECK(std::error_code(mux::errc::peer_failed) == closed);
  CHECK(std::error_code(mux::errc::peer_failed) != protocol_error);
}

TEST_CASE("close_reason: one line with who, which code and why", "[mux][error]") {
  using origin = mux::close_reason::origin_kind;
  CHECK(mux::close_reason{}.describe() == "closed by this side");
  CHECK(mux::close_reason{origin::local_session, 1, mux::errc::flood}.describe() ==
        "given up by this side, Go Away 1: too many frames that serve nobody");
  CHECK(mux::close_reason{origin::peer, 0, transport::errc::closed_by_peer}.describe() ==
        "closed by the peer, Go Away 0: closed by the peer");
  CHECK(mux::close_reason{origin::carrier, 0, transport::errc::truncated}.describe().starts_with(
      "lost with its carrier: "));
  CHECK(mux::close_reason{origin::timed_out, 0, {}}.describe() == "timed out");
}
