// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "strata/h3/core/field_section.hpp"

namespace strata::h3 {
inline namespace v0 {
namespace core {

enum class section_kind : std::uint8_t { request, response, trailers };

/// Holds one section against the rules of RFC 9114 sections 4.1.2 to 4.4 and 10.3, line by line,
/// received or about to be sent. Texts that come back say why the message is malformed; null means
/// it is not. The lines must outlive the checker.
class section_checker {
 public:
  /// `extended_connect`: a request may carry :protocol (RFC 9220), because our SETTINGS said so.
  explicit section_checker(section_kind kind, bool extended_connect = false) noexcept
      : kind_(kind), extended_connect_(extended_connect) {}

  const char* check(const field_line& line) noexcept;
  /// After the last line: what must be there, and what must agree.
  const char* finish() noexcept;

  /// check() on each line, then finish().
  const char* check_all(const field_section& section) noexcept;

  bool is_connect() const noexcept { return method_ == "CONNECT"; }
  /// CONNECT without :protocol: the stream carries nothing but DATA afterwards.
  bool is_plain_connect() const noexcept {
    return is_connect() && !seen(known_field::pseudo_protocol);
  }
  bool is_head() const noexcept { return method_ == "HEAD"; }
  std::uint16_t status() const noexcept { return status_; }
  std::optional<std::uint64_t> content_length() const noexcept { return content_length_; }

 private:
  bool seen(known_field pseudo) const noexcept {
    return (seen_ >> static_cast<unsigned>(pseudo) & 1) != 0;
  }
  const char* check_pseudo(const field_line& line, known_field id) noexcept;
  const char* check_request_pseudo(std::string_view value, known_field id) noexcept;
  const char* check_status(std::string_view value) noexcept;
  const char* check_known(const field_line& line, known_field id) noexcept;
  const char* check_content_length(std::string_view value) noexcept;
  const char* finish_request() const noexcept;
  const char* finish_connect() const noexcept;

  section_kind kind_;
  bool extended_connect_;
  bool regular_begun_ = false;
  bool has_host_ = false;
  std::uint16_t status_ = 0;
  std::uint32_t seen_ = 0;  // pseudo-header fields, by number
  std::string_view method_;
  std::string_view scheme_;
  std::string_view authority_;
  std::string_view path_;
  std::string_view host_;
  std::optional<std::uint64_t> content_length_;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::h3
