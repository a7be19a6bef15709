// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <span>

#include "strata/transport/driver/carried_stream_driver.hpp"
#include "strata/transport/tls_stream.hpp"
#include "tls/tls_connection.hpp"

namespace strata::transport {
inline namespace v0 {
namespace detail {

class tls_view {
 public:
  explicit tls_view(tls_connection& of) noexcept : of_(&of) {}
  result<std::size_t> read(std::span<const mutable_bytes> to);
  /// Whether bytes or the end are there TLS knows only by decrypting.
  std::optional<std::error_code> ahead() const {
    return of_->readable() ? std::optional(std::error_code()) : std::nullopt;
  }
  result<std::size_t> write(std::span<const bytes> from) { return of_->write(from); }
  result<void> finish() { return of_->finish(); }
  void reset(std::uint32_t) { of_->reset(); }
  void forget() {}

 private:
  tls_connection* of_;
};

/// The pages of the connection, which its core gives back last of all.
struct tls_pages {
  std::shared_ptr<page_store> store;
};

/// What the handshakes of one dialer or listener share.
struct tls_setting {
  tls_setting(const ready_list& on, tls_context with, tls_stream_options chosen)
      : ready(on),
        input(chosen.read_size, 4),
        store(std::make_shared<page_store>()),
        context(std::move(with)),
        options(std::move(chosen)) {}

  ready_list ready;
  page_pool input;
  std::shared_ptr<page_store> store;
  tls_context context;
  tls_stream_options options;
};

class tls_driver final : private tls_pages, public carried_stream_driver<tls_connection, tls_view> {
 public:
  tls_driver(const tls_setting& setting, std::unique_ptr<stream> carrier);

  void handshake(completion<tls_signature> waiting);
  const tls_connection& connection() const noexcept { return core(); }
  duration linger() const noexcept { return options_.linger; }

 private:
  void on_turn(time_point now) override;
  void on_shutdown() noexcept override;
  void on_failed();
  void end_handshake(std::error_code error);

  tls_stream_options options_;
  pending_operation<tls_signature> handshake_;
};

void start_tls(const tls_setting& setting, std::unique_ptr<stream> carrier,
               completion<tls_signature> waiting);

}  // namespace detail
}  // namespace v0
}  // namespace strata::transport
