// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "strata/h3/client.hpp"
#include "strata/transport/doh.hpp"

namespace strata::h3 {
inline namespace v0 {

namespace detail {
class doh_driver;
}

struct doh_options {
  /// Where the server is: an IP address. A name would have to be looked up by somebody else first,
  /// who would learn whom we ask.
  transport::address server;
  std::string server_name;  ///< What its certificate must name.
  std::string authority;    ///< Of the requests; empty: the server's name and port.
  std::string path = "/dns-query";
  transport::doh_method method = transport::doh_method::post;
  /// The rest of the connection; its `server` and `server_name` are ignored.
  client_options connection;
};

/// DNS over HTTPS (RFC 8484) with HTTP/3: all exchanges on one connection, which is made when it is
/// needed and again when it is gone. What is no 200 with a DNS message is an error, and
/// redirections are not followed.
class STRATA_H3_API doh_exchange final : public transport::dns_exchange {
 public:
  doh_exchange(const asio::any_io_executor& executor, doh_options options);
  ~doh_exchange() override;

  bool is_encrypted() const noexcept override { return true; }

 private:
  asio::any_io_executor do_executor() noexcept override;
  void do_exchange(std::vector<std::byte> query,
                   transport::completion<transport::dns_exchange_signature>) override;

  std::shared_ptr<detail::doh_driver> driver_;
};

}  // namespace v0
}  // namespace strata::h3
