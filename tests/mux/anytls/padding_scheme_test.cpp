// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>
#include <map>
#include <string>

#include "strata/mux/core/anytls_padding.hpp"
#include "strata/mux/core/limits.hpp"
#include "strata/transport/core/error.hpp"
#include "testkit/fake_random.hpp"

using namespace strata::mux::core;
using strata::transport::errc;
namespace limit = limits::anytls;

namespace {

strata::transport::result<anytls_padding_scheme> parse(std::string_view text) {
  return anytls_padding_scheme::parse(strata::transport::as_bytes(text));
}

std::vector<std::uint32_t> draw(const anytls_padding_scheme& from, std::uint32_t packet,
                                std::uint64_t seed = 1) {
  strata::testkit::fake_random random(seed);
  std::vector<std::uint32_t> sizes{7, 7, 7};
  from.draw(packet, random, sizes);
  return sizes;
}

/// Sizes that need no drawing.
std::vector<std::uint32_t> fixed(std::string_view line) {
  return draw(parse("stop=9\n1=" + std::string(line)).value(), 1);
}

using sizes = std::vector<std::uint32_t>;
constexpr std::uint32_t mark = anytls_padding_scheme::check_mark;

}  // namespace

TEST_CASE("padding scheme: the standard one has the name that everybody knows it by",
          "[mux][anytls]") {
  const anytls_padding_scheme& standard = anytls_padding_scheme::standard();
  CHECK(standard.md5() == "75cff2ad89aadf5e257059ee571ebe11");
  CHECK(parse(standard.text()).value().md5() == standard.md5());
  CHECK(parse(standard.text()).value() == standard);
  CHECK(standard.stop() == 8);
  // A newline at the end makes another of it.
  CHECK(parse(std::string(standard.text()) + '\n').value().md5() != standard.md5());
}

TEST_CASE("padding scheme: the standard one, packet by packet", "[mux][anytls]") {
  const anytls_padding_scheme& standard = anytls_padding_scheme::standard();
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    CHECK(draw(standard, 0, seed) == sizes{30});
    const auto first = draw(standard, 1, seed);
    REQUIRE(first.size() == 1);
    CHECK((first[0] >= 100 && first[0] < 400));
    const auto second = draw(standard, 2, seed);
    REQUIRE(second.size() == 9);
    CHECK((second[0] >= 400 && second[0] < 500));
    for (std::size_t i = 1; i < 9; i += 2) {
      CHECK(second[i] == mark);
      CHECK((second[i + 1] >= 500 && second[i + 1] < 1000));
    }
    const auto third = draw(standard, 3, seed);
    REQUIRE(third.size() == 2);
    CHECK(third[0] == 9);
    CHECK(draw(standard, 7, seed).size() == 1);
    CHECK(draw(standard, 8, seed).empty());
  }
}

TEST_CASE("padding scheme: sizes come from the whole of [min, max) and nowhere else",
          "[mux][anytls]") {
  const auto scheme = parse("stop=2\n1=10-14").value();
  std::map<std::uint32_t, int> seen;
  strata::testkit::fake_random random(3);
  std::vector<std::uint32_t> drawn;
  for (int i = 0; i < 4000; ++i) {
    scheme.draw(1, random, drawn);
    ++seen[drawn.at(0)];
  }
  REQUIRE(seen.size() == 4);
  for (const auto& [size, count] : seen) {
    CHECK((size >= 10 && size < 14));
    CHECK((count > 800 && count < 1200));  // Unbiased: a thousand each, within six deviations.
  }
}

TEST_CASE("padding scheme: ranges that are none are left out", "[mux][anytls]") {
  CHECK(fixed("5-5") == sizes{5});
  CHECK(fixed("5-5,c,6-6") == sizes{5, mark, 6});
  CHECK(fixed("c") == sizes{mark});
  CHECK(fixed("") == sizes{});
  CHECK(fixed("0-5,5-0,0-0,7-7") == sizes{7});
  CHECK(fixed("5,5-,-5,a-b,5-6-7,--,C,c ,+5-5, 5-5,7-7") == sizes{7});
  CHECK(fixed("5=5") == sizes{});
  CHECK(fixed("-5--5,7-7") == sizes{7});
  const auto turned = draw(parse("stop=2\n1=20-10").value(), 1);
  REQUIRE(turned.size() == 1);
  CHECK((turned[0] >= 10 && turned[0] < 20));
}

TEST_CASE("padding scheme: lines that are missing, twice there, or of no meaning",
          "[mux][anytls]") {
  const auto scheme = parse("x\n=\n1=5-5\nstop=4\n1=6-6\n01=7-7\n3=8-8\n5=9-9\n").value();
  CHECK(scheme.stop() == 4);
  CHECK(draw(scheme, 0).empty());
  CHECK(draw(scheme, 1) == sizes{6});
  CHECK(draw(scheme, 2).empty());
  CHECK(draw(scheme, 3) == sizes{8});
  CHECK(draw(scheme, 5).empty());
}

TEST_CASE("padding scheme: a stop that is none", "[mux][anytls]") {
  for (const std::string_view text : {"", "1=5-5", "stop", "stop=", "stop=x", "stop=8\r\n1=5-5",
                                      "stop=-1", "stop=0", "stop= 8"}) {
    INFO(text);
    REQUIRE_FALSE(parse(text));
    CHECK(parse(text).error() == errc::malformed);
  }
}

TEST_CASE("padding scheme: each limit, below, at and above it", "[mux][anytls]") {
  const auto allowed = [](const std::string& text) {
    const auto made = parse(text);
    if (!made) CHECK(made.error() == errc::limit_exceeded);
    return made.has_value();
  };
  const auto stop = [&](std::uint32_t value) { return allowed("stop=" + std::to_string(value)); };
  CHECK(stop(limit::max_padded_packets - 1));
  CHECK(stop(limit::max_padded_packets));
  CHECK_FALSE(stop(limit::max_padded_packets + 1));

  const auto size = [&](std::uint32_t value) {
    return allowed("stop=2\n1=1-" + std::to_string(value));
  };
  CHECK(size(limit::max_padding_size - 1));
  CHECK(size(limit::max_padding_size));
  CHECK_FALSE(size(limit::max_padding_size + 1));

  const auto items = [&](std::size_t count) {
    std::string line = "stop=2\n1=";
    for (std::size_t i = 0; i < count; ++i) line += "c,";
    line.pop_back();
    return allowed(line);
  };
  CHECK(items(limit::max_padding_items - 1));
  CHECK(items(limit::max_padding_items));
  CHECK_FALSE(items(limit::max_padding_items + 1));

  const auto text = [&](std::size_t length) {
    std::string made = "stop=2\n";
    made.resize(length, 'x');
    return allowed(made);
  };
  CHECK(text(limit::max_padding_text - 1));
  CHECK(text(limit::max_padding_text));
  CHECK_FALSE(text(limit::max_padding_text + 1));

  const auto sums_to = [&](std::uint64_t sum) {
    std::string made = "stop=20";
    for (int packet = 0; packet < 20; ++packet) {
      const std::uint64_t part = std::min<std::uint64_t>(sum, limit::max_padding_size);
      made += "\n" + std::to_string(packet) + "=1-" + std::to_string(part);
      sum -= part;
    }
    return allowed(made);
  };
  CHECK(sums_to(limit::max_padding_total - 1));
  CHECK(sums_to(limit::max_padding_total));
  CHECK_FALSE(sums_to(limit::max_padding_total + 1));
}
