// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "tls/context_settings.hpp"

namespace strata::transport {
inline namespace v0 {

void set_client_sessions(context_settings&, const tls_client_options&);
tls_result<void> set_server_tickets(context_settings&, const tls_server_options&);

/// Gives a client's SSL a session to resume, where there is one for connections like it.
void resume_session(SSL* session, std::string_view server_name, bool offers_ech);

}  // namespace v0
}  // namespace strata::transport
