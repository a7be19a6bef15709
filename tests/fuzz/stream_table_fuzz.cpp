// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <list>
#include <map>
#include <vector>

#include "core/stream/stream_table.hpp"
#include "core/wire/frame.hpp"
#include "strata/transport/core/buffer_reader.hpp"

// A table between an application that does anything and a peer that sends any frame about any
// stream, and whose packets are acknowledged or lost in any order. Nothing may crash, hang or grow;
// each token is reported once; what has_output() promises is written, within the limits that the
// peer has set.

namespace {

using namespace strata::quic;
using namespace strata::quic::core;
using strata::transport::buffer_reader;
using strata::transport::bytes;
using strata::transport::mutable_bytes;

void require(bool holds) {
  if (!holds) std::abort();
}

class run {
 public:
  explicit run(buffer_reader& input) : input_(input), table_(settings(), queue_, pages_) {
    transport_parameters peer;
    peer.initial_max_data = 20'000;
    peer.initial_max_stream_data_bidi_local = peer.initial_max_stream_data_bidi_remote =
        peer.initial_max_stream_data_uni = 8'000;
    peer.initial_max_streams_bidi = peer.initial_max_streams_uni = 4;
    table_.set_peer_limits(peer);
  }

  void go() {
    while (!input_.empty() && !closed_) step();
    table_.on_connection_closed();
    take_events();
    require(borrowed_.empty());
    require(!table_.has_output());
  }

 private:
  stream_table::config settings() {
    stream_table::config one;
    one.side = (input_.u8() & 1) != 0 ? role::server : role::client;
    one.max_data = 40'000;
    one.max_stream_data_bidi_local = one.max_stream_data_bidi_remote = one.max_stream_data_uni =
        16'000;
    one.max_streams_bidi = one.max_streams_uni = 6;
    one.max_window = 100'000;
    one.max_stream_window = 50'000;
    one.write_watermark = 10'000;
    return one;
  }
  std::uint64_t id() { return input_.u8() % 40; }
  std::uint64_t offset() {
    return (input_.u8() & 1) != 0 ? input_.varint() : input_.u16() % 20'000;
  }

  void step() {
    now_ += std::chrono::milliseconds(input_.u8() % 16);
    switch (input_.u8() % 8) {
      case 0:
      case 1: peer_frame(); break;
      case 2:
      case 3: application(); break;
      case 4: write_packet(); break;
      case 5: hear(); break;
      case 6: release(); break;
      default: raw_frame(); break;
    }
    take_events();
    require(table_.count().bytes_buffered_to_read <= 100'000 + 60 * page_recycler::page_size);
    require(table_.count().bytes_sent <= table_.count().data_limit_from_peer);
  }

  template <class Frame>
  void give(const Frame& frame) {
    if constexpr (requires { table_.on(now_, frame); }) {
      closed_ = closed_ || !table_.on(now_, frame);
    } else if constexpr (requires { table_.on(frame); }) {
      closed_ = closed_ || !table_.on(frame);
    }
  }

  void peer_frame() {
    switch (input_.u8() % 10) {
      case 0:
      case 1:
      case 2: {
        const std::uint64_t stream = id();
        const std::uint64_t from = offset();
        batch_.emplace_back(input_.u16() % 1500, std::byte{0x5a});
        return give(stream_frame{stream, from, batch_.back(), (input_.u8() & 3) == 0});
      }
      case 3: return give(reset_stream_frame{id(), input_.u8(), offset()});
      case 4: return give(stop_sending_frame{id(), input_.u8()});
      case 5: return give(max_data_frame{offset()});
      case 6: return give(max_stream_data_frame{id(), offset()});
      case 7: return give(max_streams_frame{(input_.u8() & 1) != 0, input_.u8()});
      case 8: return give(stream_data_blocked_frame{id(), offset()});
      default: return give(streams_blocked_frame{(input_.u8() & 1) != 0, input_.u8()});
    }
  }
  void raw_frame() {
    buffer_reader bytes_of_it(input_.take(std::min<std::size_t>(input_.u8(), input_.remaining())));
    while (!bytes_of_it.empty() && !closed_) {
      const auto one = decode_frame(bytes_of_it);
      if (!one) return;
      std::visit([this](const auto& frame) { give(frame); }, *one);
    }
    // Those bytes belong to the fuzzer's input, which stays.
  }

  void application() {
    const std::uint64_t stream = id();
    bool fin = (input_.u8() & 3) == 0;
    std::vector<std::byte> content(input_.u16() % 4000, std::byte{0xa5});
    switch (input_.u8() % 11) {
      case 0: (void)table_.open(fin); return;
      case 1: (void)table_.accept(fin); return;
      case 2:
      case 3: {
        const bytes piece = content;
        (void)table_.write(stream, {&piece, 1}, fin);
        return;
      }
      case 4: {
        const auto kept = borrowed_.emplace(++tokens_, std::move(content)).first;
        if (!table_.write_borrowed(stream, kept->second, tokens_, fin)) borrowed_.erase(kept);
        return;
      }
      case 5: (void)table_.read(now_, stream, content, fin); return;
      case 6: {
        const auto piece = table_.peek(stream, fin);
        if (!piece) return;
        table_.consume(now_, stream, std::min(piece->size(), content.size()));
        return;
      }
      case 7: return table_.reset(stream, 1);
      case 8: return table_.stop(stream, 2);
      case 9: return table_.prioritize(stream, input_.u8(), fin);
      default: return table_.forget(stream);
    }
  }

  void write_packet() {
    const bool promised = table_.has_output();
    std::vector<std::byte> memory(64 + input_.u8() * std::size_t{6});
    strata::transport::buffer_writer writer{mutable_bytes(memory)};
    std::vector<sent_frame> frames;
    packet_payload payload{writer, frames};
    table_.write_frames(now_, payload);
    require(writer.ok());
    require(promised == (writer.size() != 0));
    require(frames.empty() == (writer.size() == 0));
    // It decodes to the end, and the memory of borrowed data was still there.
    buffer_reader reader{bytes(writer.written())};
    while (!reader.empty()) {
      const auto one = decode_frame(reader);
      require(one.has_value());
      if (const auto* sent = std::get_if<stream_frame>(&*one)) {
        require(std::ranges::all_of(sent->data,
                                    [](std::byte each) { return each == std::byte{0xa5}; }));
      }
    }
    if (!frames.empty()) flying_.push_back(std::move(frames));
  }

  void hear() {
    if (flying_.empty()) return;
    const std::size_t which = input_.u8() % flying_.size();
    const bool lost = (input_.u8() & 1) != 0;
    const bool probe = (input_.u8() & 7) == 0;
    for (const sent_frame& one : flying_[which]) lost ? table_.on_lost(one) : table_.on_acked(one);
    // A packet that counted as lost may be acknowledged later.
    if (!lost) flying_.erase(flying_.begin() + static_cast<std::ptrdiff_t>(which));
    if (probe) (void)table_.queue_probe_data();
  }

  void release() {
    table_.release_input();
    batch_.clear();
    if ((input_.u8() & 15) == 0) table_.shrink();
  }

  void take_events() {
    std::size_t count = 0;
    for (event one; queue_.pop(one); ++count) {
      if (one.kind == event_kind::acknowledged || one.kind == event_kind::abandoned)
        require(borrowed_.erase(one.value) == 1);
    }
    require(count <= 64 + tokens_);
  }

  buffer_reader& input_;
  event_queue queue_;
  page_recycler pages_{8};
  strata::transport::time_point now_{std::chrono::seconds(1)};
  std::map<send_token, std::vector<std::byte>> borrowed_;
  std::list<std::vector<std::byte>> batch_;
  std::vector<std::vector<sent_frame>> flying_;
  send_token tokens_ = 0;
  bool closed_ = false;
  stream_table table_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  buffer_reader input(std::as_bytes(std::span(data, size)));
  run(input).go();
  return 0;
}
