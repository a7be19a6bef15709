// SPDX-License-Identifier: Apache-2.0
#include "output_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

namespace {

[[noreturn]] void fail(const std::string& name) {
  throw std::system_error(errno, std::system_category(), name);
}

constexpr mode_t new_file_mode = 0644;

}  // namespace

output_file::output_file(std::string name) : name_(std::move(name)) {
  struct stat about{};
  const bool is_special = ::stat(name_.c_str(), &about) == 0 && !S_ISREG(about.st_mode);
  if (is_special) {  // a device or a pipe is written, not replaced
    descriptor_ = ::open(name_.c_str(), O_WRONLY | O_CLOEXEC);
    if (descriptor_ < 0) fail(name_);
    return;
  }
  temporary_ = name_ + ".part-XXXXXX";
  descriptor_ = ::mkostemp(temporary_.data(), O_CLOEXEC);
  if (descriptor_ < 0) fail(name_);
  ::fchmod(descriptor_, new_file_mode);
}

output_file::~output_file() {
  if (descriptor_ > 1) ::close(descriptor_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void output_file::write(std::string_view text) {
  while (!text.empty()) {
    const ssize_t done = ::write(descriptor_, text.data(), text.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) fail(name_.empty() ? "standard output" : name_);
    text.remove_prefix(static_cast<std::size_t>(done));
  }
}

void output_file::commit() {
  if (descriptor_ > 1 && ::close(std::exchange(descriptor_, -1)) != 0) fail(name_);
  if (temporary_.empty()) return;
  if (std::rename(temporary_.c_str(), name_.c_str()) != 0) fail(name_);
  temporary_.clear();
}
