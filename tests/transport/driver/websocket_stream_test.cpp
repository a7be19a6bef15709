// SPDX-License-Identifier: Apache-2.0
#include "strata/transport/websocket_stream.hpp"

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <string>

#include "strata/transport/core/error.hpp"
#include "strata/transport/memory_stream.hpp"
#include "testkit/stream_conformance.hpp"

using namespace strata;
using namespace std::chrono_literals;
using transport::errc;
using transport::websocket_role;

namespace {

transport::websocket_options asking(std::string path = "/") {
  transport::websocket_options options;
  options.request.authority = "ws.test";
  options.request.path = std::move(path);
  options.request.subprotocols = {"one", "two"};
  return options;
}

class websocket_carrier final : public testkit::carrier {
 public:
  const testkit::carrier_row& row() const override { return row_; }
  asio::io_context& context() override { return context_; }

  testkit::stream_ends connect() override {
    auto pair = transport::make_memory_streams(context_.get_executor());
    link_.emplace(pair.link);
    testkit::stream_ends ends;
    const auto into = [](std::unique_ptr<transport::stream>& place) {
      return [&place](std::error_code error, std::unique_ptr<transport::websocket_stream> made) {
        CHECK_FALSE(error);
        place = std::move(made);
      };
    };
    transport::async_websocket_handshake(std::move(pair.first), websocket_role::client, asking(),
                                         into(ends.near));
    transport::async_websocket_handshake(std::move(pair.second), websocket_role::server, {},
                                         into(ends.far));
    while (!ends.near || !ends.far) context_.run_one();
    settle();
    return ends;
  }

  std::optional<std::error_code> lose() override {
    link_->cut(make_error_code(errc::unreachable));
    settle();
    return make_error_code(errc::unreachable);
  }

 private:
  testkit::carrier_row row_{
      .name = "WebSocket",
      .traits = {false, true, false, true},
      .reset_kills_connection = true,
      .holds_finish = true,
      .tries = true,
      .peeks = true,
  };
  asio::io_context context_;
  std::optional<transport::memory_link> link_;
};

struct opening {
  std::error_code client_error, server_error;
  std::unique_ptr<transport::websocket_stream> client, server;

  opening(const transport::websocket_options& of_client,
          const transport::websocket_options& of_server) {
    auto pair = transport::make_memory_streams(context.get_executor());
    transport::async_websocket_handshake(
        std::move(pair.first), websocket_role::client, of_client,
        [this](std::error_code error, std::unique_ptr<transport::websocket_stream> made) {
          client_error = error;
          client = std::move(made);
        });
    transport::async_websocket_handshake(
        std::move(pair.second), websocket_role::server, of_server,
        [this](std::error_code error, std::unique_ptr<transport::websocket_stream> made) {
          server_error = error;
          server = std::move(made);
        });
    context.run_for(100ms);
  }
  asio::io_context context;
};

}  // namespace

TEST_CASE("websocket: streams keep the contract", "[transport][websocket][stream][conformance]") {
  testkit::check_stream_conformance([] { return std::make_unique<websocket_carrier>(); });
}

TEST_CASE("websocket: the end of the side that accepted leaves at once, the other's after it",
          "[transport][websocket]") {
  websocket_carrier carrier;
  testkit::stream_exercise on(carrier);
  transport::stream& opener = *on.near;
  transport::stream& acceptor = *on.far;
  CHECK_FALSE(on.finish(opener).error());
  on.settle();
  auto waiting = on.start_read(acceptor);
  on.settle();
  CHECK_FALSE(waiting.is_done());
  on.send(acceptor, "still open");
  CHECK(on.read_exactly(opener, 10) == "still open");

  CHECK_FALSE(on.finish(acceptor).error());
  CHECK(on.read(opener).error() == errc::eof);
  CHECK(on.complete(waiting).error() == errc::eof);
}

TEST_CASE("websocket: what the server decides reaches the client", "[transport][websocket]") {
  transport::websocket_options deciding;
  std::string path;
  SECTION("a subprotocol") {
    deciding.decide = [&](transport::websocket_server_opening& on) {
      path = on.request()->target().path;
      CHECK(on.accept("two"));
    };
    const opening made(asking("/tunnel?x=1"), deciding);
    CHECK_FALSE(made.client_error);
    REQUIRE(made.client);
    CHECK(made.client->subprotocol() == "two");
    CHECK(path == "/tunnel?x=1");
  }
  SECTION("a refusal") {
    deciding.decide = [](transport::websocket_server_opening& on) {
      CHECK(on.refuse({.status = 403}));
    };
    const opening made(asking(), deciding);
    CHECK(made.client_error == errc::refused);
    CHECK(made.server_error == errc::refused);
    CHECK(made.client == nullptr);
  }
  SECTION("nothing: the first subprotocol") {
    const opening made(asking(), {});
    REQUIRE(made.client);
    CHECK(made.client->subprotocol() == "one");
  }
}

TEST_CASE("websocket: a peer that says nothing times out", "[transport][websocket]") {
  asio::io_context context;
  auto pair = transport::make_memory_streams(context.get_executor());
  transport::websocket_options options;
  options.handshake_timeout = 20ms;
  std::error_code got;
  transport::async_websocket_handshake(
      std::move(pair.first), websocket_role::server, options,
      [&](std::error_code error, std::unique_ptr<transport::websocket_stream>) { got = error; });
  context.run_for(5s);
  CHECK(got == errc::timed_out);
}
