// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>

#include "strata/transport/core/error.hpp"
#include "strata/transport/resolver.hpp"
#include "strata/transport/tcp.hpp"

namespace strata::transport {
inline namespace v0 {

struct resolving_dialer_options {
  tcp_dialer_options tcp;
  /// Which addresses may be connected to; without it all. It is asked about the very address that
  /// is dialled next, of targets with a name and without, so that a name cannot be checked and then
  /// lead elsewhere. When it admits none, the dial fails with `not_admitted`.
  std::function<bool(const address&)> admits;
  std::error_code not_admitted = make_error_code(errc::refused);
};

/// Opens TCP connections as tcp_dialer does, to names that a resolver knows instead of the system.
class STRATA_TRANSPORT_API resolving_dialer final : public stream_dialer {
 public:
  explicit resolving_dialer(std::shared_ptr<resolver> names, resolving_dialer_options options = {});
  ~resolving_dialer() override;

 private:
  class state;
  asio::any_io_executor do_executor() noexcept override;
  void do_dial(const target& where, completion<stream_signature> waiting) override;

  std::shared_ptr<state> state_;
};

}  // namespace v0
}  // namespace strata::transport
