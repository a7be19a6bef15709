// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <utility>

#include "strata/mux/core/anytls_padding.hpp"
#include "strata/mux/core/limits.hpp"
#include "strata/transport/core/digest.hpp"
#include "strata/transport/core/error.hpp"

namespace strata::mux {
inline namespace v0 {
namespace core {
namespace {

namespace limit = limits::anytls;

struct size_range {
  std::uint32_t min = 0;
  std::uint32_t max = 0;  ///< Both zero: the mark `c`.
};

constexpr std::string_view standard_text =
    "stop=8\n"
    "0=30-30\n"
    "1=100-400\n"
    "2=400-500,c,500-1000,c,500-1000,c,500-1000,c,500-1000\n"
    "3=9-9,500-1000\n"
    "4=500-1000\n"
    "5=500-1000\n"
    "6=500-1000\n"
    "7=500-1000";
/// Known without asking the TLS library, which may have no MD5.
constexpr std::string_view standard_md5 = "75cff2ad89aadf5e257059ee571ebe11";

std::unexpected<std::error_code> failed(transport::errc why) {
  return std::unexpected(make_error_code(why));
}

/// Takes the text up to `separator` from the front of `rest`.
std::string_view take_until(std::string_view& rest, char separator) {
  const std::size_t end = rest.find(separator);
  const std::string_view part = rest.substr(0, end);
  rest = end == rest.npos ? std::string_view() : rest.substr(end + 1);
  return part;
}

/// Decimal digits and nothing else; what is too large for the type is its largest value.
std::optional<std::uint32_t> number(std::string_view digits) {
  if (digits.empty() || digits.find_first_not_of("0123456789") != digits.npos) return std::nullopt;
  std::uint32_t value = 0;
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return failure == std::errc() ? value : UINT32_MAX;
}

std::string hex(const transport::md5_digest& of) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string made;
  for (const std::byte one : of) {
    made += digits[std::to_integer<unsigned>(one) >> 4];
    made += digits[std::to_integer<unsigned>(one) & 15];
  }
  return made;
}

/// What stands behind the last line `key=`.
std::optional<std::string_view> value_of(std::string_view text, std::string_view key) {
  std::optional<std::string_view> found;
  while (!text.empty()) {
    std::string_view value = take_until(text, '\n');
    if (value.find('=') == value.npos) continue;
    if (take_until(value, '=') == key) found = value;
  }
  return found;
}

transport::result<std::vector<size_range>> parse_line(std::string_view line) {
  std::vector<size_range> made;
  for (std::size_t items = 0; !line.empty(); ++items) {
    if (items == limit::max_padding_items) return failed(transport::errc::limit_exceeded);
    std::string_view item = take_until(line, ',');
    if (item == "c") made.push_back({});
    const bool is_range = item.find('-') != item.npos;
    const auto first = number(take_until(item, '-'));
    const auto second = number(item);
    if (!is_range || !first || !second || *first == 0 || *second == 0) continue;
    const auto [min, max] = std::minmax(*first, *second);
    if (max > limit::max_padding_size) return failed(transport::errc::limit_exceeded);
    made.push_back({min, max});
  }
  return made;
}

}  // namespace

struct anytls_padding_scheme::content {
  std::string text;
  std::string md5;
  std::vector<std::vector<size_range>> packets;

  transport::result<void> read();
};

transport::result<void> anytls_padding_scheme::content::read() {
  const auto stop = number(value_of(text, "stop").value_or(""));
  if (!stop || *stop == 0) return failed(transport::errc::malformed);
  if (*stop > limit::max_padded_packets) return failed(transport::errc::limit_exceeded);
  std::uint64_t total = 0;
  for (std::uint32_t packet = 0; packet < *stop; ++packet) {
    auto line = parse_line(value_of(text, std::to_string(packet)).value_or(""));
    if (!line) return std::unexpected(line.error());
    for (const size_range& one : *line) total += one.max;
    packets.push_back(std::move(*line));
  }
  if (total > limit::max_padding_total) return failed(transport::errc::limit_exceeded);
  return {};
}

anytls_padding_scheme::anytls_padding_scheme(std::shared_ptr<const content> shared) noexcept
    : shared_(std::move(shared)) {}

const anytls_padding_scheme& anytls_padding_scheme::standard() {
  static const anytls_padding_scheme made = [] {
    auto one = std::make_shared<content>(content{
        .text = std::string(standard_text), .md5 = std::string(standard_md5), .packets = {}});
    one->read().value();
    return anytls_padding_scheme(std::move(one));
  }();
  return made;
}

transport::result<anytls_padding_scheme> anytls_padding_scheme::parse(transport::bytes text) {
  if (text.size() > limit::max_padding_text) return failed(transport::errc::limit_exceeded);
  const auto digest = transport::md5(text);
  if (!digest) return std::unexpected(digest.error());
  auto made = std::make_shared<content>(
      content{.text = std::string(transport::as_text(text)), .md5 = hex(*digest), .packets = {}});
  if (const auto read = made->read(); !read) return std::unexpected(read.error());
  return anytls_padding_scheme(std::move(made));
}

std::string_view anytls_padding_scheme::text() const noexcept { return shared_->text; }
std::string_view anytls_padding_scheme::md5() const noexcept { return shared_->md5; }
std::uint32_t anytls_padding_scheme::stop() const noexcept {
  return static_cast<std::uint32_t>(shared_->packets.size());
}

void anytls_padding_scheme::draw(std::uint32_t packet, transport::random_source& random,
                                 std::vector<std::uint32_t>& out) const {
  out.clear();
  if (packet >= shared_->packets.size()) return;
  for (const size_range& one : shared_->packets[packet]) {
    const std::uint32_t spread = one.max - one.min;
    out.push_back(one.min + (spread == 0 ? 0 : static_cast<std::uint32_t>(random.below(spread))));
  }
}

}  // namespace core
}  // namespace v0
}  // namespace strata::mux
