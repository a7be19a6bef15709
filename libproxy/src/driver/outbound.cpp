// SPDX-License-Identifier: Apache-2.0
#include "strata/proxy/outbound.hpp"

#include <utility>

#include "strata/transport/driver/ready_list.hpp"

namespace strata::proxy {
inline namespace v0 {

outbound::~outbound() = default;

transport::result<std::unique_ptr<transport::stream_listener>> outbound::listen(
    const transport::target&) {
  return std::unexpected(make_error_code(errc::command_not_supported));
}

void outbound::do_associate(transport::completion<associate_signature> waiting) {
  transport::ready_list ready(get_executor());
  ready.complete(std::move(waiting), make_error_code(errc::command_not_supported),
                 std::unique_ptr<transport::datagram_socket>());
}

}  // namespace v0
}  // namespace strata::proxy
