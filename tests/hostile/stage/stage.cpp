// SPDX-License-Identifier: Apache-2.0
#include "stage/stage.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <stdexcept>
#include <utility>

#include "strata/quic/core/limits.hpp"
#include "testkit/quic/test_tls.hpp"

namespace strata::hostile {

using core::event;
using core::event_kind;

namespace {

const transport::address bystander_address = transport::address::loopback_v4(7001);
constexpr std::size_t talk_size = 20'000;

std::unique_ptr<core::tls_backend> tls_of(const stage_options& options,
                                          testkit::fake_random& random) {
  return options.real_tls ? testkit::make_openssl_test_tls() : make_null_tls(random, options.tls);
}

/// A TLS session whose first output somebody rewrites.
class edited_session final : public core::tls_session {
 public:
  edited_session(std::unique_ptr<core::tls_session> inner,
                 const std::function<void(std::vector<std::byte>&)>& edit)
      : inner_(std::move(inner)), edit_(edit) {}
  void start() override { inner_->start(); }
  void receive(quic::encryption_level level, bytes input) override {
    inner_->receive(level, input);
  }
  bool poll_secret(core::traffic_secret& out) override { return inner_->poll_secret(out); }
  bool take_output(quic::encryption_level& level, std::vector<std::byte>& out) override {
    std::vector<std::byte> taken;
    if (!inner_->take_output(level, taken)) return false;
    if (!std::exchange(edited_, true)) edit_(taken);
    out.insert(out.end(), taken.begin(), taken.end());
    return true;
  }
  std::optional<bytes> peer_transport_parameters() const override {
    return inner_->peer_transport_parameters();
  }
  bool handshake_complete() const override { return inner_->handshake_complete(); }
  const core::tls_failure* failure() const override { return inner_->failure(); }
  const core::tls_summary& summary() const override { return inner_->summary(); }

 private:
  std::unique_ptr<core::tls_session> inner_;
  const std::function<void(std::vector<std::byte>&)>& edit_;
  bool edited_ = false;
};

class edited_tls final : public core::tls_backend {
 public:
  edited_tls(std::unique_ptr<core::tls_backend> inner,
             std::function<void(std::vector<std::byte>&)> edit)
      : inner_(std::move(inner)), edit_(std::move(edit)) {}
  transport::result<std::unique_ptr<core::tls_session>> connect(std::string_view name,
                                                                bytes parameters) override {
    auto made = inner_->connect(name, parameters);
    if (!made) return made;
    return std::make_unique<edited_session>(std::move(*made), edit_);
  }
  transport::result<std::unique_ptr<core::tls_session>> accept(bytes parameters) override {
    return inner_->accept(parameters);
  }
  bool null_protection() const noexcept override { return inner_->null_protection(); }

 private:
  std::unique_ptr<core::tls_backend> inner_;
  std::function<void(std::vector<std::byte>&)> edit_;
};

std::unique_ptr<core::tls_backend> attacker_tls_of(const stage_options& options,
                                                   testkit::fake_random& random) {
  auto made = tls_of(options, random);
  if (!options.edit_hello) return made;
  return std::make_unique<edited_tls>(std::move(made), options.edit_hello);
}

core::connection_config patient() {
  core::connection_config config;
  config.keep_alive = std::chrono::seconds(5);
  return config;
}

}  // namespace

core::endpoint_config accepting() {
  core::endpoint_config config;
  config.accept_incoming = true;
  return config;
}

std::vector<std::byte> octets(std::initializer_list<int> values) {
  std::vector<std::byte> out;
  for (const int value : values) out.push_back(static_cast<std::byte>(value));
  return out;
}

std::string name_of(const core::connection_close_frame& close) {
  constexpr std::array names{"NO_ERROR",
                             "INTERNAL_ERROR",
                             "CONNECTION_REFUSED",
                             "FLOW_CONTROL_ERROR",
                             "STREAM_LIMIT_ERROR",
                             "STREAM_STATE_ERROR",
                             "FINAL_SIZE_ERROR",
                             "FRAME_ENCODING_ERROR",
                             "TRANSPORT_PARAMETER_ERROR",
                             "CONNECTION_ID_LIMIT_ERROR",
                             "PROTOCOL_VIOLATION",
                             "INVALID_TOKEN",
                             "APPLICATION_ERROR",
                             "CRYPTO_BUFFER_EXCEEDED",
                             "KEY_UPDATE_ERROR",
                             "AEAD_LIMIT_REACHED",
                             "NO_VIABLE_PATH"};
  std::array<char, 20> digits{};
  std::snprintf(digits.data(), digits.size(), "0x%llx",
                static_cast<unsigned long long>(close.error_code));
  if (close.application) return std::string("application ") + digits.data();
  if (close.error_code < names.size()) return names[close.error_code];
  if (close.error_code >> 8 == 1) return std::string("CRYPTO_ERROR ") + digits.data();
  return std::string("transport ") + digits.data();
}

stage::stage(stage_options options)
    : options_(std::move(options)),
      server_tls_(tls_of(options_, server_random_)),
      attacker_tls_(attacker_tls_of(options_, attacker_random_)),
      bystander_tls_(tls_of(options_, bystander_random_)),
      server(options_.server, server_random_, clock_, *server_tls_),
      bystander({}, bystander_random_, clock_, *bystander_tls_),
      attacker(server, *attacker_tls_, 5),
      out_(core::limits::max_batch_bytes) {
  attacker.neighbours = this;
  attacker.on_own_event = [this](const event& occurred) {
    if (application.on_server_event && occurred.kind != event_kind::incoming)
      application.on_server_event(occurred.connection, occurred);
  };
}

void stage::begin_with_bystander() {
  bystander_connection_ =
      bystander.connect(attacker.now, attacker.endpoint_address, "server.test", patient()).value();
  if (!run(std::chrono::seconds(5), [this] { return bystander_ready_; }) || !bystander_unharmed())
    throw std::logic_error("the bystander has no connection");
  held_before_ = testkit::held_bytes();
  testkit::reset_peak();
}

void stage::begin() {
  begin_with_bystander();
  attacker.start();
  // Pacing may want time in between.
  bool connected = attacker.complete_handshake();
  for (int i = 0; i < 10 && !connected; ++i)
    connected = pass_time() && attacker.complete_handshake();
  if (!connected) throw std::logic_error("the attacker has no connection");
  settle();
  held_before_ = testkit::held_bytes();
  testkit::reset_peak();
}

void stage::on_datagrams(const transport::transmit& to, mutable_bytes payload) {
  if (to.remote != bystander_address) return;  // To an address that somebody forged.
  bystander.receive(attacker.now,
                    {payload, to.segment, to.mark, attacker.endpoint_address, bystander_address});
  serve_bystander();
  bystander.release_input();
}

void stage::serve_bystander() {
  std::array<std::byte, 4096> memory;
  event occurred;
  while (bystander.poll_event(occurred)) {
    if (occurred.kind == event_kind::confirmed) bystander_ready_ = true;
    if (application.on_bystander_event) {
      application.on_bystander_event(occurred.connection, occurred);
      continue;
    }
    if (occurred.kind != event_kind::readable) continue;
    for (auto stream = bystander.at(occurred.connection).stream(occurred.stream);;) {
      const auto size = stream.read(memory, returned_end_);
      returned_ += size.value_or(0);
      if (!size || returned_end_ || *size == 0) break;
    }
  }
}

void stage::on_event(const event& occurred) {
  if (occurred.kind == event_kind::incoming) {
    const auto accepted = server.decide(attacker.now, occurred.value, core::decision::accept);
    if (accepted) served_ = *accepted;
    return;
  }
  if (application.on_server_event)
    return application.on_server_event(occurred.connection, occurred);
  auto connection = server.at(occurred.connection);
  if (!connection) return;
  if (occurred.kind == event_kind::stream_opened) {
    while (const auto id = connection.accept(occurred.value == 1)) serve(connection, *id);
  }
  if (occurred.kind == event_kind::readable || occurred.kind == event_kind::writable)
    serve(connection, occurred.stream);
}

void stage::serve(core::connection_view connection, std::uint64_t id) {
  echo& kept = echoes_[id];
  auto stream = connection.stream(id);
  std::array<std::byte, 4096> memory;
  while (!kept.fin) {
    const auto size = stream.read(memory, kept.fin);
    if (!size) break;
    kept.waiting.insert(kept.waiting.end(), memory.begin(),
                        memory.begin() + static_cast<std::ptrdiff_t>(*size));
  }
  const bytes all(kept.waiting);
  const auto written = stream.write({&all, 1}, kept.fin);
  if (!written) return;
  const bool ended = kept.fin && *written == all.size();
  kept.waiting.erase(kept.waiting.begin(),
                     kept.waiting.begin() + static_cast<std::ptrdiff_t>(*written));
  if (!ended) return;
  stream.forget();
  echoes_.erase(id);
}

bool stage::flush_bystander() {
  bool sent = false;
  while (const auto batch = bystander.poll_transmit(attacker.now, out_, 64)) {
    sent = true;
    server.receive(attacker.now, {mutable_bytes(out_).first(batch->size), batch->segment,
                                  batch->mark, bystander_address, attacker.endpoint_address});
    attacker.pump();
    server.release_input();
  }
  return sent;
}

void stage::settle() {
  do {
    attacker.pump();
  } while (flush_bystander());
}

bool stage::pass_time() {
  const auto ours = server.next_timeout();
  const auto theirs = bystander.next_timeout();
  if (!ours && !theirs) return false;
  const auto next = !theirs || (ours && *ours < *theirs) ? *ours : *theirs;
  attacker.now = std::max(attacker.now, next);
  server.handle_timeout(attacker.now);
  bystander.handle_timeout(attacker.now);
  settle();
  return true;
}

bool stage::run(transport::duration limit, const std::function<bool()>& done) {
  const auto end = attacker.now + limit;
  for (settle(); !done();) {
    const auto ours = server.next_timeout();
    const auto theirs = bystander.next_timeout();
    const bool any = (ours && *ours <= end) || (theirs && *theirs <= end);
    if (!any || !pass_time()) {
      attacker.now = std::max(attacker.now, end);
      return done();
    }
  }
  return true;
}

bool stage::bystander_unharmed() {
  auto connection = bystander.at(bystander_connection_);
  if (!connection || connection.closed() != nullptr) return false;
  if (application.talk) {
    const bool served = application.talk(*this, bystander_connection_);
    connection = bystander.at(bystander_connection_);
    return served && connection && connection.closed() == nullptr;
  }
  const auto id = connection.open(true);
  if (!id) return false;
  std::vector<std::byte> content(talk_size, std::byte{0x5a});
  const bytes view(content);
  returned_ = 0;
  returned_end_ = false;
  if (connection.stream(*id).write({&view, 1}, true).value_or(0) != talk_size) return false;
  const bool back = run(std::chrono::seconds(5), [this] { return returned_end_; });
  connection = bystander.at(bystander_connection_);
  if (connection) connection.stream(*id).forget();
  return back && returned_ == talk_size && connection.closed() == nullptr;
}

std::size_t stage::grown() const {
  const std::size_t now = testkit::held_bytes();
  return now > held_before_ ? now - held_before_ : 0;
}

std::size_t stage::peak() const {
  const std::size_t most = testkit::peak_bytes();
  return most > held_before_ ? most - held_before_ : 0;
}

std::string stage::verdict() {
  settle();
  const std::size_t most = peak();
  const auto& close = attacker.closed_with();
  std::string said = close ? name_of(*close) : "open";
  if (!bystander_unharmed()) said += ", the bystander was harmed";
  if (most > options_.memory) said += ", memory: " + std::to_string(most);
  return said;
}

bool stage::server_saw(event_kind kind) const {
  return std::ranges::any_of(attacker.events,
                             [kind](const event& each) { return each.kind == kind; });
}

std::string attacked_by(const std::function<void(raw_peer&)>& attack, stage_options options) {
  stage one(std::move(options));
  one.begin();
  attack(one.attacker);
  return one.verdict();
}

std::string handshake_attacked_by(const std::function<void(stage&)>& attack,
                                  stage_options options) {
  stage one(std::move(options));
  one.begin_with_bystander();
  attack(one);
  return one.verdict();
}

client_stage::client_stage(bool real_tls)
    : client_tls_(tls_of({.real_tls = real_tls}, client_random_)),
      server_tls_(tls_of({.real_tls = real_tls}, server_random_)),
      client({}, client_random_, clock_, *client_tls_),
      server(client, *server_tls_, 6) {
  server.own_address = transport::address::loopback_v4(443);
  server.endpoint_address = transport::address::loopback_v4(7000);
  connection = client.connect(server.now, server.own_address, "server.test", {}).value();
  server.listen(connection);
}

bool client_stage::begin() { return server.complete_handshake(); }

std::string client_stage::verdict() {
  server.pump();
  const auto& close = server.closed_with();
  return close ? name_of(*close) : "open";
}

}  // namespace strata::hostile
