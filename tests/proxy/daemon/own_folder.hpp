// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdlib.h>
#include <filesystem>
#include <string>

/// A folder for the files of one test, which takes them along.
class own_folder {
 public:
  own_folder() {
    std::string name = (std::filesystem::temp_directory_path() / "strata-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~own_folder() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }
  own_folder(const own_folder&) = delete;
  own_folder& operator=(const own_folder&) = delete;

  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};
