// SPDX-License-Identifier: Apache-2.0
#include "strata/transport/core/https_record.hpp"

#include <algorithm>

#include "core/dns/https_parameters.hpp"
#include "strata/transport/core/ech_config.hpp"

namespace strata::transport {
inline namespace v0 {
namespace {

/// An octet of a value in zone files (RFC 9460 appendix A): what is special is "\DDD".
void append_value_octet(std::string& out, char octet) {
  const auto value = static_cast<unsigned char>(octet);
  const bool plain = value > ' ' && value < 0x7f && octet != '"' && octet != ';' && octet != '(' &&
                     octet != ')' && octet != '\\';
  if (plain) {
    out += octet;
    return;
  }
  out += '\\';
  for (const int unit : {100, 10, 1}) out += static_cast<char>('0' + value / unit % 10);
}

/// An element of a list, where comma and backslash are escaped once more (appendix A.1).
void append_element(std::string& out, std::string_view element) {
  for (const char octet : element) {
    if (octet == ',' || octet == '\\') append_value_octet(out, '\\');
    append_value_octet(out, octet);
  }
}

template <class List, class Append>
void append_list(std::string& out, const char* key, const List& list, Append append) {
  if (list.empty()) return;
  out += std::string(" ") + key + "=";
  for (bool first = true; const auto& each : list) {
    if (!first) out += ',';
    first = false;
    append(each);
  }
}

}  // namespace

bool is_compatible(const https_record& record) noexcept {
  return std::ranges::none_of(record.mandatory, [&record](std::uint16_t key) {
    return std::ranges::find(record.others, key, &https_parameter::key) != record.others.end();
  });
}

std::string describe(const https_record& record) {
  std::string out = std::to_string(record.priority) + ' ' + record.target.string();
  if (!record.target.is_root()) out += '.';
  append_list(out, "mandatory", record.mandatory,
              [&](std::uint16_t key) { out += dns::key_name(key); });
  append_list(out, "alpn", record.alpn, [&](std::string_view each) { append_element(out, each); });
  if (record.no_default_alpn) out += " no-default-alpn";
  if (record.port) out += " port=" + std::to_string(*record.port);
  append_list(out, "ipv4hint", record.ipv4_hints, [&](const address& a) { out += a.ip_string(); });
  if (!record.ech.empty()) out += " ech=" + encode_base64(record.ech);
  append_list(out, "ipv6hint", record.ipv6_hints,
              [&](const address& a) { out += (a.is_v4() ? "::ffff:" : "") + a.ip_string(); });
  for (const https_parameter& each : record.others) {
    out += ' ' + dns::key_name(each.key);
    if (!each.value.empty()) out += '=';
    for (const char octet : as_text(each.value)) append_value_octet(out, octet);
  }
  return out;
}

}  // namespace v0
}  // namespace strata::transport
