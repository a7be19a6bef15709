// SPDX-License-Identifier: Apache-2.0
// A client and a server core joined in memory: every byte is split at random, QUIC is full at
// random, applications are slow at random.
#include <catch2/catch_test_macros.hpp>

#include "harness.hpp"

using namespace strata::h3;
using namespace strata::h3::test;

namespace {

/// One direction of one stream between the two ends.
struct channel {
  byte_vector content;      // everything written
  std::size_t visible = 0;  // as much has arrived
  std::size_t consumed = 0;
  bool fin = false;
  bool reset = false;
};

struct message {
  std::string sections;
  std::string body;
  std::uint64_t body_size = 0;  // to be sent
  std::uint64_t body_sent = 0;
  bool trailers = false;
  bool head_sent = false;
  bool end_sent = false;
  bool finished = false;
};

/// One end: its core, what its application has seen and what it still sends.
struct joined_end {
  joined_end(role which, strata::testkit::fake_random& random)
      : core({.role = which}, random), next_uni(which == role::client ? 2u : 3u) {}
  connection core;
  std::map<std::uint64_t, channel> out;
  std::map<std::uint64_t, message> messages;
  std::uint64_t next_uni;
};

char octet_at(std::uint64_t stream_id, std::uint64_t offset) {
  return static_cast<char>('a' + (stream_id / 4 + offset * 7) % 26);
}

class joined_ends {
 public:
  explicit joined_ends(std::uint64_t seed)
      : random_(seed),
        client_(role::client, random_),
        server_(role::server, random_),
        loss_(0.1 + 0.8 * static_cast<double>(random_.below(100)) / 100) {}

  void run(std::uint64_t requests) {
    for (std::uint64_t i = 0; i < requests; ++i) {
      message& request = client_.messages[4 * i];
      request.body_size = random_.happens(0.5) ? random_.below(200'000) : 0;
      request.trailers = random_.happens(0.3);
      REQUIRE(client_.core.open_request(4 * i));
      server_.messages[4 * i].body_size = random_.happens(0.7) ? random_.below(100'000) : 0;
      server_.messages[4 * i].trailers = random_.happens(0.3);
    }
    for (int turn = 0; turn < 200'000 && !done(); ++turn) step();
    REQUIRE(client_.core.closed() == nullptr);
    REQUIRE(server_.core.closed() == nullptr);
    REQUIRE(done());
    for (const auto& [id, message] : client_.messages) {
      const struct message& answer = server_.messages.at(id);
      REQUIRE(answer.sections.starts_with(":method=POST;"));
      REQUIRE(message.sections.find(":status=200;") != std::string::npos);
      check_body(id, message, answer.body_size);
      check_body(id, answer, message.body_size);
      REQUIRE((message.sections.find("x-end=1;") != std::string::npos) == answer.trailers);
      REQUIRE((answer.sections.find("x-end=1;") != std::string::npos) == message.trailers);
    }
    CHECK(client_.core.request_count() == 0);
    CHECK(server_.core.request_count() == 0);
  }

 private:
  static void check_body(std::uint64_t id, const message& seen, std::uint64_t size) {
    REQUIRE(seen.body.size() == size);
    for (std::size_t i = 0; i < seen.body.size(); ++i)
      if (seen.body[i] != octet_at(id, i)) FAIL("stream " << id << " differs at " << i);
  }

  bool done() const {
    const auto all = [](const joined_end& each) {
      return std::all_of(each.messages.begin(), each.messages.end(), [](const auto& entry) {
        return entry.second.finished && entry.second.end_sent;
      });
    };
    return all(client_) && all(server_) && client_.core.request_count() == 0 &&
           server_.core.request_count() == 0;
  }

  void step() {
    now_ += std::chrono::milliseconds(1);
    work(client_, server_, true);
    work(server_, client_, false);
  }

  void work(joined_end& self, joined_end& other, bool is_client) {
    for (auto& [id, incoming] : other.out)
      if (!random_.happens(loss_)) deliver(self, id, incoming);
    for (auto& [id, message] : self.messages)
      if (random_.happens(0.5)) write(self, id, message, is_client);
    flush(self);
  }

  void deliver(joined_end& self, std::uint64_t id, channel& incoming) {
    incoming.visible += std::min<std::size_t>(incoming.content.size() - incoming.visible,
                                              1 + random_.below(random_.happens(0.3) ? 10 : 5000));
    for (bool progress = true; progress;) {
      const bytes view =
          bytes(incoming.content).subspan(incoming.consumed, incoming.visible - incoming.consumed);
      const bool fin = incoming.fin && incoming.visible == incoming.content.size();
      const core::received result = self.core.receive(now_, id, view, fin);
      REQUIRE(result.consumed <= view.size());
      incoming.consumed += result.consumed;
      progress = result.consumed != 0;
      if (!result.body.empty() && random_.happens(0.7)) {
        REQUIRE(result.body.data() == view.data() + result.consumed);
        const std::size_t size = 1 + random_.below(result.body.size());
        self.messages[id].body += strata::transport::as_text(result.body.first(size));
        self.core.request(id).consume_body(size);
        incoming.consumed += size;
        progress = true;
      }
      field_section section;
      if ((id & 2) == 0 && self.core.request(id).take_section(section)) {
        for (const field_line line : section)
          (((self.messages[id].sections += line.name) += "=") += line.value) += ";";
        progress = true;
      }
      flush(self);
    }
  }

  void write(joined_end& self, std::uint64_t id, message& message, bool is_client) {
    if (message.end_sent || (!is_client && message.sections.empty())) return;
    auto request = self.core.request(id);
    if (!message.head_sent) {
      if (!is_client && random_.happens(0.3))
        REQUIRE(request.send_headers({{{":status", "103"}}}, false));
      const bool fin = message.body_size == 0 && !message.trailers;
      REQUIRE(request.send_headers(is_client ? post_lines : ok_lines, fin));
      message.head_sent = true;
      message.end_sent = fin;
      return flush(self);
    }
    if (message.body_sent == message.body_size && message.trailers) {
      REQUIRE(request.send_trailers({{{"x-end", "1"}}}));
      message.end_sent = true;
      return flush(self);
    }
    const std::uint64_t size =
        std::min<std::uint64_t>(message.body_size - message.body_sent, 1 + random_.below(90'000));
    std::string content;
    for (std::uint64_t i = 0; i < size; ++i) content += octet_at(id, message.body_sent + i);
    const bool fin = message.body_sent + size == message.body_size && !message.trailers;
    const std::size_t cut = random_.below(size + 1);
    const bytes pieces[] = {strata::transport::as_bytes(std::string_view(content).substr(0, cut)),
                            strata::transport::as_bytes(std::string_view(content).substr(cut))};
    const auto taken = request.send_body(pieces, fin);
    REQUIRE(taken);
    message.body_sent += *taken;
    message.end_sent = fin && *taken == size;
    flush(self);  // before `content`, which is lent, goes
  }

  void flush(joined_end& self) {
    for (core::event event; self.core.poll_event(event);) {
      REQUIRE(event.kind != event_kind::failed);
      if (event.kind == event_kind::finished) self.messages[event.stream_id].finished = true;
    }
    for (core::transport_command command; self.core.poll_command(command);) {
      REQUIRE(command.kind == core::transport_command::kind_type::open_unidirectional);
      self.core.opened(self.next_uni);
      self.next_uni += 4;
    }
    if (random_.happens(0.3))
      for (const auto& [id, outgoing] : self.out) self.core.writable(id);
    for (core::output output; self.core.poll_output(output);) {
      channel& target = self.out[output.stream_id];
      std::size_t offered = 0;
      for (const bytes piece : output.pieces) offered += piece.size();
      std::size_t room = random_.happens(0.5) ? offered : random_.below(offered + 1);
      const std::size_t taken = room;
      for (const bytes piece : output.pieces) {
        const std::size_t size = std::min(room, piece.size());
        target.content.insert(target.content.end(), piece.begin(),
                              piece.begin() + static_cast<std::ptrdiff_t>(size));
        room -= size;
      }
      target.fin = target.fin || (output.fin && taken == offered);
      self.core.sent(output.stream_id, taken);
    }
  }

  strata::testkit::fake_random random_;
  joined_end client_;
  joined_end server_;
  double loss_;
  strata::transport::time_point now_{std::chrono::seconds(1)};
};

}  // namespace

TEST_CASE("pipe: messages of all shapes survive random splits, full streams and slow readers",
          "[h3][connection]") {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    INFO("seed " << seed);
    joined_ends(seed).run(1 + seed % 12);
  }
}
