// SPDX-License-Identifier: Apache-2.0
// What a dialer does when a server rejects Encrypted Client Hello.
#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/detached.hpp>
#include <asio/read.hpp>
#include <asio/write.hpp>
#include <string>
#include <vector>

#include "strata/transport/core/error.hpp"
#include "testkit/need_ech.hpp"
#include "tls_world.hpp"

using namespace strata;
using namespace strata::transport::tests;
using transport::errc;

namespace {

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

}  // namespace

TEST_CASE("tls: a dialer tries ECH again with what the server names, on a new carrier",
          "[transport][tls][ech]") {
  testkit::need_ech();
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
  testkit::need_ech();
  ech_dial one(ech_server({&key_in_dns()}));
  REQUIRE_FALSE(one.dial());
  CHECK(one.world.carriers->dialled == 1);
  CHECK(one.security().ech == transport::ech_status::accepted);
  CHECK_FALSE(one.security().ech_retried);
}

TEST_CASE("tls: a server that rejects what it named itself is given up",
          "[transport][tls][ech][attack][T03]") {
  testkit::need_ech();
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
  testkit::need_ech();
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
  testkit::need_ech();
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
  testkit::need_ech();
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
  testkit::need_ech();
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
