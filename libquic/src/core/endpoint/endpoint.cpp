// SPDX-License-Identifier: Apache-2.0
#include "strata/quic/core/endpoint.hpp"

#include <algorithm>
#include <cassert>

#include "core/endpoint/endpoint_state.hpp"
#include "strata/quic/core/limits.hpp"
#include "strata/transport/core/error.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {
namespace {

std::uint64_t random_key(transport::random_source& random) {
  std::array<std::byte, 8> octets;
  random.fill(octets);
  return transport::buffer_reader(octets).u64();
}

}  // namespace

endpoint::state::state(const endpoint_config& configuration, transport::random_source& source,
                       transport::wall_clock& clock, tls_backend& backend)
    : config(configuration),
      random(source),
      tls(backend),
      tokens(config.static_key, source, clock),
      router(random_key(source)),
      incoming(random_key(source)),
      responder(source, tokens, backend.null_protection()) {}

endpoint::endpoint(const endpoint_config& config, transport::random_source& random,
                   transport::wall_clock& clock, tls_backend& tls)
    : state_(std::make_unique<state>(config, random, clock, tls)) {}

endpoint::~endpoint() = default;

void endpoint::observe(observer* who) noexcept { state_->watcher = who; }

connection_surroundings endpoint::state::surroundings() noexcept {
  return {random, tokens, tls, router, pages, services, reporters, scratch, watcher};
}

connection_state* endpoint::state::find(connection_handle handle) noexcept {
  if (handle.slot >= slots.size() || slots[handle.slot].generation != handle.generation)
    return nullptr;
  return slots[handle.slot].connection.get();
}

std::optional<std::uint32_t> endpoint::state::take_slot() {
  if (!free_slots.empty()) {
    const std::uint32_t place = free_slots.back();
    free_slots.pop_back();
    return place;
  }
  if (slots.size() >= config.max_connections) return std::nullopt;
  slots.emplace_back();
  return static_cast<std::uint32_t>(slots.size() - 1);
}

void endpoint::receive(time_point now, const datagram_batch& batch) {
  state_->last_now = now;
  if (batch.payload.empty()) {
    ++state_->statistics.datagrams_received;
    ++state_->statistics.datagrams_dropped;
    return;
  }
  assert(batch.stride != 0);
  for (std::size_t offset = 0; offset < batch.payload.size();)
    offset += state_->receive_run(now, batch, offset);
}

void endpoint::release_input() {
  for (const std::uint32_t place : state_->received_since_release) {
    if (connection_state* connection = state_->slots[place].connection.get())
      connection->release_input();
  }
  state_->received_since_release.clear();
}

void endpoint::handle_timeout(time_point now) {
  state& self = *state_;
  self.last_now = now;
  while (const auto deadline = self.timers.earliest()) {
    if (*deadline > now) break;
    const std::uint32_t place = self.timers.earliest_slot();
    self.timers.remove(place);
    self.slots[place].connection->handle_timeout(now);
    self.note_handshake(self.slots[place]);
  }
}

std::optional<time_point> endpoint::next_timeout() const {
  std::optional<time_point> earliest = state_->timers.earliest();
  // Connections that still have output waiting (the socket was full) have no entry of today; what
  // is due for them already will be done when they get their turn.
  state_->services.for_each([&](std::uint32_t place) {
    const connection_state* connection = state_->slots[place].connection.get();
    const auto deadline = connection != nullptr ? connection->next_timeout() : std::nullopt;
    if (deadline && *deadline > state_->last_now && (!earliest || *deadline < *earliest))
      earliest = deadline;
  });
  return earliest;
}

std::optional<transmit> endpoint::poll_transmit(time_point now, mutable_bytes out,
                                                unsigned max_segments) {
  state& self = *state_;
  self.last_now = now;
  assert(out.size() >= limits::max_batch_bytes);
  assert(max_segments >= 1 && max_segments <= limits::max_batch_segments);
  if (auto response = self.responder.poll_transmit(out)) return response;
  while (!self.services.empty()) {
    const std::uint32_t place = self.services.front();
    connection_state* connection = self.slots[place].connection.get();
    if (connection != nullptr) {
      if (auto batch = connection->poll_transmit(now, out, max_segments)) {
        self.services.rotate();
        return batch;
      }
    }
    self.services.pop();
    if (connection != nullptr) self.settle(place);
  }
  return std::nullopt;
}

void endpoint::state::settle(std::uint32_t place) {
  slot& target = slots[place];
  note_handshake(target);
  connection_state& connection = *target.connection;
  const bool unreported = !connection.events().empty();
  if (connection.is_over() && connection.is_released() && !unreported) {
    timers.remove(place);
    target.connection.reset();
    ++target.generation;
    free_slots.push_back(place);
    --statistics.connections;
    return;
  }
  if (const auto deadline = connection.next_timeout()) {
    timers.set(place, *deadline);
  } else {
    timers.remove(place);
  }
}

void endpoint::state::note_handshake(slot& place) {
  if (!place.half_open || (!place.connection->handshake_complete() && place.connection->is_open()))
    return;
  place.half_open = false;
  --statistics.half_open;
}

void endpoint::transmit_failed(const transmit& batch, std::error_code why) {
  const bool unreachable =
      why == std::errc::network_unreachable || why == std::errc::host_unreachable ||
      why == std::errc::operation_not_permitted || why == transport::errc::unreachable;
  if (!unreachable) return;
  // A connection that has worked waits for the network to come back; a dial that cannot even begin
  // fails at once.
  for (state::slot& place : state_->slots) {
    connection_state* connection = place.connection.get();
    if (connection == nullptr || connection->side() == role::server ||
        connection->handshake_complete())
      continue;
    if (connection->current_path().remote() == batch.remote)
      connection->on_network_failure(state_->last_now, why);
  }
}

bool endpoint::poll_event(event& out) {
  state& self = *state_;
  if (self.events.pop(out)) return true;
  while (!self.reporters.empty()) {
    const std::uint32_t place = self.reporters.front();
    connection_state* connection = self.slots[place].connection.get();
    if (connection != nullptr && connection->events().pop(out)) {
      out.connection = connection->handle();
      return true;
    }
    self.reporters.pop();
    // Its last event is out: it may be forgotten now.
    if (connection != nullptr && connection->is_over() && connection->is_released())
      self.services.touch(place);
  }
  return false;
}

result<connection_handle> endpoint::connect(time_point now, const transport::address& remote,
                                            std::string_view server_name,
                                            const connection_config& config) {
  state& self = *state_;
  self.last_now = now;
  const auto place = self.take_slot();
  if (!place) return std::unexpected(make_error_code(transport::errc::limit_exceeded));
  //= RFC 9000 section 7.2
  //# This Destination Connection ID MUST be at least 8 bytes in length.
  std::array<std::byte, 8> octets;
  self.random.fill(octets);
  state::slot& target = self.slots[*place];
  const connection_handle handle{*place, target.generation};
  const connection_origin origin{.handle = handle,
                                 .side = role::client,
                                 .local = {},
                                 .remote = remote,
                                 .server_name = std::string(server_name),
                                 .original_destination = connection_id(octets)};
  target.connection = std::make_unique<connection_state>(now, self.surroundings(), origin, config);
  ++self.statistics.connections;
  self.services.touch(*place);
  return handle;
}

const incoming_attempt* endpoint::incoming(std::uint64_t attempt) const {
  const incoming_attempts::attempt* found = state_->incoming.find(attempt);
  return found != nullptr ? &found->visible : nullptr;
}

result<connection_handle> endpoint::decide(time_point now, std::uint64_t number, decision what) {
  state_->last_now = now;
  auto attempt = state_->incoming.take(number);
  if (!attempt) return std::unexpected(make_error_code(transport::errc::invalid_argument));
  if (what == decision::accept) return state_->accept(now, std::move(*attempt));
  state_->refuse(*attempt, what);
  return connection_handle{};
}

void endpoint::state::refuse(const incoming_attempts::attempt& attempt, decision what) {
  if (what == decision::ignore) return;
  const auto header = parse_header(attempt.datagrams.front(), local_connection_ids::id_size);
  const stateless_responder::addresses to{attempt.visible.remote, attempt.visible.local};
  //= RFC 9000 section 17.2.5.1
  //# A server MUST NOT send more than one Retry packet in response to a single UDP datagram.
  if (what == decision::retry && !attempt.retry_source) return responder.retry(to, *header);
  responder.close(to, *header, transport_error::connection_refused);
}

result<connection_handle> endpoint::state::accept(time_point now,
                                                  incoming_attempts::attempt attempt) {
  const auto place = take_slot();
  if (!place) {
    refuse(attempt, decision::refuse);
    return std::unexpected(make_error_code(transport::errc::limit_exceeded));
  }
  slot& target = slots[*place];
  const connection_handle handle{*place, target.generation};
  const connection_origin origin{.handle = handle,
                                 .side = role::server,
                                 .local = attempt.visible.local,
                                 .remote = attempt.visible.remote,
                                 .server_name = {},
                                 .original_destination = attempt.original_destination,
                                 .peer_source = attempt.source,
                                 .first_destination = attempt.destination,
                                 .initial_keys = &attempt.keys,
                                 .retry_source = attempt.retry_source,
                                 .address_validated = attempt.visible.address_validated,
                                 .issue_new_token = config.issue_new_tokens};
  target.connection =
      std::make_unique<connection_state>(now, surroundings(), origin, config.connection);
  target.half_open = true;
  ++statistics.connections;
  ++statistics.half_open;
  for (std::vector<std::byte>& datagram : attempt.datagrams) {
    target.connection->receive(now, {datagram, static_cast<std::uint16_t>(datagram.size()),
                                     attempt.mark, attempt.visible.remote, attempt.visible.local});
    target.connection->release_input();
  }
  note_handshake(target);
  services.touch(*place);
  return handle;
}

connection_view endpoint::at(connection_handle handle) noexcept {
  return connection_view(state_->find(handle));
}

endpoint_statistics endpoint::statistics() const noexcept {
  endpoint_statistics now = state_->statistics;
  const auto& answers = state_->responder.count();
  now.version_negotiations_sent = answers.version_negotiations;
  now.retries_sent = answers.retries;
  now.refusals_sent = answers.refusals;
  now.stateless_resets_sent = answers.resets;
  return now;
}

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
