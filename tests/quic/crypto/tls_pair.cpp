// SPDX-License-Identifier: Apache-2.0
#include "tls_pair.hpp"

#include <algorithm>
#include <utility>

namespace strata::quic::tests {

tls_pair::tls_pair(std::unique_ptr<core::tls_session> for_client,
                   std::unique_ptr<core::tls_session> for_server) {
  client.session = std::move(for_client);
  server.session = std::move(for_server);
}

void tls_pair::drain_secrets(side& which) {
  core::traffic_secret secret;
  while (which.session->poll_secret(secret)) which.secrets.push_back(secret);
}

bool tls_pair::deliver(side& from, side& to) {
  bool moved = false;
  encryption_level level = encryption_level::initial;
  for (std::vector<std::byte> output; from.session->take_output(level, output); output.clear()) {
    from.sent[static_cast<std::size_t>(level)] += output.size();
    if (tamper) tamper(&from == &client, level, output);
    for (std::size_t at = 0; at < output.size(); at += std::min(chunk, output.size() - at)) {
      to.session->receive(level,
                          core::bytes(output).subspan(at, std::min(chunk, output.size() - at)));
      drain_secrets(to);
    }
    moved = true;
  }
  return moved;
}

void tls_pair::run() {
  client.session->start();
  server.session->start();
  drain_secrets(client);
  for (bool moved = true; moved;) {
    moved = deliver(client, server);
    moved = deliver(server, client) || moved;
  }
}

const core::traffic_secret* find_secret(const tls_pair::side& which, encryption_level level,
                                        core::traffic_secret::direction way) {
  const auto found = std::find_if(
      which.secrets.begin(), which.secrets.end(),
      [&](const core::traffic_secret& each) { return each.level == level && each.way == way; });
  return found == which.secrets.end() ? nullptr : &*found;
}

}  // namespace strata::quic::tests
