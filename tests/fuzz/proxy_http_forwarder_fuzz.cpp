// SPDX-License-Identifier: Apache-2.0
// A forwarder between a client and its origins, driven by operations. Whatever both say: what goes
// to an origin are requests, what goes to the client are responses, each with one framing; what is
// lent stays where it is; and what is held is bounded.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "strata/proxy/core/http_forwarder.hpp"
#include "strata/proxy/core/limits.hpp"
#include "strata/transport/core/http1_chunked.hpp"

using namespace strata;
using namespace strata::proxy::core;
using strata::transport::bytes;
using strata::transport::http1_body;
using strata::transport::http1_head_parser;

namespace {

void check(bool holds) {
  if (!holds) std::abort();
}

/// Takes the body of that framing from the front of the text; false: it goes on.
bool take_body(const transport::http1_framing& framing, bytes& text) {
  if (framing.body == http1_body::until_close) return text = {}, false;
  if (framing.body == http1_body::length) {
    const bool whole = text.size() >= framing.length;
    text = text.subspan(std::min<std::size_t>(text.size(), framing.length));
    return whole;
  }
  if (framing.body != http1_body::chunked) return true;
  transport::http1_chunked_decoder decoder;
  while (!text.empty() && !decoder.is_done()) {
    const auto piece = decoder.next(text);
    check(piece.has_value());
    text = text.subspan(piece->consumed);
  }
  return decoder.is_done();
}

void check_requests(bytes text) {
  while (!text.empty()) {
    auto parser = http1_head_parser::of_requests({.bytes = 64 * 1024, .fields = 200});
    const auto taken = parser.receive(text);
    check(taken.has_value());
    if (!parser.is_done()) return;
    text = text.subspan(*taken);
    const auto form = parser.head().target().form;
    check(form == transport::http1_target_form::origin ||
          form == transport::http1_target_form::asterisk);
    check(parser.head().request_line().version == transport::http1_version::v1_1);
    check(parser.head().count("Host") == 1 && parser.head().count("Via") >= 1);
    for (const char* name : {"Connection", "Proxy-Authorization", "Upgrade", "TE", "Trailer"})
      check(parser.head().count(name) == 0);
    if (!take_body(parser.head().framing(), text)) return;
  }
}

/// The responses to requests of which `heads` says whether they were HEAD; the proxy's own answer
/// to the last one may be to another. True: all were whole.
bool check_responses(bytes text, const std::vector<bool>& heads) {
  for (std::size_t which = 0; !text.empty();) {
    const bool head = which < heads.size() && heads[which];
    auto parser =
        http1_head_parser::of_responses({.head = head}, {.bytes = 64 * 1024, .fields = 200});
    const auto taken = parser.receive(text);
    check(taken.has_value());
    if (!parser.is_done()) return false;
    text = text.subspan(*taken);
    const auto status = parser.head().status_line().status;
    check(status != 101 && parser.head().count("Proxy-Connection") == 0);
    if (which >= heads.size()) return true;
    if (status >= 200) ++which;
    if (!take_body(parser.head().framing(), text)) return false;
  }
  return true;
}

class world {
 public:
  explicit world(bytes& input) : forwarder_(begin(input)) {}

  void step(unsigned operation, bytes said) {
    const auto reason = static_cast<proxy::refusal>(said.size() % 9);
    switch (operation) {
      case 0: receive_client(said); break;
      case 1: receive_origin(said); break;
      case 2: connect(); break;
      case 3: forwarder_.refuse(reason); break;
      case 4: forwarder_.end_client(); break;
      case 5: end_origin(said.size() % 2 == 0); break;
      case 6: send_to_client(1 + said.size() * 64); break;
      case 7: send_to_origin(1 + said.size() * 64); break;
      default: lend(); break;
    }
    check_lent();
    check(forwarder_.to_client().size() <= most && forwarder_.to_origin().size() <= most);
  }

  void finish() {
    while (!forwarder_.to_client().empty()) send_to_client(1000);
    while (!forwarder_.to_origin().empty()) send_to_origin(1000);
    check_requests(transport::as_bytes(origin_));
    const bool whole = check_responses(transport::as_bytes(client_), heads_);
    check(whole || !forwarder_.is_idle());
    if (forwarder_.finished()) {
      check(!forwarder_.wants_client() && !forwarder_.wants_origin());
      check(!forwarder_.origin_reusable() && forwarder_.wanted() == nullptr);
    }
  }

 private:
  static constexpr std::size_t most = limits::max_forwarder_output + 40 * 1024;

  static http_forwarder begin(bytes& input) {
    http_forwarder_config config;
    auto parser = http1_head_parser::of_requests(config.head);
    const auto taken = parser.receive(input);
    if (taken && parser.is_done()) {
      input = input.subspan(*taken);
      return http_forwarder(config, parser.head(), "user");
    }
    parser.restart();
    check(parser.receive(transport::as_bytes("GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n"))
              .has_value());
    return http_forwarder(config, parser.head(), "user");
  }

  void receive_client(bytes said) {
    const bool wanted = forwarder_.wants_client();
    const std::size_t taken = forwarder_.receive_client(said);
    check(taken <= said.size() && (wanted || taken == 0));
    check(taken == said.size() || !forwarder_.wants_client());
  }
  void receive_origin(bytes said) {
    if (!forwarder_.wants_origin()) return;
    const std::size_t taken = forwarder_.receive_origin(said);
    check(taken == said.size() || !forwarder_.wants_origin());
  }
  void connect() {
    if (forwarder_.wanted() == nullptr) return;
    if (!forwarder_.origin_reusable()) {
      check_requests(transport::as_bytes(origin_));
      origin_.clear();
      lent_to_origin_.reset();
    }
    forwarder_.connected();
    const bytes head = forwarder_.to_origin();
    check(!head.empty());
    if (!repeats_) heads_.push_back(transport::as_text(head).starts_with("HEAD "));
    repeats_ = false;
  }
  void end_origin(bool in_order) {
    const bool asked = forwarder_.wanted() != nullptr;
    forwarder_.end_origin(in_order);
    repeats_ = repeats_ || (!asked && forwarder_.wanted() != nullptr);
  }

  void lend() {
    lent_to_client_ = {forwarder_.to_client(), {}};
    lent_to_client_->copy = transport::as_text(lent_to_client_->view);
    if (forwarder_.to_origin().empty()) return;
    lent_to_origin_ = {forwarder_.to_origin(), {}};
    lent_to_origin_->copy = transport::as_text(lent_to_origin_->view);
  }
  void check_lent() const {
    for (const auto* lent : {&lent_to_client_, &lent_to_origin_})
      if (*lent) check(transport::as_text((*lent)->view) == (*lent)->copy);
  }
  void send_to_client(std::size_t size) {
    const bytes out = forwarder_.to_client();
    size = std::min(size, out.size());
    client_ += transport::as_text(out.first(size));
    lent_to_client_.reset();
    forwarder_.sent_to_client(size);
  }
  void send_to_origin(std::size_t size) {
    const bytes out = forwarder_.to_origin();
    size = std::min(size, out.size());
    origin_ += transport::as_text(out.first(size));
    lent_to_origin_.reset();
    forwarder_.sent_to_origin(size);
  }

  struct lent {
    bytes view;
    std::string copy;
  };

  http_forwarder forwarder_;
  std::string client_;
  std::string origin_;
  std::vector<bool> heads_;
  std::optional<lent> lent_to_client_;
  std::optional<lent> lent_to_origin_;
  bool repeats_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  bytes rest = std::as_bytes(std::span(input, size));
  world all(rest);
  // An operation, how much comes with it, and that.
  while (rest.size() >= 2) {
    const auto operation = std::to_integer<unsigned>(rest[0]) % 9;
    const std::size_t said = std::min(std::to_integer<std::size_t>(rest[1]), rest.size() - 2);
    all.step(operation, rest.subspan(2, said));
    rest = rest.subspan(2 + said);
  }
  all.finish();
  return 0;
}
