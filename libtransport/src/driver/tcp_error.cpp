// SPDX-License-Identifier: Apache-2.0
#include "driver/tcp_error.hpp"

#include <asio/error.hpp>

#include "strata/transport/core/error.hpp"

namespace strata::transport {
inline namespace v0 {

std::error_code from_system_error(const std::error_code& error) noexcept {
  if (error == asio::error::eof) return errc::eof;
  if (error == asio::error::operation_aborted) return errc::aborted;
  if (error == asio::error::connection_reset || error == asio::error::broken_pipe ||
      error == asio::error::connection_aborted) {
    return errc::stream_reset;
  }
  if (error == asio::error::connection_refused) return errc::refused;
  if (error == asio::error::timed_out) return errc::timed_out;
  if (error == asio::error::host_unreachable || error == asio::error::network_unreachable ||
      error == asio::error::network_down || error.value() == EADDRNOTAVAIL) {
    return errc::unreachable;
  }
  if (error == asio::error::host_not_found || error == asio::error::no_data ||
      error == asio::error::host_not_found_try_again) {
    return errc::name_not_found;
  }
  if (error == asio::error::no_memory) return errc::out_of_memory;
  // Asio's category for them is not the standard one, and does not compare with std::errc.
  if (error.category() == asio::error::get_system_category())
    return {error.value(), std::system_category()};
  return error;
}

}  // namespace v0
}  // namespace strata::transport
