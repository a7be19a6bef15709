// SPDX-License-Identifier: Apache-2.0
// Sessions: which connection may resume which, and what is kept of them.
#include <catch2/catch_test_macros.hpp>

#include "strata/transport/core/error.hpp"
#include "strata/transport/tls_session_store.hpp"
#include "tls_pair.hpp"

namespace {

using namespace strata::transport;
using namespace strata::transport::tests;
using strata::testkit::test_certificates;

const test_certificates& certificates() { return test_certificates::shared(); }

tls_client_options keeping(const std::shared_ptr<tls_session_store>& store) {
  auto options = trusting_client();
  options.sessions = store;
  return options;
}

/// Whether a connection resumed; both sides must say the same.
bool resumed(const tls_context& client, const tls_context& server,
             const std::string& name = "server.test") {
  tls_pair pair(client, server, {.client = {.server_name = name}});
  REQUIRE(pair.shake_hands());
  const auto security = pair.client.core.security();
  CHECK(pair.server.core.security().resumed == security.resumed);
  CHECK(security.peer_certificate_sha256.has_value());
  return security.resumed;
}

tls_ticket_key ticket_key(std::uint8_t number) {
  tls_ticket_key key;
  key.fill(static_cast<std::byte>(number));
  return key;
}

std::vector<std::byte> session_of(std::size_t size) {
  return std::vector<std::byte>(size, std::byte{7});
}

}  // namespace

TEST_CASE("tls_resumption: a session resumes one later connection to the same name",
          "[transport][tls]") {
  for (const tls_version version : {tls_version::tls12, tls_version::tls13}) {
    const auto store = std::make_shared<tls_session_store>();
    auto client_options = keeping(store);
    auto server_options = test_server();
    client_options.minimum_version = server_options.minimum_version = tls_version::tls12;
    client_options.maximum_version = server_options.maximum_version = version;
    const auto client = made(make_tls_client_context(client_options));
    const auto server = made(make_tls_server_context(server_options));
    CHECK_FALSE(resumed(client, server));
    CHECK(store->size() == (version == tls_version::tls13 ? 2 : 1));
    // Each resumption brings what the next one needs.
    for (int i = 0; i < 4; ++i) CHECK(resumed(client, server));
    CHECK_FALSE(resumed(client, server, "localhost"));
    store->clear();
    CHECK_FALSE(resumed(client, server));
  }
}

TEST_CASE("tls_resumption: sessions are shared by contexts that trust the same, and by no others",
          "[transport][tls][attack][T09]") {
  const auto store = std::make_shared<tls_session_store>();
  const auto server = made(make_tls_server_context(test_server()));
  const auto resumes_after = [&](const tls_client_options& options) {
    store->clear();
    CHECK_FALSE(resumed(made(make_tls_client_context(keeping(store))), server));
    return resumed(made(make_tls_client_context(options)), server);
  };
  CHECK(resumes_after(keeping(store)));

  const strata::testkit::certificate_authority stranger("Somebody else");
  auto options = keeping(store);
  options.roots.push_back(stranger.root());
  CHECK_FALSE(resumes_after(options));
  options = keeping(store);
  options.alpn = {"other", "test/1"};
  CHECK_FALSE(resumes_after(options));
  options = keeping(store);
  options.pinned_certificates = {certificates().server.sha256};
  CHECK_FALSE(resumes_after(options));
  options = keeping(store);
  options.verify = [](const peer_certificates&) { return true; };
  CHECK_FALSE(resumes_after(options));
  options = keeping(store);
  options.insecure_skip_verification = true;
  CHECK_FALSE(resumes_after(options));
  options = keeping(store);
  options.credential = certificates().client.credential();
  CHECK_FALSE(resumes_after(options));
  options = keeping(store);
  options.minimum_version = tls_version::tls12;
  CHECK_FALSE(resumes_after(options));
}

TEST_CASE("tls_resumption: a ticket is good only at a server that judges alike",
          "[transport][tls][attack][T09]") {
  auto options = test_server();
  options.ticket_keys = {ticket_key(1)};
  const auto first = made(make_tls_server_context(options));
  const auto resumes_at = [&](const tls_server_options& other) {
    const auto store = std::make_shared<tls_session_store>();
    const auto client = made(make_tls_client_context(keeping(store)));
    CHECK_FALSE(resumed(client, first));
    return resumed(client, made(make_tls_server_context(other)));
  };
  CHECK(resumes_at(options));
  auto other = options;
  other.ticket_keys = {ticket_key(2)};
  CHECK_FALSE(resumes_at(other));
  other = options;
  other.client_certificate = client_certificates::requested;
  other.client_roots = {certificates().authority.root()};
  CHECK_FALSE(resumes_at(other));
  other = options;
  other.alpn = {"test/1", "more"};
  CHECK_FALSE(resumes_at(other));
  CHECK_FALSE(resumes_at(test_server()));
  // Certificates that may be left out, and those that may not.
  options.client_roots = {certificates().authority.root()};
  options.client_certificate = client_certificates::requested;
  const auto lenient = made(make_tls_server_context(options));
  other = options;
  other.client_certificate = client_certificates::required;
  const auto store = std::make_shared<tls_session_store>();
  const auto client = made(make_tls_client_context(keeping(store)));
  CHECK_FALSE(resumed(client, lenient));
  tls_pair pair(client, made(make_tls_server_context(other)));
  pair.run();
  REQUIRE(pair.server.core.failure() != nullptr);
  CHECK(pair.server.core.failure()->code == strata::transport::errc::certificate_rejected);
}

TEST_CASE("tls_resumption: a ticket for one name is not good for another",
          "[transport][tls][attack][T09]") {
  // A client that breaks the rule: it resumes whatever it has.
  std::vector<std::byte> saved;
  auto options = trusting_client();
  options.session_received = [&](std::string_view, bytes session) {
    saved.assign(session.begin(), session.end());
  };
  options.session_to_resume = [&](std::string_view) { return saved; };
  const auto client = made(make_tls_client_context(options));
  const auto server = made(make_tls_server_context(test_server()));
  CHECK_FALSE(resumed(client, server));
  CHECK(resumed(client, server));
  CHECK_FALSE(resumed(client, server, "localhost"));
  CHECK(resumed(client, server, "localhost"));
  CHECK_FALSE(resumed(client, server, "127.0.0.1"));
}

TEST_CASE("tls_resumption: ticket keys are changed one after the other", "[transport][tls]") {
  const auto store = std::make_shared<tls_session_store>();
  const auto client = made(make_tls_client_context(keeping(store)));
  const auto server_with = [](std::vector<tls_ticket_key> keys) {
    auto options = test_server();
    options.ticket_keys = std::move(keys);
    return made(make_tls_server_context(options));
  };
  CHECK_FALSE(resumed(client, server_with({ticket_key(1)})));
  CHECK(resumed(client, server_with({ticket_key(2), ticket_key(1)})));
  store->clear();
  CHECK_FALSE(resumed(client, server_with({ticket_key(2), ticket_key(1)})));
  // It was sealed with the first.
  CHECK(resumed(client, server_with({ticket_key(2)})));
}

TEST_CASE("tls_resumption: a server without tickets resumes nothing", "[transport][tls]") {
  for (const tls_version version : {tls_version::tls12, tls_version::tls13}) {
    const auto store = std::make_shared<tls_session_store>();
    auto client = keeping(store);
    auto options = test_server();
    client.minimum_version = options.minimum_version = tls_version::tls12;
    client.maximum_version = version;
    options.maximum_version = version;
    options.session_tickets = 0;
    const auto server = made(make_tls_server_context(options));
    const auto context = made(make_tls_client_context(client));
    CHECK_FALSE(resumed(context, server));
    CHECK(store->size() == 0);
    CHECK_FALSE(resumed(context, server));
  }
}

TEST_CASE("tls_session_store: sessions are found by all of their key, newest first, once",
          "[transport][tls]") {
  tls_session_store store;
  const tls_session_key plain{.server_name = "a.test"};
  const tls_session_key hidden{.server_name = "a.test", .ech_accepted = true};
  tls_session_key other{.server_name = "a.test"};
  other.configuration.fill(std::byte{1});
  store.put(plain, session_of(1));
  store.put(plain, session_of(2));
  store.put(hidden, session_of(3));
  store.put(other, session_of(4));
  CHECK(store.size() == 4);
  CHECK(store.take({.server_name = "b.test"}).empty());
  CHECK(store.take(plain).size() == 2);
  CHECK(store.take(plain).size() == 1);
  CHECK(store.take(plain).empty());
  CHECK(store.take(hidden).size() == 3);
  CHECK(store.take(other).size() == 4);
  CHECK(store.size() == 0);
}

TEST_CASE("tls_session_store: it keeps so many, so many of a name, and none that is too large",
          "[transport][tls][attack][T13]") {
  for (const std::size_t count : {4u, 5u, 6u}) {
    tls_session_store store(5);
    for (std::size_t i = 0; i < count; ++i)
      store.put({.server_name = std::to_string(i)}, session_of(i + 1));
    CHECK(store.size() == std::min<std::size_t>(count, 5));
    CHECK(store.take({.server_name = "0"}).empty() == (count > 5));
    CHECK(store.take({.server_name = "1"}).size() == 2);
  }
  for (const std::size_t more : {0u, 1u, 2u}) {
    const std::size_t count = limits::tls_sessions_per_name - 1 + more;
    tls_session_store store;
    for (std::size_t i = 0; i < count; ++i) store.put({.server_name = "a"}, session_of(i + 1));
    CHECK(store.size() == std::min(count, limits::tls_sessions_per_name));
    CHECK(store.take({.server_name = "a"}).size() == count);
  }
  for (const std::size_t size :
       {limits::tls_session_bytes - 1, limits::tls_session_bytes, limits::tls_session_bytes + 1}) {
    tls_session_store store;
    store.put({.server_name = "a"}, session_of(size));
    CHECK(store.size() == (size <= limits::tls_session_bytes ? 1 : 0));
  }
  for (const std::size_t count :
       {limits::tls_sessions - 1, limits::tls_sessions, limits::tls_sessions + 1}) {
    tls_session_store store;
    for (std::size_t i = 0; i < count; ++i)
      store.put({.server_name = std::to_string(i)}, session_of(1));
    CHECK(store.size() == std::min(count, limits::tls_sessions));
  }
  tls_session_store none(0);
  none.put({.server_name = "a"}, session_of(1));
  CHECK(none.size() == 0);
}
