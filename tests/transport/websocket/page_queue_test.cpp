// SPDX-License-Identifier: Apache-2.0
#include "core/websocket/page_queue.hpp"

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <deque>
#include <string>
#include <vector>

#include "testkit/fake_random.hpp"

using namespace strata;
using namespace strata::transport;
using namespace strata::transport::websocket;

namespace {

constexpr std::size_t page = page_queue::page_size;

std::string numbered(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 7 + i / 251);
  return text;
}

std::string gathered(const page_queue& queue, std::size_t offset, std::size_t most) {
  std::array<bytes, 64> pieces;
  std::string out;
  const std::size_t count = queue.gather(offset, most, pieces);
  for (std::size_t i = 0; i < count; ++i) out += as_text(pieces[i]);
  return out;
}

}  // namespace

TEST_CASE("page_queue: it is a queue of bytes, whatever the order of calls",
          "[transport][websocket]") {
  testkit::fake_random random(4);
  page_queue queue;
  std::deque<char> model;
  char next = 0;
  for (int round = 0; round < 4000; ++round) {
    const std::size_t size = random.below(round % 3 == 0 ? 3 * page : 40);
    switch (random.below(5)) {
      case 0:
      case 1: {
        std::string added(size, '\0');
        for (char& octet : added) model.push_back(octet = next++);
        queue.append(as_bytes(added));
        break;
      }
      case 2: {
        std::vector<std::byte> out(size);
        const std::size_t count = queue.read(out);
        REQUIRE(count == std::min(size, model.size()));
        for (std::size_t i = 0; i < count; ++i, model.pop_front())
          REQUIRE(std::to_integer<char>(out[i]) == model.front());
        break;
      }
      case 3: {
        const std::size_t count = std::min(size, model.size());
        queue.consume(count);
        model.erase(model.begin(), model.begin() + static_cast<std::ptrdiff_t>(count));
        break;
      }
      default: {
        if (random.below(8) == 0) queue.release_spare_memory();
        const std::size_t kept = model.size() - model.size() / 4;
        queue.truncate(kept);
        model.resize(kept);
      }
    }
    REQUIRE(queue.size() == model.size());
    REQUIRE(queue.empty() == model.empty());
    REQUIRE(queue.front().empty() == model.empty());
    if (!model.empty()) {
      REQUIRE(std::to_integer<char>(queue.front().front()) == model.front());
      REQUIRE(std::to_integer<char>(queue.at(model.size() - 1)) == model.back());
    }
  }
}

TEST_CASE("page_queue: what is gathered stays while more is added", "[transport][websocket]") {
  page_queue queue;
  const std::string text = numbered(2 * page + 100);
  queue.append(as_bytes(text));
  queue.consume(10);
  std::array<bytes, 8> pieces;
  REQUIRE(queue.gather(5, SIZE_MAX, pieces) == 3);
  std::array<std::string, 3> before;
  for (std::size_t i = 0; i < 3; ++i) before[i] = as_text(pieces[i]);
  queue.append(as_bytes(numbered(20 * page)));
  for (std::size_t i = 0; i < 3; ++i) CHECK(as_text(pieces[i]) == before[i]);
  CHECK(before[0] + before[1] + before[2] == text.substr(15));
  CHECK(gathered(queue, 0, 30) == text.substr(10, 30));
  CHECK(gathered(queue, page - 20, 40) == text.substr(page - 10, 40));
  CHECK(queue.gather(0, 0, pieces) == 0);
  CHECK(queue.gather(0, SIZE_MAX, std::span(pieces).first(2)) == 2);
}

TEST_CASE("page_queue: bytes are masked on the way in, across pages", "[transport][websocket]") {
  page_queue queue;
  const std::string text = numbered(page + 50);
  mask_key key = 0x0a0b0c0d;
  key = queue.append(as_bytes(text).first(7), key);
  CHECK(key == advance(0x0a0b0c0d, 7));
  queue.append(as_bytes(text).subspan(7), key);
  std::string out = gathered(queue, 0, SIZE_MAX);
  apply_mask(reinterpret_cast<std::byte*>(out.data()), as_bytes(out), 0x0a0b0c0d);
  CHECK(out == text);
}

TEST_CASE("page_queue: spare pages can be given back", "[transport][websocket]") {
  page_queue queue;
  CHECK_FALSE(queue.holds_spare_memory());
  queue.append(as_bytes("few"));
  queue.consume(3);
  CHECK(queue.holds_spare_memory());
  queue.release_spare_memory();
  queue.append(as_bytes(numbered(3 * page)));
  CHECK_FALSE(queue.holds_spare_memory());
  queue.consume(page);
  CHECK(queue.holds_spare_memory());
  queue.release_spare_memory();
  CHECK_FALSE(queue.holds_spare_memory());
  CHECK(gathered(queue, 0, SIZE_MAX) == numbered(3 * page).substr(page));
  queue.truncate(0);
  CHECK(queue.holds_spare_memory());
}
