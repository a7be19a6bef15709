// SPDX-License-Identifier: Apache-2.0
#include "testkit/dns_servers.hpp"

#include <algorithm>
#include <array>
#include <asio/as_tuple.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/read.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>
#include <stdexcept>
#include <utility>

#include "strata/transport/core/error.hpp"
#include "strata/transport/core/http1_chunked.hpp"
#include "strata/transport/tcp.hpp"
#include "strata/transport/udp_datagram_socket.hpp"

namespace strata::testkit {

using namespace transport;

namespace {

constexpr auto quietly = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t largest = 65'535;

std::vector<std::byte> to_vector(bytes from) { return {from.begin(), from.end()}; }

}  // namespace

name_server::name_server(asio::io_context& context) {
  // A port that is free for the one may be taken for the other.
  for (int attempt = 0; attempt < 20 && !streams_; ++attempt) {
    auto udp = udp_datagram_socket::open(context.get_executor(), address::loopback_v4(0));
    if (!udp) continue;
    where_ = (*udp)->local_address();
    auto tcp = tcp_listener::listen(context.get_executor(), where_);
    if (!tcp) continue;
    datagrams_ = std::move(*udp);
    streams_ = std::move(*tcp);
  }
  if (!streams_) throw std::runtime_error("no port for a name server");
  asio::co_spawn(context, serve_datagrams(), asio::detached);
  asio::co_spawn(context, serve_streams(context), asio::detached);
}

name_server::name_server(asio::io_context& context, std::unique_ptr<stream_listener> streams)
    : streams_(std::move(streams)), where_(streams_->local_address()) {
  asio::co_spawn(context, serve_streams(context), asio::detached);
}

name_server::~name_server() = default;
address name_server::where() const { return where_; }

std::vector<std::byte> name_server::honest(const asked& query) const {
  return encode_dns_message(zone.answer(query.query)).value();
}

name_server::messages name_server::reply(asked query) {
  messages out = says ? says(query) : messages{honest(query)};
  query.raw = {};
  log.push_back(std::move(query));
  return out;
}

asio::awaitable<void> name_server::serve_datagrams() {
  std::vector<std::byte> memory(largest);
  for (;;) {
    target from("", 0);
    const mutable_bytes room(memory);
    const auto [error, size] = co_await datagrams_->async_receive_from(room, from, quietly);
    if (error) co_return;
    const bytes raw = bytes(memory).first(size);
    const auto query = decode_dns_message(raw);
    if (!query || !query->question) continue;
    for (const auto& each : reply({*query, raw, false, from})) {
      const bytes datagram(each);
      const auto [failed] = co_await datagrams_->async_send_to(from, datagram, quietly);
      if (failed == errc::aborted) co_return;
    }
  }
}

asio::awaitable<void> name_server::serve_streams(asio::io_context& context) {
  for (;;) {
    auto [error, stream] = co_await streams_->async_accept(quietly);
    if (error) co_return;
    asio::co_spawn(context, serve_stream(std::move(stream)), asio::detached);
  }
}

asio::awaitable<void> name_server::serve_stream(std::unique_ptr<stream> stream) {
  for (;;) {
    std::array<std::byte, 2> length;
    const auto front = asio::buffer(length);
    const auto [error, none] = co_await asio::async_read(*stream, front, quietly);
    if (error) co_return;
    std::vector<std::byte> query(std::to_integer<std::size_t>(length[0]) << 8 |
                                 std::to_integer<std::size_t>(length[1]));
    const auto room = asio::buffer(query);
    const auto [cut, size] = co_await asio::async_read(*stream, room, quietly);
    const auto decoded = decode_dns_message(query);
    if (cut || !decoded || !decoded->question) co_return;
    for (const auto& each : reply({*decoded, query, true})) {
      std::vector<std::byte> out = {static_cast<std::byte>(each.size() >> 8),
                                    static_cast<std::byte>(each.size())};
      out.insert(out.end(), each.begin(), each.end());
      for (bytes rest = out; !rest.empty(); rest = rest.subspan(std::min(piece, rest.size()))) {
        const auto next = asio::buffer(rest.data(), std::min(piece, rest.size()));
        const auto [failed, written] = co_await asio::async_write(*stream, next, quietly);
        if (failed) co_return;
      }
    }
  }
}

std::vector<std::byte> query_in_path(std::string_view path) {
  const std::size_t at = path.find("dns=");
  if (at == std::string_view::npos) return {};
  std::vector<std::byte> out;
  unsigned gathered = 0;
  unsigned bits = 0;
  for (const char letter : path.substr(at + 4)) {
    constexpr std::string_view alphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const std::size_t value = alphabet.find(letter);
    if (value == std::string_view::npos) return {};
    gathered = (gathered << 6 | static_cast<unsigned>(value)) & 0xffff;
    if ((bits += 6) >= 8) out.push_back(static_cast<std::byte>(gathered >> (bits -= 8)));
  }
  return out;
}

doh_reply answer_doh(const dns_zone& zone, const doh_visit& visit) {
  if (visit.method != "GET" && visit.method != "POST") return {.status = 405};
  if (visit.method == "POST" && visit.content_type != "application/dns-message")
    return {.status = 415};
  const auto query = decode_dns_message(visit.query);
  if (!query || !query->question) return {.status = 400};
  return {.body = encode_dns_message(zone.answer(*query)).value()};
}

doh_server::doh_server(asio::io_context& context, std::unique_ptr<stream_listener> streams)
    : streams_(std::move(streams)) {
  asio::co_spawn(context, serve(context), asio::detached);
}

doh_server::~doh_server() = default;
address doh_server::where() const { return streams_->local_address(); }

asio::awaitable<void> doh_server::serve(asio::io_context& context) {
  for (;;) {
    auto [error, stream] = co_await streams_->async_accept(quietly);
    if (error) co_return;
    ++connections;
    asio::co_spawn(context, serve_stream(std::move(stream)), asio::detached);
  }
}

asio::awaitable<void> doh_server::serve_stream(std::unique_ptr<stream> stream) {
  std::vector<std::byte> input;
  std::vector<std::byte> memory(4096);
  const auto room = asio::buffer(memory);
  for (std::size_t served = 0; served < answers_per_connection; ++served) {
    auto parser = http1_head_parser::of_requests();
    std::vector<std::byte> body;
    std::size_t wanted = 0;
    while (!parser.is_done() || input.size() < wanted) {
      if (!input.empty() && !parser.is_done()) {
        const auto taken = parser.receive(input);
        if (!taken) co_return;
        input.erase(input.begin(), input.begin() + static_cast<long>(*taken));
        if (parser.is_done()) wanted = parser.head().framing().length;
        continue;
      }
      const auto [error, size] = co_await stream->async_read_some(room, quietly);
      if (error) co_return;
      input.insert(input.end(), memory.begin(), memory.begin() + static_cast<long>(size));
    }
    const http1_head& head = parser.head();
    doh_visit visit{
        std::string(head.request_line().method), std::string(head.request_line().target),
        std::string(head.find("content-type").value_or("")),
        std::string(head.find("accept").value_or("")), to_vector(bytes(input).first(wanted))};
    input.erase(input.begin(), input.begin() + static_cast<long>(wanted));
    if (visit.method == "GET") visit.query = query_in_path(visit.path);
    log.push_back(visit);
    const auto raw = says_raw ? says_raw(visit) : std::nullopt;
    const std::string out = raw ? *raw : respond(visit);
    const auto all = asio::buffer(out);
    const auto [failed, written] = co_await asio::async_write(*stream, all, quietly);
    if (failed) co_return;
    if (raw) break;
  }
  co_await stream->async_finish(quietly);
}

std::string doh_server::respond(const doh_visit& visit) const {
  const doh_reply reply = says ? says(visit) : answer_doh(zone, visit);
  const std::string length = std::to_string(reply.body.size());
  std::vector<http1_field> fields = {{"Content-Type", reply.content_type}};
  if (!reply.age.empty()) fields.push_back({"Age", reply.age});
  if (chunked)
    fields.push_back({"Transfer-Encoding", "chunked"});
  else
    fields.push_back({"Content-Length", length});
  std::string out;
  if (!append_http1_response(out, static_cast<std::uint16_t>(reply.status), "", fields)) return out;
  if (!chunked) return out.append(as_text(reply.body));
  for (bytes rest = reply.body; !rest.empty();) {
    const bytes piece = rest.first(std::min<std::size_t>(rest.size(), 7));
    append_http1_chunk_line(out, piece.size());
    out.append(as_text(piece)).append("\r\n");
    rest = rest.subspan(piece.size());
  }
  append_http1_chunk_line(out, 0);
  return out.append("\r\n");
}

}  // namespace strata::testkit
