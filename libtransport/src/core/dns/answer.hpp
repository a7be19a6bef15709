// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <system_error>

#include "strata/transport/core/dns_cache.hpp"
#include "strata/transport/core/dns_message.hpp"

namespace strata::transport {
inline namespace v0 {
namespace dns {

/// Whether a message answers this query: a response with its ID and its question, and no other.
/// What does not is no reason to stop waiting where anybody can send datagrams.
bool answers(const dns_message& response, const dns_question& asked, std::uint16_t id) noexcept;

struct reading {
  dns_answer answer;
  unsigned aliases = 0;  ///< CNAMEs on the way.
  /// The CNAMEs end at a name that the message says nothing about: ask for answer.canonical.
  bool is_unfinished = false;
  std::error_code error;  ///< limit_exceeded: CNAMEs in a circle, or too many.
};

/// What a response without error says about the question. Only records count that the question
/// leads to, by its name or by CNAMEs from there: whoever answers for one name must not tell us
/// about others (RFC 2181 section 5.4.1).
reading read_answer(const dns_message& response, const dns_question& asked);

}  // namespace dns
}  // namespace v0
}  // namespace strata::transport
