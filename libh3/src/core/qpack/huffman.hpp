// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "strata/transport/core/bytes.hpp"

namespace strata::h3 {
inline namespace v0 {
namespace core::qpack {

/// Memory that decoding `size` bytes may touch: the shortest code has five bits, and two bytes are
/// stored at a time.
constexpr std::size_t huffman_decoded_bound(std::size_t size) noexcept { return size * 8 / 5 + 2; }

/// Decodes into `out`, which has room for huffman_decoded_bound(input.size()). Nothing when the
/// end-of-string symbol occurs, or the padding is longer than seven bits or not all ones (RFC 7541
/// section 5.2).
std::optional<std::size_t> huffman_decode(transport::bytes input, char* out) noexcept;

std::size_t huffman_encoded_size(std::string_view text) noexcept;

/// Writes huffman_encoded_size(text) bytes and returns their end.
std::byte* huffman_encode(std::string_view text, std::byte* out) noexcept;

}  // namespace core::qpack
}  // namespace v0
}  // namespace strata::h3
