// SPDX-License-Identifier: Apache-2.0
#include "strata/transport/core/random.hpp"

#include <algorithm>
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <cstring>
#include <limits>
#include <vector>

#include "testkit/fake_random.hpp"

using namespace strata::transport;
using strata::testkit::fake_random;

namespace {

/// Gives the words it was told to, one per fill.
class scripted_random final : public random_source {
 public:
  explicit scripted_random(std::vector<std::uint64_t> words) : words_(std::move(words)) {}
  void fill(mutable_bytes out) override {
    REQUIRE(out.size() == sizeof(std::uint64_t));
    REQUIRE(next_ < words_.size());
    std::memcpy(out.data(), &words_[next_++], sizeof(std::uint64_t));
  }
  std::size_t used() const { return next_; }

 private:
  std::vector<std::uint64_t> words_;
  std::size_t next_ = 0;
};

constexpr std::uint64_t largest = std::numeric_limits<std::uint64_t>::max();

}  // namespace

TEST_CASE("random: below() stays below, and reaches every value about as often",
          "[transport][random]") {
  fake_random random(7);
  std::array<int, 10> counts{};
  for (int i = 0; i < 100'000; ++i) {
    const std::uint64_t drawn = random.below(10);
    REQUIRE(drawn < 10);
    ++counts[drawn];
  }
  for (const int count : counts) {
    CHECK(count > 9'500);
    CHECK(count < 10'500);
  }
}

TEST_CASE("random: below() handles the smallest and largest bounds", "[transport][random]") {
  fake_random random(7);
  for (int i = 0; i < 100; ++i) {
    CHECK(random.below(1) == 0);
    CHECK(random.below(2) < 2);
    CHECK(random.below(largest) < largest);
    CHECK(random.below((largest >> 1) + 2) < (largest >> 1) + 2);
  }
}

TEST_CASE("random: below() draws again instead of favouring small values", "[transport][random]") {
  // 2^63+1 fits once into 2^64: all from there on is the incomplete interval.
  constexpr std::uint64_t bound = (std::uint64_t{1} << 63) + 1;
  scripted_random random({largest, bound, bound - 1});
  CHECK(random.below(bound) == bound - 1);
  CHECK(random.used() == 3);
  // A power of two divides the range: at most its top interval may be drawn again, and the rest
  // never is.
  scripted_random power({largest - 256});
  CHECK(power.below(256) == 255);
  CHECK(power.used() == 1);
}

TEST_CASE("random: the system's generator fills every length, and differs each time",
          "[transport][random]") {
  system_random random;
  random.fill({});
  std::array<std::byte, 64> one{}, two{};
  random.fill(one);
  random.fill(two);
  CHECK(one != two);
  CHECK(std::ranges::any_of(bytes(one).last(8), [](std::byte b) { return b != std::byte{0}; }));
  CHECK(random.below(5) < 5);
}

TEST_CASE("fake_random: a seed gives the same bytes, whatever the pieces of 8",
          "[testkit][random]") {
  fake_random one(3), two(3), other(4);
  std::array<std::byte, 64> a{}, b{}, c{};
  one.fill(a);
  for (std::size_t i = 0; i < 64; i += 8) two.fill(mutable_bytes(b).subspan(i, 8));
  other.fill(c);
  CHECK(a == b);
  CHECK(a != c);
  CHECK(!one.happens(0));
  CHECK(one.happens(1));
}
