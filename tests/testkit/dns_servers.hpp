// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/awaitable.hpp>
#include <asio/io_context.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "strata/transport/core/dns_message.hpp"
#include "strata/transport/core/http1_head.hpp"
#include "strata/transport/datagram_socket.hpp"
#include "strata/transport/stream_listener.hpp"
#include "testkit/dns_zone.hpp"

namespace strata::testkit {

/// A name server on loopback, UDP and TCP on one port.
class name_server {
 public:
  struct asked {
    transport::dns_message query;
    transport::bytes raw;
    bool by_stream = false;
    transport::target from{"", 0};
  };
  using messages = std::vector<std::vector<std::byte>>;
  /// What it sends back, each in a datagram or behind a length of its own; nothing: it is silent.
  using behaviour = std::function<messages(const asked&)>;

  /// Answers with the zone unless told otherwise.
  explicit name_server(asio::io_context& context);
  /// By these streams alone, which may be TLS.
  name_server(asio::io_context& context, std::unique_ptr<transport::stream_listener> streams);
  ~name_server();

  transport::address where() const;
  std::vector<std::byte> honest(const asked& query) const;

  dns_zone zone;
  behaviour says;
  std::size_t piece = 65'537;  ///< Octets of each write on a stream.
  std::vector<asked> log;      ///< Without `raw`.

 private:
  asio::awaitable<void> serve_datagrams();
  asio::awaitable<void> serve_streams(asio::io_context& context);
  asio::awaitable<void> serve_stream(std::unique_ptr<transport::stream> stream);
  messages reply(asked query);

  std::unique_ptr<transport::datagram_socket> datagrams_;
  std::unique_ptr<transport::stream_listener> streams_;
  transport::address where_;
};

/// What a DoH server was asked and says, whatever the version of HTTP.
struct doh_visit {
  std::string method;
  std::string path;
  std::string content_type;
  std::string accept;
  std::vector<std::byte> query;  ///< Of the body, or out of the path.
};
struct doh_reply {
  unsigned status = 200;
  std::string content_type = "application/dns-message";
  std::string age;
  std::vector<std::byte> body;
};

/// The query in the path of a GET.
std::vector<std::byte> query_in_path(std::string_view path);
/// What an honest DoH server for the zone answers, bad requests included.
doh_reply answer_doh(const dns_zone& zone, const doh_visit& visit);

/// DNS over HTTP/1.1 on the streams that a listener accepts. Outlives what it serves.
class doh_server {
 public:
  doh_server(asio::io_context& context, std::unique_ptr<transport::stream_listener> streams);
  ~doh_server();

  transport::address where() const;

  dns_zone zone;
  /// Another answer than the zone's.
  std::function<doh_reply(const doh_visit&)> says;
  /// Other bytes than an answer, after which the connection is ended.
  std::function<std::optional<std::string>(const doh_visit&)> says_raw;
  bool chunked = false;
  /// Ends each connection after so many answers, without having said so.
  std::size_t answers_per_connection = 1000;
  std::vector<doh_visit> log;
  std::size_t connections = 0;

 private:
  asio::awaitable<void> serve(asio::io_context& context);
  asio::awaitable<void> serve_stream(std::unique_ptr<transport::stream> stream);
  std::string respond(const doh_visit& visit) const;

  std::unique_ptr<transport::stream_listener> streams_;
};

}  // namespace strata::testkit
