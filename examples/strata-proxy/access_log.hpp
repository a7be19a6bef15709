// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdio>
#include <memory>
#include <string>

#include "strata/proxy/proxy_server.hpp"

/// A line of JSON for each request. The file is opened anew by reopen(), for those who rename it.
class access_log {
 public:
  /// Empty: none; "-": standard output. False when it cannot be opened: then it is as it was.
  bool open(const std::string& path);
  bool reopen() { return open(path_); }
  void write(const strata::proxy::session_report& of);

 private:
  struct closer {
    void operator()(std::FILE* file) const {
      if (file != stdout) std::fclose(file);
    }
  };
  std::string path_;
  std::unique_ptr<std::FILE, closer> file_;
};

/// A text in quotes, with what JSON and terminals would misread escaped.
std::string quoted(std::string_view text);
/// One request as an object of JSON.
std::string to_json(const strata::proxy::session_report& of);
