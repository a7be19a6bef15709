// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "strata/transport/core/http1_chunked.hpp"
#include "strata/transport/core/http1_head.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace core {

/// Reads the body of one message and writes it again.
class forwarded_body {
 public:
  enum class form : std::uint8_t { plain, chunked };

  void begin(const transport::http1_framing& read, form written) noexcept;
  bool is_done() const noexcept { return done_; }
  /// Whether the carrier's end is the body's.
  bool ends_with_carrier() const noexcept {
    return read_.body == transport::http1_body::until_close;
  }
  /// Takes up to `room` bytes of content and appends them in the form of this side; how many bytes
  /// of the input that were. Errors: those of the chunked coding.
  transport::result<std::size_t> receive(transport::bytes input, std::size_t room,
                                         std::string& out);
  /// The carrier ended in order, and the body with it.
  void finish(std::string& out);

 private:
  void append(transport::bytes content, std::string& out) const;

  transport::http1_framing read_{};
  transport::http1_chunked_decoder chunks_;
  std::uint64_t left_ = 0;
  form written_ = form::plain;
  bool done_ = true;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::proxy
