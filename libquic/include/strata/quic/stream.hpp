// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>

#include "strata/quic/export.hpp"
#include "strata/transport/stream.hpp"

namespace strata::quic {
inline namespace v0 {

namespace detail {
class endpoint_driver;
struct stream_reference;
}  // namespace detail

/// One QUIC stream as a transport::stream (carrier row QUIC of the stream contract: half close,
/// visible resets with their 62-bit codes, an end that proves itself), with what only QUIC can do.
class STRATA_QUIC_API stream final : public transport::stream {
 public:
  ~stream() override;

  std::uint64_t id() const noexcept;
  bool is_bidirectional() const noexcept;
  /// This side opened it.
  bool is_local() const noexcept;

  /// RESET_STREAM and STOP_SENDING with `code`.
  void reset(std::uint64_t code) noexcept override;
  transport::stream_traits traits() const noexcept override;
  transport::peer_codes codes() const noexcept override;

  /// RFC 9218: urgency 0 (first) to 7, streams of one urgency in turns when incremental.
  void prioritize(std::uint8_t urgency, bool incremental) noexcept;

  /// Sends from the caller's memory without a copy. It completes when the peer has acknowledged
  /// every byte, or with what made that impossible; until then the memory must stay as it is.
  /// Writes keep their order; at most 16 may be outstanding.
  template <asio::completion_token_for<transport::status_signature> Token = asio::deferred_t>
  auto async_write_borrowed(asio::const_buffer data, Token&& token = Token()) {
    return asio::async_initiate<Token, transport::status_signature>(initiate_borrowed{this}, token,
                                                                    data);
  }

 private:
  friend class detail::endpoint_driver;
  explicit stream(std::unique_ptr<detail::stream_reference> reference) noexcept;

  struct initiate_borrowed {
    using executor_type = transport::stream::executor_type;
    stream* self;
    executor_type get_executor() const noexcept { return self->do_executor(); }
    template <class Handler>
    void operator()(Handler&& handler, asio::const_buffer data) const {
      self->do_write_borrowed(data, transport::make_completion<transport::status_signature>(
                                        std::forward<Handler>(handler), self->do_executor()));
    }
  };

  asio::any_io_executor do_executor() noexcept override;
  void do_read_some(std::span<const asio::mutable_buffer>,
                    transport::completion<transport::io_signature>) override;
  void do_write_some(std::span<const asio::const_buffer>,
                     transport::completion<transport::io_signature>) override;
  void do_finish(transport::completion<transport::status_signature>) override;
  void do_wait_closed(transport::completion<transport::status_signature>) override;
  void do_write_borrowed(asio::const_buffer data,
                         transport::completion<transport::status_signature>);

  std::unique_ptr<detail::stream_reference> reference_;
};

}  // namespace v0
}  // namespace strata::quic
