// SPDX-License-Identifier: Apache-2.0
#include "driver/udp_over_tcp_driver.hpp"

#include <algorithm>
#include <asio/bind_allocator.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <cassert>
#include <cstring>
#include <utility>

#include "strata/transport/core/error.hpp"

namespace strata::mux {
inline namespace v0 {
namespace detail {

namespace uot = core::udp_over_tcp;
using transport::errc;
using transport::handler_allocator;
using transport::socks_address;

namespace {

socks_address to_socks(const transport::target& from) {
  return from.is_name() ? socks_address::of(from.name(), from.port())
                        : socks_address::of(from.ip());
}

transport::target to_target(const socks_address& from) {
  return from.is_name() ? transport::target(from.name, from.port) : transport::target(from.ip);
}

}  // namespace

udp_over_tcp_driver::udp_over_tcp_driver(const udp_over_tcp_setting& setting,
                                         std::unique_ptr<transport::stream> over, role side,
                                         const udp_over_tcp_options& options)
    : setting_(setting),
      stream_(std::move(over)),
      connected_to_(options.version >= 2 ? options.connected_to : std::nullopt),
      framing_(connected_to_ ? framing::connected : framing::addressed),
      is_client_(side == role::client),
      request_due_(side == role::client && options.version >= 2),
      request_comes_(side == role::server && options.version >= 2) {}

// Receiving.

void udp_over_tcp_driver::receive_from(transport::mutable_bytes into, transport::target& from,
                                       completion<io_signature> waiting) {
  if (dead_) return;
  if (closed_)
    return setting_.ready.complete(std::move(waiting), make_error_code(errc::closed),
                                   std::size_t{0});
  into_ = into;
  from_ = &from;
  receive_.start(std::move(waiting), [weak = weak_from_this()] {
    const auto driver = std::static_pointer_cast<udp_over_tcp_driver>(weak.lock());
    if (driver && driver->receive_)
      driver->setting_.ready.complete(driver->receive_.take(), make_error_code(errc::aborted),
                                      std::size_t{0});
  });
  serve_receive();
}

void udp_over_tcp_driver::serve_receive() {
  if (!receive_) return;
  if ((!request_comes_ || take_request()) && take_datagram()) return;
  if (!read_end_) return read_on();
  page_ = transport::page();
  begin_ = end_ = 0;
  setting_.ready.complete(receive_.take(), read_end_, std::size_t{0});
}

bool udp_over_tcp_driver::take_request() {
  if (input().empty()) return false;
  const auto asked = uot::decode_request(input());
  if (!asked) return end_reading(errc::protocol_error), false;
  if (asked->size == 0) return false;
  request_comes_ = false;
  framing_ = uot::framing_of(asked->value);
  if (asked->value.connects) connected_to_ = to_target(asked->value.destination);
  consume(asked->size);
  return true;
}

bool udp_over_tcp_driver::take_datagram() {
  if (input().empty()) return false;
  const auto came = uot::decode_datagram(input(), framing_);
  if (!came) return end_reading(errc::protocol_error), false;
  if (came->size == 0) return false;
  *from_ = framing_ == framing::connected ? *connected_to_ : to_target(came->peer);
  const std::size_t size = came->payload.size();
  const bool fits = size <= into_.size();
  if (fits) transport::copy_bytes(into_.data(), came->payload);
  consume(came->size);
  setting_.ready.complete(receive_.take(),
                          fits ? std::error_code() : make_error_code(errc::message_too_large),
                          fits ? size : std::size_t{0});
  return true;
}

void udp_over_tcp_driver::consume(std::size_t size) noexcept {
  assert(!reading_ && "what is complete was taken before more is read");
  begin_ += size;
  if (begin_ != end_) return;
  begin_ = end_ = 0;
  page_ = transport::page();
}

/// Half a frame is waited for in its page; with nothing there the page is given back.
void udp_over_tcp_driver::read_on() {
  if (reading_) return;
  reading_ = true;
  if (page_) return read_page();
  const handler_allocator<void> allocator(read_memory_);
  stream_->async_wait_readable(asio::bind_allocator(
      allocator, [driver = self()](std::error_code error) { driver->on_readable(error); }));
}

void udp_over_tcp_driver::on_readable(std::error_code error) {
  if (dead_ || closed_) return;
  if (error) return on_read(error, 0);
  page_ = setting_.pages.borrow();
  read_page();
}

void udp_over_tcp_driver::read_page() {
  const auto whole = page_.span();
  if (begin_ != 0) {
    std::memmove(whole.data(), whole.data() + begin_, end_ - begin_);
    end_ -= std::exchange(begin_, 0);
  }
  const auto room = whole.subspan(end_);
  assert(!room.empty());
  const handler_allocator<void> allocator(read_memory_);
  stream_->async_read_some(
      asio::buffer(room.data(), room.size()),
      asio::bind_allocator(allocator, [driver = self()](std::error_code error, std::size_t size) {
        driver->on_read(error, size);
      }));
}

void udp_over_tcp_driver::on_read(std::error_code error, std::size_t size) {
  reading_ = false;
  if (dead_ || closed_) return;
  end_ += size;
  const bool cut = error == errc::eof && begin_ != end_;
  if (error) end_reading(cut ? make_error_code(errc::truncated) : error);
  serve_receive();
}

void udp_over_tcp_driver::end_reading(std::error_code error) {
  if (!read_end_) read_end_ = error;
}

// Sending.

void udp_over_tcp_driver::send_to(const transport::target& to, transport::bytes datagram,
                                  completion<status_signature> waiting) {
  if (dead_) return;
  assert(!send_ && "one send at a time");
  std::error_code error = closed_ ? make_error_code(errc::closed) : write_end_;
  if (!error && request_comes_) error = errc::unreachable;
  if (!error && datagram.size() > uot::max_payload) error = errc::message_too_large;
  if (!error && !make_head(to, datagram.size())) error = errc::invalid_argument;
  if (error) return setting_.ready.complete(std::move(waiting), error);
  payload_ = datagram;
  done_ = 0;
  send_stopped_ = false;
  send_.start(std::move(waiting), [weak = weak_from_this()] {
    if (const auto driver = std::static_pointer_cast<udp_over_tcp_driver>(weak.lock()))
      driver->stop_send();
  });
  if (!writing_) write_on();
}

bool udp_over_tcp_driver::make_head(const transport::target& to, std::size_t size) {
  if (is_client_ && connected_to_ && to != *connected_to_) return false;
  transport::buffer_writer writer(head_);
  if (request_due_) {
    uot::encode({.connects = connected_to_.has_value(),
                 .destination = to_socks(connected_to_ ? *connected_to_ : to)},
                writer);
  }
  uot::encode_header(to_socks(to), size, framing_, writer);
  head_size_ = writer.size();
  return writer.ok();
}

/// What is left of a datagram that was begun goes first: half of one would spoil all that follow.
void udp_over_tcp_driver::write_on() {
  std::array<asio::const_buffer, 2> pieces;
  if (!tail_.empty()) {
    pieces[0] = asio::buffer(tail_) + tail_done_;
  } else {
    const std::size_t of_head = std::min(done_, head_size_);
    pieces[0] = asio::const_buffer(head_.data() + of_head, head_size_ - of_head);
    const auto rest = payload_.subspan(done_ - of_head);
    pieces[1] = asio::const_buffer(rest.data(), rest.size());
  }
  writing_ = true;
  const handler_allocator<void> allocator(write_memory_);
  stream_->async_write_some(
      pieces,
      asio::bind_cancellation_slot(
          stop_.slot(), asio::bind_allocator(
                            allocator, [driver = self()](std::error_code error, std::size_t size) {
                              driver->on_written(error, size);
                            })));
}

void udp_over_tcp_driver::on_written(std::error_code error, std::size_t size) {
  writing_ = false;
  if (dead_ || closed_) return;
  if (tail_.empty()) {
    done_ += size;
    return on_datagram_written(error);
  }
  tail_done_ += size;
  if (error) {
    write_end_ = error;
    if (send_) setting_.ready.complete(send_.take(), error);
  } else if (tail_done_ != tail_.size()) {
    write_on();
  } else {
    tail_.clear();
    if (send_) write_on();
  }
}

void udp_over_tcp_driver::on_datagram_written(std::error_code error) {
  if (error && !(send_stopped_ && error == errc::aborted)) {
    write_end_ = error;
    return setting_.ready.complete(send_.take(), error);
  }
  if (done_ != 0) request_due_ = false;
  const bool nothing = done_ == 0;
  if (done_ != head_size_ + payload_.size()) {
    if (!send_stopped_) return write_on();
    if (!nothing) keep_tail();
  }
  setting_.ready.complete(send_.take(),
                          nothing ? make_error_code(errc::aborted) : std::error_code());
}

/// The application's memory is its own again, and the datagram still goes out as a whole.
void udp_over_tcp_driver::keep_tail() {
  const std::size_t of_head = std::min(done_, head_size_);
  const auto rest = payload_.subspan(done_ - of_head);
  tail_.assign(head_.begin() + static_cast<std::ptrdiff_t>(of_head),
               head_.begin() + static_cast<std::ptrdiff_t>(head_size_));
  tail_.insert(tail_.end(), rest.begin(), rest.end());
  tail_done_ = 0;
  write_on();
}

void udp_over_tcp_driver::stop_send() {
  if (dead_ || !send_) return;
  if (!tail_.empty())  // not begun
    return setting_.ready.complete(send_.take(), make_error_code(errc::aborted));
  send_stopped_ = true;
  stop_.emit(asio::cancellation_type::terminal);
}

// The end.

void udp_over_tcp_driver::close() noexcept {
  if (dead_ || closed_) return;
  closed_ = true;
  const std::error_code aborted = make_error_code(errc::aborted);
  if (receive_) setting_.ready.complete(receive_.take(), aborted, std::size_t{0});
  if (send_) setting_.ready.complete(send_.take(), aborted);
  // A stream that is destroyed while it writes is reset, and one that had finished is not.
  if (!writing_) stream_->async_finish([](std::error_code) {});
  stream_.reset();
  page_ = transport::page();
}

void udp_over_tcp_driver::shutdown() noexcept {
  dead_ = true;
  const auto receive = receive_.take();
  const auto send = send_.take();
  const auto last = std::move(stream_);
  page_ = transport::page();
}

std::shared_ptr<udp_over_tcp_driver> make_udp_over_tcp(const udp_over_tcp_setting& setting,
                                                       std::unique_ptr<transport::stream> over,
                                                       role side,
                                                       const udp_over_tcp_options& options) {
  return transport::make_driver<udp_over_tcp_driver>(setting.ready.executor(), setting,
                                                     std::move(over), side, options);
}

}  // namespace detail

udp_over_tcp_socket::udp_over_tcp_socket(
    std::shared_ptr<detail::udp_over_tcp_driver> driver) noexcept
    : driver_(std::move(driver)) {}
udp_over_tcp_socket::~udp_over_tcp_socket() { driver_->close(); }

namespace {

detail::udp_over_tcp_setting setting_of(transport::stream& over) {
  return {transport::ready_list(over.get_executor()),
          transport::page_pool(detail::udp_over_tcp_driver::page_size, 1)};
}

}  // namespace

std::unique_ptr<udp_over_tcp_socket> udp_over_tcp_socket::client(
    std::unique_ptr<transport::stream> over, const udp_over_tcp_options& options) {
  const auto setting = setting_of(*over);
  auto driver = detail::make_udp_over_tcp(setting, std::move(over), role::client, options);
  return std::make_unique<udp_over_tcp_socket>(std::move(driver));
}

std::unique_ptr<udp_over_tcp_socket> udp_over_tcp_socket::server(
    std::unique_ptr<transport::stream> over, unsigned version) {
  const auto setting = setting_of(*over);
  const udp_over_tcp_options options{.version = version};
  auto driver = detail::make_udp_over_tcp(setting, std::move(over), role::server, options);
  return std::make_unique<udp_over_tcp_socket>(std::move(driver));
}

const std::optional<transport::target>& udp_over_tcp_socket::connected_to() const noexcept {
  return driver_->connected_to();
}
void udp_over_tcp_socket::close() noexcept { driver_->close(); }
asio::any_io_executor udp_over_tcp_socket::do_executor() noexcept { return driver_->executor(); }
void udp_over_tcp_socket::do_send_to(const transport::target& to, transport::bytes datagram,
                                     transport::completion<send_signature> finish) {
  driver_->send_to(to, datagram, std::move(finish));
}
void udp_over_tcp_socket::do_receive_from(transport::mutable_bytes into, transport::target& from,
                                          transport::completion<receive_signature> finish) {
  driver_->receive_from(into, from, std::move(finish));
}

}  // namespace v0
}  // namespace strata::mux
