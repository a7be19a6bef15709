// SPDX-License-Identifier: Apache-2.0
#include "testkit/quic/raw_peer.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "core/connection/outgoing_batch.hpp"
#include "core/crypto/key_schedule.hpp"
#include "strata/quic/core/limits.hpp"

namespace strata::testkit {

using quic::encryption_level;
using quic::space_of;
using transport::bytes;
using transport::mutable_bytes;

namespace {

core::packet_type packet_type_of(encryption_level level) {
  switch (level) {
    case encryption_level::initial: return core::packet_type::initial;
    case encryption_level::early_data: return core::packet_type::zero_rtt;
    case encryption_level::handshake: return core::packet_type::handshake;
    case encryption_level::application: break;
  }
  return core::packet_type::one_rtt;
}

encryption_level level_of(core::packet_type type) {
  switch (type) {
    case core::packet_type::initial: return encryption_level::initial;
    case core::packet_type::handshake: return encryption_level::handshake;
    default: return encryption_level::application;
  }
}

std::uint64_t handshake_bytes(bytes frames) {
  std::uint64_t sum = 0;
  for (transport::buffer_reader reader(frames); !reader.empty();)
    sum += std::get<core::crypto_frame>(core::decode_frame(reader).value()).data.size();
  return sum;
}

}  // namespace

raw_peer::raw_peer(core::endpoint& endpoint, core::tls_backend& tls, std::uint64_t seed)
    : endpoint_(endpoint), tls_(tls), random_(seed) {
  std::array<std::byte, 8> id;
  random_.fill(id);
  own_id_ = quic::connection_id(id);
  random_.fill(id);
  peer_id_ = quic::connection_id(id);
  parameters.initial_source_connection_id = own_id_;
  parameters.initial_max_data = 1 << 20;
  parameters.initial_max_stream_data_bidi_local = 1 << 18;
  parameters.initial_max_stream_data_bidi_remote = 1 << 18;
  parameters.initial_max_stream_data_uni = 1 << 18;
  parameters.initial_max_streams_bidi = 100;
  parameters.initial_max_streams_uni = 100;
  parameters.active_connection_id_limit = 4;
}

void raw_peer::start() {
  const bool null = tls_.null_protection();
  auto initial = core::derive_initial_protection(peer_id_, null).value();
  keys(encryption_level::initial) = {std::move(initial.server), std::move(initial.client)};
  std::vector<std::byte> memory(core::transport_parameters::max_encoded_size +
                                extra_parameters.size());
  transport::buffer_writer writer(memory);
  encode(parameters, writer);
  writer.put(extra_parameters);
  handshake_.start(tls_.connect("server.test", writer.written()).value());
  send_handshake_bytes();
}

void raw_peer::follow(const retry& asked) {
  peer_id_ = asked.source;
  token = asked.token;
  handshake_ = core::handshake();
  start();
}

void raw_peer::listen(core::connection_handle connection) {
  connection_ = connection;
  listens_ = true;
  peer_id_known_ = true;
  ready_ = handshake_done_ = true;  // What a client waits for is no matter of a server.
}

/// The client's first packet has come: its IDs give the keys and the parameters.
void raw_peer::begin_as_server(const core::packet_header& initial) {
  peer_id_ = quic::connection_id(initial.source);
  const quic::connection_id original(initial.destination);
  auto made = core::derive_initial_protection(original, tls_.null_protection()).value();
  keys(encryption_level::initial) = {std::move(made.client), std::move(made.server)};
  if (names_original && !parameters.original_destination_connection_id)
    parameters.original_destination_connection_id = original;
  std::vector<std::byte> memory(core::transport_parameters::max_encoded_size +
                                extra_parameters.size());
  transport::buffer_writer writer(memory);
  encode(parameters, writer);
  writer.put(extra_parameters);
  handshake_.start(tls_.accept(writer.written()).value());
}

void raw_peer::update_keys() {
  write_secret_ = core::next_phase_secret(write_secret_).value();
  auto& write = keys(encryption_level::application).write;
  auto next = write.next_phase(write_secret_.view()).value();
  write = std::move(next);
  key_phase_ = !key_phase_;
}

std::vector<std::byte> raw_peer::make_packet(const raw_packet& packet) {
  const auto space = static_cast<std::size_t>(space_of(packet.level));
  core::packet_protection& write = keys(packet.level).write;
  if (!write) throw std::logic_error("the raw peer has no keys of that level");
  const std::uint64_t number = packet.number.value_or(next_number_[space]);
  next_number_[space] = std::max(next_number_[space], number + 1);
  const quic::connection_id destination = packet.destination.value_or(peer_id_);
  const quic::connection_id source = packet.source.value_or(own_id_);

  std::vector<std::byte> out(66'000);
  transport::buffer_writer writer(out);
  constexpr std::size_t number_size = 4;
  std::size_t length_offset = 0;
  if (packet.level == encryption_level::application) {
    core::write_short_header(writer, {.destination = destination.bytes(),
                                      .key_phase = key_phase_,
                                      .packet_number = number,
                                      .packet_number_size = number_size});
  } else {
    length_offset = core::write_long_header(
                        writer, {.type = packet_type_of(packet.level),
                                 .destination = destination.bytes(),
                                 .source = source.bytes(),
                                 .token = packet.token.empty() ? bytes(token) : bytes(packet.token),
                                 .packet_number = number,
                                 .packet_number_size = number_size})
                        .length_offset;
  }
  const std::size_t header_size = writer.size();
  writer.put(packet.payload);
  const std::size_t end = writer.size() + core::aead_tag_size;
  if (end < packet.pad_datagram_to) writer.zeros(packet.pad_datagram_to - end);
  const std::size_t payload_size = writer.size() - header_size;
  if (length_offset != 0) {
    core::patch_length(out.data(), length_offset, number_size + payload_size + core::aead_tag_size);
  }
  out[0] ^= packet.flip_first_byte;
  write.seal(number, out.data(), header_size, payload_size);
  const std::byte* sample = out.data() + header_size - number_size + 4;
  core::header_mask mask;
  write.header_masks({&sample, 1}, {&mask, 1});
  core::apply_header_mask(out.data(), header_size - number_size, number_size, mask);
  out.resize(writer.size() + core::aead_tag_size);
  if (packet.corrupt) out.back() ^= std::byte{1};
  return out;
}

void raw_peer::send(const raw_packet& packet) { send_datagram(make_packet(packet)); }

void raw_peer::send_datagram(std::vector<std::byte> datagram) {
  if (std::exchange(sends_twice, false)) {
    send_datagram(datagram);
    send_datagram(std::move(datagram));
    sends_twice = true;
    return;
  }
  bytes_sent_ += datagram.size();
  const auto stride = static_cast<std::uint16_t>(datagram.size());
  endpoint_.receive(now,
                    {datagram, stride, transport::ecn::not_ect, own_address, endpoint_address});
  drain_events();
  endpoint_.release_input();
}

void raw_peer::drain_events() {
  core::event occurred;
  while (endpoint_.poll_event(occurred)) {
    const bool incoming = occurred.kind == core::event_kind::incoming;
    const core::incoming_attempt* attempt = incoming ? endpoint_.incoming(occurred.value) : nullptr;
    const bool own = incoming ? attempt != nullptr && attempt->remote == own_address
                              : occurred.connection == connection_;
    if (neighbours != nullptr && !own) {
      neighbours->on_event(occurred);
      continue;
    }
    if (on_own_event) on_own_event(occurred);
    if (keeps_frames) events.push_back(occurred);
    if (incoming && decides) {
      const auto decided = endpoint_.decide(now, occurred.value, admission);
      if (decided && admission == core::decision::accept) connection_ = *decided;
    }
    if (occurred.kind == core::event_kind::ready) ready_ = true;
  }
}

void raw_peer::pump() {
  drain_events();
  std::vector<std::byte> out(core::limits::max_batch_bytes);
  while (const auto batch = endpoint_.poll_transmit(now, out, core::limits::max_batch_segments)) {
    if (neighbours != nullptr && batch->remote != own_address) {
      neighbours->on_datagrams(*batch, mutable_bytes(out).first(batch->size));
      continue;
    }
    for (std::size_t offset = 0; offset < batch->size; offset += batch->segment) {
      const std::size_t size = std::min<std::size_t>(batch->segment, batch->size - offset);
      receive(mutable_bytes(out).subspan(offset, size));
    }
    drain_events();
  }
}

bool raw_peer::pass_time() {
  const auto next = endpoint_.next_timeout();
  if (!next) return false;
  now = std::max(now, *next);
  endpoint_.handle_timeout(now);
  drain_events();
  pump();
  return true;
}

void raw_peer::receive(mutable_bytes datagram) {
  ++datagrams_received_;
  bytes_received_ += datagram.size();
  while (!datagram.empty()) {
    const auto header = core::parse_header(datagram, own_id_.size());
    if (!header) return;
    if (header->type == core::packet_type::version_negotiation) return;
    if (const auto asked = core::parse_retry(datagram)) {
      retries.push_back(
          {quic::connection_id(asked->source), {asked->token.begin(), asked->token.end()}});
      return;
    }
    if (header->type == core::packet_type::retry) return;
    if (listens_ && !keys(encryption_level::initial).read) begin_as_server(*header);
    receive_packet(datagram.first(header->size), *header);
    datagram = datagram.subspan(header->size);
  }
}

void raw_peer::receive_packet(mutable_bytes packet, const core::packet_header& header) {
  const encryption_level level = level_of(header.type);
  core::packet_protection& read = keys(level).read;
  const std::size_t number_offset = header.packet_number_offset;
  if (!read || packet.size() < number_offset + 20) return;
  const std::byte* sample = packet.data() + number_offset + 4;
  core::header_mask mask;
  read.header_masks({&sample, 1}, {&mask, 1});
  const std::byte first =
      packet[0] ^ (mask[0] & (core::is_long_header(packet[0]) ? std::byte{0x0f} : std::byte{0x1f}));
  const std::size_t number_size = core::packet_number_size_of(first);
  core::apply_header_mask(packet.data(), number_offset, number_size, mask);
  auto& largest = largest_[static_cast<std::size_t>(space_of(level))];
  transport::buffer_reader reader(packet.subspan(number_offset, number_size));
  const std::uint64_t number = core::decode_packet_number(largest, reader.fixed(number_size),
                                                          static_cast<unsigned>(8 * number_size));
  const std::size_t header_size = number_offset + number_size;
  if (!open_packet(read, number, header_size, packet)) return;
  largest = std::max(largest.value_or(0), number);
  if (!peer_id_known_ && level == encryption_level::initial) {
    peer_id_ = quic::connection_id(header.source);
    peer_id_known_ = true;
  }
  to_acknowledge_[static_cast<std::size_t>(space_of(level))].push_back(number);
  const mutable_bytes payload =
      packet.subspan(header_size, packet.size() - header_size - core::aead_tag_size);
  if (!keeps_frames) return receive_frames(level, payload);
  payloads_.emplace_back(payload.begin(), payload.end());
  receive_frames(level, payloads_.back());
}

/// With the keys of the next phase too, when those of this one do not fit.
bool raw_peer::open_packet(core::packet_protection& read, std::uint64_t number,
                           std::size_t header_size, mutable_bytes packet) {
  const std::vector<std::byte> before(packet.begin(), packet.end());
  if (read.open(number, packet.first(header_size), packet.subspan(header_size))) return true;
  if (&read != &keys(encryption_level::application).read) return false;
  const auto secret = core::next_phase_secret(read_secret_);
  auto next = read.next_phase(secret->view());
  transport::copy_bytes(packet.data(), before);
  if (!next || !next->open(number, packet.first(header_size), packet.subspan(header_size)))
    return false;
  read = std::move(*next);
  read_secret_ = *secret;
  return true;
}

void raw_peer::receive_frames(encryption_level level, bytes payload) {
  transport::buffer_reader reader(payload);
  while (!reader.empty()) {
    const auto decoded = core::decode_frame(reader);
    if (!decoded) throw std::logic_error("the endpoint sent a frame that does not decode");
    const std::uint64_t type = type_of(*decoded);
    //= RFC 9000 section 12.5
    //# All other frame types MUST only be sent in the application data packet number space.
    if (!core::is_allowed(type, packet_type_of(level)))
      throw std::logic_error("the endpoint sent a frame where it may not");
    if (keeps_frames) received_.push_back({level, type, *decoded});
    if (const auto* crypto = std::get_if<core::crypto_frame>(&*decoded)) {
      static_cast<void>(handshake_.on(level, *crypto));
      install_secrets();
    }
    if (const auto* close = std::get_if<core::connection_close_frame>(&*decoded);
        close != nullptr && !close_) {
      close_reason_.assign(close->reason_phrase.begin(), close->reason_phrase.end());
      close_ = *close;
      close_->reason_phrase = close_reason_;
    }
    if (std::holds_alternative<core::handshake_done_frame>(*decoded)) handshake_done_ = true;
    if (const auto* id = std::get_if<core::new_connection_id_frame>(&*decoded))
      issued.push_back(id->connection_id);
  }
}

void raw_peer::install_secrets() {
  quic::core::traffic_secret secret;
  while (handshake_.poll_secret(secret)) {
    auto made = core::packet_protection::from_secret(secret.cipher, secret.view()).value();
    const bool reads = secret.way == core::traffic_secret::direction::read;
    if (secret.level == encryption_level::application)
      (reads ? read_secret_ : write_secret_) = secret;
    auto& level = keys(secret.level);
    (reads ? level.read : level.write) = std::move(made);
  }
}

void raw_peer::send_handshake_bytes() {
  std::vector<quic::core::sent_frame> noted;
  for (const encryption_level level :
       {encryption_level::initial, encryption_level::handshake, encryption_level::application}) {
    auto& stream = handshake_.stream(space_of(level));
    while (stream.has_output() && keys(level).write) {
      std::vector<std::byte> payload(1000);
      transport::buffer_writer writer(payload);
      core::packet_payload room{writer, noted};
      stream.write_frames(room);
      payload.resize(writer.size());
      if (scatters_first_flight && level == encryption_level::initial) {
        send_scattered(payload);
      } else {
        if (level == encryption_level::application) tickets_sent_ += handshake_bytes(payload);
        send({.level = level, .payload = std::move(payload), .pad_datagram_to = 1200});
      }
    }
  }
}

/// The CRYPTO frames again, each byte in a frame of its own, from the last to the first, odd ones
/// before even ones.
void raw_peer::send_scattered(bytes frames) {
  constexpr std::size_t most = 1100;
  std::vector<std::byte> payload;
  for (const std::uint64_t parity : {1u, 0u}) {
    for (transport::buffer_reader reader(frames); !reader.empty();) {
      const auto decoded = core::decode_frame(reader).value();
      const auto& crypto = std::get<core::crypto_frame>(decoded);
      for (std::size_t i = crypto.data.size(); i-- > 0;) {
        if ((crypto.offset + i) % 2 != parity) continue;
        const auto crumb =
            encode_all(core::crypto_frame{crypto.offset + i, crypto.data.subspan(i, 1)});
        payload.insert(payload.end(), crumb.begin(), crumb.end());
        if (payload.size() < most) continue;
        send({.level = encryption_level::initial,
              .payload = std::exchange(payload, {}),
              .pad_datagram_to = 1200});
      }
    }
  }
  send({.level = encryption_level::initial, .payload = payload, .pad_datagram_to = 1200});
}

void raw_peer::acknowledge(encryption_level level) {
  auto& numbers = to_acknowledge_[static_cast<std::size_t>(space_of(level))];
  if (numbers.empty() || !keys(level).write) return;
  std::ranges::sort(numbers, std::greater());
  std::vector<core::ack_range> ranges;
  for (const std::uint64_t number : numbers) {
    if (!ranges.empty() && ranges.back().smallest == number + 1) {
      ranges.back().smallest = number;
    } else if (ranges.empty() || ranges.back().smallest > number) {
      ranges.push_back({number, number});
    }
  }
  std::vector<std::byte> payload(1000);
  transport::buffer_writer writer(payload);
  core::encode_ack({.ranges = ranges, .ack_delay = 0, .ecn_counts = {}}, writer);
  payload.resize(writer.size());
  send({.level = level,
        .payload = std::move(payload),
        .pad_datagram_to = level == encryption_level::initial ? 1200u : 0u});
  numbers.clear();
}

bool raw_peer::complete_handshake() {
  for (unsigned round = 0; round < 20 && !close_; ++round) {
    pump();
    send_handshake_bytes();
    if (acknowledges) {
      for (const auto level : {encryption_level::initial, encryption_level::handshake,
                               encryption_level::application}) {
        acknowledge(level);
      }
    }
    const bool completed = listens_ ? handshake_.complete() : handshake_done_ && ready_;
    if (completed) {
      if (listens_) send_frames(core::handshake_done_frame{});
      // What the endpoint sends by itself after the handshake is out of the way of the test.
      pump();
      received_.clear();
      return true;
    }
  }
  return false;
}

}  // namespace strata::testkit
