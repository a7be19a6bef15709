// SPDX-License-Identifier: Apache-2.0
#include "arguments.hpp"

#include <cstdlib>
#include <iostream>
#include <map>
#include <string_view>

namespace {

constexpr std::string_view usage = R"(anytls-server: dials for clients of anytls.

  -l ADDRESS:PORT       where to listen (default 0.0.0.0:8443); port 0: a free one
  -p PASSWORD           of the clients
  -cert FILE -key FILE  certificate chain and key, PEM; without them one is made for this run
  -padding FILE         the padding scheme of the clients
  -fallback ADDR:PORT   what is not anytls, or has another password, is relayed there, decrypted
  -v1                   speaks version 1 of the protocol only
  -congestion NAME      congestion control of clients' connections, by the system's name
  -keylog FILE          TLS secrets, for Wireshark
)";

[[noreturn]] void give_up(const std::string& why) {
  std::cerr << "anytls-server: " << why << "\n" << usage;
  std::exit(2);
}

}  // namespace

arguments parse_arguments(int count, char** values) {
  arguments out;
  const std::map<std::string_view, std::string*> with_value{{"-l", &out.listen},
                                                            {"-p", &out.password},
                                                            {"-cert", &out.certificate},
                                                            {"-key", &out.key},
                                                            {"-keylog", &out.keylog},
                                                            {"-fallback", &out.fallback},
                                                            {"-padding", &out.padding},
                                                            {"-padding-scheme", &out.padding},
                                                            {"-congestion", &out.congestion}};
  for (int i = 1; i < count; ++i) {
    std::string_view word = values[i];
    if (word.starts_with("--")) word.remove_prefix(1);
    if (const auto option = with_value.find(word); option != with_value.end()) {
      if (++i == count) give_up(std::string(word) + " needs a value");
      *option->second = values[i];
    } else if (word == "-help" || word == "-h") {
      std::cout << usage;
      std::exit(0);
    } else if (word == "-v1") {
      out.version = 1;
    } else {
      give_up("what is '" + std::string(values[i]) + "'?");
    }
  }
  if (out.password.empty()) give_up("which password?");
  if (out.certificate.empty() != out.key.empty()) give_up("-cert and -key go together");
  return out;
}
