// SPDX-License-Identifier: Apache-2.0
#include "strata/transport/core/ech_retry.hpp"

#include <catch2/catch_test_macros.hpp>
#include <set>
#include <string_view>

using namespace strata::transport;
using enum ech_next_step;

TEST_CASE("ech_retry: keys that the server named are tried once", "[transport][ech][attack][T03]") {
  for (const ech_policy policy : {ech_policy::strict, ech_policy::secure_disable}) {
    CHECK(after_ech_failure(policy, ech_status::rejected_with_retry, 0) == retry_with_configs);
    CHECK(after_ech_failure(policy, ech_status::rejected_with_retry, 1) == give_up);
    CHECK(after_ech_failure(policy, ech_status::rejected_with_retry, 2) == give_up);
  }
}

TEST_CASE("ech_retry: without ECH only where the server has said so and the policy allows it",
          "[transport][ech][attack][T03]") {
  for (const unsigned retries : {0u, 1u}) {
    CHECK(after_ech_failure(ech_policy::strict, ech_status::rejected, retries) == give_up);
    CHECK(after_ech_failure(ech_policy::secure_disable, ech_status::rejected, retries) ==
          retry_without_ech);
  }
}

TEST_CASE("ech_retry: every status has words of its own", "[transport][ech]") {
  using enum ech_status;
  std::set<std::string_view> words;
  for (const ech_status each : {not_tried, grease, accepted, rejected, rejected_with_retry, failed})
    words.insert(describe(each));
  CHECK(words.size() == 6);
  CHECK(describe(rejected_with_retry) == "rejected with retry");
}

TEST_CASE("ech_retry: whatever was not proven leads nowhere", "[transport][ech][attack][T03]") {
  for (const ech_policy policy : {ech_policy::strict, ech_policy::secure_disable}) {
    for (const ech_status status :
         {ech_status::failed, ech_status::not_tried, ech_status::grease, ech_status::accepted})
      CHECK(after_ech_failure(policy, status, 0) == give_up);
  }
}
