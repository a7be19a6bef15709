// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "strata/transport/core/random.hpp"
#include "strata/transport/core/result.hpp"
#include "strata/transport/export.hpp"

namespace strata::transport {
inline namespace v0 {

/// A domain name (RFC 1035 section 3.1), always from the root: there are no search lists here.
/// Labels may hold any octet; letters are compared without case (RFC 4343) and kept as they came.
class STRATA_TRANSPORT_API dns_name {
 public:
  static constexpr std::size_t max_label = 63;
  static constexpr std::size_t max_size = 255;  ///< In octets on the wire, the root's included.

  dns_name() = default;  ///< The root.
  /// "example.org", with or without a dot at the end; "." is the root. "\." is a dot inside a label
  /// and "\DDD" any octet (RFC 1035 section 5.1). errc::invalid_argument for empty or long labels,
  /// for long names, and for controls and spaces that are not written as "\DDD".
  static result<dns_name> parse(std::string_view text);
  /// From the labels as they stand on the wire, without the root's octet.
  static result<dns_name> from_labels(std::string_view labels);

  bool is_root() const noexcept { return labels_.empty(); }
  /// What parse() reads, without the dot at the end; "." for the root. Only printable ASCII.
  std::string string() const;
  /// Length octet and label, one after the other, without the root's octet.
  std::string_view labels() const noexcept { return labels_; }
  std::size_t wire_size() const noexcept { return labels_.size() + 1; }
  /// This name or one below it.
  bool is_within(const dns_name& zone) const noexcept;
  /// Letters are the same in case as well.
  bool is_exactly(const dns_name& other) const noexcept { return labels_ == other.labels_; }
  /// Everything in lower case, the form for keys of tables.
  dns_name folded() const;
  /// Each letter in upper or lower case by chance: bits that a forger of answers has to guess.
  dns_name shuffled_case(random_source& random) const;
  /// This name below one more label. errc::invalid_argument when that is too long.
  result<dns_name> below(std::string_view label) const;

  friend STRATA_TRANSPORT_API bool operator==(const dns_name& a, const dns_name& b) noexcept;

 private:
  std::string labels_;
};

}  // namespace v0
}  // namespace strata::transport
