// SPDX-License-Identifier: Apache-2.0
#include "core/stream/reassembly_buffer.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <string>

#include "testkit/fake_random.hpp"

using namespace strata::quic::core;
using strata::transport::as_bytes;
using strata::transport::as_text;
using strata::transport::bytes;
using outcome = reassembly_buffer::outcome;

namespace {

constexpr std::size_t page_size = page_recycler::page_size;

struct fixture {
  page_recycler pages{16};
  lent_views lent;
  reassembly_buffer buffer;

  ~fixture() { buffer.clear(pages); }
  outcome insert(std::uint64_t offset, std::string_view content) {
    return buffer.insert({pages, lent}, offset, as_bytes(content));
  }
  std::string read(std::size_t most = SIZE_MAX) {
    std::string all;
    while (all.size() < most) {
      const bytes piece = buffer.front(lent);
      if (piece.empty()) break;
      const std::size_t size = std::min(piece.size(), most - all.size());
      all += as_text(piece.first(size));
      buffer.consume({pages, lent}, size);
    }
    return all;
  }
  void release_input() {
    buffer.settle({pages, lent});
    lent.clear();
  }
};

}  // namespace

TEST_CASE_METHOD(fixture,
                 "reassembly_buffer: what arrives in order is lent where it is, without a page",
                 "[quic][stream]") {
  const std::string first = "hello ";
  const std::string second = "world";
  CHECK(insert(0, first) == outcome::readable);
  CHECK(insert(6, second) == outcome::readable);
  CHECK(buffer.pages_held() == 0);
  CHECK(static_cast<const void*>(buffer.front(lent).data()) == first.data());
  buffer.consume({pages, lent}, 6);
  CHECK(static_cast<const void*>(buffer.front(lent).data()) == second.data());
  CHECK(read() == "world");
  CHECK_FALSE(buffer.has_lent());
}

TEST_CASE_METHOD(fixture,
                 "reassembly_buffer: unread lent bytes move to pages when the input is released",
                 "[quic][stream]") {
  std::string first = "hello ";
  std::string second = "world";
  insert(0, first);
  insert(6, second);
  CHECK(read(3) == "hel");
  release_input();
  first.assign(first.size(), 'x');
  second.assign(second.size(), 'x');
  CHECK(buffer.pages_held() == 1);
  CHECK(read() == "lo world");
  CHECK(buffer.pages_held() == 0);
}

TEST_CASE_METHOD(fixture, "reassembly_buffer: a hole that closes makes what lies beyond readable",
                 "[quic][stream]") {
  CHECK(insert(4, "efgh") == outcome::nothing_new);
  CHECK(insert(10, "kl") == outcome::nothing_new);
  CHECK(buffer.gaps() == 2);
  CHECK(insert(0, "abcd") == outcome::readable);
  CHECK(buffer.contiguous_end() == 8);
  CHECK(insert(6, "ghij") == outcome::readable);
  CHECK(buffer.gaps() == 0);
  CHECK(read() == "abcdefghijkl");
  CHECK(insert(3, "defgh") == outcome::nothing_new);
  CHECK(read().empty());
}

TEST_CASE_METHOD(fixture, "reassembly_buffer: the first copy of a byte counts", "[quic][stream]") {
  insert(2, "CD");
  insert(1, "bcde");
  insert(0, "abcdef");
  CHECK(read() == "abCDef");
}

TEST_CASE_METHOD(fixture, "Q10_zero_length: empty pieces anywhere change nothing",
                 "[quic][stream]") {
  CHECK(insert(0, "") == outcome::nothing_new);
  CHECK(insert(7, "") == outcome::nothing_new);
  insert(3, "d");
  CHECK(insert(3, "") == outcome::nothing_new);
  CHECK(insert(1, "") == outcome::nothing_new);
  CHECK(insert(0, "abc") == outcome::readable);
  CHECK(insert(4, "") == outcome::nothing_new);
  CHECK(read() == "abcd");
}

TEST_CASE_METHOD(fixture, "Q08_gap_bomb: a byte here and a byte there ends at the limit of gaps",
                 "[quic][stream]") {
  constexpr std::size_t limit = limits::max_reassembly_gaps;
  std::size_t sent = 0;
  const auto send_one = [&] { return insert(2 * ++sent, "x"); };
  while (sent < limit - 1) REQUIRE(send_one() == outcome::nothing_new);
  CHECK(buffer.gaps() == limit - 1);
  CHECK(send_one() == outcome::nothing_new);
  CHECK(buffer.gaps() == limit);
  CHECK(send_one() == outcome::too_many_gaps);
  // At two bytes of credit each, they share pages.
  CHECK(buffer.pages_held() <= 1 + 2 * sent / page_size);
}

TEST_CASE_METHOD(fixture, "Q08_gap_bomb: sparse bytes cost the pages that they touch, at most",
                 "[quic][stream]") {
  constexpr std::size_t pieces = 400;
  for (std::uint64_t i = 1; i <= pieces; ++i)
    REQUIRE(insert((pieces - i + 1) * 3 * page_size, "x") == outcome::nothing_new);
  CHECK(buffer.pages_held() == pieces);
  // Far away, where no window this small could allow it: still one page, not a table over the
  // distance.
  CHECK(insert(std::uint64_t{1} << 61, "y") == outcome::nothing_new);
  CHECK(buffer.pages_held() == pieces + 1);
}

TEST_CASE_METHOD(fixture,
                 "Q09_slices: many small and repeated slices of packets keep no packet alive",
                 "[quic][stream]") {
  // One byte of every 1,200: twice, then the others; the memory never exceeds the bytes of credit
  // and one page more.
  constexpr std::uint64_t size = 64 * 1024;
  const std::string content(1200, 'p');
  for (int round = 0; round < 2; ++round) {
    for (std::uint64_t offset = 1; offset < size; offset += 1200)
      insert(offset, std::string_view(content).substr(0, 1));
    CHECK(buffer.pages_held() * page_size <= size + page_size);
  }
  for (std::uint64_t offset = 1; offset < size; offset += 600)
    insert(offset, std::string_view(content).substr(0, 600));
  release_input();
  const std::uint64_t useful = buffer.contiguous_end() + size;
  CHECK(buffer.pages_held() * page_size <= 4 * useful);
}

TEST_CASE_METHOD(fixture,
                 "reassembly_buffer: lent pieces of one batch are bounded; the rest is copied",
                 "[quic][stream]") {
  constexpr std::size_t limit = limits::max_lent_views;
  std::uint64_t sent = 0;
  for (; sent < limit - 1; ++sent) insert(sent, "a");
  CHECK_FALSE(lent.full());
  CHECK(buffer.pages_held() == 0);
  insert(sent++, "b");
  CHECK(lent.full());
  CHECK(buffer.pages_held() == 0);
  insert(sent++, "c");
  CHECK(buffer.pages_held() == 1);
  CHECK(read() == std::string(limit - 1, 'a') + "bc");
}

//= RFC 9000 section 2.2
//# Endpoints MUST be able to deliver stream data to an application as an ordered byte stream.
TEST_CASE("reassembly_buffer: any order, repetition and overlap gives the bytes once and in order",
          "[quic][stream][property]") {
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    CAPTURE(seed);
    strata::testkit::fake_random random(seed);
    fixture one;
    const std::size_t size = 1 + random.below(40'000);
    std::string content(size, ' ');
    for (char& c : content) c = static_cast<char>(random.next());
    std::vector<std::string> batch;
    batch.reserve(64);
    std::string seen;
    const std::uint64_t slice = 1 + random.below(5'000);
    while (seen.size() < size) {
      const bool next = random.happens(0.4);
      const std::uint64_t offset =
          next ? one.buffer.contiguous_end() -
                     random.below(std::min<std::uint64_t>(one.buffer.contiguous_end(), 50) + 1)
               : random.below(size);
      batch.push_back(content.substr(offset, random.below(slice) + 1));
      REQUIRE(one.insert(offset, batch.back()) != outcome::too_many_gaps);
      if (random.happens(0.3)) seen += one.read(random.below(2 * slice) + 1);
      if (batch.size() == 64 || random.happens(0.1)) {
        one.release_input();
        for (std::string& gone : batch) gone.assign(gone.size(), '#');
        batch.clear();
      }
      REQUIRE(one.buffer.pages_held() <= size / page_size + 1);
    }
    REQUIRE(seen == content);
    REQUIRE(one.buffer.pages_held() == 0);
  }
}
