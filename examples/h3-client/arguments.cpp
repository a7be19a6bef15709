// SPDX-License-Identifier: Apache-2.0
#include "arguments.hpp"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iostream>
#include <iterator>
#include <map>
#include <span>

namespace {

constexpr std::string_view usage = R"(h3-client URL...: fetches over HTTP/3. Options as curl's:

  -o FILE               write to FILE instead of standard output (one -o for each URL)
  -O, --remote-name     write to a file named as in the URL; --remote-name-all: for every URL
  --output-dir DIR      where those files go
  -X METHOD             -d BODY|@FILE  content to send      -H 'NAME: VALUE'  a field to send
  -f                    fail on status 400 and above        -I  only the head
  -i                    show response fields                -s  silent            -v  verbose
  --parallel-max N      downloads at a time (50)
  --connect-to ADDR:PORT  go there whatever the URL says
  --ech LIST            hide whom you talk to: an ECHConfigList as DNS has it (base64), or a file
                        with it or with a key of ech-keygen; nothing is sent without
  --ech-secure-disable  unless the server proves that it does no Encrypted Client Hello
  --ech-grease          imitate it where there is none
  --insecure, -k        believe any certificate             --cacert FILE  believe this authority
  --max-time S          give up after S seconds             --connect-timeout S
  --alpn hq-interop     the protocol of QUIC interoperability tests
  --cc cubic|new_reno   --qlog DIR   --keylog FILE
  -w json               a line of figures at the end, and what became of Encrypted Client Hello

Exit codes: 0, 2 usage, 6 resolve, 7 connect, 22 HTTP error with -f, 23 write, 28 timeout, 35 TLS,
56 receive, 60 certificate, 101 Encrypted Client Hello not accepted.
)";

[[noreturn]] void give_up(const std::string& why) {
  std::cerr << "h3-client: " << why << " (h3-client --help)\n";
  std::exit(exit_code::usage);
}

std::string content_of(const std::string& value) {
  if (!value.starts_with('@')) return value;
  std::ifstream file(value.substr(1), std::ios::binary);
  if (!file) give_up("cannot read " + value.substr(1));
  return {std::istreambuf_iterator<char>(file), {}};
}

/// An ECHConfigList as it stands on the command line or in a file, there in PEM as well.
std::vector<std::byte> ech_list_of(const std::string& value) {
  std::string text = value;
  if (std::ifstream file(value, std::ios::binary); file)
    text.assign(std::istreambuf_iterator<char>(file), {});
  constexpr std::string_view begin = "-----BEGIN ECHCONFIG-----", end = "-----END ECHCONFIG-----";
  if (const std::size_t from = text.find(begin); from != std::string::npos) {
    text = text.substr(from + begin.size(), text.find(end) - from - begin.size());
    std::erase_if(text, [](char c) { return c == '\n' || c == '\r'; });
  }
  const auto octets = std::as_bytes(std::span(text));
  return {octets.begin(), octets.end()};
}

std::pair<std::string, std::string> field_of(const std::string& text) {
  const std::size_t colon = text.find(':');
  if (colon == 0 || colon == std::string::npos) give_up("-H needs 'NAME: VALUE'");
  std::string name = text.substr(0, colon);
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
  const std::size_t begin = std::min(text.find_first_not_of(' ', colon + 1), text.size());
  return {name, text.substr(begin)};
}

std::chrono::milliseconds seconds_of(const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0' || !(value > 0) || value > 1e9)
    give_up("'" + text + "' is no number of seconds");
  return std::chrono::milliseconds(static_cast<long long>(value * 1000));
}

std::size_t count_of(const std::string& text) {
  const long value = std::strtol(text.c_str(), nullptr, 10);
  if (value < 1 || value > 10'000) give_up("--parallel-max takes 1 to 10000");
  return static_cast<std::size_t>(value);
}

/// The words of the command line as they are met.
struct parser {
  arguments out;
  std::vector<url> urls;
  std::vector<target_file> targets;
  bool remote_name_all = false;

  using flag = std::function<void()>;
  using option = std::function<void(const std::string&)>;

  std::map<std::string_view, flag> flags() {
    const flag remote = [this] { targets.push_back({target_file::kind_type::from_url, {}}); };
    const flag insecure = [this] { out.insecure = true; };
    return {{"-O", remote},
            {"--remote-name", remote},
            {"--remote-name-all", [this] { remote_name_all = true; }},
            {"-f", [this] { out.fail = true; }},
            {"--fail", [this] { out.fail = true; }},
            {"-I", [this] { out.head = true; }},
            {"--head", [this] { out.head = true; }},
            {"-i", [this] { out.include = true; }},
            {"-s", [this] { out.silent = true; }},
            {"-v", [this] { out.verbose = true; }},
            {"--ech-grease", [this] { out.ech_grease = true; }},
            {"--ech-secure-disable", [this] { out.ech_secure_disable = true; }},
            {"-k", insecure},
            {"--insecure", insecure}};
  }
  std::map<std::string_view, option> options() {
    const auto text = [](std::string& to) { return [&to](const std::string& v) { to = v; }; };
    return {
        {"-o",
         [this](const std::string& v) { targets.push_back({target_file::kind_type::named, v}); }},
        {"-X", text(out.method)},
        {"-d", [this](const std::string& v) { out.body = content_of(v); }},
        {"-H", [this](const std::string& v) { out.fields.push_back(field_of(v)); }},
        {"-w",
         [this](const std::string& v) {
           if (v != "json") give_up("-w knows only json");
           out.json = true;
         }},
        {"-m", [this](const std::string& v) { out.max_time = seconds_of(v); }},
        {"--max-time", [this](const std::string& v) { out.max_time = seconds_of(v); }},
        {"--connect-timeout",
         [this](const std::string& v) { out.connect_timeout = seconds_of(v); }},
        {"--parallel-max", [this](const std::string& v) { out.parallel = count_of(v); }},
        {"--output-dir", text(out.output_directory)},
        {"--connect-to", text(out.connect_to)},
        {"--cacert", text(out.ca_file)},
        {"--ech", [this](const std::string& v) { out.ech = ech_list_of(v); }},
        {"--qlog", text(out.qlog)},
        {"--keylog", text(out.keylog)},
        {"--cc", text(out.congestion)},
        {"--alpn", text(out.alpn)}};
  }
};

void pair_up(parser& given) {
  const target_file rest{given.remote_name_all ? target_file::kind_type::from_url
                                               : target_file::kind_type::standard_output,
                         {}};
  given.targets.resize(std::max(given.targets.size(), given.urls.size()), rest);
  for (std::size_t i = 0; i < given.urls.size(); ++i)
    given.out.downloads.emplace_back(std::move(given.urls[i]), std::move(given.targets[i]));
}

}  // namespace

arguments parse_arguments(int count, char** values) {
  parser given;
  const auto flags = given.flags();
  const auto options = given.options();
  for (int i = 1; i < count; ++i) {
    const std::string word = values[i];
    if (word == "--help" || word == "-h") {
      std::cout << usage;
      std::exit(0);
    }
    if (const auto flag = flags.find(word); flag != flags.end()) {
      flag->second();
    } else if (const auto option = options.find(word); option != options.end()) {
      if (++i == count) give_up(word + " needs a value");
      option->second(values[i]);
    } else if (word.starts_with('-')) {
      give_up("there is no option " + word);
    } else if (auto parsed = parse_url(word)) {
      given.urls.push_back(std::move(*parsed));
    } else {
      give_up("'" + word + "' is no https URL");
    }
  }
  if (given.urls.empty()) give_up("which URL?");
  if (given.out.congestion != "cubic" && given.out.congestion != "new_reno")
    give_up("there is no congestion control '" + given.out.congestion + "'");
  if (given.out.alpn != "h3" && given.out.alpn != "hq-interop")
    give_up("--alpn knows h3 and hq-interop");
  pair_up(given);
  return std::move(given.out);
}
