// SPDX-License-Identifier: Apache-2.0
#include "admin.hpp"

#include <array>
#include <asio/as_tuple.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>
#include <utility>

#include "access_log.hpp"
#include "metrics.hpp"
#include "strata/transport/core/error.hpp"
#include "strata/transport/core/http1_head.hpp"
#include "strata/transport/driver/with_timeout.hpp"

namespace {

using namespace strata;
using namespace std::chrono_literals;

constexpr auto quietly = asio::as_tuple(asio::use_awaitable);
constexpr auto request_time = 5s;

/// A page of somebody else's whose name was made to lead to this host must not read these pages by
/// a browser here (DNS rebinding): nobody but this host's own names is meant.
bool is_meant(const transport::http1_head& head) {
  const std::string_view host = head.find("host").value_or("");
  const auto named = transport::parse_http1_target("CONNECT", host);
  std::string_view name = named ? named->host : host;
  if (name.starts_with('[') && name.ends_with(']')) name = name.substr(1, name.size() - 2);
  return name.empty() || name == "localhost" || transport::address::parse_ip(name, 0).has_value();
}

std::string_view reason_of(unsigned status) {
  switch (status) {
    case 200: return "OK";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 421: return "Misdirected Request";
    default: return "Service Unavailable";
  }
}

}  // namespace

admin::listening admin::listen(const asio::any_io_executor& executor, const transport::address& at,
                               std::string& problem) const {
  if (listener_) {
    const transport::address now = listener_->local_address();
    // One that was left to the system stays what it was.
    if (now == at || (at.port() == 0 && now.same_ip(at))) return listener_;
  }
  auto made = transport::tcp_listener::listen(executor, at);
  if (made) return std::move(*made);
  problem = "admin: " + at.string() + ": " + made.error().message();
  return nullptr;
}

void admin::use(listening listener) {
  if (listener == listener_) return;
  if (listener_) listener_->close();
  listener_ = std::move(listener);
  if (listener_) asio::co_spawn(listener_->get_executor(), accept_all(listener_), asio::detached);
}

transport::address admin::local_address() const {
  return listener_ ? listener_->local_address() : transport::address();
}

asio::awaitable<void> admin::accept_all(listening listener) {
  for (;;) {
    auto [error, client] = co_await listener->async_accept(quietly);
    if (error == transport::errc::closed || error == transport::errc::aborted) co_return;
    if (error) {
      asio::steady_timer rest(listener->get_executor(), 100ms);
      co_await rest.async_wait(quietly);
      continue;
    }
    asio::co_spawn(listener->get_executor(), serve(std::move(client)), asio::detached);
  }
}

asio::awaitable<void> admin::serve(std::unique_ptr<transport::stream> client) {
  auto parser = transport::http1_head_parser::of_requests();
  std::array<std::byte, 4096> memory;
  while (!parser.is_done()) {
    const auto room = asio::buffer(memory);
    auto reading = client->async_read_some(room);
    const auto [error, size] =
        co_await transport::with_timeout(std::move(reading), request_time, quietly);
    if (error) co_return;
    if (!parser.receive(transport::bytes(memory).first(size))) co_return;
  }
  const auto line = parser.head().request_line();
  answer with;
  if (line.method != "GET" && line.method != "HEAD")
    with = {405, "text/plain", "only GET\n"};
  else if (!is_meant(parser.head()))
    with = {421, "text/plain", "ask by an address or as localhost\n"};
  else
    with = answer_to(line.target);
  std::string text;
  const std::string length = std::to_string(with.content.size());
  const std::array<transport::http1_field, 3> fields{
      {{"Content-Type", with.type}, {"Content-Length", length}, {"Connection", "close"}}};
  if (!transport::append_http1_response(text, static_cast<std::uint16_t>(with.status),
                                        reason_of(with.status), fields))
    co_return;
  if (line.method != "HEAD") text += with.content;
  const auto all = asio::buffer(text);
  co_await asio::async_write(*client, all, quietly);
  co_await client->async_finish(quietly);
}

admin::answer admin::answer_to(std::string_view path) const {
  if (path == "/healthz") return {200, "text/plain", "ok\n"};
  if (path == "/readyz")
    return is_ready_() ? answer{200, "text/plain", "ready\n"}
                       : answer{503, "text/plain", "draining\n"};
  if (path == "/metrics") {
    const auto uptime = std::chrono::steady_clock::now() - began_;
    return {200, "text/plain; version=0.0.4",
            metrics_of(service_, is_ready_(),
                       std::chrono::duration_cast<std::chrono::seconds>(uptime))};
  }
  if (path == "/sessions") return {200, "application/json", sessions()};
  if (path == "/sessions.tsv") return {200, "text/tab-separated-values", session_lines()};
  return {404, "text/plain",
          "there are /healthz, /readyz, /metrics, /sessions and /sessions.tsv\n"};
}

std::string admin::sessions() const {
  std::string text = "[";
  for (const auto& each : service_.sessions())
    text += (text.size() > 1 ? ",\n" : "") + to_json(each);
  return text + "]\n";
}

std::string admin::session_lines() const {
  std::string text = columns_of_sessions();
  for (const auto& each : service_.sessions()) text += to_columns(each);
  return text;
}
