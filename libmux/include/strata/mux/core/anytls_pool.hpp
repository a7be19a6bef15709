// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "strata/mux/core/anytls_padding.hpp"
#include "strata/mux/core/limits.hpp"
#include "strata/mux/export.hpp"
#include "strata/transport/core/clock.hpp"

namespace strata::mux {
inline namespace v0 {
namespace core {

using transport::time_point;

struct anytls_pool_config {
  /// How often idle sessions are looked at. Up to limits::anytls::min_pool_time it is
  /// pool_replacement, as everybody has it, and so is the timeout.
  std::chrono::milliseconds check_interval = limits::anytls::pool_interval;
  /// An idle session that is found to be older is closed, ...
  std::chrono::milliseconds idle_timeout = limits::anytls::pool_timeout;
  std::size_t min_idle = 0;  ///< ... unless it is among the so many newest ones.
  bool reuse = true;         ///< False: a session carries one stream.
  /// What the first session pads with; a server may push another, for all that come after.
  anytls_padding_scheme padding = anytls_padding_scheme::standard();
};

/// Which session of a client the next stream is opened in: the newest that is idle, else a new one.
/// One stream at a time is in a session, because streams hold each other up. It owns no sessions:
/// they are numbers, which grow with each one that is dialled.
class STRATA_MUX_API anytls_pool {
 public:
  using number = std::uint64_t;

  struct choice {
    enum class kind_type : std::uint8_t {
      reuse,  ///< Open a stream in `session`.
      dial,   ///< Dial a carrier for `session`, which is new.
      wait,   ///< Sessions died before they came to life: not before `until`.
    };
    kind_type kind = kind_type::dial;
    number session = 0;
    time_point until{};
  };

  explicit anytls_pool(const anytls_pool_config& config);

  /// A session for one stream.
  choice acquire(time_point now);
  /// The same, but not one that was used before: the one from acquire() died before it could open
  /// the stream.
  choice acquire_new(time_point now);
  /// The server of that session said something: it, and dialling, works.
  void came_alive(number session);
  /// Its stream has ended in order, both ways, and everything of it was read or given up. The
  /// session is idle now, or in poll_closing().
  void release(time_point now, number session);
  /// It is gone, or could not be dialled.
  void lost(time_point now, number session);

  void handle_timeout(time_point now);
  std::optional<time_point> next_timeout() const;
  /// A session to be closed, which the pool has forgotten; the oldest first.
  std::optional<number> poll_closing();

  std::size_t idle() const noexcept { return idle_.size(); }
  /// Dialling, or with a stream.
  std::size_t busy() const noexcept { return busy_.size(); }
  /// Sessions in a row that died, or failed to be dialled, before their server said anything.
  unsigned dead_on_arrival() const noexcept { return dead_on_arrival_; }

  const anytls_padding_scheme& padding() const noexcept { return config_.padding; }
  /// A server of this client pushed another. Those of other clients do not see it (A08).
  void update_padding(anytls_padding_scheme pushed) { config_.padding = std::move(pushed); }

 private:
  struct entry {
    bool alive = false;
    time_point idle_since{};
  };

  anytls_pool_config config_;
  std::map<number, entry> idle_;
  std::map<number, entry> busy_;
  std::vector<number> closing_;  ///< The next one at the end.
  std::optional<time_point> next_check_;
  number last_ = 0;
  unsigned dead_on_arrival_ = 0;
  time_point dial_from_{};
};

}  // namespace core
}  // namespace v0
}  // namespace strata::mux
