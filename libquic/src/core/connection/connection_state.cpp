// SPDX-License-Identifier: Apache-2.0
#include "core/connection/connection_state.hpp"

#include <algorithm>

#include "core/crypto/key_schedule.hpp"
#include "strata/quic/core/limits.hpp"
#include "strata/transport/core/error.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {
namespace {

std::chrono::milliseconds to_milliseconds(std::uint64_t value) {
  // A peer may name 2^62-1: a day is as good as for ever, and nothing computed from it overflows.
  constexpr std::uint64_t longest = 86'400'000;
  return std::chrono::milliseconds(std::min(value, longest));
}

loss_detector::config recovery_config(role side, const connection_config& config) {
  return {.side = side,
          .initial_rtt = config.initial_rtt,
          .max_datagram_size = config.max_datagram_size,
          .algorithm = config.congestion};
}

/// The watermark in whole batches of one sendmsg: what is left over would leave in a batch of its
/// own, at the price of a full one.
std::uint64_t whole_batches(std::uint64_t watermark, std::uint64_t datagram_size) {
  // Short header with an 8-byte connection ID, STREAM frame header, tag.
  constexpr std::uint64_t overhead = 44;
  const std::uint64_t datagrams =
      std::min<std::uint64_t>(limits::max_batch_segments, limits::max_batch_bytes / datagram_size);
  const std::uint64_t batch = datagrams * (datagram_size - overhead);
  return watermark < batch ? watermark : watermark - watermark % batch;
}

}  // namespace

connection_state::connection_state(time_point now, const connection_surroundings& surroundings,
                                   const connection_origin& origin, const connection_config& config)
    : surroundings_(surroundings),
      handle_(origin.handle),
      side_(origin.side),
      config_(config),
      original_destination_(origin.original_destination),
      path_(origin.local, origin.remote, origin.address_validated || origin.side == role::client),
      local_ids_(
          {surroundings.router, surroundings.random, surroundings.tokens, origin.handle.slot}),
      peer_ids_(surroundings.router, origin.handle.slot),
      recovery_(recovery_config(origin.side, config)),
      acks_{ack_tracker(transport::duration::zero()), ack_tracker(transport::duration::zero()),
            ack_tracker(config.max_ack_delay)},
      streams_(stream_config(), events_, surroundings.pages),
      max_datagram_size_(
          //= RFC 9000 section 14
          //# QUIC MUST NOT be used if the network path cannot support a maximum datagram size of
          //# at least 1200 bytes.
          std::max<std::uint64_t>(config.max_datagram_size, limits::min_initial_datagram)),
      started_(now),
      last_received_(now),
      last_eliciting_sent_(now),
      idle_timeout_(config.max_idle_timeout) {
  keys_.set_update_after(config.key_update_after);
  observe(observer::connectivity, [&](observer& who) {
    who.connection_started({subject(now), path_.local(), path_.remote()});
  });
  if (side_ == role::client) {
    start_client(now, origin);
  } else {
    start_server(now, origin);
  }
}

connection_state::~connection_state() = default;

stream_table::config connection_state::stream_config() const {
  return {.side = side_,
          .max_data = config_.initial_max_data,
          .max_stream_data_bidi_local = config_.initial_max_stream_data,
          .max_stream_data_bidi_remote = config_.initial_max_stream_data,
          .max_stream_data_uni = config_.initial_max_stream_data,
          .max_streams_bidi = config_.max_streams_bidi,
          .max_streams_uni = config_.max_streams_uni,
          .max_window = config_.max_window,
          .max_stream_window = config_.max_stream_window,
          .write_watermark = whole_batches(
              config_.write_watermark,
              std::max<std::uint64_t>(config_.max_datagram_size, limits::min_initial_datagram))};
}

transport_parameters connection_state::local_parameters(const connection_origin& origin) const {
  transport_parameters own;
  own.max_idle_timeout = static_cast<std::uint64_t>(config_.max_idle_timeout.count());
  own.initial_max_data = config_.initial_max_data;
  own.initial_max_stream_data_bidi_local = config_.initial_max_stream_data;
  own.initial_max_stream_data_bidi_remote = config_.initial_max_stream_data;
  own.initial_max_stream_data_uni = config_.initial_max_stream_data;
  own.initial_max_streams_bidi = config_.max_streams_bidi;
  own.initial_max_streams_uni = config_.max_streams_uni;
  own.max_ack_delay = static_cast<std::uint64_t>(config_.max_ack_delay.count());
  own.disable_active_migration = true;
  own.active_connection_id_limit = limits::active_connection_id_limit;
  own.initial_source_connection_id = local_ids_.initial();
  //= RFC 9000 section 18.2
  //# This transport parameter MUST NOT be sent by a client
  //= RFC 9000 section 18.2
  //# A client MUST NOT include any server-only transport parameter
  if (side_ == role::server) {
    own.original_destination_connection_id = origin.original_destination;
    own.retry_source_connection_id = origin.retry_source;
    own.stateless_reset_token = surroundings_.tokens.reset_token(local_ids_.initial());
  }
  return own;
}

void connection_state::start_client(time_point now, const connection_origin& origin) {
  //= RFC 9000 section 7.2
  //# Until a packet is received from the server, the client MUST use the same Destination
  //# Connection ID value on all packets in this connection
  peer_ids_.set_initial(origin.original_destination);
  begin_handshake(now, origin);
}

void connection_state::start_server(time_point now, const connection_origin& origin) {
  //= RFC 9000 section 7.2
  //# A server MUST set the Destination Connection ID it uses for sending packets based on the
  //# first received Initial packet.
  peer_ids_.set_initial(origin.peer_source);
  peer_initial_source_ = origin.peer_source;
  peer_source_known_ = true;
  issue_new_tokens_ = origin.issue_new_token;
  local_ids_.add_provisional(origin.first_destination);
  begin_handshake(now, origin);
  if (path_.validated()) recovery_.on_peer_completed_address_validation(now);
}

void connection_state::begin_handshake(time_point now, const connection_origin& origin) {
  next_skip_ = 1 + surroundings_.random.below(limits::packet_number_skip_period);
  const bool client = side_ == role::client;
  auto keys = client ? derive_initial_protection(origin.original_destination,
                                                 surroundings_.tls.null_protection())
                     : result<initial_protection>(std::move(*origin.initial_keys));
  auto session = begin_session(now, origin);
  if (!keys || !session) {
    return fail(
        now, {transport_error::internal_error, 0, "the TLS library could not begin a handshake"});
  }
  keys_.set_initial(std::move(client ? keys->server : keys->client),
                    std::move(client ? keys->client : keys->server));
  if (auto begun = handshake_.start(std::move(*session)); !begun) return fail(now, begun.error());
  touch();
}

transport::result<std::unique_ptr<tls_session>> connection_state::begin_session(
    time_point now, const connection_origin& origin) {
  std::array<std::byte, transport_parameters::max_encoded_size> memory;
  transport::buffer_writer writer(memory);
  std::array<std::byte, transport_parameters::grease_size> grease;
  surroundings_.random.fill(grease);
  const transport_parameters own = local_parameters(origin);
  encode(own, writer, config_.grease ? bytes(grease) : bytes());
  observe(observer::transport,
          [&](observer& who) { who.parameters_set({subject(now), true, own}); });
  if (side_ == role::server) return surroundings_.tls.accept(writer.written());
  if (!config_.tls) return surroundings_.tls.connect(origin.server_name, writer.written());
  return surroundings_.tls.connect_with(*config_.tls, origin.server_name, writer.written());
}

void connection_state::set_peer_parameters(const transport_parameters& peer) {
  peer_parameters_ = peer;
  parameters_known_ = true;
  streams_.set_peer_limits(peer);
  recovery_.set_peer_max_ack_delay(to_milliseconds(peer.max_ack_delay));
  max_datagram_size_ = std::min(max_datagram_size_, peer.max_udp_payload_size);
  //= RFC 9000 section 10.1
  //# Each endpoint advertises a max_idle_timeout, but the effective value at an endpoint is computed as
  //# the minimum of the two advertised values (or the sole advertised value, if only one endpoint
  //# advertises a non-zero value).
  const auto theirs = to_milliseconds(peer.max_idle_timeout);
  if (theirs.count() != 0)
    idle_timeout_ = idle_timeout_.count() == 0 ? theirs : std::min(idle_timeout_, theirs);
  if (peer.stateless_reset_token) peer_ids_.set_initial_reset_token(*peer.stateless_reset_token);
}

void connection_state::release_memory(time_point now) {
  holds_memory_ = false;
  keys_.release_memory(now);
  recovery_.release_memory();
  streams_.shrink();
  events_.shrink();
}

void connection_state::release_input() {
  streams_.release_input();
  if (!replayed_.empty()) replayed_ = {};
}

void connection_state::close(time_point now, std::uint64_t code, std::string_view reason) {
  if (phase_ != phase::open) return;
  enter_closing(now, {.origin = close_reason::origin_kind::local_application,
                      .code = code,
                      .frame_type = 0,
                      .reason = std::string(reason.substr(0, limits::max_reason_size))});
}

connection_statistics connection_state::statistics() const noexcept {
  connection_statistics now = statistics_;
  now.packets_lost = recovery_.packets_lost();
  now.congestion_window = recovery_.congestion_window();
  now.bytes_in_flight = recovery_.bytes_in_flight();
  now.streams_open = streams_.count().streams_open;
  now.smoothed_rtt = recovery_.rtt().smoothed();
  now.minimum_rtt = recovery_.rtt().minimum();
  return now;
}

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
