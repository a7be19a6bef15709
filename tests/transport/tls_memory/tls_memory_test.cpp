// SPDX-License-Identifier: Apache-2.0
// What connections cost in memory: nothing per record, little when idle, nothing when gone.
#include <catch2/catch_session.hpp>
#include <catch2/catch_test_macros.hpp>
#include <memory>
#include <vector>

#include "strata/transport/core/error.hpp"
#include "testkit/counting_allocator.hpp"
#include "transport/tls/tls_pair.hpp"

namespace {

using namespace strata;
using namespace strata::transport;
using namespace strata::transport::tests;

// OpenSSL takes another allocator only before its first call.
const bool counting = testkit::count_openssl();

struct contexts {
  tls_context client = made(make_tls_client_context(trusting_client()));
  tls_context server = made(make_tls_server_context(test_server()));
};

/// Both ways, a large and a small write, through buffers that are there already.
void exchange(tls_pair& pair, std::string_view text, std::vector<std::byte>& buffer) {
  for (auto* const end : {&pair.client, &pair.server}) {
    auto& other = end == &pair.client ? pair.server : pair.client;
    const bytes piece = as_bytes(text);
    REQUIRE(end->core.write({&piece, 1}) == text.size());
    std::array<bytes, 16> pieces;
    while (const std::size_t count = end->core.poll_output(pair.now, pieces)) {
      for (const bytes each : std::span(pieces).first(count)) {
        other.core.receive(pair.now, each);
        while (other.core.read(buffer)) {}
        other.core.release_input();
        end->core.sent(each.size());
      }
    }
    tls_connection::event ignored{};
    while (end->core.poll_event(ignored) || other.core.poll_event(ignored)) {}
  }
}

}  // namespace

TEST_CASE("tls_memory: no record asks the heap for anything", "[transport][tls]") {
  REQUIRE(counting);
  const contexts of;
  tls_pair pair(of.client, of.server);
  REQUIRE(pair.shake_hands());
  std::vector<std::byte> buffer(64 * 1024);
  const std::string large = pattern(100'000);
  for (int i = 0; i < 4; ++i) {
    exchange(pair, large, buffer);
    exchange(pair, "small", buffer);
  }
  const std::size_t before = testkit::allocations();
  const std::size_t held = testkit::held_bytes();
  testkit::reset_peak();
  for (int i = 0; i < 50; ++i) {
    exchange(pair, large, buffer);
    exchange(pair, "small", buffer);
  }
  CHECK(testkit::allocations() == before);
  CHECK(testkit::held_bytes() == held);
  // OpenSSL takes nothing either: a buffer that came and went would show.
  CHECK(testkit::peak_bytes() < held + 4096);
}

TEST_CASE("tls_memory: an idle connection is small, and leaves nothing", "[transport][tls]") {
  REQUIRE(counting);
  const contexts of;
  constexpr std::size_t count = 50;
  const std::string large = pattern(100'000);
  std::vector<std::byte> buffer(64 * 1024);
  page_store pages;
  // Once for what OpenSSL and the store keep for ever, then for the figures.
  std::size_t busy = 0;
  std::size_t idle = 0;
  std::size_t before = 0;
  std::size_t after = 0;
  for (int round = 0; round < 2; ++round) {
    before = testkit::held_bytes();
    {
      std::vector<std::unique_ptr<tls_pair>> pairs;
      for (std::size_t i = 0; i < count; ++i) {
        pairs.push_back(
            std::make_unique<tls_pair>(of.client, of.server, tls_pair_options{.pages = &pages}));
        REQUIRE(pairs.back()->shake_hands());
        exchange(*pairs.back(), large, buffer);
      }
      for (const auto& each : pairs) {
        // What the test's own ends hold.
        each->to_client = each->to_server = std::vector<std::byte>();
        each->client.events = each->server.events = std::vector<tls_connection::event>();
      }
      busy = (testkit::held_bytes() - before) / count / 2;
      for (const auto& each : pairs) each->advance(limits::tls_memory_kept_when_idle);
      idle = (testkit::held_bytes() - before) / count / 2;
    }
    after = testkit::held_bytes();
  }
  INFO("one side: " << busy << " bytes after traffic, " << idle << " idle");
  CHECK(idle < 34'000);
  CHECK(busy > idle + 30'000);
  CHECK(after <= before);
}

TEST_CASE("tls_memory: half of a record in the handshake costs its bytes", "[transport][tls]") {
  REQUIRE(counting);
  const contexts of;
  page_store pages;
  tls_end end(of.server, {}, pages);
  const time_point now(std::chrono::hours(1));
  REQUIRE(end.core.begin(now).has_value());
  end.core.handle_timeout(now + limits::tls_memory_kept_when_idle);
  const std::size_t before = testkit::held_bytes();
  std::vector<std::byte> half(3000);
  half[0] = std::byte{22};
  half[1] = std::byte{3};
  half[3] = std::byte{0x40};
  end.core.receive(now, half);
  end.core.release_input();
  CHECK(end.core.failure() == nullptr);
  // Its page, and nothing of OpenSSL's.
  CHECK(testkit::held_bytes() < before + half.size() + page_store::page_size + 1024);
}
