// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>

#include "strata/quic/export.hpp"
#include "strata/quic/observer.hpp"

namespace strata::quic {
inline namespace v0 {

/// Writes one qlog file per connection into `directory`, which must exist: `<original destination
/// connection id>_<client or server>.sqlog`, with `-2` and so on before the dot when there is such
/// a file already, JSON text sequences (RFC 7464) after the main and QUIC event schemas of qlog.
/// Connections that began before it looked on are not written. A file that cannot be written ends
/// quietly: the connection is more important. Files are flushed when their connection closes, and
/// every 64 KiB.
STRATA_QUIC_API std::shared_ptr<observer> make_qlog_observer(std::filesystem::path directory);

}  // namespace v0
}  // namespace strata::quic
