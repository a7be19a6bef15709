// SPDX-License-Identifier: Apache-2.0
#include "arguments.hpp"

#include <cstdlib>
#include <iostream>
#include <map>
#include <string_view>

namespace {

constexpr std::string_view usage = R"(h3-server DIRECTORY: serves a directory over HTTP/3.

  --listen ADDRESS:PORT   where (default [::]:4433); port 0: a free one
  --cert FILE --key FILE  certificate chain and key, PEM; without them one is made for this run
  --name NAME             a name that it is made for besides this machine's (any number of them)
  --write-cert FILE       where it is written to, for clients to believe
  --ech-key FILE          a key of Encrypted Client Hello, as ech-keygen makes them; the first is
                          the newest and told to clients with another, all open what comes
  --retry                 asks every client to prove its address first
  --cc NAME               congestion control: cubic (default) or new_reno
  --qlog DIRECTORY        a trace of every connection
  --keylog FILE           TLS secrets, for Wireshark

SIGHUP reads certificates and keys again, for the clients that come from then on.
)";

[[noreturn]] void give_up(const std::string& why) {
  std::cerr << "h3-server: " << why << "\n" << usage;
  std::exit(2);
}

}  // namespace

arguments parse_arguments(int count, char** values) {
  arguments out;
  const std::map<std::string_view, std::string*> with_value{
      {"--listen", &out.listen},
      {"--cert", &out.certificate},
      {"--key", &out.key},
      {"--qlog", &out.qlog},
      {"--keylog", &out.keylog},
      {"--cc", &out.congestion},
      {"--write-cert", &out.written_certificate}};
  const std::map<std::string_view, std::vector<std::string>*> with_values{
      {"--name", &out.names}, {"--ech-key", &out.ech_keys}};
  for (int i = 1; i < count; ++i) {
    const std::string_view word = values[i];
    const auto option = with_value.find(word);
    const auto list = with_values.find(word);
    if (word == "--help" || word == "-h") {
      std::cout << usage;
      std::exit(0);
    } else if (word == "--retry") {
      out.retry = true;
    } else if (option != with_value.end()) {
      if (++i == count) give_up(std::string(word) + " needs a value");
      *option->second = values[i];
    } else if (list != with_values.end()) {
      if (++i == count) give_up(std::string(word) + " needs a value");
      list->second->emplace_back(values[i]);
    } else if (word.starts_with("-") || !out.directory.empty()) {
      give_up("what is '" + std::string(word) + "'?");
    } else {
      out.directory = word;
    }
  }
  if (out.directory.empty()) give_up("which directory?");
  if (out.certificate.empty() != out.key.empty()) give_up("--cert and --key go together");
  if (!out.certificate.empty() && !(out.names.empty() && out.written_certificate.empty()))
    give_up("--name and --write-cert are for a certificate that is made");
  if (out.congestion != "cubic" && out.congestion != "new_reno")
    give_up("there is no congestion control '" + out.congestion + "'");
  return out;
}
