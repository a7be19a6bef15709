// SPDX-License-Identifier: Apache-2.0
#include "access_log.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "proxy/daemon/own_folder.hpp"

using strata::proxy::session_report;

namespace {

/// A log and what it told.
struct log_world {
  log_world() : log([this](std::string_view text) { told.emplace_back(text); }) {}

  void write(unsigned number, const std::string& filling = {}) {
    session_report made;
    made.inbound = "home";
    made.rule = std::to_string(number);
    made.outbound = filling;
    log.write(made);
  }
  static std::vector<std::string> lines(const std::string& path) {
    std::ifstream file(path);
    return lines_of(file);
  }
  static std::vector<std::string> lines_of(std::istream& from) {
    std::vector<std::string> made;
    for (std::string each; std::getline(from, each);) made.push_back(each);
    return made;
  }
  /// The numbers of the lines that are whole.
  static std::vector<unsigned> numbers(const std::string& path) { return numbers(lines(path)); }
  static std::vector<unsigned> numbers(const std::vector<std::string>& lines) {
    std::vector<unsigned> made;
    for (const std::string& each : lines) {
      const std::size_t at = each.find("\"rule\":\"");
      CHECK(each.starts_with("{\"time\":\""));
      CHECK(each.ends_with('}'));
      REQUIRE(at != each.npos);
      made.push_back(static_cast<unsigned>(std::stoul(each.substr(at + 8))));
    }
    return made;
  }

  own_folder folder;
  std::string path = folder / "access.log";
  std::vector<std::string> told;
  access_log log;
};

/// No file of this process grows beyond `size`: what a full disk does, without one.
class size_limit {
 public:
  explicit size_limit(rlim_t size) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit now{.rlim_cur = size, .rlim_max = before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &now);
  }
  ~size_limit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  size_limit(const size_limit&) = delete;
  size_limit& operator=(const size_limit&) = delete;

 private:
  rlimit before_{};
  void (*handler_)(int);
};

/// The end of a pipe where what is written comes out; nobody reads unless asked.
class slow_reader {
 public:
  explicit slow_reader(int end) : end_(end) { ::fcntl(end_, F_SETFL, O_NONBLOCK); }
  ~slow_reader() { ::close(end_); }
  slow_reader(const slow_reader&) = delete;
  slow_reader& operator=(const slow_reader&) = delete;

  /// The numbers of all lines that are there.
  std::vector<unsigned> read() {
    std::array<char, 65536> memory;
    for (ssize_t size = 0; (size = ::read(end_, memory.data(), memory.size())) > 0;)
      text_.append(memory.data(), static_cast<std::size_t>(size));
    const std::size_t whole = text_.rfind('\n') + 1;
    std::istringstream all(text_.substr(0, whole));
    text_.erase(0, whole);
    return log_world::numbers(log_world::lines_of(all));
  }

 private:
  int end_;
  std::string text_;
};

/// Something else in the place of standard output, for as long as it lives.
class other_output {
 public:
  explicit other_output(int with) : before_(::dup(STDOUT_FILENO)) {
    ::dup2(with, STDOUT_FILENO);
    ::close(with);
  }
  ~other_output() {
    ::dup2(before_, STDOUT_FILENO);
    ::close(before_);
  }
  other_output(const other_output&) = delete;
  other_output& operator=(const other_output&) = delete;

 private:
  int before_;
};

std::vector<unsigned> count_up(unsigned from, std::size_t size) {
  std::vector<unsigned> made(size);
  std::iota(made.begin(), made.end(), from);
  return made;
}

/// More than fits is written while nobody reads: the first lines come out whole, and later ones
/// when there is room again.
void check_slow_reader(log_world& world, slow_reader& reader) {
  constexpr unsigned many = 5000;
  for (unsigned i = 0; i < many; ++i) world.write(i, std::string(300, 'x'));
  REQUIRE(world.told.size() == 1);
  CHECK(world.told[0].find("cannot be written: whoever reads it is too slow") != std::string::npos);
  const auto first = reader.read();
  CHECK(first.size() > 50);
  CHECK(first.size() < many);
  CHECK(first == count_up(0, first.size()));
  world.write(many);
  CHECK(reader.read() == count_up(many, 1));
  CHECK(world.told.size() == 1);
}

}  // namespace

TEST_CASE("access log: no line is lost or torn when files change places") {
  log_world world;
  constexpr unsigned lines = 200, keep = 100;
  REQUIRE(world.log.open({.file = world.path, .rotate_bytes = 1000, .keep = keep}).empty());
  for (unsigned i = 0; i < lines; ++i) world.write(i, std::string(i % 50, 'x'));
  std::vector<unsigned> all;
  unsigned files = 0;
  for (unsigned i = keep; i > 0; --i) {
    const std::string older = world.path + "." + std::to_string(i);
    if (!std::filesystem::exists(older)) continue;
    ++files;
    CHECK(std::filesystem::file_size(older) <= 1000);
    CHECK(std::filesystem::file_size(older) > 500);
    for (const unsigned each : log_world::numbers(older)) all.push_back(each);
  }
  for (const unsigned each : log_world::numbers(world.path)) all.push_back(each);
  CHECK(files > 20);
  REQUIRE(all.size() == lines);
  for (unsigned i = 0; i < lines; ++i) CHECK(all[i] == i);
  CHECK(world.told.empty());
}

TEST_CASE("access log: so many older files are kept, the newest first") {
  log_world world;
  REQUIRE(world.log.open({.file = world.path, .rotate_bytes = 1, .keep = 2}).empty());
  world.write(0);
  CHECK_FALSE(std::filesystem::exists(world.path + ".1"));  // Nothing is moved for a long line.
  for (unsigned i = 1; i < 6; ++i) world.write(i);
  CHECK(log_world::numbers(world.path) == std::vector<unsigned>{5});
  CHECK(log_world::numbers(world.path + ".1") == std::vector<unsigned>{4});
  CHECK(log_world::numbers(world.path + ".2") == std::vector<unsigned>{3});
  CHECK_FALSE(std::filesystem::exists(world.path + ".3"));
}

TEST_CASE("access log: what was there before counts for the size, and is kept") {
  log_world world;
  std::ofstream(world.path) << std::string(900, 'o') << "\n";
  REQUIRE(world.log.open({.file = world.path, .rotate_bytes = 1000, .keep = 1}).empty());
  world.write(1);
  CHECK(log_world::lines(world.path + ".1").front() == std::string(900, 'o'));
  CHECK(log_world::numbers(world.path) == std::vector<unsigned>{1});
}

TEST_CASE("access log: who renames the file has it opened anew, and its size begins anew") {
  log_world world;
  REQUIRE(world.log.open({.file = world.path, .rotate_bytes = 400, .keep = 3}).empty());
  world.write(1);
  std::filesystem::rename(world.path, world.path + ".taken");
  world.write(2);
  REQUIRE(world.log.reopen().empty());
  world.write(3);
  CHECK(log_world::numbers(world.path + ".taken") == std::vector<unsigned>{1, 2});
  CHECK(log_world::numbers(world.path) == std::vector<unsigned>{3});
  CHECK_FALSE(std::filesystem::exists(world.path + ".1"));
}

TEST_CASE("access log: where files cannot change places lines go on in the one there is") {
  log_world world;
  // A folder that is not empty stands where the older file would be.
  std::filesystem::create_directory(world.path + ".1");
  std::ofstream(world.path + ".1/in-the-way") << "x";
  REQUIRE(world.log.open({.file = world.path, .rotate_bytes = 1000, .keep = 1}).empty());
  for (unsigned i = 0; i < 20; ++i) world.write(i);
  CHECK(log_world::numbers(world.path).size() == 20);
  REQUIRE_FALSE(world.told.empty());
  CHECK(world.told.size() <= 4);
  CHECK(world.told[0].find("cannot be rotated: Is a directory") != std::string::npos);
}

TEST_CASE("access log: a full disk is one warning, no torn line, and lines again afterwards") {
  log_world world;
  REQUIRE(world.log.open({.file = world.path}).empty());
  {
    const size_limit full(1000);
    for (unsigned i = 0; i < 100; ++i) world.write(i);
  }
  const std::size_t written = log_world::numbers(world.path).size();
  CHECK(written > 2);
  CHECK(written < 10);
  REQUIRE(world.told.size() == 1);
  CHECK(world.told[0] == "access_log: '" + world.path +
                             "' cannot be written: File too large; requests go on, their lines "
                             "are lost");
  for (unsigned i = 100; i < 199; ++i) world.write(i);
  CHECK(world.told.size() == 1);
  world.write(199);
  REQUIRE(world.told.size() == 2);
  CHECK(world.told[1] == "access_log: '" + world.path + "' is written again; " +
                             std::to_string(100 - written) + " lines were lost");
  const auto all = log_world::numbers(world.path);
  REQUIRE(all.size() == written + 100);
  CHECK(all.back() == 199);
}

TEST_CASE("access log: what takes nothing, such as a full device, is one warning") {
  log_world world;
  REQUIRE(world.log.open({.file = "/dev/full"}).empty());
  for (unsigned i = 0; i < 1000; ++i) world.write(i);
  CHECK(world.told.size() == 1);
}

TEST_CASE("access log: a device stays where it is") {
  log_world world;
  std::filesystem::create_symlink("/dev/null", world.path);
  REQUIRE(world.log.open({.file = world.path, .rotate_bytes = 1, .keep = 1}).empty());
  for (unsigned i = 0; i < 5; ++i) world.write(i);
  CHECK(std::filesystem::is_symlink(world.path));
  CHECK_FALSE(std::filesystem::exists(world.path + ".1"));
}

TEST_CASE("access log: one that cannot be opened changes nothing") {
  log_world world;
  REQUIRE(world.log.open({.file = world.path}).empty());
  const std::string nowhere = world.folder / "none/access.log";
  CHECK(world.log.open({.file = nowhere}) ==
        "access_log: '" + nowhere + "' cannot be opened: No such file or directory");
  world.write(1);
  REQUIRE(world.log.reopen().empty());
  world.write(2);
  CHECK(log_world::numbers(world.path) == std::vector<unsigned>{1, 2});
  REQUIRE(world.log.open({}).empty());
  world.write(3);
  CHECK(log_world::numbers(world.path).size() == 2);
}

TEST_CASE("access log: a pipe that nobody reads is told and not waited for") {
  log_world world;
  REQUIRE(world.log.open({.file = world.path}).empty());
  const std::string pipe = world.folder / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  CHECK(world.log.open({.file = pipe}) ==
        "access_log: '" + pipe + "' cannot be opened: nobody reads from this pipe");
  world.write(1);
  CHECK(log_world::numbers(world.path) == std::vector<unsigned>{1});
}

TEST_CASE("access log: who reads a pipe too slowly loses lines and holds nobody up") {
  log_world world;
  const std::string pipe = world.folder / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  slow_reader reader(::open(pipe.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  REQUIRE(world.log.open({.file = pipe}).empty());
  check_slow_reader(world, reader);
}

TEST_CASE("access log: standard output that is a pipe holds nobody up, and waits for others") {
  log_world world;
  std::array<int, 2> ends{};
  REQUIRE(::pipe(ends.data()) == 0);
  slow_reader reader(ends[0]);
  const other_output output(ends[1]);
  REQUIRE(world.log.open({.file = "-"}).empty());
  check_slow_reader(world, reader);
  CHECK((::fcntl(STDOUT_FILENO, F_GETFL) & O_NONBLOCK) == 0);
  // More than a pipe that is writable has room for.
  for (unsigned i = 0; i < 100; ++i) world.write(i, std::string(9000, 'x'));
}

TEST_CASE("access log: standard output that is a socket holds nobody up, and waits for others") {
  log_world world;
  std::array<int, 2> ends{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) == 0);
  slow_reader reader(ends[0]);
  const other_output output(ends[1]);
  REQUIRE(world.log.open({.file = "-"}).empty());
  check_slow_reader(world, reader);
  CHECK((::fcntl(STDOUT_FILENO, F_GETFL) & O_NONBLOCK) == 0);
}

TEST_CASE("access log: standard output that is a terminal holds nobody up, and waits for others") {
  log_world world;
  const int terminal = ::posix_openpt(O_RDWR | O_NOCTTY);
  REQUIRE(terminal >= 0);
  REQUIRE(::grantpt(terminal) == 0);
  REQUIRE(::unlockpt(terminal) == 0);
  slow_reader reader(terminal);
  const other_output output(::open(::ptsname(terminal), O_WRONLY | O_NOCTTY));
  REQUIRE(world.log.open({.file = "-"}).empty());
  for (unsigned i = 0; i < 5000; ++i) world.write(i, std::string(300, 'x'));
  REQUIRE(world.told.size() == 1);
  CHECK(world.told[0].find("too slow") != std::string::npos);
  CHECK((::fcntl(STDOUT_FILENO, F_GETFL) & O_NONBLOCK) == 0);
}
