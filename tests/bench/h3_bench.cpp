// SPDX-License-Identifier: Apache-2.0
// Our side of ./dev bench h3; README.md says what its modes take and print.
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/this_coro.hpp>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>

#include "bench/figures.hpp"
#include "bench/input_lines.hpp"
#include "bench/lane_group.hpp"
#include "bench/program.hpp"
#include "bench/setup.hpp"
#include "strata/h3/client.hpp"
#include "strata/h3/server.hpp"

namespace {

using namespace strata;
using namespace strata::bench;
using asio::use_awaitable;
using clock_type = std::chrono::steady_clock;

constexpr std::size_t block_size = 256 * 1024;
constexpr auto quietly = asio::as_tuple(use_awaitable);

double seconds_since(clock_type::time_point began) {
  return std::chrono::duration<double>(clock_type::now() - began).count();
}

/// GET /N is answered with N bytes.
asio::awaitable<void> answer(h3::exchange& exchange, const std::string& block) {
  const std::string_view path = exchange.path();
  std::size_t left = 0;
  const auto parsed = std::from_chars(path.data() + 1, path.data() + path.size(), left);
  if (parsed.ec != std::errc()) {
    (void)exchange.respond(404, {});
    co_return;
  }
  if (left <= h3::exchange::max_short_body) {
    (void)exchange.respond(200, {}, std::string_view(block).substr(0, left));
    co_return;
  }
  h3::field_section fields;
  fields.add("content-length", std::to_string(left));
  co_await exchange.async_send_headers(200, fields, use_awaitable);
  while (left > 0) {
    const auto piece = asio::buffer(block.data(), std::min(left, block.size()));
    left -= piece.size();
    co_await exchange.async_write_body(piece, left == 0, use_awaitable);
  }
}

asio::awaitable<void> serve(const arguments& chosen) {
  const auto executor = co_await asio::this_coro::executor;
  const std::string block(block_size, 'Z');
  h3::server_options options;
  options.endpoint = server_options_of(chosen, "h3");
  const h3::request_handler handler = [&block](h3::exchange& exchange) {
    return answer(exchange, block);
  };
  h3::server server = h3::server::open(executor, std::move(options), handler).value();
  std::printf("listening on %s\n", server.local_address().string().c_str());
  std::fflush(stdout);
  input_lines lines(executor);
  while (co_await lines.next()) {
    figures().add("open", std::uint64_t{server.statistics().connections}).print({});
  }
  server.stop();
}

class requester {
 public:
  requester(asio::any_io_executor executor, const arguments& chosen)
      : executor_(std::move(executor)),
        path_("/" + std::to_string(chosen.bytes)),
        bytes_(chosen.bytes) {
    const auto remote = transport::address::parse(chosen.connect).value();
    options_.server = transport::target("127.0.0.1", remote.port());
    options_.server_name = "localhost";
    quic::endpoint_options endpoint = client_options_of(chosen, "h3");
    options_.tls = endpoint.client_tls;
    options_.connection = endpoint.config.connection;
  }

  asio::awaitable<h3::client> connect() {
    co_return co_await h3::client::async_connect(executor_, options_, use_awaitable);
  }

  asio::awaitable<void> get(h3::client& client, std::vector<char>& memory) {
    h3::request_options request;
    request.path = path_;
    h3::response response = co_await client.async_request(std::move(request), use_awaitable);
    const auto buffer = asio::buffer(memory);
    std::uint64_t got = 0;
    for (;;) {
      const auto [error, size] = co_await response.async_read_body_some(buffer, quietly);
      if (error) break;
      got += size;
    }
    if (response.status() != 200 || got != bytes_) throw std::runtime_error("a body was cut off");
  }

  asio::awaitable<void> repeat(h3::client& client, clock_type::time_point end,
                               std::uint64_t& done) {
    std::vector<char> memory(4096);
    while (clock_type::now() < end) {
      co_await get(client, memory);
      ++done;
    }
  }

 private:
  asio::any_io_executor executor_;
  h3::client_options options_;
  std::string path_;
  std::uint64_t bytes_;
};

asio::awaitable<void> leave(std::vector<h3::client>& clients, totals& sum) {
  for (h3::client& client : clients) {
    sum.ended(client.statistics());
    const auto patience = std::chrono::seconds(1);
    co_await client.async_shutdown(patience, quietly);
  }
}

asio::awaitable<void> measure_requests(const arguments& chosen) {
  const auto executor = co_await asio::this_coro::executor;
  requester source(executor, chosen);
  std::vector<h3::client> clients;
  std::vector<char> memory(4096);
  for (std::size_t i = 0; i < chosen.connections; ++i) {
    clients.push_back(co_await source.connect());
    co_await source.get(clients.back(), memory);
  }
  lane_group lanes(executor);
  std::uint64_t done = 0;
  const auto began = clock_type::now();
  for (h3::client& client : clients) {
    for (std::size_t i = 0; i < chosen.parallel; ++i) {
      lanes.add(source.repeat(client, began + chosen.time, done));
    }
  }
  co_await lanes.wait();
  const double took = seconds_since(began);
  totals sum;
  co_await leave(clients, sum);
  figures().add("count", done).add("seconds", took).print(sum);
}

asio::awaitable<void> measure_body(const arguments& chosen) {
  requester source(co_await asio::this_coro::executor, chosen);
  std::vector<h3::client> clients;
  clients.push_back(co_await source.connect());
  std::vector<char> memory(block_size);
  const auto began = clock_type::now();
  co_await source.get(clients.front(), memory);
  const double took = seconds_since(began);
  totals sum;
  co_await leave(clients, sum);
  figures().add("bytes", chosen.bytes).add("seconds", took).print(sum);
}

}  // namespace

int main(int count, char** words) {
  return run_program(
      count, words, {{"server-h3", serve}, {"requests", measure_requests}, {"body", measure_body}});
}
