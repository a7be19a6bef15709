// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/stream/stream_table.hpp"
#include "core/wire/frame.hpp"
#include "strata/quic/core/limits.hpp"
#include "strata/transport/core/error.hpp"

namespace strata::quic::core::testing {

using transport::bytes;
using transport::errc;
using transport::mutable_bytes;

inline bytes text(std::string_view content) { return transport::as_bytes(content); }
/// Views that outlive the expression.
inline std::string_view filler(char letter, std::size_t size) {
  static std::map<char, std::string> kept;
  std::string& all = kept[letter];
  if (all.empty()) all.assign(64 * 1024, letter);
  return std::string_view(all).substr(0, size);
}

/// A packet's payload as write_frames() made it, with what was noted about it.
struct packet {
  std::vector<std::byte> content;
  std::vector<sent_frame> frames;
};

inline stream_table::config small_config(role side) {
  stream_table::config one;
  one.side = side;
  one.max_data = 64 * 1024;
  one.max_stream_data_bidi_local = one.max_stream_data_bidi_remote = one.max_stream_data_uni =
      16 * 1024;
  one.max_streams_bidi = one.max_streams_uni = 8;
  one.max_window = 256 * 1024;
  one.max_stream_window = 64 * 1024;
  one.write_watermark = 32 * 1024;
  return one;
}

inline transport_parameters parameters_of(const stream_table::config& from) {
  transport_parameters made;
  made.initial_max_data = from.max_data;
  made.initial_max_stream_data_bidi_local = from.max_stream_data_bidi_local;
  made.initial_max_stream_data_bidi_remote = from.max_stream_data_bidi_remote;
  made.initial_max_stream_data_uni = from.max_stream_data_uni;
  made.initial_max_streams_bidi = from.max_streams_bidi;
  made.initial_max_streams_uni = from.max_streams_uni;
  return made;
}

/// One side: a table with its queue and pages, and shorthands.
struct table_end {
  explicit table_end(const stream_table::config& wanted)
      : settings(wanted), table(wanted, queue, pages) {}
  explicit table_end(role side) : table_end(small_config(side)) {
    table.set_peer_limits(parameters_of(settings));
  }

  stream_table::config settings;
  event_queue queue;
  page_recycler pages{64};
  transport::time_point now{};
  stream_table table;

  packet write_packet(std::size_t size = 1200) {
    packet made;
    made.content.resize(size);
    transport::buffer_writer writer{mutable_bytes(made.content)};
    packet_payload payload{writer, made.frames};
    table.write_frames(now, payload);
    made.content.resize(writer.size());
    return made;
  }
  void acked(const packet& one) {
    for (const sent_frame& frame : one.frames) table.on_acked(frame);
  }
  void lost(const packet& one) {
    for (const sent_frame& frame : one.frames) table.on_lost(frame);
  }
  stream_table::outcome receive(bytes content) {
    transport::buffer_reader reader(content);
    while (!reader.empty()) {
      const auto one = decode_frame(reader);
      if (!one) return std::unexpected(one.error());
      const stream_table::outcome done =
          std::visit([this](const auto& frame) { return give(frame); }, *one);
      if (!done) return done;
    }
    return {};
  }
  template <class Frame>
  stream_table::outcome give(const Frame& frame) {
    if constexpr (requires { table.on(now, frame); }) {
      return table.on(now, frame);
    } else if constexpr (requires { table.on(frame); }) {
      return table.on(frame);
    } else {
      return {};
    }
  }
  /// What closes the connection, or no_error.
  template <class Frame>
  transport_error error_of(const Frame& frame) {
    const stream_table::outcome done = give(frame);
    return done ? transport_error::no_error : done.error().code;
  }
  transport::result<std::size_t> write(std::uint64_t id, std::string_view content,
                                       bool fin = false) {
    const bytes piece = text(content);
    return table.write(id, {&piece, 1}, fin);
  }
  /// Everything that can be read, and "!" when the end was reached, or the failure's message.
  std::string read_all(std::uint64_t id) {
    std::string all;
    for (;;) {
      std::byte some[512];
      bool fin = false;
      const auto size = table.read(now, id, some, fin);
      if (!size)
        return size.error() == errc::would_block ? all : all + "<" + size.error().message() + ">";
      all += transport::as_text(bytes(some, *size));
      if (fin) return all + "!";
    }
  }
  std::vector<event> take_events() {
    std::vector<event> all;
    for (event one; queue.pop(one);) all.push_back(one);
    return all;
  }
  std::size_t count_events(event_kind kind) {
    std::size_t count = 0;
    for (const event& one : take_events()) count += one.kind == kind;
    return count;
  }
};

/// The frames in a packet, for tests that look at them.
inline std::vector<frame> frames_of(const packet& one) {
  std::vector<frame> all;
  transport::buffer_reader reader{bytes(one.content)};
  while (!reader.empty()) {
    auto next = decode_frame(reader);
    if (!next) break;
    if (!std::holds_alternative<padding_frame>(*next)) all.push_back(*next);
  }
  return all;
}

/// For packets that nobody else keeps: the frames' bytes point into them.
inline std::vector<frame> frames_of(packet&& one) {
  static std::list<packet> kept;
  kept.push_back(std::move(one));
  return frames_of(std::as_const(kept.back()));
}

template <class Frame, class Packet>
std::optional<Frame> find_frame(Packet&& one) {
  for (const frame& any : frames_of(std::forward<Packet>(one))) {
    if (const Frame* found = std::get_if<Frame>(&any)) return *found;
  }
  return std::nullopt;
}

}  // namespace strata::quic::core::testing
