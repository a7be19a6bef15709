// SPDX-License-Identifier: Apache-2.0
#include "h3/session.hpp"

#include <algorithm>

#include "h3/connection/harness.hpp"

namespace strata::hostile {

using quic::core::connection_view;
using h3::test::operator+;
using quic::core::event_kind;
using transport::time_point;

namespace {
constexpr std::size_t answer_size = 10'000;
}

void session::on_event(time_point now, connection_view quic, const quic::core::event& event) {
  switch (event.kind) {
    case event_kind::readable: pump(now, quic, event.stream); break;
    case event_kind::writable: core_.writable(event.stream); break;
    case event_kind::streams_available: open_own(quic); break;
    case event_kind::read_reset: core_.stream_reset(now, event.stream, event.value); break;
    case event_kind::write_stopped: core_.stop_sending(now, event.stream, event.value); break;
    case event_kind::stream_opened:
      while (const auto id = quic.accept(event.value == 1)) pump(now, quic, *id);
      break;
    default: break;
  }
  run(now, quic);
}

void session::get(time_point now, connection_view quic) {
  const auto id = quic.open(true);
  if (!id) return;
  auto request = core_.open_request(*id);
  if (request) static_cast<void>(request->send_headers(h3::test::get_lines, true));
  run(now, quic);
}

void session::run(time_point now, connection_view quic) {
  for (;;) {
    h3::core::transport_command command{};
    h3::core::output output;
    h3::core::event event{};
    if (core_.poll_command(command)) {
      run_command(quic, command);
    } else if (core_.poll_output(output)) {
      write(quic, output);
    } else if (core_.poll_event(event)) {
      on_core_event(now, quic, event);
    } else {
      break;
    }
  }
  if (core_.closed() == nullptr || closed_) return;
  closed_ = true;
  quic.close(now, static_cast<std::uint64_t>(core_.closed()->code), core_.closed()->reason);
}

void session::pump(time_point now, connection_view quic, std::uint64_t id) {
  for (auto stream = quic.stream(id);;) {
    bool fin = false;
    const auto seen = stream.peek(fin);
    if (!seen) return;
    const auto made = core_.receive(now, id, *seen, fin);
    const std::size_t taken = made.consumed + made.body.size();
    if (taken != 0) stream.consume(taken);
    if (!made.body.empty()) {
      body_received += made.body.size();
      core_.request(id).consume_body(made.body.size());
    }
    run(now, quic);
    if (taken == 0 || quic.closed() != nullptr) return;
  }
}

void session::open_own(connection_view quic) {
  for (; streams_wanted_ != 0; --streams_wanted_) {
    const auto id = quic.open(false);
    if (!id) return;
    core_.opened(*id);
  }
}

void session::run_command(connection_view quic, const h3::core::transport_command& command) {
  using kind = h3::core::transport_command::kind_type;
  if (command.kind == kind::open_unidirectional) {
    ++streams_wanted_;
    return open_own(quic);
  }
  auto stream = quic.stream(command.stream_id);
  if (command.kind == kind::reset) {
    stream.reset(command.code);
    stream.forget();  // QUIC has stopped the other direction too.
  } else {
    stream.stop(command.code);
    if ((command.stream_id & 2) != 0) stream.forget();
  }
}

void session::write(connection_view quic, const h3::core::output& output) {
  const auto taken = quic.stream(output.stream_id).write(output.pieces, output.fin);
  core_.sent(output.stream_id, taken.value_or(0));
}

void session::on_core_event(time_point now, connection_view quic, const h3::core::event& event) {
  using kind = h3::core::event_kind;
  h3::field_section section;
  switch (event.kind) {
    case kind::headers:
    case kind::interim:
    case kind::trailers:
      static_cast<void>(core_.request(event.stream_id).take_section(section));
      if (role_ == h3::role::server && event.kind == kind::headers) answer(event.stream_id);
      return pump(now, quic, event.stream_id);
    case kind::finished: ++messages_finished; return quic.stream(event.stream_id).forget();
    case kind::reset:
    case kind::failed: return quic.stream(event.stream_id).forget();
    default: return;
  }
}

void session::answer(std::uint64_t id) {
  static const std::vector<std::byte> content(answer_size, std::byte{0x68});
  auto request = core_.request(id);
  if (!request.send_headers(h3::test::ok_lines, false)) return;
  const bytes piece(content);
  static_cast<void>(request.send_body({&piece, 1}, true));
  // Lent until poll_output() has said false: run() polls before anything else changes.
}

h3_stage::h3_stage(stage_options options) : one(std::move(options)) {
  one.application.on_server_event = [this](core::connection_handle handle,
                                           const core::event& event) {
    auto connection = one.server.at(handle);
    if (!connection) return;
    auto& served = servers_[handle.slot];
    if (!served) served = std::make_unique<session>(h3::role::server);
    served->on_event(one.attacker.now, connection, event);
  };
  one.application.on_bystander_event = [this](core::connection_handle handle,
                                              const core::event& event) {
    client_.on_event(one.attacker.now, one.bystander.at(handle), event);
  };
  one.application.talk = [this](stage&, core::connection_handle handle) { return talk(handle); };
}

bool h3_stage::talk(core::connection_handle connection) {
  const std::uint64_t before = client_.messages_finished;
  const std::uint64_t bytes_before = client_.body_received;
  client_.get(one.attacker.now, one.bystander.at(connection));
  return one.run(std::chrono::seconds(5), [&] {
    return client_.messages_finished == before + 1;
  }) && client_.body_received == bytes_before + answer_size;
}

void h3_stage::begin() {
  one.attacker.parameters.initial_max_streams_uni = 16;
  one.begin();
  feed(2, h3::test::varint(0) + h3::test::settings_frame());
  one.settle();
}

void h3_stage::feed(std::uint64_t id, const std::vector<std::byte>& content, bool fin) {
  std::uint64_t& offset = offsets_[id];
  std::size_t done = 0;
  do {
    const std::size_t size = std::min<std::size_t>(content.size() - done, 1000);
    const bool last = done + size == content.size();
    one.attacker.send_frames(
        core::stream_frame{id, offset, bytes(content).subspan(done, size), fin && last});
    offset += size;
    done += size;
  } while (done < content.size());
}

std::string h3_stage::verdict() {
  one.settle();
  one.attacker.acknowledge_received();
  return one.verdict();
}

std::optional<std::uint64_t> h3_stage::reset_code(std::uint64_t id) const {
  for (const auto& each : one.attacker.received()) {
    const auto* reset = std::get_if<core::reset_stream_frame>(&each.content);
    if (reset != nullptr && reset->stream_id == id) return reset->application_protocol_error_code;
  }
  return std::nullopt;
}

}  // namespace strata::hostile
