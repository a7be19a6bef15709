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
#include "strata/transport/core/error.hpp"
#include "strata/transport/core/http1_head.hpp"
#include "strata/transport/driver/with_timeout.hpp"

namespace {

using namespace strata;
using namespace std::chrono_literals;

constexpr auto quietly = asio::as_tuple(asio::use_awaitable);
constexpr auto request_time = 5s;

/// Values of labels, as Prometheus' text format has them.
std::string label(std::string_view name, std::string_view value) {
  std::string made = std::string(name) + "=\"";
  for (const char each : value) {
    if (each == '\n')
      made += "\\n";
    else if (each == '"' || each == '\\')
      (made += '\\') += each;
    else
      made += each;
  }
  return made + '"';
}

class exposition {
 public:
  void family(std::string_view name, std::string_view kind, std::string_view help) {
    name_ = name;
    text_ += "# HELP " + name_ + " " + std::string(help) + "\n# TYPE " + name_ + " " +
             std::string(kind) + "\n";
  }
  void value(const std::string& labels, std::uint64_t number) {
    text_ +=
        name_ + (labels.empty() ? "" : "{" + labels + "}") + " " + std::to_string(number) + "\n";
  }
  std::string text() && { return std::move(text_); }

 private:
  std::string name_;
  std::string text_;
};

}  // namespace

std::string admin::listen(const asio::any_io_executor& executor, const transport::address& at) {
  if (listener_ && at.port() != 0 && listener_->local_address() == at) return {};
  auto made = transport::tcp_listener::listen(executor, at);
  if (!made) return "admin: " + at.string() + ": " + made.error().message();
  if (listener_) listener_->close();
  listener_ = std::move(*made);
  asio::co_spawn(executor, accept_all(listener_), asio::detached);
  return {};
}

transport::address admin::local_address() const {
  return listener_ ? listener_->local_address() : transport::address();
}

asio::awaitable<void> admin::accept_all(std::shared_ptr<transport::tcp_listener> listener) {
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
  else
    with = answer_to(line.target);
  std::string text;
  const std::string length = std::to_string(with.content.size());
  const std::array<transport::http1_field, 3> fields{
      {{"Content-Type", with.type}, {"Content-Length", length}, {"Connection", "close"}}};
  const std::string_view reason = with.status == 200   ? "OK"
                                  : with.status == 503 ? "Service Unavailable"
                                  : with.status == 404 ? "Not Found"
                                                       : "Method Not Allowed";
  if (!transport::append_http1_response(text, static_cast<std::uint16_t>(with.status), reason,
                                        fields))
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
  if (path == "/metrics") return {200, "text/plain; version=0.0.4", metrics()};
  if (path == "/sessions") return {200, "application/json", sessions()};
  return {404, "text/plain", "there are /healthz, /readyz, /metrics and /sessions\n"};
}

std::string admin::metrics() const {
  exposition out;
  const auto each = [&](std::string_view name, std::string_view kind, std::string_view help,
                        auto value) {
    out.family(name, kind, help);
    for (const auto& server : service_.servers())
      out.value(label("inbound", server->name()), value(server->statistics()));
  };
  using figures = proxy::proxy_statistics;
  each("strata_proxy_connections_total", "counter", "Connections of clients.",
       [](const figures& of) { return of.accepted; });
  each("strata_proxy_connections", "gauge", "Connections of clients now.",
       [](const figures& of) { return std::uint64_t{of.active}; });
  each("strata_proxy_refused_total", "counter", "Connections beyond a limit.",
       [](const figures& of) { return of.refused_by_limits; });
  each("strata_proxy_authentication_failures_total", "counter", "Wrong passwords.",
       [](const figures& of) { return of.authentication_failures; });
  each("strata_proxy_malformed_total", "counter", "What was neither SOCKS nor HTTP, or broke them.",
       [](const figures& of) { return of.malformed; });
  out.family("strata_proxy_requests_total", "counter",
             "Requests that are over, by the rule that decided.");
  for (const auto& [rule, of] : service_.figures()) {
    out.value(label("rule", rule) + ",result=\"ok\"", of.requests - of.failures);
    out.value(label("rule", rule) + ",result=\"error\"", of.failures);
  }
  out.family("strata_proxy_bytes_total", "counter",
             "Bytes of requests that are over; sent is towards the target.");
  for (const auto& [rule, of] : service_.figures()) {
    out.value(label("rule", rule) + ",direction=\"sent\"", of.moved.forth);
    out.value(label("rule", rule) + ",direction=\"received\"", of.moved.back);
  }
  return std::move(out).text();
}

std::string admin::sessions() const {
  std::string text = "[";
  for (const auto& server : service_.servers())
    for (const auto& each : server->sessions())
      text += (text.size() > 1 ? ",\n" : "") + to_json(each);
  return text + "]\n";
}
