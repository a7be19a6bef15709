// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <string>

#include "strata/quic/export.hpp"
#include "strata/transport/core/bytes.hpp"

namespace strata::quic {
inline namespace v0 {

/// What a peer that lost its state proves itself with (RFC 9000 section 10.3). Compare it in
/// constant time.
using stateless_reset_token = std::array<std::byte, 16>;

/// A connection ID of QUIC version 1: 0 to 20 bytes (RFC 9000 section 17.2), held in place.
class connection_id {
 public:
  static constexpr std::size_t max_size = 20;

  constexpr connection_id() noexcept = default;
  /// Copies `value`, of at most max_size bytes: decoders check the length before they come here.
  explicit connection_id(transport::bytes value) noexcept
      : size_(static_cast<std::uint8_t>(std::min(value.size(), max_size))) {
    assert(value.size() <= max_size);
    transport::copy_bytes(storage_.data(), value.first(size_));
  }

  transport::bytes bytes() const noexcept { return {storage_.data(), size_}; }
  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }

  /// For hash tables. A peer chooses some IDs, and with a key it knew it could choose them all into
  /// one bucket: give `key` 64 unpredictable bits, drawn once per table and never sent.
  STRATA_QUIC_API std::uint64_t hash(std::uint64_t key) const noexcept;

  /// Lower-case hexadecimal, as qlog writes it.
  STRATA_QUIC_API std::string hex() const;

  /// What follows the ID in storage_ is always zero, so all of it may be compared.
  friend bool operator==(const connection_id&, const connection_id&) noexcept = default;
  friend bool operator==(const connection_id& id, transport::bytes other) noexcept {
    return transport::equal_bytes(id.bytes(), other);
  }

 private:
  std::array<std::byte, max_size> storage_{};
  std::uint8_t size_ = 0;
};

/// The hasher of an unordered container; its key is that of connection_id::hash.
struct connection_id_hash {
  std::uint64_t key;
  std::size_t operator()(const connection_id& id) const noexcept {
    return static_cast<std::size_t>(id.hash(key));
  }
};

}  // namespace v0
}  // namespace strata::quic
