// SPDX-License-Identifier: Apache-2.0
#include "access_log.hpp"

#include <array>
#include <chrono>
#include <ctime>

namespace {

using namespace strata::proxy;

const char* text_of(core::command asked) {
  switch (asked) {
    case core::command::connect: return "connect";
    case core::command::bind: return "bind";
    case core::command::udp_associate: return "udp_associate";
    case core::command::forward: return "forward";
    case core::command::page: return "page";
  }
  return "?";
}

const char* text_of(core::protocol spoken) {
  switch (spoken) {
    case core::protocol::socks4: return "socks4";
    case core::protocol::socks5: return "socks5";
    case core::protocol::http: return "http";
  }
  return "?";
}

std::string now() {
  const auto at = std::chrono::system_clock::now();
  const std::time_t seconds = std::chrono::system_clock::to_time_t(at);
  const auto fraction =
      std::chrono::duration_cast<std::chrono::milliseconds>(at.time_since_epoch()).count() % 1000;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 64> text{};
  const std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text.data() + size, text.size() - size, ".%03dZ", static_cast<int>(fraction));
  return text.data();
}

}  // namespace

std::string quoted(std::string_view text) {
  std::string made = "\"";
  for (const char each : text) {
    const auto octet = static_cast<unsigned char>(each);
    if (each == '"' || each == '\\') {
      made += '\\';
      made += each;
    } else if (octet < 0x20 || octet >= 0x7f) {
      std::array<char, 8> escaped{};
      std::snprintf(escaped.data(), escaped.size(), "\\u%04x", octet);
      made += escaped.data();
    } else {
      made += each;
    }
  }
  return made + '"';
}

std::string to_json(const session_report& of) {
  const auto milliseconds =
      std::chrono::duration_cast<std::chrono::milliseconds>(of.lasted).count();
  std::string line = "{\"inbound\":" + quoted(of.inbound);
  line += ",\"client\":" + quoted(of.client.string());
  if (!of.request.user.empty()) line += ",\"user\":" + quoted(of.request.user);
  line += ",\"protocol\":" + quoted(text_of(of.request.spoken));
  line += ",\"command\":" + quoted(text_of(of.request.asked));
  line += ",\"target\":" + quoted(of.request.where.string());
  line += ",\"rule\":" + quoted(of.rule.empty() ? "default" : of.rule);
  line += ",\"outbound\":" + quoted(of.outbound);
  line += ",\"sent\":" + std::to_string(of.moved.forth) +
          ",\"received\":" + std::to_string(of.moved.back);
  line += ",\"milliseconds\":" + std::to_string(milliseconds);
  if (of.error) line += ",\"error\":" + quoted(of.error.message());
  return line + "}";
}

bool access_log::open(const std::string& path) {
  path_ = path;
  if (path.empty()) {
    file_.reset();
    return true;
  }
  std::FILE* const opened = path == "-" ? stdout : std::fopen(path.c_str(), "ae");
  if (opened == nullptr) return false;
  file_.reset(opened);
  std::setvbuf(opened, nullptr, _IOLBF, 0);
  return true;
}

void access_log::write(const session_report& of) {
  if (!file_) return;
  const std::string line = "{\"time\":" + quoted(now()) + "," + to_json(of).substr(1) + "\n";
  std::fwrite(line.data(), 1, line.size(), file_.get());
}
