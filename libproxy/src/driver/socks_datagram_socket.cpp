// SPDX-License-Identifier: Apache-2.0
#include "driver/socks_datagram_socket.hpp"

#include <array>
#include <asio/buffer.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "strata/proxy/core/socks_datagram.hpp"
#include "strata/transport/core/bytes.hpp"
#include "strata/transport/core/error.hpp"
#include "strata/transport/driver/driver_registry.hpp"
#include "strata/transport/driver/pending_operation.hpp"
#include "strata/transport/driver/ready_list.hpp"
#include "strata/transport/udp_datagram_socket.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace {

using namespace transport;
using core::socks_datagram;

class association_driver final : public driver {
 public:
  using send_signature = datagram_socket::send_signature;
  using receive_signature = datagram_socket::receive_signature;

  association_driver(const ready_list& ready, std::unique_ptr<stream> control,
                     std::unique_ptr<udp_datagram_socket> socket, const address& relay)
      : ready_(ready), control_(std::move(control)), socket_(std::move(socket)), relay_(relay) {}

  asio::any_io_executor executor() const noexcept { return ready_.executor(); }

  void watch_control() {
    const auto room = asio::buffer(ignored_);
    control_->async_read_some(room, [self = self()](std::error_code error, std::size_t) {
      if (self->dead_) return;
      error ? self->close() : self->watch_control();
    });
  }

  void send(const target& to, bytes datagram, completion<send_signature> finish) {
    if (dead_) return;
    std::array<std::byte, socks_datagram::max_header_size> header;
    const std::size_t size = core::encode_socks_datagram_header(to, header);
    if (size == 0)
      return ready_.complete(std::move(finish), make_error_code(transport::errc::invalid_argument));
    if (size + datagram.size() > udp_max_payload)
      return ready_.complete(std::move(finish),
                             make_error_code(transport::errc::message_too_large));
    outgoing_.assign(header.begin(), header.begin() + static_cast<std::ptrdiff_t>(size));
    outgoing_.insert(outgoing_.end(), datagram.begin(), datagram.end());
    socket_->async_send_to(target(relay_), outgoing_, std::move(finish.handler));
  }

  void receive(mutable_bytes into, target& from, completion<receive_signature> finish) {
    if (dead_) return;
    into_ = into;
    from_ = &from;
    receiving_.start(std::move(finish), [weak = weak_from_this()] {
      const auto held = std::static_pointer_cast<association_driver>(weak.lock());
      if (held) held->finish_receive(make_error_code(transport::errc::aborted), 0);
    });
    receive_next();
  }

  void close() noexcept {
    if (dead_) return;
    finish_receive(make_error_code(transport::errc::aborted), 0);
    socket_->close();
    control_->reset(stream_cancelled);
  }

 private:
  std::shared_ptr<association_driver> self() {
    return std::static_pointer_cast<association_driver>(shared_from_this());
  }

  void shutdown() noexcept override {
    dead_ = true;
    const auto waiting = receiving_.take();
  }

  void receive_next() {
    if (under_way_) return;
    under_way_ = true;
    incoming_.resize(socks_datagram::max_header_size + udp_max_payload);
    socket_->async_receive_from(incoming_, sender_,
                                [self = self()](std::error_code error, std::size_t size) {
                                  self->under_way_ = false;
                                  if (!self->dead_) self->received(error, size);
                                });
  }

  void received(std::error_code error, std::size_t size) {
    if (!receiving_) return;
    if (error) return finish_receive(error, 0);
    const auto datagram = core::decode_socks_datagram(bytes(incoming_).first(size));
    // Only the proxy speaks here.
    if (!datagram || !sender_.ip().same_ip(relay_)) return receive_next();
    if (datagram->payload.size() > into_.size())
      return finish_receive(make_error_code(transport::errc::message_too_large), 0);
    copy_bytes(into_.data(), datagram->payload);
    *from_ = datagram->where;
    finish_receive({}, datagram->payload.size());
  }

  void finish_receive(std::error_code error, std::size_t size) noexcept {
    if (receiving_) ready_.complete(receiving_.take(), error, size);
  }

  ready_list ready_;
  std::unique_ptr<stream> control_;
  std::unique_ptr<udp_datagram_socket> socket_;
  address relay_;
  std::array<std::byte, 64> ignored_;
  std::vector<std::byte> outgoing_;
  std::vector<std::byte> incoming_;
  target sender_{address()};
  mutable_bytes into_;
  target* from_ = nullptr;
  pending_operation<receive_signature> receiving_;
  bool under_way_ = false;
  bool dead_ = false;
};

class socks_datagram_socket final : public datagram_socket {
 public:
  explicit socks_datagram_socket(std::shared_ptr<association_driver> driver)
      : driver_(std::move(driver)) {}
  ~socks_datagram_socket() override { driver_->close(); }

  std::size_t max_datagram_size() const noexcept override {
    return udp_max_payload - socks_datagram::max_header_size;
  }
  void close() noexcept override { driver_->close(); }

 private:
  asio::any_io_executor do_executor() noexcept override { return driver_->executor(); }
  void do_send_to(const target& to, bytes datagram, completion<send_signature> finish) override {
    driver_->send(to, datagram, std::move(finish));
  }
  void do_receive_from(mutable_bytes into, target& from,
                       completion<receive_signature> finish) override {
    driver_->receive(into, from, std::move(finish));
  }

  std::shared_ptr<association_driver> driver_;
};

}  // namespace

transport::result<std::unique_ptr<transport::datagram_socket>> open_socks_datagram_socket(
    std::unique_ptr<transport::stream> control, const transport::address& relay) {
  const asio::any_io_executor executor = control->get_executor();
  const address local = relay.is_v4() ? address::any_v4(0) : address::any_v6(0);
  auto socket = udp_datagram_socket::open(executor, local);
  if (!socket) return std::unexpected(socket.error());
  const ready_list ready(executor);
  const auto driver = make_driver<association_driver>(executor, ready, std::move(control),
                                                      std::move(*socket), relay);
  driver->watch_control();
  return std::make_unique<socks_datagram_socket>(driver);
}

}  // namespace v0
}  // namespace strata::proxy
