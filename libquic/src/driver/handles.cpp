// SPDX-License-Identifier: Apache-2.0
// The public handles: each function hands over to the driver.
#include "driver/endpoint_driver.hpp"

namespace strata::quic {
inline namespace v0 {

// stream

stream::stream(std::unique_ptr<detail::stream_reference> reference) noexcept
    : reference_(std::move(reference)) {}
stream::~stream() { reference_->driver->abandon_stream(reference_->connection, reference_->id); }
std::uint64_t stream::id() const noexcept { return reference_->id; }
bool stream::is_bidirectional() const noexcept { return (reference_->id & 2) == 0; }
bool stream::is_local() const noexcept { return reference_->is_local; }
void stream::reset(std::uint64_t code) noexcept {
  reference_->driver->reset(reference_->connection, reference_->id, code);
}
transport::stream_traits stream::traits() const noexcept {
  return {.half_close = true, .reset_visible = true, .reset_code = true, .proves_end = true};
}
transport::peer_codes stream::codes() const noexcept {
  return reference_->driver->codes(reference_->connection, reference_->id);
}
void stream::prioritize(std::uint8_t urgency, bool incremental) noexcept {
  reference_->driver->prioritize(reference_->connection, reference_->id, urgency, incremental);
}
asio::any_io_executor stream::do_executor() noexcept { return reference_->driver->executor(); }
void stream::do_read_some(std::span<const asio::mutable_buffer> buffers,
                          transport::completion<transport::io_signature> waiting) {
  reference_->driver->read_some(reference_->connection, reference_->id, buffers,
                                std::move(waiting));
}
void stream::do_write_some(std::span<const asio::const_buffer> buffers,
                           transport::completion<transport::io_signature> waiting) {
  reference_->driver->write_some(reference_->connection, reference_->id, buffers,
                                 std::move(waiting));
}
void stream::do_finish(transport::completion<transport::status_signature> waiting) {
  reference_->driver->finish(reference_->connection, reference_->id, std::move(waiting));
}
void stream::do_wait_closed(transport::completion<transport::status_signature> waiting) {
  reference_->driver->wait_stream_closed(reference_->connection, reference_->id,
                                         std::move(waiting));
}
void stream::do_write_borrowed(asio::const_buffer data,
                               transport::completion<transport::status_signature> waiting) {
  reference_->driver->write_borrowed(reference_->connection, reference_->id, data,
                                     std::move(waiting));
}

// connection

connection::connection() noexcept = default;
connection::connection(std::shared_ptr<detail::endpoint_driver> driver,
                       core::connection_handle id) noexcept
    : driver_(std::move(driver)), id_(id) {}
connection::connection(connection&& other) noexcept
    : driver_(std::move(other.driver_)), id_(other.id_) {}
connection& connection::operator=(connection&& other) noexcept {
  if (this == &other) return *this;
  if (driver_) driver_->abandon_connection(id_);
  driver_ = std::move(other.driver_);
  id_ = other.id_;
  return *this;
}
connection::~connection() {
  if (driver_) driver_->abandon_connection(id_);
}
connection::executor_type connection::get_executor() const noexcept { return driver_->executor(); }
void connection::close(std::uint64_t code, std::string_view reason) {
  driver_->close(id_, code, reason);
}
void connection::attach(std::unique_ptr<session> attached) {
  driver_->attach(id_, std::move(attached));
}
core::connection_view connection::view() const noexcept { return driver_->view(id_); }
void connection::flush() { driver_->schedule_flush(); }

namespace {

const transport::address nowhere;

}  // namespace

const transport::address& connection::remote_address() const noexcept {
  const auto view = driver_->view(id_);
  return view ? view.remote_address() : nowhere;
}
const transport::address& connection::local_address() const noexcept {
  const auto view = driver_->view(id_);
  return view ? view.local_address() : nowhere;
}
core::tls_summary connection::security() const {
  const auto view = driver_->view(id_);
  return view ? view.security() : core::tls_summary();
}
core::connection_statistics connection::statistics() const noexcept {
  const auto view = driver_->view(id_);
  return view ? view.statistics() : core::connection_statistics();
}
connection_id connection::original_destination() const noexcept {
  const auto view = driver_->view(id_);
  return view ? view.original_destination() : connection_id();
}
std::optional<close_reason> connection::closed() const {
  const detail::connection_entry* entry = driver_->entry_of(id_);
  return entry != nullptr ? entry->closed : std::nullopt;
}
bool connection::is_open() const noexcept {
  const detail::connection_entry* entry = driver_->entry_of(id_);
  return entry != nullptr && !entry->closed;
}

connection::executor_type connection::initiate::get_executor() const noexcept {
  return driver->executor();
}
void connection::initiate::start(const open_request& request,
                                 transport::completion<stream_signature> waiting) const {
  driver->open_stream(id, request.bidirectional, std::move(waiting));
}
void connection::initiate::start(const accept_request& request,
                                 transport::completion<stream_signature> waiting) const {
  driver->accept_stream(id, request.bidirectional, std::move(waiting));
}
void connection::initiate::start(const wait_closed_request&,
                                 transport::completion<close_signature> waiting) const {
  driver->wait_closed(id, std::move(waiting));
}
void connection::initiate::start(const confirmed_request&,
                                 transport::completion<transport::status_signature> waiting) const {
  driver->wait_confirmed(id, std::move(waiting));
}
void connection::initiate::start(const shutdown_request& request,
                                 transport::completion<transport::status_signature> waiting) const {
  driver->shut_down(id, request.deadline, request.code, std::move(waiting));
}

// endpoint

transport::result<endpoint> endpoint::open(asio::any_io_executor executor,
                                           endpoint_options options) {
  const transport::ready_list ready(executor);
  auto driver =
      transport::make_driver<detail::endpoint_driver>(executor, ready, std::move(options));
  if (auto opened = driver->open(); !opened) return std::unexpected(opened.error());
  return endpoint(std::move(driver));
}

endpoint::endpoint() noexcept = default;
endpoint::endpoint(std::shared_ptr<detail::endpoint_driver> driver) noexcept
    : driver_(std::move(driver)) {}
endpoint::endpoint(endpoint&&) noexcept = default;
endpoint& endpoint::operator=(endpoint&& other) noexcept {
  if (this == &other) return *this;
  if (driver_) driver_->release_endpoint();
  driver_ = std::move(other.driver_);
  return *this;
}
endpoint::~endpoint() {
  if (driver_) driver_->release_endpoint();
}
endpoint::executor_type endpoint::get_executor() const noexcept { return driver_->executor(); }
transport::address endpoint::local_address() const noexcept { return driver_->local_address(); }
core::endpoint_statistics endpoint::statistics() const noexcept { return driver_->statistics(); }
void endpoint::use(transport::tls_context server_tls) { driver_->use(std::move(server_tls)); }
const std::optional<transport::tls_context>& endpoint::client_tls() const noexcept {
  return driver_->client_tls();
}
void endpoint::stop_accepting() { driver_->stop_accepting(); }

endpoint::executor_type endpoint::initiate_base::get_executor() const noexcept {
  return driver->executor();
}
void endpoint::initiate_base::connect(const transport::address& remote, std::string server_name,
                                      const core::connection_config& config,
                                      transport::completion<connection_signature> waiting) const {
  driver->connect(remote, server_name, config, std::move(waiting));
}
void endpoint::initiate_base::accept(transport::completion<connection_signature> waiting) const {
  driver->accept(std::move(waiting));
}
void endpoint::initiate_base::close(
    std::uint64_t code, transport::completion<transport::status_signature> waiting) const {
  driver->close_all(code, std::move(waiting));
}

}  // namespace v0
}  // namespace strata::quic
