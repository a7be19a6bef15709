// SPDX-License-Identifier: Apache-2.0
#include "strata/transport/tls_session_store.hpp"

#include <openssl/crypto.h>

#include <list>
#include <map>
#include <mutex>

namespace strata::transport {
inline namespace v0 {
namespace {

struct kept_session {
  tls_session_key key;
  std::vector<std::byte> session;

  kept_session(const tls_session_key& for_whom, bytes what)
      : key(for_whom), session(what.begin(), what.end()) {}
  kept_session(const kept_session&) = delete;
  kept_session& operator=(const kept_session&) = delete;
  ~kept_session() { OPENSSL_cleanse(session.data(), session.size()); }
};

}  // namespace

struct tls_session_store::implementation {
  using place = std::list<kept_session>::iterator;

  std::size_t limit;
  mutable std::mutex mutex;
  std::list<kept_session> sessions;                     ///< The newest in front.
  std::map<tls_session_key, std::vector<place>> index;  ///< The newest last; never empty.

  void remove(place which) {
    const auto entry = index.find(which->key);
    std::erase(entry->second, which);
    if (entry->second.empty()) index.erase(entry);
    sessions.erase(which);
  }
};

tls_session_store::tls_session_store(std::size_t limit)
    : implementation_(std::make_unique<implementation>()) {
  implementation_->limit = limit;
}
tls_session_store::~tls_session_store() = default;

std::size_t tls_session_store::size() const {
  const std::lock_guard lock(implementation_->mutex);
  return implementation_->sessions.size();
}

void tls_session_store::clear() {
  const std::lock_guard lock(implementation_->mutex);
  implementation_->index.clear();
  implementation_->sessions.clear();
}

void tls_session_store::put(const tls_session_key& key, bytes session) {
  implementation& self = *implementation_;
  if (session.empty() || session.size() > limits::tls_session_bytes || self.limit == 0) return;
  const std::lock_guard lock(self.mutex);
  // A server that sends tickets without end pushes out its own only.
  if (const auto found = self.index.find(key);
      found != self.index.end() && found->second.size() == limits::tls_sessions_per_name)
    self.remove(found->second.front());
  if (self.sessions.size() == self.limit) self.remove(std::prev(self.sessions.end()));
  self.sessions.emplace_front(key, session);
  self.index[key].push_back(self.sessions.begin());
}

std::vector<std::byte> tls_session_store::take(const tls_session_key& key) {
  implementation& self = *implementation_;
  const std::lock_guard lock(self.mutex);
  const auto found = self.index.find(key);
  if (found == self.index.end()) return {};
  const implementation::place newest = found->second.back();
  std::vector<std::byte> session = std::move(newest->session);
  self.remove(newest);
  return session;
}

}  // namespace v0
}  // namespace strata::transport
