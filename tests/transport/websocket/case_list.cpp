// SPDX-License-Identifier: Apache-2.0
#include "case_list.hpp"

#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>

namespace strata::transport::tests {
namespace {

[[noreturn]] void refuse(const std::string& what) { throw std::runtime_error(what); }

unsigned hex_value(char digit) {
  const std::size_t at = std::string_view("0123456789abcdef").find(digit);
  if (at == std::string_view::npos) refuse("no hexadecimal digit");
  return static_cast<unsigned>(at);
}

std::string from_hex(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2)
    out.push_back(static_cast<char>(hex_value(text[i]) << 4 | hex_value(text[i + 1])));
  return out;
}

/// 'text', with \xHH in it.
std::string take_quoted(std::string_view& text) {
  std::string out;
  std::size_t at = 1;
  for (; at < text.size() && text[at] != '\''; ++at) {
    if (text[at] != '\\') {
      out.push_back(text[at]);
      continue;
    }
    out += from_hex(text.substr(at + 2, 2));
    at += 3;
  }
  if (at == text.size()) refuse("a quote without end");
  text.remove_prefix(at + 1);
  return out;
}

unsigned long take_number(std::string_view& text) {
  std::size_t size = 0;
  const unsigned long value = std::stoul(std::string(text), &size);
  text.remove_prefix(size);
  return value;
}

std::string take_term(std::string_view& text) {
  if (text.starts_with("code(")) {
    text.remove_prefix(5);
    const unsigned long code = take_number(text);
    text.remove_prefix(1);
    return close_payload(static_cast<unsigned>(code));
  }
  if (!text.starts_with('\'')) refuse("no term: " + std::string(text));
  const std::string once = take_quoted(text);
  if (!text.starts_with('*')) return once;
  text.remove_prefix(1);
  std::string out;
  for (unsigned long left = take_number(text); left != 0; --left) out += once;
  return out;
}

std::string payload_of(std::string_view text) {
  std::string out;
  if (text == "-") return out;
  while (true) {
    out += take_term(text);
    if (text.empty()) return out;
    if (!text.starts_with('+')) refuse("no +: " + std::string(text));
    text.remove_prefix(1);
  }
}

unsigned opcode_of(const std::string& word) {
  static const std::map<std::string, unsigned> names{{"continuation", continuation},
                                                     {"text", text},
                                                     {"binary", binary},
                                                     {"close", closing},
                                                     {"ping", ping},
                                                     {"pong", pong}};
  const auto found = names.find(word);
  return found != names.end() ? found->second : static_cast<unsigned>(std::stoul(word));
}

/// False when the word is no flag, and so the payload.
bool read_flag(websocket_case::action& action, const std::string& word) {
  const std::string value = word.substr(std::min(word.size(), word.find('=') + 1));
  if (word == "more") return action.frame.fin = false, true;
  if (word == "mask=wrong") return action.wrong_mask = true;
  if (word.starts_with("times="))
    return action.times = static_cast<unsigned>(std::stoul(value)), true;
  if (word.starts_with("rsv="))
    return action.frame.reserved = static_cast<unsigned>(std::stoul(value)), true;
  if (word.starts_with("form="))
    return action.frame.length_bytes = static_cast<unsigned>(std::stoul(value)), true;
  if (word.starts_with("length=")) return action.frame.length = std::stoull(value), true;
  return false;
}

websocket_case::action read_action(std::istream& words) {
  websocket_case::action action;
  std::string word;
  words >> word;
  action.frame.opcode = opcode_of(word);
  while (words >> word && read_flag(action, word)) {}
  std::string rest;
  std::getline(words, rest);
  action.frame.payload = payload_of(word + rest);
  return action;
}

void read_end(websocket_case& into, const std::string& word, std::istream& words) {
  using enum websocket_case::outcome;
  into.ends = word == "bye" ? bye : word == "answers" ? answers : fails;
  for (unsigned code; words >> code;) into.codes.push_back(code);
  if (into.ends == bye) into.codes = {1000};
  if (into.codes.empty()) refuse("no codes");
}

void read_line(websocket_case& into, const std::string& line) {
  std::istringstream words(line);
  std::string word;
  words >> word;
  if (word == "cut") {
    words >> into.cut;
  } else if (word == "send") {
    into.actions.push_back(read_action(words));
  } else if (word == "raw") {
    words >> word;
    into.actions.push_back({.raw = from_hex(word)});
  } else if (word == "want") {
    into.wanted.push_back(read_action(words).frame);
  } else if (word == "bye" || word == "answers" || word == "fails") {
    read_end(into, word, words);
  } else {
    refuse("no such word: " + word);
  }
}

}  // namespace

std::string websocket_case::stream(bool from_client) const {
  std::string out;
  for (const action& next : actions) {
    raw_frame frame = next.frame;
    frame.masked = from_client != next.wrong_mask;
    const std::string octets = next.raw.empty() ? encode(frame) : next.raw;
    for (unsigned i = 0; i < next.times; ++i) out += octets;
  }
  return out;
}

std::string websocket_case::last_words(bool from_client) const {
  if (ends != outcome::bye) return {};
  return encode({.opcode = closing, .payload = close_payload(1000), .masked = from_client});
}

std::vector<std::string> websocket_case::pings() const {
  std::vector<std::string> found;
  for (const action& next : actions) {
    if (next.raw.empty() && next.frame.opcode == closing) break;
    if (next.raw.empty() && next.frame.opcode == ping) found.push_back(next.frame.payload);
  }
  return found;
}

std::vector<websocket_case> read_cases(const std::string& path) {
  std::ifstream file(path);
  std::vector<websocket_case> cases;
  unsigned number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    if (line.empty() || line.starts_with('#')) continue;
    try {
      if (line.starts_with("case ")) {
        const std::size_t space = line.find(' ', 5);
        cases.push_back({.id = line.substr(5, space - 5), .title = line.substr(space + 1)});
      } else if (cases.empty()) {
        refuse("a line before the first case");
      } else {
        read_line(cases.back(), line);
      }
    } catch (const std::exception& error) {
      refuse(path + ":" + std::to_string(number) + ": " + error.what());
    }
  }
  return cases;
}

}  // namespace strata::transport::tests
