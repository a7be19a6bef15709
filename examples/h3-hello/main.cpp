// SPDX-License-Identifier: Apache-2.0
// HTTP/3 in an application's own event loop: a server with one coroutine as its handler, and a
// client that asks it.
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <iostream>
#include <strata/h3/client.hpp>
#include <strata/h3/server.hpp>

namespace h3 = strata::h3;
namespace transport = strata::transport;

asio::awaitable<void> answer(h3::exchange& exchange) {
  h3::field_section fields;
  fields.add("content-type", "text/plain");
  exchange.respond(200, fields, "you asked for " + std::string(exchange.path()));
  co_return;
}

asio::awaitable<void> ask(asio::any_io_executor executor, h3::client_options options) {
  h3::client client = co_await h3::client::async_connect(executor, options);
  h3::request_options request;
  request.path = "/hello";
  h3::response response = co_await client.async_request(request);
  std::string body(1024, '\0');
  body.resize(co_await response.async_read_body_some(asio::buffer(body)));
  std::cout << response.status() << ": " << body << "\n";
  co_await client.async_shutdown(std::chrono::seconds(5));
}

int main() {
  asio::io_context context;
  const std::string names[] = {"localhost"};
  const auto certificate = transport::make_self_signed_certificate(names).value();
  h3::server_options serving;
  serving.endpoint.bind = transport::address::loopback_v4(0);
  serving.endpoint.server_tls = transport::make_tls_server_context(
                                    {.credentials = {certificate.credential()}, .alpn = {"h3"}})
                                    .value();
  auto server = h3::server::open(context.get_executor(), serving, answer).value();

  h3::client_options options;
  options.server = transport::target(server.local_address());
  options.server_name = "localhost";
  options.tls = transport::make_tls_client_context(
                    {.alpn = {"h3"}, .pinned_certificates = {certificate.sha256}})
                    .value();
  asio::co_spawn(context, ask(context.get_executor(), options), [&](std::exception_ptr failed) {
    server.stop();
    if (failed) std::rethrow_exception(failed);
  });
  context.run();
}
