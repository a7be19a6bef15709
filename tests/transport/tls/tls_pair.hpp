// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "strata/transport/tls.hpp"
#include "testkit/certificates.hpp"
#include "tls/tls_connection.hpp"

namespace strata::transport::tests {

/// A client that believes the test authority, and a server of its certificate.
tls_client_options trusting_client();
tls_server_options test_server();
tls_context made(const tls_result<tls_context>& context);

/// One side over memory, and what happened to it.
struct tls_end {
  tls_end(const tls_context& context, const tls_connection_options& options, page_store& pages)
      : core(context, options, pages) {}

  /// Takes the events; reads everything that is there, unless `reads` is false.
  void drain();
  void read_all();
  bool saw(tls_connection::event what) const;
  std::size_t count(tls_connection::event what) const;
  /// All of it, or less when the watermark or an error is in the way.
  std::size_t write(std::string_view text);

  tls_connection core;
  bool reads = true;
  std::size_t read_size = 100'000;
  std::vector<tls_connection::event> events;
  std::string received;
  std::error_code read_end;  ///< What reading said last, other than would_block.
};

struct tls_pair_options {
  tls_connection_options client{.server_name = "server.test"};
  tls_connection_options server{};
  std::size_t step = 1'000'000;  ///< The carrier gives at most so many bytes at once.
  page_store* pages = nullptr;   ///< Of several pairs together; null: its own.
};

/// Two sides and a carrier that keeps time only when it is told to.
class tls_pair {
 public:
  tls_pair(const tls_context& client, const tls_context& server, tls_pair_options options = {});

  /// Carries bytes until nobody has any more to say; at most `turns` times both ways.
  void run(unsigned turns = 50);
  /// The same, and says whether both are ready.
  bool shake_hands();
  /// One way, once; false when there was nothing.
  bool carry(tls_end& from, tls_end& to);
  void advance(duration by);
  /// What the carrier does when it loses nothing but its peer's direction.
  void end_carrier(tls_end& at);

  page_store own_pages;
  time_point now{std::chrono::hours(1)};
  tls_end client;
  tls_end server;
  /// What was said on the wire; a test may change what is to be delivered.
  std::vector<std::byte> to_server;
  std::vector<std::byte> to_client;
  std::function<void(bool to_server, std::vector<std::byte>& wire)> edit;

 private:
  std::size_t step_;
};

/// The bytes of all that an end has to send, taken as sent.
std::vector<std::byte> take_output(tls_connection& from, time_point now);

/// TLS records, cut apart; what is left over is a record too.
std::vector<std::vector<std::byte>> records_of(bytes wire);

std::string pattern(std::size_t size);

}  // namespace strata::transport::tests
