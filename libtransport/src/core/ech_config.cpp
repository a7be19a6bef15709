// SPDX-License-Identifier: Apache-2.0
#include "strata/transport/core/ech_config.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "strata/transport/core/buffer_reader.hpp"
#include "strata/transport/core/error.hpp"
#include "strata/transport/core/limits.hpp"

namespace strata::transport {
inline namespace v0 {
namespace {

/// Names and sizes of RFC 9180 section 7.
struct kem_name {
  std::uint16_t id;
  std::size_t key_size;
  const char* text;
};
constexpr kem_name kems[] = {{0x0010, 65, "DHKEM(P-256)"},
                             {0x0011, 97, "DHKEM(P-384)"},
                             {0x0012, 133, "DHKEM(P-521)"},
                             {0x0020, 32, "DHKEM(X25519)"},
                             {0x0021, 56, "DHKEM(X448)"}};
struct number_name {
  std::uint16_t id;
  const char* text;
};
constexpr number_name kdfs[] = {{1, "HKDF-SHA256"}, {2, "HKDF-SHA384"}, {3, "HKDF-SHA512"}};
constexpr number_name aeads[] = {{1, "AES-128-GCM"}, {2, "AES-256-GCM"}, {3, "ChaCha20-Poly1305"}};

constexpr std::size_t max_label = 63;
constexpr std::uint16_t mandatory = 0x8000;

template <class Names>
auto found(const Names& names, std::uint16_t id) {
  return std::find_if(std::begin(names), std::end(names),
                      [id](const auto& each) { return each.id == id; });
}

std::string hex(std::uint64_t value) {
  std::string out;
  do {
    out.insert(out.begin(), "0123456789abcdef"[value & 15]);
    value >>= 4;
  } while (value != 0);
  return "0x" + out;
}

template <class Names>
std::string named(const Names& names, std::uint16_t id) {
  const auto match = found(names, id);
  return match == std::end(names) ? hex(id) : match->text;
}

tls_error malformed(std::string text) {
  return {make_error_code(errc::malformed), "ECHConfigList: " + std::move(text)};
}

std::vector<std::byte> kept(bytes view) { return {view.begin(), view.end()}; }

/// What is wrong, or nothing.
std::string read_extensions(bytes block, std::vector<ech_config_extension>& out) {
  buffer_reader reader(block);
  while (!reader.empty()) {
    ech_config_extension each;
    each.type = reader.u16();
    each.content = kept(reader.take(reader.u16()));
    if (!reader.ok()) return "its extensions are cut short";
    if (out.size() == limits::ech_config_extensions) return "it has too many extensions";
    const auto same = [&](const ech_config_extension& other) { return other.type == each.type; };
    if (std::any_of(out.begin(), out.end(), same))
      return "it has the extension " + hex(each.type) + " twice";
    out.push_back(std::move(each));
  }
  return {};
}

std::string read_contents(bytes contents, ech_config& out) {
  buffer_reader reader(contents);
  out.config_id = reader.u8();
  out.kem = reader.u16();
  out.public_key = kept(reader.take(reader.u16()));
  const bytes suites = reader.take(reader.u16());
  out.maximum_name_length = reader.u8();
  out.public_name = as_text(reader.take(reader.u8()));
  const bytes extensions = reader.take(reader.u16());
  if (!reader.ok()) return "it is cut short";
  if (!reader.empty()) return "bytes follow its extensions";
  if (out.public_key.empty()) return "it has no public key";
  if (suites.empty() || suites.size() % 4 != 0) return "its cipher suites are not pairs of numbers";
  if (out.public_name.empty()) return "it has no public name";
  buffer_reader pairs(suites);
  while (!pairs.empty()) {
    const std::uint16_t kdf = pairs.u16();
    out.cipher_suites.push_back({.kdf = kdf, .aead = pairs.u16()});
  }
  return read_extensions(extensions, out.extensions);
}

std::optional<unsigned> base64_value(char letter) {
  if (letter >= 'A' && letter <= 'Z') return letter - 'A';
  if (letter >= 'a' && letter <= 'z') return letter - 'a' + 26;
  if (letter >= '0' && letter <= '9') return letter - '0' + 52;
  if (letter == '+') return 62;
  if (letter == '/') return 63;
  return std::nullopt;
}

bool is_space(char letter) {
  return letter == ' ' || letter == '\n' || letter == '\r' || letter == '\t';
}

/// Strict: one encoding for each content, so padding has to be there and to be zero.
std::optional<std::vector<std::byte>> decode_base64(std::string_view text) {
  if (text.empty() || text.size() % 4 != 0) return std::nullopt;
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  text.remove_suffix(padding);
  std::vector<std::byte> out;
  unsigned gathered = 0;
  unsigned bits = 0;
  for (const char letter : text) {
    const auto value = base64_value(letter);
    if (!value) return std::nullopt;
    gathered = (gathered << 6 | *value) & 0xffff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    out.push_back(static_cast<std::byte>(gathered >> bits));
  }
  if ((gathered & ((1u << bits) - 1)) != 0) return std::nullopt;
  return out;
}

bool is_digit(char letter) { return letter >= '0' && letter <= '9'; }
bool is_hex_digit(char letter) {
  return is_digit(letter) || (letter >= 'a' && letter <= 'f') || (letter >= 'A' && letter <= 'F');
}
bool is_letter_or_digit(char letter) {
  return is_digit(letter) || (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z');
}

bool is_label(std::string_view label) {
  if (label.empty() || label.size() > max_label) return false;
  if (label.front() == '-' || label.back() == '-') return false;
  return std::all_of(label.begin(), label.end(),
                     [](char each) { return is_letter_or_digit(each) || each == '-'; });
}

/// Parsers of URLs take such a last label for the end of an IPv4 address.
bool is_number(std::string_view label) {
  if (std::all_of(label.begin(), label.end(), is_digit)) return true;
  return (label.starts_with("0x") || label.starts_with("0X")) &&
         std::all_of(label.begin() + 2, label.end(), is_hex_digit);
}

}  // namespace

tls_result<std::vector<ech_config>> parse_ech_config_list(bytes encoded) {
  if (encoded.size() > limits::ech_config_list_bytes) {
    return std::unexpected(tls_error{
        make_error_code(errc::limit_exceeded),
        "ECHConfigList: more than " + std::to_string(limits::ech_config_list_bytes) + " bytes"});
  }
  buffer_reader list(encoded);
  const std::size_t length = list.u16();
  if (!list.ok() || length != list.remaining())
    return std::unexpected(malformed("its length does not fit its bytes"));
  std::vector<ech_config> out;
  while (!list.empty()) {
    if (out.size() == limits::ech_configs) {
      return std::unexpected(
          tls_error{make_error_code(errc::limit_exceeded), "ECHConfigList: too many in it"});
    }
    const bytes from = list.rest();
    ech_config each;
    each.version = list.u16();
    const bytes contents = list.take(list.u16());
    const std::string which = "number " + std::to_string(out.size() + 1) + ": ";
    if (!list.ok()) return std::unexpected(malformed(which + "it is cut short"));
    each.encoded = kept(from.first(4 + contents.size()));
    if (each.version == ech_version) {
      const std::string wrong = read_contents(contents, each);
      if (!wrong.empty()) return std::unexpected(malformed(which + wrong));
    }
    out.push_back(std::move(each));
  }
  if (out.empty()) return std::unexpected(malformed("nothing is in it"));
  return out;
}

tls_result<std::vector<ech_config>> read_ech_config_list(bytes given) {
  if (given.size() >= 2) {
    buffer_reader length(given);
    if (length.u16() == given.size() - 2) return parse_ech_config_list(given);
  }
  std::string_view text = as_text(given);
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  const auto decoded = decode_base64(text);
  if (!decoded)
    return std::unexpected(malformed("neither its bytes, whose length would fit, nor base64"));
  return parse_ech_config_list(*decoded);
}

std::string ech_config_unusable(const ech_config& config) {
  if (config.version != ech_version) return "its version " + hex(config.version) + " is unknown";
  const auto kem = found(kems, config.kem);
  if (kem == std::end(kems)) return "its KEM " + hex(config.kem) + " is unknown";
  if (config.public_key.size() != kem->key_size)
    return std::string("its public key does not fit ") + kem->text;
  const auto known = [](const ech_cipher_suite& suite) {
    return found(kdfs, suite.kdf) != std::end(kdfs) && found(aeads, suite.aead) != std::end(aeads);
  };
  if (std::none_of(config.cipher_suites.begin(), config.cipher_suites.end(), known))
    return "none of its cipher suites is known";
  for (const ech_config_extension& each : config.extensions) {
    if ((each.type & mandatory) != 0)
      return "its extension " + hex(each.type) + " must be understood and is not";
  }
  if (!is_ech_public_name(config.public_name))
    return "its public name is not one that a certificate can be verified for";
  return {};
}

bool is_ech_public_name(std::string_view name) {
  std::string_view last;
  for (std::string_view rest = name;;) {
    const std::size_t dot = rest.find('.');
    last = rest.substr(0, dot);
    if (!is_label(last)) return false;
    if (dot == std::string_view::npos) break;
    rest.remove_prefix(dot + 1);
  }
  return !is_number(last);
}

std::vector<std::byte> encode_ech_config_list(std::span<const ech_config> configs) {
  std::vector<std::byte> out(2);
  for (const ech_config& each : configs)
    out.insert(out.end(), each.encoded.begin(), each.encoded.end());
  const std::size_t length = out.size() - 2;
  out[0] = static_cast<std::byte>(length >> 8);
  out[1] = static_cast<std::byte>(length);
  return out;
}

std::string encode_base64(bytes input) {
  constexpr std::string_view alphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  unsigned gathered = 0;
  unsigned bits = 0;
  for (const std::byte each : input) {
    gathered = (gathered << 8 | std::to_integer<unsigned>(each)) & 0xffff;
    for (bits += 8; bits >= 6; bits -= 6) out += alphabet[gathered >> (bits - 6) & 63];
  }
  if (bits != 0) out += alphabet[gathered << (6 - bits) & 63];
  while (out.size() % 4 != 0) out += '=';
  return out;
}

std::string describe(const ech_config& config) {
  std::string out = "version " + hex(config.version);
  if (config.version != ech_version) return out + " (unknown)";
  out += ", id " + std::to_string(config.config_id) + ", " + named(kems, config.kem) + ",";
  for (const ech_cipher_suite& each : config.cipher_suites)
    out += " " + named(kdfs, each.kdf) + "/" + named(aeads, each.aead);
  out += ", public name ";
  // It came from the network: what is not plain text is not shown as such.
  for (const char letter : config.public_name)
    out += letter > ' ' && letter < 0x7f ? std::string(1, letter)
                                         : "\\" + hex(static_cast<unsigned char>(letter)).substr(1);
  return out;
}

}  // namespace v0
}  // namespace strata::transport
