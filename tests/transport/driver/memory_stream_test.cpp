// SPDX-License-Identifier: Apache-2.0
#include "strata/transport/memory_stream.hpp"

#include <catch2/catch_test_macros.hpp>

#include "testkit/stream_conformance.hpp"

using namespace strata;
using transport::errc;

namespace {

class memory_carrier final : public testkit::carrier {
 public:
  const testkit::carrier_row& row() const override { return row_; }
  asio::io_context& context() override { return context_; }
  testkit::stream_ends connect() override {
    auto made = transport::make_memory_streams(context_.get_executor());
    link_ = made.link;
    return {std::move(made.first), std::move(made.second)};
  }
  std::optional<std::error_code> lose() override {
    link_->cut(errc::timed_out);
    return errc::timed_out;
  }

 private:
  asio::io_context context_;
  std::optional<transport::memory_link> link_;
  testkit::carrier_row row_{.name = "memory", .traits = {true, true, true, true}};
};

}  // namespace

TEST_CASE("memory: streams keep the contract", "[transport][stream][conformance]") {
  testkit::check_stream_conformance([] { return std::make_unique<memory_carrier>(); });
}

TEST_CASE("memory_stream: one direction holds its capacity and not a byte more",
          "[transport][memory]") {
  asio::io_context context;
  auto pair = transport::make_memory_streams(context.get_executor(), {.capacity = 5});
  const std::string text = "1234567";
  std::size_t first = 0;
  bool second_done = false;

  pair.first->async_write_some(asio::buffer(text),
                               [&](std::error_code, std::size_t count) { first = count; });
  context.poll();
  pair.first->async_write_some(asio::buffer(text),
                               [&](std::error_code, std::size_t) { second_done = true; });
  context.poll();

  CHECK(first == 5);
  CHECK_FALSE(second_done);
}

TEST_CASE("memory_stream: bytes keep their order around the end of the ring",
          "[transport][memory]") {
  asio::io_context context;
  auto pair = transport::make_memory_streams(context.get_executor(), {.capacity = 7});
  std::string received;
  for (int round = 0; round < 50; ++round) {
    const std::string text = "abcde";
    std::array<char, 3> memory;
    pair.first->async_write_some(asio::buffer(text), [](std::error_code, std::size_t) {});
    for (int part = 0; part < 2; ++part) {
      pair.second->async_read_some(asio::buffer(memory),
                                   [&](std::error_code error, std::size_t count) {
                                     REQUIRE_FALSE(error);
                                     received.append(memory.data(), count);
                                   });
      context.restart();
      context.poll();
    }
  }

  std::string expected;
  for (int round = 0; round < 50; ++round) expected += "abcde";
  CHECK(received == expected);
}

TEST_CASE("memory_stream: a pending read keeps the context running, an idle stream does not",
          "[transport][memory]") {
  asio::io_context context;
  auto pair = transport::make_memory_streams(context.get_executor());
  context.poll();
  CHECK(context.stopped());

  context.restart();
  std::array<char, 3> memory;
  pair.second->async_read_some(asio::buffer(memory), [&](std::error_code, std::size_t) {});
  context.poll();
  CHECK_FALSE(context.stopped());

  pair.second->reset(0);
  context.poll();
  CHECK(context.stopped());
}
