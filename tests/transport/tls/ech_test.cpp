// SPDX-License-Identifier: Apache-2.0
// Encrypted Client Hello, both ends ours: every status, what is shown to the path, and what a
// client may do next.
#include <catch2/catch_test_macros.hpp>

#include "ech_world.hpp"
#include "strata/transport/core/error.hpp"
#include "strata/transport/tls_session_store.hpp"
#include "tls/ech.hpp"

namespace {

using namespace strata::transport;
using namespace strata::transport::tests;
using event = tls_connection::event;
using strata::testkit::test_certificates;

const ech_world& world() { return ech_world::shared(); }

}  // namespace

TEST_CASE("ech: accepted, nobody on the path sees the name or the protocol", "[transport][ech]") {
  need_ech();
  ech_pair pair(ech_client(world().key), ech_server({as_key(world().key)}));
  REQUIRE(pair.shake_hands());
  CHECK(pair.status() == ech_status::accepted);
  const auto client = pair.client.core.security();
  const auto server = pair.server.core.security();
  CHECK(server.ech == ech_status::accepted);
  CHECK(client.server_name == hidden_name);
  CHECK(server.server_name == hidden_name);
  CHECK(client.peer_certificate_sha256 == world().of_hidden.sha256);
  CHECK(client.alpn == "test/1");
  CHECK(server.alpn == "test/1");
  CHECK(contains(pair.to_server, public_name));
  CHECK(contains(pair.to_server, "h2"));
  CHECK_FALSE(contains(pair.to_server, "hidden"));
  CHECK_FALSE(contains(pair.to_server, "test/1"));
  REQUIRE(pair.client.write("question") == 8);
  pair.run();
  CHECK(pair.server.received == "question");
}

TEST_CASE("ech: the list may come as base64 and with others in it", "[transport][ech]") {
  need_ech();
  auto configs = parse_ech_config_list(world().key.config_list).value();
  ech_config newer = configs.front();
  newer.encoded[0] = std::byte{0xff};
  configs.insert(configs.begin(), newer);
  auto options = trusting_client();
  options.ech = tls_ech_offer{.config_list = encode_ech_config_list(configs)};
  ech_pair mixed(options, ech_server({as_key(world().key)}));
  CHECK(mixed.shake_hands());
  CHECK(mixed.status() == ech_status::accepted);

  const std::string text = encode_base64(world().key.config_list);
  const bytes view = as_bytes(text);
  options.ech = tls_ech_offer{.config_list = {view.begin(), view.end()}};
  ech_pair base64(options, ech_server({as_key(world().key)}));
  CHECK(base64.shake_hands());
  CHECK(base64.status() == ech_status::accepted);
}

TEST_CASE("ech: the outer protocols are those that were asked for", "[transport][ech]") {
  need_ech();
  auto options = ech_client(world().key);
  options.ech->outer_alpn = {"plain/9"};
  ech_pair chosen(options, ech_server({as_key(world().key)}));
  REQUIRE(chosen.shake_hands());
  CHECK(contains(chosen.to_server, "plain/9"));
  CHECK_FALSE(contains(chosen.to_server, "h2"));
  options = ech_client(world().key);
  options.alpn = {"h3"};
  auto server = ech_server({as_key(world().key)});
  server.alpn = {"h3"};
  ech_pair quic_like(options, server);
  REQUIRE(quic_like.shake_hands());
  CHECK(contains(quic_like.to_server, "h3"));
  CHECK_FALSE(contains(quic_like.to_server, "http/1.1"));
  options.ech->outer_alpn = {std::string(256, 'a')};
  CHECK_FALSE(make_tls_client_context(options).has_value());
}

TEST_CASE("ech: a stale key fails with keys to retry with, and those work",
          "[transport][ech][attack][T03]") {
  need_ech();
  const auto server = made(make_tls_server_context(ech_server({as_key(world().other_key)})));
  const auto client = made(make_tls_client_context(ech_client(world().key)));
  ech_pair stale(client, server);
  CHECK_FALSE(stale.shake_hands());
  const tls_failure* const failure = stale.client.core.failure();
  REQUIRE(failure != nullptr);
  CHECK(failure->code == errc::ech_rejected);
  CHECK(failure->ech == ech_status::rejected_with_retry);
  CHECK(failure->alert_sent == 121);
  CHECK(failure->retry_configs == world().other_key.config_list);
  CHECK(has(failure->text, public_name));
  CHECK_FALSE(stale.client.saw(event::ready));
  CHECK_FALSE(contains(stale.to_server, "hidden"));
  REQUIRE(after_ech_failure(ech_policy::strict, failure->ech, 0) ==
          ech_next_step::retry_with_configs);

  const auto again = client.with_retry_configs(failure->retry_configs);
  REQUIRE(again.has_value());
  ech_pair retried(*again, server);
  REQUIRE(retried.shake_hands());
  CHECK(retried.status() == ech_status::accepted);
  CHECK(retried.client.core.security().ech_retried);
  CHECK(retried.server.core.security().server_name == hidden_name);
  CHECK_FALSE(retried.server.core.security().ech_retried);
}

TEST_CASE("ech: contexts of further attempts keep what the first one was", "[transport][ech]") {
  need_ech();
  auto options = ech_client(world().key);
  options.ech->outer_alpn = {"plain/9"};
  const auto client = made(make_tls_client_context(options));
  CHECK(client.offers_ech());
  const auto server = made(make_tls_server_context(ech_server({as_key(world().other_key)})));
  ech_pair retried(client.with_retry_configs(world().other_key.config_list).value(), server);
  REQUIRE(retried.shake_hands());
  CHECK(contains(retried.to_server, "plain/9"));
  CHECK_FALSE(contains(retried.to_server, "test/1"));
  const auto damaged = bytes(world().other_key.config_list).first(20);
  CHECK_FALSE(client.with_retry_configs(damaged).has_value());

  const auto plain = client.without_ech();
  CHECK_FALSE(plain.offers_ech());
  ech_pair shown(plain, server);
  REQUIRE(shown.shake_hands());
  CHECK(contains(shown.to_server, hidden_name));
  CHECK(shown.status() == ech_status::rejected);
  CHECK_FALSE(shown.client.core.security().ech_retried);
  // A new offer begins anew.
  ech_pair anew(plain.with_ech(offer_of(world().other_key)).value(), server);
  REQUIRE(anew.shake_hands());
  CHECK(anew.status() == ech_status::accepted);
  CHECK_FALSE(anew.client.core.security().ech_retried);
}

TEST_CASE("ech: keys that the server keeps but does not offer are not named", "[transport][ech]") {
  need_ech();
  const auto third = make_ech_key(public_name).value();
  ech_pair pair(ech_client(third),
                ech_server({as_key(world().key), as_key(world().other_key, false)}));
  CHECK_FALSE(pair.shake_hands());
  CHECK(pair.client.core.failure()->retry_configs == world().key.config_list);
  ech_pair old(ech_client(world().other_key),
               ech_server({as_key(world().key), as_key(world().other_key, false)}));
  CHECK(old.shake_hands());
  CHECK(old.status() == ech_status::accepted);
}

TEST_CASE("ech: a certificate that is not the public name's proves nothing",
          "[transport][ech][attack][T03]") {
  need_ech();
  auto server = ech_server({as_key(world().other_key)});
  server.credentials = {world().of_hidden.credential()};
  ech_pair pair(ech_client(world().key), server);
  CHECK_FALSE(pair.shake_hands());
  const tls_failure* const failure = pair.client.core.failure();
  REQUIRE(failure != nullptr);
  CHECK(failure->code == errc::certificate_rejected);
  CHECK(failure->ech == ech_status::failed);
  CHECK(failure->retry_configs.empty());
  CHECK(has(failure->text, public_name));
  for (const ech_policy policy : {ech_policy::strict, ech_policy::secure_disable})
    CHECK(after_ech_failure(policy, failure->ech, 0) == ech_next_step::give_up);
}

TEST_CASE("ech: a server without it is a rejection, which the policy judges", "[transport][ech]") {
  need_ech();
  const auto client = made(make_tls_client_context(ech_client(world().key)));
  const auto server = made(make_tls_server_context(ech_server({})));
  ech_pair pair(client, server);
  CHECK_FALSE(pair.shake_hands());
  const tls_failure* const failure = pair.client.core.failure();
  REQUIRE(failure != nullptr);
  CHECK(failure->code == errc::ech_rejected);
  CHECK(failure->ech == ech_status::rejected);
  CHECK(failure->retry_configs.empty());
  CHECK(after_ech_failure(ech_policy::strict, failure->ech, 0) == ech_next_step::give_up);
  CHECK(after_ech_failure(ech_policy::secure_disable, failure->ech, 0) ==
        ech_next_step::retry_without_ech);
  CHECK_FALSE(contains(pair.to_server, "hidden"));
}

TEST_CASE("ech: a server that also has no certificate for the public name is no rejection",
          "[transport][ech][attack][T03]") {
  need_ech();
  auto server = ech_server({});
  server.credentials = {test_certificates::shared().server.credential()};
  ech_pair pair(ech_client(world().key), server);
  CHECK_FALSE(pair.shake_hands());
  CHECK(pair.status() == ech_status::failed);
}

TEST_CASE("ech: TLS 1.2 outside is a failure and no reason to show the name",
          "[transport][ech][attack][T03]") {
  need_ech();
  auto server = ech_server({});
  server.minimum_version = server.maximum_version = tls_version::tls12;
  auto client = ech_client(world().key);
  client.minimum_version = tls_version::tls12;
  ech_pair pair(client, server);
  CHECK_FALSE(pair.shake_hands());
  CHECK(pair.code() == errc::tls_failed);
  CHECK(pair.status() == ech_status::failed);
  CHECK(pair.client.core.failure()->alert_received == 70);
}

TEST_CASE("ech: a hidden name whose certificate is bad fails as such", "[transport][ech]") {
  need_ech();
  auto server = ech_server({as_key(world().key)});
  server.credentials = {world().of_public.credential()};
  ech_pair pair(ech_client(world().key), server);
  CHECK_FALSE(pair.shake_hands());
  CHECK(pair.code() == errc::certificate_rejected);
  CHECK(pair.status() == ech_status::accepted);
  CHECK(has(pair.client.core.failure()->text, hidden_name));
}

TEST_CASE("ech: an imitation changes nothing else", "[transport][ech]") {
  need_ech();
  auto client = trusting_client();
  client.ech_grease = true;
  for (const bool with_keys : {false, true}) {
    ech_pair pair(client, ech_server(with_keys ? std::vector{as_key(world().key)}
                                               : std::vector<tls_ech_key>()));
    REQUIRE(pair.shake_hands());
    CHECK(pair.status() == ech_status::grease);
    CHECK(pair.server.core.security().ech ==
          (with_keys ? ech_status::grease : ech_status::not_tried));
    CHECK(pair.client.core.security().alpn == "test/1");
    CHECK(contains(pair.to_server, hidden_name));
  }
  // Where there is something to encrypt with, it is done.
  client.ech = offer_of(world().key);
  ech_pair both(client, ech_server({as_key(world().key)}));
  REQUIRE(both.shake_hands());
  CHECK(both.status() == ech_status::accepted);
}

TEST_CASE("ech: without a list nothing is tried", "[transport][ech]") {
  need_ech();
  ech_pair pair(trusting_client(), ech_server({as_key(world().key)}));
  REQUIRE(pair.shake_hands());
  CHECK(pair.status() == ech_status::not_tried);
  CHECK(pair.server.core.security().ech == ech_status::not_tried);
}

TEST_CASE("ech: a second hello is encrypted like the first", "[transport][ech]") {
  need_ech();
  auto client = ech_client(world().key);
  client.groups = {"X25519", "P-384"};
  auto server = ech_server({as_key(world().key)});
  server.groups = {"P-384"};
  ech_pair accepted(client, server);
  REQUIRE(accepted.shake_hands());
  CHECK(accepted.status() == ech_status::accepted);
  CHECK(accepted.client.core.security().group == "secp384r1");
  CHECK_FALSE(contains(accepted.to_server, "hidden"));

  // A rejection ends here without retry configurations: OpenSSL 4.0.3 takes the eight random bytes
  // that its own server puts into the HelloRetryRequest for an acceptance, and then misses the
  // second half of it. Nothing is shown and nothing concluded.
  server.ech_keys = {as_key(world().other_key)};
  ech_pair stale(client, server);
  CHECK_FALSE(stale.shake_hands());
  CHECK(stale.status() == ech_status::failed);
  CHECK(after_ech_failure(ech_policy::secure_disable, stale.status(), 0) == ech_next_step::give_up);
  CHECK_FALSE(contains(stale.to_server, "hidden"));
}

TEST_CASE("ech: who verifies a rejection is told the public name", "[transport][ech]") {
  need_ech();
  auto client = ech_client(world().key);
  std::vector<std::string> asked;
  client.verify = [&](const peer_certificates& peer) {
    asked.emplace_back(peer.name);
    return true;
  };
  ech_pair pair(client, ech_server({as_key(world().other_key)}));
  CHECK_FALSE(pair.shake_hands());
  CHECK(asked == std::vector<std::string>{public_name});
  CHECK(pair.status() == ech_status::rejected_with_retry);
}

TEST_CASE("ech: without verification nothing is proven", "[transport][ech][attack][T03]") {
  need_ech();
  auto client = ech_client(world().key);
  client.insecure_skip_verification = true;
  ech_pair stale(client, ech_server({as_key(world().other_key)}));
  CHECK_FALSE(stale.shake_hands());
  CHECK(stale.status() == ech_status::failed);
  CHECK(stale.client.core.failure()->retry_configs.empty());
  ech_pair good(client, ech_server({as_key(world().key)}));
  REQUIRE(good.shake_hands());
  CHECK(good.status() == ech_status::accepted);
}

TEST_CASE("ech: a server that rejects it gets no certificate of the client", "[transport][ech]") {
  need_ech();
  auto client = ech_client(world().key);
  client.credential = test_certificates::shared().client.credential();
  auto server = ech_server({as_key(world().other_key)});
  server.client_certificate = client_certificates::requested;
  unsigned judged = 0;
  server.verify = [&](const peer_certificates&) { return ++judged != 0; };
  ech_pair stale(client, server);
  CHECK_FALSE(stale.shake_hands());
  CHECK(stale.status() == ech_status::rejected_with_retry);
  CHECK(judged == 0);
  server.ech_keys = {as_key(world().key)};
  ech_pair good(client, server);
  CHECK(good.shake_hands());
  CHECK(judged == 1);
}

TEST_CASE("ech: sessions of it are neither kept nor resumed", "[transport][ech]") {
  need_ech();
  const auto store = std::make_shared<tls_session_store>();
  auto options = trusting_client();
  options.sessions = store;
  unsigned handed_out = 0;
  options.session_received = [&](std::string_view, bytes) { ++handed_out; };
  const auto plain = made(make_tls_client_context(options));
  const auto hidden = plain.with_ech(offer_of(world().key)).value();
  const auto server = made(make_tls_server_context(ech_server({as_key(world().key)})));
  const auto resumed = [&](const tls_context& client, ech_status expected) {
    ech_pair pair(client, server);
    REQUIRE(pair.shake_hands());
    CHECK(pair.status() == expected);
    return pair.client.core.security().resumed;
  };
  CHECK_FALSE(resumed(hidden, ech_status::accepted));
  CHECK(handed_out == 0);
  CHECK_FALSE(resumed(plain, ech_status::not_tried));
  CHECK(handed_out == 2);
  CHECK_FALSE(resumed(hidden, ech_status::accepted));
  CHECK(resumed(plain, ech_status::not_tried));
  store->clear();
  CHECK_FALSE(resumed(plain, ech_status::not_tried));
}

TEST_CASE("ech: keys are changed by another context", "[transport][ech]") {
  need_ech();
  const auto server_of = [&](std::vector<tls_ech_key> keys) {
    return made(make_tls_server_context(ech_server(std::move(keys))));
  };
  const auto before = server_of({as_key(world().key)});
  const auto between = server_of({as_key(world().other_key), as_key(world().key, false)});
  const auto after = server_of({as_key(world().other_key)});
  const auto plain = made(make_tls_client_context(trusting_client()));
  const auto early = plain.with_ech(offer_of(world().key)).value();
  const auto late = plain.with_ech(offer_of(world().other_key)).value();
  const auto outcome = [&](const tls_context& client, const tls_context& server) {
    ech_pair pair(client, server);
    pair.shake_hands();
    return pair.status();
  };
  using enum ech_status;
  CHECK(outcome(early, before) == accepted);
  CHECK(outcome(late, before) == rejected_with_retry);
  CHECK(outcome(early, between) == accepted);
  CHECK(outcome(late, between) == accepted);
  CHECK(outcome(late, after) == accepted);
  CHECK(outcome(early, after) == rejected_with_retry);
}

TEST_CASE("ech: what is agreed outside does not stand in the way of a rejection",
          "[transport][ech]") {
  need_ech();
  auto server = ech_server({as_key(world().other_key)});
  server.alpn = {"test/1"};
  ech_pair stale(ech_client(world().key), server);
  CHECK_FALSE(stale.shake_hands());
  CHECK(stale.status() == ech_status::rejected_with_retry);
  // An imitation of the same looks gets no connection without a protocol.
  auto imitating = trusting_client();
  imitating.ech_grease = true;
  imitating.alpn = {"h2"};
  ech_pair grease(imitating, server);
  grease.run();
  REQUIRE(grease.server.core.failure() != nullptr);
  CHECK(has(grease.server.core.failure()->text, "protocol"));
  CHECK_FALSE(grease.server.saw(event::ready));
  // Who asks for no protocol gets none, with an imitation as without.
  imitating.alpn.clear();
  for (const bool imitates : {true, false}) {
    imitating.ech_grease = imitates;
    ech_pair silent(imitating, server);
    REQUIRE(silent.shake_hands());
    CHECK(silent.client.core.security().alpn.empty());
  }
}
