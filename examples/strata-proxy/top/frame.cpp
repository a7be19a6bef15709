// SPDX-License-Identifier: Apache-2.0
#include "top/frame.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <tuple>
#include <utility>

#include "top/printable.hpp"
#include "top/table.hpp"

namespace top {
namespace {

/// So many sessions where nothing else says how many lines there are.
constexpr std::size_t most_sessions = 50;
constexpr std::size_t height_for_sparklines = 14;
constexpr std::size_t height_for_gaps = 20;

template <class... Arguments>
std::string formatted(const char* form, Arguments... arguments) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), form, arguments...);
  return text.data();
}

std::string rate_text(double value) {
  if (value < 1e4) return formatted(value < 9.95 ? "%.1f" : "%.0f", value);
  return formatted(value < 1e7 ? "%.0fk" : "%.0fM", value < 1e7 ? value / 1e3 : value / 1e6);
}

std::string per_second_text(double bytes) { return bytes_text(bytes) + "/s"; }

std::string joined(const line& of) {
  std::string all;
  for (const piece& each : of) all += each.text;
  return all;
}

class drawing {
 public:
  drawing(const view& of, const frame_options& how) : of_(of), how_(how) {}

  std::vector<line> run() {
    head();
    rates_now();
    if (of_.is_known) tables();
    if (how_.height != 0) {
      lines_.resize(how_.height - (how_.is_interactive ? 1 : 0));
      if (how_.is_interactive) keys();
    }
    return std::move(lines_);
  }

 private:
  std::string shown(std::string_view text) const { return printable(text, how_.ascii); }
  bool is_tall(std::size_t height) const { return how_.height == 0 || how_.height >= height; }

  /// Pieces one after the other, as far as the line goes.
  void add(line pieces) {
    std::size_t left = how_.width;
    for (piece& each : pieces) {
      each.text = cut(each.text, left, how_.ascii);
      left -= columns(each.text);
    }
    lines_.push_back(std::move(pieces));
  }

  void head() {
    line first{{.text = "strata-proxy " + shown(of_.last.version), .as = style::strong}};
    if (of_.is_known) first.push_back({.text = "  up " + age_text(of_.last.uptime)});
    if (!of_.last.is_ready) first.push_back({.text = "  draining", .as = style::alarm});
    if (how_.is_paused) first.push_back({.text = "  paused", .as = style::alarm});
    const std::size_t used = columns(joined(first)), source = columns(how_.source);
    if (used + source + 2 <= how_.width)
      first.push_back({.text = padded(how_.source, how_.width - used, true), .as = style::faint});
    add(std::move(first));
    if (!of_.lost.empty()) add({{.text = shown(of_.lost), .as = style::alarm}});
    if (!of_.is_known) {
      if (!of_.lost.empty()) add({{.text = hint(how_.source), .as = style::faint}});
      return;
    }
    const auto count = [](std::uint64_t number, const char* of_what) {
      return "  " + std::to_string(number) + " " + of_what;
    };
    const auto if_any = [](std::uint64_t number) {
      return number == 0 ? style::plain : style::alarm;
    };
    add({{.text = std::to_string(of_.last.connections) + " open"},
         {.text = count(of_.last.accepted, "accepted")},
         {.text = count(of_.last.refused, "refused"), .as = if_any(of_.last.refused)},
         {.text = count(of_.last.wrong_passwords, "wrong passwords"),
          .as = if_any(of_.last.wrong_passwords)},
         {.text = count(of_.last.malformed, "malformed"), .as = if_any(of_.last.malformed)}});
  }

  void rates_now() {
    if (!of_.is_known) return;
    std::string took = of_.median ? seconds_text(*of_.median) : "-";
    if (!is_tall(height_for_sparklines)) {
      add({{.text = "up " + per_second_text(of_.now.sent) + "  down " +
                    per_second_text(of_.now.received) + "  " + rate_text(of_.now.requests) +
                    " req/s  connect " + took}});
      return;
    }
    if (is_tall(height_for_gaps)) add({});
    const auto requests = [](double value) { return rate_text(value) + "/s"; };
    spark("up", per_second_text(of_.now.sent), of_.sent, most_text(of_.sent, per_second_text));
    spark("down", per_second_text(of_.now.received), of_.received,
          most_text(of_.received, per_second_text));
    spark("requests", requests(of_.now.requests), of_.requests, most_text(of_.requests, requests));
    spark("connect", took, of_.connecting, of_.tail ? "p95 " + seconds_text(*of_.tail) : "");
  }

  static std::string most_text(const series& of, std::string (*text)(double)) {
    double most = 0;
    for (const auto& each : of) most = std::max(most, each.value_or(0));
    return "max " + text(most);
  }

  /// A name, what is now, how it was, and a word on that.
  void spark(std::string_view name, const std::string& now, const series& was,
             const std::string& said) {
    constexpr std::size_t name_width = 9, now_width = 10, end_width = 16;
    const std::size_t fixed = name_width + now_width + 2 + end_width;
    const std::size_t width = how_.width > fixed ? how_.width - fixed : 0;
    add({{.text = padded(name, name_width)},
         {.text = padded(now, now_width, true) + "  ", .as = style::strong},
         {.text = padded(sparkline(was, width, how_.ascii), width)},
         {.text = padded(said, end_width, true), .as = style::faint}});
  }

  void tables() {
    const bool with_gaps = is_tall(height_for_gaps);
    std::size_t ways = of_.ways.size(), sessions = std::min(of_.sessions.size(), most_sessions);
    if (how_.height != 0) {
      const std::size_t taken = lines_.size() + (with_gaps ? 4 : 2) + (how_.is_interactive ? 1 : 0);
      const std::size_t room = how_.height > taken ? how_.height - taken : 0;
      const std::size_t share = std::max<std::size_t>(room * 2 / 5, std::min<std::size_t>(room, 1));
      const std::size_t of_ways = std::max(share, room - std::min(room, of_.sessions.size()));
      ways = std::min(ways, of_ways);
      sessions = std::min(of_.sessions.size(), room - std::min(room, ways));
    }
    if (with_gaps) add({});
    draw_ways(ways);
    if (with_gaps) add({});
    draw_sessions(sessions);
  }

  void append(const table& of) {
    for (line& each : of.draw(how_.width, how_.ascii)) lines_.push_back(std::move(each));
  }
  static std::string title_of(std::string name, std::size_t shown, std::size_t all) {
    if (shown == all) return name;
    return name + " (" + std::to_string(shown) + " of " + std::to_string(all) + ")";
  }

  /// By name; where there is no room for all, those that carry most.
  void draw_ways(std::size_t count) {
    std::vector<const way_view*> chosen;
    for (const way_view& each : of_.ways) chosen.push_back(&each);
    std::ranges::sort(chosen, {}, [](const way_view* each) {
      return std::tuple(-each->now.sent - each->now.received, -each->now.requests, each);
    });
    chosen.resize(count);
    std::ranges::sort(chosen, {}, [](const way_view* each) { return each->of; });
    table made({{.title = title_of("RULE", count, of_.ways.size()), .least = 12},
                {.title = "OUTBOUND", .least = 8, .rank = 1},
                {.title = "OPEN", .to_the_right = true, .rank = 4},
                {.title = "REQ/S", .to_the_right = true, .rank = 2},
                {.title = "ERR/S", .to_the_right = true, .rank = 3},
                {.title = "UP/S", .to_the_right = true},
                {.title = "DOWN/S", .to_the_right = true},
                {.title = "REQUESTS", .to_the_right = true, .rank = 6},
                {.title = "ERRORS", .to_the_right = true, .rank = 5},
                {.title = "UP", .to_the_right = true, .rank = 8},
                {.title = "DOWN", .to_the_right = true, .rank = 7}});
    for (const way_view* each : chosen) {
      const style failing = each->now.failures > 0 ? style::alarm : style::plain;
      made.add({{.text = shown(each->of.rule)},
                {.text = each->of.outbound.empty() ? "refused" : shown(each->of.outbound)},
                {.text = std::to_string(each->totals.sessions)},
                {.text = rate_text(each->now.requests)},
                {.text = rate_text(each->now.failures), .as = failing},
                {.text = bytes_text(each->now.sent)},
                {.text = bytes_text(each->now.received)},
                {.text = std::to_string(each->totals.requests)},
                {.text = std::to_string(each->totals.failures)},
                {.text = bytes_text(static_cast<double>(each->totals.sent))},
                {.text = bytes_text(static_cast<double>(each->totals.received))}});
    }
    append(made);
  }

  std::vector<const session_view*> sorted_sessions(std::size_t count) const {
    std::vector<const session_view*> chosen;
    for (const session_view& each : of_.sessions) chosen.push_back(&each);
    const auto weight = [this](const session_view& each) -> double {
      switch (how_.sorted) {
        case order::by_rate: break;
        case order::by_bytes: return static_cast<double>(each.of.sent + each.of.received);
        case order::by_age: return static_cast<double>(each.of.milliseconds);
      }
      return each.sent + each.received;
    };
    std::ranges::sort(chosen, {},
                      [&](const session_view* each) { return std::pair(-weight(*each), each); });
    chosen.resize(count);
    return chosen;
  }

  void draw_sessions(std::size_t count) {
    table made({{.title = title_of("CLIENT", count, of_.sessions.size()), .least = 18, .rank = 1},
                {.title = "TARGET", .least = 22},
                {.title = "RULE", .least = 8, .rank = 4},
                {.title = "OUTBOUND", .least = 8, .rank = 3},
                {.title = "AGE", .to_the_right = true, .rank = 2},
                {.title = "UP/S", .to_the_right = true},
                {.title = "DOWN/S", .to_the_right = true},
                {.title = "UP", .to_the_right = true, .rank = 6},
                {.title = "DOWN", .to_the_right = true, .rank = 5},
                {.title = "USER", .least = 6, .rank = 7},
                {.title = "KIND", .rank = 8}});
    for (const session_view* each : sorted_sessions(count)) {
      const session& of = each->of;
      made.add({{.text = shown(of.client)},
                {.text = shown(of.target)},
                {.text = shown(of.rule)},
                {.text = shown(of.outbound)},
                {.text = age_text(of.milliseconds / 1000)},
                {.text = bytes_text(each->sent)},
                {.text = bytes_text(each->received)},
                {.text = bytes_text(static_cast<double>(of.sent))},
                {.text = bytes_text(static_cast<double>(of.received))},
                {.text = shown(of.user)},
                {.text = shown(of.protocol) + " " + shown(of.command)}});
    }
    append(made);
  }

  void keys() {
    constexpr std::array<const char*, 3> names{"rate", "bytes", "age"};
    add({{.text = std::string("q quit  p ") + (how_.is_paused ? "go on" : "pause") +
                  "  s sort: " + names[static_cast<std::size_t>(how_.sorted)],
          .as = style::faint}});
  }

  const view& of_;
  const frame_options& how_;
  std::vector<line> lines_;
};

}  // namespace

std::string hint(std::string_view source) {
  return "the proxy's configuration must say admin = \"" + std::string(source) + "\"";
}

order next(order of) {
  switch (of) {
    case order::by_rate: return order::by_bytes;
    case order::by_bytes: return order::by_age;
    case order::by_age: break;
  }
  return order::by_rate;
}

std::vector<line> draw(const view& of, const frame_options& how) { return drawing(of, how).run(); }

std::string plain_text(const std::vector<line>& of) {
  std::string all;
  for (const line& each : of) {
    std::string text = joined(each);
    text.erase(text.find_last_not_of(' ') + 1);
    all += text + "\n";
  }
  return all;
}

std::string screen_text(const std::vector<line>& of, bool colours) {
  constexpr std::array<std::string_view, 5> codes{"", "\x1b[1m", "\x1b[7m", "\x1b[2m", "\x1b[31m"};
  std::string all = "\x1b[H";
  for (const line& each : of) {
    if (&each != &of.front()) all += "\r\n";
    for (const piece& part : each) {
      const std::string_view code = colours ? codes[static_cast<std::size_t>(part.as)] : "";
      all += code;
      all += part.text;
      if (!code.empty()) all += "\x1b[0m";
    }
    all += "\x1b[K";
  }
  return all + "\x1b[J";
}

std::string bytes_text(double count) {
  constexpr std::array<const char*, 6> units{"B", "kB", "MB", "GB", "TB", "PB"};
  std::size_t unit = 0;
  // What would be rounded to four digits has the next unit.
  for (; count >= 999.5 && unit + 1 < units.size(); ++unit) count /= 1000;
  return formatted(unit != 0 && count < 9.95 ? "%.1f %s" : "%.0f %s", count, units[unit]);
}

std::string seconds_text(double seconds) {
  if (seconds < 0.9995e-3) return formatted("%.0f us", seconds * 1e6);
  if (seconds < 0.9995) return formatted(seconds < 9.95e-3 ? "%.1f ms" : "%.0f ms", seconds * 1e3);
  return formatted("%.1f s", seconds);
}

std::string age_text(std::uint64_t seconds) {
  const auto minutes = seconds / 60, hours = minutes / 60, days = hours / 24;
  const auto two = [](const char* form, std::uint64_t high, std::uint64_t low) {
    return formatted(form, static_cast<unsigned long long>(high),
                     static_cast<unsigned long long>(low));
  };
  if (minutes == 0) return std::to_string(seconds) + " s";
  if (hours == 0) return two("%llu:%02llu", minutes, seconds % 60);
  if (days == 0) return two("%llu h %02llu", hours, minutes % 60);
  return two("%llu d %02llu", days, hours % 24);
}

std::string sparkline(const series& of, std::size_t width, bool ascii) {
  constexpr std::array<const char*, 8> blocks{"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  constexpr std::array<const char*, 8> letters{"_", ".", ":", "-", "=", "+", "*", "#"};
  const auto& levels = ascii ? letters : blocks;
  const std::size_t count = std::min(width, of.size());
  const auto first = of.end() - static_cast<std::ptrdiff_t>(count);
  double most = 0;
  for (auto each = first; each != of.end(); ++each) most = std::max(most, each->value_or(0));
  std::string made(width - count, ' ');
  for (auto each = first; each != of.end(); ++each) {
    const double part = most > 0 ? each->value_or(0) / most : 0;
    made += *each ? levels[static_cast<std::size_t>(std::ceil(part * 7))] : " ";
  }
  return made;
}

}  // namespace top
