// SPDX-License-Identifier: Apache-2.0
// The HTTP/3 checks of the h3spec conformance tool, in its order, over QUIC: the code on the wire,
// and another client that goes on. And the attacks that need both layers.
#include <catch2/catch_test_macros.hpp>

#include "core/qpack/prefix_integer.hpp"
#include "h3/connection/harness.hpp"
#include "h3/session.hpp"

using namespace strata;
using namespace strata::hostile;
using h3::test::data_frame;
using h3::test::field_list;
using h3::test::frame;
using h3::test::frame_type;
using h3::test::get_lines;
using h3::test::headers;
using h3::test::post_lines;
using h3::test::settings_frame;
using h3::test::text;
using h3::test::varint;
using h3::test::with;
using h3::test::operator+;

namespace {

using content = std::vector<std::byte>;

std::string closes(std::uint64_t id, const content& input, bool fin = false) {
  h3_stage stage;
  stage.begin();
  stage.feed(id, input, fin);
  return stage.verdict();
}

/// The request is reset with the code, and the connection lives.
void is_malformed(const field_list& lines) {
  h3_stage stage;
  stage.begin();
  stage.feed(0, headers(lines), true);
  CHECK(stage.verdict() == "open");
  CHECK(stage.reset_code(0) == 0x10e);
}

}  // namespace

TEST_CASE("h3spec over QUIC 1: DATA before HEADERS", "[attack][H3SPEC-H01]") {
  CHECK(closes(0, data_frame("x")) == "application 0x105");
}

TEST_CASE("h3spec over QUIC 2: a pseudo-header field twice", "[attack][H3SPEC-H02]") {
  is_malformed(with(get_lines, ":path", "/"));
}

TEST_CASE("h3spec over QUIC 3: a missing pseudo-header field", "[attack][H3SPEC-H03]") {
  is_malformed({{":method", "GET"}, {":scheme", "https"}, {":authority", "a"}});
}

TEST_CASE("h3spec over QUIC 4: an unknown pseudo-header field", "[attack][H3SPEC-H04]") {
  is_malformed(with(get_lines, ":autority", "a"));
}

TEST_CASE("h3spec over QUIC 5: a pseudo-header field after a field", "[attack][H3SPEC-H05]") {
  is_malformed({{":method", "GET"},
                {":scheme", "https"},
                {":authority", "a"},
                {"accept", "*/*"},
                {":path", "/"}});
}

TEST_CASE("h3spec over QUIC 6: a control stream without SETTINGS", "[attack][H3SPEC-H06]") {
  h3_stage stage;
  stage.one.begin();
  stage.feed(2, varint(0) + frame(frame_type::goaway, varint(0)));
  CHECK(stage.verdict() == "application 0x10a");
}

TEST_CASE("h3spec over QUIC 7: DATA on the control stream", "[attack][H3SPEC-H07]") {
  CHECK(closes(2, data_frame("x")) == "application 0x105");
}

TEST_CASE("h3spec over QUIC 8: HEADERS on the control stream", "[attack][H3SPEC-H08]") {
  CHECK(closes(2, headers(get_lines)) == "application 0x105");
}

TEST_CASE("h3spec over QUIC 9: a second SETTINGS", "[attack][H3SPEC-H09][H12]") {
  CHECK(closes(2, settings_frame()) == "application 0x105");
}

TEST_CASE("h3spec over QUIC 10: CANCEL_PUSH on a request stream", "[attack][H3SPEC-H10]") {
  CHECK(closes(0, frame(frame_type::cancel_push, varint(0))) == "application 0x105");
}

TEST_CASE("h3spec over QUIC 11: a setting of HTTP/2", "[attack][H3SPEC-H11][H12]") {
  h3_stage stage;
  stage.one.begin();
  stage.feed(2, varint(0) + frame(frame_type::settings, varint(2) + varint(1)));
  CHECK(stage.verdict() == "application 0x109");
}

TEST_CASE("h3spec over QUIC 12: static index 99", "[attack][H3SPEC-H12]") {
  CHECK(closes(0, frame(frame_type::headers, octets({0, 0, 0xff, 0x24}))) == "application 0x200");
}

TEST_CASE("h3spec over QUIC 13: a table capacity of 10^10", "[attack][H3SPEC-H13]") {
  content instruction(h3::core::qpack::max_prefix_integer_size);
  const std::byte* end =
      h3::core::qpack::write_prefix_integer(instruction.data(), 0x20, 5, 10'000'000'000);
  instruction.resize(static_cast<std::size_t>(end - instruction.data()));
  CHECK(closes(6, varint(2) + instruction) == "application 0x201");
}

TEST_CASE("h3spec over QUIC 14: the end of the control stream", "[attack][H3SPEC-H14][H13]") {
  CHECK(closes(2, {}, true) == "application 0x104");
  h3_stage reset;
  reset.begin();
  reset.one.attacker.send_frames(core::reset_stream_frame{2, 0x100, 100});
  CHECK(reset.verdict() == "application 0x104");
}

TEST_CASE("h3spec over QUIC 15: an Insert Count Increment of 0", "[attack][H3SPEC-H15][H06]") {
  CHECK(closes(6, varint(3) + octets({0})) == "application 0x202");
}

TEST_CASE("h3 over QUIC: requests reset as soon as they are made", "[attack][H01]") {
  h3_stage stage;
  stage.begin();
  stage.one.attacker.keeps_frames = false;
  std::uint64_t made = 0;
  std::size_t early = 0, late = 0;
  for (; made < 10'000 && !stage.one.attacker.closed_with(); ++made) {
    const auto request = headers(get_lines);
    stage.one.attacker.send_frames(core::stream_frame{4 * made, 0, request, false},
                                   core::reset_stream_frame{4 * made, 0x10c, request.size()},
                                   core::stop_sending_frame{4 * made, 0x10c});
    stage.one.settle();
    stage.one.attacker.acknowledge_received();
    if (made == 200) early = stage.one.grown();
    if (made == 900) late = stage.one.grown();
  }
  CHECK(stage.verdict() == "application 0x107");
  CHECK(made <= 1000);
  // It does not grow with their number.
  CHECK(late < early + 64 * 1024);
}

TEST_CASE("h3 over QUIC: requests that make the server reset them", "[attack][H02]") {
  h3_stage stage;
  stage.begin();
  stage.one.attacker.keeps_frames = false;
  std::uint64_t made = 0;
  std::size_t early = 0, late = 0;
  for (; made < 10'000 && !stage.one.attacker.closed_with(); ++made) {
    stage.feed(4 * made, headers({{":method", "GET"}}), true);
    stage.one.settle();
    stage.one.attacker.acknowledge_received();
    if (made == 200) early = stage.one.grown();
    if (made == 900) late = stage.one.grown();
  }
  CHECK(stage.verdict() == "application 0x107");
  CHECK(made <= 1000);
  // It does not grow with their number.
  CHECK(late < early + 64 * 1024);
}

TEST_CASE("h3 over QUIC: one large table entry, referred to again and again", "[attack][H03]") {
  h3_stage stage;
  stage.begin();
  // Set Dynamic Table Capacity 4096; Insert with a literal name "a" and 4000 bytes of value.
  content insert = octets({0x3f, 0xe1, 0x1f, 0x41, 'a', 0x7f, 0xa1, 0x1e});
  insert.resize(insert.size() + 4000, std::byte{'v'});
  stage.feed(6, varint(2) + insert);
  content section = octets({2, 0});
  section.resize(section.size() + 3000, std::byte{0x80});
  stage.feed(0, frame(frame_type::headers, section), true);
  CHECK(stage.verdict() == "open");
  CHECK(stage.reset_code(0) == 0x107);
}

TEST_CASE("h3 over QUIC: more blocked streams than were allowed", "[attack][H05]") {
  h3_stage stage;
  stage.begin();
  stage.feed(6, varint(2) + octets({0x3f, 0xe1, 0x1f}));
  for (std::uint64_t i = 0; i <= h3::core::limits::qpack_blocked_streams; ++i)
    stage.feed(4 * i, frame(frame_type::headers, octets({2, 0, 0x80})), true);
  CHECK(stage.verdict() == "application 0x200");
}

TEST_CASE("h3 over QUIC: HEADERS that claims a gibibyte", "[attack][H11]") {
  h3_stage stage;
  stage.begin();
  stage.feed(0, octets({1, 0xc0, 0, 0, 0, 0x40, 0, 0, 0}));
  CHECK(stage.verdict() == "open");
  CHECK(stage.reset_code(0) == 0x107);
}

TEST_CASE("h3 over QUIC: an empty FIN does not hide a missing body", "[attack][H16]") {
  h3_stage stage;
  stage.begin();
  stage.feed(0, headers(with(post_lines, "content-length", "10")));
  stage.one.settle();
  stage.feed(0, {}, true);
  CHECK(stage.verdict() == "open");
  CHECK(stage.attacked().messages_finished == 0);
}

TEST_CASE("h3 over QUIC: streams of unknown types by the hundred", "[attack][H25]") {
  h3_stage stage;
  stage.begin();
  stage.one.attacker.keeps_frames = false;
  std::uint64_t made = 1;
  for (; made < 10'000 && !stage.one.attacker.closed_with(); ++made) {
    stage.feed(4 * made + 2, varint(0x21 + 31 * (made % 7)) + text("noise"), made % 2 == 0);
    stage.one.settle();
    stage.one.attacker.acknowledge_received();
  }
  const auto said = stage.verdict();
  CHECK((said == "application 0x107" || said == "STREAM_LIMIT_ERROR"));
  CHECK(made <= 1100);
}

TEST_CASE("h3 over QUIC: hardly anything but framing", "[attack][H29]") {
  h3_stage stage;
  stage.begin();
  stage.one.attacker.keeps_frames = false;
  stage.feed(0, headers(post_lines));
  const auto noise = frame(0x21, content(16'000));
  std::size_t sent = 0;
  while (!stage.one.attacker.closed_with() && sent < 8 << 20) {
    stage.feed(0, noise);
    sent += noise.size();
    stage.one.settle();
    stage.one.attacker.acknowledge_received();
  }
  CHECK(stage.verdict() == "application 0x107");
  CHECK(sent < 2 << 20);
}
