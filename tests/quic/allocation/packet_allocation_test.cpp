// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>
#include <cstring>
#include <vector>

#include "strata/quic/core/endpoint.hpp"
#include "strata/quic/core/limits.hpp"
#include "testkit/counting_allocator.hpp"
#include "testkit/fake_random.hpp"
#include "testkit/quic/test_tls.hpp"

using namespace strata;
using namespace strata::quic::core;
using namespace std::chrono_literals;

namespace {

/// Two endpoints that hand each other batches directly, 100 us apart, as GRO and GSO would.
struct direct_link {
  explicit direct_link(bool real)
      : sender_tls(real ? testkit::make_openssl_test_tls() : testkit::make_null_test_tls(1)),
        receiver_tls(real ? testkit::make_openssl_test_tls() : testkit::make_null_test_tls(1)),
        sender({}, sender_random, clock, *sender_tls),
        receiver(accepting(), receiver_random, clock, *receiver_tls),
        memory(limits::max_batch_bytes) {}

  static endpoint_config accepting() {
    endpoint_config config;
    config.accept_incoming = true;
    return config;
  }

  void carry(endpoint& from, endpoint& to, const transport::address& source,
             const transport::address& target) {
    while (const auto batch = from.poll_transmit(now, memory, limits::max_batch_segments)) {
      to.receive(now, {transport::mutable_bytes(memory).first(batch->size), batch->segment,
                       batch->mark, source, target});
      serve(to);
      to.release_input();
    }
  }

  void serve(endpoint& at) {
    event occurred;
    while (at.poll_event(occurred)) {
      if (occurred.kind == event_kind::incoming) {
        receiving = at.decide(now, occurred.value, decision::accept).value();
      } else if (occurred.kind == event_kind::readable && &at == &receiver) {
        read(occurred.stream);
      }
    }
  }

  void read(std::uint64_t stream) {
    auto view = receiver.at(receiving).stream(stream);
    bool fin = false;
    for (;;) {
      const auto piece = view.peek(fin);
      if (!piece || piece->empty()) return;
      received += piece->size();
      view.consume(piece->size());
    }
  }

  void step() {
    now += 100us;
    for (endpoint* each : {&sender, &receiver}) {
      if (each->next_timeout() && *each->next_timeout() <= now) each->handle_timeout(now);
      serve(*each);
    }
    carry(sender, receiver, client, server);
    carry(receiver, sender, server, client);
  }

  transport::time_point now = transport::time_point(1h);
  testkit::fake_random sender_random{1}, receiver_random{2};
  testkit::fake_wall_clock clock;
  std::unique_ptr<tls_backend> sender_tls, receiver_tls;
  endpoint sender, receiver;
  std::vector<std::byte> memory;
  transport::address client = transport::address::loopback_v4(1),
                     server = transport::address::loopback_v4(2);
  connection_handle sending, receiving;
  std::uint64_t received = 0;
};

std::size_t allocations_in_steady_state(bool real, std::uint64_t& packets) {
  direct_link link(real);
  link.sending = link.sender.connect(link.now, link.server, "server.test", {}).value();
  while (!link.sender.at(link.sending).handshake_confirmed()) link.step();
  const auto id = link.sender.at(link.sending).open(false).value();
  const std::vector<std::byte> block(64 * 1024, std::byte{7});
  const bytes piece(block);
  const auto push = [&](std::uint64_t goal) {
    while (link.received < goal) {
      while (link.sender.at(link.sending).stream(id).write({&piece, 1}, false).value() ==
             piece.size()) {}
      link.step();
    }
  };
  // Windows, rings and pages find their sizes first.
  push(200'000'000);
  const auto sent_before = link.sender.at(link.sending).statistics().packets_sent;
  const std::size_t before = testkit::allocations();
  push(link.received + 50'000'000);
  packets = link.sender.at(link.sending).statistics().packets_sent - sent_before;
  return testkit::allocations() - before;
}

}  // namespace

TEST_CASE("allocation: a bulk transfer in steady state allocates nothing per packet, either side",
          "[quic][allocation]") {
  std::uint64_t packets = 0;
  const std::size_t with_null = allocations_in_steady_state(false, packets);
  CHECK(packets > 30'000);
  CHECK(with_null == 0);
  const std::size_t with_openssl = allocations_in_steady_state(true, packets);
  CHECK(with_openssl == 0);
}
