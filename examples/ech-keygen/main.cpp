// SPDX-License-Identifier: Apache-2.0
// Makes a key for Encrypted Client Hello and says what to put into DNS; or shows what is in a list.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <strata/transport/tls_ech.hpp>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <map>
#include <string>
#include <string_view>

namespace {

namespace transport = strata::transport;

constexpr std::string_view usage =
    R"(ech-keygen PUBLIC_NAME: makes a key for Encrypted Client Hello.
ech-keygen --show LIST: says what is in an ECHConfigList (base64, as in DNS).

PUBLIC_NAME is what the path will see; the server has to have a certificate for it.

  --out FILE          where the key goes, as PEM (RFC 9934), for its owner only (default: stdout)
  --max-name LENGTH   the longest name that is hidden behind it (default 0: unknown)
  --for NAME          the name that the DNS record is of (default: the public name)
  --port PORT         the port that it is of (default 443)
  --alpn LIST         what the server speaks there (default h2,http/1.1)
  --ttl SECONDS       of the record (default 3600); keep a key at least that long after it left DNS
)";

struct arguments {
  std::string public_name;
  std::string show;
  std::string out;
  std::string max_name = "0";
  std::string name;
  std::string port = "443";
  std::string alpn = "h2,http/1.1";
  std::string ttl = "3600";
};

[[noreturn]] void give_up(const std::string& why, int code = 2) {
  std::cerr << "ech-keygen: " << why << "\n";
  if (code == 2) std::cerr << usage;
  std::exit(code);
}

arguments parse_arguments(int count, char** values) {
  arguments out;
  const std::map<std::string_view, std::string*> with_value{
      {"--show", &out.show}, {"--out", &out.out},   {"--max-name", &out.max_name},
      {"--for", &out.name},  {"--port", &out.port}, {"--alpn", &out.alpn},
      {"--ttl", &out.ttl}};
  for (int i = 1; i < count; ++i) {
    const std::string_view word = values[i];
    if (word == "--help" || word == "-h") {
      std::cout << usage;
      std::exit(0);
    }
    if (const auto option = with_value.find(word); option != with_value.end()) {
      if (++i == count) give_up(std::string(word) + " needs a value");
      *option->second = values[i];
    } else if (word.starts_with("-") || !out.public_name.empty()) {
      give_up("what is '" + std::string(word) + "'?");
    } else {
      out.public_name = word;
    }
  }
  if (out.public_name.empty() == out.show.empty()) give_up("a public name, or --show and a list");
  if (out.name.empty()) out.name = out.public_name;
  return out;
}

unsigned number(const std::string& text, const char* option, unsigned most) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value > most)
    give_up(std::string(option) + " needs a number up to " + std::to_string(most));
  return value;
}

/// Never over a file that is there: it may hold the key that DNS still names.
void write_key(const std::string& path, std::string_view pem) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) give_up("cannot make " + path + ": " + std::strerror(errno), 1);
  while (!pem.empty()) {
    const ssize_t written = ::write(file, pem.data(), pem.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) give_up("cannot write " + path + ": " + std::strerror(errno), 1);
    pem.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::close(file) != 0) give_up("cannot write " + path + ": " + std::strerror(errno), 1);
}

/// RFC 9460 sections 2.1 and 2.3: another port has a name of its own.
std::string record_name(const arguments& given) {
  const unsigned port = number(given.port, "--port", 65535);
  const std::string name = given.name.ends_with('.') ? given.name : given.name + ".";
  return port == 443 ? name : "_" + std::to_string(port) + "._https." + name;
}

void show(const std::string& list) {
  const auto configs = transport::read_ech_config_list(transport::as_bytes(list));
  if (!configs) give_up(configs.error().text, 1);
  for (const auto& each : *configs) {
    std::cout << transport::describe(each);
    const std::string why = transport::ech_config_unusable(each);
    if (!why.empty()) std::cout << " (not usable: " << why << ")";
    std::cout << "\n";
  }
}

void make(const arguments& given) {
  const auto length = static_cast<std::uint8_t>(number(given.max_name, "--max-name", 255));
  const unsigned ttl = number(given.ttl, "--ttl", 604800);
  const std::string name = record_name(given);
  const auto key = transport::make_ech_key(given.public_name, length);
  if (!key) give_up(key.error().text, 1);
  if (given.out.empty()) {
    std::cout << key->pem;
  } else {
    write_key(given.out, key->pem);
  }
  std::cout << name << " " << ttl << " IN HTTPS 1 . alpn=\"" << given.alpn << "\" ech=\""
            << transport::encode_base64(key->config_list) << "\"\n";
}

}  // namespace

int main(int count, char** values) {
  const arguments given = parse_arguments(count, values);
  if (given.show.empty()) {
    make(given);
  } else {
    show(given.show);
  }
}
