// SPDX-License-Identifier: Apache-2.0
// Every case of tests/vectors/websocket/cases.txt, with the library as client and as server.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <deque>
#include <set>

#include "case_list.hpp"
#include "subject.hpp"

using namespace strata::transport;
using namespace strata::transport::tests;

namespace {

/// The endpoint that the list asks for: it sends every message back.
class echo {
 public:
  explicit echo(bool server) : it_(server ? server_messages() : client_messages()) {}

  void take(std::string_view piece) {
    it_.feed(piece);
    while (read() || write()) {}
    for (const raw_frame& frame : it_.frames()) seen.push_back(frame);
  }

  std::vector<raw_frame> seen;

 private:
  bool read() {
    std::array<std::byte, 4096> out;
    const auto part = it_.core.read_message(out);
    if (!part) return false;
    incoming_ += as_text(bytes(out).first(part->size));
    if (!part->end) return true;
    pending_.emplace_back(part->kind, std::move(incoming_));
    incoming_.clear();
    return true;
  }
  bool write() {
    if (pending_.empty()) return false;
    auto& [kind, payload] = pending_.front();
    const auto taken = it_.send(kind, payload);
    if (!taken) {
      if (taken.error() != errc::would_block) pending_.clear();
      return false;
    }
    const bool all = *taken == payload.size();
    payload.erase(0, *taken);
    if (all) pending_.pop_front();
    for (const raw_frame& frame : it_.frames()) seen.push_back(frame);
    return true;
  }

  subject it_;
  std::string incoming_;
  std::deque<std::pair<websocket_kind, std::string>> pending_;
};

struct heard {
  std::vector<raw_frame> messages;
  std::vector<std::string> pongs;
  unsigned code = 0;
};

heard sort(const std::vector<raw_frame>& frames, bool masked) {
  heard found;
  bool open = false;
  for (const raw_frame& frame : frames) {
    CHECK(frame.masked == masked);
    CHECK(frame.reserved == 0);
    CHECK(found.code == 0);
    if (frame.opcode == closing) found.code = code_of(frame);
    if (frame.opcode == pong) found.pongs.push_back(frame.payload);
    if (frame.opcode > binary) continue;
    CHECK(open == (frame.opcode == continuation));
    if (!open) found.messages.push_back(frame);
    if (open) found.messages.back().payload += frame.payload;
    open = !frame.fin;
  }
  return found;
}

bool are_answers(const std::vector<std::string>& pongs, const std::vector<std::string>& pings) {
  std::size_t at = 0;
  for (const std::string& payload : pongs) {
    while (at < pings.size() && pings[at] != payload) ++at;
    if (at++ == pings.size()) return false;
  }
  return true;
}

void run(const websocket_case& each, bool server) {
  echo endpoint(server);
  for (const std::string& stream : {each.stream(server), each.last_words(server)})
    for (std::size_t at = 0; at < stream.size(); at += std::min(each.cut, stream.size() - at))
      endpoint.take(std::string_view(stream).substr(at, each.cut));
  const heard found = sort(endpoint.seen, !server);
  CHECK(std::count(each.codes.begin(), each.codes.end(), found.code) == 1);
  const bool failed = each.ends == websocket_case::outcome::fails;
  CHECK(found.messages.size() <= each.wanted.size());
  CHECK((failed || found.messages.size() == each.wanted.size()));
  for (std::size_t i = 0; i < std::min(found.messages.size(), each.wanted.size()); ++i) {
    CHECK(found.messages[i].opcode == each.wanted[i].opcode);
    CHECK((found.messages[i].payload == each.wanted[i].payload));
  }
  const std::vector<std::string> pings = each.pings();
  CHECK(are_answers(found.pongs, pings));
  if (!failed && !pings.empty()) {
    REQUIRE_FALSE(found.pongs.empty());
    CHECK(found.pongs.back() == pings.back());
  }
}

}  // namespace

TEST_CASE("websocket: the list of cases", "[transport][websocket][cases]") {
  const bool server = GENERATE(true, false);
  const auto cases = read_cases(STRATA_TEST_VECTORS "/websocket/cases.txt");
  CHECK(cases.size() >= 200);
  std::set<std::string> ids;
  for (const websocket_case& each : cases) {
    INFO(each.id << " " << each.title << (server ? ", to a server" : ", to a client"));
    CHECK(ids.insert(each.id).second);
    run(each, server);
  }
}
