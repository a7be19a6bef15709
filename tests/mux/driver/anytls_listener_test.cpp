// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>

#include "mux/anytls/session_end.hpp"
#include "mux/driver/anytls_world.hpp"

using namespace strata;
using namespace strata::mux::testing;
using mux::anytls_listener;
using mux::anytls_options;
using mux::anytls_request;
using mux::core::anytls::command;
using mux::core::testing::authentication_of;
using mux::core::testing::byte_vector;
using mux::core::testing::frame;
using mux::core::testing::octets;
using mux::core::testing::operator+;
using mux::core::testing::settings_of;

namespace {

/// The address of target.test:80, as the first bytes of a stream.
const std::string address("\3\13target.test\0\120", 15);

/// A listener whose clients are written by hand.
struct raw_world {
  explicit raw_world(const anytls_options& options = {})
      : network(context.get_executor()),
        dialer(network.dialer()),
        listener(std::make_unique<anytls_listener>(network.listener(), server_options(options))) {
    accept();
  }

  void accept() {
    listener->async_accept([this](std::error_code error, std::unique_ptr<anytls_request> asked) {
      if (error) return;
      requests.push_back(std::move(asked));
      accept();
    });
  }
  std::unique_ptr<transport::stream> dial() {
    std::unique_ptr<transport::stream> made;
    dialer->async_dial(some_target, [&](std::error_code, std::unique_ptr<transport::stream> one) {
      made = std::move(one);
    });
    settle();
    REQUIRE(made);
    return made;
  }
  void send(transport::stream& on, const byte_vector& what) {
    bool done = false;
    asio::async_write(on, asio::buffer(what), [&](std::error_code, std::size_t) { done = true; });
    settle();
    REQUIRE(done);
  }
  std::string receive(transport::stream& on) {
    std::string got(64 * 1024, ' ');
    std::size_t size = 0;
    on.async_read_some(asio::buffer(got),
                       [&](std::error_code, std::size_t count) { size = count; });
    settle();
    got.resize(size);
    return got;
  }
  void settle() {
    do {
      context.restart();
    } while (context.poll() > 0);
  }
  /// Runs until `done` says so.
  template <class Done>
  void run_until(Done done) {
    const auto limit = std::chrono::steady_clock::now() + 20s;
    while (!done() && std::chrono::steady_clock::now() < limit) {
      context.restart();
      context.run_one_for(1s);
    }
    REQUIRE(done());
  }

  asio::io_context context;
  memory_network network;
  std::shared_ptr<transport::stream_dialer> dialer;
  std::unique_ptr<anytls_listener> listener;
  std::vector<std::unique_ptr<anytls_request>> requests;
};

byte_vector opening(std::string_view secret = password) {
  return authentication_of(secret) + settings_of("2");
}

byte_vector stream_to(std::uint32_t id, std::string_view first) {
  return frame(command::syn, id) + frame(command::psh, id, first);
}

}  // namespace

TEST_CASE("anytls listener: a request says where, who and what", "[mux][anytls][listener]") {
  raw_world world;
  const auto client = world.dial();
  const std::string v4("\1\300\0\2\1\1\273", 7);
  const std::string uot("\3\27sp.v2.udp-over-tcp.arpa\0\0", 27);
  world.send(*client, opening() + stream_to(1, address) + stream_to(2, v4) + stream_to(3, uot));

  REQUIRE(world.requests.size() == 3);
  CHECK(world.requests[0]->destination() == some_target);
  CHECK(world.requests[0]->user() == "bob");
  CHECK_FALSE(world.requests[0]->udp_over_tcp());
  CHECK(world.requests[1]->destination().string() == "192.0.2.1:443");
  CHECK(world.requests[2]->udp_over_tcp() == 2);
}

TEST_CASE(
    "anytls listener: a destination may come in pieces, and what is behind it is the stream's",
    "[mux][anytls][listener]") {
  raw_world world;
  const auto client = world.dial();
  world.send(*client, opening() + frame(command::syn, 1));
  for (const char each : address)
    world.send(*client, frame(command::psh, 1, std::string_view(&each, 1)));
  REQUIRE(world.requests.size() == 1);
  CHECK(world.requests[0]->destination() == some_target);
  world.send(*client, stream_to(2, address + "and more"));
  REQUIRE(world.requests.size() == 2);
  const auto stream = world.requests[1]->accept();
  CHECK(world.receive(*stream) == "and more");
}

TEST_CASE("anytls listener: a stream without a destination is refused, and only that one",
          "[mux][anytls][listener]") {
  anytls_options options;
  options.destination_timeout = 20ms;
  raw_world world(options);
  const auto client = world.dial();
  SECTION("it takes too long") {
    world.send(*client, opening() + stream_to(1, address.substr(0, 5)));
    std::string got;
    world.run_until([&] {
      got += world.receive(*client);
      return got.contains("no destination");
    });
  }
  SECTION("there is no such address") {
    world.send(*client, opening() + stream_to(1, "\7\1\2\3"));
    CHECK(world.receive(*client).contains("no destination"));
  }
  CHECK(world.requests.empty());
  world.send(*client, stream_to(2, address));
  CHECK(world.requests.size() == 1);
}

TEST_CASE("anytls listener: a request that is dropped is refused", "[mux][anytls][listener]") {
  raw_world world;
  const auto client = world.dial();
  world.send(*client, opening() + stream_to(1, address));
  world.receive(*client);
  world.requests.clear();
  world.settle();
  const std::string got = world.receive(*client);
  REQUIRE(got.size() > 7);
  CHECK(got[0] == 7);                  // SYNACK with words,
  CHECK(got[got.size() - 7] == '\3');  // then FIN
}

TEST_CASE("anytls listener: users that change let in who comes from now on",
          "[mux][anytls][listener]") {
  raw_world world;
  const auto before = world.dial();
  world.send(*before, opening());
  const mux::core::anytls_user dora{.name = "dora", .password = "new"};
  world.listener->use(mux::core::anytls_users::make({&dora, 1}).value());

  const auto old = world.dial();
  world.send(*old, opening() + stream_to(1, address));
  CHECK(world.requests.empty());
  const auto after = world.dial();
  world.send(*after, opening("new") + stream_to(1, address));
  REQUIRE(world.requests.size() == 1);
  CHECK(world.requests[0]->user() == "dora");
  world.send(*before, stream_to(1, address));
  CHECK(world.requests.size() == 2);
}

// Fallback.

namespace {

struct fallen_back {
  std::unique_ptr<transport::stream> stream;

  anytls_options options() {
    anytls_options made;
    made.session.authentication_timeout = 20ms;
    made.fallback = [this](std::unique_ptr<transport::stream> given) { stream = std::move(given); };
    return made;
  }
};

}  // namespace

TEST_CASE("anytls listener: what is not anytls is handed on from its first byte",
          "[mux][anytls][listener]") {
  fallen_back got;
  raw_world world(got.options());
  const auto client = world.dial();
  const std::string asked = "GET /index.html HTTP/1.1\r\nHost: server.test\r\n\r\n";
  world.send(*client, octets(asked));

  REQUIRE(got.stream);
  CHECK(world.receive(*got.stream) == asked);
  world.send(*got.stream, octets("HTTP/1.1 200 OK\r\n\r\n"));
  CHECK(world.receive(*client) == "HTTP/1.1 200 OK\r\n\r\n");
  world.send(*client, octets("more"));
  CHECK(world.receive(*got.stream) == "more");
  CHECK(world.listener->sessions() == 0);
}

TEST_CASE("anytls listener: what is too short to be anytls is handed on in time, with all bytes",
          "[mux][anytls][listener]") {
  fallen_back got;
  raw_world world(got.options());
  const auto client = world.dial();
  world.send(*client, octets("GET / HTTP/1.0\r\n\r\n"));
  world.run_until([&] { return got.stream != nullptr; });
  CHECK(world.receive(*got.stream) == "GET / HTTP/1.0\r\n\r\n");
  world.send(*client, octets("behind it"));
  CHECK(world.receive(*got.stream) == "behind it");
}

TEST_CASE("anytls listener: a wrong password is handed on like anything else, read in pieces",
          "[mux][anytls][listener]") {
  fallen_back got;
  raw_world world(got.options());
  const auto client = world.dial();
  const byte_vector sent = opening("wrong");
  world.send(*client, sent);
  REQUIRE(got.stream);
  byte_vector replayed;
  while (replayed.size() < sent.size()) {
    std::array<std::byte, 7> piece;
    std::size_t size = 0;
    got.stream->async_read_some(asio::buffer(piece),
                                [&](std::error_code, std::size_t count) { size = count; });
    world.settle();
    REQUIRE(size != 0);
    replayed.insert(replayed.end(), piece.begin(),
                    piece.begin() + static_cast<std::ptrdiff_t>(size));
  }
  CHECK(replayed == sent);
}

TEST_CASE("anytls listener: the end of a carrier is handed on, too", "[mux][anytls][listener]") {
  fallen_back got;
  raw_world world(got.options());
  const auto client = world.dial();
  world.send(*client, octets("short"));
  client->async_finish([](std::error_code) {});
  world.settle();
  REQUIRE(got.stream);
  CHECK(world.receive(*got.stream) == "short");
  std::error_code end;
  char byte = 0;
  got.stream->async_read_some(asio::buffer(&byte, 1),
                              [&](std::error_code error, std::size_t) { end = error; });
  world.settle();
  CHECK(end == errc::eof);
}

TEST_CASE("anytls listener: without a fallback a stranger is told nothing",
          "[mux][anytls][listener]") {
  anytls_options options;
  options.session.authentication_timeout = 20ms;
  raw_world world(options);
  const auto client = world.dial();
  world.send(*client, opening("wrong"));
  CHECK(world.receive(*client).empty());
  world.run_until([&] { return world.listener->sessions() == 0; });
}

// Limits.

TEST_CASE("anytls listener: a stalled stream does not freeze the others",
          "[mux][anytls][listener]") {
  anytls_options options;
  options.session.max_unread = 100'000;
  raw_world world(options);
  const auto client = world.dial();
  world.send(*client, opening() + stream_to(1, address) + stream_to(2, address));
  REQUIRE(world.requests.size() == 2);
  const auto stalled = world.requests[0]->accept();
  const auto lively = world.requests[1]->accept();
  const std::string block(10'000, 'x');
  for (int i = 0; i < 30; ++i) {
    world.send(*client, frame(command::psh, 1, block) + frame(command::psh, 2, "tick"));
    CHECK(world.receive(*lively) == "tick");
  }
  std::error_code end;
  char byte = 0;
  stalled->async_read_some(asio::buffer(&byte, 1),
                           [&](std::error_code error, std::size_t) { end = error; });
  world.settle();
  CHECK(end == errc::limit_exceeded);
}

TEST_CASE("anytls listener: requests beyond the limit wait in their session",
          "[mux][anytls][listener]") {
  anytls_options options;
  options.max_requests = 3;
  options.session.accept_backlog = 2;
  asio::io_context context;
  memory_network network(context.get_executor());
  anytls_listener listener(network.listener(), server_options(options));
  std::vector<std::unique_ptr<anytls_request>> got;
  const auto accept = [&] {
    listener.async_accept([&](std::error_code, std::unique_ptr<anytls_request> asked) {
      got.push_back(std::move(asked));
    });
  };
  const auto settle = [&] {
    do context.restart();
    while (context.poll() > 0);
  };
  accept();
  std::unique_ptr<transport::stream> client;
  const auto dialer = network.dialer();
  dialer->async_dial(some_target, [&](std::error_code, std::unique_ptr<transport::stream> one) {
    client = std::move(one);
  });
  settle();
  std::vector<byte_vector> sent{opening()};
  for (std::uint32_t id = 1; id <= 7; ++id)
    sent.push_back(stream_to(
        id, std::string("\1\12\0\0", 4) + static_cast<char>(id) + std::string("\0\120", 2)));
  for (const byte_vector& one : sent) {
    asio::async_write(*client, asio::buffer(one), [](std::error_code, std::size_t) {});
    settle();
  }
  // One was given out, three wait in the listener, two in the session; the last finds no room.
  REQUIRE(got.size() == 1);
  std::string answers(4096, ' ');
  client->async_read_some(asio::buffer(answers), [](std::error_code, std::size_t) {});
  settle();
  CHECK(answers.contains("too many streams"));
  for (std::size_t count = 2; count <= 6; ++count) {
    accept();
    settle();
    REQUIRE(got.size() == count);
  }
  for (std::size_t i = 0; i < 6; ++i)
    CHECK(got[i]->destination().string() == "10.0.0." + std::to_string(i + 1) + ":80");
}

TEST_CASE("anytls listener: carriers beyond the limit are left to their listener",
          "[mux][anytls][listener]") {
  anytls_options options;
  options.max_sessions = 2;
  raw_world world(options);
  std::vector<std::unique_ptr<transport::stream>> clients;
  for (std::size_t i = 0; i < 3; ++i) {
    clients.push_back(world.dial());
    world.send(*clients.back(), opening() + stream_to(1, address));
    CHECK(world.listener->sessions() == std::min<std::size_t>(i + 1, 2));
    CHECK(world.requests.size() == std::min<std::size_t>(i + 1, 2));
  }
  clients.front().reset();
  world.settle();
  CHECK(world.listener->sessions() == 2);
  CHECK(world.requests.size() == 3);
}

TEST_CASE("anytls listener: streams outlive it, and new ones are refused",
          "[mux][anytls][listener]") {
  raw_world world;
  const auto client = world.dial();
  world.send(*client, opening() + stream_to(1, address));
  const auto stream = world.requests.at(0)->accept();
  world.requests.clear();
  world.listener.reset();
  world.settle();
  world.receive(*client);
  world.send(*client, stream_to(2, address) + frame(command::psh, 1, "still there"));
  CHECK(world.receive(*stream) == "still there");
  CHECK(world.receive(*client).contains("too many streams"));
}
