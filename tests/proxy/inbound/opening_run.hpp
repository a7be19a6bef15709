// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "strata/proxy/core/inbound_opening.hpp"
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

inline std::shared_ptr<const user_table> some_users() {
  auto made = std::make_shared<user_table>();
  REQUIRE(made->add("user", "pass"));
  REQUIRE(made->add("other", "word"));
  return made;
}

inline inbound_config with_users() {
  inbound_config config;
  config.users = some_users();
  return config;
}

inline inbound_config with_all() {
  inbound_config config;
  config.bind = config.pages = true;
  return config;
}

/// An opening with a driver that does what it says.
class opening_run {
 public:
  explicit opening_run(const inbound_config& config = {}) : opening(config) {}

  /// In pieces of so many bytes; how many of them were taken.
  std::size_t send(std::string_view text, std::size_t step = SIZE_MAX) {
    std::size_t taken = 0;
    drain();
    while (taken < text.size() && at() == kind::need_input) {
      const std::string_view piece = text.substr(taken, step);
      const std::size_t size = opening.receive(transport::as_bytes(piece));
      CHECK(size <= piece.size());
      taken += size;
      drain();
      if (size == 0) CHECK(at() != kind::need_input);
    }
    return taken;
  }

  void drain() {
    while (at() == kind::send) {
      const transport::bytes output = opening.next().output;
      REQUIRE_FALSE(output.empty());
      const std::size_t size = std::min<std::size_t>(output.size(), 7);
      answer += transport::as_text(output.first(size));
      opening.sent(size);
    }
  }
  std::string take_answer() {
    drain();
    return std::exchange(answer, {});
  }

  void accept(const address& bound = {}) {
    opening.accept(bound);
    drain();
  }
  void refuse(refusal why) {
    opening.refuse(why);
    drain();
  }

  kind at() const { return opening.next().kind; }
  std::error_code error() const { return opening.next().error; }
  const request& wanted() const { return opening.wanted(); }

  inbound_opening opening;
  std::string answer;
};

/// What a client that sends all this at once, or in such pieces, gets and leaves.
struct outcome {
  kind at;
  std::error_code error;
  std::string answer;
  std::size_t taken;
  std::string where;
  std::string user;

  friend bool operator==(const outcome&, const outcome&) = default;
};

inline outcome outcome_of(opening_run& run, std::size_t taken) {
  // Of a head that is none nobody says where it ends.
  if (run.wanted().spoken == protocol::http && run.opening.head() == nullptr) taken = 0;
  return {run.at(),         run.error(), run.take_answer(), taken, run.wanted().where.string(),
          run.wanted().user};
}

/// The same whatever the pieces: all at once, byte by byte, and cut in two at every byte.
inline outcome outcome_of(std::string_view text, const inbound_config& config = {}) {
  opening_run whole(config);
  outcome first = outcome_of(whole, whole.send(text));
  opening_run bytewise(config);
  CHECK(outcome_of(bytewise, bytewise.send(text, 1)) == first);
  for (std::size_t cut = 1; cut < std::min<std::size_t>(text.size(), 600); ++cut) {
    opening_run parts(config);
    std::size_t taken = parts.send(text.substr(0, cut));
    if (taken == cut) taken += parts.send(text.substr(cut));
    const bool same = outcome_of(parts, taken) == first;
    if (!same) CHECK(cut == 0);
  }
  return first;
}

}  // namespace strata::proxy::core::testing
