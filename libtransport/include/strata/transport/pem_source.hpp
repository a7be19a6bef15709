// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>

namespace strata::transport {
inline namespace v0 {

/// PEM, in memory or in a file that is read when a context is made.
struct pem_source {
  static pem_source from_file(std::string path) { return {.path = std::move(path), .text = {}}; }
  static pem_source from_text(std::string text) { return {.path = {}, .text = std::move(text)}; }

  std::string path;  ///< Wins when not empty.
  std::string text;
};

}  // namespace v0
}  // namespace strata::transport
