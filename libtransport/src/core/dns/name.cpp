// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "strata/transport/core/dns_name.hpp"
#include "strata/transport/core/error.hpp"

namespace strata::transport {
inline namespace v0 {
namespace {

std::unexpected<std::error_code> invalid() {
  return std::unexpected(make_error_code(errc::invalid_argument));
}

char lower(char letter) noexcept {
  return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter | 0x20) : letter;
}

bool is_letter(char letter) noexcept { return lower(letter) >= 'a' && lower(letter) <= 'z'; }

bool same_without_case(std::string_view a, std::string_view b) noexcept {
  return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

/// Reads one octet of a label, which may be written with a backslash, off the front of `text`.
bool take_octet(std::string_view& text, char& octet) {
  octet = text.front();
  text.remove_prefix(1);
  if (octet != '\\') return static_cast<unsigned char>(octet) > ' ' && octet != 0x7f;
  if (text.empty()) return false;
  const auto digit = [](char letter) { return letter >= '0' && letter <= '9'; };
  if (!digit(text.front())) {
    octet = text.front();
    text.remove_prefix(1);
    return static_cast<unsigned char>(octet) > ' ' && octet != 0x7f;
  }
  if (text.size() < 3 || !digit(text[1]) || !digit(text[2])) return false;
  const int value = (text[0] - '0') * 100 + (text[1] - '0') * 10 + (text[2] - '0');
  text.remove_prefix(3);
  octet = static_cast<char>(value);
  return value <= 255;
}

void append_label_octet(std::string& out, char octet) {
  const auto value = static_cast<unsigned char>(octet);
  if (value <= ' ' || value >= 0x7f) {
    out += '\\';
    for (const int unit : {100, 10, 1}) out += static_cast<char>('0' + value / unit % 10);
    return;
  }
  if (std::string_view("\\.\"();@$").find(octet) != std::string_view::npos) out += '\\';
  out += octet;
}

}  // namespace

result<dns_name> dns_name::parse(std::string_view text) {
  if (text == ".") return dns_name();
  std::string labels;
  std::size_t begin = 0;
  labels += '\0';
  while (!text.empty()) {
    char octet = 0;
    if (text.front() != '.') {
      if (!take_octet(text, octet)) return invalid();
      labels += octet;
      continue;
    }
    text.remove_prefix(1);
    const std::size_t size = labels.size() - begin - 1;
    if (size == 0 || size > max_label) return invalid();
    labels[begin] = static_cast<char>(size);
    if (text.empty()) return from_labels(labels);
    begin = labels.size();
    labels += '\0';
  }
  const std::size_t size = labels.size() - begin - 1;
  if (size == 0 || size > max_label) return invalid();
  labels[begin] = static_cast<char>(size);
  return from_labels(labels);
}

result<dns_name> dns_name::from_labels(std::string_view labels) {
  if (labels.size() + 1 > max_size) return invalid();
  for (std::string_view rest = labels; !rest.empty();) {
    const auto size = static_cast<unsigned char>(rest.front());
    if (size == 0 || size > max_label || size >= rest.size()) return invalid();
    rest.remove_prefix(1 + std::size_t{size});
  }
  dns_name out;
  out.labels_ = labels;
  return out;
}

std::string dns_name::string() const {
  if (is_root()) return ".";
  std::string out;
  for (std::string_view rest = labels_; !rest.empty();) {
    const auto size = static_cast<unsigned char>(rest.front());
    if (!out.empty()) out += '.';
    for (const char octet : rest.substr(1, size)) append_label_octet(out, octet);
    rest.remove_prefix(1 + std::size_t{size});
  }
  return out;
}

bool dns_name::is_within(const dns_name& zone) const noexcept {
  std::string_view rest = labels_;
  while (rest.size() > zone.labels_.size())
    rest.remove_prefix(1 + std::size_t{static_cast<unsigned char>(rest.front())});
  return same_without_case(rest, zone.labels_);
}

dns_name dns_name::folded() const {
  dns_name out;
  out.labels_.resize(labels_.size());
  // Length octets are below 64, so no letter is among them.
  std::ranges::transform(labels_, out.labels_.begin(), lower);
  return out;
}

dns_name dns_name::shuffled_case(random_source& random) const {
  std::array<std::byte, max_size / 8 + 1> coins;
  random.fill(coins);
  dns_name out = *this;
  for (std::size_t at = 0; at < out.labels_.size(); ++at) {
    const bool flips = (coins[at / 8] >> (at % 8) & std::byte{1}) != std::byte{0};
    if (flips && is_letter(out.labels_[at]))
      out.labels_[at] = static_cast<char>(out.labels_[at] ^ 0x20);
  }
  return out;
}

result<dns_name> dns_name::below(std::string_view label) const {
  if (label.empty() || label.size() > max_label) return invalid();
  std::string labels(1, static_cast<char>(label.size()));
  labels += label;
  return from_labels(labels + labels_);
}

bool operator==(const dns_name& a, const dns_name& b) noexcept {
  return same_without_case(a.labels_, b.labels_);
}

}  // namespace v0
}  // namespace strata::transport
