// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "driver/exchange_driver.hpp"
#include "strata/transport/core/doh_message.hpp"
#include "strata/transport/doh.hpp"

namespace strata::transport {
inline namespace v0 {
namespace {

class doh_codec final : public detail::exchange_codec {
 public:
  explicit doh_codec(std::shared_ptr<const doh_options> options) : options_(std::move(options)) {}

  result<std::string> request(bytes query) override {
    std::string out;
    const bool gets = options_->method == doh_method::get;
    const std::string path = gets ? doh_path(options_->path, query) : options_->path;
    const auto written =
        append_doh_request(out, {options_->authority, path}, gets ? bytes() : query);
    if (!written) return std::unexpected(written.error());
    return out;
  }
  result<std::size_t> receive(bytes input) override { return reader_.receive(input); }
  result<void> receive_end() override { return reader_.receive_end(); }
  bool is_done() const override { return reader_.is_done(); }
  dns_reply take() override { return {reader_.message(), reader_.age()}; }
  bool is_persistent() const override { return reader_.is_persistent(); }

 private:
  std::shared_ptr<const doh_options> options_;
  doh_reply_reader reader_;
};

}  // namespace

doh_exchange::doh_exchange(std::shared_ptr<stream_dialer> streams, doh_options options) {
  const ready_list ready(streams->get_executor());
  const auto shared = std::make_shared<const doh_options>(std::move(options));
  detail::exchange_setting setting{std::move(streams), shared->server,
                                   [shared] { return std::make_unique<doh_codec>(shared); }};
  driver_ = make_driver<detail::exchange_driver>(ready.executor(), ready, std::move(setting));
}

doh_exchange::~doh_exchange() { driver_->abort_all(); }
asio::any_io_executor doh_exchange::do_executor() noexcept { return driver_->executor(); }
void doh_exchange::do_exchange(std::vector<std::byte> query,
                               completion<dns_exchange_signature> waiting) {
  driver_->exchange(std::move(query), std::move(waiting));
}

}  // namespace v0
}  // namespace strata::transport
