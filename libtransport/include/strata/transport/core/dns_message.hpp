// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <system_error>
#include <variant>
#include <vector>

#include "strata/transport/core/address.hpp"
#include "strata/transport/core/bytes.hpp"
#include "strata/transport/core/dns_name.hpp"
#include "strata/transport/core/https_record.hpp"
#include "strata/transport/core/result.hpp"
#include "strata/transport/export.hpp"

namespace strata::transport {
inline namespace v0 {

enum class dns_type : std::uint16_t {
  a = 1,
  ns = 2,
  cname = 5,
  soa = 6,
  ptr = 12,
  aaaa = 28,
  opt = 41,
  svcb = 64,
  https = 65,
};

inline constexpr std::uint16_t dns_internet = 1;  ///< The only class in use.

/// RFC 1035 section 4.1.1 and RFC 6891 section 9; others can come.
enum class dns_response_code : std::uint16_t {
  no_error = 0,
  format_error = 1,
  server_failure = 2,
  name_error = 3,  ///< NXDOMAIN.
  not_implemented = 4,
  refused = 5,
  bad_version = 16,
};

struct dns_question {
  dns_name name;
  dns_type type = dns_type::a;
  std::uint16_t query_class = dns_internet;

  friend bool operator==(const dns_question&, const dns_question&) = default;
};

struct dns_soa {
  dns_name primary;
  dns_name mailbox;
  std::uint32_t serial = 0;
  std::uint32_t refresh = 0;
  std::uint32_t retry = 0;
  std::uint32_t expire = 0;
  std::uint32_t minimum = 0;  ///< How long it may be remembered that something is not there, in s.

  friend bool operator==(const dns_soa&, const dns_soa&) = default;
};

/// An HTTPS or SVCB record that breaks the rules of RFC 9460; nobody may use the others of its set
/// either (section 2.2).
struct dns_broken_record {
  std::vector<std::byte> content;
  std::string reason;

  friend bool operator==(const dns_broken_record&, const dns_broken_record&) = default;
};

struct dns_record {
  /// What stands in the record: of A and AAAA an address without port; of CNAME, NS and PTR a name;
  /// of other types, and of other classes than the internet's, the bytes.
  using content_type = std::variant<std::vector<std::byte>, address, dns_name, dns_soa,
                                    https_record, dns_broken_record>;

  dns_name owner;
  dns_type type = dns_type::a;
  std::uint16_t record_class = dns_internet;
  /// In seconds. With the highest bit set on the wire it is zero here (RFC 2181 section 8).
  std::uint32_t ttl = 0;
  content_type content;

  friend bool operator==(const dns_record&, const dns_record&) = default;
};

struct dns_header {
  std::uint16_t id = 0;
  bool is_response = false;
  std::uint8_t opcode = 0;
  bool authoritative = false;
  bool truncated = false;
  bool recursion_desired = false;
  bool recursion_available = false;
  bool authentic_data = false;
  bool checking_disabled = false;

  friend bool operator==(const dns_header&, const dns_header&) = default;
};

/// EDNS(0), RFC 6891: the OPT record taken apart.
struct dns_extension {
  std::uint16_t payload_size = 0;  ///< Of the largest datagram its sender takes.
  std::uint8_t version = 0;
  bool dnssec_ok = false;
  std::optional<std::uint16_t> padding{};  ///< Octets of the padding option (RFC 7830).

  friend bool operator==(const dns_extension&, const dns_extension&) = default;
};

/// A message; the OPT record is not among the additional ones.
struct dns_message {
  dns_header header;
  /// With the upper bits that OPT brings.
  dns_response_code response_code = dns_response_code::no_error;
  std::optional<dns_question> question;
  std::vector<dns_record> answers;
  std::vector<dns_record> authorities;
  std::vector<dns_record> additionals;
  std::optional<dns_extension> extension;

  friend bool operator==(const dns_message&, const dns_message&) = default;
};

/// `code` for programs, `text` for people: what is wrong, and where.
struct dns_error {
  std::error_code code;
  std::string text;
};

template <class T>
using dns_result = std::expected<T, dns_error>;

/// Reads a whole message. errc::malformed; errc::limit_exceeded beyond limits::max_dns_records.
/// Records that are broken by RFC 9460 do not make the message malformed: they say so themselves.
STRATA_TRANSPORT_API dns_result<dns_message> decode_dns_message(bytes message);

/// Names are written in full. errc::message_too_large beyond 65,535 octets; errc::invalid_argument
/// for content that does not fit its record's type.
STRATA_TRANSPORT_API dns_result<std::vector<std::byte>> encode_dns_message(const dns_message&);

struct dns_query_options {
  std::uint16_t id = 0;  ///< Zero where answers are cached by their bytes (RFC 8484 section 4.1).
  bool recursion_desired = true;
  /// For EDNS(0): what an answer in one datagram may have; zero: no EDNS.
  std::uint16_t payload_size = 1232;
  /// The query is padded to a multiple of this, so that its length does not tell which name was
  /// asked for: 128 where it is encrypted (RFC 8467 section 4.1); zero: not at all. Needs EDNS.
  std::uint16_t padding_block = 0;
};

STRATA_TRANSPORT_API std::vector<std::byte> encode_dns_query(const dns_question&,
                                                             const dns_query_options& = {});

/// "A", "HTTPS", "TYPE257": as zone files say it.
STRATA_TRANSPORT_API std::string describe(dns_type);
/// "NOERROR", "NXDOMAIN", "RCODE23".
STRATA_TRANSPORT_API std::string describe(dns_response_code);

}  // namespace v0
}  // namespace strata::transport
