// SPDX-License-Identifier: Apache-2.0
#include "core/tunnel/tunnel_link.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "strata/proxy/core/error.hpp"
#include "strata/proxy/core/limits.hpp"
#include "strata/transport/core/error.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace core {
namespace {

using transport::websocket_event_kind;
using transport::websocket_kind;
namespace close_code = transport::websocket_code;

transport::websocket_config in_messages(transport::websocket_config config, bool is_client) {
  config.role = is_client ? transport::websocket_role::client : transport::websocket_role::server;
  config.mode = transport::websocket_mode::messages;
  return config;
}

std::unexpected<std::error_code> would_block() {
  return std::unexpected(make_error_code(transport::errc::would_block));
}

}  // namespace

tunnel_link::tunnel_link(const tunnel_link_config& config, transport::random_source& random)
    : is_client_(config.where.has_value()),
      opening_timeout_(config.opening_timeout),
      connection_(in_messages(config.websocket, is_client_), random),
      stage_(is_client_ ? stage::waiting : stage::recognising),
      wanted_(config.where) {}

void tunnel_link::begin(transport::time_point now) {
  now_ = now;
  deadline_ = now + opening_timeout_;
  if (!is_client_) return;
  const auto text = make_tunnel_connect(*wanted_);
  if (!text) return fail(text.error(), close_code::normal);
  say(*text);
}

void tunnel_link::receive(transport::time_point now, transport::bytes input) {
  now_ = now;
  connection_.receive(now, input);
}

void tunnel_link::receive_end(transport::time_point now) {
  now_ = now;
  connection_.receive_end(now);
}

void tunnel_link::handle_timeout(transport::time_point now) {
  now_ = now;
  const bool is_opening = stage_ == stage::recognising || stage_ == stage::waiting;
  if (is_opening && now >= deadline_)
    fail(make_error_code(transport::errc::timed_out), close_code::policy_violation);
  connection_.handle_timeout(now);
}

std::optional<transport::time_point> tunnel_link::next_timeout() const {
  const auto due = connection_.next_timeout();
  if (stage_ != stage::recognising && stage_ != stage::waiting) return due;
  return due ? std::min(*due, deadline_) : deadline_;
}

std::size_t tunnel_link::poll_output(transport::time_point now,
                                     std::span<transport::bytes> pieces) {
  now_ = now;
  return connection_.poll_output(now, pieces);
}

bool tunnel_link::poll_event(event& out) {
  transport::websocket_event one;
  while (true) {
    if (std::exchange(tells_ready_, false)) return out = event::ready, true;
    if (std::exchange(tells_failed_, false)) return out = event::failed, true;
    if (!connection_.poll_event(one)) return false;
    if (one.kind == websocket_event_kind::pong) continue;
    if (one.kind == websocket_event_kind::writable) {
      send_owed();
      if (stage_ == stage::streaming) return out = event::writable, true;
      continue;
    }
    if (stage_ == stage::recognising || stage_ == stage::waiting) recognise();
    if (one.kind == websocket_event_kind::closed) {
      // Nobody can answer a client that has gone.
      if (stage_ == stage::asked) read_end_ = connection_.closed()->cause;
      if (stage_ == stage::asked) stage_ = stage::over;
      return out = event::closed, true;
    }
    if (stage_ == stage::streaming && !tells_ready_) return out = event::readable, true;
  }
}

/// Reads what says which mode it is, or the answer.
void tunnel_link::recognise() {
  std::array<std::byte, 512> room;
  while (stage_ == stage::recognising || stage_ == stage::waiting) {
    // One byte of a binary message is enough; what is behind it stays where it is.
    const std::size_t wanted = text_.empty() ? 1 : room.size();
    const auto part = connection_.read_message(transport::mutable_bytes(room).first(wanted));
    if (!part) {
      if (part.error() != transport::errc::would_block)
        fail(part.error() == transport::errc::eof ? make_error_code(transport::errc::truncated)
                                                  : part.error(),
             close_code::normal);
      return;
    }
    const auto got = transport::bytes(room).first(part->size);
    if (part->kind == websocket_kind::binary) {
      if (!got.empty()) take_first(got);
    } else if (take_text(got) && part->end) {
      end_first_text();
    }
  }
}

void tunnel_link::take_first(transport::bytes first) {
  const auto mode = tunnel_mode_of(websocket_kind::binary, transport::as_text(first));
  if (stage_ == stage::waiting || !mode)
    return fail(make_error_code(transport::errc::protocol_error), close_code::unsupported_data);
  mode_ = *mode;
  prefix_.assign(first.begin(), first.end());
  stage_ = stage::streaming;
  tells_ready_ = true;
}

bool tunnel_link::take_text(transport::bytes part) {
  if (text_.size() + part.size() > limits::max_tunnel_text) {
    fail(make_error_code(transport::errc::limit_exceeded), close_code::message_too_big);
    return false;
  }
  text_.append(transport::as_text(part));
  return true;
}

void tunnel_link::end_first_text() {
  const std::string text = std::exchange(text_, {});
  if (stage_ == stage::recognising) {
    const auto asked = parse_tunnel_connect(text);
    if (!asked)
      return fail(make_error_code(transport::errc::protocol_error), close_code::policy_violation);
    wanted_ = asked->where;
    const auto initial = transport::as_bytes(asked->initial);
    prefix_.assign(initial.begin(), initial.end());
    stage_ = stage::asked;
    tells_ready_ = true;
  } else if (text == tunnel_connected) {
    stage_ = stage::streaming;
    tells_ready_ = true;
  } else if (const auto why = parse_tunnel_error(text)) {
    reason_ = why->substr(0, limits::max_tunnel_reason);
    fail(proxy::make_error_code(proxy::errc::upstream_failed), close_code::normal);
  } else {
    fail(make_error_code(transport::errc::protocol_error), close_code::policy_violation);
  }
}

void tunnel_link::fail(std::error_code why, std::uint16_t code) {
  failure_ = why;
  if (!read_end_) read_end_ = why;
  stage_ = stage::over;
  tells_failed_ = true;
  (void)connection_.close(now_, code);
}

void tunnel_link::say(std::string_view text) {
  owed_text_.append(text);
  send_owed();
}

/// What had no room, in the order in which it must go out: a control word, the end of all.
void tunnel_link::send_owed() {
  if (!owed_text_.empty()) {
    const transport::bytes piece = transport::as_bytes(owed_text_);
    const auto size = connection_.send(websocket_kind::text, {&piece, 1}, true);
    if (!size) return;
    owed_text_.erase(0, *size);
    if (!owed_text_.empty()) return;
  }
  if (std::exchange(closes_, false)) (void)connection_.close(now_, close_code::normal);
  if (std::exchange(owes_finish_, false)) (void)connection_.finish(now_);
}

void tunnel_link::accept() {
  if (stage_ != stage::asked) return;
  stage_ = stage::streaming;
  say(tunnel_connected);
}

void tunnel_link::refuse(std::string_view why) {
  if (stage_ != stage::asked) return;
  stage_ = stage::over;
  read_end_ = make_error_code(transport::errc::closed);
  prefix_ = {};
  closes_ = true;
  say(make_tunnel_error(why));
}

transport::result<std::size_t> tunnel_link::read(std::span<const transport::mutable_bytes> to) {
  std::size_t total = 0;
  for (transport::mutable_bytes piece : to) {
    while (!piece.empty()) {
      const auto size = read_piece(piece);
      // Bytes that have moved are reported first; the failure comes again.
      if (!size && total == 0) return size;
      if (!size) return total;
      total += *size;
      piece = piece.subspan(*size);
    }
  }
  return total;
}

transport::result<std::size_t> tunnel_link::read_piece(transport::mutable_bytes out) {
  if (stage_ != stage::streaming && !read_end_) return would_block();
  if (prefix_read_ < prefix_.size()) {
    const auto rest = transport::bytes(prefix_).subspan(prefix_read_);
    const std::size_t size = std::min(out.size(), rest.size());
    transport::copy_bytes(out.data(), rest.first(size));
    prefix_read_ += size;
    if (prefix_read_ == prefix_.size()) prefix_ = {};
    if (prefix_.empty()) prefix_read_ = 0;
    return size;
  }
  while (!read_end_) {
    // Which kind it is shows only with its bytes: text is taken out of the reader's memory again.
    const auto part = connection_.read_message(out);
    if (!part) return std::unexpected(part.error());
    if (part->kind == websocket_kind::binary) {
      if (part->size != 0) return part->size;
    } else if (take_text(out.first(part->size)) && part->end) {
      end_text();
    }
  }
  return std::unexpected(read_end_);
}

std::optional<std::error_code> tunnel_link::ahead() {
  if (stage_ != stage::streaming && !read_end_) return std::nullopt;
  if (prefix_read_ < prefix_.size()) return std::error_code();
  std::array<std::byte, 512> room;
  while (!read_end_) {
    const auto next = connection_.read_message({});  // takes nothing but ends
    if (!next) {
      if (next.error() == transport::errc::would_block) return std::nullopt;
      return next.error();
    }
    if (next->kind == websocket_kind::binary) {
      if (!next->end) return std::error_code();
      continue;
    }
    if (next->end) {
      end_text();
      continue;
    }
    const auto part = connection_.read_message(room);
    if (part && take_text(transport::bytes(room).first(part->size)) && part->end) end_text();
  }
  return read_end_;
}

/// A word of the simple mode behind its opening; the other mode has none.
void tunnel_link::end_text() {
  const std::string text = std::exchange(text_, {});
  const bool is_end = mode_ == tunnel_mode::simple && text == tunnel_close;
  stage_ = stage::over;
  read_end_ = is_end ? make_error_code(transport::errc::eof)
                     : make_error_code(transport::errc::protocol_error);
  (void)connection_.close(now_, is_end ? close_code::normal : close_code::unsupported_data);
}

transport::result<std::size_t> tunnel_link::write(std::span<const transport::bytes> from) {
  if (read_end_ == transport::errc::eof)
    return std::unexpected(make_error_code(transport::errc::write_stopped));
  if (read_end_) return std::unexpected(read_end_);
  if (stage_ != stage::streaming || !owed_text_.empty()) return would_block();
  // A message has its end in its last frame with bytes: peers hand it on no sooner, and an end of
  // its own would be one of the frames without bytes that they count.
  const std::size_t most =
      std::clamp<std::size_t>(connection_.room(), 1, limits::max_tunnel_message);
  std::array<transport::bytes, 16> pieces;
  std::size_t count = 0;
  std::size_t total = 0;
  for (const transport::bytes& each : from) {
    if (count == pieces.size() || total == most) break;
    pieces[count] = each.first(std::min(each.size(), most - total));
    total += pieces[count++].size();
  }
  if (total == 0) return 0;
  return connection_.send(websocket_kind::binary, std::span(pieces).first(count), true);
}

transport::result<void> tunnel_link::finish() {
  if (read_end_ == transport::errc::eof)
    return std::unexpected(make_error_code(transport::errc::write_stopped));
  if (read_end_) return std::unexpected(read_end_);
  if (stage_ != stage::streaming) return std::unexpected(make_error_code(transport::errc::closed));
  owes_finish_ = true;
  // The opener's own end is a Close, held back until the peer's.
  if (!is_client_ && mode_ == tunnel_mode::simple) owed_text_.append(tunnel_close);
  send_owed();
  return {};
}

void tunnel_link::reset() {
  connection_.reset();
  stage_ = stage::over;
  if (!read_end_) read_end_ = make_error_code(transport::errc::closed);
}

}  // namespace core
}  // namespace v0
}  // namespace strata::proxy
