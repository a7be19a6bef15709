// SPDX-License-Identifier: Apache-2.0
// What a peer can make the qlog writer say: payloads, close reasons, tokens and numbers come from
// the input; whatever they are, the trace stays a JSON text sequence (RFC 7464) of records in
// UTF-8, one for each event.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>

#include "observers/json_text.hpp"
#include "observers/qlog_trace.hpp"
#include "strata/quic/core/transport_parameters.hpp"

namespace {

using namespace strata;
using namespace strata::quic;

void require(bool condition) {
  if (!condition) std::abort();
}

/// Accepts JSON (RFC 8259) and nothing else. No name may stand twice in a row, which is all that a
/// checker without memory can see.
class json_checker {
 public:
  explicit json_checker(std::string_view text) : rest_(text) {}

  bool accepts_object() { return peek() == '{' && value(0) && rest_.empty(); }

 private:
  static constexpr int max_depth = 8;

  char peek() const { return rest_.empty() ? '\0' : rest_.front(); }
  bool take(char wanted) {
    if (rest_.empty() || rest_.front() != wanted) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool take(std::string_view word) {
    if (!rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    return true;
  }
  bool digits() {
    std::size_t count = 0;
    while (peek() >= '0' && peek() <= '9') rest_.remove_prefix(1), ++count;
    return count != 0;
  }
  bool number() {
    take('-');
    const bool zero = peek() == '0';
    const std::size_t before = rest_.size();
    if (!digits() || (zero && before - rest_.size() != 1)) return false;
    if (take('.') && !digits()) return false;
    if (peek() == 'e' || peek() == 'E') {
      rest_.remove_prefix(1);
      if (peek() == '+' || peek() == '-') rest_.remove_prefix(1);
      return digits();
    }
    return true;
  }
  bool escape() {
    if (!take('u')) {
      const bool known = std::string_view("\"\\/bfnrt").contains(peek()) && !rest_.empty();
      if (known) rest_.remove_prefix(1);
      return known;
    }
    if (rest_.size() < 4) return false;
    for (const char digit : rest_.substr(0, 4))
      if (!std::string_view("0123456789abcdefABCDEF").contains(digit)) return false;
    rest_.remove_prefix(4);
    return true;
  }
  bool string() {
    if (!take('"')) return false;
    while (!rest_.empty() && peek() != '"') {
      if (static_cast<unsigned char>(peek()) < 0x20) return false;
      const bool escaped = take('\\');
      if (escaped ? !escape() : (rest_.remove_prefix(1), false)) return false;
    }
    return take('"');
  }
  bool members(int depth) {
    std::string_view last;
    do {
      const std::string_view name = rest_;
      if (!string() || !take(':')) return false;
      const std::string_view this_name = name.substr(0, name.size() - rest_.size());
      if (this_name == last || !value(depth + 1)) return false;
      last = this_name;
    } while (take(','));
    return take('}');
  }
  bool items(int depth) {
    do {
      if (!value(depth + 1)) return false;
    } while (take(','));
    return take(']');
  }
  bool value(int depth) {
    if (depth > max_depth) return false;
    if (take('{')) return take('}') || members(depth);
    if (take('[')) return take(']') || items(depth);
    if (peek() == '"') return string();
    return take("true") || take("false") || take("null") || number();
  }

  std::string_view rest_;
};

/// The records of a text; aborts when it is none.
std::size_t check_sequence(std::string_view text) {
  require(observers::is_utf8(text));
  std::size_t count = 0;
  while (!text.empty()) {
    require(text.front() == '\x1e');
    const std::size_t end = text.find('\n');
    require(end != std::string_view::npos);
    require(json_checker(text.substr(1, end - 1)).accepts_object());
    text.remove_prefix(end + 1);
    ++count;
  }
  return count;
}

struct source {
  std::span<const std::uint8_t> rest;

  std::uint8_t u8() {
    if (rest.empty()) return 0;
    const std::uint8_t out = rest.front();
    rest = rest.subspan(1);
    return out;
  }
  std::uint64_t u64() {
    std::uint64_t value = 0;
    for (int i = 0; i < 8; ++i) value = value << 8 | u8();
    return value;
  }
  std::span<const std::uint8_t> piece() {
    const std::size_t wanted = std::size_t{u8()} << (u8() & 3);
    const auto out = rest.first(std::min(wanted, rest.size()));
    rest = rest.subspan(out.size());
    return out;
  }
  transport::bytes data() { return std::as_bytes(piece()); }
  std::string text() {
    const auto from = piece();
    return {from.begin(), from.end()};
  }
};

core::transport_parameters parameters_from(source& from) {
  core::transport_parameters out;
  out.max_idle_timeout = from.u64() >> 2;
  out.ack_delay_exponent = from.u8() % (core::transport_parameters::max_ack_delay_exponent + 1);
  out.initial_max_data = from.u64() >> 2;
  out.disable_active_migration = (from.u8() & 1) != 0;
  return out;
}

/// One event, of which a peer has a say. Gives how many records it makes.
std::size_t add_one(source& from, const observed::subject& about, observers::qlog_trace& trace) {
  using kind = observed::packet_kind;
  const std::uint8_t what = from.u8();
  const auto packet = static_cast<kind>(from.u8() % 7);
  switch (what % 7) {
    case 0:
      trace.add(observed::packet_sent{about, packet, from.u64() >> 2, 1200, from.data()});
      break;
    case 1:
      trace.add(observed::packet_received{about, packet, from.u64() >> 2, 1, from.data()});
      break;
    case 2: {
      close_reason why;
      why.origin = static_cast<close_reason::origin_kind>(
          from.u8() % (static_cast<unsigned>(close_reason::origin_kind::network) + 1));
      why.code = from.u64() >> 2;
      why.reason = from.text();
      trace.add(observed::connection_closed{about, why});
      break;
    }
    case 3: {
      const core::transport_parameters set = parameters_from(from);
      trace.add(observed::parameters_set{about, (from.u8() & 1) != 0, set});
      break;
    }
    case 4: {
      const auto local = transport::address::loopback_v6(from.u8());
      trace.add(observed::connection_started{about, local, transport::address::loopback_v4(1)});
      break;
    }
    case 5: {
      const auto span = [&from] {
        return transport::duration(static_cast<std::int64_t>(from.u64()));
      };
      trace.add(observed::recovery_metrics_updated{
          .about = about, .smoothed_rtt = span(), .minimum_rtt = span(), .latest_rtt = span()});
      break;
    }
    default: trace.add(observed::key_discarded{about, encryption_level::handshake}); return 2;
  }
  return 1;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  source from{std::span(input, size)};
  const transport::bytes named = from.data();
  const connection_id name(named.first(std::min(named.size(), connection_id::max_size)));
  const transport::time_point start{std::chrono::hours(1)};
  const auto wall = std::chrono::system_clock::time_point(std::chrono::seconds(from.u64() >> 31));
  const role side = (from.u8() & 1) != 0 ? role::client : role::server;
  observers::qlog_trace trace({start, name, side}, wall);
  require(check_sequence(trace.text()) == 1);
  while (!from.rest.empty()) {
    trace.clear();
    const observed::subject about{start + std::chrono::microseconds(from.u8()), name, side};
    const std::size_t records = add_one(from, about, trace);
    require(check_sequence(trace.text()) == records);
  }
  return 0;
}
