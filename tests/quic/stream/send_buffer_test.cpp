// SPDX-License-Identifier: Apache-2.0
#include "core/stream/send_buffer.hpp"

#include <catch2/catch_test_macros.hpp>
#include <list>
#include <map>
#include <string>

#include "testkit/fake_random.hpp"

using namespace strata::quic::core;
using strata::transport::as_bytes;
using strata::transport::as_text;

namespace {

struct fixture {
  page_recycler pages{16};
  event_queue events;
  send_buffer buffer;
  send_buffer::release_target target{pages, events, 4};

  ~fixture() { buffer.drop(target); }
  std::string copy(std::uint64_t offset, std::size_t size) {
    std::string out(size, '\0');
    buffer.copy_to(offset, std::as_writable_bytes(std::span(out.data(), out.size())));
    return out;
  }
  std::string reported() {
    std::string all;
    for (strata::quic::core::event one; events.pop(one);) {
      all += (one.kind == strata::quic::core::event_kind::acknowledged ? "+" : "-") +
             std::to_string(one.value);
    }
    return all;
  }
};

}  // namespace

TEST_CASE_METHOD(fixture, "send_buffer: copied and borrowed bytes follow each other",
                 "[quic][stream]") {
  const std::string borrowed = "borrowed";
  buffer.append(pages, as_bytes("head "));
  buffer.append_borrowed(as_bytes(borrowed), 7);
  buffer.append(pages, as_bytes(" tail"));
  CHECK(buffer.end() == 18);
  CHECK(buffer.unsent_copied() == 10);
  CHECK(copy(0, 18) == "head borrowed tail");
  CHECK(copy(7, 3) == "rro");
  buffer.on_sent(0, 18);
  CHECK(buffer.unsent() == 0);
  CHECK(buffer.unsent_copied() == 0);
}

TEST_CASE_METHOD(fixture,
                 "send_buffer: a token is reported as soon as all of its bytes are acknowledged",
                 "[quic][stream]") {
  buffer.append_borrowed(as_bytes("aaaa"), 1);
  buffer.append_borrowed(as_bytes("bbbb"), 2);
  buffer.append_borrowed(as_bytes("cccc"), 3);
  buffer.on_sent(0, 12);
  buffer.on_acked(target, 4, 2);
  CHECK(reported().empty());
  buffer.on_acked(target, 5, 4);
  CHECK(reported() == "+2");
  buffer.on_acked(target, 0, 6);
  CHECK(reported() == "+1");
  buffer.drop(target);
  CHECK(reported() == "-3");
}

TEST_CASE_METHOD(
    fixture, "send_buffer: lost bytes come first, without those that were acknowledged meanwhile",
    "[quic][stream]") {
  buffer.append(pages, as_bytes(std::string(100, 'x')));
  buffer.on_sent(0, 100);
  buffer.on_acked(target, 20, 10);
  buffer.on_lost(10, 30);
  CHECK(buffer.first_lost() == interval{10, 20});
  buffer.on_sent(10, 10);
  CHECK(buffer.first_lost() == interval{30, 40});
  buffer.on_acked(target, 30, 10);
  CHECK_FALSE(buffer.has_lost());
  buffer.on_lost(0, 25);
  CHECK(buffer.first_lost() == interval{0, 20});
  buffer.on_acked(target, 0, 100);
  CHECK(buffer.all_acked());
  CHECK_FALSE(buffer.has_lost());
  CHECK_FALSE(buffer.send_again(1200));
}

TEST_CASE_METHOD(fixture, "send_buffer: a probe repeats the oldest bytes in flight",
                 "[quic][stream]") {
  CHECK_FALSE(buffer.send_again(1200));
  buffer.append(pages, as_bytes(std::string(5000, 'x')));
  CHECK_FALSE(buffer.send_again(1200));
  buffer.on_sent(0, 4000);
  buffer.on_acked(target, 0, 1000);
  buffer.on_acked(target, 1500, 1000);
  CHECK(buffer.send_again(1200));
  CHECK(buffer.first_lost() == interval{1000, 1500});
}

namespace {

/// Writes, sends, loses and acknowledges at random, beside a copy of everything that was written.
struct random_run : fixture {
  explicit random_run(std::uint64_t seed) : random(seed) {}

  struct flight {
    std::uint64_t offset, size;
  };
  strata::testkit::fake_random random;
  std::string model;
  std::list<std::string> borrowed;
  std::map<std::uint64_t, int> tokens;
  std::uint64_t next_token = 1;
  std::vector<flight> flying;

  void write() {
    std::string more(1 + random.below(random.happens(0.2) ? 9000 : 300), ' ');
    for (char& c : more) c = static_cast<char>(random.next());
    model += more;
    if (!random.happens(0.4)) return buffer.append(pages, as_bytes(more));
    borrowed.push_back(std::move(more));
    tokens[next_token] = 0;
    buffer.append_borrowed(as_bytes(borrowed.back()), next_token++);
  }
  /// What was lost before what is new.
  flight send(std::uint64_t most) {
    const bool again = buffer.has_lost();
    const std::uint64_t offset = again ? buffer.first_lost().begin : buffer.sent_end();
    const std::uint64_t room = again ? buffer.first_lost().size() : buffer.unsent();
    const std::uint64_t size = std::min(room, most);
    REQUIRE(copy(offset, size) == model.substr(offset, size));
    buffer.on_sent(offset, size);
    return {offset, size};
  }
  void hear() {
    if (flying.empty()) return;
    const std::size_t chosen = random.below(flying.size());
    const flight which = flying[chosen];
    flying.erase(flying.begin() + static_cast<std::ptrdiff_t>(chosen));
    // A frame that counted as lost may be acknowledged all the same.
    const bool lost = random.happens(0.3);
    if (lost) buffer.on_lost(which.offset, which.size);
    if (!lost || random.happens(0.3)) buffer.on_acked(target, which.offset, which.size);
  }
  void step() {
    switch (random.below(6)) {
      case 0: write(); break;
      case 1:
      case 2: flying.push_back(send(1 + random.below(1500))); break;
      case 3: buffer.send_again(1 + random.below(1500)); break;
      default: hear(); break;
    }
    collect();
  }
  void collect() {
    for (strata::quic::core::event what; events.pop(what);) ++tokens[what.value];
  }
};

}  // namespace

TEST_CASE("send_buffer: any acknowledgements and losses give every token once",
          "[quic][stream][property]") {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    CAPTURE(seed);
    random_run one(seed);
    for (int i = 0; i < 400; ++i) one.step();
    const bool finish = one.random.happens(0.7);
    while (finish && !one.buffer.all_acked()) {
      if (one.buffer.unsent() == 0 && !one.buffer.has_lost()) one.buffer.send_again(1000);
      const random_run::flight last = one.send(1000);
      one.buffer.on_acked(one.target, last.offset, last.size);
    }
    one.buffer.drop(one.target);
    one.collect();
    REQUIRE(one.buffer.unsent_copied() == 0);
    for (const auto& [token, count] : one.tokens) {
      CAPTURE(token);
      REQUIRE(count == 1);
    }
  }
}
