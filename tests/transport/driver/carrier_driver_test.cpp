// SPDX-License-Identifier: Apache-2.0
// The turn of a driver on a byte stream: what is read where, and which deadlines count.
#include "strata/transport/driver/carrier_driver.hpp"

#include <algorithm>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <catch2/catch_test_macros.hpp>
#include <string>
#include <utility>
#include <vector>

#include "strata/transport/core/error.hpp"

using namespace strata::transport;
using namespace std::chrono_literals;

namespace {

time_point clock_now() { return std::chrono::steady_clock::now(); }

/// It tells of what it holds only after the reactor has looked at its timers many times, as the
/// sockets of a busy process do. Without content it is silent for ever.
class tardy_stream final : public stream {
 public:
  tardy_stream(const ready_list& ready, std::string content)
      : ready_(ready), content_(std::move(content)) {}

  void reset(std::uint64_t) noexcept override {}
  stream_traits traits() const noexcept override { return {}; }

 private:
  static constexpr int turns = 1000;

  asio::any_io_executor do_executor() noexcept override { return ready_.executor(); }
  void do_read_some(std::span<const asio::mutable_buffer> buffers,
                    completion<io_signature> waiting) override {
    if (content_.empty()) return waiting_.push_back(std::move(waiting));
    if (buffers.empty()) return tell(turns, std::move(waiting));
    const std::size_t size = asio::buffer_copy(buffers[0], asio::buffer(content_));
    content_.erase(0, size);
    ready_.complete(std::move(waiting), std::error_code(), size);
  }
  void do_write_some(std::span<const asio::const_buffer>, completion<io_signature>) override {}
  void do_finish(completion<status_signature>) override {}
  void do_wait_closed(completion<status_signature>) override {}

  void tell(int left, completion<io_signature> waiting) {
    if (left == 0) return ready_.complete(std::move(waiting), std::error_code(), std::size_t{0});
    asio::post(ready_.executor(), [this, left, waiting = std::move(waiting)]() mutable {
      tell(left - 1, std::move(waiting));
    });
  }

  ready_list ready_;
  std::string content_;
  std::vector<completion<io_signature>> waiting_;
};

/// Writes down what it is told, the first `most` steps, which end the run.
struct watched_core final : carried_core {
  asio::io_context context;
  std::vector<std::string> steps;
  std::size_t most = 1;
  std::optional<time_point> deadline;
  std::optional<time_point> next_deadline;  ///< After the first was judged.

  void note(std::string step) {
    if (steps.size() == most) return;
    steps.push_back(std::move(step));
    if (steps.size() == most) context.stop();
  }

  void receive(time_point, bytes input) override {
    deadline.reset();
    note("heard " + std::string(as_text(input)));
  }
  void release_input() override { note("released"); }
  void receive_end(time_point) override { note("end"); }
  void carrier_lost(std::error_code) override { note("lost"); }
  void handle_timeout(time_point) override {
    deadline = std::exchange(next_deadline, std::nullopt);
    note("judged");
  }
  std::optional<time_point> next_timeout() const override { return deadline; }
  std::size_t poll_output(time_point, std::span<bytes>) override { return 0; }
  void sent(std::size_t) override {}
  bool wants_input() const override { return true; }
  bool finished() const override { return false; }
};

class watched_driver final : public carrier_driver {
 public:
  watched_driver(const ready_list& ready, std::unique_ptr<stream> carrier, watched_core& core)
      : carrier_driver(ready, std::move(carrier), page_pool(), core), core_(core) {}
  using carrier_driver::start;

  /// Told of input through the ready list, as whoever waits for a stream is.
  bool has_reader = false;

 private:
  void on_turn(time_point) override {
    if (!std::exchange(has_reader, false)) return;
    asio::any_completion_handler<io_signature> reader = [this](std::error_code, std::size_t) {
      core_.note("read");
    };
    ready().complete(completion<io_signature>{std::move(reader)}, std::error_code(),
                     std::size_t{0});
  }
  void on_shutdown() noexcept override {}

  watched_core& core_;
};

std::vector<std::string> run(watched_core& core, std::string content, bool has_reader = false) {
  const ready_list ready(core.context.get_executor());
  const auto driver = make_driver<watched_driver>(
      ready.executor(), ready, std::make_unique<tardy_stream>(ready, std::move(content)), core);
  driver->has_reader = has_reader;
  driver->start();
  core.context.run();
  return core.steps;
}

}  // namespace

TEST_CASE("carrier_driver: whoever is told of input reads it where the carrier put it",
          "[transport][driver]") {
  watched_core core;
  core.most = 3;
  CHECK(run(core, "x", true) == std::vector<std::string>{"heard x", "read", "released"});
}

TEST_CASE("carrier_driver: a deadline in time is judged at once", "[transport][driver]") {
  watched_core core;
  core.most = 2;
  core.deadline = clock_now();
  CHECK(run(core, "x") == std::vector<std::string>{"judged", "heard x"});
}

TEST_CASE("carrier_driver: a process that did not run blames no peer whose bytes wait",
          "[transport][driver]") {
  watched_core core;
  core.most = 2;
  core.deadline = clock_now() - 1min;
  CHECK(run(core, "x") == std::vector<std::string>{"heard x", "released"});
}

TEST_CASE("carrier_driver: silence is judged after one grace, and each deadline has its own",
          "[transport][driver]") {
  watched_core core;
  core.most = 2;
  const time_point began = clock_now();
  core.deadline = began - 2min;
  core.next_deadline = began - 1min;
  CHECK(run(core, "") == std::vector<std::string>{"judged", "judged"});
  CHECK(clock_now() - began >= 200ms);
}
