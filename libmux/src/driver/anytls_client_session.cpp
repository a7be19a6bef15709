// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <utility>

#include "driver/anytls_dialer_driver.hpp"
#include "strata/transport/core/socks_address.hpp"

namespace strata::mux {
inline namespace v0 {
namespace detail {

using core::anytls_event_kind;
using transport::errc;
using transport::socks_address;

anytls_client_session::anytls_client_session(const anytls_setting& setting,
                                             const core::anytls_config& config,
                                             std::unique_ptr<transport::stream> carrier,
                                             place_in_pool at)
    : anytls_session_driver(setting, config, std::move(carrier)),
      owner_(std::move(at.owner)),
      number_(at.which) {}

transport::result<std::uint32_t> anytls_client_session::open(const transport::target& where) {
  const auto address = where.is_name() ? socks_address::of(where.name(), where.port())
                                       : socks_address::of(where.ip());
  std::array<std::byte, socks_address::max_encoded_size> memory;
  transport::buffer_writer writer(memory);
  transport::encode(address, writer);
  if (!writer.ok()) return std::unexpected(make_error_code(errc::invalid_argument));
  const auto id = core().open();
  if (!id) return id;
  const transport::bytes first = writer.written();
  const auto written = core().stream(*id).write({&first, 1});
  if (!written || *written != first.size()) {
    core().stream(*id).forget();
    return std::unexpected(written ? make_error_code(errc::out_of_memory) : written.error());
  }
  has_stream_ = true;
  schedule_flush();
  return id;
}

void anytls_client_session::await_answer(attempt_pointer one, std::uint32_t id,
                                         transport::duration patience) {
  answering_ = std::move(one);
  answering_id_ = id;
  if (core().control().version() >= 2) return;
  patience_.emplace(executor(), patience);
  patience_->async_wait([weak = weak_from_this()](std::error_code error) {
    const auto self = std::static_pointer_cast<anytls_client_session>(weak.lock());
    if (error || !self || self->is_dead() || !self->answering_) return;
    if (self->core().control().version() >= 2) return;
    if (const auto owner = self->owner_.lock()) owner->on_version(false);
    self->answered({});
  });
}

void anytls_client_session::forget_answer() {
  answering_.reset();
  core().stream(std::exchange(answering_id_, 0)).forget();
  on_turn(clock_now());
  schedule_flush();
}

/// What the core says of streams comes here until they are handed out.
void anytls_client_session::on_event(const core::anytls_event& event) {
  const auto owner = owner_.lock();
  switch (event.kind) {
    case anytls_event_kind::padding_scheme:
      if (owner) owner->on_padding(*core().control().pushed_padding());
      return;
    case anytls_event_kind::version_known:
      if (owner) owner->on_version(core().control().version() >= 2);
      return;
    case anytls_event_kind::closed:
      if (owner) owner->on_lost(number_);
      if (const auto one = std::exchange(answering_, nullptr); owner && one)
        owner->on_no_answer(one, cause(), true);
      return;
    case anytls_event_kind::acknowledged:
    case anytls_event_kind::write_stopped:  // a server of version 1 could not connect
      if (event.stream == answering_id_)
        answered({}, event.kind == anytls_event_kind::write_stopped);
      return;
    case anytls_event_kind::failed:
      if (event.stream == answering_id_) answered(core().stream(event.stream).failure());
      return;
    default: return;
  }
}

void anytls_client_session::answered(std::error_code error, bool has_ended) {
  const auto one = std::exchange(answering_, nullptr);
  const std::uint32_t id = std::exchange(answering_id_, 0);
  const auto owner = owner_.lock();
  if (!one) return;
  if (error || !owner) core().stream(id).forget();
  if (!owner) return;
  if (error) return owner->on_no_answer(one, error, false);
  auto made = make_stream(id);
  if (has_ended) note_write_stopped(id);
  owner->on_answer(one, std::move(made));
}

void anytls_client_session::end_of_turn(transport::time_point) {
  const auto owner = owner_.lock();
  if (!owner || core().control().closed() != nullptr) return;
  const core::anytls_statistics now = core().control().statistics();
  if (!alive_ && now.bytes_received != 0) {
    alive_ = true;
    owner->on_alive(number_);
  }
  if (!has_stream_ || now.streams_open != 0) return;
  has_stream_ = false;
  owner->on_free(number_);
}

void anytls_client_session::on_shutdown() noexcept {
  anytls_session_driver::on_shutdown();
  answering_.reset();
  patience_.reset();
}

}  // namespace detail
}  // namespace v0
}  // namespace strata::mux
