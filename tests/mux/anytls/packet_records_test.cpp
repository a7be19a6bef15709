// SPDX-License-Identifier: Apache-2.0
#include "core/anytls/packet_records.hpp"

#include <array>
#include <catch2/catch_test_macros.hpp>

#include "mux/anytls/frames.hpp"
#include "strata/mux/core/anytls_padding.hpp"
#include "strata/mux/core/limits.hpp"

using namespace strata::mux::core;
using namespace strata::mux::core::testing;
using anytls::packet_records;

namespace {

constexpr std::uint32_t mark = anytls_padding_scheme::check_mark;

byte_vector gather(const packet_records& from) {
  std::array<bytes, 3> memory;
  piece_list pieces(memory);
  from.gather(pieces);
  byte_vector made;
  for (std::size_t i = 0; i < pieces.used(); ++i)
    made.insert(made.end(), memory[i].begin(), memory[i].end());
  return made;
}

struct cut {
  std::vector<std::size_t> sizes;
  byte_vector content;
  std::size_t padding = 0;
};

/// All records of a packet of `size` bytes 'p', of which the carrier takes `most` at a time.
cut records_of(std::size_t size, std::vector<std::uint32_t> plan, std::size_t most = SIZE_MAX) {
  packet_records records;
  const std::string payload(size, 'p');
  const std::array<bytes, 2> halves{bytes(), strata::transport::as_bytes(payload)};
  records.begin(halves, plan);
  cut made;
  for (bool fresh = true; records.active();) {
    const byte_vector record = gather(records);
    REQUIRE_FALSE(record.empty());
    if (fresh) made.sizes.push_back(record.size());
    const std::size_t taken = std::min(record.size(), most);
    fresh = taken == record.size();
    made.padding += records.sent(taken);
    made.content = std::move(made.content) +
                   byte_vector(record.begin(), record.begin() + static_cast<std::ptrdiff_t>(taken));
  }
  return made;
}

/// Without its padding, which must be frames of zeros.
std::string payload_of(cut made) {
  std::string all;
  for (std::size_t at = 0; at < made.content.size();) {
    if (made.content[at] == std::byte{'p'}) {
      all += 'p';
      ++at;
      continue;
    }
    const auto header = anytls::decode(bytes(made.content).subspan(at).first<7>());
    CHECK(header.command == command::waste);
    CHECK(header.stream_id == 0);
    for (std::size_t i = 0; i < header.length; ++i)
      REQUIRE(made.content.at(at + 7 + i) == std::byte{0});
    at += 7 + header.length;
  }
  return all;
}

using sizes = std::vector<std::size_t>;

}  // namespace

TEST_CASE("packet: more than the plan's records hold is sent raw behind them", "[mux][anytls]") {
  CHECK(records_of(1000, {100, 200}).sizes == sizes{100, 200, 700});
  CHECK(records_of(1000, {}).sizes == sizes{1000});
  CHECK(records_of(1000, {400, 600}).sizes == sizes{400, 600});
  CHECK(records_of(1000, {100, 200}).padding == 0);
}

TEST_CASE("packet: the record in which the payload ends is filled up", "[mux][anytls]") {
  CHECK(records_of(50, {100}).sizes == sizes{100});
  CHECK(records_of(92, {100}).sizes == sizes{100});  // One zero in it.
  // A header would not fit, or be all there is: such a record stays short.
  CHECK(records_of(93, {100}).sizes == sizes{93});
  CHECK(records_of(94, {100}).sizes == sizes{94});
  CHECK(records_of(99, {100}).sizes == sizes{99});
  CHECK(records_of(100, {100}).sizes == sizes{100});
  CHECK(records_of(101, {100}).sizes == sizes{100, 1});
  CHECK(records_of(50, {100}).padding == 50);
}

TEST_CASE("packet: a record of padding alone is a header longer than planned", "[mux][anytls]") {
  CHECK(records_of(50, {100, 200, 300}).sizes == sizes{100, 207, 307});
  CHECK(records_of(9, {9, 500}).sizes == sizes{9, 507});
  CHECK(records_of(50, {100, 200}).padding == 50 + 207);
}

TEST_CASE("packet: at a mark it ends if nothing is left", "[mux][anytls]") {
  CHECK(records_of(50, {100, mark, 200}).sizes == sizes{100});
  CHECK(records_of(100, {100, mark, 200}).sizes == sizes{100});
  CHECK(records_of(150, {100, mark, 200, mark, 300}).sizes == sizes{100, 200});
  CHECK(records_of(150, {100, mark}).sizes == sizes{100, 50});
  CHECK(records_of(50, {mark, 100}).sizes == sizes{100});
  CHECK(records_of(50, {mark, mark, 100, mark, mark}).sizes == sizes{100});
}

TEST_CASE("packet: payload and padding are whole, whatever the carrier takes at a time",
          "[mux][anytls]") {
  for (const std::size_t most : {1uz, 3uz, 7uz, 50uz, 1000uz}) {
    const cut made = records_of(1234, {100, 40, mark, 900, 300, 16384}, most);
    CHECK(made.sizes == sizes{100, 40, 900, 300, 16391});
    CHECK(payload_of(made) == std::string(1234, 'p'));
    CHECK(made.content.size() == made.padding + 1234);
  }
}

TEST_CASE("packet: one record of content and zeros, as the authentication is", "[mux][anytls]") {
  for (const std::size_t zeros :
       {std::size_t{0}, std::size_t{30}, std::size_t{limits::anytls::max_padding_size}}) {
    packet_records records;
    records.begin_whole(octets("head"), zeros);
    CHECK(gather(records) == octets("head") + byte_vector(zeros));
    CHECK(records.sent(2) == 0);
    CHECK(records.sent(2 + zeros) == zeros);
    CHECK_FALSE(records.active());
  }
}

TEST_CASE("packet: what is forgotten is gone", "[mux][anytls]") {
  packet_records records;
  records.begin_whole(octets("head"), 9);
  records.clear();
  CHECK_FALSE(records.active());
  CHECK(gather(records).empty());
  records.release_memory();
  records.begin_whole(octets("next"), 0);
  CHECK(text_of(gather(records)) == "next");
}
