// SPDX-License-Identifier: Apache-2.0
// Our side of ./dev bench for QUIC; README.md says what its modes take and print.
#include "bench/program.hpp"
#include "bench/stream_client.hpp"
#include "bench/stream_server.hpp"

int main(int count, char** words) {
  using namespace strata::bench;
  return run_program(count, words,
                     {{"server", serve_streams},
                      {"bulk", measure_bulk},
                      {"handshake", measure_handshakes},
                      {"pingpong", measure_pingpong},
                      {"hold", hold_connections}});
}
