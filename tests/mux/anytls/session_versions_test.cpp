// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>
#include <set>

#include "mux/anytls/session_end.hpp"

using namespace strata::mux;
namespace mux = strata::mux;
using namespace strata::mux::core;
using namespace strata::mux::core::testing;

namespace {

/// What passed between two sessions that did all that their versions know: opening, data, silence,
/// and a stream that was refused.
struct conversation {
  std::set<command> from_client;
  std::set<command> from_server;
  unsigned client_version = 0;
  unsigned server_version = 0;
  std::error_code refused;
  std::string refusal;
};

void note(std::set<command>& seen, const byte_vector& octets) {
  byte_vector rest = octets;
  for (const seen_frame& one : take_frames(rest)) seen.insert(one.command);
  REQUIRE(rest.empty());
}

conversation run(unsigned client_speaks, unsigned server_speaks) {
  session_pair both({.version = client_speaks}, {.version = server_speaks});
  conversation seen;
  both.server.receive(both.client.write_once());
  const auto exchange = [&] {
    for (bool moved = true; moved;) {
      byte_vector there = std::exchange(both.client.partial, {}) + both.client.write_all();
      byte_vector back = std::exchange(both.server.partial, {}) + both.server.write_all();
      note(seen.from_client, there);
      note(seen.from_server, back);
      both.server.receive(there);
      both.client.receive(back);
      moved = !there.empty() || !back.empty();
    }
  };
  for (std::uint32_t id = 1; id <= 3; ++id) {
    CHECK(both.client.session.open() == id);
    both.client.write(id, "address").value();
    exchange();
    CHECK(both.server.session.accept() == id);
    if (id == 3) both.server.stream(id).refuse("no route");
    if (id != 3) both.server.stream(id).acknowledge();
    exchange();
    if (id != 3) both.server.write(id, "answer").value();
    exchange();
    if (id != 3) CHECK(both.client.read(id) == "answer");
  }
  seen.refused = both.client.stream(3).failure();
  seen.refusal = both.client.stream(3).refusal();
  both.client.pass(31s);
  both.server.pass(31s);
  exchange();
  CHECK(both.client.closed() == nullptr);
  CHECK(both.server.closed() == nullptr);
  seen.client_version = both.client.session.control().version();
  seen.server_version = both.server.session.control().version();
  return seen;
}

const std::set<command> version_2_only{command::synack, command::heart_request,
                                       command::heart_response, command::server_settings};

/// None of the four commands is on the wire, in either direction.
void check_version_1(const conversation& seen) {
  for (const command one : version_2_only) {
    CHECK_FALSE(seen.from_client.contains(one));
    CHECK_FALSE(seen.from_server.contains(one));
  }
  CHECK(seen.client_version == 1);
  CHECK(seen.server_version == 1);
  CHECK_FALSE(seen.refused);  // Nobody could tell it: the stream just ended.
}

}  // namespace

TEST_CASE("versions: a version 2 client and a version 2 server use all of it", "[mux][anytls]") {
  const conversation seen = run(2, 2);
  CHECK(seen.client_version == 2);
  CHECK(seen.server_version == 2);
  CHECK(seen.from_server.contains(command::synack));
  CHECK(seen.from_server.contains(command::server_settings));
  CHECK(seen.from_client.contains(command::heart_request));
  CHECK(seen.from_server.contains(command::heart_response));
  CHECK(seen.refused == mux::errc::stream_refused);
  CHECK(seen.refusal == "no route");
}

TEST_CASE("versions: a version 2 client and a version 1 server speak version 1", "[mux][anytls]") {
  check_version_1(run(2, 1));
}

TEST_CASE("versions: a version 1 client and a version 2 server speak version 1", "[mux][anytls]") {
  check_version_1(run(1, 2));
}

TEST_CASE("versions: a version 1 client and a version 1 server speak version 1", "[mux][anytls]") {
  check_version_1(run(1, 1));
}

TEST_CASE("versions: a client goes on at once, as version 1, until the server has spoken",
          "[mux][anytls]") {
  session_end client = new_client();
  client.session.open().value();
  client.write(1, "address").value();
  auto frames = client.frames();
  REQUIRE(frames.size() == 3);
  CHECK(frames[0].content == "v=2\nclient=strata\npadding-md5=75cff2ad89aadf5e257059ee571ebe11");
  CHECK(frames[1].is(command::syn, 1));
  CHECK(frames[2].is(command::psh, 1, "address"));
  client.write(1, "more").value();
  CHECK(client.frames() == std::vector<seen_frame>{{command::psh, 1, "more"}});
  CHECK(client.session.control().version() == 1);
  CHECK(client.take(kind::version_known) == 0);

  client.receive(frame(command::server_settings, 0, "v=2"));
  CHECK(client.session.control().version() == 2);
  CHECK(client.take(kind::version_known) == 1);
}

TEST_CASE("versions: what a server says first, and in which order", "[mux][anytls]") {
  session_end server(server_config());
  server.receive(authentication_of(password));
  CHECK(server.frames().empty());
  server.receive(settings_of("2", "0123"));
  const auto frames = server.frames();
  REQUIRE(frames.size() == 2);
  CHECK(frames[0].is(command::update_padding_scheme, 0, anytls_padding_scheme::standard().text()));
  CHECK(frames[1].is(command::server_settings, 0, "v=2"));
  CHECK(server.session.control().peer_name() == "test/1");
  CHECK(server.session.control().user() == "bob");
  CHECK(server.take(kind::authenticated) == 1);
  CHECK(server.take(kind::version_known) == 1);
}

TEST_CASE("versions: a server has nothing to say to a client of version 1 that knows the scheme",
          "[mux][anytls]") {
  session_end server(server_config());
  server.receive(authentication_of(password) + settings_of("1"));
  CHECK(server.frames().empty());
  CHECK(server.session.control().version() == 1);
}

TEST_CASE("versions: the padding scheme of a server is for the next session of a client",
          "[mux][anytls]") {
  const auto pushed =
      anytls_padding_scheme::parse(strata::transport::as_bytes("stop=2\n1=50-50")).value();
  session_pair both({}, {.padding = pushed});
  both.open_stream();
  CHECK(both.client.take(kind::padding_scheme) == 1);
  CHECK(both.client.session.control().pushed_padding() == pushed);
  // This session keeps its own: packet 2 has 400 to 499 bytes at first.
  both.client.sizes.clear();
  both.client.write(1, std::string(450, 'x')).value();
  both.client.write_once();
  CHECK(both.client.sizes.at(0) >= 400);

  session_pair next({.padding = pushed}, {.padding = pushed});
  next.open_stream();
  CHECK(next.client.take(kind::padding_scheme) == 0);
}

TEST_CASE("versions: settings of versions to come are those of the last we know", "[mux][anytls]") {
  CHECK(new_server({}, "3").session.control().version() == 2);
  CHECK(new_server({}, "999999999999").session.control().version() == 2);
  CHECK(new_server({}, "").session.control().version() == 1);
}
