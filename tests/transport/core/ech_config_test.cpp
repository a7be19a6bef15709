// SPDX-License-Identifier: Apache-2.0
#include "strata/transport/core/ech_config.hpp"

#include <catch2/catch_test_macros.hpp>
#include <string>

#include "strata/transport/core/error.hpp"
#include "strata/transport/core/limits.hpp"

namespace {

using namespace strata::transport;

/// One that Cloudflare published for its public name, as public documentation of ECH quotes it; the
/// key has long been replaced.
constexpr std::string_view published =
    "AEX+DQBB8QAgACBl2nj6LhmbUqJJseiydASRUkdmEQGq/u/e5fXDLsFJSAAEAAEAAQASY2xvdWRmbGFyZS1lY2guY29t"
    "AAA=";

void number(std::vector<std::byte>& out, std::size_t value, int size) {
  for (int i = size - 1; i >= 0; --i) out.push_back(static_cast<std::byte>(value >> (8 * i)));
}

/// A configuration to be written as no honest server would.
struct draft {
  std::uint16_t version = ech_version;
  std::uint8_t id = 7;
  std::uint16_t kem = 0x20;
  std::string key = std::string(32, 'k');
  std::string suites = std::string("\0\1\0\1", 4);
  std::uint8_t maximum = 32;
  std::string name = "public.test";
  std::string extensions;
  std::string after;

  std::vector<std::byte> config() const {
    std::vector<std::byte> contents;
    const auto put = [&contents](const std::string& text, int length) {
      if (length != 0) number(contents, text.size(), length);
      const bytes view = as_bytes(text);
      contents.insert(contents.end(), view.begin(), view.end());
    };
    number(contents, id, 1);
    number(contents, kem, 2);
    put(key, 2);
    put(suites, 2);
    number(contents, maximum, 1);
    put(name, 1);
    put(extensions, 2);
    put(after, 0);
    std::vector<std::byte> out;
    number(out, version, 2);
    number(out, contents.size(), 2);
    out.insert(out.end(), contents.begin(), contents.end());
    return out;
  }
};

std::vector<std::byte> list(const std::vector<draft>& drafts) {
  std::vector<std::byte> all;
  for (const draft& each : drafts) {
    const auto config = each.config();
    all.insert(all.end(), config.begin(), config.end());
  }
  std::vector<std::byte> out;
  number(out, all.size(), 2);
  out.insert(out.end(), all.begin(), all.end());
  return out;
}

std::string error_of(bytes encoded, errc code = errc::malformed) {
  const auto parsed = parse_ech_config_list(encoded);
  if (parsed) return "accepted";
  CHECK(parsed.error().code == code);
  return parsed.error().text;
}

std::string unusable(const draft& from) {
  const auto parsed = parse_ech_config_list(list({from}));
  if (!parsed) return parsed.error().text;
  return ech_config_unusable(parsed->front());
}

bool has(const std::string& text, std::string_view part) {
  INFO(text);
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("ech_config: a list as it stands in DNS", "[transport][ech]") {
  const auto parsed = read_ech_config_list(as_bytes(published));
  REQUIRE(parsed.has_value());
  REQUIRE(parsed->size() == 1);
  const ech_config& config = parsed->front();
  CHECK(config.version == ech_version);
  CHECK(config.config_id == 0xf1);
  CHECK(config.kem == 0x20);
  CHECK(config.public_key.size() == 32);
  CHECK(config.cipher_suites == std::vector<ech_cipher_suite>{{1, 1}});
  CHECK(config.maximum_name_length == 0);
  CHECK(config.public_name == "cloudflare-ech.com");
  CHECK(config.extensions.empty());
  CHECK(ech_config_unusable(config).empty());
  CHECK(describe(config) ==
        "version 0xfe0d, id 241, DHKEM(X25519), HKDF-SHA256/AES-128-GCM, public name "
        "cloudflare-ech.com");
  const auto encoded = encode_ech_config_list(*parsed);
  CHECK(encoded.size() == 71);
  CHECK(parse_ech_config_list(encoded).value() == *parsed);
  CHECK(read_ech_config_list(encoded).value() == *parsed);
}

TEST_CASE("ech_config: what is written is read back", "[transport][ech]") {
  draft second;
  second.id = 255;
  second.suites = std::string("\0\1\0\3\0\3\0\2", 8);
  second.extensions = std::string("\x12\x34\0\2ab\0\0\0\0", 10);
  draft unknown;
  unknown.version = 0xfe0c;
  const auto parsed = parse_ech_config_list(list({draft{}, unknown, second}));
  REQUIRE(parsed.has_value());
  REQUIRE(parsed->size() == 3);
  CHECK(parsed->at(1).version == 0xfe0c);
  CHECK(parsed->at(1).public_name.empty());
  CHECK(parsed->at(2).config_id == 255);
  CHECK(parsed->at(2).cipher_suites == std::vector<ech_cipher_suite>{{1, 3}, {3, 2}});
  REQUIRE(parsed->at(2).extensions.size() == 2);
  CHECK(parsed->at(2).extensions[0].type == 0x1234);
  CHECK(as_text(parsed->at(2).extensions[0].content) == "ab");
  CHECK(encode_ech_config_list(*parsed) == list({draft{}, unknown, second}));
  CHECK(describe(parsed->at(1)) == "version 0xfe0c (unknown)");
}

TEST_CASE("ech_config: cut short anywhere it is malformed", "[transport][ech][attack][T04]") {
  draft full;
  full.extensions = std::string("\x12\x34\0\2ab", 6);
  const auto whole = list({full, full});
  for (std::size_t size = 0; size < whole.size(); ++size) {
    CHECK(has(error_of(bytes(whole).first(size)), "its length does not fit"));
    // The length of the list is right and what is in it is not.
    auto shorter =
        std::vector<std::byte>(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    if (size < 2) continue;
    shorter[0] = static_cast<std::byte>((size - 2) >> 8);
    shorter[1] = static_cast<std::byte>(size - 2);
    const bool complete = size == 2 + full.config().size();
    CHECK(parse_ech_config_list(shorter).has_value() == complete);
  }
  // The same inside the configuration: its own length is right.
  const auto config = full.config();
  for (std::size_t size = 0; size + 4 < config.size(); ++size) {
    std::vector<std::byte> shorter;
    number(shorter, size + 4, 2);
    number(shorter, ech_version, 2);
    number(shorter, size, 2);
    shorter.insert(shorter.end(), config.begin() + 4,
                   config.begin() + 4 + static_cast<std::ptrdiff_t>(size));
    CHECK_FALSE(parse_ech_config_list(shorter).has_value());
  }
  auto longer = whole;
  longer.push_back(std::byte{0});
  CHECK_FALSE(parse_ech_config_list(longer).has_value());
}

TEST_CASE("ech_config: what the format forbids", "[transport][ech][attack][T04]") {
  draft bad;
  bad.after = "x";
  CHECK(has(error_of(list({bad})), "bytes follow"));
  bad = {};
  bad.key.clear();
  CHECK(has(error_of(list({bad})), "no public key"));
  bad = {};
  bad.suites.clear();
  CHECK(has(error_of(list({bad})), "suites"));
  bad.suites = "abcdef";
  CHECK(has(error_of(list({bad})), "suites"));
  bad = {};
  bad.name.clear();
  CHECK(has(error_of(list({draft{}, bad})), "number 2: it has no public name"));
  bad = {};
  bad.extensions = std::string("\x12\x34\0\0\x56\x78\0\0\x12\x34\0\0", 12);
  CHECK(has(error_of(list({bad})), "extension 0x1234 twice"));
  bad.extensions = std::string("\x12\x34\0\1", 4);
  CHECK(has(error_of(list({bad})), "cut short"));
  CHECK(has(error_of(list({})), "nothing is in it"));
}

TEST_CASE("ech_config: configurations that have to be passed over",
          "[transport][ech][attack][T04]") {
  CHECK(unusable({}).empty());
  CHECK(has(unusable({.version = 0xfe0a}), "version 0xfe0a"));
  CHECK(has(unusable({.kem = 0x1234}), "KEM 0x1234"));
  CHECK(has(unusable({.key = std::string(31, 'k')}), "public key"));
  CHECK(has(unusable({.key = std::string(33, 'k')}), "public key"));
  CHECK(unusable({.kem = 0x10, .key = std::string(65, 'k')}).empty());
  CHECK(has(unusable({.suites = std::string("\0\1\0\x9", 4)}), "cipher suites"));
  CHECK(has(unusable({.suites = std::string("\0\x9\0\1", 4)}), "cipher suites"));
  // HPKE without encryption exists, for other uses.
  CHECK(has(unusable({.suites = std::string("\0\1\xff\xff", 4)}), "cipher suites"));
  CHECK(unusable({.suites = std::string("\0\1\0\x9\0\1\0\3", 8)}).empty());
  CHECK(has(unusable({.extensions = std::string("\x80\1\0\0", 4)}), "0x8001 must be understood"));
  CHECK(unusable({.extensions = std::string("\x7f\xff\0\0", 4)}).empty());
  CHECK(has(unusable({.name = "127.0.0.1"}), "public name"));
}

TEST_CASE("ech_config: public names are host names and no addresses",
          "[transport][ech][attack][T04]") {
  const std::string label(63, 'a');
  for (const std::string& good :
       {std::string("public.test"), std::string("a.b"), std::string("example"),
        std::string("xn--nxasmq6b.test"), std::string("1.2.3.a4"), std::string("0xg.test"),
        std::string("1-2.0x1-2"), label + "." + label}) {
    INFO(good);
    CHECK(is_ech_public_name(good));
  }
  for (const std::string& bad : {std::string(),
                                 std::string("."),
                                 std::string(".a"),
                                 std::string("a."),
                                 std::string("a..b"),
                                 std::string("a_b.test"),
                                 std::string("-a.test"),
                                 std::string("a-.test"),
                                 std::string("a b.test"),
                                 std::string("a\0b.test", 8),
                                 label + "a.test",
                                 std::string("127.0.0.1"),
                                 std::string("1.2.3.4."),
                                 std::string("example.123"),
                                 std::string("a.0x"),
                                 std::string("a.0X1f"),
                                 std::string("a.0x7F000001"),
                                 std::string("017"),
                                 std::string("b\xc3\xbc"
                                             "cher.test"),
                                 std::string("[::1]"),
                                 std::string("::1")}) {
    INFO(bad);
    CHECK_FALSE(is_ech_public_name(bad));
  }
}

TEST_CASE("ech_config: limits of a list", "[transport][ech][attack][T04]") {
  for (const std::size_t count :
       {limits::ech_configs - 1, limits::ech_configs, limits::ech_configs + 1}) {
    const auto parsed = parse_ech_config_list(list(std::vector<draft>(count)));
    CHECK(parsed.has_value() == (count <= limits::ech_configs));
    if (!parsed) CHECK(parsed.error().code == errc::limit_exceeded);
  }
  for (const std::size_t count : {limits::ech_config_extensions - 1, limits::ech_config_extensions,
                                  limits::ech_config_extensions + 1}) {
    draft many;
    for (std::size_t i = 0; i < count; ++i)
      many.extensions += std::string("\0", 1) + static_cast<char>(i) + std::string("\0\0", 2);
    CHECK(parse_ech_config_list(list({many})).has_value() ==
          (count <= limits::ech_config_extensions));
  }
  const std::size_t around = list({draft{}}).size();
  for (const std::size_t size : {limits::ech_config_list_bytes - 1, limits::ech_config_list_bytes,
                                 limits::ech_config_list_bytes + 1}) {
    // Filled up by one of a version that is not looked into.
    std::vector<std::byte> encoded = list({draft{}});
    const std::size_t filler = size - around;
    number(encoded, 0xfe0c, 2);
    number(encoded, filler - 4, 2);
    encoded.resize(size);
    encoded[0] = static_cast<std::byte>((size - 2) >> 8);
    encoded[1] = static_cast<std::byte>(size - 2);
    const auto parsed = parse_ech_config_list(encoded);
    CHECK(parsed.has_value() == (size <= limits::ech_config_list_bytes));
    if (!parsed) CHECK(parsed.error().code == errc::limit_exceeded);
  }
  CHECK(has(error_of(std::vector<std::byte>(64 * 1024 + 1), errc::limit_exceeded), "16384"));
}

TEST_CASE("ech_config: base64 is read strictly", "[transport][ech][attack][T04]") {
  const auto accepted = [](std::string_view text) {
    return read_ech_config_list(as_bytes(text)).has_value();
  };
  const std::string text(published);
  CHECK(accepted(text));
  CHECK(accepted(" \t\r\n" + text + "\n"));
  CHECK_FALSE(accepted(text.substr(0, text.size() - 1)));
  CHECK_FALSE(accepted(text + "="));
  CHECK_FALSE(accepted(text.substr(0, 40) + "\n" + text.substr(40)));
  CHECK_FALSE(accepted(text.substr(0, 40) + "!" + text.substr(41)));
  CHECK_FALSE(accepted(text.substr(0, 40) + "=" + text.substr(41)));
  // Bits that say nothing have to be zero: otherwise one list has many texts.
  CHECK_FALSE(accepted(text.substr(0, text.size() - 2) + "B="));
  CHECK_FALSE(accepted(""));
  CHECK_FALSE(accepted("===="));
  CHECK_FALSE(accepted("AAAA"));
  // The alphabet of URLs is another one.
  std::string url = text;
  url[4] = '-';
  CHECK_FALSE(accepted(url));
  CHECK(has(read_ech_config_list(as_bytes("hello")).error().text, "base64"));
}

TEST_CASE("ech_config: base64 is written as RFC 4648 has it", "[transport][ech]") {
  CHECK(encode_base64(as_bytes("")).empty());
  CHECK(encode_base64(as_bytes("f")) == "Zg==");
  CHECK(encode_base64(as_bytes("fo")) == "Zm8=");
  CHECK(encode_base64(as_bytes("foo")) == "Zm9v");
  CHECK(encode_base64(as_bytes("foob")) == "Zm9vYg==");
  CHECK(encode_base64(as_bytes("fooba")) == "Zm9vYmE=");
  CHECK(encode_base64(as_bytes("foobar")) == "Zm9vYmFy");
  CHECK(encode_base64(as_bytes("\xff\xfe\xfd")) == "//79");
  const auto list = read_ech_config_list(as_bytes(published));
  CHECK(encode_base64(encode_ech_config_list(list.value())) == published);
}

TEST_CASE("ech_config: a hostile name is not shown as it came", "[transport][ech]") {
  draft odd;
  odd.name = "a\n\x1b[0m.test";
  const auto parsed = parse_ech_config_list(list({odd}));
  REQUIRE(parsed.has_value());
  CHECK(has(describe(parsed->front()), "a\\xa\\x1b[0m.test"));
}
