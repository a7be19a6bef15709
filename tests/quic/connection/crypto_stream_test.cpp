// SPDX-License-Identifier: Apache-2.0
#include "core/connection/crypto_stream.hpp"

#include <catch2/catch_test_macros.hpp>

#include "strata/quic/core/limits.hpp"

using namespace strata;
using namespace strata::quic::core;
using quic::transport_error;

//= RFC 9000 section 7.5
//# Implementations MUST support buffering at least 4096 bytes of data received in out-of-order
//# CRYPTO frames.
//= RFC 9000 section 7.5
//# If an endpoint does not expand its buffer, it MUST close the connection with a
//# CRYPTO_BUFFER_EXCEEDED error code.
TEST_CASE("crypto_stream: bytes out of order are kept up to the limit, which is above 4096",
          "[quic][handshake]") {
  const std::vector<std::byte> data(4096, std::byte{3});
  crypto_stream four;
  CHECK(four.on({1, data}));
  CHECK(four.readable().empty());
  CHECK(four.on({0, transport::bytes(data).first(1)}));
  CHECK(four.readable().size() == 4097);
  for (const int over : {-1, 0, 1}) {
    const std::uint64_t end = limits::max_crypto_buffer + static_cast<std::uint64_t>(over);
    crypto_stream stream;
    const auto done = stream.on({end - data.size(), data});
    CHECK(done.has_value() == (over <= 0));
    if (!done) CHECK(done.error().code == transport_error::crypto_buffer_exceeded);
  }
}
