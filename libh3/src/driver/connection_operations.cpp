// SPDX-License-Identifier: Apache-2.0
// What handles ask of the driver; the turn that serves it is in connection_driver.cpp.
#include <algorithm>
#include <array>
#include <asio/post.hpp>
#include <cassert>
#include <charconv>

#include "driver/connection_driver.hpp"
#include "strata/transport/core/error.hpp"

namespace strata::h3 {
inline namespace v0 {
namespace detail {

using transport::errc;

namespace {

std::unexpected<std::error_code> failure(errc code) {
  return std::unexpected(make_error_code(code));
}

/// RFC 9110 section 6.4.1: these never have content.
bool never_has_content(unsigned status) { return status < 200 || status == 204 || status == 304; }

}  // namespace

void connection_driver::request(request_options options, completion<response_signature> waiting) {
  if (dead_) return;
  assert(ready_.is_on_owner());
  if (detached_) return ready_.complete(std::move(waiting), cause_, response());
  if (going_away_ || drain_)
    return ready_.complete(std::move(waiting), make_error_code(error_code::request_rejected),
                           response());
  auto queued = std::make_unique<queued_request>();
  queued->options = std::move(options);
  queued->ticket = next_ticket_++;
  queued->waiting.start(std::move(waiting), [weak = weak(), ticket = queued->ticket] {
    const auto driver = weak.lock();
    if (!driver) return;
    const auto found =
        std::ranges::find(driver->queued_, ticket, [](const auto& each) { return each->ticket; });
    if (found == driver->queued_.end()) return;
    driver->ready_.complete((*found)->waiting.take(), make_error_code(errc::aborted), response());
    driver->queued_.erase(found);
  });
  queued_.push_back(std::move(queued));
  if (queued_.size() == 1) serve_requests(connection_.view());
  run();
}

void connection_driver::wait_head(std::uint64_t id, completion<status_signature> waiting) {
  message_entry* entry = find(id);
  if (entry == nullptr) return;
  assert(ready_.is_on_owner() && !entry->head_wait && "one wait at a time");
  if (entry->head_received || entry->read_end) {
    const std::error_code why = entry->head_received ? std::error_code() : entry->read_end;
    return ready_.complete(std::move(waiting), why);
  }
  entry->head_wait.start(std::move(waiting), [weak = weak(), id] {
    const auto driver = weak.lock();
    message_entry* late = driver ? driver->find(id) : nullptr;
    if (late != nullptr && late->head_wait)
      driver->ready_.complete(late->head_wait.take(), make_error_code(errc::aborted));
  });
}

void connection_driver::read_some(std::uint64_t id,
                                  const transport::buffer_list<asio::mutable_buffer>& buffers,
                                  completion<io_signature> waiting) {
  message_entry* entry = find(id);
  if (entry == nullptr) return;
  assert(ready_.is_on_owner() && !entry->read && "one read at a time");
  if (entry->read_end) return ready_.complete(std::move(waiting), entry->read_end, std::size_t{0});
  if (buffers.size() == 0)
    return ready_.complete(std::move(waiting), std::error_code(), std::size_t{0});
  entry->read_into = buffers;
  entry->read_count = 0;
  entry->read.start(std::move(waiting), [weak = weak(), id] {
    const auto driver = weak.lock();
    message_entry* late = driver ? driver->find(id) : nullptr;
    if (late != nullptr && late->read)
      driver->ready_.complete(late->read.take(), make_error_code(errc::aborted), std::size_t{0});
  });
  queue_pump(*entry);
  run();
}

void connection_driver::write_all(std::uint64_t id, asio::const_buffer from, bool fin,
                                  completion<io_signature> waiting) {
  message_entry* entry = find(id);
  if (entry == nullptr) return;
  assert(ready_.is_on_owner() && !entry->writing && "one write at a time");
  if (entry->write_end)
    return ready_.complete(std::move(waiting), entry->write_end, std::size_t{0});
  if (from.size() == 0 && !fin)
    return ready_.complete(std::move(waiting), std::error_code(), std::size_t{0});
  entry->writing = true;
  entry->write_from = {static_cast<const std::byte*>(from.data()), from.size()};
  entry->write_fin = fin;
  entry->write_count = 0;
  entry->write.start(std::move(waiting), [weak = weak(), id] {
    const auto driver = weak.lock();
    message_entry* late = driver ? driver->find(id) : nullptr;
    if (late == nullptr || !late->write) return;
    const bool moved = late->write_count != 0;
    driver->complete_write(*late, moved ? std::error_code() : make_error_code(errc::aborted));
  });
  serve_write(*entry);
  run();
}

void connection_driver::finish(std::uint64_t id, const field_section& trailers,
                               completion<status_signature> waiting) {
  message_entry* entry = find(id);
  if (entry == nullptr) return;
  assert(ready_.is_on_owner() && !entry->writing && "one write at a time");
  if (entry->write_end) {
    const bool done = entry->write_end == errc::write_finished;
    return ready_.complete(std::move(waiting), done ? std::error_code() : entry->write_end);
  }
  core::request_view view = core_.request(id);
  std::error_code error;
  if (trailers.empty()) {
    if (const auto sent = view.send_body({}, true); !sent) error = sent.error();
  } else {
    lines_.clear();
    for (const field_line line : trailers) lines_.push_back(line);
    if (const auto sent = view.send_trailers(lines_); !sent) error = sent.error();
  }
  if (!error) entry->write_end = errc::write_finished;
  run();
  ready_.complete(std::move(waiting), error);
}

/// The section of a response, behind what is in lines_ already; it waits in the core for the next
/// run().
transport::result<void> connection_driver::send_section(std::uint64_t id, unsigned status,
                                                        const field_section& fields, bool fin) {
  message_entry* entry = find(id);
  if (dead_ || entry == nullptr) return failure(errc::closed);
  if (entry->write_end) return std::unexpected(entry->write_end);
  if (status < 100 || status > 999) return failure(errc::invalid_argument);
  std::array<char, 3> digits{};
  std::to_chars(digits.data(), digits.data() + digits.size(), status);
  const field_line status_line{.name = ":status", .value = {digits.data(), digits.size()}};
  lines_.insert(lines_.begin(), status_line);
  for (const field_line line : fields) lines_.push_back(line);
  const auto sent = core_.request(id).send_headers(lines_, fin);
  lines_.clear();
  if (sent && status >= 200) entry->head_sent = true;
  if (sent && fin) entry->write_end = errc::write_finished;
  return sent;
}

void connection_driver::send_headers(std::uint64_t id, unsigned status, const field_section& fields,
                                     completion<status_signature> waiting) {
  if (dead_ || find(id) == nullptr) return;
  assert(ready_.is_on_owner());
  lines_.clear();
  const auto sent = status < 200 ? transport::result<void>(failure(errc::invalid_argument))
                                 : send_section(id, status, fields, false);
  ready_.complete(std::move(waiting), sent ? std::error_code() : sent.error());
  // Behind the handler, which may write content first: then both leave in one packet.
  asio::post(executor(), [weak = weak()] {
    if (const auto driver = weak.lock()) driver->run();
  });
}

transport::result<void> connection_driver::send_interim(std::uint64_t id, unsigned status,
                                                        const field_section& fields) {
  if (status >= 200) return failure(errc::invalid_argument);
  lines_.clear();
  const auto sent = send_section(id, status, fields, false);
  run();
  return sent;
}

transport::result<void> connection_driver::respond(std::uint64_t id, unsigned status,
                                                   const field_section& fields,
                                                   std::string_view body) {
  const message_entry* asked = find(id);
  if (dead_ || asked == nullptr) return failure(errc::closed);
  if (body.size() > exchange::max_short_body) return failure(errc::message_too_large);
  if (status < 200) return failure(errc::invalid_argument);
  const bool is_head = asked->head.find(known_field::pseudo_method) == "HEAD";
  const bool has_content = !is_head && !never_has_content(status) && !body.empty();
  const std::string length = std::to_string(body.size());
  lines_.clear();
  if (!never_has_content(status) && !fields.find(known_field::content_length))
    lines_.push_back({.name = "content-length", .value = length});
  const auto sent = send_section(id, status, fields, !has_content);
  run();
  if (!sent || !has_content) return sent;
  const std::array pieces{transport::as_bytes(body)};
  const auto taken = core_.request(id).send_body(pieces, true);
  message_entry* entry = find(id);
  if (!taken || entry == nullptr) return failure(errc::closed);
  entry->write_end = errc::write_finished;
  if (*taken != body.size()) {  // QUIC had no room for the header section, so the core kept it
    entry->own_body = body.substr(*taken);
    entry->write_from = transport::as_bytes(entry->own_body);
    entry->writing = entry->write_fin = true;
  }
  run();
  return {};
}

void connection_driver::reset(std::uint64_t id, error_code code) noexcept {
  message_entry* entry = find(id);
  if (dead_ || entry == nullptr) return;
  abort_pending(*entry);
  if (!entry->read_end) entry->read_end = errc::closed;
  if (!entry->write_end) entry->write_end = errc::closed;
  core_.request(id).reset(code);
  run();
}

void connection_driver::stop_reading(std::uint64_t id, error_code code) noexcept {
  message_entry* entry = find(id);
  if (dead_ || entry == nullptr) return;
  if (entry->read)
    ready_.complete(entry->read.take(), make_error_code(errc::aborted), std::size_t{0});
  if (!entry->read_end) entry->read_end = errc::closed;
  core_.request(id).stop_reading(code);
  run();
}

void connection_driver::conclude(std::uint64_t id) {
  message_entry* entry = find(id);
  if (dead_ || entry == nullptr || entry->write_end) return;
  if (entry->head_sent || !respond(id, 500, {}, {})) reset(id, error_code::internal_error);
}

void connection_driver::release_stream(std::uint64_t id) noexcept {
  message_entry* entry = find(id);
  if (dead_ || entry == nullptr) return;
  const auto keep = self();
  abort_pending(*entry);
  entry->held = false;
  if (entry->write_end != errc::write_finished || !is_server_) {
    if (!entry->over()) core_.request(id).reset(error_code::request_cancelled);
  } else if (!entry->receive_over) {
    core_.request(id).stop_reading(error_code::no_error);
  }
  ended_.push_back(id);
  run();
  if (detached_) {
    last_found_ = nullptr;
    entries_.erase(id);
  }
  release_client();
}

void connection_driver::release_client() noexcept {
  if (--holders_ == 0 && !is_server_ && !drain_) close(error_code::no_error);
}

}  // namespace detail
}  // namespace v0
}  // namespace strata::h3
