// SPDX-License-Identifier: Apache-2.0
#include "core/websocket/message_queue.hpp"

#include <catch2/catch_test_macros.hpp>
#include <deque>
#include <string>
#include <vector>

#include "testkit/fake_random.hpp"

using namespace strata;
using namespace strata::transport;
using namespace strata::transport::websocket;

namespace {

std::string read(message_queue& queue, std::size_t most) {
  std::string out(most, '\0');
  out.resize(queue.read(std::as_writable_bytes(std::span(out))));
  return out;
}

/// "payload." with a dot for the end; "none" when there is nothing.
std::string part(message_queue& queue, std::size_t most) {
  std::string out(most, '\0');
  const auto found = queue.read_part(std::as_writable_bytes(std::span(out)));
  if (!found) return "none";
  out.resize(found->size);
  return out + (found->end ? "." : "");
}

std::string masked(std::string_view text, mask_key key) {
  std::string out(text);
  apply_mask(reinterpret_cast<std::byte*>(out.data()), as_bytes(out), key);
  return out;
}

}  // namespace

TEST_CASE("message_queue: lent and kept bytes are one stream", "[transport][websocket]") {
  for (const bool keep : {false, true}) {
    message_queue queue(websocket_mode::stream);
    const std::string first = masked("abcdef", 0x11223344);
    const std::string second = "ghi";
    queue.add(as_bytes(first), 0x11223344, websocket_kind::binary);
    CHECK(read(queue, 2) == "ab");
    if (keep) queue.keep();
    queue.add(as_bytes(second), 0, websocket_kind::binary);
    CHECK(queue.cost() == 7);
    CHECK(read(queue, 100) == "cdefghi");
    CHECK(queue.empty());
    CHECK(read(queue, 1).empty());
  }
}

TEST_CASE("message_queue: a peek copies only what was masked", "[transport][websocket]") {
  message_queue queue(websocket_mode::stream);
  const std::string plain = "plain";
  const std::string hidden = masked("hidden", 0x01020304);
  queue.add(as_bytes(plain), 0, websocket_kind::binary);
  queue.add(as_bytes(hidden), 0x01020304, websocket_kind::binary);
  CHECK(queue.peek().data() == as_bytes(plain).data());
  queue.consume(2);
  CHECK(as_text(queue.peek()) == "ain");
  queue.consume(3);
  CHECK(as_text(queue.peek()) == "hidden");
  queue.consume(1);
  CHECK(as_text(queue.peek()) == "idden");
  CHECK(queue.cost() == 5);
  queue.consume(5);
  CHECK(queue.empty());
  CHECK(queue.peek().empty());
}

TEST_CASE("message_queue: messages keep their borders", "[transport][websocket]") {
  for (const bool keep : {false, true}) {
    message_queue queue(websocket_mode::messages);
    const std::string text = "onetwothree";
    const auto add = [&](std::size_t from, std::size_t size) {
      queue.add(as_bytes(text).subspan(from, size), 0, websocket_kind::text);
    };
    add(0, 1);
    add(1, 2);
    queue.end_message(websocket_kind::text);
    queue.end_message(websocket_kind::binary);
    add(3, 3);
    if (keep) queue.keep();
    queue.end_message(websocket_kind::text);
    add(6, 5);
    if (keep) queue.keep();
    CHECK(queue.cost() == 11 + 3 * limits::websocket_message_cost);
    CHECK(part(queue, 2) == "on");
    CHECK(part(queue, 1) == "e.");
    CHECK(part(queue, 0) == ".");
    CHECK(part(queue, 100) == "two.");
    CHECK(part(queue, 100) == "three");
    CHECK(part(queue, 100) == "none");
    queue.end_message(websocket_kind::text);
    CHECK(part(queue, 100) == ".");
    CHECK(queue.empty());
    CHECK(queue.cost() == 0);
  }
}

TEST_CASE("message_queue: any mixture of calls gives back the messages", "[transport][websocket]") {
  testkit::fake_random random(5);
  message_queue queue(websocket_mode::messages);
  std::deque<std::string> arrived(1);  // the last is incomplete
  std::string reading;
  std::deque<std::string> loans;
  char next = 'a';
  for (int round = 0; round < 20'000; ++round) {
    switch (random.below(6)) {
      case 0:
      case 1: {
        std::string added(1 + random.below(round % 50 == 0 ? 20'000 : 5), '\0');
        for (char& octet : added) octet = next = next == 'z' ? 'a' : static_cast<char>(next + 1);
        arrived.back() += added;
        const mask_key key = random.below(2) == 0 ? 0 : 0x5a0f33c1;
        loans.push_back(masked(added, key));
        queue.add(as_bytes(loans.back()), key, websocket_kind::binary);
        break;
      }
      case 2:
        queue.end_message(websocket_kind::binary);
        arrived.back() += ".";
        arrived.emplace_back();
        break;
      case 3:
        queue.keep();
        loans.clear();
        break;
      default: {
        const std::string found = part(queue, random.below(9));
        if (found == "none") {
          REQUIRE(arrived.size() == 1);
          REQUIRE(reading == arrived.front());
          break;
        }
        reading += found;
        if (!found.ends_with('.')) break;
        REQUIRE(reading == arrived.front());
        reading.clear();
        arrived.pop_front();
      }
    }
  }
  queue.clear();
  CHECK(queue.empty());
  CHECK(part(queue, 1) == "none");
  queue.add(as_bytes("new"), 0, websocket_kind::binary);
  queue.keep();
  CHECK(part(queue, 9) == "new");
  queue.clear();
  queue.release_spare_memory();
  CHECK_FALSE(queue.holds_spare_memory());
}
