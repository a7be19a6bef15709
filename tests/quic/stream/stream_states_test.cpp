// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <string>
#include <string_view>

#include "core/stream/receive_stream.hpp"
#include "core/stream/send_stream.hpp"

using namespace strata::quic::core;

// Every state with every event, against a stored table: a change of one arrow shows.

TEST_CASE("send_stream: the transition table is that of figure 2", "[quic][stream]") {
  static constexpr std::array<std::string_view, 6> states{
      "ready", "send", "data_sent", "reset_sent", "data_recvd", "reset_recvd"};
  static constexpr std::array<std::string_view, 6> events{
      "send_stream",     "send_stream_data_blocked",
      "send_stream_fin", "send_reset_stream",
      "recv_all_acks",   "recv_reset_ack"};
  std::string table;
  for (std::size_t from = 0; from < states.size(); ++from) {
    for (std::size_t what = 0; what < events.size(); ++what) {
      const auto to = next_state(static_cast<send_state>(from), static_cast<send_event>(what));
      table += std::string(states[from]) + " " + std::string(events[what]) + " -> " +
               (to ? std::string(states[static_cast<std::size_t>(*to)]) : "-") + "\n";
    }
  }
  CHECK(table == R"(ready send_stream -> send
ready send_stream_data_blocked -> send
ready send_stream_fin -> data_sent
ready send_reset_stream -> reset_sent
ready recv_all_acks -> -
ready recv_reset_ack -> -
send send_stream -> send
send send_stream_data_blocked -> send
send send_stream_fin -> data_sent
send send_reset_stream -> reset_sent
send recv_all_acks -> -
send recv_reset_ack -> -
data_sent send_stream -> data_sent
data_sent send_stream_data_blocked -> -
data_sent send_stream_fin -> data_sent
data_sent send_reset_stream -> reset_sent
data_sent recv_all_acks -> data_recvd
data_sent recv_reset_ack -> -
reset_sent send_stream -> -
reset_sent send_stream_data_blocked -> -
reset_sent send_stream_fin -> -
reset_sent send_reset_stream -> reset_sent
reset_sent recv_all_acks -> -
reset_sent recv_reset_ack -> reset_recvd
data_recvd send_stream -> -
data_recvd send_stream_data_blocked -> -
data_recvd send_stream_fin -> -
data_recvd send_reset_stream -> -
data_recvd recv_all_acks -> -
data_recvd recv_reset_ack -> -
reset_recvd send_stream -> -
reset_recvd send_stream_data_blocked -> -
reset_recvd send_stream_fin -> -
reset_recvd send_reset_stream -> -
reset_recvd recv_all_acks -> -
reset_recvd recv_reset_ack -> -
)");
}

TEST_CASE("receive_stream: the transition table is that of figure 3", "[quic][stream]") {
  static constexpr std::array<std::string_view, 6> states{
      "recv", "size_known", "data_recvd", "reset_recvd", "data_read", "reset_read"};
  static constexpr std::array<std::string_view, 5> events{"recv_stream_fin", "recv_reset_stream",
                                                          "recv_all_data", "app_read_all_data",
                                                          "app_read_reset"};
  std::string table;
  for (std::size_t from = 0; from < states.size(); ++from) {
    for (std::size_t what = 0; what < events.size(); ++what) {
      const auto to =
          next_state(static_cast<receive_state>(from), static_cast<receive_event>(what));
      table += std::string(states[from]) + " " + std::string(events[what]) + " -> " +
               (to ? std::string(states[static_cast<std::size_t>(*to)]) : "-") + "\n";
    }
  }
  CHECK(table == R"(recv recv_stream_fin -> size_known
recv recv_reset_stream -> reset_recvd
recv recv_all_data -> -
recv app_read_all_data -> -
recv app_read_reset -> -
size_known recv_stream_fin -> -
size_known recv_reset_stream -> reset_recvd
size_known recv_all_data -> data_recvd
size_known app_read_all_data -> -
size_known app_read_reset -> -
data_recvd recv_stream_fin -> -
data_recvd recv_reset_stream -> reset_recvd
data_recvd recv_all_data -> -
data_recvd app_read_all_data -> data_read
data_recvd app_read_reset -> -
reset_recvd recv_stream_fin -> -
reset_recvd recv_reset_stream -> -
reset_recvd recv_all_data -> -
reset_recvd app_read_all_data -> -
reset_recvd app_read_reset -> reset_read
data_read recv_stream_fin -> -
data_read recv_reset_stream -> -
data_read recv_all_data -> -
data_read app_read_all_data -> -
data_read app_read_reset -> -
reset_read recv_stream_fin -> -
reset_read recv_reset_stream -> -
reset_read recv_all_data -> -
reset_read app_read_all_data -> -
reset_read app_read_reset -> -
)");
}
