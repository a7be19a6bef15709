// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "strata/transport/core/bytes.hpp"
#include "strata/transport/core/http1_head.hpp"
#include "strata/transport/core/limits.hpp"
#include "strata/transport/core/result.hpp"
#include "strata/transport/export.hpp"

namespace strata::transport {
inline namespace v0 {

/// Reads a body in chunked coding (RFC 9112 section 7.1) from bytes cut anywhere, and copies
/// nothing. Chunk extensions are bounded and skipped; trailer fields are checked like those of a
/// head and dropped, since none may change what the head has said.
class STRATA_TRANSPORT_API http1_chunked_decoder {
 public:
  struct piece {
    std::size_t consumed = 0;  ///< Bytes at the front of the input that are done with.
    bytes content;             ///< The last of those, when they are content.
  };
  /// Reads on up to the end of the next piece of content, of the input, or of the body. Errors:
  /// malformed, limit_exceeded; problem() says more, and every later call fails alike.
  result<piece> next(bytes input);
  /// What comes after is the next message's.
  bool is_done() const noexcept { return state_ == state::done; }
  const http1_problem* problem() const noexcept { return problem_; }
  void restart() noexcept { *this = http1_chunked_decoder(); }

 private:
  enum class state : std::uint8_t {
    size,
    extension,
    size_line_end,
    content,
    content_return,
    content_line_end,
    trailers,
    done,
    failed,
  };
  const http1_problem* step(char octet);
  const http1_problem* read_size(char octet);
  const http1_problem* read_extension(char octet);
  const http1_problem* read_trailers(char octet);
  const http1_problem* end_trailer_line();

  std::uint64_t left_ = 0;  // of the chunk
  std::uint64_t content_size_ = 0;
  std::uint64_t extension_total_ = 0;
  std::size_t extension_size_ = 0;
  std::size_t trailer_size_ = 0;
  std::size_t trailer_count_ = 0;
  std::string trailer_line_;
  const http1_problem* problem_ = nullptr;
  std::uint8_t digits_ = 0;
  bool quoted_ = false;   // within a quoted-string of the extension, and ...
  bool escaped_ = false;  // ... behind its backslash
  state state_ = state::size;
};

/// The line before a chunk of `size` bytes; `size` of zero is the last chunk, which has no trailer
/// fields here. After the content of any other chunk comes CR LF.
STRATA_TRANSPORT_API void append_http1_chunk_line(std::string& out, std::uint64_t size);

}  // namespace v0
}  // namespace strata::transport
