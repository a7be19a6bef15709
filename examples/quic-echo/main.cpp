// SPDX-License-Identifier: Apache-2.0
// QUIC in an application's own event loop: an echo over one stream, both ends in one program. The
// client pins the server's certificate, as two programs of one owner may.
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <asio/read.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>
#include <iostream>
#include <strata/quic/endpoint.hpp>

namespace quic = strata::quic;
namespace transport = strata::transport;

constexpr std::string_view text = "hello, QUIC";

asio::awaitable<void> echo(quic::endpoint& server) {
  quic::connection connection = co_await server.async_accept();
  const std::unique_ptr<quic::stream> stream = co_await connection.async_accept_stream();
  std::array<char, text.size()> memory;
  co_await asio::async_read(*stream, asio::buffer(memory), asio::use_awaitable);
  co_await asio::async_write(*stream, asio::buffer(memory), asio::use_awaitable);
  co_await stream->async_finish();
  co_await connection.async_shutdown(std::chrono::seconds(5));
}

asio::awaitable<void> say(quic::endpoint& client, transport::address where) {
  quic::connection connection = co_await client.async_connect(where, "localhost", {});
  const std::unique_ptr<quic::stream> stream = co_await connection.async_open_stream();
  co_await asio::async_write(*stream, asio::buffer(text), asio::use_awaitable);
  std::string answer(text.size(), '\0');
  co_await asio::async_read(*stream, asio::buffer(answer), asio::use_awaitable);
  std::cout << "echo: " << answer << ", by " << connection.security().alpn << "\n";
}

int main() {
  asio::io_context context;
  const std::string names[] = {"localhost"};
  const auto certificate = transport::make_self_signed_certificate(names).value();
  quic::endpoint_options serving, dialling;
  serving.bind = transport::address::loopback_v4(0);
  serving.server_tls = transport::make_tls_server_context(
                           {.credentials = {certificate.credential()}, .alpn = {"echo"}})
                           .value();
  dialling.bind = transport::address::loopback_v4(0);
  dialling.client_tls = transport::make_tls_client_context(
                            {.alpn = {"echo"}, .pinned_certificates = {certificate.sha256}})
                            .value();
  auto server = quic::endpoint::open(context.get_executor(), serving).value();
  auto client = quic::endpoint::open(context.get_executor(), dialling).value();
  const auto end = [&](std::exception_ptr failed) {
    server = {}, client = {};  // connections that live go on
    if (failed) std::rethrow_exception(failed);
  };
  asio::co_spawn(context, echo(server), end);
  asio::co_spawn(context, say(client, server.local_address()), end);
  context.run();
}
