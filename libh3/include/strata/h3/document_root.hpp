// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "strata/h3/export.hpp"
#include "strata/transport/core/bytes.hpp"
#include "strata/transport/core/result.hpp"

namespace strata::h3 {
inline namespace v0 {

/// An open regular file: what it was when it was opened.
class STRATA_H3_API document {
 public:
  document(document&& other) noexcept;
  document& operator=(document&& other) noexcept;
  ~document();

  std::uint64_t size() const noexcept { return size_; }
  std::chrono::sys_time<std::chrono::nanoseconds> modified() const noexcept { return modified_; }
  /// By the name's extension; "application/octet-stream" when that says nothing.
  std::string_view content_type() const noexcept { return content_type_; }
  /// A strong entity tag made of size and time: changes that keep both are not seen.
  std::string etag() const;
  /// Fills `out` from `offset` on; less only at the end of the file.
  transport::result<std::size_t> read(std::uint64_t offset, transport::mutable_bytes out) const;

 private:
  friend class document_root;
  explicit document(int descriptor) noexcept : descriptor_(descriptor) {}

  int descriptor_;
  std::uint64_t size_ = 0;
  std::chrono::sys_time<std::chrono::nanoseconds> modified_;
  std::string_view content_type_;
};

/// A directory that is served, and nothing outside of it: "..", symbolic links that lead out,
/// encoded slashes and NUL are refused.
class STRATA_H3_API document_root {
 public:
  static transport::result<document_root> open(const std::string& directory);
  document_root(document_root&& other) noexcept;
  document_root& operator=(document_root&& other) noexcept;
  ~document_root();

  /// The file of a request's :path, percent-encoded and with a query that is ignored; of a path
  /// that ends in "/", the file `index` in that directory. Errors: invalid_argument when the path
  /// is malformed or names a parent directory, name_not_found when there is no such regular file
  /// inside or it may not be read.
  transport::result<document> find(std::string_view path,
                                   std::string_view index = "index.html") const;

 private:
  explicit document_root(int descriptor) noexcept : descriptor_(descriptor) {}

  int descriptor_;
};

}  // namespace v0
}  // namespace strata::h3
