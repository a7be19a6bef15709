// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "strata/transport/core/http1_head.hpp"

namespace strata::transport {
inline namespace v0 {
namespace http1 {

/// The start line, as far as the fields depend on it.
struct message {
  http1_kind kind = http1_kind::request;
  http1_version version = http1_version::v1_1;
  std::string_view method;   // of a request
  std::uint16_t status = 0;  // of a response
  http1_exchange answered;
};

/// Sees each field line of one message, then decides what follows the head. Reader and writer share
/// it. Both functions give null, or why the message is refused.
class message_rules {
 public:
  explicit message_rules(const message& about) noexcept : about_(about) {}

  const http1_problem* add(const http1_field& field);
  const http1_problem* finish(http1_framing& framing) const;

 private:
  const http1_problem* add_content_length(std::string_view value) noexcept;
  const http1_problem* add_transfer_encoding(std::string_view value) noexcept;
  const http1_problem* add_host(std::string_view value);
  const http1_problem* add_connection(std::string_view value) noexcept;
  const http1_problem* finish_request(http1_framing& framing) const noexcept;
  const http1_problem* finish_response(http1_framing& framing) const noexcept;
  const http1_problem* frame_by_fields(http1_framing& framing, http1_body otherwise) const noexcept;
  bool is_tunnel() const noexcept;

  message about_;
  std::optional<std::uint64_t> content_length_;
  std::size_t connection_options_ = 0;
  bool has_transfer_encoding_ = false;
  bool has_host_ = false;
  bool close_ = false;
};

}  // namespace http1
}  // namespace v0
}  // namespace strata::transport
