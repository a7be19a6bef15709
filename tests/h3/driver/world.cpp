// SPDX-License-Identifier: Apache-2.0
#include "world.hpp"

#include <catch2/catch_test_macros.hpp>
#include <vector>

#include "strata/transport/core/error.hpp"
#include "testkit/certificates.hpp"

namespace strata::tests {

world::world() {
  const auto& certificates = testkit::test_certificates::shared();
  transport::tls_server_options server_tls;
  server_tls.alpn = {"h3"};
  server_tls.credentials = {certificates.server.credential()};
  server_options.endpoint.bind = transport::address::loopback_v4(0);
  server_options.endpoint.server_tls = transport::make_tls_server_context(server_tls).value();
  transport::tls_client_options client_tls;
  client_tls.alpn = {"h3"};
  client_tls.system_roots = false;
  client_tls.roots = {certificates.authority.root()};
  client_options.tls = transport::make_tls_client_context(client_tls).value();
}

void world::serve(h3::request_handler handler) {
  auto opened = h3::server::open(context.get_executor(), server_options, std::move(handler));
  REQUIRE(opened);
  server = std::move(*opened);
  client_options.server = transport::target(server.local_address());
}

asio::awaitable<h3::client> world::connect() {
  const asio::any_io_executor executor = context.get_executor();
  co_return co_await h3::client::async_connect(executor, client_options, asio::use_awaitable);
}

void world::run(std::function<asio::awaitable<void>()> body) {
  bool done = false;
  std::exception_ptr failed;
  asio::co_spawn(context, body(), [&](std::exception_ptr thrown) {
    done = true;
    failed = thrown;
  });
  constexpr std::chrono::seconds patience{60};
  const auto limit = std::chrono::steady_clock::now() + patience;
  while (!done && std::chrono::steady_clock::now() < limit) context.run_one_for(patience);
  if (failed) std::rethrow_exception(failed);
  REQUIRE(done);
}

h3::request_options get(std::string path, std::string method) {
  h3::request_options out;
  out.path = std::move(path);
  out.method = std::move(method);
  return out;
}

asio::awaitable<std::string> read_all(h3::message_stream& stream) {
  std::string out;
  std::vector<char> chunk(50'000);
  for (;;) {
    const auto buffer = asio::buffer(chunk);
    const auto [error, size] = co_await stream.async_read_body_some(buffer, use_tuple);
    if (error == transport::errc::eof) co_return out;
    if (error) throw std::system_error(error);
    out.append(chunk.data(), size);
  }
}

std::string pattern(std::size_t size) {
  std::string out(size, '\0');
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<char>(i * 31 + i / 253);
  return out;
}

}  // namespace strata::tests
