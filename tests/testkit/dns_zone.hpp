// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "strata/transport/core/dns_message.hpp"

namespace strata::testkit {

/// What a name server knows, and how an honest one says it.
class dns_zone {
 public:
  dns_zone& add(std::string_view owner, transport::dns_type type,
                transport::dns_record::content_type content, std::uint32_t ttl = 300);
  dns_zone& ip(std::string_view owner, std::string_view address, std::uint32_t ttl = 300);
  dns_zone& alias(std::string_view owner, std::string_view to, std::uint32_t ttl = 300);
  dns_zone& https(std::string_view owner, transport::https_record record, std::uint32_t ttl = 300);
  /// Put beside answers that something is not there; without one there is nothing.
  dns_zone& soa(std::string_view owner, std::uint32_t minimum, std::uint32_t ttl = 3600);

  /// The response to a query, CNAMEs followed as far as the zone goes.
  transport::dns_message answer(const transport::dns_message& query) const;

 private:
  std::vector<transport::dns_record> records_;
  std::vector<transport::dns_record> authority_;
};

}  // namespace strata::testkit
