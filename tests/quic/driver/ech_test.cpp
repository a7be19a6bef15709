// SPDX-License-Identifier: Apache-2.0
// Encrypted Client Hello inside QUIC: what a dialer makes of every answer, and what the endpoint
// says of one attempt.
#include <asio/io_context.hpp>
#include <catch2/catch_test_macros.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "strata/quic/connections.hpp"
#include "strata/quic/observer.hpp"
#include "strata/transport/core/error.hpp"
#include "testkit/certificates.hpp"
#include "testkit/need_ech.hpp"

using namespace strata;
using namespace std::chrono_literals;
using transport::ech_key_pair;
using transport::ech_policy;
using transport::ech_status;
using transport::errc;

namespace {

const ech_key_pair& key_in_dns() {
  static const ech_key_pair made = transport::make_ech_key("public.test").value();
  return made;
}

transport::tls_ech_offer offer_of(const ech_key_pair& key) {
  transport::tls_ech_offer offer;
  offer.config_list = key.config_list;
  offer.outer_alpn = {"h3"};
  return offer;
}

transport::tls_context server_context(const std::vector<const ech_key_pair*>& keys,
                                      const std::vector<std::string>& names = {"public.test",
                                                                               "hidden.test"}) {
  transport::tls_server_options options;
  options.alpn = {"test", "h3"};
  const auto& authority = testkit::test_certificates::shared().authority;
  for (const std::string& name : names)
    options.credentials.push_back(authority.issue({.names = {name}}).credential());
  for (const ech_key_pair* const key : keys)
    options.ech_keys.push_back({.pem = transport::pem_source::from_text(key->pem)});
  return transport::make_tls_server_context(options).value();
}

transport::tls_client_options client_options() {
  transport::tls_client_options options;
  options.alpn = {"test"};
  options.system_roots = false;
  options.roots = {testkit::test_certificates::shared().authority.root()};
  return options;
}

/// An observer that counts the connections of an endpoint by their parameters, of which there is
/// one set of its own for each.
class attempt_counter final : public quic::observer {
 public:
  unsigned attempts = 0;
  std::function<void(unsigned)> at_each;

  unsigned categories() const noexcept override { return everything; }
  void parameters_set(const quic::observed::parameters_set& what) override {
    if (!what.local) return;
    ++attempts;
    if (at_each) at_each(attempts);
  }
};

/// A client that dials hidden.test at a server on loopback.
struct ech_world {
  explicit ech_world(transport::tls_context of_server) {
    quic::endpoint_options options;
    options.bind = transport::address::loopback_v4(0);
    options.server_tls = std::move(of_server);
    server = std::move(quic::endpoint::open(context.get_executor(), options).value());
    accept();
  }

  void open_client(const transport::tls_client_options& tls) {
    quic::endpoint_options options;
    options.bind = transport::address::loopback_v4(0);
    options.client_tls = transport::make_tls_client_context(tls).value();
    options.watcher = counter;
    client = std::move(quic::endpoint::open(context.get_executor(), options).value());
  }

  void accept() {
    server.async_accept([this](std::error_code error, quic::connection made) {
      if (error) return;
      accepted.push_back(std::move(made));
      accept();
    });
  }

  template <class Done>
  void run_until(Done done) {
    const auto until = std::chrono::steady_clock::now() + 20s;
    while (!done() && std::chrono::steady_clock::now() < until) context.run_one_for(1s);
    REQUIRE(done());
  }

  std::error_code dial(ech_policy policy = ech_policy::strict) {
    quic::dialer_options options;
    options.server_name = "hidden.test";
    options.ech = policy;
    quic::endpoint_dialer dialer(client, std::move(options));
    std::optional<std::error_code> out;
    const transport::target where(server.local_address());
    dialer.async_dial(where,
                      [&](std::error_code error, std::unique_ptr<transport::connection> made) {
                        out = error;
                        near = std::move(made);
                      });
    run_until([&] { return out.has_value(); });
    return *out;
  }

  /// One attempt, without a dialer.
  std::error_code connect(const quic::core::connection_config& config) {
    std::optional<std::error_code> out;
    client.async_connect(server.local_address(), "hidden.test", config,
                         [&](std::error_code error, quic::connection made) {
                           out = error;
                           single = std::move(made);
                         });
    run_until([&] { return out.has_value(); });
    return *out;
  }

  asio::io_context context;
  std::shared_ptr<attempt_counter> counter = std::make_shared<attempt_counter>();
  quic::endpoint server, client;
  std::vector<quic::connection> accepted;
  std::unique_ptr<transport::connection> near;
  quic::connection single;
};

}  // namespace

TEST_CASE("quic: ECH is accepted at the first attempt with the right key", "[quic][ech]") {
  testkit::need_ech();
  ech_world world(server_context({&key_in_dns()}));
  auto options = client_options();
  options.ech = offer_of(key_in_dns());
  world.open_client(options);
  REQUIRE_FALSE(world.dial());
  CHECK(world.counter->attempts == 1);
  const auto security = world.near->security().value();
  CHECK(security.ech == ech_status::accepted);
  CHECK_FALSE(security.ech_retried);
  CHECK(security.server_name == "hidden.test");
  CHECK(security.alpn == "test");
  world.run_until([&] { return world.accepted.size() == 1; });
  CHECK(world.accepted[0].security().ech.status == ech_status::accepted);
  CHECK(world.accepted[0].security().server_name == "hidden.test");
}

TEST_CASE("quic: a dialer tries ECH again with what the server names, in a new connection",
          "[quic][ech]") {
  testkit::need_ech();
  const auto current = transport::make_ech_key("public.test").value();
  ech_world world(server_context({&current}));
  auto options = client_options();
  options.ech = offer_of(key_in_dns());
  world.open_client(options);
  REQUIRE_FALSE(world.dial());
  CHECK(world.counter->attempts == 2);
  CHECK(world.near->security()->ech == ech_status::accepted);
  CHECK(world.near->security()->ech_retried);
  world.run_until([&] { return !world.accepted.empty(); });
  REQUIRE(world.accepted.size() == 1);
  CHECK(world.accepted[0].security().server_name == "hidden.test");
  // For that connection only.
  REQUIRE_FALSE(world.dial());
  CHECK(world.counter->attempts == 4);
}

TEST_CASE("quic: one attempt says what may be tried next", "[quic][ech][attack][T03]") {
  testkit::need_ech();
  const auto current = transport::make_ech_key("public.test").value();
  const auto offering = transport::make_tls_client_context(client_options())
                            .value()
                            .with_ech(offer_of(key_in_dns()))
                            .value();
  quic::core::connection_config config;
  SECTION("other keys") {
    ech_world world(server_context({&current}));
    world.open_client(client_options());
    config.tls = offering;
    CHECK(world.connect(config) == errc::ech_rejected);
    const auto ech = world.single.security().ech;
    CHECK(ech.status == ech_status::rejected_with_retry);
    CHECK(ech.retry_configs == current.config_list);
    CHECK(world.single.closed()->code == 0x100 + 121);
    config.tls = offering.with_retry_configs(ech.retry_configs).value();
    CHECK_FALSE(world.connect(config));
    CHECK(world.single.security().ech.status == ech_status::accepted);
    CHECK(world.single.security().ech.retried);
  }
  SECTION("no keys") {
    ech_world world(server_context({}));
    world.open_client(client_options());
    config.tls = offering;
    CHECK(world.connect(config) == errc::ech_rejected);
    CHECK(world.single.security().ech.status == ech_status::rejected);
  }
  SECTION("no proof") {
    ech_world world(server_context({&current}, {"hidden.test"}));
    world.open_client(client_options());
    config.tls = offering;
    CHECK(world.connect(config) == errc::certificate_rejected);
    const auto ech = world.single.security().ech;
    CHECK(ech.status == ech_status::failed);
    CHECK(ech.retry_configs.empty());
    CHECK(world.single.closed()->reason.find("(for public.test)") != std::string::npos);
  }
  SECTION("a name that cannot be hidden") {
    ech_world world(server_context({&current}));
    world.open_client(client_options());
    config.tls = offering;
    std::optional<std::error_code> out;
    world.client.async_connect(world.server.local_address(), "127.0.0.1", config,
                               [&](std::error_code error, quic::connection) { out = error; });
    world.run_until([&] { return out.has_value(); });
    CHECK(*out);
    CHECK(world.accepted.empty());
  }
}

TEST_CASE("quic: a server that rejects what it named itself is given up",
          "[quic][ech][attack][T03]") {
  testkit::need_ech();
  const auto named = transport::make_ech_key("public.test").value();
  const auto kept = transport::make_ech_key("public.test").value();
  ech_world world(server_context({&named}));
  world.counter->at_each = [&](unsigned attempt) {
    if (attempt == 2) world.server.use(server_context({&kept}));
  };
  auto options = client_options();
  options.ech = offer_of(key_in_dns());
  world.open_client(options);
  CHECK(world.dial(ech_policy::secure_disable) == errc::ech_rejected);
  CHECK(world.counter->attempts == 2);
  CHECK(world.near == nullptr);
  CHECK(world.accepted.empty());
}

TEST_CASE("quic: without ECH only where the server has said so and the policy allows it",
          "[quic][ech][attack][T03]") {
  testkit::need_ech();
  auto options = client_options();
  options.ech = offer_of(key_in_dns());
  SECTION("strict") {
    ech_world world(server_context({}));
    world.open_client(options);
    CHECK(world.dial() == errc::ech_rejected);
    CHECK(world.counter->attempts == 1);
    CHECK(world.accepted.empty());
  }
  SECTION("secure disable") {
    ech_world world(server_context({}));
    world.open_client(options);
    REQUIRE_FALSE(world.dial(ech_policy::secure_disable));
    CHECK(world.counter->attempts == 2);
    CHECK(world.near->security()->ech == ech_status::rejected);
    CHECK(world.near->security()->server_name == "hidden.test");
  }
  SECTION("no proof") {
    ech_world world(server_context({}, {"hidden.test"}));
    world.open_client(options);
    CHECK(world.dial(ech_policy::secure_disable) == errc::certificate_rejected);
    CHECK(world.counter->attempts == 1);
  }
}

TEST_CASE("quic: keys are changed for the clients that come later", "[quic][ech]") {
  testkit::need_ech();
  const auto next = transport::make_ech_key("public.test").value();
  ech_world world(server_context({&key_in_dns()}));
  auto options = client_options();
  options.ech = offer_of(next);
  world.open_client(options);
  REQUIRE_FALSE(world.dial());
  CHECK(world.near->security()->ech_retried);
  world.server.use(server_context({&next, &key_in_dns()}));
  REQUIRE_FALSE(world.dial());
  CHECK_FALSE(world.near->security()->ech_retried);
  options.ech = offer_of(key_in_dns());
  world.open_client(options);
  REQUIRE_FALSE(world.dial());
  CHECK_FALSE(world.near->security()->ech_retried);
}

TEST_CASE("quic: an imitation of ECH, and none", "[quic][ech]") {
  testkit::need_ech();
  for (const bool imitates : {true, false}) {
    ech_world world(server_context({&key_in_dns()}));
    auto options = client_options();
    options.ech_grease = imitates;
    world.open_client(options);
    REQUIRE_FALSE(world.dial());
    const auto expected = imitates ? ech_status::grease : ech_status::not_tried;
    CHECK(world.near->security()->ech == expected);
    world.run_until([&] { return world.accepted.size() == 1; });
    CHECK(world.accepted[0].security().ech.status == expected);
    CHECK(world.counter->attempts == 1);
  }
}
