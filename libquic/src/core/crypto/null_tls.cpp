// SPDX-License-Identifier: Apache-2.0
#include "strata/quic/core/null_tls.hpp"

#include <algorithm>
#include <utility>

#include "core/crypto/null_session.hpp"
#include "strata/transport/core/error.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {
namespace {

using transport::errc;

constexpr std::size_t max_name_size = 255;
constexpr std::size_t max_parameters_size = 65'535;

class null_tls final : public tls_backend {
 public:
  null_tls(transport::random_source& random, null_tls_options options)
      : random_(random), options_(std::move(options)) {}

  result<std::unique_ptr<tls_session>> connect(std::string_view server_name,
                                               bytes transport_parameters) override {
    return begin(role::client, server_name, transport_parameters);
  }
  result<std::unique_ptr<tls_session>> accept(bytes transport_parameters) override {
    return begin(role::server, {}, transport_parameters);
  }
  bool null_protection() const noexcept override { return true; }

 private:
  result<std::unique_ptr<tls_session>> begin(role side, std::string_view name, bytes parameters) {
    const auto fits = [](const std::string& protocol) {
      return !protocol.empty() && protocol.size() <= max_name_size;
    };
    const bool sound = !options_.alpn.empty() && options_.alpn.size() <= max_name_size &&
                       std::all_of(options_.alpn.begin(), options_.alpn.end(), fits);
    if (!sound || name.size() > max_name_size || parameters.size() > max_parameters_size) {
      return std::unexpected(make_error_code(errc::invalid_argument));
    }
    null_session::beginning start{.side = side,
                                  .server_name = std::string(name),
                                  .transport_parameters = {parameters.begin(), parameters.end()},
                                  .random = {}};
    random_.fill(start.random);
    return std::make_unique<null_session>(std::move(start), options_);
  }

  transport::random_source& random_;
  null_tls_options options_;
};

}  // namespace

std::unique_ptr<tls_backend> make_null_tls(transport::random_source& random,
                                           null_tls_options options) {
  return std::make_unique<null_tls>(random, std::move(options));
}

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
