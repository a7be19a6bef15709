// SPDX-License-Identifier: Apache-2.0
#include "quic/allocation/direct_link.hpp"

#include <algorithm>

#include "strata/quic/core/limits.hpp"

namespace strata::testkit {

using namespace quic::core;
using namespace std::chrono_literals;

namespace {

endpoint_config accepting() {
  endpoint_config config;
  config.accept_incoming = true;
  return config;
}

}  // namespace

direct_link::direct_link(bool real)
    : sender_tls(real ? make_openssl_test_tls() : make_null_test_tls(1)),
      receiver_tls(real ? make_openssl_test_tls() : make_null_test_tls(1)),
      sender({}, sender_random, clock, *sender_tls),
      receiver(accepting(), receiver_random, clock, *receiver_tls),
      memory(limits::max_batch_bytes) {}

connection_handle direct_link::connect() {
  const auto sending = sender.connect(now, server, "server.test", {}).value();
  while (!sender.at(sending).handshake_confirmed()) step();
  return sending;
}

void direct_link::carry(endpoint& from, endpoint& to) {
  const bool forth = &from == &sender;
  while (const auto batch = from.poll_transmit(now, memory, limits::max_batch_segments)) {
    to.receive(now, {transport::mutable_bytes(memory).first(batch->size), batch->segment,
                     batch->mark, forth ? client : server, forth ? server : client});
    serve(to);
    to.release_input();
  }
}

void direct_link::serve(endpoint& at) {
  event occurred;
  while (at.poll_event(occurred)) {
    if (occurred.kind == event_kind::incoming) {
      receiving = at.decide(now, occurred.value, decision::accept).value();
    } else if (occurred.kind == event_kind::readable && &at == &receiver) {
      read(occurred.connection, occurred.stream);
    } else if (occurred.kind == event_kind::closed) {
      at.at(occurred.connection).release();
    }
  }
}

void direct_link::read(connection_handle from, std::uint64_t stream) {
  auto view = receiver.at(from).stream(stream);
  bool fin = false;
  for (;;) {
    const auto piece = view.peek(fin);
    if (piece) {
      received += piece->size();
      view.consume(piece->size());
    }
    if (fin) return view.forget();
    if (!piece || piece->empty()) return;
  }
}

void direct_link::step() {
  now += 100us;
  for (endpoint* each : {&sender, &receiver}) {
    if (each->next_timeout() && *each->next_timeout() <= now) each->handle_timeout(now);
    serve(*each);
  }
  carry(sender, receiver);
  carry(receiver, sender);
}

void direct_link::idle_until(transport::time_point end) {
  while (now < end) {
    const auto first = sender.next_timeout(), second = receiver.next_timeout();
    const auto next = std::min(first.value_or(end), second.value_or(end));
    now = std::max(now, std::min(next, end) - 100us);
    step();
  }
}

}  // namespace strata::testkit
