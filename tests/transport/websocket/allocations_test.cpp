// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <vector>

#include "strata/transport/core/websocket_connection.hpp"
#include "testkit/counting_allocator.hpp"
#include "testkit/fake_random.hpp"

using namespace strata;
using namespace strata::transport;

namespace {

constexpr std::size_t frame_size = 1000;

/// A client that sends frames to a server, over memory.
class exchange {
 public:
  explicit exchange(websocket_mode mode)
      : random_(1),
        client_({.role = websocket_role::client, .mode = mode}, random_),
        server_({.role = websocket_role::server, .mode = mode}, random_),
        mode_(mode),
        wire_(1 << 20) {}

  /// `lag` is how much the server leaves unread of each round, until the next.
  void round(std::size_t lag) {
    for (int i = 0; i < 40; ++i) write();
    (void)client_.ping(bytes(wire_).first(8));
    carry(client_, server_, lag);
    carry(server_, client_, 0);
  }

 private:
  void write() {
    const bytes piece = bytes(payload_);
    if (mode_ == websocket_mode::stream) {
      (void)client_.write({&piece, 1});
    } else {
      (void)client_.send(websocket_kind::binary, {&piece, 1}, true);
    }
  }

  void carry(websocket_connection& from, websocket_connection& to, std::size_t lag) {
    std::array<bytes, 16> pieces;
    std::size_t size = 0;
    while (const std::size_t count = from.poll_output(now_, pieces)) {
      const std::size_t before = size;
      for (std::size_t i = 0; i < count; ++i) {
        copy_bytes(wire_.data() + size, pieces[i]);
        size += pieces[i].size();
      }
      from.sent(size - before);
    }
    now_ += std::chrono::milliseconds(40);
    to.receive(now_, bytes(wire_).first(size));
    for (std::size_t left = 40 * frame_size - lag + carried_; left != 0;) {
      const std::size_t got = read(to, std::min(left, buffer_.size()));
      if (got == 0) break;
      left -= got;
    }
    if (&to == &server_) carried_ = lag;
    to.release_input();
    for (websocket_event event; to.poll_event(event);) {}
  }

  std::size_t read(websocket_connection& from, std::size_t most) {
    const auto out = std::span(buffer_).first(most);
    if (mode_ == websocket_mode::stream) return from.read(out).value_or(0);
    const auto part = from.read_message(out);
    return part ? part->size : 0;
  }

  testkit::fake_random random_;
  websocket_connection client_;
  websocket_connection server_;
  websocket_mode mode_;
  std::array<std::byte, frame_size> payload_{};
  std::array<std::byte, 4096> buffer_{};
  std::vector<std::byte> wire_;
  std::size_t carried_ = 0;
  time_point now_{std::chrono::seconds(1)};
};

}  // namespace

TEST_CASE("websocket: no allocation per frame, read at once or late", "[transport][websocket]") {
  const websocket_mode mode = GENERATE(websocket_mode::stream, websocket_mode::messages);
  const std::size_t lag = GENERATE(std::size_t{0}, std::size_t{10}, 25 * frame_size);
  exchange frames(mode);
  for (int i = 0; i < 20; ++i) frames.round(lag);
  const std::size_t before = testkit::allocations();
  for (int i = 0; i < 500; ++i) frames.round(lag);
  CHECK(testkit::allocations() - before == 0);
}
