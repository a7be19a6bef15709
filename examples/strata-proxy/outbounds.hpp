// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/any_io_executor.hpp>
#include <memory>
#include <string>

#include "configuration.hpp"
#include "strata/proxy/proxy_server.hpp"

/// Outbounds and rules as the configuration says; null, with `problem` saying why.
std::shared_ptr<const strata::proxy::proxy_routes> make_routes(
    const asio::any_io_executor& executor, const configuration& from, std::string& problem);
