// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

#include "core/connection/outgoing_batch.hpp"
#include "core/crypto/key_schedule.hpp"
#include "core/crypto/packet_protection.hpp"
#include "core/wire/packet_header.hpp"
#include "strata/quic/core/null_tls.hpp"
#include "testkit/quic/raw_peer.hpp"

namespace strata::testkit {

/// Hands on a session of another backend and keeps the secret that its owner writes 1-RTT packets
/// with.
class overheard_session final : public core::tls_session {
 public:
  overheard_session(std::unique_ptr<core::tls_session> inner, core::traffic_secret& heard)
      : inner_(std::move(inner)), heard_(heard) {}

  void start() override { inner_->start(); }
  void receive(quic::encryption_level level, transport::bytes input) override {
    inner_->receive(level, input);
  }
  bool poll_secret(core::traffic_secret& out) override {
    if (!inner_->poll_secret(out)) return false;
    const bool wanted = out.level == quic::encryption_level::application &&
                        out.way == core::traffic_secret::direction::write;
    if (wanted) heard_ = out;
    return true;
  }
  bool take_output(quic::encryption_level& level, std::vector<std::byte>& out) override {
    return inner_->take_output(level, out);
  }
  std::optional<transport::bytes> peer_transport_parameters() const override {
    return inner_->peer_transport_parameters();
  }
  bool handshake_complete() const override { return inner_->handshake_complete(); }
  const core::tls_failure* failure() const override { return inner_->failure(); }
  const core::tls_summary& summary() const override { return inner_->summary(); }

 private:
  std::unique_ptr<core::tls_session> inner_;
  core::traffic_secret& heard_;
};

class overheard_tls final : public core::tls_backend {
 public:
  explicit overheard_tls(transport::random_source& random)
      : inner_(core::make_null_tls(random, {})) {}

  transport::result<std::unique_ptr<core::tls_session>> connect(
      std::string_view name, transport::bytes parameters) override {
    auto made = inner_->connect(name, parameters);
    if (!made) return made;
    return std::make_unique<overheard_session>(std::move(*made), secret);
  }
  transport::result<std::unique_ptr<core::tls_session>> accept(
      transport::bytes parameters) override {
    return inner_->accept(parameters);
  }
  bool null_protection() const noexcept override { return inner_->null_protection(); }

  core::traffic_secret secret;

 private:
  std::unique_ptr<core::tls_backend> inner_;
};

/// A 1-RTT packet in the key phase behind the one of `present` (RFC 9001 section 6.1): sealed with
/// the next keys, its header masked with those of the first phase.
inline std::vector<std::byte> packet_of_next_phase(const core::traffic_secret& present,
                                                   const quic::connection_id& destination,
                                                   std::uint64_t number, transport::bytes payload) {
  const core::traffic_secret next = core::next_phase_secret(present).value();
  auto keys = core::packet_protection::from_secret(next.cipher, next.view()).value();
  auto masks = core::packet_protection::from_secret(present.cipher, present.view()).value();
  constexpr std::size_t number_size = 4;
  std::vector<std::byte> out(1200);
  transport::buffer_writer writer(out);
  core::write_short_header(writer, {.destination = destination.bytes(),
                                    .key_phase = true,
                                    .packet_number = number,
                                    .packet_number_size = number_size});
  const std::size_t header_size = writer.size();
  writer.put(payload);
  if (!writer.ok()) throw std::logic_error("the payload does not fit");
  keys.seal(number, out.data(), header_size, payload.size());
  const std::byte* sample = out.data() + header_size - number_size + 4;
  core::header_mask mask;
  masks.header_masks({&sample, 1}, {&mask, 1});
  core::apply_header_mask(out.data(), header_size - number_size, number_size, mask);
  out.resize(header_size + payload.size() + core::aead_tag_size);
  return out;
}

}  // namespace strata::testkit
