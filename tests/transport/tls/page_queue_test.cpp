// SPDX-License-Identifier: Apache-2.0
#include "tls/page_queue.hpp"

#include <catch2/catch_test_macros.hpp>
#include <string>

#include "testkit/fake_random.hpp"
#include "tls/record_io.hpp"
#include "tls_pair.hpp"

namespace {

using namespace strata::transport;
using strata::transport::tests::pattern;

std::string content(const page_queue& queue) {
  std::array<bytes, 64> pieces;
  std::string out;
  for (const bytes each : std::span(pieces).first(queue.gather(pieces))) out += as_text(each);
  return out;
}

/// A record of this much content, of zeros.
std::vector<std::byte> record(std::size_t size) {
  std::vector<std::byte> out(5 + size);
  out[0] = std::byte{23};
  out[1] = out[2] = std::byte{3};
  out[3] = static_cast<std::byte>(size >> 8);
  out[4] = static_cast<std::byte>(size);
  return out;
}

}  // namespace

TEST_CASE("page_queue: bytes come out as they went in", "[transport][tls]") {
  page_store store;
  page_queue queue(store);
  strata::testkit::fake_random random(7);
  std::string model;
  for (int step = 0; step < 3000; ++step) {
    if (random.happens(0.5)) {
      const std::string more = pattern(random.below(random.happens(0.1) ? 50'000 : 300));
      queue.append(as_bytes(more));
      model += more;
    } else {
      const auto size = static_cast<std::size_t>(random.below(model.size() + 1));
      const std::size_t count = random.happens(0.1) ? size : size / 5;
      queue.consume(count);
      model.erase(0, count);
    }
    REQUIRE(queue.size() == model.size());
    REQUIRE(queue.empty() == model.empty());
    REQUIRE(as_text(queue.front()) == model.substr(0, queue.front().size()));
    if (!model.empty()) {
      REQUIRE_FALSE(queue.front().empty());
      const auto at = static_cast<std::size_t>(random.below(model.size()));
      REQUIRE(queue.at(at) == static_cast<std::byte>(model[at]));
    }
    if (step % 16 == 0 && model.size() < 500'000) REQUIRE(content(queue) == model);
  }
}

TEST_CASE("page_queue: pages go back to the store, the last one first, up to its limit",
          "[transport][tls]") {
  page_store store(2);
  {
    page_queue queue(store);
    queue.append(as_bytes(pattern(page_store::page_size * 3)));
    CHECK(store.free_pages() == 0);
    queue.consume(page_store::page_size - 1);
    CHECK(store.free_pages() == 0);
    queue.consume(1);
    CHECK(store.free_pages() == 1);
    const void* const given_back = store.take().release();
    store.give_back(std::unique_ptr<page_store::page>(
        static_cast<page_store::page*>(const_cast<void*>(given_back))));
    queue.append(as_bytes("x"));
    CHECK(store.free_pages() == 0);
    queue.clear();
    CHECK(queue.empty());
    CHECK(store.free_pages() == 2);
    queue.append(as_bytes("more"));
    CHECK(store.free_pages() == 1);
  }
  CHECK(store.free_pages() == 2);
}

TEST_CASE("record_io: records are handed over whole", "[transport][tls]") {
  page_store store;
  record_io io(store);
  std::vector<std::byte> out(70'000);
  const auto wire = record(300);
  for (std::size_t size = 0; size < wire.size(); ++size) {
    io.drop_input();
    io.lend(bytes(wire).first(size / 2));
    io.keep();
    io.lend(bytes(wire).subspan(size / 2, size - size / 2));
    CHECK_FALSE(io.has_whole_record());
    CHECK(io.read(out) == 0);
    CHECK(io.input_size() == size);
  }
  io.drop_input();
  auto two = record(300);
  two.insert(two.end(), wire.begin(), wire.begin() + 100);
  io.lend(two);
  CHECK(io.read(std::span(out).first(5)) == 5);
  CHECK(io.records_read() == 1);
  io.keep();
  CHECK(io.read(out) == 300);
  CHECK(io.read(out) == 0);
  CHECK(io.records_read() == 1);
  CHECK(io.input_size() == 100);
  io.lend(bytes(wire).subspan(100));
  CHECK(io.read(out) == 305);
  CHECK(std::equal(wire.begin(), wire.end(), out.begin()));
  CHECK(io.records_read() == 2);
}

TEST_CASE("record_io: what cannot be a record is not waited for", "[transport][tls]") {
  // The largest ciphertext of TLS 1.2 (RFC 5246 section 6.2.3).
  constexpr std::size_t largest = 16'384 + 2048;
  for (const std::size_t size : {largest - 1, largest, largest + 1}) {
    page_store store;
    record_io io(store);
    const auto wire = record(size);
    io.lend(bytes(wire).first(100));
    CHECK(io.has_whole_record() == (size > largest));
  }
  for (const auto& [place, value] : {std::pair{0, 19}, {0, 25}, {1, 2}, {1, 4}}) {
    page_store store;
    record_io io(store);
    auto wire = record(1000);
    wire[static_cast<std::size_t>(place)] = static_cast<std::byte>(value);
    io.lend(bytes(wire).first(10));
    CHECK(io.has_whole_record());
  }
}
