// SPDX-License-Identifier: Apache-2.0
#include "strata/h3/document_root.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <utility>

#include "strata/transport/core/error.hpp"

namespace strata::h3 {
inline namespace v0 {
namespace {

using transport::errc;

std::unexpected<std::error_code> failure(errc code) {
  return std::unexpected(make_error_code(code));
}

constexpr std::array<std::pair<std::string_view, std::string_view>, 28> content_types{{
    {"css", "text/css; charset=utf-8"},
    {"csv", "text/csv; charset=utf-8"},
    {"gif", "image/gif"},
    {"gz", "application/gzip"},
    {"htm", "text/html; charset=utf-8"},
    {"html", "text/html; charset=utf-8"},
    {"ico", "image/vnd.microsoft.icon"},
    {"jpeg", "image/jpeg"},
    {"jpg", "image/jpeg"},
    {"js", "text/javascript; charset=utf-8"},
    {"json", "application/json"},
    {"md", "text/markdown; charset=utf-8"},
    {"mjs", "text/javascript; charset=utf-8"},
    {"mp3", "audio/mpeg"},
    {"mp4", "video/mp4"},
    {"otf", "font/otf"},
    {"pdf", "application/pdf"},
    {"png", "image/png"},
    {"svg", "image/svg+xml"},
    {"tar", "application/x-tar"},
    {"ttf", "font/ttf"},
    {"txt", "text/plain; charset=utf-8"},
    {"wasm", "application/wasm"},
    {"webm", "video/webm"},
    {"webp", "image/webp"},
    {"woff2", "font/woff2"},
    {"xml", "application/xml"},
    {"zip", "application/zip"},
}};

std::string_view content_type_of(std::string_view name) {
  const std::size_t dot = name.rfind('.');
  if (dot != std::string_view::npos) {
    const auto found = std::ranges::find(content_types, name.substr(dot + 1),
                                         &std::pair<std::string_view, std::string_view>::first);
    if (found != content_types.end()) return found->second;
  }
  return "application/octet-stream";
}

std::optional<unsigned> hexadecimal(char digit) {
  if (digit >= '0' && digit <= '9') return static_cast<unsigned>(digit - '0');
  if (digit >= 'a' && digit <= 'f') return static_cast<unsigned>(digit - 'a' + 10);
  if (digit >= 'A' && digit <= 'F') return static_cast<unsigned>(digit - 'A' + 10);
  return std::nullopt;
}

/// Undoes percent-encoding. An encoded slash would become a separator that whoever looked at the
/// path before did not see, and NUL would end the name early: both make the path malformed.
std::optional<std::string> decoded(std::string_view path) {
  std::string out;
  for (std::size_t i = 0; i < path.size(); ++i) {
    char next = path[i];
    if (next == '%') {
      if (i + 2 >= path.size()) return std::nullopt;
      const auto high = hexadecimal(path[i + 1]), low = hexadecimal(path[i + 2]);
      if (!high || !low) return std::nullopt;
      next = static_cast<char>(*high * 16 + *low);
      if (next == '/') return std::nullopt;
      i += 2;
    }
    if (next == '\0') return std::nullopt;
    out += next;
  }
  return out;
}

bool names_parent(std::string_view path) {
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    if (path.substr(0, end) == "..") return true;
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return false;
}

/// The file inside the root, without following anything out of it. Before Linux 5.6 no symbolic
/// link is followed at all.
int open_beneath(int root, const std::string& path) {
  constexpr int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  open_how how{};
  how.flags = flags;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  const auto opened =
      static_cast<int>(::syscall(SYS_openat2, root, path.c_str(), &how, sizeof how));
  if (opened >= 0 || (errno != ENOSYS && errno != EPERM)) return opened;
  int folder = ::dup(root);
  std::string_view rest = path;
  while (folder >= 0) {
    const std::size_t end = std::min(rest.find('/'), rest.size());
    const bool last = end == rest.size();
    const std::string name(rest.substr(0, end));
    const int next =
        name.empty() || name == "."
            ? ::dup(folder)
            : ::openat(folder, name.c_str(), flags | O_NOFOLLOW | (last ? 0 : O_DIRECTORY));
    ::close(folder);
    if (last) return next;
    folder = next;
    rest.remove_prefix(end + 1);
  }
  return -1;
}

}  // namespace

// document

document::document(document&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      size_(other.size_),
      modified_(other.modified_),
      content_type_(other.content_type_) {}
document& document::operator=(document&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  size_ = other.size_;
  modified_ = other.modified_;
  content_type_ = other.content_type_;
  return *this;
}
document::~document() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

std::string document::etag() const {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out = "\"";
  const auto append = [&](std::uint64_t value) {
    for (int shift = 60; shift >= 0; shift -= 4)
      if (value >> shift != 0 || shift == 0) out += digits[value >> shift & 15];
  };
  append(static_cast<std::uint64_t>(modified_.time_since_epoch().count()));
  out += '-';
  append(size_);
  return out + '"';
}

transport::result<std::size_t> document::read(std::uint64_t offset,
                                              transport::mutable_bytes out) const {
  std::size_t done = 0;
  while (done < out.size()) {
    const ssize_t got = ::pread(descriptor_, out.data() + done, out.size() - done,
                                static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::unexpected(std::error_code(errno, std::system_category()));
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

// document_root

transport::result<document_root> document_root::open(const std::string& directory) {
  const int descriptor = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return std::unexpected(std::error_code(errno, std::system_category()));
  return document_root(descriptor);
}
document_root::document_root(document_root&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)) {}
document_root& document_root::operator=(document_root&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}
document_root::~document_root() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

transport::result<document> document_root::find(std::string_view path,
                                                std::string_view index) const {
  path = path.substr(0, path.find('?'));
  if (!path.starts_with('/')) return failure(errc::invalid_argument);
  auto name = decoded(path);
  if (!name || names_parent(*name)) return failure(errc::invalid_argument);
  if (name->ends_with('/')) {
    if (index.empty()) return failure(errc::name_not_found);
    *name += index;
  }
  name->erase(0, name->find_first_not_of('/'));
  document found(open_beneath(descriptor_, *name));
  struct stat about{};
  if (found.descriptor_ < 0 || ::fstat(found.descriptor_, &about) != 0 || !S_ISREG(about.st_mode))
    return failure(errc::name_not_found);
  found.size_ = static_cast<std::uint64_t>(about.st_size);
  found.modified_ = std::chrono::sys_time<std::chrono::nanoseconds>(
      std::chrono::seconds(about.st_mtim.tv_sec) + std::chrono::nanoseconds(about.st_mtim.tv_nsec));
  found.content_type_ = content_type_of(*name);
  return found;
}

}  // namespace v0
}  // namespace strata::h3
