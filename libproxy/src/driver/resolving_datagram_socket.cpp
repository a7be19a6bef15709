// SPDX-License-Identifier: Apache-2.0
#include "driver/resolving_datagram_socket.hpp"

#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <chrono>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "strata/proxy/core/error.hpp"
#include "strata/transport/core/error.hpp"
#include "strata/transport/driver/driver_registry.hpp"
#include "strata/transport/driver/pending_operation.hpp"
#include "strata/transport/driver/ready_list.hpp"
#include "strata/transport/udp_datagram_socket.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace {

using namespace transport;

constexpr auto lifetime = std::chrono::seconds(60);
constexpr std::size_t max_known = 64;

class resolving_sender final : public driver {
 public:
  using send_signature = datagram_socket::send_signature;

  resolving_sender(const ready_list& ready, std::unique_ptr<udp_datagram_socket> socket,
                   std::shared_ptr<resolver> names, core::address_filter filter)
      : ready_(ready),
        socket_(std::move(socket)),
        names_(std::move(names)),
        filter_(std::move(filter)) {}

  asio::any_io_executor executor() const noexcept { return ready_.executor(); }
  udp_datagram_socket* socket() noexcept { return socket_.get(); }

  void send(const target& to, bytes datagram, completion<send_signature> finish) {
    if (dead_) return;
    if (!to.is_name()) return send(to.ip(), datagram, std::move(finish));
    if (!to.is_valid())
      return ready_.complete(std::move(finish), make_error_code(transport::errc::invalid_argument));
    if (const auto known = find(to)) return send(*known, datagram, std::move(finish));
    resolve(to, datagram, std::move(finish));
  }

  /// Answers may come when the name's time is over.
  std::optional<address> resolved(const target& to) const {
    const auto found = known_.find(std::string(to.name()));
    return found == known_.end() ? std::nullopt : admitted(found->second, to.port());
  }

  void close() noexcept {
    abort();
    if (socket_) socket_->close();
  }

 private:
  struct entry {
    std::vector<address> addresses;
    std::chrono::steady_clock::time_point until;
  };

  void shutdown() noexcept override {
    dead_ = true;
    const auto waiting = waiting_.take();
    const auto names = std::exchange(names_, nullptr);
  }

  void send(const address& to, bytes datagram, completion<send_signature> finish) {
    if (!filter_.admits(to))
      return ready_.complete(std::move(finish), make_error_code(errc::not_allowed));
    socket_->async_send_to(target(to), datagram, std::move(finish.handler));
  }

  void resolve(const target& to, bytes datagram, completion<send_signature> finish) {
    const auto self = std::static_pointer_cast<resolving_sender>(shared_from_this());
    waiting_.start(std::move(finish), [weak = weak_from_this()] {
      if (const auto held = std::static_pointer_cast<resolving_sender>(weak.lock())) held->abort();
    });
    const resolve_options wanted{.https = false, .port = to.port()};
    names_->async_resolve(
        std::string(to.name()), wanted,
        asio::bind_cancellation_slot(
            stop_.slot(),
            [self, to, datagram](std::error_code error, std::unique_ptr<resolution> found) {
              if (self->dead_ || !self->waiting_) return;
              auto held = self->waiting_.take();
              if (error) return self->ready_.complete(std::move(held), error);
              self->keep(to, std::move(found->addresses));
              const auto known = self->find(to);
              if (known) return self->send(*known, datagram, std::move(held));
              self->ready_.complete(std::move(held), make_error_code(errc::not_allowed));
            }));
  }

  void keep(const target& of, std::vector<address> addresses) {
    if (known_.size() >= max_known) known_.clear();
    known_.insert_or_assign(
        std::string(of.name()),
        entry{std::move(addresses), std::chrono::steady_clock::now() + lifetime});
  }

  /// The first address that may be sent to.
  std::optional<address> find(const target& of) {
    const auto found = known_.find(std::string(of.name()));
    if (found == known_.end() || found->second.until < std::chrono::steady_clock::now())
      return std::nullopt;
    return admitted(found->second, of.port());
  }

  std::optional<address> admitted(const entry& of, std::uint16_t port) const {
    for (const address& each : of.addresses) {
      const address there = each.with_port(port);
      if (filter_.admits(there)) return there;
    }
    return std::nullopt;
  }

  void abort() noexcept {
    if (waiting_) ready_.complete(waiting_.take(), make_error_code(transport::errc::aborted));
    stop_.emit(asio::cancellation_type::terminal);
  }

  ready_list ready_;
  std::unique_ptr<udp_datagram_socket> socket_;
  std::shared_ptr<resolver> names_;
  core::address_filter filter_;
  pending_operation<send_signature> waiting_;
  asio::cancellation_signal stop_;
  std::unordered_map<std::string, entry> known_;
  bool dead_ = false;
};

class resolving_datagram_socket final : public datagram_socket {
 public:
  explicit resolving_datagram_socket(std::shared_ptr<resolving_sender> sender)
      : sender_(std::move(sender)) {}
  ~resolving_datagram_socket() override { sender_->close(); }

  std::size_t max_datagram_size() const noexcept override {
    return sender_->socket()->max_datagram_size();
  }
  void close() noexcept override { sender_->close(); }
  std::optional<address> resolved(const target& to) const override {
    return to.is_name() ? sender_->resolved(to) : datagram_socket::resolved(to);
  }

 private:
  asio::any_io_executor do_executor() noexcept override { return sender_->executor(); }
  void do_send_to(const target& to, bytes datagram, completion<send_signature> finish) override {
    sender_->send(to, datagram, std::move(finish));
  }
  void do_receive_from(mutable_bytes into, target& from,
                       completion<receive_signature> finish) override {
    sender_->socket()->async_receive_from(into, from, std::move(finish.handler));
  }

  std::shared_ptr<resolving_sender> sender_;
};

}  // namespace

transport::result<std::unique_ptr<transport::datagram_socket>> open_resolving_datagram_socket(
    std::shared_ptr<transport::resolver> names, const core::address_filter& filter) {
  const asio::any_io_executor executor = names->get_executor();
  auto socket = udp_datagram_socket::open(executor, address::any_v6(0));
  // A system without IPv6.
  if (!socket) socket = udp_datagram_socket::open(executor, address::any_v4(0));
  if (!socket) return std::unexpected(socket.error());
  const ready_list ready(executor);
  return std::make_unique<resolving_datagram_socket>(
      make_driver<resolving_sender>(executor, ready, std::move(*socket), std::move(names), filter));
}

}  // namespace v0
}  // namespace strata::proxy
