// SPDX-License-Identifier: Apache-2.0
// A proxy for SOCKS4, SOCKS5 and HTTP with rules, configured by a file of TOML.
#include <asio/io_context.hpp>
#include <asio/signal_set.hpp>
#include <csignal>
#include <iostream>

#include "access_log.hpp"
#include "admin.hpp"
#include "configuration.hpp"
#include "program/program.hpp"
#include "service.hpp"
#include "strata/proxy/version.hpp"
#include "top/run.hpp"

namespace {

using namespace strata;
using program::say;

constexpr std::string_view usage = R"(strata-proxy: SOCKS4, SOCKS4a, SOCKS5 and HTTP on one port.

  -c, --config FILE     what to do, in TOML (see example.toml); without it: everything directly
  -l, --listen ADDRESS  where to listen instead (127.0.0.1:1080); port 0: a free one
      --allow NETWORK   without a file: connect to this network, too, though it is not public,
                        such as 127.0.0.0/8
      --check [FILE]    says what is wrong with the file, and ends
  -h, --help            this text
      --version         which one this is

strata-proxy top: what a running one does, in this terminal; see strata-proxy top --help.

SIGHUP reads the file again: what is wrong is told, and nothing changes; else connections under
way go on. SIGUSR1 opens the access log anew. SIGTERM and SIGINT stop accepting and wait for
connections (drain); a second one does not wait.
)";

struct arguments {
  std::string file;
  std::string listen;
  std::vector<std::string> allow;
  bool check = false;
};

[[noreturn]] void give_up(const std::string& why) {
  std::cerr << "strata-proxy: " << why << "; strata-proxy --help names all options\n";
  std::exit(2);
}

arguments parse_arguments(int count, char** values) {
  arguments made;
  for (int i = 1; i < count; ++i) {
    const std::string_view word = values[i];
    const auto value = [&] {
      if (++i == count) give_up(std::string(word) + " needs a value");
      return std::string(values[i]);
    };
    if (word == "-h" || word == "--help") {
      std::cout << usage;
      std::exit(0);
    } else if (word == "-c" || word == "--config") {
      made.file = value();
    } else if (word == "-l" || word == "--listen") {
      made.listen = value();
    } else if (word == "--allow") {
      made.allow.push_back(value());
    } else if (word == "--check") {
      made.check = true;
      if (i + 1 < count && values[i + 1][0] != '-') made.file = values[++i];
    } else if (word == "--version") {
      std::cout << "strata-proxy " << proxy::version() << "\n";
      std::exit(0);
    } else {
      give_up("there is no option '" + std::string(word) + "'");
    }
  }
  if (made.check && made.file.empty()) give_up("--check needs a file");
  return made;
}

void tell(const std::string& file, const std::vector<configuration_problem>& problems) {
  for (const configuration_problem& each : problems) {
    std::cerr << file << ":";
    if (each.line != 0) std::cerr << each.line << ":";
    std::cerr << " " << each.text << std::endl;
  }
}

/// The file, and what the command line says beside it.
configuration_result read(const arguments& given) {
  configuration_result made =
      given.file.empty() ? parse_configuration("") : read_configuration(given.file);
  if (!given.listen.empty()) {
    const auto at = transport::address::parse(given.listen);
    if (!at) give_up("--listen: '" + given.listen + "' is no address; write it as 127.0.0.1:1080");
    if (!made.value.inbounds.empty()) made.value.inbounds.front().listen = *at;
  }
  for (const std::string& text : given.allow) {
    const auto network = proxy::core::ip_network::parse(text);
    if (!network) give_up("--allow: '" + text + "' is no network; write it as 127.0.0.0/8");
    for (outbound_settings& each : made.value.outbounds)
      if (auto* direct = std::get_if<direct_settings>(&each.how))
        direct->filter.allowed.push_back(*network);
  }
  return made;
}

class daemon_program {
 public:
  explicit daemon_program(const arguments& given)
      : given_(given),
        context_(1),
        log_(say),
        service_(context_.get_executor(), [this](const carried_request& of) { log_.write(of); }),
        admin_(service_, [this] { return !draining_; }),
        signals_(context_, SIGINT, SIGTERM) {
    signals_.add(SIGHUP);
    signals_.add(SIGUSR1);
  }

  int run() {
    if (!apply()) return 1;
    for (const auto& each : service_.servers())
      std::cout << "listening on " << each->local_address().string() << std::endl;
    for (const auto& each : service_.tunnel_servers())
      std::cout << "tunnels on " << each.server->local_address().string() << std::endl;
    if (!admin_.local_address().octets().empty())
      std::cout << "admin on " << admin_.local_address().string() << std::endl;
    wait_for_signal();
    context_.run();
    return lost_ ? 3 : 0;
  }

 private:
  /// False when something is wrong, which was told; then everything is as it was.
  bool apply() {
    const configuration_result read_now = read(given_);
    tell(given_.file, read_now.problems);
    if (!read_now.problems.empty()) return false;
    const configuration& wanted = read_now.value;
    std::string problem;
    admin::listening listening;
    if (wanted.admin) listening = admin_.listen(context_.get_executor(), *wanted.admin, problem);
    if (problem.empty()) problem = apply(wanted);
    if (!problem.empty()) {
      say(problem);
      return false;
    }
    admin_.use(std::move(listening));
    drain_ = wanted.drain;
    return true;
  }

  /// The log comes first: it goes back where the rest fails.
  std::string apply(const configuration& wanted) {
    if (std::string problem = log_.open(wanted.access_log); !problem.empty()) return problem;
    std::string problem = service_.apply(wanted);
    if (problem.empty())
      log_settings_ = wanted.access_log;
    else if (const std::string lost = log_.open(log_settings_); !lost.empty())
      say(lost);
    return problem;
  }

  void wait_for_signal() {
    signals_.async_wait([this](std::error_code error, int number) {
      if (error) return;
      if (number == SIGHUP) {
        say(apply() ? "the configuration was read again" : "the configuration stays as it was");
      } else if (number == SIGUSR1) {
        if (const std::string problem = log_.reopen(); !problem.empty()) say(problem);
      } else if (draining_) {
        lost_ = true;
        return context_.stop();
      } else {
        drain();
      }
      wait_for_signal();
    });
  }

  void drain() {
    draining_ = true;
    service_.drain(drain_, [this](bool in_order) {
      if (!in_order) say("some connections were ended at the deadline");
      lost_ = !in_order;
      context_.stop();
    });
  }

  arguments given_;
  asio::io_context context_;
  access_log log_;
  access_log_settings log_settings_;
  service service_;
  admin admin_;
  asio::signal_set signals_;
  std::chrono::seconds drain_{30};
  bool draining_ = false;
  bool lost_ = false;
};

/// With the files that it names, and without a socket.
int check(const arguments& given) {
  const configuration_result read_now = read(given);
  tell(given.file, read_now.problems);
  if (!read_now.problems.empty()) return 1;
  asio::io_context context(1);
  const std::string problem = service(context.get_executor(), nullptr).check(read_now.value);
  if (!problem.empty()) say(problem);
  return problem.empty() ? 0 : 1;
}

}  // namespace

int main(int count, char** values) {
  program::name = "strata-proxy";
  if (count > 1 && values[1] == std::string_view("top")) return top::run(count - 2, values + 2);
  const arguments given = parse_arguments(count, values);
  if (given.check) return check(given);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // A log at its limit is told as an error.
  return daemon_program(given).run();
}
