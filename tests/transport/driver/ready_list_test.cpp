// SPDX-License-Identifier: Apache-2.0
#include "strata/transport/driver/ready_list.hpp"

#include <array>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/bind_executor.hpp>
#include <asio/io_context.hpp>
#include <asio/strand.hpp>
#include <asio/thread_pool.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <functional>
#include <future>
#include <stdexcept>
#include <vector>

#include "strata/transport/driver/pending_operation.hpp"
#include "strata/transport/memory_stream.hpp"

using namespace strata::transport;

namespace {

template <class Handler>
completion<status_signature> own(const ready_list& ready, Handler handler) {
  return make_completion<status_signature>(std::move(handler), ready.executor());
}

}  // namespace

TEST_CASE("ready_list: handlers run in order, and never inside complete",
          "[transport][ready_list]") {
  asio::io_context context;
  ready_list ready(context.get_executor());
  std::vector<int> ran;

  for (int next = 0; next < 3; ++next) {
    ready.complete(own(ready, [&ran, next](std::error_code) { ran.push_back(next); }),
                   std::error_code());
  }
  CHECK(ran.empty());
  context.run();

  CHECK(ran == std::vector{0, 1, 2});
}

TEST_CASE("ready_list: what becomes ready in a drain runs in it, up to a bound",
          "[transport][ready_list]") {
  const int made = GENERATE(1, 32, 33);
  asio::io_context context;
  ready_list ready(context.get_executor());
  int ran = 0;
  int before_another = 0;
  const auto make_ready = [&] {
    for (int i = 0; i < made; ++i)
      ready.complete(own(ready, [&](std::error_code) { ++ran; }), std::error_code());
  };
  ready.complete(own(ready,
                     [&](std::error_code) {
                       ++ran;
                       make_ready();
                     }),
                 std::error_code());
  asio::post(context, [&] { before_another = ran; });

  context.run();

  CHECK(before_another == (made <= 32 ? 1 + made : 1));
  CHECK(ran == 1 + made);
}

TEST_CASE("ready_list: handlers that make each other ready for ever let others have their turn",
          "[transport][ready_list]") {
  asio::io_context context;
  ready_list ready(context.get_executor());
  int ran = 0;
  int before_another = 0;
  const std::function<void(std::error_code)> again = [&](std::error_code) {
    if (++ran != 1000) ready.complete(own(ready, again), std::error_code());
  };
  ready.complete(own(ready, again), std::error_code());
  asio::post(context, [&] { before_another = ran; });

  context.run();

  CHECK(before_another == 16);
  CHECK(ran == 1000);
}

TEST_CASE("ready_list: when a handler throws, the rest runs afterwards",
          "[transport][ready_list]") {
  asio::io_context context;
  ready_list ready(context.get_executor());
  int ran = 0;
  ready.complete(
      own(ready, [&](std::error_code) { throw std::runtime_error("from the application"); }),
      std::error_code());
  ready.complete(own(ready, [&](std::error_code) { ++ran; }), std::error_code());
  ready.complete(own(ready, [&](std::error_code) { throw std::runtime_error("again"); }),
                 std::error_code());
  ready.complete(own(ready, [&](std::error_code) { ++ran; }), std::error_code());

  CHECK_THROWS_AS(context.run(), std::runtime_error);
  CHECK(ran == 0);
  CHECK_THROWS_AS(context.run(), std::runtime_error);
  CHECK(ran == 1);
  context.run();
  CHECK(ran == 2);
}

namespace {

/// Counts its turns; `also` is done in each.
class last_worker final : public driver {
 public:
  explicit last_worker(const ready_list& ready) : ready_(ready) {}

  void schedule() { ready_.run_last(job_, shared_from_this()); }

  int runs = 0;
  std::function<void()> also;

 private:
  void run() {
    ++runs;
    if (also) also();
  }
  void shutdown() noexcept override {}

  ready_list ready_;
  last_job job_{[](driver& of) { static_cast<last_worker&>(of).run(); }};
};

/// Completes itself `times` times, one drain after the other.
void complete_again(ready_list& ready, int times) {
  if (times == 0) return;
  ready.complete(own(ready, [&ready, times](std::error_code) { complete_again(ready, times - 1); }),
                 std::error_code());
}

}  // namespace

TEST_CASE("ready_list: a last job runs after handlers that made each other ready",
          "[transport][ready_list]") {
  asio::io_context context;
  ready_list ready(context.get_executor());
  std::vector<std::string> ran;
  const auto worker = make_driver<last_worker>(context.get_executor(), ready);
  worker->also = [&] { ran.push_back("last"); };
  worker->schedule();
  ready.complete(own(ready,
                     [&](std::error_code) {
                       ran.push_back("first");
                       ready.complete(own(ready, [&](std::error_code) { ran.push_back("second"); }),
                                      std::error_code());
                     }),
                 std::error_code());
  CHECK(ran.empty());

  context.run();

  CHECK(ran == std::vector<std::string>{"first", "second", "last"});
}

TEST_CASE("ready_list: a last job comes although handlers go on", "[transport][ready_list]") {
  asio::io_context context;
  ready_list ready(context.get_executor());
  const auto worker = make_driver<last_worker>(context.get_executor(), ready);
  complete_again(ready, 1000);
  worker->schedule();

  for (int drains = 0; drains < 8; ++drains) context.run_one();

  CHECK(worker->runs == 1);
  context.run();
  CHECK(worker->runs == 1);
}

TEST_CASE("ready_list: a last job that schedules itself runs once a drain",
          "[transport][ready_list]") {
  asio::io_context context;
  ready_list ready(context.get_executor());
  const auto worker = make_driver<last_worker>(context.get_executor(), ready);
  worker->also = [&] {
    if (worker->runs < 3) worker->schedule();
  };
  worker->schedule();

  context.run_one();
  CHECK(worker->runs == 1);
  context.run();
  CHECK(worker->runs == 3);
}

TEST_CASE("ready_list: run_now runs handlers at once, and last jobs after them",
          "[transport][ready_list]") {
  asio::io_context context;
  ready_list ready(context.get_executor());
  std::vector<std::string> ran;
  const auto worker = make_driver<last_worker>(context.get_executor(), ready);
  worker->also = [&] { ran.push_back("last"); };
  worker->schedule();
  ready.run_now();
  CHECK(ran.empty());
  asio::post(context, [&] {
    ready.complete(own(ready,
                       [&](std::error_code) {
                         ran.push_back("first");
                         ready.complete(
                             own(ready, [&](std::error_code) { ran.push_back("second"); }),
                             std::error_code());
                       }),
                   std::error_code());
    ready.run_now();
    ran.push_back("returned");
    worker->schedule();
  });
  context.run();

  CHECK(ran == std::vector<std::string>{"last", "first", "second", "returned", "last"});
}

TEST_CASE("ready_list: when a handler throws out of run_now, the rest runs afterwards",
          "[transport][ready_list]") {
  asio::io_context context;
  ready_list ready(context.get_executor());
  int ran = 0;
  ready.complete(own(ready, [&](std::error_code) { throw std::runtime_error("of a handler"); }),
                 std::error_code());
  ready.complete(own(ready, [&](std::error_code) { ++ran; }), std::error_code());
  CHECK_THROWS_AS(ready.run_now(), std::runtime_error);
  CHECK(ran == 0);
  context.run();
  CHECK(ran == 1);
}

TEST_CASE("ready_list: the lists of one executor are one, those of others are their own",
          "[transport][ready_list]") {
  asio::io_context context;
  ready_list lower(context.get_executor());
  ready_list upper(context.get_executor());
  const asio::any_io_executor strand = asio::make_strand(context);
  ready_list other(strand);
  CHECK(other.executor() == strand);
  std::vector<int> ran;
  const auto make_ready = [&](ready_list& on, int what) {
    on.complete(own(on, [&ran, what](std::error_code) { ran.push_back(what); }), std::error_code());
  };
  make_ready(lower, 1);
  make_ready(other, 4);
  make_ready(upper, 2);
  make_ready(lower, 3);

  context.run();

  CHECK(ran == std::vector{1, 2, 3, 4});
}

TEST_CASE("ready_list: more executors than are shared have lists that work",
          "[transport][ready_list]") {
  asio::io_context context;
  std::vector<ready_list> lists;
  int ran = 0;
  for (int i = 0; i < 20; ++i) lists.emplace_back(asio::make_strand(context));
  for (ready_list& each : lists) {
    each.complete(own(each, [&ran](std::error_code) { ++ran; }), std::error_code());
    ready_list same(each.executor());
    same.complete(own(same, [&ran](std::error_code) { ++ran; }), std::error_code());
  }

  context.run();

  CHECK(ran == 40);
}

TEST_CASE("ready_list: when a last job throws, the others run afterwards",
          "[transport][ready_list]") {
  asio::io_context context;
  ready_list ready(context.get_executor());
  const auto first = make_driver<last_worker>(context.get_executor(), ready);
  const auto second = make_driver<last_worker>(context.get_executor(), ready);
  first->also = [] { throw std::runtime_error("out of memory, say"); };
  first->schedule();
  second->schedule();

  CHECK_THROWS_AS(context.run(), std::runtime_error);
  CHECK(second->runs == 0);
  context.run();
  CHECK(second->runs == 1);
}

TEST_CASE("ready_list: a last job of a context that goes is let go", "[transport][ready_list]") {
  auto context = std::make_unique<asio::io_context>();
  ready_list ready(context->get_executor());
  auto worker = make_driver<last_worker>(context->get_executor(), ready);
  worker->schedule();
  const std::weak_ptr<last_worker> watched = worker;
  worker.reset();
  REQUIRE_FALSE(watched.expired());

  context.reset();

  CHECK(watched.expired());
}

TEST_CASE("ready_list: arguments may be values that only move", "[transport][ready_list]") {
  asio::io_context context;
  ready_list ready(context.get_executor());
  int seen = 0;
  using signature = void(std::error_code, std::unique_ptr<int>);

  ready.complete(
      make_completion<signature>(
          [&](std::error_code, std::unique_ptr<int> value) { seen = *value; }, ready.executor()),
      std::error_code(), std::make_unique<int>(5));
  context.run();

  CHECK(seen == 5);
}

TEST_CASE("ready_list: it may be gone when its handlers run", "[transport][ready_list]") {
  asio::io_context context;
  bool ran = false;
  {
    ready_list ready(context.get_executor());
    ready.complete(own(ready, [&](std::error_code) { ran = true; }), std::error_code());
  }

  context.run();

  CHECK(ran);
}

TEST_CASE("ready_list: a context destroyed with handlers ready destroys them uninvoked",
          "[transport][ready_list]") {
  auto context = std::make_unique<asio::io_context>();
  ready_list ready(context->get_executor());
  const auto token = std::make_shared<int>(0);
  bool ran = false;
  ready.complete(own(ready, [&ran, token](std::error_code) { ran = true; }), std::error_code());

  context.reset();

  CHECK_FALSE(ran);
  CHECK(token.use_count() == 1);
  CHECK_FALSE(ready.executor());
  ready.complete(make_completion<status_signature>([&ran, token](std::error_code) { ran = true; },
                                                   ready.executor()),
                 std::error_code());
  CHECK_FALSE(ran);
  CHECK(token.use_count() == 1);
}

TEST_CASE("ready_list: on a strand that dies with its context nothing dangles",
          "[transport][ready_list]") {
  auto context = std::make_unique<asio::io_context>();
  ready_list ready(asio::make_strand(*context));
  ready.complete(own(ready, [](std::error_code) {}), std::error_code());

  context.reset();

  CHECK_FALSE(ready.executor());
}

TEST_CASE("ready_list: a handler of another executor runs there, and its context waits for it",
          "[transport][ready_list]") {
  asio::io_context context;
  asio::io_context elsewhere;
  ready_list ready(context.get_executor());
  asio::io_context* ran_on = nullptr;
  auto handler = asio::bind_executor(elsewhere.get_executor(), [&](std::error_code) {
    ran_on = elsewhere.get_executor().running_in_this_thread() ? &elsewhere : &context;
  });
  auto waiting = own(ready, std::move(handler));
  CHECK(waiting.elsewhere);

  elsewhere.poll();
  CHECK_FALSE(elsewhere.stopped());  // the waiting handler counts as work there
  ready.complete(std::move(waiting), std::error_code());
  context.run();
  CHECK(ran_on == nullptr);
  elsewhere.run();

  CHECK(ran_on == &elsewhere);
}

TEST_CASE("ready_list: operations of two threads' executors complete on each",
          "[transport][ready_list][threads]") {
  asio::io_context context;
  asio::thread_pool pool(2);
  auto pair = make_memory_streams(context.get_executor());
  constexpr int rounds = 500;
  int completed = 0;  // touched on the strand only
  const auto strand = asio::make_strand(pool);
  std::array<char, 8> memory;
  const auto text = std::string("ping");
  std::promise<void> all;

  std::function<void()> round = [&] {
    pair.first->async_write_some(asio::buffer(text),
                                 asio::bind_executor(strand, [&](std::error_code, std::size_t) {}));
    pair.second->async_read_some(
        asio::buffer(memory), asio::bind_executor(strand, [&](std::error_code error, std::size_t) {
          REQUIRE_FALSE(error);
          if (++completed == rounds) return all.set_value();
          asio::post(context, round);
        }));
  };
  auto work = asio::make_work_guard(context);
  std::thread runner([&] { context.run(); });
  asio::post(context, round);
  all.get_future().wait();
  work.reset();
  runner.join();
  pool.join();

  CHECK(completed == rounds);
}

TEST_CASE("pending_operation: a signal after completion finds nothing",
          "[transport][pending_operation]") {
  asio::io_context context;
  asio::cancellation_signal signal;
  pending_operation<status_signature> place;
  int cancelled = 0;
  auto handler = asio::bind_cancellation_slot(signal.slot(), [](std::error_code) {});
  place.start(make_completion<status_signature>(handler, context.get_executor()),
              [&] { ++cancelled; });
  CHECK(place);

  signal.emit(asio::cancellation_type::none);
  CHECK(cancelled == 0);
  signal.emit(asio::cancellation_type::total);
  CHECK(cancelled == 1);

  const auto taken = place.take();
  signal.emit(asio::cancellation_type::total);
  CHECK(cancelled == 1);
  CHECK_FALSE(place);
}

TEST_CASE("pending_operation: its cancel function may take it", "[transport][pending_operation]") {
  asio::io_context context;
  asio::cancellation_signal signal;
  const auto place = std::make_shared<pending_operation<status_signature>>();
  const auto token = std::make_shared<int>(3);
  int seen = 0;
  auto handler = asio::bind_cancellation_slot(signal.slot(), [](std::error_code) {});
  place->start(make_completion<status_signature>(handler, context.get_executor()),
               [place = place.get(), token, &seen] {
                 const auto taken = place->take();  // destroys the function that runs
                 seen = *token;
               });

  signal.emit(asio::cancellation_type::terminal);

  CHECK(seen == 3);
  CHECK(token.use_count() == 1);
}

TEST_CASE("ready_list: what is behind the last jobs runs after them, in the same drain",
          "[transport][ready_list]") {
  asio::io_context context;
  ready_list ready(context.get_executor());
  std::string ran;
  const auto behind = [&](char name) {
    ready.complete_behind(own(ready, [&ran, name](std::error_code) { ran += name; }),
                          std::error_code());
  };
  const auto worker = make_driver<last_worker>(context.get_executor(), ready);
  worker->also = [&] {
    ran += 'j';
    if (worker->runs > 1) return;
    worker->schedule();
    behind('c');
  };
  behind('b');
  worker->schedule();
  ready.complete(own(ready, [&](std::error_code) { ran += 'h'; }), std::error_code());
  std::string by_then;
  asio::post(context, [&] { by_then = ran; });

  context.run();

  CHECK(by_then == "hjb");
  CHECK(ran == "hjbjc");
}

TEST_CASE("ready_list: what is behind the last jobs goes with the context",
          "[transport][ready_list]") {
  auto context = std::make_unique<asio::io_context>();
  ready_list ready(context->get_executor());
  const auto held = std::make_shared<int>(1);
  ready.complete_behind(own(ready, [held](std::error_code) { FAIL("ran"); }), std::error_code());
  CHECK(held.use_count() == 2);
  context.reset();
  CHECK(held.use_count() == 1);
}
