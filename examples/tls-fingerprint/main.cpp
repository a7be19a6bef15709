// SPDX-License-Identifier: Apache-2.0
// Prints the ClientHello of a profile in hexadecimal; tools/tls-fingerprint says what it looks
// like.
#include <strata/transport/tls.hpp>

#include <cstdlib>
#include <iostream>
#include <string_view>

namespace {

namespace transport = strata::transport;

constexpr std::string_view usage =
    "tls-fingerprint [default | browser] [--grease] [--name NAME]: a ClientHello in hexadecimal\n"
    "  --grease   with an imitation of Encrypted Client Hello\n";

[[noreturn]] void give_up(std::string_view why, int code) {
  std::cerr << "tls-fingerprint: " << why << "\n";
  if (code == 2) std::cerr << usage;
  std::exit(code);
}

template <class Result>
auto value_or_exit(Result result) {
  if (!result) give_up(result.error().text, 1);
  return std::move(*result);
}

}  // namespace

int main(int count, char** values) {
  transport::tls_client_options options;
  options.alpn = {"h2", "http/1.1"};
  options.insecure_skip_verification = true;  // No connection is made.
  std::string_view name = "www.example.com";
  for (int i = 1; i < count; ++i) {
    const std::string_view word = values[i];
    if (word == "browser") {
      transport::choose_like_a_browser(options);
    } else if (word == "--grease") {
      options.ech_grease = true;
    } else if (word == "--name" && i + 1 < count) {
      name = values[++i];
    } else if (word != "default") {
      give_up("what is '" + std::string(word) + "'?", 2);
    }
  }
  const auto context = value_or_exit(transport::make_tls_client_context(options));
  constexpr std::string_view digits = "0123456789abcdef";
  for (const std::byte each : value_or_exit(transport::make_client_hello(context, name))) {
    std::cout << digits[std::to_integer<unsigned>(each) >> 4]
              << digits[std::to_integer<unsigned>(each) & 15];
  }
  std::cout << "\n";
}
