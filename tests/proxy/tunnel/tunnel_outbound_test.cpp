// SPDX-License-Identifier: Apache-2.0
#include "strata/proxy/tunnel_outbound.hpp"

#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <optional>

#include "tunnel_world.hpp"

using namespace strata;
using namespace std::chrono_literals;
using proxy::core::tunnel_mode;
using tests::tunnel_world;
using transport::errc;

TEST_CASE("tunnel outbound: bytes go there and back in both modes", "[proxy][tunnel]") {
  for (const auto mode : {tunnel_mode::yamux, tunnel_mode::simple}) {
    tunnel_world in;
    in.serve();
    in.use(in.way_options(mode));
    auto one = in.dial();
    REQUIRE_FALSE(one.error);
    CHECK_FALSE(one.stream->traits().half_close);
    REQUIRE_FALSE(in.say(*one.stream, "hello\n"));
    CHECK(in.hear(*one.stream, 6) == "hello\n");
    const std::string much = std::string(300'000, 'm') + "end\n";
    REQUIRE_FALSE(in.say(*one.stream, much));
    // The answer comes although this side has ended: that end is held back.
    REQUIRE_FALSE(in.finish(*one.stream));
    CHECK(in.hear(*one.stream) == much);
    CHECK(in.ended == errc::eof);
    in.run_until([&] { return !in.reports.empty(); });
    const proxy::tunnel_report& report = in.reports.at(0);
    CHECK(report.error == std::error_code());
    CHECK(report.where == in.target.where());
    CHECK(report.moved.forth == much.size() + 6);
    CHECK(report.moved.back == much.size() + 6);
    const bool is_simple = report.by == proxy::tunnel_report::carrier::simple;
    CHECK(is_simple == (mode == tunnel_mode::simple));
    CHECK(in.server->statistics().succeeded == 1);
    in.run_until([&] { return in.server->statistics().streams == 0; });
  }
}

TEST_CASE("tunnel outbound: an end that nobody answers leaves after a while", "[proxy][tunnel]") {
  tunnel_world in;
  in.serve();
  auto options = in.way_options(tunnel_mode::yamux);
  options.finish_hold = 50ms;
  in.use(options);
  auto one = in.dial();
  REQUIRE(one.stream);
  REQUIRE_FALSE(in.say(*one.stream, "x"));
  REQUIRE_FALSE(in.finish(*one.stream));
  CHECK(in.say(*one.stream, "y") == errc::write_finished);
  REQUIRE_FALSE(in.finish(*one.stream));
  CHECK(in.hear(*one.stream) == "x");
  CHECK(in.ended == errc::eof);

  // And at once with the handle, behind what was written.
  auto other = in.dial();
  REQUIRE_FALSE(in.say(*other.stream, "last"));
  REQUIRE_FALSE(in.finish(*other.stream));
  other.stream.reset();
  in.run_until([&] { return in.reports.size() == 2; });
  CHECK(in.reports[1].moved.forth == 4);
}

TEST_CASE("tunnel outbound: streams share a bounded number of sessions, the idlest first",
          "[proxy][tunnel]") {
  tunnel_world in;
  in.serve();
  auto options = in.way_options(tunnel_mode::yamux);
  options.max_sessions = 2;
  options.max_streams = 3;
  in.use(options);
  std::vector<std::unique_ptr<transport::stream>> streams;
  for (int i = 0; i < 6; ++i) {
    auto one = in.dial();
    REQUIRE_FALSE(one.error);
    streams.push_back(std::move(one.stream));
    in.run_until([&] { return i == 0 || in.way->statistics().sessions == 2; });
  }
  CHECK(in.carriers->dialled == 2);
  CHECK(in.way->statistics().streams == 6);
  CHECK(in.dial().error == errc::limit_exceeded);
  for (auto& each : streams) {
    REQUIRE_FALSE(in.say(*each, "hi\n"));
    CHECK(in.hear(*each, 3) == "hi\n");
  }
  CHECK(in.server->statistics().sessions == 2);
  streams.pop_back();
  CHECK_FALSE(in.dial().error);
}

TEST_CASE("tunnel outbound: a lost session is replaced, also before anybody dials",
          "[proxy][tunnel]") {
  tunnel_world in;
  in.serve();
  auto options = in.way_options(tunnel_mode::yamux);
  options.rest = 20ms;
  SECTION("on demand") {
    in.use(options);
    REQUIRE_FALSE(in.dial().error);
    in.serve();  // the first server goes with its sessions
    in.run_until([&] { return in.way->statistics().sessions == 0; });
    CHECK_FALSE(in.dial().error);
    CHECK(in.carriers->dialled == 2);
  }
  SECTION("ahead") {
    options.pre_connect = 2;
    in.use(options);
    in.run_until([&] { return in.way->statistics().sessions == 2; });
    in.serve();
    in.run_until([&] { return in.way->statistics().dialled == 4; });
    in.run_until([&] { return in.way->statistics().sessions == 2; });
    // Nobody there: it is tried again later, not at once.
    in.carriers->to = transport::target(transport::address::loopback_v4(1));
    in.server.reset();
    in.run_until([&] { return in.way->statistics().failures != 0; });
    in.serve();
    in.run_until([&] { return in.way->statistics().sessions == 2; });
  }
}

TEST_CASE("tunnel outbound: a server that fails rests", "[proxy][tunnel]") {
  for (const auto mode : {tunnel_mode::yamux, tunnel_mode::simple}) {
    tunnel_world in;
    auto options = in.way_options(mode);
    options.failures_to_rest = 2;
    options.rest = 1h;
    in.use(options);
    // What looks like the target's refusal is the way's failure.
    CHECK(in.dial().error == proxy::errc::upstream_failed);
    CHECK(in.dial().error == proxy::errc::upstream_failed);
    CHECK(in.carriers->dialled == 2);
    CHECK(in.way->statistics().is_resting);
    CHECK(in.dial().error == proxy::errc::upstream_resting);
    CHECK(in.carriers->dialled == 2);
    CHECK(in.way->statistics().rested == 1);

    options.rest = 300ms;
    options.max_rest = 400ms;
    in.use(options);
    for (int i = 0; i < 2; ++i) CHECK(in.dial().error == proxy::errc::upstream_failed);
    CHECK(in.dial().error == proxy::errc::upstream_resting);
    in.serve();
    in.run_until([&] { return !in.way->statistics().is_resting; });
    CHECK_FALSE(in.dial().error);
    CHECK_FALSE(in.way->statistics().is_resting);
  }
}

TEST_CASE("tunnel outbound: a stranger is shown a page, and knows", "[proxy][tunnel]") {
  for (const auto mode : {tunnel_mode::yamux, tunnel_mode::simple}) {
    tunnel_world in;
    in.serve();
    auto options = in.way_options(mode);
    options.uuid = "2b1c6f0e-7a4d-4c55-9f7e-0d8a4be1c9ab";
    in.use(options);
    CHECK(in.dial().error == proxy::errc::upstream_failed);
    CHECK(in.server->statistics().strangers == 1);
    options.uuid.clear();
    options.path = "/a/" + tests::secret + "?b";
    in.use(options);
    CHECK_FALSE(in.dial().error);
  }
}

TEST_CASE("tunnel outbound: a target that cannot be connected", "[proxy][tunnel]") {
  const transport::target nowhere(transport::address::loopback_v4(1));
  tunnel_world in;
  in.serve();
  in.use(in.way_options(tunnel_mode::simple));
  CHECK(in.dial(nowhere).error == proxy::errc::upstream_failed);
  CHECK_FALSE(in.way->statistics().is_resting);
  CHECK(in.way->statistics().failures == 0);
  in.use(in.way_options(tunnel_mode::yamux));
  auto one = in.dial(nowhere);
  REQUIRE_FALSE(one.error);
  CHECK(in.hear(*one.stream).empty());
  CHECK(in.ended == errc::stream_reset);
  CHECK(in.reports.size() == 2);
  for (const auto& each : in.reports) CHECK(each.error == errc::refused);
  for (const auto mode : {tunnel_mode::yamux, tunnel_mode::simple}) {
    in.use(in.way_options(mode));
    CHECK(in.dial({"a\nb", 80}).error == errc::invalid_argument);
  }
}

TEST_CASE("tunnel outbound: dials are aborted, streams live on", "[proxy][tunnel]") {
  const auto mode = GENERATE(tunnel_mode::yamux, tunnel_mode::simple);
  tunnel_world in;
  in.serve();
  auto options = in.way_options(mode);
  options.max_streams = 1;  // so that another session has to be dialled
  in.use(options);
  auto one = in.dial();
  REQUIRE(one.stream);
  asio::cancellation_signal stop;
  std::optional<std::error_code> got;
  in.way->async_dial(
      in.target.where(),
      asio::bind_cancellation_slot(
          stop.slot(),
          [&](std::error_code error, const std::unique_ptr<transport::stream>&) { got = error; }));
  SECTION("slot") { stop.emit(asio::cancellation_type::terminal); }
  SECTION("handle") { in.way.reset(); }
  in.run_until([&] { return got.has_value(); });
  CHECK(*got == errc::aborted);
  in.way.reset();
  REQUIRE_FALSE(in.say(*one.stream, "still\n"));
  CHECK(in.hear(*one.stream, 6) == "still\n");
}

TEST_CASE("tunnel outbound: handles may outlive their context", "[proxy][tunnel]") {
  for (const auto mode : {tunnel_mode::yamux, tunnel_mode::simple}) {
    std::unique_ptr<proxy::tunnel_outbound> way;
    std::unique_ptr<proxy::tunnel_server> server;
    std::unique_ptr<transport::stream> stream;
    {
      tunnel_world in;
      in.serve();
      in.use(in.way_options(mode));
      stream = std::move(in.dial().stream);
      REQUIRE_FALSE(in.finish(*stream));
      in.way->async_dial(in.target.where(),
                         [](std::error_code, const std::unique_ptr<transport::stream>&) {});
      in.server->async_drain(1h, [](std::error_code) {});
      in.context.poll();
      way = std::move(in.way);
      server = std::move(in.server);
    }
    CHECK(stream);
  }
}
