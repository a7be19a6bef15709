// SPDX-License-Identifier: Apache-2.0
#include "strata/transport/udp_datagram_socket.hpp"

#include <algorithm>
#include <array>
#include <asio/associated_cancellation_slot.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/ip/udp.hpp>
#include <cassert>
#include <chrono>
#include <vector>

#include "driver/udp_socket_completion.hpp"
#include "driver/udp_socket_system.hpp"
#include "strata/transport/core/error.hpp"

namespace strata::transport {
inline namespace v0 {
namespace {

/// Names remembered, and for how long: long enough that a flow does not resolve each datagram.
constexpr std::size_t max_remembered_names = 16;
constexpr std::chrono::seconds name_lifetime{60};

}  // namespace

/// What the user's operations share. Their handlers travel inside the operation of the socket that
/// they wait for, and nothing else holds them: a context that destroys the one destroys the other.
class udp_datagram_socket_state final
    : public std::enable_shared_from_this<udp_datagram_socket_state> {
 public:
  using send_operation = completion<datagram_socket::send_signature>;
  using receive_operation = completion<datagram_socket::receive_signature>;

  explicit udp_datagram_socket_state(udp_socket socket) : socket_(std::move(socket)) {}

  udp_socket& socket() noexcept { return socket_; }

  void close() noexcept {
    if (const auto resolver = resolver_.lock()) resolver->cancel();
    waiting_ = {};
    socket_.close();
  }

  void receive(mutable_bytes into, target& from, receive_operation finish) {
    // When the context has gone, so has the memory of what was waiting.
    if (!socket_.is_open()) waiting_ = {};
    if (!waiting_.empty()) {
      const auto [failure, size] = take(into, from);
      return complete_later(socket_.executor(), std::move(finish), failure, size);
    }
    const auto slot = asio::get_associated_cancellation_slot(finish.handler);
    socket_.async_receive(
        batches_, asio::bind_cancellation_slot(
                      slot, [self = shared_from_this(), into, &from, finish = std::move(finish)](
                                std::error_code failure, std::size_t filled) mutable {
                        std::size_t size = 0;
                        if (!failure) {
                          self->waiting_ = std::span(self->batches_).first(filled);
                          self->offset_ = 0;
                          std::tie(failure, size) = self->take(into, from);
                        }
                        complete_in_turn(self->socket_.executor(), std::move(finish), failure,
                                         size);
                      }));
  }

  void send(const target& to, bytes datagram, send_operation finish) {
    if (!socket_.is_open())
      return complete_later(socket_.executor(), std::move(finish), make_error_code(errc::closed));
    if (!to.is_name()) return send_first(to.ip(), datagram, std::move(finish));
    if (!to.is_valid()) {
      return complete_later(socket_.executor(), std::move(finish),
                            make_error_code(errc::invalid_argument));
    }
    if (const auto* known = recall(to.name())) {
      return send_first(known->with_port(to.port()), datagram, std::move(finish));
    }
    resolve(to, datagram, std::move(finish));
  }

  /// Answers may come when the name's time is over.
  std::optional<address> resolved(const target& to) const {
    const auto known = std::ranges::find(names_, to.name(), &remembered_name::host);
    if (known == names_.end()) return std::nullopt;
    return known->found.with_port(to.port());
  }

 private:
  struct remembered_name {
    std::string host;
    address found;
    std::chrono::steady_clock::time_point until;
  };

  transmit describe(const address& to, bytes datagram) const {
    return {.size = static_cast<std::uint32_t>(datagram.size()), .remote = to};
  }

  /// The next datagram of those received, which may be empty.
  std::pair<std::error_code, std::size_t> take(mutable_bytes into, target& from) {
    const datagram_batch& batch = waiting_.front();
    const std::size_t size = std::min<std::size_t>(batch.stride, batch.payload.size() - offset_);
    const bytes datagram = batch.payload.subspan(offset_, size);
    from = target(batch.remote);
    offset_ += size;
    if (offset_ == batch.payload.size()) {
      waiting_ = waiting_.subspan(1);
      offset_ = 0;
    }
    if (size > into.size()) return {make_error_code(errc::message_too_large), 0};
    copy_bytes(into.data(), datagram);
    return {{}, size};
  }

  /// Inside the call that started it: whatever the outcome, it is told later.
  void send_first(const address& to, bytes datagram, send_operation finish) {
    const auto sent = socket_.send(describe(to, datagram), datagram);
    const std::error_code failure = sent ? std::error_code() : sent.error();
    if (failure == errc::would_block) return send_when_writable(to, datagram, std::move(finish));
    complete_later(socket_.executor(), std::move(finish), failure);
  }

  void send_when_writable(const address& to, bytes datagram, send_operation finish) {
    const auto slot = asio::get_associated_cancellation_slot(finish.handler);
    socket_.async_wait_writable(asio::bind_cancellation_slot(
        slot, [self = shared_from_this(), to, datagram,
               finish = std::move(finish)](std::error_code failure) mutable {
          if (!failure) {
            const auto sent = self->socket_.send(self->describe(to, datagram), datagram);
            if (!sent) failure = sent.error();
            if (failure == errc::would_block)
              return self->send_when_writable(to, datagram, std::move(finish));
          }
          complete_in_turn(self->socket_.executor(), std::move(finish), failure);
        }));
  }

  void resolve(const target& to, bytes datagram, send_operation finish) {
    // The resolver lives in its own operation, so that it cannot outlive the context.
    auto resolver = std::make_shared<asio::ip::udp::resolver>(socket_.executor());
    resolver_ = resolver;
    if (auto slot = asio::get_associated_cancellation_slot(finish.handler); slot.is_connected()) {
      slot.assign([weak = resolver_](asio::cancellation_type) {
        if (const auto live = weak.lock()) live->cancel();
      });
    }
    const std::string port = std::to_string(to.port());
    auto& resolving = *resolver;
    resolving.async_resolve(
        to.name(), port, asio::ip::udp::resolver::numeric_service,
        [self = shared_from_this(), resolver = std::move(resolver), to, datagram,
         finish = std::move(finish)](std::error_code failure,
                                     const asio::ip::udp::resolver::results_type& results) mutable {
          if (failure == asio::error::operation_aborted || !self->socket_.is_open()) {
            return complete_in_turn(self->socket_.executor(), std::move(finish),
                                    make_error_code(errc::aborted));
          }
          const address* found = failure ? nullptr : self->choose(to.name(), results);
          if (found == nullptr)
            return complete_in_turn(self->socket_.executor(), std::move(finish),
                                    make_error_code(errc::name_not_found));
          self->send_first(found->with_port(to.port()), datagram, std::move(finish));
        });
  }

  /// The system's order of preference, among the families this socket speaks.
  const address* choose(std::string_view host,
                        const asio::ip::udp::resolver::results_type& results) {
    const bool v6 = socket_.local_address().is_v6();
    const auto fits = [v6](const auto& entry) { return v6 || entry.endpoint().address().is_v4(); };
    const auto chosen = std::find_if(results.begin(), results.end(), fits);
    if (chosen == results.end()) return nullptr;
    if (names_.size() == max_remembered_names) names_.erase(names_.begin());
    names_.push_back({std::string(host), from_endpoint(chosen->endpoint()),
                      std::chrono::steady_clock::now() + name_lifetime});
    return &names_.back().found;
  }

  const address* recall(std::string_view host) {
    const auto now = std::chrono::steady_clock::now();
    std::erase_if(names_, [now](const remembered_name& name) { return name.until <= now; });
    const auto known = std::ranges::find(names_, host, &remembered_name::host);
    return known == names_.end() ? nullptr : &known->found;
  }

  udp_socket socket_;
  std::array<datagram_batch, udp_max_batches> batches_;
  /// Received and not handed out; memory of the socket's slots.
  std::span<const datagram_batch> waiting_;
  std::size_t offset_ = 0;  ///< Into the first of those waiting.
  std::weak_ptr<asio::ip::udp::resolver> resolver_;
  std::vector<remembered_name> names_;
};

result<std::unique_ptr<udp_datagram_socket>> udp_datagram_socket::open(
    const asio::any_io_executor& executor, const address& local, const udp_options& options) {
  auto socket = udp_socket::open(executor, local, options);
  if (!socket) return std::unexpected(socket.error());
  return std::make_unique<udp_datagram_socket>(std::move(*socket));
}

udp_datagram_socket::udp_datagram_socket(udp_socket socket)
    : state_(std::make_shared<udp_datagram_socket_state>(std::move(socket))) {}
udp_datagram_socket::~udp_datagram_socket() { state_->close(); }

address udp_datagram_socket::local_address() const noexcept {
  return state_->socket().local_address();
}
void udp_datagram_socket::close() noexcept { state_->close(); }
std::optional<address> udp_datagram_socket::resolved(const target& to) const {
  return to.is_name() ? state_->resolved(to) : datagram_socket::resolved(to);
}
asio::any_io_executor udp_datagram_socket::do_executor() noexcept {
  return state_->socket().executor();
}

void udp_datagram_socket::do_send_to(const target& to, bytes datagram,
                                     completion<send_signature> finish) {
  state_->send(to, datagram, std::move(finish));
}

void udp_datagram_socket::do_receive_from(mutable_bytes into, target& from,
                                          completion<receive_signature> finish) {
  state_->receive(into, from, std::move(finish));
}

}  // namespace v0
}  // namespace strata::transport
