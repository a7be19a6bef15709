// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/inbound/forwarded_body.hpp"
#include "core/inbound/forwarded_head.hpp"
#include "core/inbound/lent_output.hpp"
#include "strata/proxy/core/http_forwarder.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace core {

class http_forwarder::state {
 public:
  state(const http_forwarder_config& config, const transport::http1_head& first,
        std::string_view user);

  const request* wanted() const noexcept { return at_ == phase::dialling ? &wanted_ : nullptr; }
  void connected();
  void refuse(refusal why);
  bool origin_reusable() const noexcept { return origin_reusable_; }

  bool wants_client() const noexcept;
  std::size_t receive_client(transport::bytes input);
  void end_client();
  bool wants_origin() const noexcept;
  std::size_t receive_origin(transport::bytes input);
  void end_origin(bool in_order);

  transport::bytes to_client() noexcept { return to_client_.lend(); }
  void sent_to_client(std::size_t size);
  transport::bytes to_origin() noexcept;
  void sent_to_origin(std::size_t size) noexcept { to_origin_->sent(size); }

  bool finished() const noexcept { return at_ == phase::over && to_client_.empty(); }
  bool broken() const noexcept { return is_broken_; }
  bool rejects_credentials() const noexcept { return rejects_credentials_; }
  bool is_idle() const noexcept;
  bool is_reading_head() const noexcept {
    return at_ == phase::reading_head && !requests_.is_idle();
  }
  std::uint64_t request_count() const noexcept { return request_count_; }

 private:
  enum class phase : std::uint8_t {
    reading_head,  ///< Of the next request.
    dialling,      ///< wanted().
    exchanging,    ///< The request goes to the origin, its response comes.
    over,
  };

  std::size_t receive_request_head(transport::bytes input);
  std::size_t receive_request_body(transport::bytes input);
  bool is_authorized(const transport::http1_head& head);
  void begin_request(const transport::http1_head& head);
  void answer_for_origin(std::string_view method);

  std::size_t receive_response_head(transport::bytes input);
  std::size_t receive_response_body(transport::bytes input);
  void begin_response();
  void forward_interim();
  void end_response();
  void fail_response();
  bool may_ask_again() const noexcept;

  void answer(const transport::http1_problem& problem);
  /// An answer of the proxy itself, or none where one has begun; the last of its connection.
  void end_with(refusal why);
  /// Without the rest of what was announced.
  void end_broken() noexcept;
  void end() noexcept;

  http_forwarder_config config_;
  transport::http1_head_parser requests_;
  transport::http1_head_parser responses_;
  forwarded_body request_body_;
  forwarded_body response_body_;
  forwarded_body::form request_form_ = forwarded_body::form::plain;
  transport::http1_framing request_framing_{};
  lent_output to_client_;
  std::unique_ptr<lent_output> to_origin_ = std::make_unique<lent_output>();
  // Of a carrier that is gone; a write that is not may still hold what it was lent.
  std::unique_ptr<lent_output> former_to_origin_;
  request wanted_;
  std::string request_head_;  // until a response comes: it may have to be sent again
  std::uint64_t request_count_ = 0;
  unsigned interim_ = 0;
  phase at_ = phase::reading_head;
  bool client_persists_ = false;
  bool client_is_1_0_ = false;
  bool client_ended_ = false;
  bool head_requested_ = false;
  bool is_safe_to_repeat_ = false;
  bool origin_was_used_ = false;  // the carrier of this request has served another
  bool origin_reusable_ = false;
  bool response_came_ = false;   // a byte of it
  bool response_begun_ = false;  // its final head has been forwarded
  bool is_broken_ = false;
  bool rejects_credentials_ = false;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::proxy
