// SPDX-License-Identifier: Apache-2.0
#include "driver/http_date.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

namespace strata::h3 {
inline namespace v0 {
namespace detail {
namespace {

using namespace std::chrono;

constexpr std::array<std::string_view, 7> days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<std::string_view, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                  "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

void append_two(std::string& out, unsigned value) {
  out += static_cast<char>('0' + value / 10 % 10);
  out += static_cast<char>('0' + value % 10);
}

std::optional<unsigned> number(std::string_view text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// Words between spaces, commas and, in the date of RFC 850, hyphens.
std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  while (!text.empty() && words.size() < 8) {
    const std::size_t end = std::min(text.find_first_of(" ,-"), text.size());
    if (end != 0) words.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

std::optional<seconds> time_of_day(std::string_view text) {
  if (text.size() != 8 || text[2] != ':' || text[5] != ':') return std::nullopt;
  const auto hour = number(text.substr(0, 2)), minute = number(text.substr(3, 2)),
             second = number(text.substr(6, 2));
  if (!hour || !minute || !second || *hour > 23 || *minute > 59 || *second > 60)
    return std::nullopt;
  return hours(*hour) + minutes(*minute) + seconds(*second);
}

}  // namespace

std::string format_http_date(sys_seconds time) {
  const sys_days date = floor<std::chrono::days>(time);
  const year_month_day calendar(date);
  const hh_mm_ss clock(time - date);
  std::string out(days[weekday(date).c_encoding()]);
  out += ", ";
  append_two(out, static_cast<unsigned>(calendar.day()));
  out += ' ';
  out += months[static_cast<unsigned>(calendar.month()) - 1];
  out += ' ';
  const auto year = static_cast<unsigned>(static_cast<int>(calendar.year()));
  append_two(out, year / 100);
  append_two(out, year % 100);
  out += ' ';
  append_two(out, static_cast<unsigned>(clock.hours().count()));
  out += ':';
  append_two(out, static_cast<unsigned>(clock.minutes().count()));
  out += ':';
  append_two(out, static_cast<unsigned>(clock.seconds().count()));
  return out + " GMT";
}

std::optional<sys_seconds> parse_http_date(std::string_view text) {
  const auto words = words_of(text);
  // "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994".
  const bool is_asctime = words.size() == 5;
  if (!is_asctime && (words.size() != 6 || words[5] != "GMT")) return std::nullopt;
  const auto day_number = number(words[is_asctime ? 2 : 1]);
  const auto month_name = std::ranges::find(months, words[is_asctime ? 1 : 2]);
  auto year_number = number(words[is_asctime ? 4 : 3]);
  const auto time = time_of_day(words[is_asctime ? 3 : 4]);
  // A year of five digits is no date of RFC 9110, and one of more would wrap.
  constexpr unsigned last_year = 9999;
  if (!day_number || month_name == months.end() || !year_number || !time ||
      *year_number > last_year)
    return std::nullopt;
  if (*year_number < 100) *year_number += *year_number < 70 ? 2000u : 1900u;
  const year_month_day calendar(year(static_cast<int>(*year_number)),
                                month(static_cast<unsigned>(month_name - months.begin()) + 1),
                                day(*day_number));
  if (!calendar.ok()) return std::nullopt;
  const sys_seconds read = sys_days(calendar) + *time;
  // A leap second may end the last year.
  return read < sys_days(year(last_year + 1) / 1 / 1) ? std::optional(read) : std::nullopt;
}

}  // namespace detail
}  // namespace v0
}  // namespace strata::h3
