// SPDX-License-Identifier: Apache-2.0
#include <asio/bind_cancellation_slot.hpp>

#include "proxy/driver/proxy_world.hpp"
#include "strata/transport/driver/ready_list.hpp"
#include "strata/transport/resolver.hpp"

using namespace strata;
using namespace strata::proxy;
using namespace strata::proxy::testing;

namespace {

std::string pattern(std::size_t size) {
  std::string made(size, '\0');
  for (std::size_t i = 0; i < size; ++i) made[i] = static_cast<char>((i * 31 + i / 251) & 255);
  return made;
}

asio::awaitable<void> send_and_finish(stream& to, const std::string& what) {
  co_await send(to, what);
  const auto [finished] = co_await to.async_finish(quietly);
  CHECK_FALSE(finished);
}

/// Counts who is asked for; knows everybody as this host.
class counting_resolver final : public transport::resolver {
 public:
  explicit counting_resolver(const asio::any_io_executor& executor) : ready_(executor) {}
  std::vector<std::string> asked;

 private:
  asio::any_io_executor do_executor() noexcept override { return ready_.executor(); }
  void do_resolve(const std::string& host, const transport::resolve_options&,
                  transport::completion<transport::resolve_signature> waiting) override {
    asked.push_back(host);
    auto found = std::make_unique<transport::resolution>();
    found->addresses.push_back(transport::address::loopback_v4(0));
    ready_.complete(std::move(waiting), std::error_code(), std::move(found));
  }
  transport::ready_list ready_;
};

/// An outbound whose dials end as the test says.
class scripted_outbound final : public outbound {
 public:
  explicit scripted_outbound(const asio::any_io_executor& executor) : ready_(executor) {}
  std::error_code fails = errc::upstream_failed;
  int dials = 0;

 private:
  asio::any_io_executor do_executor() noexcept override { return ready_.executor(); }
  void do_dial(const transport::target&,
               transport::completion<transport::stream_signature> waiting) override {
    ++dials;
    ready_.complete(std::move(waiting), fails, stream_pointer());
  }
  transport::ready_list ready_;
};

}  // namespace

TEST_CASE("a tunnel through each kind of proxy carries everything, and half an end") {
  proxy_world world;
  world.start();
  world.run([](proxy_world& in) -> asio::awaitable<void> {
    const std::string sent = pattern(3'000'000);
    for (const bool http : {false, true}) {
      std::shared_ptr<transport::stream_dialer> by;
      if (http)
        by = std::make_shared<http_outbound>(in.tcp(), in.through());
      else
        by = std::make_shared<socks_outbound>(in.tcp(), in.through());
      const outcome made = co_await in.dial(by, in.to_echo());
      REQUIRE_FALSE(made.error);
      asio::co_spawn(in.context, send_and_finish(*made.stream, sent), asio::detached);
      const std::string back = co_await receive_all(*made.stream);
      CHECK(back == sent);
    }
    co_await in.until([&] { return in.reports.size() == 2; });
  }(world));
  for (const session_report& each : world.reports) {
    CHECK_FALSE(each.error);
    CHECK(each.moved.forth == 3'000'000);
    CHECK(each.moved.back == 3'000'000);
  }
}

TEST_CASE("outbounds stack: SOCKS5 through HTTP through SOCKS5") {
  proxy_world world;
  world.start();
  world.run([](proxy_world& in) -> asio::awaitable<void> {
    const auto first = std::make_shared<socks_outbound>(in.tcp(), in.through());
    const auto second = std::make_shared<http_outbound>(first, in.through());
    const auto third = std::make_shared<socks_outbound>(second, in.through());
    const outcome made = co_await in.dial(third, in.to_echo());
    REQUIRE_FALSE(made.error);
    co_await in.check_echo(*made.stream);
    CHECK(in.server->statistics().active == 3);
  }(world));
}

TEST_CASE("a name is handed on, and looked up by the last alone", "[attack][P07][proxy]") {
  proxy_world world;
  const auto names = std::make_shared<counting_resolver>(world.context.get_executor());
  direct_outbound_options how;
  how.names = names;
  how.filter = core::address_filter({.allowed = {core::ip_network::parse("127.0.0.0/8").value()}});
  world.routes->outbounds["direct"] =
      std::make_shared<direct_outbound>(world.context.get_executor(), how);
  world.start();
  world.run([](proxy_world& in) -> asio::awaitable<void> {
    const auto by = std::make_shared<socks_outbound>(in.tcp(), in.through());
    const transport::target where("inner.example", in.to_echo().port());
    const outcome made = co_await in.dial(by, where);
    REQUIRE_FALSE(made.error);
    co_await in.check_echo(*made.stream);
  }(world));
  CHECK(names->asked == std::vector<std::string>{"inner.example"});
}

TEST_CASE("a rule that compares networks has names looked up, and only it") {
  proxy_world world;
  const auto names = std::make_shared<counting_resolver>(world.context.get_executor());
  core::rule local;
  local.networks = {core::ip_network::parse("127.0.0.0/8").value()};
  local.resolve = true;
  world.routes->names = names;
  world.routes->table = core::routing_table({local}, "direct");
  world.start();
  world.run([](proxy_world& in) -> asio::awaitable<void> {
    const auto by = std::make_shared<socks_outbound>(in.tcp(), in.through());
    const transport::target where("inner.example", 80);
    const outcome refused = co_await in.dial(by, where);
    CHECK(refused.error == errc::not_allowed);
  }(world));
  CHECK(names->asked == std::vector<std::string>{"inner.example"});
}

TEST_CASE("a proxy that is not there is told apart from a target that is not") {
  proxy_world world;
  world.start();
  world.run([](proxy_world& in) -> asio::awaitable<void> {
    upstream_options nowhere{.server = in.to_nobody()};
    const auto lost = std::make_shared<socks_outbound>(in.tcp(), nowhere);
    const outcome no_proxy = co_await in.dial(lost, in.to_echo());
    CHECK(no_proxy.error == errc::upstream_failed);
    const auto by = std::make_shared<socks_outbound>(in.tcp(), in.through());
    const outcome no_target = co_await in.dial(by, in.to_nobody());
    CHECK(no_target.error == transport::errc::refused);
    // A peer that speaks something else.
    upstream_options echo{.server = in.to_echo()};
    const auto confused = std::make_shared<http_outbound>(in.tcp(), echo);
    const outcome garbage = co_await in.dial(confused, in.to_echo());
    CHECK(garbage.error);
  }(world));
}

TEST_CASE("destroying an outbound, or cancelling, aborts its dials") {
  proxy_world world;
  const auto silent = world.listen();
  world.start();
  upstream_options nobody{.server = transport::target(silent->local_address())};
  auto by = std::make_unique<socks_outbound>(world.tcp(), nobody);
  std::optional<std::error_code> first, second;
  asio::cancellation_signal stop;
  const transport::target where = world.to_echo();
  by->async_dial(where,
                 asio::bind_cancellation_slot(
                     stop.slot(), [&](std::error_code error, stream_pointer) { first = error; }));
  by->async_dial(where, [&](std::error_code error, stream_pointer) { second = error; });
  world.run(wait(world.context, 20ms));
  CHECK_FALSE(first);
  stop.emit(asio::cancellation_type::terminal);
  world.run(world.until([&] { return first.has_value(); }));
  CHECK(*first == transport::errc::aborted);
  CHECK_FALSE(second);
  by.reset();
  world.run(world.until([&] { return second.has_value(); }));
  CHECK(*second == transport::errc::aborted);
}

TEST_CASE("a group goes on to the next when a member fails, and leaves it out for a while") {
  proxy_world world;
  world.run([](proxy_world& in) -> asio::awaitable<void> {
    const auto executor = in.context.get_executor();
    const auto dead = std::make_shared<scripted_outbound>(executor);
    outbound_group_options how;
    how.rest = 100ms;
    const std::vector<outbound_member> all{{"dead", dead}, {"direct", in.direct({"127.0.0.0/8"})}};
    const auto group = std::make_shared<outbound_group>(executor, all, how);
    for (int i = 0; i < 3; ++i) {
      const outcome made = co_await in.dial(group, in.to_echo());
      CHECK_FALSE(made.error);
    }
    CHECK(dead->dials == 1);
    CHECK_FALSE(group->members()[0].alive);
    CHECK(group->members()[1].alive);
    co_await wait(in.context, 120ms);
    const outcome later = co_await in.dial(group, in.to_echo());
    CHECK_FALSE(later.error);
    CHECK(dead->dials == 2);
  }(world));
}

TEST_CASE("what is the target's fault is told, and no other member is asked") {
  proxy_world world;
  world.run([](proxy_world& in) -> asio::awaitable<void> {
    const auto executor = in.context.get_executor();
    const auto first = std::make_shared<scripted_outbound>(executor);
    const auto second = std::make_shared<scripted_outbound>(executor);
    const std::vector<outbound_member> all{{"first", first}, {"second", second}};
    const auto group = std::make_shared<outbound_group>(executor, all);
    for (const std::error_code error :
         {make_error_code(transport::errc::refused),
          make_error_code(transport::errc::name_not_found), make_error_code(errc::not_allowed)}) {
      first->fails = error;
      const outcome told = co_await in.dial(group, in.to_echo());
      CHECK(told.error == error);
    }
    CHECK(second->dials == 0);
    CHECK(group->members()[0].alive);
    first->fails = errc::upstream_failed;
    const outcome both = co_await in.dial(group, in.to_echo());
    CHECK(both.error == errc::upstream_failed);
    CHECK(second->dials == 1);
    // All are dead: one is asked all the same.
    const outcome again = co_await in.dial(group, in.to_echo());
    CHECK(again.error == errc::upstream_failed);
    CHECK(first->dials + second->dials == 6);
  }(world));
}

TEST_CASE("a group takes turns") {
  proxy_world world;
  world.run([](proxy_world& in) -> asio::awaitable<void> {
    const auto executor = in.context.get_executor();
    const std::vector<outbound_member> all{{"a", in.direct({"127.0.0.0/8"})},
                                           {"b", in.direct({"127.0.0.0/8"})}};
    const auto group = std::make_shared<outbound_group>(
        executor, all, outbound_group_options{.policy = group_policy::round_robin});
    for (int i = 0; i < 6; ++i) {
      const outcome made = co_await in.dial(group, in.to_echo());
      CHECK_FALSE(made.error);
    }
    CHECK(group->members()[0].dials == 3);
    CHECK(group->members()[1].dials == 3);
  }(world));
}

TEST_CASE("an empty group has nobody") {
  proxy_world world;
  world.run([](proxy_world& in) -> asio::awaitable<void> {
    const std::vector<outbound_member> nobody;
    const auto group = std::make_shared<outbound_group>(in.context.get_executor(), nobody);
    const outcome made = co_await in.dial(group, in.to_echo());
    CHECK(made.error == errc::no_outbound);
  }(world));
}
