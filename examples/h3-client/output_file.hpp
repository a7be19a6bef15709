// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

/// Where a download goes. A regular file appears under its name only when it is complete: until
/// then it has a temporary one beside it, which is removed when the download fails.
class output_file {
 public:
  output_file() = default;  ///< Standard output.
  explicit output_file(std::string name);
  output_file(const output_file&) = delete;
  output_file& operator=(const output_file&) = delete;
  ~output_file();

  /// These throw std::system_error.
  void write(std::string_view text);
  void commit();

 private:
  std::string name_;
  std::string temporary_;  ///< Empty: written in place.
  int descriptor_ = 1;
};
