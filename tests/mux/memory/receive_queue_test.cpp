// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <deque>
#include <string>

#include "core/memory/receive_queue.hpp"
#include "testkit/fake_random.hpp"

using namespace strata::mux::core;
namespace transport = strata::transport;
using transport::bytes;

namespace {

struct world {
  page_recycler pages{4};
  lent_views lent;
  receive_queue queue;

  ~world() { queue.clear(memory()); }
  receive_queue::memory memory() { return {pages, lent}; }
  void append(std::string_view text) { queue.append(memory(), transport::as_bytes(text)); }
  std::string read(std::size_t size) { return read(queue, size); }
  std::string read(receive_queue& from, std::size_t size) {
    std::string all;
    while (size != 0) {
      const bytes front = from.front(lent);
      const std::size_t here = std::min(size, front.size());
      all += transport::as_text(front.first(here));
      from.consume(memory(), here);
      size -= here;
    }
    return all;
  }
};

}  // namespace

TEST_CASE("receive_queue: lends until it is settled, and then owns", "[mux][memory]") {
  world w;
  std::string input = "first second";
  w.append(std::string_view(input).substr(0, 6));
  w.append(std::string_view(input).substr(6));
  CHECK(static_cast<const void*>(w.queue.front(w.lent).data()) == input.data());
  CHECK(w.read(3) == "fir");
  CHECK(w.queue.has_lent());
  w.queue.settle(w.memory());
  w.lent.clear();
  input.assign(input.size(), '?');
  CHECK_FALSE(w.queue.has_lent());
  CHECK(w.queue.size() == 9);
  CHECK(w.read(9) == "st second");
}

TEST_CASE("receive_queue: gathers what is held, then what is lent", "[mux][memory]") {
  world w;
  const std::string pages(page::capacity + 3, 'p');
  w.append(pages);
  w.queue.settle(w.memory());
  w.lent.clear();
  const std::string input = "first second";
  w.append(std::string_view(input).substr(0, 6));
  w.append(std::string_view(input).substr(6));
  w.queue.consume(w.memory(), 1);

  std::array<bytes, 5> pieces;
  REQUIRE(w.queue.gather(w.lent, pieces) == 4);
  CHECK(pieces[0].size() == page::capacity - 1);
  CHECK(transport::as_text(pieces[1]) == "ppp");
  CHECK(transport::as_text(pieces[2]) == "first ");
  CHECK(static_cast<const void*>(pieces[3].data()) == input.data() + 6);
  CHECK(pieces[3].size() == 6);
  for (const std::size_t fewer : {1u, 2u, 3u})
    CHECK(w.queue.gather(w.lent, std::span(pieces).first(fewer)) == fewer);
  CHECK(w.queue.size() == pages.size() - 1 + input.size());
}

TEST_CASE("receive_queue: what is read before it is settled is never copied", "[mux][memory]") {
  world w;
  w.append("abc");
  CHECK(w.read(3) == "abc");
  CHECK_FALSE(w.queue.has_lent());
  w.queue.settle(w.memory());
  CHECK(w.pages.kept() == 0);
}

TEST_CASE("receive_queue: copies when the views are used up, in order", "[mux][memory]") {
  constexpr std::size_t most = limits::max_lent_views;
  for (const std::size_t count : {most - 1, most, most + 1, 3 * most}) {
    world w;
    std::string model;
    for (std::size_t i = 0; i < count; ++i) {
      static constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyz";
      w.append(letters.substr(i % 26, 1));
      model += letters[i % 26];
    }
    CHECK(w.queue.has_lent() == (count <= most));
    CHECK(w.read(count) == model);
  }
}

TEST_CASE("receive_queue: dropping what is lent leaves what is owned", "[mux][memory]") {
  world w;
  w.append("own");
  w.queue.settle(w.memory());
  w.lent.clear();
  w.append("lent");
  w.append("more");
  CHECK(w.queue.size() == 11);
  w.queue.drop_lent(w.memory());
  CHECK(w.queue.size() == 3);
  CHECK(w.read(3) == "own");
}

TEST_CASE("receive_queue: several streams share the views of one input", "[mux][memory]") {
  strata::testkit::fake_random random(9);
  world w;
  receive_queue second;
  std::string first_model;
  std::string second_model;
  std::deque<std::string> inputs;
  for (int step = 0; step < 3000; ++step) {
    const std::string text(1 + random.below(300), static_cast<char>('a' + random.below(26)));
    const bool first = random.happens(0.5);
    receive_queue& queue = first ? w.queue : second;
    std::string& model = first ? first_model : second_model;
    if (random.happens(0.5)) {
      inputs.push_back(text);
      queue.append(w.memory(), transport::as_bytes(inputs.back()));
      model += text;
    } else if (random.happens(0.2)) {
      w.queue.settle(w.memory());
      second.settle(w.memory());
      w.lent.clear();
      inputs.clear();
    } else {
      const std::size_t size = std::min(random.below(600), queue.size());
      REQUIRE(w.read(queue, size) == model.substr(0, size));
      model.erase(0, size);
    }
    REQUIRE(w.queue.size() == first_model.size());
    REQUIRE(second.size() == second_model.size());
  }
  second.clear(w.memory());
}
