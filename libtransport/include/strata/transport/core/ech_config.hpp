// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "strata/transport/core/bytes.hpp"
#include "strata/transport/core/tls_error.hpp"
#include "strata/transport/export.hpp"

namespace strata::transport {
inline namespace v0 {

/// How an ECH configuration wants the ClientHello encrypted, by the numbers of HPKE (RFC 9180
/// section 7).
struct ech_cipher_suite {
  std::uint16_t kdf = 0;
  std::uint16_t aead = 0;

  friend bool operator==(const ech_cipher_suite&, const ech_cipher_suite&) = default;
};

struct ech_config_extension {
  std::uint16_t type = 0;  ///< With the highest bit set: who does not know it cannot use the whole.
  std::vector<std::byte> content;

  friend bool operator==(const ech_config_extension&, const ech_config_extension&) = default;
};

/// One ECHConfig (RFC 9849 section 4). Of a version other than ech_version only `version` and
/// `encoded` are set.
struct ech_config {
  std::uint16_t version = 0;
  std::vector<std::byte> encoded;  ///< All of it, version and length included.

  std::uint8_t config_id = 0;
  std::uint16_t kem = 0;
  std::vector<std::byte> public_key;
  std::vector<ech_cipher_suite> cipher_suites;
  std::uint8_t maximum_name_length = 0;
  std::string public_name;
  std::vector<ech_config_extension> extensions;

  friend bool operator==(const ech_config&, const ech_config&) = default;
};

inline constexpr std::uint16_t ech_version = 0xfe0d;

/// An ECHConfigList as it stands in DNS and in retry_configs: at least one, in order of
/// preference. errc::malformed with what is wrong and where; errc::limit_exceeded beyond
/// limits::ech_config_list_bytes and limits::ech_configs.
STRATA_TRANSPORT_API tls_result<std::vector<ech_config>> parse_ech_config_list(bytes encoded);

/// The same from either form in which lists are handed around: the bytes, or their base64 (RFC 4648
/// section 4, padded), which white space may surround.
STRATA_TRANSPORT_API tls_result<std::vector<ech_config>> read_ech_config_list(bytes given);

/// Why a client of ours has to pass over this configuration; empty when it can use it.
STRATA_TRANSPORT_API std::string ech_config_unusable(const ech_config&);

/// Whether a certificate can be verified for it: labels of letters, digits and hyphens, and nothing
/// that somebody could take for an IPv4 address (RFC 9849 section 6.1.7).
STRATA_TRANSPORT_API bool is_ech_public_name(std::string_view name);

/// Configurations as one list.
STRATA_TRANSPORT_API std::vector<std::byte> encode_ech_config_list(std::span<const ech_config>);

/// As DNS shows it: RFC 4648 section 4, padded.
STRATA_TRANSPORT_API std::string encode_base64(bytes);

/// One line for people: version, ID, KEM, suites and public name.
STRATA_TRANSPORT_API std::string describe(const ech_config&);

}  // namespace v0
}  // namespace strata::transport
