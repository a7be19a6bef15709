// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <utility>

#include "driver/datagram_relay.hpp"
#include "driver/session.hpp"
#include "strata/proxy/core/socks_datagram.hpp"
#include "strata/transport/core/bytes.hpp"
#include "strata/transport/core/error.hpp"
#include "strata/transport/udp_datagram_socket.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace detail {
namespace {

using core::socks_datagram;

/// The port of one client of SOCKS, and the connection that holds it.
class association_port final : public datagram_client {
 public:
  association_port(std::shared_ptr<session> in,
                   std::unique_ptr<transport::udp_datagram_socket> socket,
                   std::unique_ptr<transport::stream> control)
      : in_(std::move(in)),
        near_(std::move(socket)),
        control_(std::move(control)),
        owner_(control_->remote_address()) {}

  transport::stream& control() noexcept { return *control_; }

  asio::any_io_executor executor() override { return near_->get_executor(); }

  asio::awaitable<client_datagram> receive(transport::mutable_bytes memory) override {
    transport::target from{transport::address()};
    for (;;) {
      const auto [error, size] = co_await near_->async_receive_from(memory, from, quietly);
      client_datagram made;
      if (is_over(error)) made.error = error;
      if (made.error) co_return made;
      if (error || !is_welcome(from.ip())) continue;
      const auto datagram = core::decode_socks_datagram(memory.first(size));
      if (!datagram) continue;
      made.where = datagram->where;
      made.payload = datagram->payload;
      co_return made;
    }
  }

  asio::awaitable<datagram_way> way_to(const transport::target& to) override {
    const chosen way = co_await choose_outbound(*in_, to, core::carried::datagrams);
    datagram_way made;
    made.name = in_->report.outbound;
    if (!way.error) made.by = way.by;
    co_return made;
  }

  bool takes(const transport::target&, const transport::datagram_socket&) override {
    return client_ != transport::address();
  }

  /// The header is put right in front of the payload.
  asio::awaitable<std::error_code> send(const transport::target& from,
                                        transport::mutable_bytes with_headroom) override {
    std::array<std::byte, socks_datagram::max_header_size> header;
    const std::size_t head = core::encode_socks_datagram_header(from, header);
    if (head == 0) co_return make_error_code(transport::errc::invalid_argument);
    const auto whole = with_headroom.subspan(headroom - head);
    transport::copy_bytes(whole.data(), transport::bytes(header).first(head));
    const transport::bytes packet = whole;
    const transport::target to(client_);
    const auto [failed] = co_await near_->async_send_to(to, packet, quietly);
    co_return failed;
  }

  void close() noexcept override {
    near_->close();
    control_->reset(transport::stream_cancelled);
  }

 private:
  static bool is_over(const std::error_code& error) {
    return error == transport::errc::aborted || error == transport::errc::closed;
  }

  /// A port that takes datagrams of anybody would be a relay for everybody, so the first datagram
  /// of the owner fixes it.
  bool is_welcome(const transport::address& from) {
    if (!from.same_ip(owner_)) return false;
    if (client_ == transport::address()) client_ = from;
    return client_ == from;
  }

  std::shared_ptr<session> in_;
  std::unique_ptr<transport::udp_datagram_socket> near_;
  std::unique_ptr<transport::stream> control_;
  transport::address owner_;   ///< Whose datagrams are taken: the IP of the TCP connection.
  transport::address client_;  ///< Where the first came from, and the answers go.
};

/// An association lives as long as its TCP connection (RFC 1928 section 7).
asio::awaitable<void> until_ended(transport::stream& control) {
  std::array<std::byte, 64> memory;
  for (;;) {
    const auto room = asio::buffer(memory);
    const auto [error, size] = co_await control.async_read_some(room, quietly);
    if (error) co_return;
  }
}

}  // namespace

asio::awaitable<void> serve_association(std::shared_ptr<session> in, opened& on,
                                        core::inbound_opening& opening) {
  const auto executor = on.carrier->get_executor();
  const transport::address local = on.carrier->local_address().with_port(0);
  auto near = transport::udp_datagram_socket::open(executor, local);
  if (!near) {
    opening.refuse(refusal_of(near.error()));
    co_await run_opening(on, opening);
    in->end_request(near.error());
    co_await part(std::move(on.carrier));
    co_return;
  }
  const transport::address bound = (*near)->local_address();
  opening.accept(bound);
  const transport::next_action last = co_await run_opening(on, opening);
  if (last.kind == transport::next_action::kind_type::done) {
    auto port = std::make_unique<association_port>(in, std::move(*near), std::move(on.carrier));
    transport::stream& control = port->control();
    const datagram_relay_options how{.idle = in->options().association_idle,
                                     .connect_timeout = in->options().connect_timeout,
                                     .counters = in->counters};
    const auto relay = std::make_shared<datagram_relay>(std::move(port), how);
    // Whatever ends this, and be it a cancellation, ends the port.
    const std::shared_ptr<void> closing(nullptr, [relay](void*) { relay->close(); });
    asio::co_spawn(executor, datagram_relay::run(relay), asio::detached);
    co_await until_ended(control);
  }
  in->end_request({});
}

}  // namespace detail
}  // namespace v0
}  // namespace strata::proxy
