// SPDX-License-Identifier: Apache-2.0
#include "core/frame/frame_rules.hpp"

#include <catch2/catch_test_macros.hpp>
#include <map>

using namespace strata::h3;
using namespace strata::h3::core;
using enum frame_rule::verdict_type;

namespace {

// RFC 9114 table 1 and section 7.2, written out again: what each receiver does with each type on
// each kind of stream.
const std::map<std::uint64_t, std::string> expected{
    // control client, control server, request client, request server, push client, push server
    {0x00, "xxttt"}, {0x01, "xxttt"}, {0x02, "xxxxx"}, {0x03, "ttxxx"},
    {0x04, "ttxxx"}, {0x05, "xxixx"}, {0x06, "xxxxx"}, {0x07, "ttxxx"},
    {0x08, "xxxxx"}, {0x09, "xxxxx"}, {0x0d, "xtxxx"}};

char letter(const frame_rule& rule) {
  if (rule.verdict == take) return 't';
  if (rule.verdict == skip) return '-';
  return rule.error == error_code::id_error           ? 'i'
         : rule.error == error_code::frame_unexpected ? 'x'
                                                      : '?';
}

}  // namespace

//= RFC 9114 section 7.2.8
//= type=test
//# Frame types that were used in HTTP/2 where there is no corresponding HTTP/3
//# frame have also been reserved (Section 11.2.1).  These frame types MUST NOT be
//# sent, and their receipt MUST be treated as a connection error of type
//# H3_FRAME_UNEXPECTED.
//= RFC 9114 section 7.2.5
//# If a PUSH_PROMISE frame is received on the control stream, the client MUST respond with a
//# connection error of type H3_FRAME_UNEXPECTED.
TEST_CASE("frame_rules: every type on every stream for both roles", "[h3][frame]") {
  for (std::uint64_t type = 0; type < 0x100; ++type) {
    std::string seen;
    seen += letter(rule_for_frame(type, frame_stream::control, role::client));
    seen += letter(rule_for_frame(type, frame_stream::control, role::server));
    seen += letter(rule_for_frame(type, frame_stream::request, role::client));
    seen += letter(rule_for_frame(type, frame_stream::request, role::server));
    seen += letter(rule_for_frame(type, frame_stream::push, role::client));
    INFO(type);
    CHECK(seen == (expected.contains(type) ? expected.at(type) : "-----"));
  }
}

//= RFC 9114 section 9
//# Implementations MUST ignore unknown or unsupported values in all extensible protocol elements.
TEST_CASE("frame_rules: reserved and huge types are skipped everywhere", "[h3][frame]") {
  for (const std::uint64_t type : {grease_id(0), grease_id(1), grease_id(1000),
                                   std::uint64_t{0x3fffffffffffffff}, std::uint64_t{0xf0700}})
    for (const frame_stream stream :
         {frame_stream::control, frame_stream::request, frame_stream::push})
      for (const role receiver : {role::client, role::server})
        CHECK(letter(rule_for_frame(type, stream, receiver)) == '-');
}
