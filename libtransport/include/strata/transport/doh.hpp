// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "strata/transport/dns_exchange.hpp"

namespace strata::transport {
inline namespace v0 {

namespace detail {
class exchange_driver;
}

enum class doh_method : std::uint8_t {
  post,
  get,  ///< Lets HTTP caches answer; the question is part of the path then.
};

struct doh_options {
  /// Where streams are dialled to: an IP address. A name would have to be looked up by somebody
  /// else first, who would learn whom we ask.
  address server;
  std::string authority;  ///< Of the requests: the server's name, ":port" unless that is 443.
  std::string path = "/dns-query";
  doh_method method = doh_method::post;
};

/// DNS over HTTPS (RFC 8484) with HTTP/1.1, over streams that are encrypted: give it a tls_dialer
/// whose server_name is set, with "http/1.1" as its ALPN. Connections are used again, a query at a
/// time each; a reply that is no 200 with a DNS message is an error, and redirections are not
/// followed. errc::invalid_argument from every exchange when the options make no request.
class STRATA_TRANSPORT_API doh_exchange final : public dns_exchange {
 public:
  doh_exchange(std::shared_ptr<stream_dialer> streams, doh_options options);
  ~doh_exchange() override;

  bool is_encrypted() const noexcept override { return true; }

 private:
  asio::any_io_executor do_executor() noexcept override;
  void do_exchange(std::vector<std::byte> query, completion<dns_exchange_signature>) override;

  std::shared_ptr<detail::exchange_driver> driver_;
};

}  // namespace v0
}  // namespace strata::transport
