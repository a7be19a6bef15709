// SPDX-License-Identifier: Apache-2.0
#include "core/websocket/output_queue.hpp"

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <string>

#include "raw_frames.hpp"
#include "testkit/fake_random.hpp"

using namespace strata;
using namespace strata::transport;
using namespace strata::transport::websocket;

namespace {

class queue_of_server {
 public:
  void append(std::string_view payload, opcode code = opcode::binary) {
    const bytes piece = as_bytes(payload);
    piece_reader reader({&piece, 1});
    frame_header header;
    header.code = code;
    header.length = payload.size();
    queue.append(header, reader);
  }
  std::string poll() {
    std::array<bytes, 8> pieces;
    std::string out;
    const std::size_t count = queue.poll(pieces);
    for (std::size_t i = 0; i < count; ++i) out += as_text(pieces[i]);
    return out;
  }

  testkit::fake_random random{1};
  output_queue queue{websocket_role::server, random};
};

const std::string close_1002 =
    tests::encode({.opcode = tests::closing, .payload = tests::close_payload(1002)});

}  // namespace

TEST_CASE("output_queue: what is cleared is gone, but for what is being sent",
          "[transport][websocket]") {
  queue_of_server it;
  CHECK(it.queue.empty());
  it.append("one");
  CHECK_FALSE(it.queue.empty());
  CHECK(it.queue.size() == 5);
  it.queue.clear();
  CHECK(it.queue.empty());
  CHECK(it.queue.size() == 0);
  CHECK(it.poll().empty());

  queue_of_server busy;
  busy.append("one");
  std::array<bytes, 1> pieces;
  REQUIRE(busy.queue.poll(pieces) == 1);
  busy.queue.clear();
  CHECK(busy.queue.empty());
  CHECK(as_text(pieces[0]) == "\x82\x03one");
  busy.queue.sent(2);
  CHECK(busy.queue.size() == 0);
}

TEST_CASE("output_queue: an abort waits for what is being sent", "[transport][websocket]") {
  queue_of_server it;
  it.append("one");
  it.append("two");
  CHECK(it.poll() == "\x82\x03one\x82\x03two");
  it.queue.set_ping(as_bytes("p"));
  it.queue.abort(as_bytes(tests::close_payload(1002)));
  CHECK(it.queue.size() == 10);
  it.queue.sent(8);
  CHECK(it.poll() == "wo" + close_1002);
  CHECK(it.queue.size() == 2);
}

TEST_CASE("output_queue: polled again, the abort is done", "[transport][websocket]") {
  queue_of_server it;
  it.append("one");
  CHECK_FALSE(it.poll().empty());
  it.queue.abort(as_bytes(tests::close_payload(1002)));
  CHECK(it.poll() == close_1002);
  it.queue.sent(close_1002.size());
  CHECK(it.queue.empty());
}

TEST_CASE("output_queue: a Close that is out is not said twice", "[transport][websocket]") {
  for (const std::size_t out : {1u, 3u, 4u}) {
    queue_of_server it;
    it.append(tests::close_payload(1000), opcode::close);
    std::string seen = it.poll().substr(0, out);
    it.queue.sent(out);
    it.queue.abort(as_bytes(tests::close_payload(1002)));
    seen += it.poll();
    it.queue.sent(4 - out);
    CHECK(seen == tests::encode({.opcode = tests::closing, .payload = tests::close_payload(1000)}));
    CHECK(it.queue.empty());
  }
}

TEST_CASE("output_queue: a walk over pieces skips the empty ones", "[transport][websocket]") {
  const std::array<bytes, 4> pieces{bytes(), as_bytes("ab"), bytes(), as_bytes("c")};
  piece_reader reader(pieces);
  CHECK(as_text(reader.next(1)) == "a");
  CHECK(as_text(reader.next(5)) == "b");
  CHECK(as_text(reader.next(5)) == "c");
}
