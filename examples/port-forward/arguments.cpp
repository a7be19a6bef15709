// SPDX-License-Identifier: Apache-2.0
#include "arguments.hpp"

#include <cstdlib>
#include <functional>
#include <iostream>
#include <map>
#include <string_view>

namespace {

constexpr std::string_view usage =
    R"(port-forward: many TCP connections over one connection, which is yamux over TLS.

  port-forward -l ADDRESS:PORT --connect HOST:PORT   local side: listens for programs, and dials ...
  port-forward -s ADDRESS:PORT --target HOST:PORT    ... the remote side, which dials the target

local side:
  --cacert FILE           believe this authority (default: the system's)
  --pin HASH              believe exactly the certificate with this SHA-256
  --insecure, -k          believe any certificate
  --cert FILE --key FILE  shown to a remote side that asks
  --wait SECONDS          for the remote side, while it cannot be reached (10)
remote side:
  --cert FILE --key FILE  certificate chain and key, PEM; without them one is made for this run
  --client-ca FILE        serves only clients with a certificate of this authority
both:
  --max N                 TCP connections at a time, of each client (500; at most 500)
  --keylog FILE           TLS secrets, for Wireshark

Port 0 takes a free one. When the connection between the sides is lost, so are those on it, and the
local side dials again.
)";

constexpr long most_streams = 500;  // of the 512 that a session may have open

[[noreturn]] void give_up(const std::string& why) {
  std::cerr << "port-forward: " << why << " (port-forward --help)\n";
  std::exit(2);
}

long number_of(const std::string& option, const std::string& text, long most) {
  char* end = nullptr;
  const long value = std::strtol(text.c_str(), &end, 10);
  if (text.empty() || *end != '\0' || value < 1 || value > most)
    give_up(option + " takes 1 to " + std::to_string(most));
  return value;
}

void check(const arguments& given) {
  if (given.listen.empty()) give_up("-l or -s says where to listen");
  if (given.peer.empty()) give_up(given.is_remote ? "which --target?" : "--connect to whom?");
  if (given.certificate.empty() != given.key.empty()) give_up("--cert and --key go together");
  if (given.is_remote && (given.insecure || !given.pin.empty()))
    give_up("-k and --pin are the local side's");
}

struct parser {
  arguments out;
  bool connects = false;
  bool has_target = false;

  using option = std::function<void(const std::string&)>;

  void set_side(bool remote, const std::string& value) {
    if (!out.listen.empty()) give_up("one -l or one -s");
    out.is_remote = remote;
    out.listen = value;
  }
  std::map<std::string_view, option> options() {
    const auto text = [](std::string& to) { return [&to](const std::string& v) { to = v; }; };
    return {{"-l", [this](const std::string& v) { set_side(false, v); }},
            {"-s", [this](const std::string& v) { set_side(true, v); }},
            {"--connect",
             [this](const std::string& v) {
               connects = true;
               out.peer = v;
             }},
            {"--target",
             [this](const std::string& v) {
               has_target = true;
               out.peer = v;
             }},
            {"--cert", text(out.certificate)},
            {"--key", text(out.key)},
            {"--cacert", text(out.authority)},
            {"--client-ca", text(out.authority)},
            {"--pin", text(out.pin)},
            {"--keylog", text(out.keylog)},
            {"--max",
             [this](const std::string& v) {
               out.most = static_cast<std::size_t>(number_of("--max", v, most_streams));
             }},
            {"--wait", [this](const std::string& v) {
               out.patience = std::chrono::seconds(number_of("--wait", v, 3600));
             }}};
  }
};

}  // namespace

arguments parse_arguments(int count, char** values) {
  parser given;
  const auto options = given.options();
  for (int i = 1; i < count; ++i) {
    const std::string word = values[i];
    if (word == "--help" || word == "-h") {
      std::cout << usage;
      std::exit(0);
    }
    if (word == "-k" || word == "--insecure") {
      given.out.insecure = true;
    } else if (const auto option = options.find(word); option != options.end()) {
      if (++i == count) give_up(word + " needs a value");
      option->second(values[i]);
    } else {
      give_up("what is '" + word + "'?");
    }
  }
  check(given.out);
  if (given.out.is_remote ? given.connects : given.has_target)
    give_up("--connect goes with -l, --target with -s");
  return given.out;
}
