// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <limits>
#include <memory>

#include "strata/transport/core/error.hpp"
#include "strata/transport/stream.hpp"

namespace strata::testkit {

/// What a scripted stream does to the operations it passes on. Reads, writes, waits and finishes
/// count as operations.
struct stream_script {
  static constexpr std::size_t never = std::numeric_limits<std::size_t>::max();

  std::size_t fail_at = never;  ///< The operation, counted from 0, that fails, and all after it.
  std::error_code failure = transport::errc::closed_by_peer;
  std::size_t max_read = never;   ///< Bytes that one read moves at most.
  std::size_t max_write = never;  ///< Bytes that one write moves at most.
};

/// Another stream, seen through a script. Run a protocol with fail_at = 0, 1, 2, ... until it
/// succeeds, and every place where its carrier can fail was visited; run it with max_read = 1, and
/// every message came in pieces.
class scripted_stream final : public transport::stream {
 public:
  scripted_stream(std::unique_ptr<transport::stream> inner, const stream_script& script);

  /// How many operations were started.
  std::size_t operations() const noexcept { return operations_; }
  transport::stream& inner() noexcept { return *inner_; }

  void reset(std::uint64_t code) noexcept override { inner_->reset(code); }
  transport::stream_traits traits() const noexcept override { return inner_->traits(); }
  transport::peer_codes codes() const noexcept override { return inner_->codes(); }

 private:
  asio::any_io_executor do_executor() noexcept override { return inner_->get_executor(); }
  void do_read_some(std::span<const asio::mutable_buffer> buffers,
                    transport::completion<transport::io_signature> waiting) override;
  void do_write_some(std::span<const asio::const_buffer> buffers,
                     transport::completion<transport::io_signature> waiting) override;
  void do_finish(transport::completion<transport::status_signature> waiting) override;
  void do_wait_closed(transport::completion<transport::status_signature> waiting) override;
  bool fails_now() noexcept { return operations_++ >= script_.fail_at; }

  std::unique_ptr<transport::stream> inner_;
  stream_script script_;
  std::size_t operations_ = 0;
};

}  // namespace strata::testkit
