// SPDX-License-Identifier: Apache-2.0
#include "strata/h3/error.hpp"

#include <string>

#include "strata/transport/core/error.hpp"

namespace strata::h3 {
inline namespace v0 {
namespace {

class h3_category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "h3"; }
  std::string message(int value) const override {
    const std::string_view known = error_name(static_cast<std::uint64_t>(value));
    return known.empty() ? "HTTP/3 error " + std::to_string(value) : std::string(known);
  }
  std::error_condition default_error_condition(int value) const noexcept override {
    switch (static_cast<error_code>(value)) {
      case error_code::no_error:
      case error_code::request_cancelled: return transport::condition::closed;
      case error_code::request_rejected:
      case error_code::excessive_load: return transport::condition::refused;
      default: return transport::condition::protocol_error;
    }
  }
};

}  // namespace

const std::error_category& error_category() noexcept {
  static const h3_category category;
  return category;
}

}  // namespace v0
}  // namespace strata::h3
