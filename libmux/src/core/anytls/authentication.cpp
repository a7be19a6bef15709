// SPDX-License-Identifier: Apache-2.0
#include "core/anytls/authentication.hpp"

#include <algorithm>

#include "strata/transport/core/buffer_writer.hpp"

namespace strata::mux {
inline namespace v0 {
namespace core::anytls {
namespace {

using transport::bytes;

/// Whether these are all of a request in text, which a probe may well make shorter than a password
/// is. It looks at nothing secret: an answer that depended on how many bytes of a password were
/// guessed would give it away byte by byte.
bool is_whole_request(bytes taken) noexcept {
  const std::string_view text = transport::as_text(taken);
  const bool is_text = std::ranges::all_of(text, [](char letter) {
    return (letter >= ' ' && letter <= '~') || letter == '\r' || letter == '\n';
  });
  return is_text && (text.ends_with("\r\n\r\n") || text.ends_with("\n\n"));
}

}  // namespace

std::array<std::byte, authentication_size> authentication_request(
    const transport::sha256_digest& password, std::uint16_t padding) noexcept {
  std::array<std::byte, authentication_size> made{};
  transport::buffer_writer writer(made);
  writer.put(password);
  writer.u16(padding);
  return made;
}

void authentication::take(bytes& input, std::size_t up_to) noexcept {
  const std::size_t size = std::min(input.size(), up_to - held_);
  transport::copy_bytes(head_.data() + held_, input.first(size));
  held_ += size;
  input = input.subspan(size);
}

authentication::stage authentication::receive(const anytls_users& users, bytes& input) {
  constexpr std::size_t whole = std::tuple_size_v<transport::sha256_digest>;
  if (stage_ == stage::reading && held_ < whole) {
    take(input, whole);
    if (held_ < whole) {
      if (is_whole_request(taken())) stage_ = stage::rejected;
      return stage_;
    }
    transport::sha256_digest password{};
    transport::copy_bytes(password.data(), taken());
    user_ = users.find(password);
    if (!user_) return stage_ = stage::rejected;
  }
  if (stage_ == stage::reading) {
    take(input, authentication_size);
    if (held_ < authentication_size) return stage_;
    padding_left_ = std::to_integer<std::size_t>(head_[whole]) << 8 |
                    std::to_integer<std::size_t>(head_[whole + 1]);
    stage_ = stage::padding;
  }
  if (stage_ == stage::padding) {
    const std::size_t size = std::min(input.size(), padding_left_);
    padding_left_ -= size;
    input = input.subspan(size);
    if (padding_left_ == 0) stage_ = stage::accepted;
  }
  return stage_;
}

}  // namespace core::anytls
}  // namespace v0
}  // namespace strata::mux
