// SPDX-License-Identifier: Apache-2.0
#include "testkit/quic/transfer_application.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "strata/transport/core/error.hpp"

namespace strata::testkit {

using quic::core::event;
using quic::core::event_kind;
using transport::errc;

namespace {

[[noreturn]] void breach(const std::string& what) { throw std::logic_error(what); }

}  // namespace

std::byte pattern(std::uint64_t stream, std::uint64_t offset) {
  std::uint64_t value = (stream + 1) * 0x9e3779b97f4a7c15 + (offset >> 3);
  value = (value ^ value >> 32) * 0xd6e8feb86659fd93;
  return static_cast<std::byte>(value >> (8 * (offset & 7)));
}

void transfer_application::start(quic_node& node, quic::core::connection_handle connection) {
  connection_ = connection;
  connected_ = true;
  is_client_ = true;
  bidirectional_left_ = plan_.bidirectional_streams;
  unidirectional_left_ = plan_.unidirectional_streams;
  static_cast<void>(node);
}

void transfer_application::add(std::uint64_t id, bool local, bool bidirectional) {
  progress stream;
  stream.writes = local || bidirectional;
  stream.reads = !local || bidirectional;
  stream.to_write = stream.writes ? plan_.bytes_per_stream : 0;
  stream.borrows = random_.happens(plan_.borrowed);
  if (!streams_.emplace(id, std::move(stream)).second) breach("a stream was opened twice");
}

void transfer_application::open_streams(quic_node& node) {
  auto view = node.endpoint.at(connection_);
  for (const bool bidirectional : {true, false}) {
    unsigned& left = bidirectional ? bidirectional_left_ : unidirectional_left_;
    while (left != 0) {
      const auto id = view.open(bidirectional);
      if (!id) break;
      --left;
      add(*id, true, bidirectional);
    }
  }
}

void transfer_application::accept_streams(quic_node& node) {
  auto view = node.endpoint.at(connection_);
  for (const bool bidirectional : {true, false}) {
    while (const auto id = view.accept(bidirectional)) add(*id, false, bidirectional);
  }
}

void transfer_application::note_token(const event& occurred) {
  const auto found = tokens_.find(occurred.value);
  if (found == tokens_.end() || !found->second) breach("a token was named twice, or never given");
  found->second = false;
}

void transfer_application::on_event(quic_node& node, const event& occurred) {
  // A late copy of a client's first packet may ask to come in again.
  if (connected_ && occurred.kind == event_kind::incoming) {
    static_cast<void>(node.endpoint.decide(node.now, occurred.value, quic::core::decision::ignore));
    return;
  }
  if (closed_) breach("an event after closed");
  switch (occurred.kind) {
    case event_kind::incoming: {
      const auto* attempt = node.endpoint.incoming(occurred.value);
      if (attempt == nullptr) breach("an attempt that is not there");
      const bool prove = plan_.retried && !attempt->address_validated;
      const auto accepted =
          node.endpoint.decide(node.now, occurred.value,
                               prove ? quic::core::decision::retry : quic::core::decision::accept);
      if (prove || !accepted) return;
      connection_ = *accepted;
      connected_ = true;
      return;
    }
    case event_kind::ready: ready_ = true; break;
    case event_kind::closed:
      closed_ = true;
      reason_ = *node.endpoint.at(occurred.connection).closed();
      for (const auto& [token, outstanding] : tokens_) {
        if (outstanding) breach("a token was never named");
      }
      node.endpoint.at(occurred.connection).release();
      return;
    case event_kind::stream_opened: accept_streams(node); break;
    case event_kind::acknowledged:
    case event_kind::abandoned: note_token(occurred); break;
    case event_kind::readable: streams_.at(occurred.stream).readable = true; break;
    case event_kind::writable: streams_.at(occurred.stream).writable = true; break;
    case event_kind::finished: {
      progress& stream = streams_.at(occurred.stream);
      if (stream.finished_reported || !stream.write_ended) breach("finished twice or too early");
      stream.finished_reported = true;
      break;
    }
    case event_kind::write_stopped:
    case event_kind::read_reset: breach("a stream was aborted by nobody");
    default: break;
  }
}

void transfer_application::on_turn(quic_node& node) {
  if (!connected_ || closed_ || !ready_) return;
  if (is_client_) open_streams(node);
  accept_streams(node);
  for (auto& [id, stream] : streams_) serve(node, id, stream);
  if (!is_client_ || complete_) return;
  complete_ =
      bidirectional_left_ == 0 && unidirectional_left_ == 0 &&
      std::ranges::all_of(streams_, [](const auto& entry) { return entry.second.operator_done(); });
  if (complete_ && plan_.close_when_done) node.endpoint.at(connection_).close(node.now, 7, "done");
}

void transfer_application::serve(quic_node& node, std::uint64_t id, progress& stream) {
  if (stream.forgotten) return;
  const auto view = node.endpoint.at(connection_).stream(id);
  if (stream.reads && stream.readable && !stream.read_ended) read(view, stream);
  if (stream.writes && stream.writable && !stream.write_ended) {
    stream.borrows ? write_borrowed(view, stream) : write(view, stream);
  }
  if (stream.operator_done()) {
    stream.forgotten = true;
    ++streams_finished_;
    node.endpoint.at(connection_).stream(id).forget();
  }
}

void transfer_application::write(quic::core::stream_view view, progress& stream) {
  while (!stream.write_ended) {
    const std::uint64_t left = stream.to_write - stream.written;
    const std::size_t size = static_cast<std::size_t>(
        std::min<std::uint64_t>(left, 1 + random_.below(plan_.write_size)));
    std::vector<std::byte> data(size);
    for (std::size_t i = 0; i < size; ++i) data[i] = pattern(view.id(), stream.written + i);
    const bytes piece(data);
    const bool fin = size == left;
    const auto taken = view.write({&piece, 1}, fin);
    if (!taken) breach("write failed: " + taken.error().message());
    stream.written += *taken;
    if (*taken == size && fin) stream.write_ended = true;
    if (*taken < size) {
      stream.writable = false;
      return;
    }
  }
}

void transfer_application::write_borrowed(quic::core::stream_view view, progress& stream) {
  stream.borrowed.resize(stream.to_write);
  for (std::size_t i = 0; i < stream.borrowed.size(); ++i)
    stream.borrowed[i] = pattern(view.id(), i);
  const std::uint64_t token = next_token_++;
  tokens_[token] = true;
  const auto taken = view.write_borrowed(stream.borrowed, token, true);
  if (!taken) breach("borrowed write failed: " + taken.error().message());
  stream.written = stream.to_write;
  stream.write_ended = true;
}

void transfer_application::check(std::uint64_t id, std::uint64_t offset, bytes data) const {
  for (std::size_t i = 0; i < data.size(); ++i) {
    if (data[i] != pattern(id, offset + i))
      breach("wrong byte at offset " + std::to_string(offset + i));
  }
}

void transfer_application::read(quic::core::stream_view view, progress& stream) {
  std::vector<std::byte> memory(1 + random_.below(plan_.read_size));
  for (;;) {
    bool fin = false;
    std::size_t size = 0;
    if (random_.happens(plan_.peeked)) {
      const auto view_of_bytes = view.peek(fin);
      if (!view_of_bytes && view_of_bytes.error() == errc::would_block) break;
      if (!view_of_bytes) breach("peek failed: " + view_of_bytes.error().message());
      size = view_of_bytes->size();
      check(view.id(), stream.read, *view_of_bytes);
      view.consume(size);
    } else {
      const auto taken = view.read(memory, fin);
      if (!taken && taken.error() == errc::would_block) break;
      if (!taken) breach("read failed: " + taken.error().message());
      size = *taken;
      check(view.id(), stream.read, bytes(memory).first(size));
    }
    stream.read += size;
    bytes_received_ += size;
    if (!fin) continue;
    if (stream.read != plan_.bytes_per_stream) breach("the end came early");
    stream.read_ended = true;
    return;
  }
  stream.readable = false;
}

}  // namespace strata::testkit
