// SPDX-License-Identifier: Apache-2.0
// quic::connection where any transport::connection will do.
#include <utility>

#include "strata/quic/connections.hpp"
#include "strata/transport/core/error.hpp"

namespace strata::quic {
inline namespace v0 {
namespace {

using transport::completion;

transport::close_reason general(const close_reason& from) {
  using own = close_reason::origin_kind;
  using general_kind = transport::close_reason::origin_kind;
  transport::close_reason out;
  switch (from.origin) {
    case own::local_application: out.origin = general_kind::local_application; break;
    case own::local_transport: out.origin = general_kind::local_protocol; break;
    case own::peer_application: out.origin = general_kind::peer_application; break;
    case own::peer_transport:
    case own::version_negotiation: out.origin = general_kind::peer_protocol; break;
    case own::idle_timeout:
    case own::handshake_timeout: out.origin = general_kind::timed_out; break;
    case own::stateless_reset:
    case own::network: out.origin = general_kind::carrier; break;
  }
  out.code = from.code;
  out.frame_type = from.frame_type;
  out.cause = from.code_for_operations();
  out.reason = from.reason;
  return out;
}

struct general_stream {
  std::unique_ptr<transport::stream> operator()(std::error_code, std::unique_ptr<stream> from) {
    return from;
  }
};

struct general_reason {
  std::unique_ptr<transport::close_reason> operator()(std::error_code,
                                                      std::unique_ptr<close_reason> from) {
    return std::make_unique<transport::close_reason>(general(*from));
  }
};

struct general_made {
  std::unique_ptr<transport::connection> operator()(std::error_code error, connection from) {
    return error ? nullptr : make_transport_connection(std::move(from));
  }
};

std::string cipher_name(core::cipher_suite suite) {
  switch (suite) {
    case core::cipher_suite::aes_128_gcm_sha256: return "TLS_AES_128_GCM_SHA256";
    case core::cipher_suite::aes_256_gcm_sha384: return "TLS_AES_256_GCM_SHA384";
    case core::cipher_suite::chacha20_poly1305_sha256: return "TLS_CHACHA20_POLY1305_SHA256";
    case core::cipher_suite::null: break;
  }
  return {};
}

class general_connection final : public transport::connection {
 public:
  explicit general_connection(quic::connection own) noexcept : own_(std::move(own)) {}

  void close(std::uint64_t code, std::string_view reason) override { own_.close(code, reason); }
  std::optional<transport::close_reason> closed() const override {
    const auto why = own_.closed();
    return why ? std::optional(general(*why)) : std::nullopt;
  }
  std::optional<transport::connection_security> security() const override {
    const core::tls_summary summary = own_.security();
    transport::connection_security out;
    out.protocol = "TLSv1.3";
    out.cipher = cipher_name(summary.cipher);
    out.group = summary.group;
    out.alpn = summary.alpn;
    out.server_name = summary.server_name;
    out.peer_certificates = summary.peer_certificates;
    out.resumed = summary.resumed;
    out.ech = summary.ech.status;
    out.ech_retried = summary.ech.retried;
    return out;
  }
  transport::address remote_address() const override { return own_.remote_address(); }
  transport::address local_address() const override { return own_.local_address(); }

 private:
  asio::any_io_executor do_executor() noexcept override { return own_.get_executor(); }
  void do_open_stream(completion<transport::stream_signature> waiting) override {
    own_.async_open_stream(true, convert_completion<general_stream>(std::move(waiting)));
  }
  void do_accept_stream(completion<transport::stream_signature> waiting) override {
    own_.async_accept_stream(true, convert_completion<general_stream>(std::move(waiting)));
  }
  void do_wait_closed(completion<transport::closed_signature> waiting) override {
    own_.async_wait_closed(convert_completion<general_reason>(std::move(waiting)));
  }
  void do_confirmed(completion<transport::status_signature> waiting) override {
    own_.async_confirmed(std::move(waiting.handler));
  }
  void do_shutdown(transport::duration deadline, std::uint64_t code,
                   completion<transport::status_signature> waiting) override {
    own_.async_shutdown(deadline, code, std::move(waiting.handler));
  }

  quic::connection own_;
};

}  // namespace

std::unique_ptr<transport::connection> make_transport_connection(connection from) {
  return std::make_unique<general_connection>(std::move(from));
}

endpoint_listener::endpoint_listener(endpoint& from) noexcept : endpoint_(from) {}
endpoint_listener::~endpoint_listener() { close(); }

void endpoint_listener::close() noexcept {
  if (!std::exchange(closed_, true)) endpoint_.stop_accepting();
}

transport::address endpoint_listener::local_address() const noexcept {
  return closed_ ? transport::address() : endpoint_.local_address();
}

asio::any_io_executor endpoint_listener::do_executor() noexcept { return endpoint_.get_executor(); }

void endpoint_listener::do_accept(completion<transport::connection_signature> waiting) {
  endpoint_.async_accept(convert_completion<general_made>(std::move(waiting)));
}

}  // namespace v0
}  // namespace strata::quic
