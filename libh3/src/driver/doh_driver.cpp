// SPDX-License-Identifier: Apache-2.0
#include "driver/doh_driver.hpp"

#include <asio/bind_cancellation_slot.hpp>
#include <utility>

#include "strata/transport/core/doh_message.hpp"
#include "strata/transport/core/error.hpp"
#include "strata/transport/core/limits.hpp"

namespace strata::h3 {
inline namespace v0 {
namespace detail {

using transport::errc;

doh_driver::doh_driver(const transport::ready_list& ready, doh_options options)
    : ready_(ready), options_(std::move(options)) {
  options_.connection.server = transport::target(options_.server);
  options_.connection.server_name = options_.server_name;
}

std::shared_ptr<doh_driver> doh_driver::self() {
  return std::static_pointer_cast<doh_driver>(shared_from_this());
}

void doh_driver::exchange(std::vector<std::byte> query,
                          transport::completion<transport::dns_exchange_signature> waiting) {
  if (dead_) return;
  if (line_.size() + running_.size() >= transport::limits::max_dns_exchanges_in_line) {
    return ready_.complete(std::move(waiting), transport::make_error_code(errc::limit_exceeded),
                           std::unique_ptr<transport::dns_reply>());
  }
  const auto made = std::make_shared<job>();
  made->query = std::move(query);
  made->waiting.start(std::move(waiting), [weak = weak_from_this(), one = std::weak_ptr(made)] {
    const auto self = std::static_pointer_cast<doh_driver>(weak.lock());
    const auto held = one.lock();
    if (self && held) self->abort(held);
  });
  line_.push_back(made);
  serve();
}

bool doh_driver::is_connected() const noexcept {
  return link_ && link_->to.is_open() && !link_->to.going_away();
}

void doh_driver::serve() {
  if (dead_ || line_.empty() || is_connecting_) return;
  if (!is_connected()) return connect();
  for (const auto line = std::exchange(line_, {}); const job_pointer& each : line) request(each);
}

void doh_driver::connect() {
  is_connecting_ = true;
  client::async_connect(
      ready_.executor(), options_.connection,
      asio::bind_cancellation_slot(stop_connecting_.slot(),
                                   [self = self()](std::error_code error, client made) {
                                     if (!self->dead_) self->on_connected(error, std::move(made));
                                   }));
}

void doh_driver::on_connected(std::error_code error, client made) {
  is_connecting_ = false;
  if (!error) {
    link_ = std::make_shared<link>(std::move(made));
    return serve();
  }
  for (const auto line = std::exchange(line_, {}); const job_pointer& each : line)
    settle(each, error, nullptr);
}

request_options doh_driver::request_of(const job& asked) const {
  request_options out;
  out.authority = options_.authority.empty() ? options_.server_name : options_.authority;
  if (options_.authority.empty() && options_.server.port() != 443)
    out.authority += ':' + std::to_string(options_.server.port());
  out.fields.add("accept", transport::doh_media_type);
  if (options_.method == transport::doh_method::get) {
    out.path = transport::doh_path(options_.path, asked.query);
    return out;
  }
  out.method = "POST";
  out.path = options_.path;
  out.fields.add("content-type", transport::doh_media_type);
  out.body = transport::as_text(asked.query);
  return out;
}

void doh_driver::request(const job_pointer& next) {
  running_.push_back(next);
  next->on = link_;
  next->is_on_old_connection = link_->is_used;
  link_->to.async_request(
      request_of(*next),
      asio::bind_cancellation_slot(next->stop.slot(),
                                   [self = self(), next](std::error_code error, response answer) {
                                     if (!self->dead_ && next->waiting)
                                       self->on_head(next, error, std::move(answer));
                                   }));
}

void doh_driver::on_head(const job_pointer& of, std::error_code error, response answer) {
  if (error) return on_failure(of, error);
  of->on->is_used = true;
  of->answer = std::move(answer);
  const field_section& fields = of->answer.fields();
  const auto age =
      transport::judge_doh_reply({.status = of->answer.status(),
                                  .content_type = fields.find("content-type").value_or(""),
                                  .age = fields.find("age").value_or("")});
  if (!age) return settle(of, age.error(), nullptr);
  of->age = *age;
  read(of);
}

void doh_driver::read(const job_pointer& of) {
  of->answer.async_read_body_some(
      asio::buffer(of->input),
      asio::bind_cancellation_slot(of->stop.slot(),
                                   [self = self(), of](std::error_code error, std::size_t size) {
                                     if (!self->dead_ && of->waiting)
                                       self->on_content(of, error, size);
                                   }));
}

void doh_driver::on_content(const job_pointer& of, std::error_code error, std::size_t size) {
  if (error == errc::eof) {
    auto reply = std::make_unique<transport::dns_reply>();
    reply->message = std::move(of->message);
    reply->age = of->age;
    return settle(of, {}, std::move(reply));
  }
  if (error) return settle(of, error, nullptr);
  if (of->message.size() + size > transport::limits::max_dns_message)
    return settle(of, transport::make_error_code(errc::message_too_large), nullptr);
  const auto content = transport::bytes(of->input).first(size);
  of->message.insert(of->message.end(), content.begin(), content.end());
  read(of);
}

/// Before anything of an answer: a connection that was idle may have gone unseen, and what the
/// server has said it did not touch may be asked again anyway.
void doh_driver::on_failure(const job_pointer& of, std::error_code error) {
  const bool may_repeat = !of->is_repeated && (is_retry_safe(error) ||
                                               (of->is_on_old_connection && !of->on->to.is_open()));
  if (!may_repeat) return settle(of, error, nullptr);
  of->is_repeated = true;
  std::erase(running_, of);
  line_.push_back(of);
  if (link_ == of->on) link_.reset();
  of->on.reset();
  serve();
}

void doh_driver::abort(const job_pointer& which) noexcept {
  settle(which, transport::make_error_code(errc::aborted), nullptr);
  std::erase(line_, which);
  which->stop.emit(asio::cancellation_type::terminal);
}

void doh_driver::abort_all() noexcept {
  const auto line = std::exchange(line_, {});
  const auto running = running_;
  for (const job_pointer& each : line) abort(each);
  for (const job_pointer& each : running) abort(each);
  if (is_connecting_) stop_connecting_.emit(asio::cancellation_type::terminal);
  link_.reset();
}

void doh_driver::settle(const job_pointer& which, std::error_code error,
                        std::unique_ptr<transport::dns_reply> reply) {
  if (which->waiting) ready_.complete(which->waiting.take(), error, std::move(reply));
  which->answer = response();
  which->on.reset();
  std::erase(running_, which);
}

void doh_driver::shutdown() noexcept {
  dead_ = true;
  const auto line = std::exchange(line_, {});
  const auto running = std::exchange(running_, {});
  for (const job_pointer& each : line) each->waiting.take();
  for (const job_pointer& each : running) {
    each->waiting.take();
    each->answer = response();
    each->on.reset();
  }
  link_.reset();
}

}  // namespace detail

doh_exchange::doh_exchange(const asio::any_io_executor& executor, doh_options options) {
  const transport::ready_list ready(executor);
  driver_ = transport::make_driver<detail::doh_driver>(executor, ready, std::move(options));
}

doh_exchange::~doh_exchange() { driver_->abort_all(); }
asio::any_io_executor doh_exchange::do_executor() noexcept { return driver_->executor(); }
void doh_exchange::do_exchange(std::vector<std::byte> query,
                               transport::completion<transport::dns_exchange_signature> waiting) {
  driver_->exchange(std::move(query), std::move(waiting));
}

}  // namespace v0
}  // namespace strata::h3
