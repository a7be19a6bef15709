// SPDX-License-Identifier: Apache-2.0
// The dialer and the listener of TLS.
#include "strata/transport/tls_stream.hpp"

#include <utility>

#include "driver/tls_driver.hpp"
#include "strata/transport/driver/ech_attempts.hpp"
#include "strata/transport/driver/upgrading_dialer.hpp"
#include "strata/transport/driver/upgrading_listener.hpp"

namespace strata::transport {
inline namespace v0 {
namespace {

using made_handler = asio::any_completion_handler<stream_signature>;

struct as_stream {
  std::unique_ptr<stream> operator()(std::error_code, std::unique_ptr<tls_stream> from) {
    return from;
  }
};

/// The handshake for whoever waits for any stream.
void upgrade(const detail::tls_setting& setting, std::unique_ptr<stream> carrier,
             made_handler made) {
  auto handler = convert_completion<as_stream>(completion<stream_signature>{std::move(made)});
  detail::start_tls(setting, std::move(carrier),
                    make_completion<tls_signature>(std::move(handler), setting.ready.executor()));
}

detail::tls_setting asking_for(const target& where, detail::tls_setting setting) {
  if (setting.options.server_name.empty()) setting.options.server_name = where.host();
  return setting;
}

/// One dial, handshake after handshake.
struct dial_course {
  ech_attempts attempts;
  tls_failure failure;  ///< Of the handshake that failed last.
};

/// For the next handshake of a dial.
detail::tls_setting next_of(const std::shared_ptr<dial_course>& course,
                            detail::tls_setting setting) {
  setting.context = course->attempts.context();
  setting.options.on_failure =
      [course, told = std::move(setting.options.on_failure)](const tls_failure& why) {
        course->failure = why;
        if (told) told(why);
      };
  return setting;
}

bool goes_on(dial_course& course) {
  const tls_failure why = std::exchange(course.failure, {});
  return course.attempts.again(why.ech, why.retry_configs);
}

}  // namespace

class tls_dialer::state {
 public:
  state(const ready_list& ready, tls_context context, tls_stream_options options)
      : setting(ready, std::move(context), std::move(options)) {}

  detail::tls_setting setting;
  std::shared_ptr<upgrading_dialer<stream>> driver;
};

tls_dialer::tls_dialer(std::shared_ptr<stream_dialer> carriers, tls_context context,
                       tls_stream_options options)
    : state_(std::make_unique<state>(ready_list(carriers->get_executor()), std::move(context),
                                     std::move(options))) {
  const detail::tls_setting& setting = state_->setting;
  state_->driver = make_driver<upgrading_dialer<stream>>(
      setting.ready.executor(), setting.ready, std::move(carriers),
      [setting](const target& where, std::unique_ptr<stream> carrier, made_handler made) {
        upgrade(asking_for(where, setting), std::move(carrier), std::move(made));
      });
}

tls_dialer::~tls_dialer() { state_->driver->abort_all(); }
asio::any_io_executor tls_dialer::do_executor() noexcept { return state_->driver->executor(); }
void tls_dialer::do_dial(const target& where, completion<stream_signature> waiting) {
  const detail::tls_setting& setting = state_->setting;
  if (!setting.context.offers_ech()) return state_->driver->dial(where, std::move(waiting));
  const auto course = std::make_shared<dial_course>(
      dial_course{ech_attempts(setting.context, setting.options.ech), {}});
  state_->driver->dial(
      where, std::move(waiting),
      {[setting, course](const target& to, std::unique_ptr<stream> carrier, made_handler made) {
         upgrade(next_of(course, asking_for(to, setting)), std::move(carrier), std::move(made));
       },
       [course](std::error_code) { return goes_on(*course); }});
}

class tls_listener::state {
 public:
  std::shared_ptr<detail::tls_setting> setting;
  std::shared_ptr<upgrading_listener<stream>> driver;
};

tls_listener::tls_listener(std::unique_ptr<stream_listener> carriers, tls_context context,
                           tls_stream_options options)
    : state_(std::make_unique<state>()) {
  const ready_list ready(carriers->get_executor());
  state_->setting =
      std::make_shared<detail::tls_setting>(ready, std::move(context), std::move(options));
  state_->driver = make_driver<upgrading_listener<stream>>(
      ready.executor(), ready, std::move(carriers),
      [setting = state_->setting](std::unique_ptr<stream> carrier, made_handler made) {
        upgrade(*setting, std::move(carrier), std::move(made));
      },
      upgrade_limits());
}

tls_listener::~tls_listener() { state_->driver->close(); }
void tls_listener::close() noexcept { state_->driver->close(); }
address tls_listener::local_address() const noexcept { return state_->driver->local_address(); }
void tls_listener::use(tls_context context) { state_->setting->context = std::move(context); }
asio::any_io_executor tls_listener::do_executor() noexcept { return state_->driver->executor(); }
void tls_listener::do_accept(completion<stream_signature> waiting) {
  state_->driver->accept(std::move(waiting));
}

}  // namespace v0
}  // namespace strata::transport
