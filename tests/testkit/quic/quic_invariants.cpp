// SPDX-License-Identifier: Apache-2.0
#include "testkit/quic/quic_invariants.hpp"

#include <stdexcept>
#include <string>
#include <variant>

#include "core/wire/frame.hpp"
#include "core/wire/packet_header.hpp"
#include "strata/quic/core/limits.hpp"

namespace strata::testkit {

using namespace quic;
using transport::bytes;

namespace {

[[noreturn]] void breach(const std::string& what) { throw std::logic_error(what); }

/// The frames of a packet that was just written must all be readable; true when one of them is a
/// CONNECTION_CLOSE.
bool check_frames(bytes payload) {
  bool closes = false;
  transport::buffer_reader reader(payload);
  if (reader.empty()) breach("a packet without a frame was sent");
  while (!reader.empty()) {
    const auto frame = core::decode_frame(reader);
    if (!frame) breach("a frame was sent that cannot be read");
    closes = closes || std::holds_alternative<core::connection_close_frame>(*frame);
  }
  return closes;
}

}  // namespace

quic_invariants::numbers& quic_invariants::of(const observed::subject& about) {
  const transport::bytes id = about.original_destination.bytes();
  return connections_[{std::vector<std::byte>(id.begin(), id.end()), about.side}];
}

void quic_invariants::connection_closed(const observed::connection_closed& event) {
  numbers& known = of(event.about);
  if (known.closed) breach("a connection was closed twice");
  known.closed = true;
}

void quic_invariants::packet_sent(const observed::packet_sent& event) {
  numbers& known = of(event.about);
  const bool closes = check_frames(event.payload);
  // A client's Finished goes out before its first CONNECTION_CLOSE.
  const bool owed = event.kind == observed::packet_kind::handshake && !known.close_sent;
  if (known.closed && !closes && !owed) breach("a packet was sent after the end");
  known.close_sent = known.close_sent || closes;
  std::uint64_t& next = known.next_to_send[static_cast<unsigned>(event.kind)];
  if (event.number < next) breach("packet number " + std::to_string(event.number) + " again");
  next = event.number + 1;
}

void quic_invariants::packet_received(const observed::packet_received& event) {
  numbers& known = of(event.about);
  if (!known.received[static_cast<unsigned>(event.kind)].insert(event.number).second)
    breach("packet " + std::to_string(event.number) + " was processed twice");
}

void quic_invariants::recovery_metrics_updated(const observed::recovery_metrics_updated& event) {
  const std::uint64_t most = core::limits::max_tracked_packets * core::limits::max_batch_bytes;
  if (event.congestion_window == 0) breach("the congestion window is gone");
  if (event.bytes_in_flight > most) breach("bytes in flight have run below zero");
  if (event.smoothed_rtt.count() < 0 || event.minimum_rtt > event.latest_rtt)
    breach("an rtt that cannot be");
}

void amplification_watch::on_received(const transport::address& from, bytes datagram) {
  traffic& known = addresses_[from];
  known.received += datagram.size();
  while (!known.proved && !datagram.empty()) {
    const auto header = core::parse_header(datagram, 8);
    if (!header) return;
    known.proved = header->type == core::packet_type::handshake ||
                   (header->type == core::packet_type::initial && !header->token.empty());
    datagram = datagram.subspan(header->size);
  }
}

void amplification_watch::on_sent(const transport::address& to, std::size_t size) {
  traffic& known = addresses_[to];
  known.sent += size;
  if (!known.proved && known.sent > core::limits::amplification_factor * known.received) {
    breach("sent " + std::to_string(known.sent) + " bytes to an address that has sent " +
           std::to_string(known.received));
  }
}

}  // namespace strata::testkit
