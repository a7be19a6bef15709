// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/connection/close_sequence.hpp"
#include "core/connection/event_queue.hpp"
#include "core/connection/handshake.hpp"
#include "core/connection/packet_keys.hpp"
#include "core/connection/service_list.hpp"
#include "core/connection/workspace.hpp"
#include "core/crypto/address_token.hpp"
#include "core/crypto/key_schedule.hpp"
#include "core/path/local_connection_ids.hpp"
#include "core/path/path.hpp"
#include "core/path/peer_connection_ids.hpp"
#include "core/recovery/ack_tracker.hpp"
#include "core/recovery/loss_detector.hpp"
#include "core/recovery/pacer.hpp"
#include "core/stream/stream_table.hpp"
#include "core/wire/frame.hpp"
#include "core/wire/packet_header.hpp"
#include "strata/quic/core/config.hpp"
#include "strata/quic/core/connection.hpp"
#include "strata/quic/observer.hpp"
#include "strata/transport/core/datagram.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {

using transport::time_point;
using transport::transmit;

/// What an endpoint lends its connections; all of it outlives them.
struct connection_surroundings {
  transport::random_source& random;
  token_issuer& tokens;
  tls_backend& tls;
  connection_id_router& router;
  page_recycler& pages;
  service_list& services;   ///< To be asked for output.
  service_list& reporters;  ///< To be asked for events.
  workspace& scratch;
  observer* const& watcher;
};

/// How a connection begins.
struct connection_origin {
  connection_handle handle;
  role side = role::client;
  transport::address local;
  transport::address remote;
  std::string server_name;             ///< Client: to be verified.
  connection_id original_destination;  ///< Destination of the client's very first packet.
  connection_id peer_source;           ///< Server: Source of the client's Initial packet.
  connection_id
      first_destination;  ///< Server: Destination of the Initial packet that is being accepted.
  /// Server: the keys of that packet, which are moved out of; whoever let it in has opened it.
  initial_protection* initial_keys = nullptr;
  std::optional<connection_id> retry_source;  ///< Server: of the Retry packet that it answered.
  bool address_validated = false;
  bool issue_new_token = false;  ///< Server: after the handshake.
};

/// One connection: the state that the rooms of the core meet in. Its functions are in a file per
/// matter:
///
///   connection_state.cpp     beginning, questions, commands of the application
///   connection_receive.cpp   datagrams to packets to frames
///   connection_frames.cpp    what each frame does
///   connection_send.cpp      what goes into the next datagrams
///   connection_timers.cpp    deadlines
///   connection_closing.cpp   the three ways to end (RFC 9000 section 10)
///
/// The endpoint calls receive(), handle_timeout() and poll_transmit(), then takes events; after
/// each of them everything that follows from the input has been done.
class connection_state {
 public:
  connection_state(time_point now, const connection_surroundings&, const connection_origin&,
                   const connection_config&);
  ~connection_state();
  connection_state(const connection_state&) = delete;
  connection_state& operator=(const connection_state&) = delete;

  // From the network.
  struct input {
    mutable_bytes payload;  ///< Datagrams of `stride` bytes, the last may be shorter; all for this
                            ///< connection.
    std::uint16_t stride = 0;
    transport::ecn mark = transport::ecn::not_ect;
    const transport::address& remote;
    const transport::address& local;
  };
  void receive(time_point now, const input& datagrams);
  void release_input();
  /// A datagram of unknown destination ended with a stateless reset token of this connection's
  /// peer.
  void on_stateless_reset(time_point now);
  void on_network_failure(time_point now, std::error_code why);

  void handle_timeout(time_point now);
  std::optional<time_point> next_timeout() const;
  std::optional<transmit> poll_transmit(time_point now, mutable_bytes out, unsigned max_segments);

  event_queue& events() noexcept { return events_; }

  // From the application.
  stream_table& streams() noexcept { return streams_; }
  /// A command may have given something to send or report.
  void touch() {
    surroundings_.services.touch(handle_.slot);
    surroundings_.reporters.touch(handle_.slot);
  }
  void close(time_point now, std::uint64_t code, std::string_view reason);
  void release() noexcept { released_ = true, touch(); }
  void ping() noexcept { ping_pending_ = true, touch(); }

  // Questions.
  bool is_released() const noexcept { return released_; }
  /// Nothing will ever come of it again: the endpoint may forget it once it is released.
  bool is_over() const noexcept { return phase_ == phase::over; }
  bool is_open() const noexcept { return phase_ == phase::open; }
  const close_reason* closed() const noexcept { return closing_.reason(); }
  bool handshake_complete() const noexcept { return handshake_done_; }
  bool handshake_confirmed() const noexcept { return confirmed_; }
  connection_handle handle() const noexcept { return handle_; }
  role side() const noexcept { return side_; }
  const path& current_path() const noexcept { return path_; }
  const tls_summary& security() const noexcept { return handshake_.summary(); }
  const transport_parameters& peer_parameters() const noexcept { return peer_parameters_; }
  const connection_id& original_destination() const noexcept { return original_destination_; }
  connection_statistics statistics() const noexcept;
  time_point last_received() const noexcept { return last_received_; }

 private:
  using outcome = std::expected<void, protocol_failure>;
  enum class phase : std::uint8_t { open, closing, draining, over };

  // connection_state.cpp
  void start_client(time_point now, const connection_origin& origin);
  void start_server(time_point now, const connection_origin& origin);
  void begin_handshake(time_point now, const connection_origin& origin);
  transport::result<std::unique_ptr<tls_session>> begin_session(time_point now,
                                                                const connection_origin& origin);
  transport_parameters local_parameters(const connection_origin& origin) const;
  stream_table::config stream_config() const;
  void release_memory(time_point now);
  void set_peer_parameters(const transport_parameters& peer);
  observed::subject subject(time_point now) const noexcept {
    return {now, original_destination_, side_};
  }
  template <class Build>
  void observe(observer::category category, Build&& build) const {
    if (surroundings_.watcher != nullptr && (surroundings_.watcher->categories() & category) != 0) {
      build(*surroundings_.watcher);
    }
  }

  // connection_receive.cpp
  struct received_packet {
    const packet_header& header;
    mutable_bytes whole;
    transport::ecn mark;
    const header_mask* mask = nullptr;  ///< When it was computed for the batch.
  };
  void receive_datagram(time_point now, mutable_bytes datagram, transport::ecn mark,
                        const header_mask* mask);
  /// What holds for all packets of a datagram.
  struct arrival {
    transport::ecn mark;
    const header_mask* mask = nullptr;  ///< Of the first packet, when made for the batch.
    std::size_t datagram_size = 0;      ///< Zero: the packet was kept, its datagram was looked at.
    bytes destination;                  ///< Of the first packet.
  };
  std::size_t receive_first_packet(time_point now, mutable_bytes datagram, arrival& from);
  const char* unfit_for_datagram(const packet_header& header, arrival& from) const noexcept;
  void receive_protected(time_point now, const received_packet& packet);
  struct opened_packet;
  bool open_packet(time_point now, const received_packet& packet, encryption_level level,
                   opened_packet& out);
  bool is_expected_source(const packet_header& header) const noexcept;
  void on_authentic(time_point now, const received_packet& packet, encryption_level level,
                    const opened_packet& opened);
  outcome receive_frames(time_point now, encryption_level level, bytes payload);
  void receive_version_negotiation(time_point now, bytes packet);
  void receive_retry(time_point now, bytes packet);
  void keep_undecryptable(mutable_bytes packet, transport::ecn mark);
  void replay_undecryptable(time_point now);
  void drop(time_point now, const packet_header* header, std::size_t size,
            std::string_view trigger);
  std::size_t masks_for_batch(const input& datagrams);

  // connection_frames.cpp
  struct frame_handler;
  outcome on_ack(time_point now, encryption_level level, const ack_frame& frame);
  void settle_acked(packet_number_space space);
  void settle_lost(time_point now);
  outcome on_crypto(time_point now, encryption_level level, const crypto_frame& frame);
  outcome after_handshake_progress(time_point now);
  outcome install_secrets(time_point now);
  outcome take_peer_parameters(time_point now);
  void on_handshake_complete(time_point now);
  void confirm_handshake(time_point now);
  void discard_keys(time_point now, encryption_level level);
  void release_tls() noexcept;

  // connection_send.cpp
  struct packet_plan {
    encryption_level level = encryption_level::initial;
    bool ack = false;  ///< An acknowledgement is due.
    bool probe =
        false;  ///< Something ack-eliciting must leave, whatever the congestion window says.
    bool fresh = false;  ///< There is something to send, and it may leave.
    bool anything() const noexcept { return ack || probe || fresh; }
  };
  struct built_packet {
    std::byte* start = nullptr;
    std::uint64_t number = 0;
    std::size_t header_size = 0;
    std::size_t number_size = 0;
    std::size_t length_offset = 0;  ///< Long headers.
    std::size_t payload_room = 0;
    std::size_t payload_size = 0;
    bool ack_eliciting = false;
    bool in_flight = false;
  };
  std::size_t build_datagram(time_point now, mutable_bytes room);
  packet_plan plan_for(time_point now, encryption_level level) const;
  bool anything_after(time_point now, encryption_level level) const;
  bool level_has_output(encryption_level level) const noexcept;
  std::size_t build_packet(time_point now, const packet_plan& plan, mutable_bytes room,
                           std::size_t datagram_so_far);
  built_packet begin_packet(const packet_plan& plan, mutable_bytes room);
  void write_payload(time_point now, const packet_plan& plan, packet_payload& payload);
  void write_application_control(packet_payload& payload);
  void write_ack(time_point now, encryption_level level, packet_payload& payload);
  void seal_packet(time_point now, const packet_plan& plan, const built_packet& built);
  void finish_packet(time_point now, const packet_plan& plan, const built_packet& built);
  struct close_packet {
    encryption_level level = encryption_level::initial;
    connection_close_frame frame;
    bool fills_room = false;  ///< With PADDING.
  };
  std::size_t write_close_packet(time_point now, const close_packet& packet, mutable_bytes room);
  void after_transmit(time_point now, std::size_t bytes, unsigned datagrams);
  std::uint64_t next_packet_number(packet_number_space space);
  bool packet_numbers_exhausted() const noexcept;
  std::uint64_t send_budget(time_point now);
  pacer::rate_source pacing_rate() const noexcept;

  // connection_timers.cpp
  std::optional<time_point> idle_deadline() const;
  std::optional<time_point> keep_alive_deadline() const;
  std::optional<time_point> handshake_deadline() const;
  std::optional<time_point> memory_deadline() const;

  // connection_closing.cpp
  void fail(time_point now, const protocol_failure& failure);
  void enter_closing(time_point now, close_reason reason);
  void enter_draining(time_point now, close_reason reason);
  void end_silently(time_point now, close_reason reason);
  void report_closed(time_point now, close_reason reason);
  void release_after_end(time_point now);
  void on_peer_close(time_point now, const connection_close_frame& frame);
  std::optional<transmit> transmit_close(time_point now, mutable_bytes out);
  std::size_t flush_handshake(time_point now, mutable_bytes out);
  transmit count_sent(std::size_t size);
  connection_close_frame close_frame(encryption_level level) const;
  transport::duration close_period() const;

  connection_surroundings surroundings_;
  connection_handle handle_;
  role side_;
  connection_config config_;
  connection_id original_destination_;
  phase phase_ = phase::open;
  bool released_ = false;

  event_queue events_;
  path path_;
  local_connection_ids local_ids_;
  peer_connection_ids peer_ids_;
  handshake handshake_;
  packet_keys keys_;
  loss_detector recovery_;
  pacer pacer_;
  std::array<ack_tracker, packet_number_space_count> acks_;
  stream_table streams_;
  close_sequence closing_;

  // Handshake facts.
  transport_parameters peer_parameters_;
  std::vector<std::byte> token_;               ///< Client: for its Initial packets, from a Retry.
  std::optional<connection_id> retry_source_;  ///< Client: of the Retry packet it followed.
  connection_id peer_initial_source_;
  bool peer_source_known_ = false;
  bool parameters_known_ = false;
  bool handshake_done_ = false;
  bool confirmed_ = false;
  bool handshake_done_pending_ = false;   ///< Server: HANDSHAKE_DONE is to be sent.
  bool handshake_flush_pending_ = false;  ///< Closing: unsent handshake bytes go first.
  bool new_token_pending_ = false;        ///< Server: NEW_TOKEN is to be sent.
  bool issue_new_tokens_ = false;
  bool packet_processed_ = false;  ///< Something authentic has arrived.

  // Sending.
  std::array<std::uint64_t, packet_number_space_count> next_number_{};
  std::uint64_t next_skip_ = 0;  ///< Application packet number that is left out on purpose.
  std::array<unsigned, packet_number_space_count> probes_{};
  std::uint64_t budget_ = 0;  ///< Bytes of packets in flight that may still leave in this batch.
  std::optional<time_point> pacing_until_;
  std::uint64_t max_datagram_size_ = 1200;  ///< Bytes; ours and the peer's.
  bool ping_pending_ = false;
  bool needs_padding_ =
      false;  ///< The datagram being built holds an Initial packet that asks for it.

  // Receiving.
  std::uint64_t frames_eliciting_ = 0;  ///< Ack-eliciting frames received so far.
  bytes current_destination_;  ///< Connection ID that the packet being received was sent to.
  struct kept_packet {
    std::vector<std::byte> packet;
    transport::ecn mark;
  };
  std::vector<kept_packet> undecryptable_;
  std::vector<kept_packet> replayed_;  ///< Lent until release_input().

  // Time.
  time_point started_;
  time_point last_received_;
  time_point last_eliciting_sent_;
  bool eliciting_since_received_ = false;
  std::chrono::milliseconds idle_timeout_{0};  ///< The smaller of both sides'; zero: none.
  std::optional<time_point> release_tls_at_;
  bool holds_memory_ = true;  ///< Rings and tables may be larger than an idle connection needs.
  std::optional<time_point> over_at_;

  connection_statistics statistics_;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
