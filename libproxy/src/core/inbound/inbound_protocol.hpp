// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <system_error>

#include "strata/proxy/core/error.hpp"
#include "strata/proxy/core/request.hpp"
#include "strata/transport/core/bytes.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace core {

/// One protocol of an inbound_opening: reads what the client says, and writes the answers.
class inbound_protocol {
 public:
  enum class stage : std::uint8_t {
    reading,
    deciding,  ///< wanted() is complete.
    granted,
    refused,  ///< For the reason error().
  };

  virtual ~inbound_protocol();
  inbound_protocol(const inbound_protocol&) = delete;
  inbound_protocol& operator=(const inbound_protocol&) = delete;

  /// Only while reading. Takes nothing behind the request.
  virtual std::size_t receive(transport::bytes input) = 0;
  /// Only while deciding.
  void grant(const transport::address& bound);
  /// The client gets its protocol's words for it.
  void refuse(refusal why);
  void fail(std::error_code why) noexcept;

  stage at() const noexcept { return stage_; }
  const request& wanted() const noexcept { return wanted_; }
  const std::error_code& error() const noexcept { return error_; }
  bool rejects_credentials() const noexcept { return rejects_credentials_; }
  transport::bytes output() const noexcept { return transport::as_bytes(output_).subspan(sent_); }
  void sent(std::size_t size);

 protected:
  explicit inbound_protocol(protocol spoken) { wanted_.spoken = spoken; }

  /// The whole request has come.
  void ask() noexcept { stage_ = stage::deciding; }
  void settle() noexcept { stage_ = stage::granted; }
  /// What can't be granted: the answer has been appended to output_, if there is one.
  void fail_credentials() noexcept;

  request wanted_;
  std::string output_;

 private:
  virtual void write_grant(const transport::address& bound) = 0;
  virtual void write_refusal(refusal why) = 0;

  std::error_code error_;
  std::size_t sent_ = 0;
  stage stage_ = stage::reading;
  bool rejects_credentials_ = false;
  bool awaits_peer_ = false;  // a BIND whose first answer was given
};

}  // namespace core
}  // namespace v0
}  // namespace strata::proxy
