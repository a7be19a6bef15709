// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>

#include "mux/anytls/session_end.hpp"

using namespace strata::mux;
using namespace strata::mux::core;
using namespace strata::mux::core::testing;

namespace {

using sizes = std::vector<std::size_t>;

anytls_config padding_with(std::string_view text) {
  return {.padding = anytls_padding_scheme::parse(strata::transport::as_bytes(text)).value()};
}

/// Settings, SYN and the first write of seven bytes.
constexpr std::size_t first_packet =
    7 + std::string_view("v=2\nclient=strata\npadding-md5=").size() + 32 + 7 + 7 + 7;

/// Records of one size per packet, so that sizes tell which packet it was.
constexpr std::string_view by_packet =
    "stop=6\n0=10-10\n1=201-201\n2=202-202\n3=203-203\n5=205-205";

}  // namespace

TEST_CASE("padding: packet 0 is the authentication with its padding, in one record",
          "[mux][anytls]") {
  session_end client(client_config());
  const byte_vector first = client.write_once();
  CHECK(first == authentication_of(password, 30));
  CHECK(client.write_once().empty());

  session_end bare(client_config(padding_with("stop=8\n1=9-9")));
  CHECK(bare.write_once() == authentication_of(password, 0));
  session_end full(client_config(padding_with("stop=1\n0=16384-16384")));
  CHECK(full.write_once() == authentication_of(password, 16384));
}

TEST_CASE("padding: packet 1 has the settings, the first stream and its first bytes",
          "[mux][anytls]") {
  session_end client = new_client(padding_with(by_packet));
  CHECK(client.session.open() == 1u);
  CHECK(client.write_all().empty());  // It waits for the bytes.
  client.write(1, "address").value();
  byte_vector record = client.write_once();
  CHECK(record.size() == 201);
  const auto frames = take_frames(record);
  REQUIRE(frames.size() == 4);
  CHECK(frames[0].command == command::settings);
  CHECK(frames[1].is(command::syn, 1));
  CHECK(frames[2].is(command::psh, 1, "address"));
  CHECK(frames[3].is(command::waste, 0, std::string(201 - first_packet - 7, '\0')));
  CHECK(client.write_once().empty());
}

TEST_CASE("padding: packet 1 does not wait for bytes for ever", "[mux][anytls]") {
  session_end client = new_client(padding_with(by_packet));
  client.session.open().value();
  client.write_all();
  const auto due = client.session.next_timeout();
  REQUIRE(due == client.now + limit::first_packet_timeout);
  client.now = *due - 1ms;
  CHECK(client.write_all().empty());
  client.now = *due;
  client.session.handle_timeout(client.now);
  CHECK(client.write_all().size() == 201);
  CHECK(client.session.next_timeout().value_or(client.now + 1h) > client.now);
}

TEST_CASE("padding: a stream that is gone before packet 1 leaves no trace", "[mux][anytls]") {
  session_end client = new_client(padding_with(by_packet));
  client.session.open().value();
  client.write_all();
  client.stream(1).forget();
  client.pass(1s);
  CHECK(client.partial.empty());
  CHECK_FALSE(client.session.next_timeout());
  CHECK(client.session.open() == 2u);
  client.write(2, "address").value();
  const auto frames = client.frames();
  REQUIRE(frames.size() == 3);
  CHECK(frames[1].is(command::syn, 2));
}

TEST_CASE("padding: the packet counter goes up by one for each write of the session",
          "[mux][anytls]") {
  session_end client = new_client(padding_with(by_packet));
  client.session.open().value();
  client.write(1, "address").value();
  client.write_all();
  for (int packet = 2; packet <= 7; ++packet) {
    client.write(1, "next").value();
    client.write_all();
  }
  // Packet 4 has no line, and from 6 on nothing is padded.
  CHECK(client.sizes == sizes{201, 202, 203, 11, 205, 11, 11});
  CHECK(client.statistics().packets_padded == 5);
}

TEST_CASE("padding: the first write and the second are two packets, however soon they come",
          "[mux][anytls]") {
  session_end client = new_client(padding_with(by_packet));
  client.session.open().value();
  client.write(1, "address").value();
  client.write(1, "the first bytes of a user").value();
  byte_vector first = client.write_once();
  CHECK(first.size() == 201);
  CHECK(take_frames(first)[2].is(command::psh, 1, "address"));
  byte_vector second = client.write_once();
  CHECK(second.size() == 202);
  CHECK(take_frames(second)[0].is(command::psh, 1, "the first bytes of a user"));
}

TEST_CASE("padding: one list is one record of the plan", "[mux][anytls]") {
  session_end client =
      new_client(padding_with("stop=4\n1=100-100,c,200-200\n2=300-300,40-40,c,60-60\n3=9-9,5-5"));
  client.session.open().value();
  client.write(1, "address").value();
  client.write_all();
  CHECK(client.sizes == sizes{100});
  client.sizes.clear();
  client.write(1, std::string(320, 'x')).value();
  client.write_all();
  CHECK(client.sizes == sizes{300, 40});
  client.sizes.clear();
  client.write(1, "xy").value();
  client.write_all();
  CHECK(client.sizes == sizes{9, 12});
  CHECK(client.partial.empty());
}

TEST_CASE("padding: the rest of a record comes first, whatever else there is", "[mux][anytls]") {
  session_end client = new_client(padding_with(by_packet));
  client.session.open().value();
  client.write(1, "address").value();
  const byte_vector part = client.write_once(150);
  CHECK(part.size() == 150);
  client.write(1, "later").value();
  CHECK(client.write_once().size() == 51);
  CHECK(client.write_once().size() == 202);
}

TEST_CASE("padding: a stream that is reset while its packet leaves does not change it",
          "[mux][anytls]") {
  session_end client = new_client(padding_with("stop=3\n1=100-100,300-300\n2=50-50"));
  client.session.open().value();
  client.write(1, "address").value();
  client.partial = client.write_once();
  client.stream(1).reset();
  const auto frames = client.frames();
  REQUIRE(frames.size() == 4);
  CHECK(frames[2].is(command::psh, 1, "address"));
  CHECK(frames[3].is(command::fin, 1));
}

TEST_CASE("padding: what is more than a packet's records is sent raw", "[mux][anytls]") {
  session_end client = new_client(padding_with("stop=3\n1=30-30\n2=50-50,60-60"));
  client.session.open().value();
  client.write(1, "address").value();
  client.write_all();
  CHECK(client.sizes == sizes{30, first_packet - 30});
  client.sizes.clear();
  client.write(1, std::string(1000, 'x')).value();
  client.write_all();
  CHECK(client.sizes == sizes{50, 60, 1007 - 110});
}

TEST_CASE("padding: a server does not pad", "[mux][anytls]") {
  session_pair both;
  const std::uint32_t id = both.open_stream();
  both.server.sizes.clear();
  for (int i = 0; i < 10; ++i) {
    both.server.write(id, "x").value();
    both.settle();
  }
  CHECK(both.server.statistics().padding_sent == 0);
  CHECK(both.server.sizes == sizes(10, 8));
  CHECK(both.client.statistics().padding_sent > 0);
}

TEST_CASE("padding: a scheme that stops at 1 pads the authentication only", "[mux][anytls]") {
  session_end client = new_client(padding_with("stop=1\n0=3-3\n1=900-900"));
  client.session.open().value();
  CHECK(client.write_all().empty());
  client.write(1, "address").value();
  client.write_all();
  CHECK(client.sizes == sizes{first_packet});
}

TEST_CASE("padding: bytes of streams arrive whole through every scheme", "[mux][anytls]") {
  for (const std::string_view text :
       {"stop=1", "stop=64\n1=1-1,c\n2=1-3,c,5-9\n3=7-8\n4=16384-16384", "stop=9\n2=1-1,1-1,1-1"}) {
    session_pair both(padding_with(text));
    const std::uint32_t id = both.open_stream("address");
    std::string expected = "address";
    for (int i = 1; i < 40; ++i) {
      const std::string part(static_cast<std::size_t>(i * i * 20), static_cast<char>('a' + i % 26));
      both.client.write(id, part).value();
      expected += part;
      both.settle();
    }
    CHECK(both.server.read(id) == expected);
    CHECK(both.server.statistics().glitches == 0);
  }
}
