// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "strata/transport/core/buffer_writer.hpp"
#include "strata/transport/core/bytes.hpp"
#include "strata/transport/core/https_record.hpp"

namespace strata::transport {
inline namespace v0 {
namespace dns {

/// Reads what follows the target of an HTTPS or SVCB record (RFC 9460 section 2.2) into the record,
/// whose priority is set. Returns what is wrong; empty when all is right.
std::string read_parameters(bytes input, https_record& into);

/// The writer fails for a record that read_parameters() would refuse by its shape: a list without
/// or with overlong elements, an address of the wrong family, keys that are out of place.
void write_parameters(const https_record& record, buffer_writer& to);

/// The key's name; "key667" for those without one.
std::string key_name(std::uint16_t key);

}  // namespace dns
}  // namespace v0
}  // namespace strata::transport
