// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "strata/mux/core/anytls_config.hpp"
#include "strata/transport/core/bytes.hpp"

namespace strata::mux {
inline namespace v0 {
namespace core::anytls {

/// What a client says first: SHA-256 of the password, the size of its padding, and zeros. It must
/// leave in one record, since others read it by one read.
inline constexpr std::size_t authentication_size = 32 + 2;
std::array<std::byte, authentication_size> authentication_request(
    const transport::sha256_digest& password, std::uint16_t padding) noexcept;

/// A server's side of it, however many pieces it comes in. Not more than authentication_size bytes
/// are kept, whatever the size of the padding (A07).
class authentication {
 public:
  enum class stage : std::uint8_t { reading, padding, accepted, rejected };

  /// Takes its bytes from the front of `input`. `users` must be the same ones every time.
  stage receive(const anytls_users& users, transport::bytes& input);
  /// Nothing more will come, or no more time is given.
  void give_up() noexcept {
    if (stage_ != stage::accepted) stage_ = stage::rejected;
  }

  stage reached() const noexcept { return stage_; }
  /// Once a password was found to be that of a user, who need not be accepted yet.
  std::optional<std::string_view> user() const noexcept { return user_; }
  /// All that was taken, when it was rejected before a password was found.
  transport::bytes taken() const noexcept { return transport::bytes(head_).first(held_); }

 private:
  void take(transport::bytes& input, std::size_t up_to) noexcept;

  std::array<std::byte, authentication_size> head_{};
  std::size_t held_ = 0;
  std::size_t padding_left_ = 0;
  std::optional<std::string_view> user_;
  stage stage_ = stage::reading;
};

}  // namespace core::anytls
}  // namespace v0
}  // namespace strata::mux
