// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "strata/quic/core/tls_backend.hpp"
#include "testkit/certificates.hpp"

namespace strata::quic::tests {

/// A server that a correct one is not: it forgets its transport parameters, or to choose a
/// protocol. Its handshake is otherwise sound, so that a client gets as far as noticing.
struct forgetful_server_options {
  bool forgets_transport_parameters = false;
  bool forgets_protocol = false;
};

std::unique_ptr<core::tls_session> make_forgetful_server(const testkit::test_certificate&,
                                                         forgetful_server_options);

}  // namespace strata::quic::tests
