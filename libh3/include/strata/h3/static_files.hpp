// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/awaitable.hpp>
#include <memory>
#include <string>

#include "strata/h3/document_root.hpp"
#include "strata/h3/exchange.hpp"

namespace strata::h3 {
inline namespace v0 {

struct static_files_options {
  std::string index = "index.html";  ///< Of directories; empty: they are not found.
  std::string cache_control;         ///< Empty: the field is left out.
};

/// Answers GET and HEAD with the files of a directory: entity tags, conditional requests
/// (RFC 9110 section 13), single byte ranges (section 14). A request_handler; copies share the
/// directory. A file is read in chunks as the client takes it. Directories are not listed.
class STRATA_H3_API static_files {
 public:
  static transport::result<static_files> open(const std::string& directory,
                                              static_files_options options = {});

  asio::awaitable<void> operator()(exchange& exchange) const;

 private:
  struct state;
  explicit static_files(std::shared_ptr<state> state) noexcept;

  std::shared_ptr<state> state_;
};

}  // namespace v0
}  // namespace strata::h3
