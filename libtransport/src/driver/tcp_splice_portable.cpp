// SPDX-License-Identifier: Apache-2.0
#include "driver/tcp_splice.hpp"
#include "strata/transport/core/error.hpp"

namespace strata::transport {
inline namespace v0 {
namespace detail {

std::unique_ptr<splice_pipe> splice_pipe::open() { return nullptr; }
splice_pipe::~splice_pipe() = default;
splice_pipe::outcome splice_pipe::fill(const native_socket&) {
  return {.error = make_error_code(errc::not_supported)};
}
splice_pipe::outcome splice_pipe::drain(const native_socket&) {
  return {.error = make_error_code(errc::not_supported)};
}

asio::awaitable<std::error_code> async_wait_writable(native_socket, asio::any_io_executor,
                                                     asio::cancellation_slot) {
  co_return make_error_code(errc::not_supported);
}

}  // namespace detail
}  // namespace v0
}  // namespace strata::transport
