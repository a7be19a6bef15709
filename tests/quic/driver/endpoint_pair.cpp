// SPDX-License-Identifier: Apache-2.0
#include "endpoint_pair.hpp"

#include <asio/ip/udp.hpp>
#include <chrono>

#include "testkit/quic/test_tls.hpp"

namespace strata::tests {

using namespace std::chrono_literals;

endpoint_pair::endpoint_pair(quic::core::connection_config of_server,
                             quic::core::connection_config of_client)
    : server_config(of_server), client_config(of_client) {
  open_server(far_context->get_executor());
  open_client(near_context->get_executor());
}

endpoint_pair::~endpoint_pair() = default;

void endpoint_pair::open_client(const asio::any_io_executor& executor,
                                quic::endpoint_options options) {
  options.bind = transport::address::loopback_v4(0);
  options.client_tls = testkit::test_client_tls();
  client = std::move(quic::endpoint::open(executor, std::move(options)).value());
}

void endpoint_pair::open_server(const asio::any_io_executor& executor,
                                quic::endpoint_options options) {
  options.bind = transport::address::loopback_v4(0);
  options.config.connection = server_config;
  options.server_tls = testkit::test_server_tls();
  server = std::move(quic::endpoint::open(executor, std::move(options)).value());
}

void endpoint_pair::connect() {
  connection_outcome dialled, accepted;
  server.async_accept(accepted.handler());
  client.async_connect(server.local_address(), "server.test", client_config, dialled.handler());
  run_until([&] { return dialled.ran == 1 && accepted.ran == 1; });
  REQUIRE_FALSE(dialled.error);
  REQUIRE_FALSE(accepted.error);
  near = std::move(dialled.value);
  far = std::move(accepted.value);
}

std::pair<stream_ptr, stream_ptr> endpoint_pair::make_streams() {
  stream_outcome opened, accepted;
  size_outcome written, read;
  char greeting = 'g';
  near.async_open_stream(true, opened.handler());
  far.async_accept_stream(true, accepted.handler());
  run_until([&] { return opened.ran == 1; });
  REQUIRE(opened.value);
  opened.value->async_write_some(asio::buffer(&greeting, 1), written.handler());
  run_until([&] { return accepted.ran == 1; });
  REQUIRE(accepted.value);
  accepted.value->async_read_some(asio::buffer(&greeting, 1), read.handler());
  run_until([&] { return written.ran == 1 && read.ran == 1; });
  REQUIRE(read.value == 1);
  return {std::move(opened.value), std::move(accepted.value)};
}

void endpoint_pair::run_until(const std::function<bool()>& done) {
  const auto limit = std::chrono::steady_clock::now() + 20s;
  while (!done()) {
    REQUIRE(std::chrono::steady_clock::now() < limit);
    for (const auto* context : {&near_context, &far_context}) {
      if (*context == nullptr) continue;
      (*context)->restart();
      (*context)->poll();
    }
    if (done()) return;
    if (near_context) near_context->run_one_for(1ms);
  }
}

void endpoint_pair::settle() {
  for (unsigned quiet = 0; quiet < 4;) {
    std::size_t ran = 0;
    for (const auto* context : {&near_context, &far_context}) {
      if (*context == nullptr) continue;
      (*context)->restart();
      ran += (*context)->poll();
      (*context)->restart();
      ran += (*context)->run_one_for(1ms);
    }
    quiet = ran == 0 ? quiet + 1 : 0;
  }
}

bool endpoint_pair::run_out() {
  const auto limit = std::chrono::steady_clock::now() + 10s;
  while (std::chrono::steady_clock::now() < limit) {
    near_context->restart();
    far_context->restart();
    near_context->run_for(2ms);
    far_context->run_for(2ms);
    if (near_context->stopped() && far_context->stopped()) return true;
  }
  return false;
}

struct mute_peer::state {
  asio::io_context context;
  asio::ip::udp::socket socket{context, {asio::ip::address_v4::loopback(), 0}};
};

mute_peer::mute_peer() : state_(std::make_unique<state>()) {
  address = transport::address::loopback_v4(state_->socket.local_endpoint().port());
}

mute_peer::~mute_peer() = default;

}  // namespace strata::tests
