// SPDX-License-Identifier: Apache-2.0
#include "strata/transport/tls_stream.hpp"

#include <array>
#include <asio/append.hpp>
#include <asio/as_tuple.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/post.hpp>
#include <asio/read.hpp>
#include <asio/read_until.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>
#include <catch2/catch_test_macros.hpp>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "strata/transport/core/error.hpp"
#include "strata/transport/memory_stream.hpp"
#include "strata/transport/tcp.hpp"
#include "testkit/certificates.hpp"
#include "testkit/stream_conformance.hpp"

using namespace strata;
using namespace std::chrono_literals;
using asio::use_awaitable;
using transport::errc;

namespace {

constexpr auto quietly = asio::as_tuple(use_awaitable);

transport::tls_context server_context() {
  transport::tls_server_options options;
  options.alpn = {"test/1"};
  options.credentials = {testkit::test_certificates::shared().server.credential()};
  return transport::make_tls_server_context(options).value();
}

transport::tls_context client_context(bool trusts = true) {
  transport::tls_client_options options;
  options.alpn = {"test/1"};
  options.system_roots = false;
  const testkit::certificate_authority stranger;
  options.roots = {trusts ? testkit::test_certificates::shared().authority.root()
                          : stranger.root()};
  return transport::make_tls_client_context(options).value();
}

transport::tls_stream_options asking_for(std::string name) {
  transport::tls_stream_options options;
  options.server_name = std::move(name);
  return options;
}

transport::tls_ech_offer offer_of(const transport::ech_key_pair& key) {
  transport::tls_ech_offer offer;
  offer.config_list = key.config_list;
  return offer;
}

/// A server of hidden.test and public.test with these ECH keys, or of fewer names.
transport::tls_context ech_server(const std::vector<const transport::ech_key_pair*>& keys,
                                  const std::vector<std::string>& names = {"public.test",
                                                                           "hidden.test"}) {
  transport::tls_server_options options;
  options.alpn = {"test/1", "h2"};
  const auto& authority = testkit::test_certificates::shared().authority;
  for (const std::string& name : names)
    options.credentials.push_back(authority.issue({.names = {name}}).credential());
  for (const transport::ech_key_pair* const key : keys)
    options.ech_keys.push_back({.pem = transport::pem_source::from_text(key->pem)});
  return transport::make_tls_server_context(options).value();
}

/// Counts what it dials, and lets a test change the world before each.
class counting_dialer final : public transport::stream_dialer {
 public:
  explicit counting_dialer(asio::any_io_executor executor) : tcp_(std::move(executor)) {}

  unsigned dialled = 0;
  std::function<void(unsigned)> before;
  std::error_code refuse_from_second;

 private:
  asio::any_io_executor do_executor() noexcept override { return tcp_.get_executor(); }
  void do_dial(const transport::target& where,
               transport::completion<transport::stream_signature> waiting) override {
    ++dialled;
    if (before) before(dialled);
    if (dialled == 1 || !refuse_from_second)
      return tcp_.async_dial(where, std::move(waiting.handler));
    asio::post(tcp_.get_executor(),
               asio::append(std::move(waiting.handler), refuse_from_second, nullptr));
  }

  transport::tcp_dialer tcp_;
};

class tls_carrier final : public testkit::carrier {
 public:
  const testkit::carrier_row& row() const override { return row_; }
  asio::io_context& context() override { return context_; }

  testkit::stream_ends connect() override {
    auto pair = transport::make_memory_streams(context_.get_executor());
    link_.emplace(pair.link);
    testkit::stream_ends ends;
    const auto into = [](std::unique_ptr<transport::stream>& place) {
      return [&place](std::error_code error, std::unique_ptr<transport::tls_stream> made) {
        CHECK_FALSE(error);
        place = std::move(made);
      };
    };
    transport::async_tls_handshake(std::move(pair.first), client_context(),
                                   asking_for("server.test"), into(ends.near));
    transport::async_tls_handshake(std::move(pair.second), server_context(), {}, into(ends.far));
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
  testkit::carrier_row row_{.name = "TLS",
                            .traits = {true, true, false, true},
                            .reset_kills_connection = true,
                            .sees_end_by_reading_only = true};
  asio::io_context context_;
  std::optional<transport::memory_link> link_;
};

/// A TLS listener and dialer over TCP on loopback.
struct tls_world {
  explicit tls_world(transport::tls_context client = client_context(),
                     transport::tls_stream_options options = {},
                     transport::tls_context server = server_context()) {
    auto on_loopback =
        transport::tcp_listener::listen(context.get_executor(), transport::address::loopback_v4(0));
    listener =
        std::make_unique<transport::tls_listener>(std::move(*on_loopback), std::move(server));
    carriers = std::make_shared<counting_dialer>(context.get_executor());
    dialer =
        std::make_unique<transport::tls_dialer>(carriers, std::move(client), std::move(options));
  }
  transport::target where(const std::string& host = "localhost") const {
    return {host, listener->local_address().port()};
  }
  void run(asio::awaitable<void> what) {
    bool done = false;
    asio::co_spawn(context, std::move(what), [&](std::exception_ptr failure) {
      done = true;
      if (failure) std::rethrow_exception(failure);
    });
    const auto until = std::chrono::steady_clock::now() + 20s;
    while (!done && std::chrono::steady_clock::now() < until) context.run_one_for(1s);
    REQUIRE(done);
  }

  asio::io_context context;
  std::unique_ptr<transport::tls_listener> listener;
  std::shared_ptr<counting_dialer> carriers;
  std::unique_ptr<transport::tls_dialer> dialer;
};

const transport::ech_key_pair& key_in_dns() {
  static const transport::ech_key_pair made = transport::make_ech_key("public.test").value();
  return made;
}

/// A client of hidden.test with a key from DNS, and what it was told.
struct ech_dial {
  explicit ech_dial(transport::tls_context server,
                    transport::ech_policy policy = transport::ech_policy::strict)
      : world(client_context().with_ech(offer_of(key_in_dns())).value(), options(policy),
              std::move(server)) {
    accept();
  }

  /// Dials, and says what came of it.
  std::error_code dial() {
    std::error_code out;
    world.run([](ech_dial& self, std::error_code& result) -> asio::awaitable<void> {
      auto [error, stream] = co_await self.world.dialer->async_dial(self.world.where(), quietly);
      result = error;
      self.near = std::move(stream);
      if (self.near) co_await exchange(*self.near);
    }(*this, out));
    return out;
  }

  static asio::awaitable<void> exchange(transport::stream& with) {
    char byte = 'x';
    const auto out = asio::buffer(&byte, 1);
    co_await asio::async_write(with, out, use_awaitable);
    const auto in = asio::buffer(&byte, 1);
    co_await asio::async_read(with, in, use_awaitable);
  }

  transport::connection_security security() const { return near->security().value(); }

  std::vector<transport::tls_failure> told;
  std::vector<transport::connection_security> seen;  ///< By the server, of those that worked.
  tls_world world;
  std::unique_ptr<transport::stream> near;

 private:
  transport::tls_stream_options options(transport::ech_policy policy) {
    transport::tls_stream_options out = asking_for("hidden.test");
    out.ech = policy;
    out.on_failure = [this](const transport::tls_failure& why) { told.push_back(why); };
    return out;
  }

  void accept() {
    world.listener->async_accept(
        [this](std::error_code error, std::unique_ptr<transport::stream> made) {
          if (error) return;
          seen.push_back(made->security().value());
          asio::co_spawn(
              world.context,
              [](std::unique_ptr<transport::stream> with) -> asio::awaitable<void> {
                char byte = 0;
                const auto room = asio::buffer(&byte, 1);
                co_await asio::async_read(*with, room, use_awaitable);
                co_await asio::async_write(*with, room, use_awaitable);
                co_await with->async_finish(use_awaitable);
              }(std::move(made)),
              asio::detached);
        });
  }
};

asio::awaitable<void> echo_one(transport::tls_listener& listener) {
  auto stream = co_await listener.async_accept(use_awaitable);
  std::vector<char> memory(40'000);
  const auto room = asio::buffer(memory);
  for (;;) {
    const auto [error, size] = co_await stream->async_read_some(room, quietly);
    if (error) break;
    const auto back = asio::buffer(memory.data(), size);
    co_await asio::async_write(*stream, back, use_awaitable);
  }
  co_await stream->async_finish(use_awaitable);
}

}  // namespace

TEST_CASE("tls: streams keep the contract", "[transport][tls][stream][conformance]") {
  testkit::check_stream_conformance([] { return std::make_unique<tls_carrier>(); });
}

TEST_CASE("tls: a megabyte there and back over TCP, and both ends in order", "[transport][tls]") {
  tls_world world;
  asio::co_spawn(world.context, echo_one(*world.listener), asio::detached);
  world.run([](tls_world& on) -> asio::awaitable<void> {
    auto stream = co_await on.dialer->async_dial(on.where(), use_awaitable);
    REQUIRE(stream->security());
    CHECK(stream->security()->alpn == "test/1");
    CHECK(stream->remote_address() == on.listener->local_address());
    std::string text(1'000'000, ' ');
    for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(i * 7 + (i >> 8));
    asio::co_spawn(
        on.context,
        [](transport::stream& to, const std::string& all) -> asio::awaitable<void> {
          const auto bytes = asio::buffer(all);
          co_await asio::async_write(to, bytes, use_awaitable);
          co_await to.async_finish(use_awaitable);
        }(*stream, text),
        asio::detached);
    std::string got(text.size(), ' ');
    const auto room = asio::buffer(got);
    co_await asio::async_read(*stream, room, use_awaitable);
    CHECK(got == text);
    const auto [error, none] = co_await stream->async_read_some(room, quietly);
    CHECK(error == errc::eof);
  }(world));
}

TEST_CASE("tls: read_until works over it", "[transport][tls]") {
  tls_world world;
  asio::co_spawn(world.context, echo_one(*world.listener), asio::detached);
  world.run([](tls_world& on) -> asio::awaitable<void> {
    auto stream = co_await on.dialer->async_dial(on.where(), use_awaitable);
    const std::string text = "one line\nand more";
    const auto out = asio::buffer(text);
    co_await asio::async_write(*stream, out, use_awaitable);
    std::string got;
    auto into = asio::dynamic_buffer(got);
    const std::size_t size = co_await asio::async_read_until(*stream, into, '\n', use_awaitable);
    CHECK(got.substr(0, size) == "one line\n");
  }(world));
}

TEST_CASE("tls: what a failed handshake says", "[transport][tls]") {
  std::vector<transport::tls_failure> told;
  transport::tls_stream_options options;
  options.on_failure = [&told](const transport::tls_failure& why) { told.push_back(why); };
  SECTION("a certificate of a stranger") {
    tls_world world(client_context(false), options);
    world.listener->async_accept([](std::error_code, std::unique_ptr<transport::stream>) {});
    world.run([](tls_world& on) -> asio::awaitable<void> {
      const auto [error, stream] = co_await on.dialer->async_dial(on.where(), quietly);
      CHECK(error == errc::certificate_rejected);
      CHECK(stream == nullptr);
    }(world));
    REQUIRE(told.size() == 1);
    CHECK_FALSE(told[0].text.empty());
    CHECK(told[0].alert_sent);
  }
  SECTION("another name") {
    options.server_name = "elsewhere.test";
    tls_world world(client_context(), options);
    world.listener->async_accept([](std::error_code, std::unique_ptr<transport::stream>) {});
    world.run([](tls_world& on) -> asio::awaitable<void> {
      const auto [error, stream] = co_await on.dialer->async_dial(on.where(), quietly);
      CHECK(error == errc::certificate_rejected);
    }(world));
  }
  SECTION("a peer that is silent") {
    asio::io_context context;
    auto pair = transport::make_memory_streams(context.get_executor());
    options.server_name = "server.test";
    options.handshake_timeout = 20ms;
    std::error_code got;
    transport::async_tls_handshake(
        std::move(pair.first), client_context(), options,
        [&](std::error_code error, std::unique_ptr<transport::tls_stream>) { got = error; });
    context.run_for(5s);
    CHECK(got == errc::timed_out);
  }
}

TEST_CASE("tls: a cancelled handshake resets the carrier", "[transport][tls]") {
  asio::io_context context;
  auto pair = transport::make_memory_streams(context.get_executor());
  asio::cancellation_signal stop;
  std::error_code got, seen;
  transport::async_tls_handshake(
      std::move(pair.first), client_context(), asking_for("server.test"),
      asio::bind_cancellation_slot(
          stop.slot(),
          [&](std::error_code error, std::unique_ptr<transport::tls_stream>) { got = error; }));
  context.run_for(20ms);
  CHECK_FALSE(got);
  stop.emit(asio::cancellation_type::terminal);
  std::array<char, 2000> memory;
  pair.second->async_read_some(asio::buffer(memory),
                               [&](std::error_code error, std::size_t) { seen = error; });
  context.restart();
  context.run_for(1s);
  CHECK(got == errc::aborted);
  CHECK(seen == errc::stream_reset);
}

TEST_CASE("tls: handshakes that stall keep nobody else from being accepted", "[transport][tls]") {
  tls_world world;
  world.run([](tls_world& on) -> asio::awaitable<void> {
    transport::tcp_dialer plain(on.context.get_executor());
    std::vector<std::unique_ptr<transport::stream>> silent;
    for (int i = 0; i < 20; ++i)
      silent.push_back(co_await plain.async_dial(on.where("127.0.0.1"), use_awaitable));
    asio::co_spawn(on.context, echo_one(*on.listener), asio::detached);
    auto stream = co_await on.dialer->async_dial(on.where(), use_awaitable);
    const auto out = asio::buffer("x", 1);
    co_await asio::async_write(*stream, out, use_awaitable);
    char byte = 0;
    const auto in = asio::buffer(&byte, 1);
    co_await asio::async_read(*stream, in, use_awaitable);
    CHECK(byte == 'x');
  }(world));
}

TEST_CASE("tls: a dialer tries ECH again with what the server names, on a new carrier",
          "[transport][tls][ech]") {
  if (!transport::ech_available()) SKIP("this TLS library has no ECH");
  using enum transport::ech_status;
  const auto current = transport::make_ech_key("public.test").value();
  ech_dial one(ech_server({&current}));
  REQUIRE_FALSE(one.dial());
  CHECK(one.world.carriers->dialled == 2);
  CHECK(one.security().ech == accepted);
  CHECK(one.security().ech_retried);
  REQUIRE(one.seen.size() == 1);
  CHECK(one.seen[0].ech == accepted);
  CHECK(one.seen[0].server_name == "hidden.test");
  REQUIRE(one.told.size() == 1);
  CHECK(one.told[0].ech == rejected_with_retry);
  CHECK(one.told[0].retry_configs == current.config_list);

  // What was named is for that connection only: the next begins with what DNS said.
  one.near.reset();
  one.world.listener->async_accept([](std::error_code, std::unique_ptr<transport::stream>) {});
  one.world.carriers->refuse_from_second = make_error_code(errc::unreachable);
  one.world.carriers->dialled = 0;
  CHECK(one.dial() == errc::unreachable);
  CHECK(one.world.carriers->dialled == 2);
  CHECK(one.told.size() == 2);
}

TEST_CASE("tls: with the right key a dialer needs one carrier", "[transport][tls][ech]") {
  if (!transport::ech_available()) SKIP("this TLS library has no ECH");
  ech_dial one(ech_server({&key_in_dns()}));
  REQUIRE_FALSE(one.dial());
  CHECK(one.world.carriers->dialled == 1);
  CHECK(one.security().ech == transport::ech_status::accepted);
  CHECK_FALSE(one.security().ech_retried);
}

TEST_CASE("tls: a server that rejects what it named itself is given up",
          "[transport][tls][ech][attack][T03]") {
  if (!transport::ech_available()) SKIP("this TLS library has no ECH");
  const auto named = transport::make_ech_key("public.test").value();
  const auto kept = transport::make_ech_key("public.test").value();
  for (const auto policy : {transport::ech_policy::strict, transport::ech_policy::secure_disable}) {
    ech_dial one(ech_server({&named}), policy);
    one.world.carriers->before = [&](unsigned count) {
      if (count == 2) one.world.listener->use(ech_server({&kept}));
    };
    CHECK(one.dial() == errc::ech_rejected);
    CHECK(one.world.carriers->dialled == 2);
    CHECK(one.told.size() == 2);
    CHECK(one.seen.empty());
  }
}

TEST_CASE("tls: a server without ECH is connected to in plain only where that is allowed",
          "[transport][tls][ech][attack][T03]") {
  if (!transport::ech_available()) SKIP("this TLS library has no ECH");
  SECTION("strict") {
    ech_dial one(ech_server({}));
    CHECK(one.dial() == errc::ech_rejected);
    CHECK(one.world.carriers->dialled == 1);
    REQUIRE(one.told.size() == 1);
    CHECK(one.told[0].ech == transport::ech_status::rejected);
  }
  SECTION("secure disable") {
    ech_dial one(ech_server({}), transport::ech_policy::secure_disable);
    REQUIRE_FALSE(one.dial());
    CHECK(one.world.carriers->dialled == 2);
    CHECK(one.security().ech == transport::ech_status::rejected);
    CHECK_FALSE(one.security().ech_retried);
    REQUIRE(one.seen.size() == 1);
    CHECK(one.seen[0].server_name == "hidden.test");
    CHECK(one.seen[0].ech == transport::ech_status::not_tried);
  }
  SECTION("a server that gives ECH up between the two attempts") {
    const auto current = transport::make_ech_key("public.test").value();
    ech_dial one(ech_server({&current}), transport::ech_policy::secure_disable);
    one.world.carriers->before = [&](unsigned count) {
      if (count == 2) one.world.listener->use(ech_server({}));
    };
    REQUIRE_FALSE(one.dial());
    CHECK(one.world.carriers->dialled == 3);
    CHECK(one.security().ech == transport::ech_status::rejected);
    CHECK_FALSE(one.security().ech_retried);
  }
}

TEST_CASE("tls: who is not proven to speak for the public name decides nothing",
          "[transport][tls][ech][attack][T03]") {
  if (!transport::ech_available()) SKIP("this TLS library has no ECH");
  const auto current = transport::make_ech_key("public.test").value();
  const std::vector<std::string> hidden_only = {"hidden.test"};
  for (const bool has_keys : {true, false}) {
    ech_dial one(has_keys ? ech_server({&current}, hidden_only) : ech_server({}, hidden_only),
                 transport::ech_policy::secure_disable);
    CHECK(one.dial() == errc::certificate_rejected);
    CHECK(one.world.carriers->dialled == 1);
    REQUIRE(one.told.size() == 1);
    CHECK(one.told[0].ech == transport::ech_status::failed);
    CHECK(one.seen.empty());
  }
}

TEST_CASE("tls: a dial that was given up does not try ECH again", "[transport][tls][ech]") {
  if (!transport::ech_available()) SKIP("this TLS library has no ECH");
  const auto current = transport::make_ech_key("public.test").value();
  ech_dial one(ech_server({&current}));
  asio::cancellation_signal stop;
  const auto emit = [&] { stop.emit(asio::cancellation_type::terminal); };
  unsigned expected = 0;
  SECTION("after the rejection") {
    one.world.carriers->before = [&](unsigned count) {
      if (count == 2) emit();
    };
    expected = 2;
  }
  SECTION("with the rejection on its way") {
    // Told within the turn of the handshake, whose completion comes after what is posted here.
    transport::tls_stream_options options = asking_for("hidden.test");
    options.on_failure = [&](const transport::tls_failure&) {
      asio::post(one.world.context, emit);
    };
    const auto client = client_context().with_ech(offer_of(key_in_dns())).value();
    one.world.dialer = std::make_unique<transport::tls_dialer>(one.world.carriers, client, options);
    expected = 1;
  }
  std::optional<std::error_code> got;
  one.world.dialer->async_dial(
      one.world.where(),
      asio::bind_cancellation_slot(
          stop.slot(), [&](std::error_code error, const std::unique_ptr<transport::stream>& made) {
            got = error;
            CHECK(made == nullptr);
          }));
  const auto until = std::chrono::steady_clock::now() + 20s;
  while (!got && std::chrono::steady_clock::now() < until) one.world.context.run_one_for(1s);
  CHECK(got == make_error_code(errc::aborted));
  one.world.context.poll();
  CHECK(one.world.carriers->dialled == expected);
}

TEST_CASE("tls: a stream says that ECH was imitated or not tried", "[transport][tls][ech]") {
  if (!transport::ech_available()) SKIP("this TLS library has no ECH");
  for (const bool imitates : {true, false}) {
    ech_dial one(ech_server({&key_in_dns()}));
    transport::tls_client_options options;
    options.alpn = {"test/1"};
    options.system_roots = false;
    options.roots = {testkit::test_certificates::shared().authority.root()};
    options.ech_grease = imitates;
    one.world.dialer = std::make_unique<transport::tls_dialer>(
        one.world.carriers, transport::make_tls_client_context(options).value(),
        asking_for("hidden.test"));
    REQUIRE_FALSE(one.dial());
    using enum transport::ech_status;
    CHECK(one.security().ech == (imitates ? grease : not_tried));
    CHECK_FALSE(one.security().ech_retried);
  }
}
