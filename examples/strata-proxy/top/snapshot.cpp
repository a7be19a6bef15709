// SPDX-License-Identifier: Apache-2.0
#include "top/snapshot.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>
#include <optional>
#include <utility>

namespace top {
namespace {

/// A line at a time, without its end.
std::string_view take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == text.npos ? text.size() : end + 1);
  return line;
}

struct sample {
  std::string_view name;
  std::map<std::string, std::string, std::less<>> labels;
  double value = 0;

  std::string label(std::string_view which) const {
    const auto found = labels.find(which);
    return found == labels.end() ? std::string() : found->second;
  }
};

/// A value in quotes, of which the opening one is taken.
std::optional<std::string> take_value(std::string_view& line) {
  std::string made;
  while (!line.empty()) {
    const char each = line.front();
    line.remove_prefix(1);
    if (each == '"') return made;
    if (each != '\\') {
      made += each;
      continue;
    }
    if (line.empty()) break;
    made += line.front() == 'n' ? '\n' : line.front();
    line.remove_prefix(1);
  }
  return std::nullopt;
}

bool take_labels(std::string_view& line, sample& into) {
  while (!line.starts_with('}')) {
    const std::size_t equals = line.find("=\"");
    if (equals == line.npos) return false;
    const std::string name(line.substr(0, equals));
    line.remove_prefix(equals + 2);
    auto value = take_value(line);
    if (!value) return false;
    into.labels.insert_or_assign(name, std::move(*value));
    if (line.starts_with(',')) line.remove_prefix(1);
  }
  line.remove_prefix(1);
  return true;
}

std::optional<double> number_of(std::string_view text) {
  if (text == "+Inf") return HUGE_VAL;
  double value = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || rest != end || std::isnan(value)) return std::nullopt;
  return value;
}

/// `name{label="value",...} number`
std::optional<sample> sample_of(std::string_view line) {
  sample made;
  const std::size_t end = line.find_first_of("{ ");
  if (end == 0 || end == line.npos) return std::nullopt;
  made.name = line.substr(0, end);
  line.remove_prefix(end);
  if (line.starts_with('{')) {
    line.remove_prefix(1);
    if (!take_labels(line, made)) return std::nullopt;
  }
  if (!line.starts_with(' ')) return std::nullopt;
  const auto value = number_of(line.substr(1));
  if (!value) return std::nullopt;
  made.value = *value;
  return made;
}

/// What others say may be anything; beyond 2^53 a double has no ones.
std::uint64_t count_of(double value) {
  constexpr double most = 9007199254740992.0;
  return static_cast<std::uint64_t>(std::clamp(value, 0.0, most));
}

using sink = void (*)(snapshot&, const sample&);

way_totals& way_of(snapshot& all, const sample& of) {
  return all.ways[{of.label("rule"), of.label("outbound")}];
}

void add_requests(snapshot& all, const sample& of) {
  way_totals& totals = way_of(all, of);
  totals.requests += count_of(of.value);
  if (of.label("result") == "error") totals.failures += count_of(of.value);
}

void add_bytes(snapshot& all, const sample& of) {
  way_totals& totals = way_of(all, of);
  (of.label("direction") == "sent" ? totals.sent : totals.received) += count_of(of.value);
}

void add_bucket(snapshot& all, const sample& of) {
  const auto bound = number_of(of.label("le"));
  if (bound) all.connecting[*bound] += count_of(of.value);
}

template <auto Member>
void add_to(snapshot& all, const sample& of) {
  all.*Member += count_of(of.value);
}

const std::map<std::string_view, sink>& sinks() {
  static const std::map<std::string_view, sink> all{
      {"strata_proxy_build_info",
       [](snapshot& to, const sample& of) { to.version = of.label("version"); }},
      {"strata_proxy_uptime_seconds", add_to<&snapshot::uptime>},
      {"strata_proxy_ready", [](snapshot& to, const sample& of) { to.is_ready = of.value != 0; }},
      {"strata_proxy_connections", add_to<&snapshot::connections>},
      {"strata_proxy_connections_total", add_to<&snapshot::accepted>},
      {"strata_proxy_refused_total", add_to<&snapshot::refused>},
      {"strata_proxy_authentication_failures_total", add_to<&snapshot::wrong_passwords>},
      {"strata_proxy_malformed_total", add_to<&snapshot::malformed>},
      {"strata_proxy_requests_total", add_requests},
      {"strata_proxy_sessions",
       [](snapshot& to, const sample& of) { way_of(to, of).sessions += count_of(of.value); }},
      {"strata_proxy_bytes_total", add_bytes},
      {"strata_proxy_connect_seconds_bucket", add_bucket}};
  return all;
}

std::vector<std::string_view> fields_of(std::string_view line) {
  std::vector<std::string_view> made;
  for (;;) {
    const std::size_t tab = line.find('\t');
    made.push_back(line.substr(0, tab));
    if (tab == line.npos) return made;
    line.remove_prefix(tab + 1);
  }
}

/// \xHH back into what it was.
std::string unescaped(std::string_view text) {
  std::string made;
  while (!text.empty()) {
    unsigned octet = 0;
    const bool is_escape =
        text.size() >= 4 && text.starts_with("\\x") &&
        std::from_chars(text.data() + 2, text.data() + 4, octet, 16).ptr == text.data() + 4;
    made += is_escape ? static_cast<char>(octet) : text.front();
    text.remove_prefix(is_escape ? 4 : 1);
  }
  return made;
}

using text_member = std::string session::*;
using number_member = std::uint64_t session::*;

constexpr std::array<std::pair<std::string_view, text_member>, 8> text_columns{
    {{"inbound", &session::inbound},
     {"client", &session::client},
     {"user", &session::user},
     {"protocol", &session::protocol},
     {"command", &session::command},
     {"target", &session::target},
     {"rule", &session::rule},
     {"outbound", &session::outbound}}};
constexpr std::array<std::pair<std::string_view, number_member>, 3> number_columns{
    {{"sent", &session::sent},
     {"received", &session::received},
     {"milliseconds", &session::milliseconds}}};

bool set_column(session& of, std::string_view column, std::string_view text) {
  for (const auto& [name, member] : text_columns)
    if (name == column) of.*member = unescaped(text);
  for (const auto& [name, member] : number_columns) {
    if (name != column) continue;
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, of.*member);
    if (error != std::errc() || rest != end) return false;
  }
  return true;
}

std::string at_line(std::string_view page, std::size_t line) {
  return std::string(page) + ", line " + std::to_string(line) + " is not as expected";
}

}  // namespace

parsed<snapshot> parse_metrics(std::string_view page) {
  snapshot made;
  bool is_ours = false;
  for (std::size_t number = 1; !page.empty(); ++number) {
    const std::string_view line = take_line(page);
    if (line.empty() || line.starts_with('#')) continue;
    const auto of = sample_of(line);
    if (!of) return std::unexpected(at_line("/metrics", number));
    is_ours |= of->name == "strata_proxy_build_info";
    const auto found = sinks().find(of->name);
    if (found != sinks().end()) found->second(made, *of);
  }
  if (!is_ours) return std::unexpected("that is no strata-proxy, or one that is too old");
  return made;
}

parsed<std::vector<session>> parse_sessions(std::string_view page) {
  std::vector<session> made;
  const std::vector<std::string_view> titles = fields_of(take_line(page));
  if (std::ranges::find(titles, "client") == titles.end())
    return std::unexpected(at_line("/sessions.tsv", 1));
  for (std::size_t number = 2; !page.empty(); ++number) {
    const std::vector<std::string_view> fields = fields_of(take_line(page));
    if (fields.size() != titles.size()) return std::unexpected(at_line("/sessions.tsv", number));
    session one;
    for (std::size_t i = 0; i < fields.size(); ++i)
      if (!set_column(one, titles[i], fields[i]))
        return std::unexpected(at_line("/sessions.tsv", number));
    made.push_back(std::move(one));
  }
  return made;
}

}  // namespace top
