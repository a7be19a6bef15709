// SPDX-License-Identifier: Apache-2.0
#include "strata/proxy/ech_dialer.hpp"

#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <catch2/catch_test_macros.hpp>
#include <optional>

#include "ech_world.hpp"
#include "testkit/need_ech.hpp"

using namespace strata;
using tests::ech_world;
using tests::key_in_dns;
using transport::address;
using transport::target;

namespace {

transport::ech_key_pair another_key() { return transport::make_ech_key("public.test").value(); }

transport::https_record without_ech(const ech_world& in) { return in.record({}); }

testkit::doh_reply failing_https(const ech_world& in, const testkit::doh_visit& visit) {
  auto query = transport::decode_dns_message(visit.query).value();
  testkit::doh_reply reply = testkit::answer_doh(in.doh.zone, visit);
  if (query.question.value().type != transport::dns_type::https) return reply;
  auto answer = transport::decode_dns_message(reply.body).value();
  answer.answers.clear();
  answer.response_code = transport::dns_response_code::server_failure;
  reply.body = transport::encode_dns_message(answer).value();
  return reply;
}

/// Says whom it was asked to dial, and goes to one address all the same.
class chain final : public transport::stream_dialer {
 public:
  chain(std::shared_ptr<transport::stream_dialer> by, address to) : by_(std::move(by)), to_(to) {}
  std::vector<target> asked;
  std::function<bool(const target&)> refuses;

 private:
  asio::any_io_executor do_executor() noexcept override { return by_->get_executor(); }
  void do_dial(const target& where,
               transport::completion<transport::stream_signature> waiting) override {
    asked.push_back(where);
    const bool away = refuses && refuses(where);
    by_->async_dial(away ? target(address::loopback_v4(1)) : target(to_),
                    std::move(waiting.handler));
  }

  std::shared_ptr<transport::stream_dialer> by_;
  address to_;
};

}  // namespace

TEST_CASE("ech dialer: name and configuration stay hidden in each of four cases",
          "[proxy][tunnel][ech]") {
  testkit::need_ech();
  SECTION("the right key") {
    ech_world in({&key_in_dns()});
    in.publish(in.record(key_in_dns().config_list));
    REQUIRE_FALSE(in.dial());
    CHECK(in.security().ech == transport::ech_status::accepted);
    CHECK_FALSE(in.security().ech_retried);
    CHECK(in.server_wire.connections() == 1);
    CHECK(in.server_wire.has_heard("public.test"));
    CHECK(in.is_hidden("hidden"));
  }
  SECTION("a stale key in DNS") {
    const auto current = another_key();
    ech_world in({&current});
    in.publish(in.record(key_in_dns().config_list));
    REQUIRE_FALSE(in.dial());
    CHECK(in.security().ech == transport::ech_status::accepted);
    CHECK(in.security().ech_retried);
    CHECK(in.server_wire.connections() == 2);
    CHECK(in.is_hidden("hidden"));
  }
  SECTION("the DoH server is down") {
    ech_world in({&key_in_dns()});
    in.publish(in.record(key_in_dns().config_list));
    in.doh_wire.close();
    CHECK(in.dial() == transport::errc::name_server_failed);
    CHECK(in.server_wire.connections() == 0);
    CHECK(in.is_hidden("hidden"));
  }
  SECTION("the answer has no configuration") {
    ech_world in({&key_in_dns()});
    in.publish(without_ech(in));
    CHECK(in.dial() == proxy::errc::ech_unavailable);
    CHECK(in.server_wire.connections() == 0);
    CHECK(in.doh_wire.size() != 0);
    CHECK(in.is_hidden("hidden"));
  }
}

TEST_CASE("ech dialer: whatever DNS lacks, a strict one connects to nobody",
          "[proxy][tunnel][ech]") {
  testkit::need_ech();
  ech_world in({&key_in_dns()});
  std::error_code expected = proxy::errc::ech_unavailable;
  bool plain = true;
  SECTION("no HTTPS record at all") {}
  SECTION("a configuration of another version") {
    std::vector<std::byte> odd = key_in_dns().config_list;
    odd[3] = std::byte{0x0c};
    in.publish(in.record(odd));
  }
  SECTION("not a configuration") { in.publish(in.record({std::byte{1}})); }
  SECTION("a server of other protocols alone") {
    auto record = in.record(key_in_dns().config_list);
    record.alpn = {"h2"};
    record.no_default_alpn = true;
    in.publish(record);
  }
  SECTION("a name server that fails for HTTPS records alone") {
    in.publish(in.record(key_in_dns().config_list));
    in.doh.says = [&](const testkit::doh_visit& visit) { return failing_https(in, visit); };
    expected = transport::errc::name_server_failed;
    plain = false;
  }
  CHECK(in.dial() == expected);
  CHECK(in.server_wire.connections() == 0);

  // Where it is allowed to, it goes on; not where nobody answered.
  const std::uint16_t port = in.server_wire.where().port();
  proxy::ech_dialer_options options;
  options.allow_without_ech = true;
  if (plain) {
    // The host's own port: there is no record to name another.
    in.carriers = std::make_shared<chain>(in.tcp(), in.server_wire.where());
    REQUIRE_FALSE(in.dial(options));
    CHECK(in.security().ech == transport::ech_status::not_tried);
    CHECK(in.server_wire.has_heard("hidden.test"));
  } else {
    CHECK(in.dial(options, {"hidden.test", port}) != std::error_code());
    CHECK(in.server_wire.connections() == 0);
  }
}

TEST_CASE("ech dialer: a server that rejects ECH without a word is not dialled in plain",
          "[proxy][tunnel][ech]") {
  testkit::need_ech();
  ech_world in({});
  in.publish(in.record(key_in_dns().config_list));
  proxy::ech_dialer_options options;
  options.tls.ech = transport::ech_policy::secure_disable;  // counts only where it is allowed
  CHECK(in.dial(options) == transport::errc::ech_rejected);
  CHECK(in.server_wire.connections() == 1);
  CHECK(in.is_hidden("hidden"));
  options.allow_without_ech = true;
  REQUIRE_FALSE(in.dial(options));
  CHECK(in.security().ech == transport::ech_status::rejected);
  CHECK(in.server_wire.connections() == 3);
}

TEST_CASE("ech dialer: configurations that are not the record's own", "[proxy][tunnel][ech]") {
  testkit::need_ech();
  ech_world in({&key_in_dns()});
  proxy::ech_dialer_options options;
  SECTION("given, to an address: nobody is asked") {
    options.config_list = key_in_dns().config_list;
    options.tls.server_name = "hidden.test";
    REQUIRE_FALSE(in.dial(options, in.server_wire.where()));
    CHECK(in.doh_wire.connections() == 0);
  }
  SECTION("given, to a name whose address is looked up") {
    options.config_list = key_in_dns().config_list;
    REQUIRE_FALSE(in.dial(options, {"hidden.test", in.server_wire.where().port()}));
    for (const auto& each : in.doh.log) {
      const auto query = transport::decode_dns_message(each.query).value();
      CHECK(query.question.value().type != transport::dns_type::https);
    }
  }
  SECTION("of another name") {
    in.publish(in.record(key_in_dns().config_list), "shared.test");
    options.config_name = "shared.test";
    options.tls.server_name = "hidden.test";
    REQUIRE_FALSE(in.dial(options, in.server_wire.where()));
  }
  SECTION("of the server's name, to an address") {
    in.publish(in.record(key_in_dns().config_list));
    const std::string prefixed =
        "_" + std::to_string(in.server_wire.where().port()) + "._https.hidden.test";
    in.publish(in.record(key_in_dns().config_list), prefixed);
    options.tls.server_name = "hidden.test";
    REQUIRE_FALSE(in.dial(options, in.server_wire.where()));
  }
  CHECK(in.security().ech == transport::ech_status::accepted);
  CHECK(in.is_hidden("hidden"));
}

TEST_CASE("ech dialer: carriers go where the record says", "[proxy][tunnel][ech]") {
  testkit::need_ech();
  ech_world in({&key_in_dns()});
  auto best = in.record(key_in_dns().config_list);
  auto second = best;
  best.priority = 1;
  best.target = *transport::dns_name::parse("best.test");
  second.priority = 2;
  in.publish(best);
  in.publish(second);
  in.doh.zone.ip("best.test", "127.0.0.2").ip("best.test", "127.0.0.3");
  const auto through = std::make_shared<chain>(in.tcp(), in.server_wire.where());
  in.carriers = through;
  const std::uint16_t port = in.server_wire.where().port();
  proxy::ech_dialer_options options;
  SECTION("by address, one after the other, then the next record") {
    through->refuses = [](const target& where) { return where.host() != "127.0.0.1"; };
    REQUIRE_FALSE(in.dial(options));
    REQUIRE(through->asked.size() == 3);
    CHECK(through->asked[0].host() != through->asked[1].host());
    CHECK(through->asked[2] == target("127.0.0.1", port));
    for (const target& each : through->asked) CHECK_FALSE(each.is_name());
  }
  SECTION("by name, for a chain") {
    options.route = proxy::ech_route::names;
    REQUIRE_FALSE(in.dial(options));
    CHECK(through->asked == std::vector<target>{target("best.test", port)});
  }
  SECTION("nowhere") {
    through->refuses = [](const target&) { return true; };
    CHECK(in.dial(options) == transport::errc::refused);
    CHECK(through->asked.size() == 3);
  }
  if (in.near) CHECK(in.security().ech == transport::ech_status::accepted);
}

TEST_CASE("ech dialer: dials are aborted by their slot and with the dialer",
          "[proxy][tunnel][ech]") {
  testkit::need_ech();
  ech_world in({&key_in_dns()});
  in.publish(in.record(key_in_dns().config_list));
  std::optional<proxy::ech_dialer> dialer(std::in_place, in.names, in.tcp(),
                                          tests::client_tls({"http/1.1"}));
  asio::cancellation_signal stop;
  std::optional<std::error_code> got;
  dialer->async_dial(
      target("hidden.test", 443),
      asio::bind_cancellation_slot(
          stop.slot(),
          [&](std::error_code error, const std::unique_ptr<transport::stream>&) { got = error; }));
  SECTION("slot") { stop.emit(asio::cancellation_type::terminal); }
  SECTION("dialer") { dialer.reset(); }
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!got && std::chrono::steady_clock::now() < until)
    in.context.run_one_for(std::chrono::seconds(1));
  CHECK(got == transport::make_error_code(transport::errc::aborted));
}
