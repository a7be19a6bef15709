// SPDX-License-Identifier: Apache-2.0
#include "access_log.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <climits>
#include <cstdio>
#include <ctime>
#include <system_error>
#include <utility>

namespace {

using namespace strata::proxy;

const char* text_of(core::command asked) {
  switch (asked) {
    case core::command::connect: return "connect";
    case core::command::bind: return "bind";
    case core::command::udp_associate: return "udp_associate";
    case core::command::forward: return "forward";
    case core::command::page: return "page";
  }
  return "?";
}

const char* text_of(core::protocol spoken) {
  switch (spoken) {
    case core::protocol::socks4: return "socks4";
    case core::protocol::socks5: return "socks5";
    case core::protocol::http: return "http";
  }
  return "?";
}

std::string now() {
  const auto at = std::chrono::system_clock::now();
  const std::time_t seconds = std::chrono::system_clock::to_time_t(at);
  const auto fraction =
      std::chrono::duration_cast<std::chrono::milliseconds>(at.time_since_epoch()).count() % 1000;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 64> text{};
  const std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text.data() + size, text.size() - size, ".%03dZ", static_cast<int>(fraction));
  return text.data();
}

/// After so many lines that a disk took again it is told that it does: one that is full has room
/// for a short line now and then.
constexpr unsigned settled_lines = 100;
/// Opening must not wait for somebody who reads a pipe, nor writing for one who is slow.
constexpr int log_flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
constexpr mode_t log_mode = 0640;

std::string text_of_error(int error) {
  if (error == EAGAIN) return "whoever reads it is too slow";
  return std::generic_category().message(error);
}

/// Why a named file cannot be opened; of a pipe the system's words would lead nowhere.
std::string text_of_open_error(const std::string& path, int error) {
  struct stat of{};
  const bool is_pipe = error == ENXIO && ::stat(path.c_str(), &of) == 0 && S_ISFIFO(of.st_mode);
  return is_pipe ? "nobody reads from this pipe" : text_of_error(error);
}

mode_t kind_of(int file) {
  struct stat of{};
  return ::fstat(file, &of) == 0 ? of.st_mode & S_IFMT : 0;
}

/// It is others' too, who may rely on its waiting, so its flags stay as they are.
int open_standard_output() {
  const bool is_terminal = kind_of(STDOUT_FILENO) == S_IFCHR;
  const int again = is_terminal ? ::open("/proc/self/fd/1", log_flags & ~O_CREAT) : -1;
  return again >= 0 ? again : ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
}

log_writing writing_of(int file) {
  const mode_t kind = kind_of(file);
  if (kind == S_IFSOCK) return log_writing::send;
  const bool may_wait = kind != S_IFREG && (::fcntl(file, F_GETFL) & O_NONBLOCK) == 0;
  return may_wait ? log_writing::when_ready : log_writing::write;
}

/// As write(), but it never waits for whoever reads.
ssize_t write_now(int file, log_writing how, std::string_view text) {
  if (how == log_writing::write) return ::write(file, text.data(), text.size());
  if (how == log_writing::send)
    return ::send(file, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  pollfd writable{.fd = file, .events = POLLOUT, .revents = 0};
  const int ready = ::poll(&writable, 1, 0);
  if (ready == 0) errno = EAGAIN;
  // A pipe that is writable takes this much at once.
  return ready > 0 ? ::write(file, text.data(), std::min<std::size_t>(text.size(), PIPE_BUF)) : -1;
}

/// How much of the text a file takes; errno says why it is not all.
std::size_t write_all(int file, log_writing how, std::string_view text) {
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t size = write_now(file, how, text.substr(done));
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) break;
    done += static_cast<std::size_t>(size);
  }
  return done;
}

/// Takes back what is there of a line that did not fit.
bool take_back(int file, std::size_t written) {
  struct stat of{};
  if (written == 0) return true;
  if (::fstat(file, &of) != 0 || !S_ISREG(of.st_mode)) return false;
  return ::ftruncate(file, of.st_size - static_cast<off_t>(written)) == 0;
}

std::string escaped(std::string_view text) {
  std::string made;
  for (const char each : text) {
    const auto octet = static_cast<unsigned char>(each);
    if (octet >= 0x20 && octet != 0x7f && each != '\\') {
      made += each;
      continue;
    }
    std::array<char, 8> hex{};
    std::snprintf(hex.data(), hex.size(), "\\x%02x", octet);
    made += hex.data();
  }
  return made;
}

std::string protocol_of(const carried_request& of) {
  return of.tunnel.empty() ? text_of(of.request.spoken) : of.tunnel;
}

std::string milliseconds_of(const session_report& of) {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(of.lasted).count());
}

}  // namespace

std::string quoted(std::string_view text) {
  std::string made = "\"";
  for (const char each : text) {
    const auto octet = static_cast<unsigned char>(each);
    if (each == '"' || each == '\\') {
      made += '\\';
      made += each;
    } else if (octet < 0x20 || octet >= 0x7f) {
      std::array<char, 8> escaped{};
      std::snprintf(escaped.data(), escaped.size(), "\\u%04x", octet);
      made += escaped.data();
    } else {
      made += each;
    }
  }
  return made + '"';
}

std::string to_json(const carried_request& of) {
  std::string line = "{\"inbound\":" + quoted(of.inbound);
  line += ",\"client\":" + quoted(of.client.string());
  if (!of.request.user.empty()) line += ",\"user\":" + quoted(of.request.user);
  line += ",\"protocol\":" + quoted(protocol_of(of));
  line += ",\"command\":" + quoted(text_of(of.request.asked));
  line += ",\"target\":" + quoted(of.request.where.string());
  line += ",\"rule\":" + quoted(of.rule.empty() ? "default" : of.rule);
  line += ",\"outbound\":" + quoted(of.outbound);
  line += ",\"sent\":" + std::to_string(of.moved.forth) +
          ",\"received\":" + std::to_string(of.moved.back);
  line += ",\"milliseconds\":" + milliseconds_of(of);
  if (of.connecting) {
    const auto took = std::chrono::duration_cast<std::chrono::microseconds>(*of.connecting);
    line += ",\"connect_microseconds\":" + std::to_string(took.count());
  }
  if (of.error) line += ",\"error\":" + quoted(of.error.message());
  return line + "}";
}

std::string columns_of_sessions() {
  return "inbound\tclient\tuser\tprotocol\tcommand\ttarget\trule\toutbound\tsent\treceived\t"
         "milliseconds\n";
}

std::string to_columns(const carried_request& of) {
  std::string line = escaped(of.inbound) + "\t" + of.client.string();
  line += "\t" + escaped(of.request.user);
  line += "\t" + protocol_of(of) + "\t" + text_of(of.request.asked);
  line += "\t" + escaped(of.request.where.string());
  line += "\t" + escaped(of.rule.empty() ? "default" : of.rule) + "\t" + escaped(of.outbound);
  line += "\t" + std::to_string(of.moved.forth) + "\t" + std::to_string(of.moved.back);
  return line + "\t" + milliseconds_of(of) + "\n";
}

access_log::~access_log() {
  if (file_ >= 0) ::close(file_);
}

std::string access_log::open(const access_log_settings& wanted) {
  int opened = -1;
  if (wanted.file == "-")
    opened = open_standard_output();
  else if (!wanted.file.empty())
    opened = ::open(wanted.file.c_str(), log_flags, log_mode);
  if (opened < 0 && !wanted.file.empty())
    return "access_log: '" + wanted.file +
           "' cannot be opened: " + text_of_open_error(wanted.file, errno);
  if (file_ >= 0) ::close(file_);
  file_ = opened;
  writing_ = writing_of(opened);
  settings_ = wanted;
  struct stat of{};
  // What is no file keeps its place: it may be a device of everybody's, and we may be root.
  const bool is_file = opened >= 0 && ::fstat(opened, &of) == 0 && S_ISREG(of.st_mode);
  size_ = is_file ? static_cast<std::uint64_t>(of.st_size) : 0;
  rotate_at_ = is_file ? settings_.rotate_bytes : 0;
  torn_ = false;
  return {};
}

void access_log::write(const carried_request& of) {
  if (file_ < 0) return;
  append("{\"time\":" + quoted(now()) + "," + to_json(of).substr(1) + "\n");
}

void access_log::append(std::string_view line) {
  if (rotate_at_ != 0 && size_ != 0 && size_ + line.size() > rotate_at_) rotate();
  if (torn_ && write_all(file_, writing_, "\n") == 1) torn_ = false;
  const std::size_t written = torn_ ? 0 : write_all(file_, writing_, line);
  if (written == line.size()) {
    size_ += written;
    return note_written();
  }
  const int error = errno;
  if (!take_back(file_, written)) {
    torn_ = true;
    size_ += written;
  }
  note_lost(error);
}

void access_log::rotate() {
  const std::string& path = settings_.file;
  const auto numbered = [&](unsigned number) { return path + "." + std::to_string(number); };
  for (unsigned i = settings_.keep; i-- > 1;)
    std::rename(numbered(i).c_str(), numbered(i + 1).c_str());
  // Somebody else may have taken the file away.
  const bool moved = std::rename(path.c_str(), numbered(1).c_str()) == 0 || errno == ENOENT;
  const int opened = moved ? ::open(path.c_str(), log_flags, log_mode) : -1;
  if (opened < 0) {
    // The lines go on to where they went, and it is tried again after as many.
    say_("access_log: '" + path + "' cannot be rotated: " + text_of_error(errno));
    rotate_at_ = size_ + settings_.rotate_bytes;
    return;
  }
  ::close(std::exchange(file_, opened));
  writing_ = writing_of(opened);
  size_ = 0;
  rotate_at_ = settings_.rotate_bytes;
  torn_ = false;
}

void access_log::note_lost(int error) {
  ++lost_;
  written_since_ = 0;
  if (std::exchange(failing_, true)) return;
  say_("access_log: '" + settings_.file + "' cannot be written: " + text_of_error(error) +
       "; requests go on, their lines are lost");
}

void access_log::note_written() {
  if (!failing_ || ++written_since_ < settled_lines) return;
  failing_ = false;
  say_("access_log: '" + settings_.file + "' is written again; " +
       std::to_string(std::exchange(lost_, 0)) + " lines were lost");
}
