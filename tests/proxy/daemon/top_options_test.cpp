// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>
#include <cstdio>
#include <fstream>
#include <map>
#include <string>

#include "proxy/daemon/own_folder.hpp"
#include "top/options.hpp"

using namespace top;
using namespace std::chrono_literals;
using environment = std::map<std::string, std::string>;

namespace {

parsed_options read(const std::vector<std::string>& words,
                    const environment& in = {{"LANG", "C.UTF-8"}}) {
  return parse_options(words, [&in](const char* name) {
    const auto found = in.find(name);
    return found == in.end() ? std::string() : found->second;
  });
}

}  // namespace

TEST_CASE("top: options") {
  const auto plain = read({});
  CHECK(plain.problem.empty());
  CHECK(plain.value.admin.string() == "127.0.0.1:9090");
  CHECK(plain.value.interval == 1s);
  CHECK_FALSE(plain.value.once);
  CHECK(plain.value.colours);
  CHECK_FALSE(plain.value.ascii);
  const auto all = read({"--admin", "[::1]:99", "-i", "0.5", "--once", "--ascii"});
  CHECK(all.problem.empty());
  CHECK(all.value.admin.string() == "[::1]:99");
  CHECK(all.value.interval == 500ms);
  CHECK(all.value.once);
  CHECK(all.value.ascii);
}

TEST_CASE("top: options that are wrong say what is right") {
  CHECK(read({"--admin"}).problem == "--admin needs a value");
  CHECK(read({"--admin", "x"}).problem == "--admin: 'x' is no address; write it as 127.0.0.1:9090");
  CHECK(read({"--admin", "127.0.0.1:0"}).problem.find("is no address") != std::string::npos);
  for (const char* each : {"0", "0.09", "3601", "nan", "1s", "-1", ""})
    CHECK(read({"--interval", each}).problem ==
          std::string("--interval: '") + each + "' is no number of seconds from 0.1 to 3600");
  CHECK(read({"-x"}).problem == "there is no option '-x'; strata-proxy top --help names all");
}

TEST_CASE("top: the environment says what the terminal can show") {
  CHECK_FALSE(read({}, {{"LANG", "C.UTF-8"}, {"NO_COLOR", "1"}}).value.colours);
  CHECK(read({}, {{"LANG", "C.UTF-8"}, {"NO_COLOR", ""}}).value.colours);
  CHECK(read({}, {{"LANG", "C"}}).value.ascii);
  CHECK(read({}, {{"LANG", "C.UTF-8"}, {"LC_ALL", "POSIX"}}).value.ascii);
  CHECK_FALSE(read({}, {{"LC_CTYPE", "de_DE.utf8"}}).value.ascii);
  CHECK(read({}, {}).value.ascii);
  CHECK(read({}, {{"LANG", "C.UTF-8"}, {"TERM", "dumb"}}).value.ascii);
  CHECK(read({}, {{"COLUMNS", "132"}}).value.width == 132u);
  CHECK_FALSE(read({}, {{"COLUMNS", "5"}}).value.width);
}

TEST_CASE("top: the admin address of a configuration") {
  const own_folder folder;
  const auto with = [&](const std::string& text) {
    std::ofstream(folder / "proxy.toml") << text;
    auto made = read({"--config", folder / "proxy.toml"});
    const std::size_t at = made.problem.find(folder / "");
    if (at != made.problem.npos) made.problem.erase(at, (folder / "").size());
    return made;
  };
  CHECK(with("admin = \"127.0.0.1:9191\"").value.admin.port() == 9191);
  CHECK(with("").problem == "proxy.toml has no admin = \"127.0.0.1:9090\", where figures would be");
  CHECK(with("admin = \"127.0.0.1:0\"").problem ==
        "proxy.toml leaves the port of admin to the system; say --admin ADDRESS");
  CHECK(with("\nadmin = 5").problem == "proxy.toml:2: admin must be text in quotes");
}
