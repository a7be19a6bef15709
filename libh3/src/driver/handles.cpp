// SPDX-License-Identifier: Apache-2.0
// The public handles: each function hands over to the driver.
#include "driver/connection_dial.hpp"
#include "driver/connection_driver.hpp"
#include "strata/transport/core/error.hpp"

namespace strata::h3 {
inline namespace v0 {
namespace {

const field_section no_fields;
const std::vector<interim_response> no_interim;
const transport::address nowhere;

}  // namespace

// message_stream

message_stream::message_stream(std::shared_ptr<detail::connection_driver> driver,
                               std::uint64_t id) noexcept
    : driver_(std::move(driver)), id_(id) {}
message_stream& message_stream::operator=(message_stream&& other) noexcept {
  if (this == &other) return *this;
  if (const auto driver = std::exchange(driver_, std::move(other.driver_)))
    driver->release_stream(id_);
  id_ = other.id_;
  return *this;
}
message_stream::~message_stream() {
  if (driver_) driver_->release_stream(id_);
}
message_stream::executor_type message_stream::get_executor() const noexcept {
  return driver_->executor();
}
const field_section& message_stream::trailers() const noexcept {
  const detail::message_entry* entry = driver_->entry_of(id_);
  return entry != nullptr ? entry->trailers : no_fields;
}
void message_stream::reset(error_code code) noexcept { driver_->reset(id_, code); }
void message_stream::stop_reading(error_code code) noexcept { driver_->stop_reading(id_, code); }
transport::peer_codes message_stream::codes() const noexcept {
  const detail::message_entry* entry = driver_->entry_of(id_);
  return entry != nullptr ? entry->codes : transport::peer_codes();
}

message_stream::executor_type message_stream::initiate::get_executor() const noexcept {
  return driver->executor();
}
void message_stream::initiate::start(
    const head_request&, transport::completion<transport::status_signature> waiting) const {
  driver->wait_head(id, std::move(waiting));
}
void message_stream::initiate::start(const read_request& request,
                                     transport::completion<transport::io_signature> waiting) const {
  driver->read_some(id, request.buffers, std::move(waiting));
}
void message_stream::initiate::start(const write_request& request,
                                     transport::completion<transport::io_signature> waiting) const {
  driver->write_all(id, request.from, request.fin, std::move(waiting));
}
void message_stream::initiate::start(
    const finish_request& request,
    transport::completion<transport::status_signature> waiting) const {
  driver->finish(id, request.trailers, std::move(waiting));
}
void message_stream::initiate::start(
    const send_headers_request& request,
    transport::completion<transport::status_signature> waiting) const {
  driver->send_headers(id, request.status, request.fields, std::move(waiting));
}

// exchange

const field_section& exchange::fields() const noexcept {
  const detail::message_entry* entry = driver_->entry_of(id_);
  return entry != nullptr ? entry->head : no_fields;
}
std::string_view exchange::method() const noexcept {
  return fields().find(known_field::pseudo_method).value_or("");
}
std::string_view exchange::scheme() const noexcept {
  return fields().find(known_field::pseudo_scheme).value_or("");
}
std::string_view exchange::authority() const noexcept {
  const auto named = fields().find(known_field::pseudo_authority);
  return named ? *named : fields().find(known_field::host).value_or("");
}
std::string_view exchange::path() const noexcept {
  return fields().find(known_field::pseudo_path).value_or("");
}
const transport::address& exchange::remote_address() const noexcept {
  return driver_->remote_address();
}
transport::result<void> exchange::respond(unsigned status, const field_section& fields,
                                          std::string_view body) {
  return driver_->respond(id_, status, fields, body);
}
transport::result<void> exchange::send_interim(unsigned status, const field_section& fields) {
  return driver_->send_interim(id_, status, fields);
}
bool exchange::headers_sent() const noexcept {
  const detail::message_entry* entry = driver_->entry_of(id_);
  return entry != nullptr && entry->head_sent;
}
bool exchange::finished() const noexcept {
  const detail::message_entry* entry = driver_->entry_of(id_);
  return entry == nullptr || entry->write_end == transport::errc::write_finished;
}

// response

unsigned response::status() const noexcept {
  const auto text = fields().find(known_field::pseudo_status);
  unsigned value = 0;
  for (const char digit : text.value_or(""))
    value = value * 10 + static_cast<unsigned>(digit - '0');
  return value;  // the core lets nothing but three digits through
}
const field_section& response::fields() const noexcept {
  const detail::message_entry* entry = driver_->entry_of(id_);
  return entry != nullptr ? entry->head : no_fields;
}
const std::vector<interim_response>& response::interim() const noexcept {
  const detail::message_entry* entry = driver_->entry_of(id_);
  return entry != nullptr ? entry->interim : no_interim;
}

// client

client::client() noexcept = default;
client::client(std::shared_ptr<detail::connection_driver> driver) noexcept
    : driver_(std::move(driver)) {
  driver_->hold();
}
client::client(client&&) noexcept = default;
client& client::operator=(client&& other) noexcept {
  if (this == &other) return *this;
  if (const auto driver = std::exchange(driver_, std::move(other.driver_)))
    driver->release_client();
  return *this;
}
client::~client() {
  if (driver_) driver_->release_client();
}
client::executor_type client::get_executor() const noexcept { return driver_->executor(); }
void client::close() { driver_->close(error_code::no_error); }
bool client::is_open() const noexcept { return driver_->is_open(); }
bool client::going_away() const noexcept { return driver_->going_away(); }
std::optional<quic::close_reason> client::closed() const { return driver_->closed(); }
const transport::address& client::remote_address() const noexcept {
  return driver_ ? driver_->remote_address() : nowhere;
}
quic::core::tls_summary client::security() const { return driver_->connection().security(); }
quic::core::connection_statistics client::statistics() const noexcept {
  return driver_->connection().statistics();
}

void client::initiate_connect::start(client_options options,
                                     transport::completion<client_signature> waiting) const {
  detail::dial(executor, std::move(options), std::move(waiting));
}
client::executor_type client::initiate::get_executor() const noexcept { return driver->executor(); }
void client::initiate::start(request_options options,
                             transport::completion<response_signature> waiting) const {
  driver->request(std::move(options), std::move(waiting));
}
void client::initiate::start(transport::duration deadline,
                             transport::completion<transport::status_signature> waiting) const {
  driver->shut_down(deadline, std::move(waiting));
}

}  // namespace v0
}  // namespace strata::h3
