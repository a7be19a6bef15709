// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

#include "core/yamux/send_queue.hpp"
#include "testkit/fake_random.hpp"

using namespace strata::mux::core;
namespace transport = strata::transport;
using transport::bytes;

namespace {

struct world {
  page_recycler pages{4};
  lent_run_pool runs;
  send_queue queue;

  ~world() { queue.clear(memory()); }
  send_queue::memory memory() { return {pages, runs}; }
  void append(std::string_view text) { queue.append(memory(), transport::as_bytes(text)); }
  std::size_t lend(std::vector<std::string_view> texts) {
    std::vector<bytes> pieces;
    for (const std::string_view text : texts) pieces.push_back(transport::as_bytes(text));
    return queue.lend(memory(), pieces);
  }
  /// The front, gathered in steps of `step` bytes.
  std::string gather(std::size_t size, std::size_t step = SIZE_MAX) const {
    std::vector<bytes> list(1000);
    piece_list pieces(list);
    send_queue::cursor place = queue.front();
    for (std::size_t left = size; left != 0;)
      left -= queue.gather(place, std::min(left, step), pieces);
    std::string all;
    for (std::size_t i = 0; i < pieces.used(); ++i) all += transport::as_text(list[i]);
    return all;
  }
};

}  // namespace

TEST_CASE("send_queue: copied bytes come first, then what is lent, from where it is",
          "[mux][yamux]") {
  world w;
  const std::string one = "lent one ";
  const std::string two = "lent two";
  w.append("copied ");
  CHECK(w.lend({one, "", two}) == one.size() + two.size());
  CHECK(w.queue.size() == 7 + one.size() + two.size());
  CHECK(w.queue.copied() == 7);
  for (const std::size_t step : {SIZE_MAX, std::size_t{1}, std::size_t{5}})
    CHECK(w.gather(w.queue.size(), step) == "copied lent one lent two");
  std::vector<bytes> list(3);
  piece_list pieces(list);
  send_queue::cursor place = w.queue.front();
  CHECK(w.queue.gather(place, w.queue.size(), pieces) == w.queue.size());
  CHECK(static_cast<const void*>(list[1].data()) == one.data());
  CHECK(static_cast<const void*>(list[2].data()) == two.data());
}

TEST_CASE("send_queue: says when the carrier has the last byte lent, once", "[mux][yamux]") {
  world w;
  w.append("abc");
  w.lend({"de", "fg"});
  CHECK_FALSE(w.queue.consume(w.memory(), 2));
  CHECK_FALSE(w.queue.consume(w.memory(), 2));
  CHECK(w.gather(w.queue.size()) == "efg");
  CHECK(w.queue.run_taken() == 1);
  CHECK_FALSE(w.queue.consume(w.memory(), 2));
  CHECK(w.gather(w.queue.size()) == "g");
  CHECK(w.queue.consume(w.memory(), 1));
  CHECK_FALSE(w.queue.lending());
  CHECK(w.queue.size() == 0);
  w.append("x");
  CHECK_FALSE(w.queue.consume(w.memory(), 1));
}

TEST_CASE("send_queue: a gather list that is too short gets what fits", "[mux][yamux]") {
  world w;
  w.lend({"ab", "cd", "ef"});
  std::vector<bytes> list(2);
  piece_list pieces(list);
  send_queue::cursor place = w.queue.front();
  CHECK(w.queue.gather(place, 6, pieces) == 4);
  CHECK(pieces.room() == 0);
  std::vector<bytes> more(1);
  piece_list rest(more);
  CHECK(w.queue.gather(place, 2, rest) == 2);
  CHECK(transport::as_text(more[0]) == "ef");
}

TEST_CASE("send_queue: revoking keeps the committed bytes by copying them", "[mux][yamux]") {
  for (std::size_t committed = 0; committed <= 9; ++committed) {
    world w;
    std::string one = "lent";
    std::string two = "more";
    w.append("cop");
    w.lend({one, two});
    w.queue.consume(w.memory(), 2);  // One copied byte is left, nothing of the run is taken.
    const std::size_t kept = w.queue.revoke(w.memory(), committed);
    one = two = "????";
    CHECK(kept == (committed > 1 ? committed - 1 : 0));
    CHECK_FALSE(w.queue.lending());
    CHECK(w.gather(w.queue.size()) == std::string("plentmore").substr(0, 1 + kept));
  }
}

TEST_CASE("send_queue: revoking counts what the carrier had already", "[mux][yamux]") {
  world w;
  w.lend({"abcdef"});
  w.queue.consume(w.memory(), 2);
  CHECK(w.queue.revoke(w.memory(), 3) == 5);
  CHECK(w.gather(w.queue.size()) == "cde");
}

TEST_CASE("send_queue: the front is moved out for a frame that goes on alone", "[mux][yamux]") {
  for (std::size_t size = 0; size <= 9; ++size) {
    world w;
    page_chain orphans;
    std::string lent = "lentmore";
    w.append("c");
    w.lend({lent});
    w.queue.move_front(w.memory(), size, orphans);
    w.queue.clear(w.memory());
    lent = "????????";
    std::string moved;
    for (const page* at = orphans.first(); at != nullptr; at = at->next)
      moved += transport::as_text(at->used());
    CHECK(moved == std::string("clentmore").substr(0, size));
    orphans.clear(w.pages);
  }
}

TEST_CASE("send_queue: a run has so many pieces", "[mux][yamux]") {
  constexpr std::size_t most = limits::yamux::max_lent_pieces;
  for (const std::size_t count : {most - 1, most, most + 1}) {
    world w;
    CHECK(w.lend(std::vector<std::string_view>(count, "xy")) == 2 * std::min(count, most));
  }
  world w;
  CHECK(w.lend({}) == 0);
  CHECK_FALSE(w.queue.lending());
  CHECK(w.lend({"", ""}) == 0);
  CHECK_FALSE(w.queue.lending());
}

TEST_CASE("piece_list: pieces that follow each other become one", "[mux][yamux]") {
  const std::string text = "abcdef";
  const bytes all = transport::as_bytes(text);
  std::vector<bytes> list(2);
  piece_list pieces(list);
  CHECK(pieces.add(all.first(2)));
  CHECK(pieces.add(all.subspan(2, 1)));
  CHECK(pieces.used() == 1);
  CHECK(pieces.add(all.subspan(4)));
  CHECK(pieces.used() == 2);
  CHECK(pieces.size() == 5);
  CHECK_FALSE(pieces.add(all.first(1)));
  CHECK(pieces.size() == 5);
  CHECK(transport::as_text(list[0]) == "abc");
}
