// SPDX-License-Identifier: Apache-2.0
#include "strata/transport/dns_exchange.hpp"

#include <algorithm>
#include <utility>

#include "driver/exchange_driver.hpp"
#include "strata/transport/core/error.hpp"

namespace strata::transport {
inline namespace v0 {
namespace {

/// RFC 1035 section 4.2.2: two octets of length, then the message.
class length_prefixed_codec final : public detail::exchange_codec {
 public:
  result<std::string> request(bytes query) override {
    if (query.size() > limits::max_dns_message)
      return std::unexpected(make_error_code(errc::message_too_large));
    std::string out;
    out += static_cast<char>(query.size() >> 8);
    out += static_cast<char>(query.size());
    out += as_text(query);
    return out;
  }

  result<std::size_t> receive(bytes input) override {
    const std::size_t size = std::min(input.size(), wanted() - received_.size());
    received_.insert(received_.end(), input.begin(), input.begin() + static_cast<long>(size));
    if (received_.size() == prefix && size < input.size()) {
      const auto more = receive(input.subspan(size));
      return size + *more;
    }
    return size;
  }

  result<void> receive_end() override {
    if (is_done()) return {};
    return std::unexpected(make_error_code(errc::truncated));
  }

  bool is_done() const override {
    return received_.size() >= prefix && received_.size() == wanted();
  }

  dns_reply take() override {
    received_.erase(received_.begin(), received_.begin() + prefix);
    return {std::move(received_), std::chrono::seconds(0)};
  }

  bool is_persistent() const override { return false; }

 private:
  static constexpr std::size_t prefix = 2;

  std::size_t wanted() const {
    if (received_.size() < prefix) return prefix;
    return prefix + (std::to_integer<std::size_t>(received_[0]) << 8) +
           std::to_integer<std::size_t>(received_[1]);
  }

  std::vector<std::byte> received_;
};

}  // namespace

dns_exchange::~dns_exchange() = default;

stream_dns_exchange::stream_dns_exchange(std::shared_ptr<stream_dialer> streams, target server,
                                         bool is_encrypted)
    : is_encrypted_(is_encrypted) {
  const ready_list ready(streams->get_executor());
  detail::exchange_setting setting{std::move(streams), std::move(server),
                                   [] { return std::make_unique<length_prefixed_codec>(); }};
  driver_ = make_driver<detail::exchange_driver>(ready.executor(), ready, std::move(setting));
}

stream_dns_exchange::~stream_dns_exchange() { driver_->abort_all(); }
asio::any_io_executor stream_dns_exchange::do_executor() noexcept { return driver_->executor(); }
void stream_dns_exchange::do_exchange(std::vector<std::byte> query,
                                      completion<dns_exchange_signature> waiting) {
  driver_->exchange(std::move(query), std::move(waiting));
}

}  // namespace v0
}  // namespace strata::transport
