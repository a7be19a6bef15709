// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "strata/transport/core/clock.hpp"
#include "strata/transport/core/dns_message.hpp"
#include "strata/transport/core/limits.hpp"
#include "strata/transport/export.hpp"

namespace strata::transport {
inline namespace v0 {

/// What name servers said to one question, with the CNAMEs on the way behind it.
struct dns_answer {
  enum class outcome_type : std::uint8_t {
    found,
    no_records,  ///< The name is there, and has nothing of that type.
    no_name,
  };
  outcome_type outcome = outcome_type::no_name;
  dns_name canonical;  ///< Where the CNAMEs lead; the name that was asked for without any.
  std::vector<dns_record> records;  ///< Of the type that was asked for, at `canonical`.
  std::chrono::seconds ttl{0};      ///< The least of all that led here.

  friend bool operator==(const dns_answer&, const dns_answer&) = default;
};

struct dns_cache_limits {
  std::size_t entries = limits::dns_cache_entries;
  std::size_t bytes = limits::dns_cache_bytes;  ///< Of all answers, by estimate.
  std::chrono::seconds longest = limits::dns_longest_ttl;
  std::chrono::seconds longest_negative = limits::dns_longest_negative_ttl;
};

/// Answers that are still good, also those that something is not there (RFC 2308). When it is full,
/// what was asked for longest ago goes. Answers depend on where one asks: clear it when the network
/// changes (RFC 9460 section 12).
class STRATA_TRANSPORT_API dns_cache {
 public:
  explicit dns_cache(const dns_cache_limits& bounds = {}) : bounds_(bounds) {}
  dns_cache(const dns_cache&) = delete;
  dns_cache& operator=(const dns_cache&) = delete;

  /// Answers without a TTL are not kept, nor those that are larger than the whole cache.
  void store(time_point now, const dns_question& asked, dns_answer answer);
  /// With what is left of its TTL, at least a second.
  std::optional<dns_answer> find(time_point now, const dns_question& asked);
  void clear() noexcept;

  std::size_t entries() const noexcept { return by_question_.size(); }
  std::size_t bytes() const noexcept { return bytes_; }

 private:
  using key = std::pair<std::string, std::uint32_t>;  // folded labels; type and class
  struct entry {
    key question;
    dns_answer answer;
    time_point until;
    std::size_t cost = 0;
  };
  using entry_list = std::list<entry>;

  static key key_of(const dns_question& asked);
  void erase(entry_list::iterator at);

  dns_cache_limits bounds_;
  entry_list entries_;  // what was used last stands first
  // Ordered: names are chosen by others, who could make a hash table slow.
  std::map<key, entry_list::iterator> by_question_;
  std::size_t bytes_ = 0;
};

}  // namespace v0
}  // namespace strata::transport
