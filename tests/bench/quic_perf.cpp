// SPDX-License-Identifier: Apache-2.0
// Bulk transfer over one connection and one stream, a process for each side:
//   quic-perf server [DATAGRAM_SIZE]            prints its address, serves one connection, prints
//   its figures quic-perf client ADDRESS BYTES [DATAGRAM_SIZE]
// The server sends; the client reads and drops.
#include <asio/as_tuple.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/use_awaitable.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

#include "strata/quic/endpoint.hpp"

using namespace strata;
using asio::use_awaitable;

namespace {

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

quic::core::connection_config config_for(int datagram_size) {
  quic::core::connection_config config;
  config.max_datagram_size = static_cast<std::uint16_t>(datagram_size);
  return config;
}

void print_statistics(const char* side, const quic::core::connection_statistics& counted) {
  std::printf(
      "%s: packets sent %llu, lost %llu, received %llu, batches %llu, cpu %.3f s, window %llu, rtt "
      "%lld us\n",
      side, static_cast<unsigned long long>(counted.packets_sent),
      static_cast<unsigned long long>(counted.packets_lost),
      static_cast<unsigned long long>(counted.packets_received),
      static_cast<unsigned long long>(counted.batches_sent), cpu_seconds(),
      static_cast<unsigned long long>(counted.congestion_window),
      static_cast<long long>(
          std::chrono::duration_cast<std::chrono::microseconds>(counted.smoothed_rtt).count()));
  std::fflush(stdout);
}

asio::awaitable<void> serve(quic::endpoint& endpoint) {
  quic::connection connection = co_await endpoint.async_accept(use_awaitable);
  auto stream = co_await connection.async_accept_stream(true, use_awaitable);
  std::uint64_t left = 0;
  const auto request = asio::buffer(&left, sizeof left);
  co_await stream->async_read_some(request, use_awaitable);
  const std::vector<std::byte> block(256 * 1024, std::byte{0x5a});
  while (left != 0) {
    const auto piece = asio::buffer(
        block.data(), static_cast<std::size_t>(std::min<std::uint64_t>(left, block.size())));
    left -= co_await stream->async_write_some(piece, use_awaitable);
  }
  co_await stream->async_finish(use_awaitable);
  const auto patience = std::chrono::seconds(10);
  co_await connection.async_shutdown(patience, 0, asio::as_tuple(use_awaitable));
  print_statistics("server", connection.statistics());
}

asio::awaitable<void> fetch(quic::endpoint& endpoint, transport::address remote,
                            std::uint64_t bytes, int datagram_size) {
  const auto config = config_for(datagram_size);
  quic::connection connection =
      co_await endpoint.async_connect(remote, "localhost", config, use_awaitable);
  auto stream = co_await connection.async_open_stream(true, use_awaitable);
  const auto request = asio::buffer(&bytes, sizeof bytes);
  co_await stream->async_write_some(request, use_awaitable);
  std::vector<std::byte> memory(256 * 1024);
  std::uint64_t got = 0;
  const auto begun = std::chrono::steady_clock::now();
  for (;;) {
    const auto buffer = asio::buffer(memory);
    auto [error, size] = co_await stream->async_read_some(buffer, asio::as_tuple(use_awaitable));
    if (error) break;
    got += size;
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
  std::printf("%llu bytes in %.3f s: %.2f Gbit/s\n", static_cast<unsigned long long>(got),
              took.count(), 8e-9 * static_cast<double>(got) / took.count());
  print_statistics("client", connection.statistics());
}

}  // namespace

int main(int count, char** arguments) {
  const std::string mode = count > 1 ? arguments[1] : "";
  asio::io_context context;
  quic::endpoint_options options;
  options.bind = transport::address::loopback_v4(0);
  const auto report = [&](std::exception_ptr failure) {
    if (failure) std::rethrow_exception(failure);
    context.stop();
  };
  if (mode == "server") {
    const int datagram_size = count > 2 ? std::atoi(arguments[2]) : 1452;
    const std::string name = "localhost";
    const auto certificate = transport::make_self_signed_certificate({&name, 1});
    transport::tls_server_options tls;
    tls.alpn = {"perf"};
    transport::tls_credential credential;
    credential.certificate_chain = transport::pem_source::from_text(certificate->certificate_pem);
    credential.private_key = transport::pem_source::from_text(certificate->private_key_pem);
    tls.credentials.push_back(std::move(credential));
    options.server_tls = transport::make_tls_server_context(tls).value();
    options.config.connection = config_for(datagram_size);
    auto endpoint = quic::endpoint::open(context.get_executor(), std::move(options)).value();
    std::printf("%s\n", endpoint.local_address().string().c_str());
    std::fflush(stdout);
    asio::co_spawn(context, serve(endpoint), report);
    context.run();
    return 0;
  }
  if (mode != "client" || count < 4)
    return std::puts("usage: quic-perf server|client ADDRESS BYTES"), 2;
  transport::tls_client_options tls;
  tls.alpn = {"perf"};
  tls.insecure_skip_verification = true;
  options.client_tls = transport::make_tls_client_context(tls).value();
  auto endpoint = quic::endpoint::open(context.get_executor(), std::move(options)).value();
  const auto remote = transport::address::parse(arguments[2]).value();
  asio::co_spawn(context,
                 fetch(endpoint, remote, std::strtoull(arguments[3], nullptr, 0),
                       count > 4 ? std::atoi(arguments[4]) : 1452),
                 report);
  context.run();
}
