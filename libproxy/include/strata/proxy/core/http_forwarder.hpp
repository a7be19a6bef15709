// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "strata/proxy/core/error.hpp"
#include "strata/proxy/core/request.hpp"
#include "strata/proxy/core/user_table.hpp"
#include "strata/proxy/export.hpp"
#include "strata/transport/core/bytes.hpp"
#include "strata/transport/core/http1_head.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace core {

struct http_forwarder_config {
  std::shared_ptr<const user_table> users{};  ///< Asked for with every request.
  transport::http1_head_limits head{};
};

/// Plain HTTP through a proxy (RFC 9110 section 7, RFC 9112 section 3.2.2): one client's connection
/// with any number of requests after each other, each to an origin of its own. Between two
/// carriers it rewrites heads: the origin form and Host by the target, no hop-by-hop fields, no
/// Proxy-Authorization, Via on both ways; chunked bodies are decoded and written again, so nothing
/// that two readers might understand differently passes. HTTP/1.0 clients get what they can read.
///
/// The owner moves bytes as this wants them, and dials:
///
///   wants_client() / receive_client()    wants_origin() / receive_origin()
///   to_client() / sent_to_client()       to_origin() / sent_to_origin()
///
/// What waits to be sent is bounded: nothing more is wanted while it is more than 64 KiB.
class STRATA_PROXY_API http_forwarder {
 public:
  /// `first` has been read already; `user` is who sent it.
  http_forwarder(const http_forwarder_config& config, const transport::http1_head& first,
                 std::string_view user);
  ~http_forwarder();
  http_forwarder(http_forwarder&&) noexcept;
  http_forwarder& operator=(http_forwarder&&) noexcept;

  /// A request whose origin is to be dialled: connected(), or refuse() with what it failed with.
  /// Null while there is none. When `where` and `user` are those of the last request and the
  /// origin's carrier is still there and origin_reusable(), that carrier serves. A request may be
  /// wanted a second time, when such a carrier ends before a byte of its response.
  const request* wanted() const noexcept;
  /// to_origin() is for a new carrier, or for that one; what was lent for one that ended stays
  /// where it is, but sent_to_origin() is not for it.
  void connected();
  void refuse(refusal why);
  /// Another request may go to the origin's carrier.
  bool origin_reusable() const noexcept;

  bool wants_client() const noexcept;
  std::size_t receive_client(transport::bytes input);  ///< How many it took: all that it can.
  /// Behind all that it sent, and nothing of that is left untaken.
  void end_client();
  bool wants_origin() const noexcept;
  std::size_t receive_origin(transport::bytes input);
  /// The carrier of the origin ended; `in_order` is false when it was lost or reset. A response
  /// that is cut short ends the client's connection without its end, so that it knows.
  void end_origin(bool in_order);

  transport::bytes to_client() const noexcept;
  void sent_to_client(std::size_t size);
  transport::bytes to_origin() const noexcept;
  void sent_to_origin(std::size_t size);

  /// All is answered and sent, and nothing may follow: end the client's carrier.
  bool finished() const noexcept;
  /// When finished(): reset the client's carrier instead of ending it. It lacks something that was
  /// announced.
  bool broken() const noexcept;
  /// The password of a later request was wrong: an owner may let to_client() wait.
  bool rejects_credentials() const noexcept;
  /// Nothing is under way: the connection may be ended without loss.
  bool is_idle() const noexcept;
  /// A later request has begun, and its head is not whole: an owner should not wait for ever.
  bool is_reading_head() const noexcept;
  /// Of the requests that wanted() has told so far, with the first.
  std::uint64_t request_count() const noexcept;

 private:
  class state;
  std::unique_ptr<state> state_;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::proxy
