// SPDX-License-Identifier: Apache-2.0
#include "strata/transport/core/bytes.hpp"

#include <array>
#include <catch2/catch_test_macros.hpp>

using namespace strata::transport;

TEST_CASE("bytes: text and bytes are views of each other", "[transport][bytes]") {
  const std::string_view text = "text";
  CHECK(as_bytes(text).size() == 4);
  CHECK(static_cast<const void*>(as_bytes(text).data()) == text.data());
  CHECK(as_text(as_bytes(text)) == text);
  CHECK(as_text({}).empty());
}

TEST_CASE("bytes: equality looks at size and content, and empty spans may have no pointer",
          "[transport][bytes]") {
  const std::array<std::byte, 2> ab{std::byte{1}, std::byte{2}}, ac{std::byte{1}, std::byte{3}};
  CHECK(equal_bytes(ab, ab));
  CHECK(!equal_bytes(ab, ac));
  CHECK(!equal_bytes(ab, bytes(ab).first(1)));
  CHECK(equal_bytes({}, {}));
  CHECK(equal_bytes({}, bytes(ab).first(0)));
  std::array<std::byte, 2> copy{};
  copy_bytes(copy.data(), ac);
  copy_bytes(nullptr, {});
  CHECK(copy == ac);
}
