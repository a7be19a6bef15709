// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/ip/udp.hpp>
#include <asio/steady_timer.hpp>
#include <memory>
#include <optional>
#include <vector>

#include "strata/h3/client.hpp"
#include "strata/transport/driver/driver_registry.hpp"
#include "strata/transport/driver/ech_attempts.hpp"
#include "strata/transport/driver/pending_operation.hpp"
#include "strata/transport/driver/ready_list.hpp"

namespace strata::h3 {
inline namespace v0 {
namespace detail {

/// From a target to a connected client: resolves, and dials one address after the other, the next
/// one as soon as one failed or the last has been silent for a while (RFC 8305 section 5). The
/// first finished handshake wins. What is under way keeps it alive. When ECH is rejected and may be
/// tried again, that is one attempt more, at the address that rejected it.
class connection_dial final : public transport::driver {
 public:
  connection_dial(const transport::ready_list& ready, client_options options);

  void start(transport::completion<client_signature> waiting);

 private:
  /// Whoever answers for a name must not make us knock on hundreds of doors.
  static constexpr std::size_t max_addresses = 16;

  void shutdown() noexcept override;
  void resolve();
  void on_resolved(std::error_code error, const asio::ip::udp::resolver::results_type& found);
  std::error_code open_endpoint();
  void dial_next();
  void dial(const transport::address& remote);
  void on_dialled(std::error_code error, bool decides, quic::connection connection);
  bool tries_ech_again(const transport::address& remote, const quic::connection& failed);
  void finish(std::error_code error, client made);
  client make_client(quic::connection connection);
  std::shared_ptr<connection_dial> self() {
    return std::static_pointer_cast<connection_dial>(shared_from_this());
  }

  transport::ready_list ready_;
  client_options options_;
  std::optional<asio::ip::udp::resolver> resolver_;
  std::optional<asio::steady_timer> timer_;
  std::optional<quic::endpoint> endpoint_;
  std::vector<transport::address> addresses_;
  std::size_t started_ = 0;
  std::size_t under_way_ = 0;
  std::optional<transport::ech_attempts> ech_;
  unsigned ech_rounds_ = 0;          ///< How often another offer was made.
  std::error_code error_;            ///< Of the first attempt that failed.
  quic::connection failed_attempt_;  ///< It knows why.
  transport::pending_operation<client_signature> waiting_;
};

void dial(const asio::any_io_executor& executor, client_options options,
          transport::completion<client_signature> waiting);

}  // namespace detail
}  // namespace v0
}  // namespace strata::h3
