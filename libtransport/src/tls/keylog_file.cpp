// SPDX-License-Identifier: Apache-2.0
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <mutex>

#include "strata/transport/tls.hpp"

namespace strata::transport {
inline namespace v0 {
namespace {

struct file_closer {
  void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};

struct keylog_file {
  std::unique_ptr<std::FILE, file_closer> file;
  std::mutex mutex;
};

}  // namespace

tls_result<keylog_sink> make_keylog_file(const std::string& path) {
  std::error_code ignored;
  const bool existed = std::filesystem::exists(path, ignored);
  auto log = std::make_shared<keylog_file>();
  log->file.reset(std::fopen(path.c_str(), "a"));
  if (!log->file) {
    const std::error_code why(errno, std::generic_category());
    return std::unexpected(
        tls_error{why, "cannot write the key log " + path + ": " + why.message()});
  }
  using std::filesystem::perms;
  if (!existed) std::filesystem::permissions(path, perms::owner_read | perms::owner_write, ignored);
  return [log](std::string_view line) {
    const std::string whole = std::string(line) + "\n";
    const std::scoped_lock lock(log->mutex);
    // In one write and at once: other programs append to the same file, and a debugger reads while
    // we run.
    std::fwrite(whole.data(), 1, whole.size(), log->file.get());
    std::fflush(log->file.get());
  };
}

}  // namespace v0
}  // namespace strata::transport
