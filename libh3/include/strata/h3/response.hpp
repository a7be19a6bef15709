// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "strata/h3/message_stream.hpp"

namespace strata::h3 {
inline namespace v0 {

struct request_options {
  std::string method = "GET";
  std::string scheme = "https";
  std::string authority;  ///< Empty: the name and port that the client is connected to.
  std::string path = "/";
  field_section fields;  ///< Regular ones, names in lower case.
  std::string body;      ///< Sent whole; content-length is added when it is not empty.
  /// The content follows by async_write_body() and async_finish(): the operation completes as soon
  /// as the request has left, and async_wait_head() waits for the answer.
  bool body_follows = false;
};

/// A 1xx response.
struct interim_response {
  unsigned status = 0;
  field_section fields;
};

/// The client's end of a message_stream: a request of ours and the server's answer to it. Destroyed
/// before the answer is complete, it cancels the request.
class STRATA_H3_API response : public message_stream {
 public:
  response() noexcept = default;
  response(response&&) noexcept = default;
  response& operator=(response&&) noexcept = default;
  ~response() = default;

  /// Completes when the header section of the final response has come; only needed after a request
  /// with body_follows.
  template <asio::completion_token_for<transport::status_signature> Token = asio::deferred_t>
  auto async_wait_head(Token&& token = Token()) {
    return asio::async_initiate<Token, transport::status_signature>(initiate{driver_, id_}, token,
                                                                    head_request{});
  }

  /// Zero before the head.
  unsigned status() const noexcept;
  /// Every field in order, :status first.
  const field_section& fields() const noexcept;
  /// The 1xx responses so far.
  const std::vector<interim_response>& interim() const noexcept;

 private:
  friend class detail::connection_driver;
  using message_stream::message_stream;
};

using response_signature = void(std::error_code, response);

}  // namespace v0
}  // namespace strata::h3
