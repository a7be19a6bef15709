// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "core/socks_target.hpp"
#include "strata/proxy/core/outbound_opening.hpp"
#include "strata/transport/core/buffer_reader.hpp"
#include "strata/transport/core/buffer_writer.hpp"
#include "strata/transport/core/error.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace core {

using transport::bytes;
using transport::next_action;
using transport::socks_address;

namespace {

constexpr std::string_view greeting_without_password("\5\1\0", 3);
constexpr std::string_view greeting_with_password("\5\2\0\2", 4);
constexpr std::size_t longest_credential = 255;

bool may_write_credential(std::string_view text) noexcept {
  return !text.empty() && text.size() <= longest_credential;
}

std::error_code error_of_reply(std::size_t code) noexcept {
  constexpr std::size_t last_code = 8;
  if (code > last_code) return errc::upstream_failed;
  return error_of(static_cast<refusal>(code - 1));
}

}  // namespace

class socks_client_opening::state {
 public:
  state(command asked, const transport::target& where, const std::optional<credentials>& who);

  next_action next() const;
  void sent(std::size_t size);
  std::size_t receive(bytes input);
  void fail(std::error_code why) noexcept {
    if (!error_ && part_ != part::over) error_ = why;
  }
  const transport::address& bound() const noexcept { return bound_; }

 private:
  enum class part : std::uint8_t { method, verdict, reply, over };

  bool write_request(command asked, const transport::target& where);
  bool write_login(const credentials& who);
  std::size_t wanted_size() const noexcept;
  void read_message();
  void read_method();
  void read_reply();
  void send(std::string_view message, part next) {
    output_ = message;
    part_ = next;
  }
  std::size_t octet(std::size_t at) const noexcept {
    return std::to_integer<std::size_t>(message_[at]);
  }

  std::string login_;  // empty: there are no credentials
  std::string request_;
  std::string_view output_;
  std::array<std::byte, 3 + socks_address::max_encoded_size> message_{};  // a reply is the longest
  std::size_t size_ = 0;
  transport::address bound_;
  std::error_code error_;
  unsigned replies_left_ = 1;
  part part_ = part::method;
};

socks_client_opening::state::state(command asked, const transport::target& where,
                                   const std::optional<credentials>& who) {
  if (!write_request(asked, where) || (who && !write_login(*who)))
    fail(transport::errc::invalid_argument);
  output_ = who ? greeting_with_password : greeting_without_password;
  if (asked == command::bind) replies_left_ = 2;
}

bool socks_client_opening::state::write_request(command asked, const transport::target& where) {
  const std::uint8_t code = asked == command::connect         ? 1
                            : asked == command::bind          ? 2
                            : asked == command::udp_associate ? 3
                                                              : 0;
  if (code == 0 || !where.is_valid() || where.ip().scope_id() != 0) return false;
  if (asked == command::connect && where.port() == 0) return false;
  std::array<std::byte, 3 + socks_address::max_encoded_size> memory;
  transport::buffer_writer writer(memory);
  writer.u8(5);
  writer.u8(code);
  writer.u8(0);
  transport::encode(socks_address_of(where), writer);
  request_ = transport::as_text(writer.written());
  return writer.ok();
}

bool socks_client_opening::state::write_login(const credentials& who) {
  if (!may_write_credential(who.user) || !may_write_credential(who.password)) return false;
  login_.push_back(1);
  login_.push_back(static_cast<char>(who.user.size()));
  login_.append(who.user);
  login_.push_back(static_cast<char>(who.password.size()));
  login_.append(who.password);
  return true;
}

next_action socks_client_opening::state::next() const {
  using enum next_action::kind_type;
  if (error_) return {failed, {}, error_};
  if (part_ == part::over) return {done, {}, {}};
  if (!output_.empty()) return {send, transport::as_bytes(output_), {}};
  return {need_input, {}, {}};
}

void socks_client_opening::state::sent(std::size_t size) {
  output_.remove_prefix(std::min(size, output_.size()));
}

/// Nothing is taken while something is to be sent: an answer to what was not asked is none.
std::size_t socks_client_opening::state::receive(bytes input) {
  std::size_t taken = 0;
  while (taken < input.size() && output_.empty() && part_ != part::over && !error_) {
    const std::size_t more = std::min(wanted_size() - size_, input.size() - taken);
    transport::copy_bytes(message_.data() + size_, input.subspan(taken, more));
    size_ += more;
    taken += more;
    if (size_ != wanted_size()) continue;
    const bool first_of_two = part_ == part::reply && replies_left_ == 2;
    read_message();
    size_ = 0;
    // The owner has to see where a BIND waits before somebody comes.
    if (first_of_two) break;
  }
  return taken;
}

/// How long the message is at least, by what has come of it; as long as that is: it is complete. A
/// refusal is read no further than its code, behind which some proxies send nothing.
std::size_t socks_client_opening::state::wanted_size() const noexcept {
  constexpr std::size_t before_address = 4;
  constexpr std::size_t port_size = 2;
  if (part_ != part::reply || size_ < 2 || octet(0) != 5 || octet(1) != 0) return 2;
  if (size_ < before_address) return before_address;
  switch (octet(before_address - 1)) {
    case 1: return before_address + 4 + port_size;
    case 3:
      return size_ == before_address ? before_address + 1
                                     : before_address + 1 + octet(before_address) + port_size;
    case 4: return before_address + 16 + port_size;
    default: return before_address;
  }
}

void socks_client_opening::state::read_message() {
  switch (part_) {
    case part::method: return read_method();
    case part::verdict:
      if (octet(0) != 1) return fail(transport::errc::protocol_error);
      if (octet(1) != 0) return fail(errc::authentication_failed);
      return send(request_, part::reply);
    case part::reply: return read_reply();
    case part::over: return;
  }
}

void socks_client_opening::state::read_method() {
  constexpr std::size_t open_to_all = 0;
  constexpr std::size_t with_password = 2;
  constexpr std::size_t none_is_acceptable = 0xff;
  if (octet(0) != 5) return fail(transport::errc::protocol_error);
  switch (octet(1)) {
    case open_to_all: return send(request_, part::reply);
    case with_password:
      // A password is not asked of who offered none.
      if (login_.empty()) return fail(transport::errc::protocol_error);
      return send(login_, part::verdict);
    case none_is_acceptable:
      return fail(login_.empty() ? errc::authentication_required : errc::upstream_failed);
    default: return fail(transport::errc::protocol_error);
  }
}

void socks_client_opening::state::read_reply() {
  if (octet(0) != 5) return fail(transport::errc::protocol_error);
  if (octet(1) != 0) return fail(error_of_reply(octet(1)));
  transport::buffer_reader reader(bytes(message_).first(size_));
  reader.skip(3);
  const std::uint8_t type = reader.u8();
  if (type != 1 && type != 3 && type != 4) return fail(transport::errc::protocol_error);
  const std::size_t size = type == 1 ? 4 : type == 4 ? 16 : reader.u8();
  const bytes host = reader.take(size);
  // What a name says is of no use: nobody looks it up.
  bound_ = type == 3 ? transport::address() : transport::address(host, reader.u16());
  if (--replies_left_ == 0) part_ = part::over;
}

socks_client_opening::socks_client_opening(command asked, const transport::target& where,
                                           const std::optional<credentials>& who)
    : state_(std::make_unique<state>(asked, where, who)) {}
socks_client_opening::~socks_client_opening() = default;
socks_client_opening::socks_client_opening(socks_client_opening&&) noexcept = default;
socks_client_opening& socks_client_opening::operator=(socks_client_opening&&) noexcept = default;

next_action socks_client_opening::next() const { return state_->next(); }
void socks_client_opening::sent(std::size_t size) { state_->sent(size); }
std::size_t socks_client_opening::receive(bytes input) { return state_->receive(input); }
void socks_client_opening::receive_end() { state_->fail(transport::errc::truncated); }
const transport::address& socks_client_opening::bound() const noexcept { return state_->bound(); }

}  // namespace core
}  // namespace v0
}  // namespace strata::proxy
