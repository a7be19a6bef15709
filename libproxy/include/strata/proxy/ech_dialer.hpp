// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "strata/proxy/core/error.hpp"
#include "strata/proxy/export.hpp"
#include "strata/transport/core/clock.hpp"
#include "strata/transport/resolver.hpp"
#include "strata/transport/stream_dialer.hpp"
#include "strata/transport/tls.hpp"
#include "strata/transport/tls_stream.hpp"

namespace strata::proxy {
inline namespace v0 {

/// What the carriers of an ech_dialer are dialled by.
enum class ech_route : std::uint8_t {
  /// The addresses that the resolver gave with the configuration: nobody is told the name.
  addresses,
  /// The name that the HTTPS record leads to: for a chain, whose far end looks it up.
  names,
};

struct ech_dialer_options {
  /// `server_name` is whom to ask for and to verify when that is not the target's host. `ech`
  /// counts with allow_without_ech only.
  transport::tls_stream_options tls{};
  /// Where DNS answers that there is no configuration, go on in plain: the name is shown to the
  /// path. Not where DNS fails to answer.
  bool allow_without_ech = false;
  /// An ECHConfigList, as bytes or as base64, in place of the one in DNS.
  std::vector<std::byte> config_list{};
  /// Whose HTTPS record has the configurations, when they are not the target's own: many names of
  /// one provider share them.
  std::string config_name{};
  ech_route route = ech_route::addresses;
  /// How long a carrier may be dialled before the next address is tried beside it (RFC 8305
  /// section 5).
  transport::duration attempt_delay = std::chrono::milliseconds(250);
};

/// Dials TLS with Encrypted Client Hello. The configuration and the addresses come from the HTTPS
/// records of the target's name and port (RFC 9848); a resolver over DoH keeps the name from the
/// path there, too.
///
/// It is strict: without a configuration it connects to nobody. Errors: ech_unavailable (DNS has
/// none that can be used), those of the resolver, ech_rejected and others of tls_dialer. A server
/// that rejects ECH is dialled once more, with what it names instead, and never in plain.
class STRATA_PROXY_API ech_dialer final : public transport::stream_dialer {
 public:
  /// `names` may be null when nothing has to be looked up. `base` offers no ECH of its own, and has
  /// TLS 1.3 alone. All of them run on the executor of `carriers`.
  ech_dialer(std::shared_ptr<transport::resolver> names,
             std::shared_ptr<transport::stream_dialer> carriers, transport::tls_context base,
             ech_dialer_options options = {});
  ~ech_dialer() override;

 private:
  struct state;
  asio::any_io_executor do_executor() noexcept override;
  void do_dial(const transport::target& where,
               transport::completion<transport::stream_signature> waiting) override;

  std::shared_ptr<state> state_;
};

}  // namespace v0
}  // namespace strata::proxy
