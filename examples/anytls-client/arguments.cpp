// SPDX-License-Identifier: Apache-2.0
#include "arguments.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <iostream>
#include <map>
#include <string_view>

#include "program/program.hpp"
#include "strata/mux/core/anytls_uri.hpp"

namespace {

constexpr std::string_view usage = R"(anytls-client: a SOCKS5 proxy through an anytls server.

  -l ADDRESS:PORT      where to listen (default 127.0.0.1:1080); port 0: a free one
  -s HOST:PORT         the server; or anytls://PASSWORD@HOST:PORT/?sni=NAME&insecure=1
  -p PASSWORD          of the server
  -sni NAME            whom to ask the server for, and to verify (default: HOST)
  -ca FILE             believes only certificates that lead to these, PEM
  -pin SHA256          believes only the certificate with this hash, in hexadecimal digits
  -insecure            believes everybody
  -m, -min-idle N      keeps so many idle sessions (default 5)
  -idle-check SECONDS  how often idle sessions are looked at (default 30)
  -idle-timeout SECONDS  from when on one is closed (default 60)
  -no-reuse            a session for every connection
  -v1                  speaks version 1 of the protocol only
  -uot 1|2             version of udp-over-tcp, for UDP ASSOCIATE (default 2)
  -uot-connect         datagrams to each target on a stream of its own, without addresses (-uot 2)
  -await               answers CONNECT when the server has connected, not before
  -congestion NAME     congestion control of the connections to the server, by the system's name
  -keylog FILE         TLS secrets, for Wireshark
)";

[[noreturn]] void give_up(const std::string& why) {
  std::cerr << "anytls-client: " << why << "\n" << usage;
  std::exit(2);
}

std::size_t number_of(std::string_view flag, const std::string& text) {
  std::size_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc() || end != text.data() + text.size())
    give_up(std::string(flag) + ": what is '" + text + "'?");
  return value;
}

/// What a URI says; flags on the command line win.
void apply_uri(arguments& to) {
  const auto uri = strata::mux::core::anytls_uri::parse(to.server);
  if (!uri) give_up("-s: '" + to.server + "' is not an anytls URI");
  const bool is_v6 = uri->host.find(':') != std::string::npos;
  to.server = (is_v6 ? '[' + uri->host + ']' : uri->host) + ':' + std::to_string(uri->port);
  if (to.password.empty()) to.password = uri->password;
  if (to.sni.empty()) to.sni = uri->sni;
  to.insecure = to.insecure || uri->insecure;
}

}  // namespace

arguments parse_arguments(int count, char** values) {
  arguments out;
  std::string pin, min_idle, check, timeout, udp;
  const std::map<std::string_view, std::string*> with_value{{"-l", &out.listen},
                                                            {"-s", &out.server},
                                                            {"-p", &out.password},
                                                            {"-sni", &out.sni},
                                                            {"-ca", &out.authority},
                                                            {"-pin", &pin},
                                                            {"-m", &min_idle},
                                                            {"-min-idle", &min_idle},
                                                            {"-idle-check", &check},
                                                            {"-idle-timeout", &timeout},
                                                            {"-keylog", &out.keylog},
                                                            {"-congestion", &out.congestion},
                                                            {"-uot", &udp}};
  for (int i = 1; i < count; ++i) {
    std::string_view word = values[i];
    if (word.starts_with("--")) word.remove_prefix(1);
    if (const auto option = with_value.find(word); option != with_value.end()) {
      if (++i == count) give_up(std::string(word) + " needs a value");
      *option->second = values[i];
    } else if (word == "-help" || word == "-h") {
      std::cout << usage;
      std::exit(0);
    } else if (word == "-insecure") {
      out.insecure = true;
    } else if (word == "-no-reuse") {
      out.reuse = false;
    } else if (word == "-v1") {
      out.version = 1;
    } else if (word == "-uot-connect") {
      out.udp_connect = true;
    } else if (word == "-await") {
      out.await_answer = true;
    } else {
      give_up("what is '" + std::string(values[i]) + "'?");
    }
  }
  if (out.server.starts_with("anytls://")) apply_uri(out);
  if (!pin.empty()) out.pin = program::hash_of(pin);
  if (!pin.empty() && !out.pin) give_up("-pin: not a SHA-256");
  if (!min_idle.empty()) out.min_idle = number_of("-min-idle", min_idle);
  if (!check.empty()) out.idle_check = std::chrono::seconds(number_of("-idle-check", check));
  if (!timeout.empty())
    out.idle_timeout = std::chrono::seconds(number_of("-idle-timeout", timeout));
  if (!udp.empty()) out.udp_version = static_cast<unsigned>(number_of("-uot", udp));
  if (out.udp_version != 1 && out.udp_version != 2) give_up("-uot is 1 or 2");
  if (out.udp_version == 1 && out.udp_connect) give_up("-uot-connect needs -uot 2");
  if (out.server.empty()) give_up("which server?");
  if (out.password.empty()) give_up("which password?");
  return out;
}
