// SPDX-License-Identifier: Apache-2.0
#include "strata/h3/core/known_field.hpp"

#include <array>

namespace strata::h3 {
inline namespace v0 {
namespace {

constexpr std::array<std::string_view, known_field_count> names{
    "",
    ":authority",
    ":method",
    ":path",
    ":protocol",
    ":scheme",
    ":status",
    "accept",
    "accept-encoding",
    "accept-language",
    "accept-ranges",
    "access-control-allow-credentials",
    "access-control-allow-headers",
    "access-control-allow-methods",
    "access-control-allow-origin",
    "access-control-expose-headers",
    "access-control-request-headers",
    "access-control-request-method",
    "age",
    "allow",
    "alt-svc",
    "authorization",
    "cache-control",
    "connection",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-length",
    "content-location",
    "content-range",
    "content-security-policy",
    "content-type",
    "cookie",
    "date",
    "early-data",
    "etag",
    "expect",
    "expect-ct",
    "forwarded",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "keep-alive",
    "last-modified",
    "link",
    "location",
    "origin",
    "pragma",
    "priority",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "purpose",
    "range",
    "referer",
    "retry-after",
    "server",
    "set-cookie",
    "strict-transport-security",
    "te",
    "timing-allow-origin",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "upgrade-insecure-requests",
    "user-agent",
    "vary",
    "via",
    "www-authenticate",
    "x-content-type-options",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-frame-options",
    "x-requested-with",
    "x-xss-protection",
};

constexpr std::size_t bucket_count = 512;

/// Length, first, middle and last bytes tell these names apart well enough; the table is built by
/// the compiler.
constexpr std::size_t bucket_of(std::string_view name) noexcept {
  const auto at = [&](std::size_t i) {
    return static_cast<std::size_t>(static_cast<unsigned char>(name[i]));
  };
  const std::size_t mixed = at(0) * 0x9e5u + at(name.size() / 2) * 0x3b1u +
                            at(name.size() - 1) * 0x6dfu + name.size() * 0x125u;
  return (mixed ^ mixed >> 7) % bucket_count;
}

constexpr std::array<known_field, bucket_count> make_buckets() {
  std::array<known_field, bucket_count> buckets{};
  for (std::size_t id = 1; id < names.size(); ++id) {
    std::size_t at = bucket_of(names[id]);
    while (buckets[at] != known_field::unknown) at = (at + 1) % bucket_count;
    buckets[at] = static_cast<known_field>(id);
  }
  return buckets;
}

constexpr auto buckets = make_buckets();

}  // namespace

std::string_view field_name(known_field id) noexcept {
  const auto index = static_cast<std::size_t>(id);
  return index < names.size() ? names[index] : std::string_view{};
}

known_field find_known_field(std::string_view name) noexcept {
  if (name.empty()) return known_field::unknown;
  for (std::size_t at = bucket_of(name); buckets[at] != known_field::unknown;
       at = (at + 1) % bucket_count)
    if (names[static_cast<std::size_t>(buckets[at])] == name) return buckets[at];
  return known_field::unknown;
}

}  // namespace v0
}  // namespace strata::h3
