// SPDX-License-Identifier: Apache-2.0
#include "tls/ech.hpp"

namespace strata::transport {
inline namespace v0 {

ech_status ech_status_of(SSL*) { return ech_status::not_tried; }

}  // namespace v0
}  // namespace strata::transport
