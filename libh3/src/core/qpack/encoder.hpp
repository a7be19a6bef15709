// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "strata/h3/core/field_section.hpp"
#include "strata/transport/core/bytes.hpp"

namespace strata::h3 {
inline namespace v0 {
namespace core::qpack {

using transport::bytes;

/// The sending half of QPACK: field lines in, encoded field sections out. It uses the static table
/// and Huffman literals only, so it keeps no state per stream, can block none, and has nothing to
/// say on its encoder stream. The calls are those that a dynamic table needs too: sections belong
/// to a stream, and the peer's decoder stream is read.
class encoder {
 public:
  /// Appends the encoded field section of `lines`, in their order, to `out`.
  void encode(std::uint64_t stream_id, std::span<const field_line> lines,
              std::vector<std::byte>& out);

  /// Bytes of the peer's decoder stream, in order and in any pieces. False:
  /// QPACK_DECODER_STREAM_ERROR.
  [[nodiscard]] bool receive(bytes input);

 private:
  bool run_instruction(std::uint8_t first, std::uint64_t value) const noexcept;

  std::vector<std::byte>
      pending_;  // an instruction cut short: at most max_prefix_integer_size bytes
};

/// Whether the value of this line must not be guessable by compression: credentials, set-cookie,
/// short cookies, and what the application marked.
bool is_never_indexed(const field_line& line) noexcept;

}  // namespace core::qpack
}  // namespace v0
}  // namespace strata::h3
