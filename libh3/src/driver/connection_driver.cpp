// SPDX-License-Identifier: Apache-2.0
#include "driver/connection_driver.hpp"

#include <algorithm>

#include "strata/transport/core/error.hpp"

namespace strata::h3 {
inline namespace v0 {
namespace detail {

using quic::core::event_kind;
using transport::errc;
using transport::time_point;

namespace {

time_point clock_now() { return std::chrono::steady_clock::now(); }

/// A peer's code as an error: by its name where it has one.
std::error_code peer_error(std::uint64_t code, errc otherwise) {
  if (error_name(code).empty()) return otherwise;
  return make_error_code(static_cast<error_code>(code));
}

}  // namespace

/// What QUIC owns of a connection_driver: hands the turn over.
class attached_session final : public quic::session {
 public:
  explicit attached_session(std::shared_ptr<connection_driver> driver) noexcept
      : driver_(std::move(driver)) {}
  void on_event(time_point now, quic::core::connection_view connection,
                const quic::core::event& event) override {
    driver_->on_event(now, connection, event);
  }
  void on_turn(time_point now, quic::core::connection_view connection) override {
    driver_->on_turn(now, connection);
  }
  void on_detached(const quic::close_reason& why) override { driver_->on_detached(why); }

 private:
  std::shared_ptr<connection_driver> driver_;
};

connection_driver::connection_driver(const transport::ready_list& ready,
                                     quic::connection connection,
                                     const core::connection_config& config)
    : ready_(ready),
      connection_(std::move(connection)),
      core_(config, random_),
      timer_(std::in_place, ready.executor()),
      is_server_(config.role == role::server) {}

void connection_driver::start(std::weak_ptr<connection_owner> owner) {
  owner_ = std::move(owner);
  remote_ = connection_.remote_address();
  if (const auto view = connection_.view()) {
    accept_streams(view, true);
    accept_streams(view, false);
  }
  connection_.attach(std::make_unique<attached_session>(self()));
}

/// The context goes: handlers die uninvoked, then everything that needs it.
void connection_driver::shutdown() noexcept {
  dead_ = true;
  last_found_ = nullptr;
  const auto entries = std::move(entries_);
  entries_.clear();
  const auto queued = std::move(queued_);
  queued_.clear();
  const auto draining = std::move(drain_);
  drain_.reset();
  timer_.reset();
  const quic::connection connection = std::move(connection_);
}

// The session.

void connection_driver::on_event(time_point now, quic_view quic, const quic::core::event& event) {
  if (dead_) return;
  message_entry* entry = find(event.stream);
  switch (event.kind) {
    case event_kind::readable:
      if (entry != nullptr) return queue_pump(*entry);
      if ((event.stream & 2) != 0) to_pump_.push_back(event.stream);
      return;
    case event_kind::writable: return core_.writable(event.stream);
    case event_kind::stream_opened: return accept_streams(quic, event.value == 1);
    case event_kind::streams_available:
      return event.value == 1 ? serve_requests(quic) : open_own_streams(quic);
    case event_kind::read_reset:
      core_.stream_reset(now, event.stream, event.value);
      if (entry == nullptr) return quic.stream(event.stream).forget();
      entry->codes.reset = event.value;
      entry->receive_over = true;
      return ended_.push_back(event.stream);
    case event_kind::write_stopped:
      core_.stop_sending(now, event.stream, event.value);
      if (entry == nullptr) return;
      entry->codes.stopped = event.value;
      entry->send_over = true;
      return ended_.push_back(event.stream);
    default: return;
  }
}

/// What had arrived in order can still be read, so that a server may close as soon as everything is
/// acknowledged; the rest fails now.
void connection_driver::on_detached(const quic::close_reason& why) {
  if (dead_ || detached_) return;
  detached_ = true;
  closed_ = why;
  cause_ = cause_of(why);
  const auto keep = self();
  fail_requests(cause_);
  for (auto& [id, entry] : entries_) {
    end_writing(*entry, cause_);
    queue_pump(*entry);
  }
  run(clock_now(), connection_.view());
  if (timer_) timer_->cancel();
  const auto owner = owner_.lock();
  if (owner) owner->on_closed(*this);
  if (drain_ && drain_->waiting.handler) {
    ready_.complete(std::move(drain_->waiting),
                    drain_->late ? make_error_code(errc::timed_out) : std::error_code());
  }
  drain_.reset();
}

std::error_code connection_driver::cause_of(const quic::close_reason& why) const {
  using origin = quic::close_reason::origin_kind;
  constexpr auto no_error = static_cast<std::uint64_t>(error_code::no_error);
  if (const core::connection_error* own = core_.closed(); own && own->code != error_code::no_error)
    return make_error_code(own->code);
  if (why.origin == origin::peer_application && why.code != no_error)
    return peer_error(why.code, errc::closed_by_peer);
  return why.code_for_operations();
}

// The turn.

/// A command came from a handle, outside a turn.
void connection_driver::run() {
  if (dead_) return;
  run(clock_now(), connection_.view());
}

void connection_driver::run(time_point now, quic_view quic) {
  if (dead_ || !quic) return;
  while (run_step(now, quic)) {}
  forget_ended(quic);
  if (const core::connection_error* over = core_.closed(); over && !close_commanded_) {
    close_commanded_ = dirty_ = true;
    quic.close(now, static_cast<std::uint64_t>(over->code), over->reason);
  }
  if (drain_ && !detached_) serve_drain(now);
  if (dirty_ && !detached_) connection_.flush();
  dirty_ = false;
  arm_timer();
}

/// Output goes first: content that is lent to the core then never needs a copy.
bool connection_driver::run_step(time_point now, quic_view quic) {
  core::transport_command command{};
  if (core_.poll_command(command)) return run_command(quic, command), true;
  core::output output;
  if (core_.poll_output(output)) return write_output(quic, output), true;
  core::event event{};
  if (core_.poll_event(event)) return on_core_event(event), true;
  if (to_pump_.empty()) return false;
  const std::uint64_t id = to_pump_.front();
  to_pump_.pop_front();
  if ((id & 2) != 0) {
    pump_unidirectional(now, quic, id);
  } else {
    pump(now, quic, id);
  }
  return true;
}

void connection_driver::accept_streams(quic_view quic, bool bidirectional) {
  while (const auto id = quic.accept(bidirectional)) {
    if (bidirectional) {
      queue_pump(add(*id));
    } else {
      to_pump_.push_back(*id);
    }
  }
}

void connection_driver::open_own_streams(quic_view quic) {
  for (; own_streams_wanted_ != 0; --own_streams_wanted_) {
    const auto id = quic.open(false);
    if (!id) return;  // streams_available follows
    core_.opened(*id);
  }
}

void connection_driver::run_command(quic_view quic, const core::transport_command& command) {
  using kind = core::transport_command::kind_type;
  dirty_ = true;
  if (command.kind == kind::open_unidirectional) {
    ++own_streams_wanted_;
    return open_own_streams(quic);
  }
  message_entry* entry = find(command.stream_id);
  quic::core::stream_view stream = quic.stream(command.stream_id);
  if (command.kind == kind::stop) {
    stream.stop(command.code);
    if (entry == nullptr) return stream.forget();
    entry->receive_over = true;
  } else {
    // QUIC stops the other direction too: if it is not over, the core's next command would.
    stream.reset(command.code);
    if (entry != nullptr) entry->send_over = true;
  }
  ended_.push_back(command.stream_id);
}

void connection_driver::write_output(quic_view quic, const core::output& output) {
  std::size_t offered = 0;
  for (const transport::bytes piece : output.pieces) offered += piece.size();
  const auto taken = quic.stream(output.stream_id).write(output.pieces, output.fin);
  dirty_ = true;
  const bool ended = output.fin && taken && *taken == offered;
  const std::uint64_t id = output.stream_id;
  core_.sent(id, taken ? *taken : 0);
  message_entry* entry = ended ? find(id) : nullptr;
  if (entry == nullptr) return;
  entry->send_over = true;
  ended_.push_back(id);
}

void connection_driver::on_core_event(const core::event& event) {
  using kind = core::event_kind;
  if (event.kind == kind::goaway) {
    going_away_ = true;
    if (!is_server_) fail_requests(error_code::request_rejected);
    return;
  }
  message_entry* entry = find(event.stream_id);
  if (entry == nullptr || event.kind == kind::closed) return;
  const auto code = static_cast<error_code>(event.value);
  switch (event.kind) {
    case kind::headers:
    case kind::interim:
    case kind::trailers: return on_section(*entry);
    case kind::finished:
      entry->receive_over = true;
      ended_.push_back(entry->id);
      return end_reading(*entry, errc::eof);
    case kind::reset: return end_reading(*entry, peer_error(event.value, errc::stream_reset));
    case kind::stopped:
      return end_writing(*entry, code == error_code::no_error
                                     ? make_error_code(errc::write_stopped)
                                     : peer_error(event.value, errc::write_stopped));
    case kind::failed: end_reading(*entry, code); return end_writing(*entry, code);
    case kind::rejected:
      end_reading(*entry, error_code::request_rejected);
      return end_writing(*entry, error_code::request_rejected);
    case kind::writable: return serve_write(*entry);
    default: return;
  }
}

void connection_driver::on_section(message_entry& entry) {
  core::request_view view = core_.request(entry.id);
  field_section section;
  const auto which = view.take_section(section);
  if (!which) return;
  queue_pump(entry);
  switch (*which) {
    case core::section_role::interim: {
      const auto status = section.find(known_field::pseudo_status).value_or("0");
      entry.interim.push_back(
          {static_cast<unsigned>(std::atoi(std::string(status).c_str())), std::move(section)});
      return;
    }
    case core::section_role::trailers: entry.trailers = std::move(section); return;
    case core::section_role::headers:
      entry.head = std::move(section);
      entry.head_received = true;
      if (!is_server_) return serve_head(entry, {});
      if (const auto owner = owner_.lock()) {
        entry.held = true;
        hold();
        owner->on_request(exchange(self(), entry.id));
      } else {
        view.reset(error_code::request_rejected);
      }
  }
}

/// QUIC lets go of streams whose directions are both over: written bytes still arrive.
void connection_driver::forget_ended(quic_view quic) {
  for (const std::uint64_t id : ended_) {
    message_entry* entry = find(id);
    if (entry == nullptr || !entry->over()) continue;
    if (!entry->forgotten) quic.stream(id).forget();
    entry->forgotten = dirty_ = true;
    if (entry->held || entry->requesting) continue;
    last_found_ = nullptr;
    entries_.erase(id);
  }
  ended_.clear();
}

message_entry* connection_driver::find(std::uint64_t id) noexcept {
  if (last_found_ != nullptr && last_found_->id == id) return last_found_;
  const auto found = entries_.find(id);
  return found == entries_.end() ? nullptr : last_found_ = found->second.get();
}

const message_entry* connection_driver::entry_of(std::uint64_t id) const noexcept {
  const auto found = entries_.find(id);
  return found == entries_.end() ? nullptr : found->second.get();
}

message_entry& connection_driver::add(std::uint64_t id) {
  auto& entry = entries_[id];
  if (!entry) entry = std::make_unique<message_entry>(id);
  return *entry;
}

// The end.

void connection_driver::shut_down(transport::duration deadline,
                                  completion<status_signature> waiting) {
  if (dead_) return;
  if (detached_ || drain_) {
    if (waiting.handler) ready_.complete(std::move(waiting), std::error_code());
    return;
  }
  const time_point now = clock_now();
  drain_.emplace(drain{.waiting = std::move(waiting), .deadline = now + deadline});
  if (is_server_) {
    // A request may be on its way for a round trip after the client has heard of the end. A
    // client's GOAWAY would say something of pushes only.
    constexpr std::chrono::milliseconds least_wait{20};
    core_.shutdown();
    drain_->last_goaway =
        now + std::max<transport::duration>(least_wait, 2 * connection_.statistics().smoothed_rtt);
  }
  run();
}

void connection_driver::serve_drain(time_point now) {
  if (drain_->last_goaway && now >= *drain_->last_goaway) {
    drain_->last_goaway.reset();
    core_.shutdown();
    while (run_step(now, connection_.view())) {}
  }
  const bool late = now >= drain_->deadline;
  if (late && !drain_->late) {
    drain_->late = true;
    return close(error_code::no_error);
  }
  const bool idle = core_.request_count() == 0 && queued_.empty() && !drain_->last_goaway;
  if (!idle || drain_->closing || late) return;
  drain_->closing = true;
  connection_.async_shutdown(drain_->deadline - now,
                             static_cast<std::uint64_t>(error_code::no_error),
                             [weak = weak()](std::error_code error) {
                               const auto driver = weak.lock();
                               if (driver && driver->drain_ && error == errc::timed_out)
                                 driver->drain_->late = true;
                             });
}

void connection_driver::close(error_code code) noexcept {
  if (dead_ || detached_) return;
  core_.close(code, "");
  run();
}

void connection_driver::arm_timer() {
  if (detached_ || !timer_) return;
  auto next = core_.next_timeout();
  const auto consider = [&](const std::optional<time_point>& other) {
    if (other && (!next || *other < *next)) next = other;
  };
  if (drain_) consider(drain_->last_goaway);
  if (drain_ && !drain_->late) consider(drain_->deadline);
  if (!next || (timer_armed_at_ && *timer_armed_at_ <= *next)) return;
  timer_armed_at_ = *next;
  timer_->expires_at(*next);
  timer_->async_wait([weak = weak()](std::error_code error) {
    const auto driver = weak.lock();
    if (driver && !error) driver->on_timer();
  });
}

void connection_driver::on_timer() {
  if (dead_ || detached_) return;
  timer_armed_at_.reset();
  const time_point now = clock_now();
  if (const auto due = core_.next_timeout(); due && *due <= now) core_.handle_timeout(now);
  run(now, connection_.view());
}

}  // namespace detail
}  // namespace v0
}  // namespace strata::h3
