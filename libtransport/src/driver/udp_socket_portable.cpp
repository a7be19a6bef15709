// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "driver/udp_socket_system.hpp"
#include "strata/transport/core/error.hpp"

namespace strata::transport {
inline namespace v0 {
namespace {

bool is_wait(const std::error_code& failure) {
  return failure == asio::error::would_block || failure == asio::error::try_again;
}

std::error_code map_send_error(const std::error_code& failure) {
  if (is_wait(failure)) return make_error_code(errc::would_block);
  if (failure == asio::error::message_size) return make_error_code(errc::message_too_large);
  if (failure == asio::error::no_permission || failure == asio::error::access_denied)
    return make_error_code(errc::refused);
  return make_error_code(errc::unreachable);
}

class portable_udp final : public udp_system {
 public:
  explicit portable_udp(asio::ip::udp::socket& socket) : socket_(socket) {}

  std::error_code configure(const udp_options& options) override {
    connected_ = options.peer != address();
    return options.reuse_port ? make_error_code(errc::not_supported) : std::error_code();
  }

  void bound(const address& local) override {
    v6_ = local.is_v6();
    if (!local.is_unspecified()) local_ = local;
  }

  udp_received receive(const udp_slots& slots, std::span<datagram_batch> batches) override {
    udp_received out;
    const std::size_t room = std::min(batches.size(), udp_max_batches);
    for (int soft_errors = 0; out.filled < room && soft_errors < max_soft_errors;) {
      std::error_code failure;
      asio::ip::udp::endpoint from;
      const mutable_bytes slot = slots[out.filled];
      const std::size_t size =
          socket_.receive_from(asio::buffer(slot.data(), slot.size()), from, 0, failure);
      if (is_wait(failure)) {
        out.drained = true;
        break;
      }
      if (failure == asio::error::bad_descriptor || failure == asio::error::not_socket) {
        out.fatal = failure;
        break;
      }
      if (failure) {
        ++soft_errors;
        ++counters.peer_errors;
        continue;
      }
      const auto stride = static_cast<std::uint16_t>(size);
      batches[out.filled++] = {slot.first(size), stride, ecn::not_ect, from_endpoint(from), local_};
      ++counters.batches_received;
      counters.bytes_received += size;
    }
    return out;
  }

  result<std::size_t> send(const transmit& what, bytes payload) override {
    if (what.remote.is_v6() && !v6_) return std::unexpected(make_error_code(errc::unreachable));
    const std::size_t segment = what.segment == 0 ? payload.size() : what.segment;
    if (segment > udp_max_payload) return std::unexpected(make_error_code(errc::message_too_large));
    const asio::ip::udp::endpoint to = destination(what.remote);
    std::size_t done = 0;
    do {
      const bytes datagram = payload.subspan(done, std::min(segment, payload.size() - done));
      const std::error_code failure = send_one(to, datagram);
      if (is_wait(failure) && done != 0) return done;
      if (failure) return std::unexpected(map_send_error(failure));
      done += datagram.size();
    } while (done < payload.size());
    return done;
  }

 private:
  asio::ip::udp::endpoint destination(const address& remote) const {
    const asio::ip::udp::endpoint to = to_endpoint(remote);
    if (!v6_ || remote.is_v6()) return to;
    return {asio::ip::make_address_v6(asio::ip::v4_mapped, to.address().to_v4()), to.port()};
  }

  std::error_code send_one(const asio::ip::udp::endpoint& to, bytes datagram) {
    const auto buffer = asio::buffer(datagram.data(), datagram.size());
    std::error_code failure;
    // An error that ICMP left on a connected socket is told to the next send, which then has not
    // happened: once more.
    for (int attempt = 0; attempt < 2; ++attempt) {
      if (connected_) {
        socket_.send(buffer, 0, failure);
      } else {
        socket_.send_to(buffer, to, 0, failure);
      }
      if (failure != asio::error::connection_refused) break;
      ++counters.peer_errors;
      failure = {};
    }
    if (failure == asio::error::no_buffer_space || failure == asio::error::no_memory) {
      ++counters.sends_dropped;
      return {};
    }
    if (!failure) {
      ++counters.batches_sent;
      counters.bytes_sent += datagram.size();
    }
    return failure;
  }

  asio::ip::udp::socket& socket_;
  address local_;
  bool v6_ = false;
  bool connected_ = false;
};

}  // namespace

std::unique_ptr<udp_system> make_portable_udp(asio::ip::udp::socket& socket) {
  return std::make_unique<portable_udp>(socket);
}

#if defined(STRATA_PORTABLE_UDP)
std::unique_ptr<udp_system> make_default_udp(asio::ip::udp::socket& socket) {
  return make_portable_udp(socket);
}
#endif

}  // namespace v0
}  // namespace strata::transport
