// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <string>

#include "strata/h3/document_root.hpp"
#include "strata/quic/connection.hpp"

/// hq-interop, the protocol of QUIC interoperability tests: "GET /name\r\n" on a stream of its own,
/// answered with the bytes of the file and the end of the stream.
namespace hq {

/// Answers until the connection ends. A file that is not there resets its stream.
asio::awaitable<void> serve(strata::quic::connection connection,
                            std::shared_ptr<const strata::h3::document_root> root);

/// Asks for one file and gives its bytes to `sink` as they come; throws std::system_error.
asio::awaitable<void> fetch(strata::quic::connection& connection, std::string path,
                            std::function<void(std::string_view)> sink);

}  // namespace hq
