// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

#include "strata/transport/core/bytes.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace core {

/// Bytes that wait for a carrier. What was lent to a write stays where it is until sent(), whatever
/// is appended meanwhile; but not when this is moved.
class lent_output {
 public:
  transport::bytes lend() noexcept {
    is_lent_ = sent_ < first_.size();
    return transport::as_bytes(first_).subspan(sent_);
  }
  void sent(std::size_t size) noexcept {
    is_lent_ = false;
    sent_ = std::min(sent_ + size, first_.size());
    if (sent_ < first_.size()) return;
    first_.clear();
    sent_ = 0;
    std::swap(first_, second_);
  }
  /// What is appended to.
  std::string& end() noexcept {
    if (is_lent_ || !second_.empty()) return second_;
    if (sent_ >= max_gap) {
      first_.erase(0, sent_);
      sent_ = 0;
    }
    return first_;
  }
  std::size_t size() const noexcept { return first_.size() - sent_ + second_.size(); }
  bool empty() const noexcept { return size() == 0; }
  /// Gives memory back; only while empty.
  void shrink() noexcept {
    std::string().swap(first_);
    std::string().swap(second_);
  }

 private:
  static constexpr std::size_t max_gap = 32 * 1024;
  std::string first_;   // up to sent_ it is gone
  std::string second_;  // behind the first
  std::size_t sent_ = 0;
  bool is_lent_ = false;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::proxy
