// SPDX-License-Identifier: Apache-2.0
#include "observed_pair.hpp"

#include <algorithm>
#include <stdexcept>

#include "core/connection/outgoing_batch.hpp"
#include "core/crypto/key_schedule.hpp"
#include "strata/quic/core/limits.hpp"

namespace strata::testkit {

namespace core = quic::core;

namespace {

core::endpoint_config accepting() {
  core::endpoint_config config;
  config.accept_incoming = true;
  return config;
}

}  // namespace

void recorder::packet_sent(const quic::observed::packet_sent& what) {
  sent.push_back({what.kind, what.number, {what.payload.begin(), what.payload.end()}});
}
void recorder::packet_dropped(const quic::observed::packet_dropped& what) {
  dropped.emplace_back(what.trigger);
}
void recorder::key_discarded(const quic::observed::key_discarded& what) {
  discarded.push_back(what.level);
}
void recorder::key_updated(const quic::observed::key_updated& what) {
  if (what.trigger != "tls") key_updates.emplace_back(what.trigger);
}
void recorder::parameters_set(const quic::observed::parameters_set& what) {
  if (!what.local) peer_parameters = what.parameters;
}

bool recorder::has_dropped(const std::string& trigger) const {
  return std::ranges::find(dropped, trigger) != dropped.end();
}

std::vector<core::frame> recorder::frames(quic::observed::packet_kind kind) const {
  std::vector<core::frame> all;
  for (const packet& one : sent) {
    if (one.kind != kind) continue;
    for (transport::buffer_reader reader(one.payload); !reader.empty();)
      all.push_back(core::decode_frame(reader).value());
  }
  return all;
}

octets seal(core::packet_protection& keys, const forged_initial& packet) {
  octets out(packet.size + 2000);
  transport::buffer_writer writer(out);
  const auto layout = core::write_long_header(writer, {.type = core::packet_type::initial,
                                                       .destination = packet.destination.bytes(),
                                                       .source = packet.source.bytes(),
                                                       .token = packet.token,
                                                       .packet_number = packet.number,
                                                       .packet_number_size = 4});
  writer.put(packet.payload);
  const std::size_t end = writer.size() + core::aead_tag_size;
  if (end < packet.size) writer.zeros(packet.size - end);
  const std::size_t payload_size = writer.size() - layout.size;
  core::patch_length(out.data(), layout.length_offset, 4 + payload_size + core::aead_tag_size);
  out[0] ^= packet.flip_first_byte;
  keys.seal(packet.number, out.data(), layout.size, payload_size);
  const std::byte* sample = out.data() + layout.packet_number_offset + 4;
  core::header_mask mask;
  keys.header_masks({&sample, 1}, {&mask, 1});
  core::apply_header_mask(out.data(), layout.packet_number_offset, 4, mask);
  out.resize(layout.size + payload_size + core::aead_tag_size);
  return out;
}

std::vector<core::packet_header> headers_of(const octets& datagram) {
  std::vector<core::packet_header> all;
  for (transport::bytes rest = datagram; !rest.empty(); rest = rest.subspan(all.back().size))
    all.push_back(core::parse_header(rest, 8).value());
  return all;
}

bool holds(const octets& datagram, core::packet_type type) {
  return std::ranges::any_of(headers_of(datagram),
                             [type](const auto& header) { return header.type == type; });
}

observed_pair::observed_pair(const core::connection_config& client_config,
                             const core::null_tls_options& tls_options)
    : client_tls(make_null_tls(client_random, tls_options)),
      server_tls(make_null_tls(server_random, tls_options)),
      config(client_config),
      client({}, client_random, clock, *client_tls),
      server(accepting(), server_random, clock, *server_tls) {
  client.observe(&client_seen);
  server.observe(&server_seen);
}

void observed_pair::connect() {
  client_handle =
      client.connect(now, transport::address::loopback_v4(443), "server.test", config).value();
  first_destination = of_client().original_destination();
}

observed_pair::datagrams observed_pair::take(core::endpoint& from) {
  datagrams all;
  octets out(core::limits::max_batch_bytes);
  while (const auto batch = from.poll_transmit(now, out, core::limits::max_batch_segments)) {
    for (std::size_t offset = 0; offset < batch->size; offset += batch->segment) {
      const auto part = transport::bytes(out).subspan(
          offset, std::min<std::size_t>(batch->segment, batch->size - offset));
      all.emplace_back(part.begin(), part.end());
    }
  }
  return all;
}

void observed_pair::to_client(const octets& datagram, const transport::address& from) {
  octets copy = datagram;
  client.receive(now, {copy, static_cast<std::uint16_t>(copy.size()), transport::ecn::not_ect, from,
                       transport::address::loopback_v4(7000)});
  core::event ignored;
  while (client.poll_event(ignored)) {}
  client.release_input();
}

void observed_pair::to_server(const octets& datagram) {
  octets copy = datagram;
  server.receive(now,
                 {copy, static_cast<std::uint16_t>(copy.size()), transport::ecn::not_ect,
                  transport::address::loopback_v4(7000), transport::address::loopback_v4(443)});
  core::event occurred;
  while (server.poll_event(occurred)) {
    if (occurred.kind != core::event_kind::incoming) continue;
    address_validated = server.incoming(occurred.value)->address_validated;
    const auto decided = server.decide(now, occurred.value, admission);
    if (decided && admission == core::decision::accept) server_handle = *decided;
  }
  server.release_input();
}

void observed_pair::to_client(const datagrams& all) {
  for (const octets& datagram : all) to_client(datagram);
}

void observed_pair::to_server(const datagrams& all) {
  for (const octets& datagram : all) to_server(datagram);
}

void observed_pair::pass_time(core::endpoint& whose) {
  const auto next = whose.next_timeout();
  if (!next) throw std::logic_error("the endpoint waits for nothing");
  now = std::max(now, *next);
  whose.handle_timeout(now);
}

core::packet_protection observed_pair::client_keys() {
  return std::move(core::derive_initial_protection(first_destination, true).value().client);
}

core::packet_protection observed_pair::server_keys() {
  return std::move(core::derive_initial_protection(first_destination, true).value().server);
}

}  // namespace strata::testkit
