// SPDX-License-Identifier: Apache-2.0
// The TLS byte stream. The first byte says which: bytes of a stranger instead of a handshake, to
// either side; or two sides that are connected and then follow a script of writes, reads, key
// updates, ends, pieces of the carrier, damage and time. What is read is always the beginning of
// what was written, an end is only what the peer said, and nothing is sent after the last word.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "strata/transport/core/error.hpp"
#include "tls/tls_connection.hpp"

namespace {

using namespace strata::transport;
using namespace std::chrono_literals;

void require(bool holds) {
  if (!holds) std::abort();
}

struct contexts {
  tls_context client;
  tls_context server;
};

contexts make_contexts(tls_version version) {
  const std::string names[] = {"fuzz.test"};
  static const auto certificate = make_self_signed_certificate(names).value();
  tls_client_options client;
  tls_server_options server;
  client.minimum_version = server.minimum_version = version;
  client.maximum_version = server.maximum_version = version;
  client.pinned_certificates = {certificate.sha256};
  // The second is for the certificate: TLS 1.2 wants its curve here.
  client.groups = server.groups = {"X25519", "P-256"};
  server.credentials = {certificate.credential()};
  return {make_tls_client_context(client).value(), make_tls_server_context(server).value()};
}

const contexts& shared(tls_version version) {
  static const contexts old = make_contexts(tls_version::tls12);
  static const contexts now = make_contexts(tls_version::tls13);
  return version == tls_version::tls12 ? old : now;
}

char octet_at(std::size_t offset) { return static_cast<char>(offset * 31 + (offset >> 9)); }

struct side {
  side(const tls_context& context, page_store& pages)
      : core(context,
             {.server_name = "fuzz.test", .write_watermark = 40'000, .input_limit = 40'000},
             pages) {}

  void read(std::size_t size) {
    std::vector<std::byte> out(size);
    const auto count = core.read(out);
    if (!count) {
      if (count.error() == errc::would_block) return;
      require(!end || end == count.error());
      end = count.error();
      return;
    }
    require(!end && *count <= size);
    for (std::size_t i = 0; i < *count; ++i)
      require(out[i] == static_cast<std::byte>(octet_at(received++)));
  }

  tls_connection core;
  std::vector<std::byte> wire;  ///< What the carrier took and has not delivered.
  std::size_t written = 0;
  std::size_t received = 0;
  std::error_code end;
  bool finished = false;
  bool damaged = false;  ///< What it sent was changed.
};

class script {
 public:
  explicit script(bytes input) : input_(input) {}
  bool empty() const { return input_.empty(); }
  unsigned next() {
    if (input_.empty()) return 0;
    const auto octet = std::to_integer<unsigned>(input_.front());
    input_ = input_.subspan(1);
    return octet;
  }

 private:
  bytes input_;
};

class pair_of_sides {
 public:
  explicit pair_of_sides(tls_version version)

      : old_(version == tls_version::tls12),
        client_(shared(version).client, pages_),
        server_(shared(version).server, pages_) {
    require(server_.core.begin(now_).has_value() && client_.core.begin(now_).has_value());
    for (int turn = 0; turn < 6; ++turn) {
      carry(client_, server_, 100'000);
      carry(server_, client_, 100'000);
    }
    require(client_.core.is_ready() && server_.core.is_ready());
  }

  void step(script& from) {
    const unsigned what = from.next();
    side& self = (what & 1) != 0 ? client_ : server_;
    side& other = &self == &client_ ? server_ : client_;
    const std::size_t size = 1 + from.next() * ((what & 2) != 0 ? 200u : 1u);
    switch (what / 4 % 12) {
      case 0:
      case 1: write(self, size); break;
      case 2: self.read(size); break;
      case 3:
      case 4: carry(self, other, size); break;
      case 5: (void)self.core.update_keys((size & 1) != 0); break;
      case 6:
        if (self.core.finish()) self.finished = true;
        break;
      case 7: damage(self, size); break;
      case 8: pass(self, size); break;
      case 9: carry(self, other, 100'000); break;
      case 10:
        if (size % 16 == 0) self.core.receive_end(now_);
        break;
      default:
        if (size % 32 == 0) self.core.reset(), self.end = errc::closed;
        if (size % 32 == 1) self.core.carrier_lost(std::make_error_code(std::errc::broken_pipe));
        break;
    }
    check(self, other);
    check(other, self);
  }

  /// A carrier that behaves delivers everything that was written.
  void settle() {
    for (int turn = 0; turn < 200; ++turn) {
      carry(client_, server_, 100'000);
      carry(server_, client_, 100'000);
      client_.read(50'000);
      server_.read(50'000);
    }
    check(client_, server_);
    check(server_, client_);
  }

 private:
  void write(side& self, std::size_t size) {
    std::string text(size, '\0');
    for (std::size_t i = 0; i < size; ++i) text[i] = octet_at(self.written + i);
    const bytes pieces[] = {as_bytes(text).first(size / 3), as_bytes(text).subspan(size / 3)};
    if (const auto count = self.core.write(pieces)) {
      require(*count != 0 && *count <= size && !self.finished);
      self.written += *count;
    }
  }

  void carry(side& from, side& to, std::size_t size) {
    std::array<bytes, 3> pieces;
    if (from.core.poll_output(now_, pieces) != 0) {
      const bytes first = pieces[0];
      from.wire.insert(from.wire.end(), first.begin(), first.end());
      from.core.sent(first.size());
    }
    if (!to.core.wants_input()) return;
    const std::size_t part = std::min(size, from.wire.size());
    // A copy of its own, so that reading it afterwards is seen.
    const std::vector<std::byte> lent(from.wire.begin(),
                                      from.wire.begin() + static_cast<std::ptrdiff_t>(part));
    from.wire.erase(from.wire.begin(), from.wire.begin() + static_cast<std::ptrdiff_t>(part));
    to.core.receive(now_, lent);
    drain(to);
    if (part % 2 == 0) to.read(100);
    to.core.release_input();
  }

  void drain(side& of) {
    tls_connection::event what{};
    for (unsigned count = 0; of.core.poll_event(what); ++count) require(count < 4);
  }

  void damage(side& of, std::size_t where) {
    if (of.wire.empty()) return;
    of.wire[where % of.wire.size()] ^= std::byte{0x10};
    of.damaged = true;
  }

  void pass(side& self, std::size_t tenths) {
    now_ += std::chrono::milliseconds(100) * tenths;
    if (const auto due = self.core.next_timeout(); due && *due <= now_) {
      self.core.handle_timeout(now_);
      const auto next = self.core.next_timeout();
      require(!next || *next > now_);
    }
  }

  void check(side& self, side& peer) {
    require(self.received <= peer.written);
    // With TLS 1.2 the peer's end may be the answer to ours.
    if (self.end == errc::eof) require((peer.finished || old_) && self.received == peer.written);
    if (self.core.failure() != nullptr) require(self.core.failure()->code.value() != 0);
    if (self.core.finished()) {
      std::array<bytes, 1> pieces;
      require(self.core.poll_output(now_, pieces) == 0);
    }
  }

  bool old_;
  page_store pages_;
  time_point now_{1h};
  side client_;
  side server_;
};

void follow_script(bytes input, tls_version version) {
  pair_of_sides pair(version);
  script steps(input);
  while (!steps.empty()) pair.step(steps);
  pair.settle();
}

void meet_stranger(bytes input, const tls_context& context) {
  page_store pages;
  side one(context, pages);
  const time_point now(1h);
  require(one.core.begin(now).has_value());
  const bytes halves[] = {input.first(input.size() / 2), input.subspan(input.size() / 2)};
  for (const bytes each : halves) {
    one.core.receive(now, each);
    one.core.release_input();
  }
  one.core.receive_end(now);
  // Nobody but a peer with the right key gets through, and a stranger has none.
  require(one.core.failure() != nullptr);
  one.core.handle_timeout(now + 1h);
  require(!one.core.next_timeout().has_value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  const bytes all = std::as_bytes(std::span(input, size));
  if (all.empty()) return 0;
  const auto kind = std::to_integer<unsigned>(all.front()) % 8;
  const bytes rest = all.subspan(1);
  const tls_version version = (kind & 1) != 0 ? tls_version::tls12 : tls_version::tls13;
  if (kind == 0 || kind == 1) {
    meet_stranger(rest, shared(version).server);
  } else if (kind == 2 || kind == 3) {
    meet_stranger(rest, shared(version).client);
  } else {
    follow_script(rest, version);
  }
  return 0;
}
