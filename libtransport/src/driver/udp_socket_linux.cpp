// SPDX-License-Identifier: Apache-2.0
#include "driver/udp_socket_linux.hpp"

#include <fcntl.h>
#include <netinet/udp.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "strata/transport/core/error.hpp"

namespace strata::transport {
inline namespace v0 {
namespace {

/// Destinations remembered as refusing offload; one more and the socket does without.
constexpr std::size_t max_refusing_destinations = 8;
/// Room for every control message asked for: packet information of both families, both marks, the
/// stride.
constexpr std::size_t control_room = 192;

bool set_flag(int descriptor, int level, int option, int value = 1) {
  return ::setsockopt(descriptor, level, option, &value, sizeof value) == 0;
}

std::error_code system_error() { return {errno, std::system_category()}; }

template <class Value>
Value read_control(const cmsghdr* control) {
  Value value;
  std::memcpy(&value, CMSG_DATA(control), sizeof value);
  return value;
}

/// The system gives IPv4's mark as one byte and IPv6's as an int.
ecn read_mark(const cmsghdr* control) {
  const bool one_byte = control->cmsg_len == CMSG_LEN(1);
  const int field = one_byte ? read_control<std::uint8_t>(control) : read_control<int>(control);
  return static_cast<ecn>(field & 3);
}

template <class Ip>
bytes octets_of(const Ip& ip) {
  return std::as_bytes(std::span(&ip, 1));
}

address read_address(const sockaddr_storage& from) {
  if (from.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(from);
    return {octets_of(v4.sin_addr), ntohs(v4.sin_port)};
  }
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(from);
  return {octets_of(v6.sin6_addr), ntohs(v6.sin6_port), v6.sin6_scope_id};
}

in6_addr to_in6(const address& from) {
  in6_addr ip{};
  auto* octets = reinterpret_cast<std::byte*>(&ip);
  if (from.is_v4()) octets[10] = octets[11] = std::byte{0xff};
  copy_bytes(octets + (from.is_v4() ? 12 : 0), from.octets());
  return ip;
}

in_addr to_in4(const address& from) {
  in_addr ip{};
  copy_bytes(reinterpret_cast<std::byte*>(&ip), from.octets());
  return ip;
}

std::error_code map_send_error(int failure) {
  switch (failure) {
    case EAGAIN: return make_error_code(errc::would_block);
    case EMSGSIZE: return make_error_code(errc::message_too_large);
    case EPERM:
    case EACCES: return make_error_code(errc::refused);
    // No route, or the source address asked for is not (or no longer) ours: both say "not this
    // way".
    default: return make_error_code(errc::unreachable);
  }
}

/// What the system says when it cannot cut this batch, though it may be able to send the datagrams
/// of it.
bool refuses_batch(int failure) {
  return failure == EIO || failure == EINVAL || failure == EMSGSIZE || failure == EOPNOTSUPP;
}

}  // namespace

/// One message under way to the system. The control for cutting comes last, so that it can be left
/// off.
struct linux_udp::outgoing {
  sockaddr_storage to;
  alignas(cmsghdr) std::array<std::byte, control_room> control;
  iovec payload;
  msghdr header{};
  std::size_t controls = 0;  ///< Bytes of control in use, without the one for cutting.

  template <class Value>
  std::size_t add(int level, int type, const Value& value) {
    auto* message = reinterpret_cast<cmsghdr*>(control.data() + controls);
    message->cmsg_level = level;
    message->cmsg_type = type;
    message->cmsg_len = CMSG_LEN(sizeof value);
    std::memcpy(CMSG_DATA(message), &value, sizeof value);
    return controls + CMSG_SPACE(sizeof value);
  }
};

std::error_code linux_udp::configure(const udp_options& options) {
  const int descriptor = socket_.native_handle();
  sockaddr_storage local{};
  socklen_t size = sizeof local;
  if (::getsockname(descriptor, reinterpret_cast<sockaddr*>(&local), &size) != 0)
    return system_error();
  v6_ = local.ss_family == AF_INET6;
  connected_ = options.peer != address();
  if (::fcntl(descriptor, F_SETFD, FD_CLOEXEC) != 0) return system_error();
  if (options.reuse_port && !set_flag(descriptor, SOL_SOCKET, SO_REUSEPORT)) return system_error();

  // An IPv6 socket carries IPv4 too, and what arrives mapped is described by IPv4's options. What
  // an old system lacks costs marks or local addresses, not the socket.
  set_flag(descriptor, IPPROTO_IP, IP_RECVTOS);
  if (v6_) {
    set_flag(descriptor, IPPROTO_IPV6, IPV6_RECVTCLASS);
    set_flag(descriptor, IPPROTO_IPV6, IPV6_RECVPKTINFO);
  } else {
    set_flag(descriptor, IPPROTO_IP, IP_PKTINFO);
  }
  //= RFC 9000 section 14
  //# UDP datagrams MUST NOT be fragmented at the IP layer.
  //= RFC 9000 section 14
  //# the Don't Fragment (DF) bit MUST be set if possible, to prevent fragmentation on the path
  //= RFC 9000 section 14.2.1
  //# An endpoint MUST ignore an ICMP message that claims the PMTU has decreased below QUIC's
  //# smallest allowed maximum datagram size.
  //= RFC 9000 section 14.2.1
  //# An endpoint MUST NOT increase the PMTU based on ICMP messages.
  // "Probe" also ignores the path size that the system learned from ICMP, which anybody can forge.
  const bool whole = options.dont_fragment;
  set_flag(descriptor, IPPROTO_IP, IP_MTU_DISCOVER, whole ? IP_PMTUDISC_PROBE : IP_PMTUDISC_DONT);
  if (v6_) {
    set_flag(descriptor, IPPROTO_IPV6, IPV6_MTU_DISCOVER,
             whole ? IPV6_PMTUDISC_PROBE : IPV6_PMTUDISC_DONT);
    set_flag(descriptor, IPPROTO_IPV6, IPV6_DONTFRAG, whole ? 1 : 0);
  }
  offload_ = options.offload && set_flag(descriptor, IPPROTO_UDP, UDP_SEGMENT, 0);
  if (options.offload) set_flag(descriptor, IPPROTO_UDP, UDP_GRO);
  return {};
}

void linux_udp::bound(const address& local) { local_ = local; }

udp_received linux_udp::receive(const udp_slots& slots, std::span<datagram_batch> batches) {
  const std::size_t room = std::min(batches.size(), udp_max_batches);
  std::array<mmsghdr, udp_max_batches> messages;
  std::array<iovec, udp_max_batches> payloads;
  std::array<sockaddr_storage, udp_max_batches> senders;
  struct alignas(cmsghdr) controls {
    std::array<std::byte, control_room> memory;
  };
  std::array<controls, udp_max_batches> control;
  for (std::size_t i = 0; i < room; ++i) {
    payloads[i] = {slots[i].data(), udp_slot_size};
    msghdr header{};
    header.msg_name = &senders[i];
    header.msg_namelen = sizeof senders[i];
    header.msg_iov = &payloads[i];
    header.msg_iovlen = 1;
    header.msg_control = control[i].memory.data();
    header.msg_controllen = control_room;
    messages[i].msg_hdr = header;
  }

  for (int soft_errors = 0; soft_errors < max_soft_errors; ++soft_errors) {
    const int count = ::recvmmsg(socket_.native_handle(), messages.data(),
                                 static_cast<unsigned>(room), MSG_DONTWAIT, nullptr);
    if (count >= 0) {
      udp_received out{.filled = static_cast<std::size_t>(count)};
      out.drained = out.filled < room;
      for (std::size_t i = 0; i < out.filled; ++i) {
        batches[i].payload = slots[i].first(messages[i].msg_len);
        describe(messages[i].msg_hdr, messages[i].msg_len, batches[i]);
        counters.bytes_received += messages[i].msg_len;
      }
      counters.batches_received += out.filled;
      return out;
    }
    if (errno == EAGAIN) return {.drained = true};
    if (errno == EBADF || errno == ENOTSOCK || errno == EFAULT || errno == EINVAL)
      return {.fatal = system_error()};
    if (errno != EINTR) ++counters.peer_errors;
  }
  return {};
}

void linux_udp::describe(const msghdr& message, std::size_t size, datagram_batch& batch) const {
  batch.stride = static_cast<std::uint16_t>(size);
  batch.mark = ecn::not_ect;
  batch.remote = read_address(*static_cast<const sockaddr_storage*>(message.msg_name));
  batch.local = {};
  for (const cmsghdr* control = CMSG_FIRSTHDR(&message); control != nullptr;
       control = CMSG_NXTHDR(const_cast<msghdr*>(&message), const_cast<cmsghdr*>(control))) {
    const int level = control->cmsg_level;
    const int type = control->cmsg_type;
    if (level == IPPROTO_UDP && type == UDP_GRO) {
      batch.stride = static_cast<std::uint16_t>(read_control<int>(control));
    } else if ((level == IPPROTO_IP && type == IP_TOS) ||
               (level == IPPROTO_IPV6 && type == IPV6_TCLASS)) {
      batch.mark = read_mark(control);
    } else if (level == IPPROTO_IP && type == IP_PKTINFO) {
      batch.local = {octets_of(read_control<in_pktinfo>(control).ipi_addr), local_.port()};
    } else if (level == IPPROTO_IPV6 && type == IPV6_PKTINFO) {
      const auto info = read_control<in6_pktinfo>(control);
      const std::uint32_t scope = IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr) ? info.ipi6_ifindex : 0;
      batch.local = {octets_of(info.ipi6_addr), local_.port(), scope};
    }
  }
}

void linux_udp::address_message(const transmit& what, outgoing& message) const {
  if (connected_) return;
  message.header.msg_name = &message.to;
  if (v6_) {
    sockaddr_in6 to{};
    to.sin6_family = AF_INET6;
    to.sin6_port = htons(what.remote.port());
    to.sin6_addr = to_in6(what.remote);
    to.sin6_scope_id = what.remote.scope_id();
    std::memcpy(&message.to, &to, sizeof to);
    message.header.msg_namelen = sizeof to;
  } else {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(what.remote.port());
    to.sin_addr = to_in4(what.remote);
    std::memcpy(&message.to, &to, sizeof to);
    message.header.msg_namelen = sizeof to;
  }
}

void linux_udp::add_controls(const transmit& what, outgoing& message) const {
  // For a mapped destination the system reads IPv4's controls, also from an IPv6 socket.
  const bool v4 = what.remote.is_v4();
  const int mark = static_cast<int>(what.mark);
  if (mark != 0)
    message.controls = message.add(v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_TOS : IPV6_TCLASS, mark);
  if (what.local.ip_family() != what.remote.ip_family() || what.local.is_unspecified()) return;
  if (v4) {
    in_pktinfo info{};
    info.ipi_spec_dst = to_in4(what.local);
    message.controls = message.add(IPPROTO_IP, IP_PKTINFO, info);
  } else {
    in6_pktinfo info{};
    info.ipi6_addr = to_in6(what.local);
    info.ipi6_ifindex = what.local.scope_id();
    message.controls = message.add(IPPROTO_IPV6, IPV6_PKTINFO, info);
  }
}

/// Zero or the error number.
int linux_udp::send_chunk(outgoing& message, bytes chunk, std::size_t segment) {
  message.payload = {const_cast<std::byte*>(chunk.data()), chunk.size()};
  message.header.msg_iov = &message.payload;
  message.header.msg_iovlen = 1;
  std::size_t controls = message.controls;
  if (chunk.size() > segment)
    controls = message.add(IPPROTO_UDP, UDP_SEGMENT, static_cast<std::uint16_t>(segment));
  message.header.msg_control = controls == 0 ? nullptr : message.control.data();
  message.header.msg_controllen = controls;
  // An error that ICMP left on a connected socket is told to the next send, which then has not
  // happened: once more.
  for (bool retried = false;;) {
    if (send_(socket_.native_handle(), &message.header, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) break;
    if (errno == EINTR) continue;
    if (errno == ENOBUFS || errno == ENOMEM) {
      ++counters.sends_dropped;
      return 0;
    }
    if (errno != ECONNREFUSED || retried) return errno;
    ++counters.peer_errors;
    retried = true;
  }
  ++counters.batches_sent;
  counters.bytes_sent += chunk.size();
  return 0;
}

result<std::size_t> linux_udp::send(const transmit& what, bytes payload) {
  if (what.remote.is_v6() && !v6_) return std::unexpected(make_error_code(errc::unreachable));
  const std::size_t segment = what.segment == 0 ? payload.size() : what.segment;
  if (segment > udp_max_payload) return std::unexpected(make_error_code(errc::message_too_large));
  outgoing message;
  address_message(what, message);
  add_controls(what, message);
  const std::size_t segments =
      segment == 0 ? 1 : std::min(udp_max_segments, udp_max_payload / segment);
  std::size_t limit = may_offload(what.remote) ? segments * segment : segment;
  bool suspect = false;  // a batch was refused: is it the batch, or the datagram?
  std::size_t done = 0;
  do {
    const bytes chunk = payload.subspan(done, std::min(limit, payload.size() - done));
    const int failure = send_chunk(message, chunk, segment);
    if (chunk.size() > segment && refuses_batch(failure)) {
      suspect = true;
      limit = segment;
      continue;
    }
    if (failure == EAGAIN && done != 0) return done;
    if (failure != 0) return std::unexpected(map_send_error(failure));
    if (std::exchange(suspect, false)) refuse_offload(what.remote);
    done += chunk.size();
  } while (done < payload.size());
  return done;
}

bool linux_udp::may_offload(const address& remote) const noexcept {
  return offload_ && (offload_refused_.empty() ||
                      std::ranges::find(offload_refused_, remote) == offload_refused_.end());
}

void linux_udp::refuse_offload(const address& remote) {
  ++counters.offload_refusals;
  if (offload_refused_.size() == max_refusing_destinations) {
    offload_ = false;
    return;
  }
  offload_refused_.push_back(remote);
}

std::unique_ptr<udp_system> make_linux_udp(asio::ip::udp::socket& socket) {
  return std::make_unique<linux_udp>(socket);
}

#if !defined(STRATA_PORTABLE_UDP)
std::unique_ptr<udp_system> make_default_udp(asio::ip::udp::socket& socket) {
  return make_linux_udp(socket);
}
#endif

}  // namespace v0
}  // namespace strata::transport
