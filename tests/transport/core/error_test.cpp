// SPDX-License-Identifier: Apache-2.0
#include "strata/transport/core/error.hpp"

#include <catch2/catch_test_macros.hpp>
#include <set>
#include <string>

using namespace strata::transport;

namespace {

constexpr int first_code = static_cast<int>(errc::eof);
constexpr int last_code = static_cast<int>(errc::name_server_failed);

}  // namespace

TEST_CASE("error: every code has its own text and converts by itself", "[transport][error]") {
  std::set<std::string> texts;
  for (int code = first_code; code <= last_code; ++code) {
    const std::error_code failure = static_cast<errc>(code);
    CHECK(failure);
    CHECK(failure.category() == error_category());
    CHECK(failure.message() != "unknown transport error");
    CHECK(texts.insert(failure.message()).second);
  }
  CHECK(std::string(error_category().name()) == "strata.transport");
  CHECK(error_category().message(0) == "unknown transport error");
  CHECK(error_category().message(last_code + 1) == "unknown transport error");
  CHECK(error_category().message(-1) == "unknown transport error");
}

TEST_CASE("error: codes compare with the kinds of failure that all libraries share",
          "[transport][error]") {
  const auto kind = [](errc code) {
    std::string kinds;
    const std::error_code failure = code;
    if (failure == condition::closed) kinds += "closed ";
    if (failure == condition::timed_out) kinds += "timed_out ";
    if (failure == condition::refused) kinds += "refused ";
    if (failure == condition::protocol_error) kinds += "protocol_error ";
    return kinds;
  };
  for (const errc code : {errc::eof, errc::closed, errc::closed_by_peer})
    CHECK(kind(code) == "closed ");
  CHECK(kind(errc::timed_out) == "timed_out ");
  CHECK(kind(errc::refused) == "refused ");
  for (const errc code : {errc::malformed, errc::truncated, errc::protocol_error})
    CHECK(kind(code) == "protocol_error ");
  for (const errc code :
       {errc::aborted, errc::unreachable, errc::name_not_found, errc::stream_reset,
        errc::write_stopped, errc::write_finished, errc::message_too_large, errc::limit_exceeded,
        errc::would_block, errc::invalid_argument, errc::not_supported, errc::certificate_rejected,
        errc::tls_failed, errc::out_of_memory, errc::ech_rejected, errc::name_server_failed}) {
    CHECK(kind(code).empty());
  }
}

TEST_CASE("error: codes that the system has too compare with std::errc", "[transport][error]") {
  const auto same = [](errc code, std::errc system) { return make_error_code(code) == system; };
  CHECK(same(errc::aborted, std::errc::operation_canceled));
  CHECK(same(errc::unreachable, std::errc::host_unreachable));
  CHECK(same(errc::invalid_argument, std::errc::invalid_argument));
  CHECK(same(errc::would_block, std::errc::operation_would_block));
  CHECK(same(errc::message_too_large, std::errc::message_size));
  CHECK(same(errc::not_supported, std::errc::not_supported));
  CHECK(same(errc::out_of_memory, std::errc::not_enough_memory));
  CHECK(!same(errc::eof, std::errc::invalid_argument));
  CHECK(!same(errc::limit_exceeded, std::errc::invalid_argument));
}

TEST_CASE("error: conditions have texts and differ from codes of the same number",
          "[transport][error]") {
  for (const condition kind :
       {condition::closed, condition::timed_out, condition::refused, condition::protocol_error}) {
    const std::error_condition value = kind;
    CHECK(value.category() == condition_category());
    CHECK(value.message() != "unknown condition");
  }
  CHECK(condition_category().message(99) == "unknown condition");
  CHECK(std::string(condition_category().name()) == "strata.condition");
  CHECK(std::error_code() != condition::closed);
  CHECK(std::error_code(static_cast<int>(errc::eof), std::generic_category()) != condition::closed);
}
