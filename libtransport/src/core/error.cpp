// SPDX-License-Identifier: Apache-2.0
#include "strata/transport/core/error.hpp"

#include <string>

namespace strata::transport {
inline namespace v0 {
namespace {

const char* text_of(errc code) noexcept {
  switch (code) {
    case errc::eof: return "end of stream";
    case errc::closed: return "closed by this side";
    case errc::closed_by_peer: return "closed by the peer";
    case errc::aborted: return "operation cancelled";
    case errc::timed_out: return "timed out";
    case errc::refused: return "connection refused";
    case errc::unreachable: return "host or port not reachable";
    case errc::name_not_found: return "name has no address";
    case errc::stream_reset: return "stream reset by the peer";
    case errc::write_stopped: return "the peer stopped reading the stream";
    case errc::write_finished: return "this side already finished the stream";
    case errc::truncated: return "the carrier ended before the end mark: bytes may be missing";
    case errc::message_too_large: return "message too large";
    case errc::limit_exceeded: return "a configured limit would be exceeded";
    case errc::would_block: return "operation would wait";
    case errc::invalid_argument: return "invalid argument";
    case errc::malformed: return "malformed input";
    case errc::not_supported: return "not supported here";
    case errc::certificate_rejected: return "the peer's certificate was rejected";
    case errc::tls_failed: return "TLS handshake failed";
    case errc::protocol_error: return "the peer broke the protocol";
    case errc::out_of_memory: return "out of memory";
    case errc::ech_rejected: return "the server did not accept Encrypted Client Hello";
    case errc::name_server_failed: return "no name server answered the question";
  }
  return "unknown transport error";
}

class transport_category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "strata.transport"; }
  std::string message(int code) const override { return text_of(static_cast<errc>(code)); }
  std::error_condition default_error_condition(int code) const noexcept override {
    switch (static_cast<errc>(code)) {
      case errc::closed:
      case errc::closed_by_peer:
      case errc::eof: return condition::closed;
      case errc::timed_out: return condition::timed_out;
      case errc::refused: return condition::refused;
      case errc::malformed:
      case errc::truncated:
      case errc::protocol_error: return condition::protocol_error;
      case errc::aborted: return std::errc::operation_canceled;
      case errc::unreachable: return std::errc::host_unreachable;
      case errc::invalid_argument: return std::errc::invalid_argument;
      case errc::would_block: return std::errc::operation_would_block;
      case errc::message_too_large: return std::errc::message_size;
      case errc::not_supported: return std::errc::not_supported;
      case errc::out_of_memory: return std::errc::not_enough_memory;
      default: return {code, *this};
    }
  }
};

class transport_condition_category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "strata.condition"; }
  std::string message(int kind) const override {
    switch (static_cast<condition>(kind)) {
      case condition::closed: return "closed";
      case condition::timed_out: return "timed out";
      case condition::refused: return "refused";
      case condition::protocol_error: return "protocol error";
    }
    return "unknown condition";
  }
};

}  // namespace

const std::error_category& error_category() noexcept {
  static const transport_category category;
  return category;
}

const std::error_category& condition_category() noexcept {
  static const transport_condition_category category;
  return category;
}

}  // namespace v0
}  // namespace strata::transport
