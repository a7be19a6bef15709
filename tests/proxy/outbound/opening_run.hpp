// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "strata/proxy/core/outbound_opening.hpp"
#include "strata/transport/core/error.hpp"

namespace strata::proxy::core::testing {

using kind = transport::next_action::kind_type;
using transport::address;
using transport::target;

/// Octets, NULs included.
template <std::size_t Size>
std::string octets(const char (&text)[Size]) {
  return std::string(text, Size - 1);
}

/// All that an opening has to send now.
template <class Opening>
std::string drain(Opening& opening) {
  std::string out;
  while (opening.next().kind == kind::send) {
    const transport::bytes output = opening.next().output;
    REQUIRE_FALSE(output.empty());
    const std::size_t size = std::min<std::size_t>(output.size(), 7);
    out += transport::as_text(output.first(size));
    opening.sent(size);
  }
  return out;
}

/// What becomes of an opening whose proxy sends this in such pieces.
struct outcome {
  kind at;
  std::error_code error;
  std::string sent;
  std::size_t taken;

  friend bool operator==(const outcome&, const outcome&) = default;
};

template <class Opening>
outcome play(Opening& opening, std::string_view text, std::size_t step = SIZE_MAX) {
  outcome seen{kind::failed, {}, drain(opening), 0};
  while (seen.taken < text.size() && opening.next().kind == kind::need_input) {
    const std::string_view piece = text.substr(seen.taken, step);
    const std::size_t size = opening.receive(transport::as_bytes(piece));
    CHECK(size <= piece.size());
    seen.taken += size;
    seen.sent += drain(opening);
    if (size == 0 && opening.next().kind == kind::need_input) {
      CHECK(size != 0);
      break;
    }
  }
  seen.at = opening.next().kind;
  seen.error = opening.next().error;
  return seen;
}

/// The same whatever the pieces. `make` gives a new opening.
template <class Make>
outcome play_all(const Make& make, std::string_view text) {
  auto whole = make();
  const outcome first = play(whole, text);
  for (std::size_t step = 1; step < 12; ++step) {
    auto pieces = make();
    const outcome again = play(pieces, text, step);
    const bool same = again.at == first.at && again.error == first.error &&
                      again.sent == first.sent &&
                      (first.at != kind::done || again.taken == first.taken);
    CHECK(same);
  }
  return first;
}

}  // namespace strata::proxy::core::testing
