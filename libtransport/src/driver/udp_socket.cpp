// SPDX-License-Identifier: Apache-2.0
#include "strata/transport/udp_socket.hpp"

#include <algorithm>
#include <asio/bind_allocator.hpp>
#include <asio/ip/v6_only.hpp>
#include <asio/query.hpp>
#include <cassert>
#include <new>

#include "driver/udp_socket_completion.hpp"
#include "driver/udp_socket_state.hpp"
#include "strata/transport/core/error.hpp"

namespace strata::transport {
inline namespace v0 {

namespace {

/// Asio's own category for the system's codes does not compare with std::errc.
std::error_code comparable(std::error_code failure) {
  if (failure.category() != asio::error::get_system_category()) return failure;
  return {failure.value(), std::system_category()};
}

}  // namespace

result<udp_socket> udp_socket_state::open(const asio::any_io_executor& executor,
                                          const address& local, const udp_options& options,
                                          udp_system_factory make_system) {
  if (local.ip_family() == address::family::none)
    return std::unexpected(make_error_code(errc::invalid_argument));
  auto state = make_driver<udp_socket_state>(executor, executor);
  state->system_ = make_system(*state->socket_);
  if (const auto failure = state->prepare(local, options))
    return std::unexpected(comparable(failure));
  return udp_socket(std::move(state));
}

udp_socket_state::udp_socket_state(const asio::any_io_executor& executor)
    : executor_(executor), socket_(executor) {
  service_ =
      &asio::use_service<udp_socket_service>(asio::query(executor, asio::execution::context));
}

udp_socket_state::~udp_socket_state() { give_back_slots(); }

std::shared_ptr<udp_socket_state> udp_socket_state::shared_self() {
  return std::static_pointer_cast<udp_socket_state>(shared_from_this());
}

std::error_code udp_socket_state::prepare(const address& local, const udp_options& options) {
  std::error_code failure;
  socket_->open(local.is_v4() ? asio::ip::udp::v4() : asio::ip::udp::v6(), failure);
  if (!failure) socket_->non_blocking(true, failure);
  if (!failure && local.is_v6())
    socket_->set_option(asio::ip::v6_only(!options.dual_stack), failure);
  if (failure) return failure;
  // The system may give less, or refuse; a socket with small buffers still works.
  std::error_code ignored;
  const auto clamp = [](std::size_t size) {
    return static_cast<int>(std::min(size, std::size_t{1} << 30));
  };
  if (const int size = clamp(options.receive_buffer)) {
    socket_->set_option(asio::socket_base::receive_buffer_size(size), ignored);
  }
  if (const int size = clamp(options.send_buffer)) {
    socket_->set_option(asio::socket_base::send_buffer_size(size), ignored);
  }
  failure = system_->configure(options);
  if (!failure) socket_->bind(to_endpoint(local), failure);
  if (!failure && options.peer != address()) socket_->connect(to_endpoint(options.peer), failure);
  if (failure) return failure;
  local_ = from_endpoint(socket_->local_endpoint(failure));
  system_->bound(local_);
  return failure;
}

void udp_socket_state::receive(std::span<datagram_batch> batches,
                               completion<udp_socket::receive_signature> finish) {
  assert(!receive_ && "one receive may be outstanding");
  assert(!batches.empty());
  if (!executor_) return;  // the context is gone: inert
  give_back_slots();
  if (!is_open()) {
    return complete_later(executor_, std::move(finish), make_error_code(errc::closed),
                          std::size_t{0});
  }
  receive_.start(std::move(finish), [weak = std::weak_ptr(shared_self())] {
    const auto self = weak.lock();
    if (self && self->receive_) self->cancel_receive();
  });
  batches_ = batches;
  wait_readable();
}

void udp_socket_state::wait_readable() {
  if (waiting_readable_) return;
  waiting_readable_ = true;
  const auto then = [self = shared_self()](std::error_code = {}) {
    self->waiting_readable_ = false;
    self->on_readable();
  };
  // While a socket is busy, looking again costs less than asking the reactor; both yield to what
  // else is ready.
  if (readable_expected_) return asio::post(executor_, then);
  const handler_allocator<void> allocator(readable_memory_);
  socket_->async_wait(asio::socket_base::wait_read, asio::bind_allocator(allocator, then));
}

void udp_socket_state::on_readable() {
  if (!receive_) {
    readable_expected_ = true;
    return;
  }
  if (!is_open()) return;
  std::size_t filled = 0;
  const std::error_code failure = fill(filled);
  if (!failure && filled == 0) {
    give_back_slots();
    return wait_readable();
  }
  complete_in_turn(executor_, receive_.take(), failure, filled);
}

std::error_code udp_socket_state::fill(std::size_t& filled) try {
  slots_ = service_->take_slots();
  const udp_received received = system_->receive(slots_, batches_);
  readable_expected_ = !received.drained;
  filled = received.filled;
  return received.fatal;
} catch (const std::bad_alloc&) {
  return make_error_code(errc::out_of_memory);
}

void udp_socket_state::wait_writable(completion<udp_socket::wait_signature> finish) {
  assert(!writable_ && "one wait may be outstanding");
  if (!executor_) return;
  if (!is_open()) {
    return complete_later(executor_, std::move(finish), make_error_code(errc::closed));
  }
  writable_.start(std::move(finish), [weak = std::weak_ptr(shared_self())] {
    const auto self = weak.lock();
    if (self && self->writable_) self->cancel_writable();
  });
  if (waiting_writable_) return;
  waiting_writable_ = true;
  const handler_allocator<void> allocator(writable_memory_);
  socket_->async_wait(asio::socket_base::wait_write,
                      asio::bind_allocator(allocator, [self = shared_self()](std::error_code) {
                        self->waiting_writable_ = false;
                        if (!self->writable_) return;
                        complete_in_turn(self->executor_, self->writable_.take(),
                                         std::error_code());
                      }));
}

result<std::size_t> udp_socket_state::send(const transmit& what, bytes payload) {
  if (!is_open()) return std::unexpected(make_error_code(errc::closed));
  return system_->send(what, payload);
}

void udp_socket_state::cancel_receive() noexcept {
  complete_later(executor_, receive_.take(), make_error_code(errc::aborted), std::size_t{0});
  cancel_waits();
}

void udp_socket_state::cancel_writable() noexcept {
  complete_later(executor_, writable_.take(), make_error_code(errc::aborted));
  cancel_waits();
}

void udp_socket_state::cancel_waits() noexcept {
  // Else they would keep the context running. It ends the other operation's wait too, which looks
  // again and waits anew.
  std::error_code ignored;
  if (is_open()) socket_->cancel(ignored);
}

void udp_socket_state::cancel() noexcept {
  if (receive_) cancel_receive();
  if (writable_) cancel_writable();
}

void udp_socket_state::close() noexcept {
  if (!is_open()) return;
  cancel();
  give_back_slots();
  socket_.reset();
}

void udp_socket_state::shutdown() noexcept {
  // They die when this returns, and may take handles of this very socket along.
  const auto receiving = receive_.take();
  const auto writing = writable_.take();
  give_back_slots();
  socket_.reset();
  service_ = nullptr;
  executor_ = {};
}

void udp_socket_state::give_back_slots() noexcept {
  if (slots_.memory && service_ != nullptr) service_->give_back(std::move(slots_));
  slots_.memory.reset();
}

result<udp_socket> udp_socket::open(const asio::any_io_executor& executor, const address& local,
                                    const udp_options& options) {
  return udp_socket_state::open(executor, local, options, make_default_udp);
}

udp_socket::udp_socket(std::shared_ptr<udp_socket_state> state) noexcept
    : state_(std::move(state)) {}
udp_socket::udp_socket(udp_socket&&) noexcept = default;

udp_socket& udp_socket::operator=(udp_socket&& other) noexcept {
  if (this != &other) {
    close();
    state_ = std::move(other.state_);
  }
  return *this;
}

udp_socket::~udp_socket() { close(); }

const asio::any_io_executor& udp_socket::executor() const noexcept { return state_->executor(); }
address udp_socket::local_address() const noexcept { return state_->local(); }
result<std::size_t> udp_socket::send(const transmit& what, bytes payload) {
  return state_->send(what, payload);
}
void udp_socket::cancel() noexcept { state_->cancel(); }
bool udp_socket::is_open() const noexcept { return state_ && state_->is_open(); }
const udp_counters& udp_socket::counters() const noexcept { return state_->counters(); }

void udp_socket::close() noexcept {
  if (state_) state_->close();
}

const asio::any_io_executor& udp_socket::executor_of(const udp_socket_state& state) noexcept {
  return state.executor();
}

void udp_socket::start_receive(udp_socket_state& state, std::span<datagram_batch> batches,
                               completion<receive_signature> finish) {
  state.receive(batches, std::move(finish));
}

void udp_socket::start_wait_writable(udp_socket_state& state, completion<wait_signature> finish) {
  state.wait_writable(std::move(finish));
}

}  // namespace v0
}  // namespace strata::transport
