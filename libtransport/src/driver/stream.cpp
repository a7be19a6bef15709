// SPDX-License-Identifier: Apache-2.0
#include "strata/transport/stream.hpp"

#include <cassert>

#include "strata/transport/core/error.hpp"
#include "strata/transport/stream_dialer.hpp"
#include "strata/transport/stream_listener.hpp"

namespace strata::transport {
inline namespace v0 {

const char STRATA_TRANSPORT_BUILT_WITH_ASIO = 0;

stream::~stream() = default;

result<std::size_t> stream::do_try_read(std::span<const asio::mutable_buffer>) {
  return std::unexpected(make_error_code(errc::not_supported));
}
result<std::size_t> stream::do_try_write(std::span<const asio::const_buffer>) {
  return std::unexpected(make_error_code(errc::not_supported));
}
result<std::size_t> stream::do_try_peek(std::span<bytes>) {
  return std::unexpected(make_error_code(errc::not_supported));
}
void stream::do_consume(std::size_t) { assert(false && "nothing was shown"); }

stream_dialer::~stream_dialer() = default;
stream_listener::~stream_listener() = default;

}  // namespace v0
}  // namespace strata::transport
