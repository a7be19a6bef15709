// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "core/frame/frame_writer.hpp"
#include "core/frame/settings_frame.hpp"
#include "core/qpack/encoder.hpp"
#include "core/qpack/prefix_integer.hpp"
#include "strata/h3/core/connection.hpp"
#include "testkit/fake_random.hpp"

namespace strata::h3::test {

using core::connection;
using core::connection_config;
using core::event_kind;
using core::frame_type;
using transport::bytes;
using byte_vector = std::vector<std::byte>;
using field_list = std::vector<field_line>;

inline byte_vector operator+(byte_vector a, const byte_vector& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

inline byte_vector text(std::string_view content) {
  const bytes view = transport::as_bytes(content);
  return {view.begin(), view.end()};
}

inline byte_vector varint(std::uint64_t value) {
  byte_vector out;
  core::append_varint(out, value);
  return out;
}

inline byte_vector frame(std::uint64_t type, const byte_vector& payload) {
  return varint(type) + varint(payload.size()) + payload;
}
inline byte_vector frame(frame_type type, const byte_vector& payload) {
  return frame(static_cast<std::uint64_t>(type), payload);
}
inline byte_vector data_frame(std::string_view content) {
  return frame(frame_type::data, text(content));
}

inline byte_vector headers(const field_list& lines) {
  byte_vector section;
  core::qpack::encoder().encode(0, lines, section);
  return frame(frame_type::headers, section);
}

inline byte_vector settings_frame(const settings& values = {}) {
  byte_vector out;
  core::append_settings_frame(out, values, 1);
  return out;
}

inline const field_list get_lines{
    {":method", "GET"}, {":scheme", "https"}, {":authority", "example.org"}, {":path", "/"}};
inline const field_list post_lines{
    {":method", "POST"}, {":scheme", "https"}, {":authority", "example.org"}, {":path", "/"}};
inline const field_list ok_lines{{":status", "200"}};

inline field_list with(field_list lines, std::string_view name, std::string_view value) {
  lines.push_back({name, value});
  return lines;
}

inline const char* name_of(event_kind kind) {
  constexpr const char* names[] = {"settings", "headers", "interim", "trailers", "body",
                                   "finished", "reset",   "stopped", "failed",   "rejected",
                                   "writable", "goaway",  "closed"};
  return names[static_cast<std::size_t>(kind)];
}

/// One connection with streams made of vectors, driven the way a driver has to: the peer is whoever
/// calls feed().
class harness {
 public:
  explicit harness(connection_config config)
      : core(config, random_),
        control(config.role == role::server ? 103u : 102u),
        decoder(control + 4),
        encoder(control + 8),
        next_unidirectional(control) {
    flush();
  }
  static harness server() { return harness({.role = role::server}); }
  static harness client() { return harness({.role = role::client}); }

  /// Bytes of the peer arrive behind those not consumed; everything is taken as far as
  /// `takes_sections` and `reads_bodies` allow.
  void feed(std::uint64_t id, const byte_vector& input, bool fin = false) {
    stream& target = streams[id];
    target.unread.insert(target.unread.end(), input.begin(), input.end());
    target.fin = target.fin || fin;
    pump(id);
  }
  void pump(std::uint64_t id) {
    stream& target = streams[id];
    for (bool progress = true; progress && !target.stopped;) {
      const core::received result = core.receive(now, id, target.unread, target.fin);
      progress = consume(target, result.consumed);
      if (!result.body.empty()) {
        target.shown = result.body.size();
        if (reads_bodies) progress = read_body(id, result.body.size()) || progress;
      }
      flush();
      progress = take_section(id) || progress;
    }
  }
  /// The application takes content that receive() has just shown.
  bool read_body(std::uint64_t id, std::size_t size) {
    stream& target = streams[id];
    size = std::min(size, target.unread.size());
    target.body += transport::as_text(bytes(target.unread).first(size));
    core.request(id).consume_body(size);
    return consume(target, size);
  }
  bool take_section(std::uint64_t id) {
    if (!takes_sections) return false;
    field_section section;
    const auto taken = core.request(id).take_section(section);
    if (!taken) return false;
    for (const field_line line : section)
      (((streams[id].sections += line.name) += "=") += line.value) += ";";
    streams[id].sections += "\n";
    return true;
  }

  void flush() {
    for (core::event event; core.poll_event(event);) {
      events += std::string(name_of(event.kind)) + " " + std::to_string(event.stream_id) + "\n";
      if (event.kind == event_kind::failed) failures[event.stream_id] = event.value;
    }
    for (core::transport_command command; core.poll_command(command);) {
      using enum core::transport_command::kind_type;
      if (command.kind == open_unidirectional) {
        core.opened(next_unidirectional);
        next_unidirectional += 4;
      } else if (command.kind == stop) {
        streams[command.stream_id].stopped = true;
        commands += "stop " + std::to_string(command.stream_id) + " " +
                    std::string(error_name(command.code)) + "\n";
      } else {
        commands += "reset " + std::to_string(command.stream_id) + " " +
                    std::string(error_name(command.code)) + "\n";
      }
    }
    if (!writes) return;
    for (core::output output; core.poll_output(output);) {
      std::size_t size = 0;
      ++write_count;
      for (const bytes piece : output.pieces) {
        streams[output.stream_id].written.insert(streams[output.stream_id].written.end(),
                                                 piece.begin(), piece.end());
        size += piece.size();
      }
      streams[output.stream_id].written_fin = streams[output.stream_id].written_fin || output.fin;
      core.sent(output.stream_id, size);
    }
  }

  std::string closed_with() const {
    return core.closed() == nullptr
               ? ""
               : std::string(error_name(static_cast<std::uint64_t>(core.closed()->code)));
  }
  std::string failed_with(std::uint64_t id) const {
    return failures.contains(id) ? std::string(error_name(failures.at(id))) : "";
  }
  bool saw(const std::string& event) const {
    return ("\n" + events).find("\n" + event + "\n") != std::string::npos;
  }
  std::size_t count(const std::string& event) const {
    std::size_t found = 0;
    for (std::size_t at = 0; (at = events.find(event + "\n", at)) != std::string::npos; ++at)
      ++found;
    return found;
  }

  struct stream {
    byte_vector unread;
    bool fin = false;
    bool stopped = false;
    std::size_t shown = 0;
    std::string body;
    std::string sections;
    byte_vector written;
    bool written_fin = false;
  };

 private:
  static bool consume(stream& target, std::size_t size) {
    target.unread.erase(target.unread.begin(),
                        target.unread.begin() + static_cast<std::ptrdiff_t>(size));
    return size != 0;
  }

  testkit::fake_random random_{1};

 public:
  transport::time_point now{std::chrono::seconds(1000)};
  connection core;
  bool takes_sections = true;
  bool reads_bodies = true;
  bool writes = true;
  std::uint64_t control, decoder, encoder;  // our own streams
  std::uint64_t next_unidirectional;
  std::size_t write_count = 0;
  std::map<std::uint64_t, stream> streams;
  std::map<std::uint64_t, std::uint64_t> failures;
  std::string events;    // "kind stream\n" each
  std::string commands;  // "reset stream CODE\n" each
};

}  // namespace strata::h3::test
