// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <system_error>
#include <vector>

#include "core/dns/answer.hpp"
#include "strata/transport/core/clock.hpp"
#include "strata/transport/core/dns_message.hpp"
#include "strata/transport/core/random.hpp"

namespace strata::transport {
inline namespace v0 {
namespace dns {

/// A name server and what carries questions there.
struct path_kind {
  /// Anybody can answer, so an answer has to match and what does not is ignored; else there is one
  /// answer to each query, and a wrong one is the server's fault.
  bool is_datagram = true;
  bool has_stream = true;     ///< A datagram path whose server can be asked by TCP too.
  bool is_encrypted = false;  ///< Queries are padded and have the ID zero.
};

struct inquiry_options {
  std::span<const path_kind> paths;  ///< In the order of preference; outlives the inquiry.
  /// From one attempt to the next; twice as long each round.
  duration attempt_timeout = std::chrono::milliseconds(1500);
  unsigned rounds = 3;  ///< How often each path is tried.
  bool shuffles_case = false;
};

/// Where an attempt is to go.
struct attempt_route {
  std::size_t path = 0;
  bool by_stream = false;
};

/// One question, asked until somebody answers it: every path in turn, by TCP what does not fit a
/// datagram, CNAMEs to their end. Answers to earlier attempts are good as long as it runs.
class inquiry {
 public:
  inquiry(dns_question asked, const inquiry_options& options, random_source& random);

  struct query {
    std::uint32_t attempt = 0;  ///< Names it to receive() and failed().
    attempt_route route;
    bytes message;  ///< Lent until the inquiry is destroyed.
  };
  /// What to send now, or nothing. Ask until nothing.
  bool poll_query(time_point now, query& out);
  /// `age`: how long a cache on the way has had it (RFC 8484 section 5.1).
  void receive(time_point now, std::uint32_t attempt, bytes message,
               std::chrono::seconds age = std::chrono::seconds(0));
  /// The carrier of an attempt will bring no answer any more.
  void failed(time_point now, std::uint32_t attempt, std::error_code error);
  void handle_timeout(time_point now);
  std::optional<time_point> next_timeout() const noexcept;
  /// Somebody may still answer it.
  bool is_open(std::uint32_t attempt) const noexcept;

  bool is_done() const noexcept { return is_done_; }
  /// Why there is no answer; nothing when there is one.
  const std::error_code& error() const noexcept { return error_; }
  const dns_answer& answer() const noexcept { return answer_; }
  /// What was asked for, before any CNAME.
  const dns_question& question() const noexcept { return question_; }

 private:
  struct attempt {
    attempt_route route;
    dns_question asked;
    std::uint16_t id = 0;
    bool has_extension = true;
    bool is_open = true;
    unsigned mismatches = 0;
    std::vector<std::byte> message;
  };

  const path_kind& kind_of(const attempt& of) const { return options_.paths[of.route.path]; }
  bool matches(const attempt& of, const dns_message& response) const noexcept;
  void start(time_point now, attempt_route route);
  void start_next(time_point now);
  void give_up(time_point now, attempt& which, std::error_code why);
  void mismatch(time_point now, attempt& which);
  void judge(time_point now, attempt& which, const dns_message& response, std::chrono::seconds age);
  void finish(dns_answer answer);
  void fail(std::error_code why);

  dns_question question_;
  dns_name name_;  // at the end of the CNAMEs so far
  inquiry_options options_;
  random_source& random_;
  std::vector<attempt> attempts_;
  std::size_t sent_ = 0;     // of those
  std::size_t started_ = 0;  // of all turns, rounds times paths
  unsigned aliases_ = 0;
  std::chrono::seconds ttl_ = std::chrono::seconds::max();
  bool has_extension_ = true;
  time_point due_{};  // the next attempt
  bool is_done_ = false;
  std::error_code error_;
  dns_answer answer_;
};

}  // namespace dns
}  // namespace v0
}  // namespace strata::transport
