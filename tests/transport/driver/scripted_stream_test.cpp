// SPDX-License-Identifier: Apache-2.0
#include "testkit/scripted_stream.hpp"

#include <array>
#include <asio/io_context.hpp>
#include <asio/read.hpp>
#include <asio/write.hpp>
#include <catch2/catch_test_macros.hpp>

#include "strata/transport/memory_stream.hpp"
#include "testkit/stream_conformance.hpp"

using namespace strata;
using testkit::scripted_stream;

TEST_CASE("scripted_stream: reads and writes come in pieces, and nothing is lost", "[testkit]") {
  asio::io_context context;
  auto pair = transport::make_memory_streams(context.get_executor());
  scripted_stream scripted(std::move(pair.first), {.max_read = 1, .max_write = 2});
  std::string text(5, ' '), answer(3, ' ');
  asio::async_write(scripted, asio::buffer("hello", 5), [](std::error_code, std::size_t) {});
  asio::async_read(*pair.second, asio::buffer(text), [](std::error_code, std::size_t) {});
  asio::async_write(*pair.second, asio::buffer("yes", 3), [](std::error_code, std::size_t) {});
  asio::async_read(scripted, asio::buffer(answer), [](std::error_code, std::size_t) {});
  context.run();

  CHECK(text == "hello");
  CHECK(answer == "yes");
  CHECK(scripted.operations() == 3 + 3);
}

TEST_CASE("scripted_stream: the nth operation fails, and all after it", "[testkit]") {
  asio::io_context context;
  auto pair = transport::make_memory_streams(context.get_executor());
  scripted_stream scripted(std::move(pair.first), {.fail_at = 1});
  std::array<std::error_code, 3> results;
  for (auto& result : results) {
    scripted.async_write_some(asio::buffer("x", 1),
                              [&](std::error_code error, std::size_t) { result = error; });
    context.restart();
    context.poll();
  }

  CHECK_FALSE(results[0]);
  CHECK(results[1] == transport::errc::closed_by_peer);
  CHECK(results[2] == transport::errc::closed_by_peer);
}

namespace {

class scripted_carrier final : public testkit::carrier {
 public:
  const testkit::carrier_row& row() const override { return row_; }
  asio::io_context& context() override { return context_; }
  testkit::stream_ends connect() override {
    auto made = transport::make_memory_streams(context_.get_executor());
    return {std::make_unique<scripted_stream>(std::move(made.first), testkit::stream_script{}),
            std::move(made.second)};
  }

 private:
  asio::io_context context_;
  testkit::carrier_row row_{.name = "scripted", .traits = {true, true, true, true}};
};

}  // namespace

TEST_CASE("scripted_stream: without a script it is the stream it wraps", "[testkit][conformance]") {
  testkit::check_stream_conformance([] { return std::make_unique<scripted_carrier>(); });
}
