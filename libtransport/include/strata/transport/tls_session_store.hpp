// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "strata/transport/core/bytes.hpp"
#include "strata/transport/core/connection_security.hpp"
#include "strata/transport/core/limits.hpp"
#include "strata/transport/export.hpp"

namespace strata::transport {
inline namespace v0 {

/// Which connections may resume a session: those to the same name, alike in whether ECH was
/// accepted, and of a context that trusts the same. Without the second, a ticket would tell the
/// path which hidden connection it came from; without the third, resuming would skip the judgement
/// of a certificate.
struct tls_session_key {
  std::string server_name;
  bool ech_accepted = false;
  certificate_hash configuration{};

  auto operator<=>(const tls_session_key&) const = default;
};

/// Sessions of clients, in memory, that later connections resume. Give it to any number of client
/// contexts; thread-safe. Each session is handed out once, the newest first, and the oldest goes
/// when there are too many. What it holds are secrets; they are wiped when they go.
class STRATA_TRANSPORT_API tls_session_store {
 public:
  explicit tls_session_store(std::size_t limit = limits::tls_sessions);
  ~tls_session_store();
  tls_session_store(const tls_session_store&) = delete;
  tls_session_store& operator=(const tls_session_store&) = delete;

  std::size_t size() const;
  void clear();

  /// For the library. A session that is too large is not kept.
  void put(const tls_session_key& key, bytes session);
  /// Empty when there is none.
  std::vector<std::byte> take(const tls_session_key& key);

 private:
  struct implementation;
  std::unique_ptr<implementation> implementation_;
};

}  // namespace v0
}  // namespace strata::transport
