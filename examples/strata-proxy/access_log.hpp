// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "configuration.hpp"
#include "traffic.hpp"

/// How bytes leave without waiting for whoever reads them: it may be another's descriptor, too.
enum class log_writing : std::uint8_t { write, send, when_ready };

/// A line of JSON for each request, each written at once and whole. A disk that is full, or a
/// reader of a pipe who is slow, costs lines and one warning, never the proxy.
class access_log {
 public:
  /// `say` is for whoever runs the program.
  explicit access_log(std::function<void(std::string_view)> say) : say_(std::move(say)) {}
  ~access_log();
  access_log(const access_log&) = delete;
  access_log& operator=(const access_log&) = delete;

  /// Empty, or why it cannot be opened: then it is as it was.
  std::string open(const access_log_settings& wanted);
  /// Opens the file anew, for those who have renamed it.
  std::string reopen() { return open(settings_); }
  void write(const carried_request& of);

 private:
  void append(std::string_view line);
  void rotate();
  void note_lost(int error);
  void note_written();

  std::function<void(std::string_view)> say_;
  access_log_settings settings_;
  int file_ = -1;
  log_writing writing_ = log_writing::write;
  std::uint64_t size_ = 0;
  std::uint64_t rotate_at_ = 0;  ///< Zero: never.
  std::uint64_t lost_ = 0;       ///< Lines, since the warning.
  unsigned written_since_ = 0;   ///< Lines, since the last one that was lost.
  bool failing_ = false;
  bool torn_ = false;  ///< The file ends within a line.
};

/// A text in quotes, with what JSON and terminals would misread escaped.
std::string quoted(std::string_view text);
/// One request as an object of JSON.
std::string to_json(const carried_request& of);

/// Requests under way, one per line and their columns between tabs, for programs without JSON. The
/// first line names the columns; a control character or backslash in a value is written as \xHH.
std::string columns_of_sessions();
std::string to_columns(const carried_request& of);
