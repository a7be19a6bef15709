// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/any_completion_handler.hpp>
#include <asio/any_io_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/buffer.hpp>
#include <asio/deferred.hpp>
#include <cstdint>
#include <optional>
#include <span>

#include "strata/transport/buffer_list.hpp"
#include "strata/transport/completion.hpp"
#include "strata/transport/core/address.hpp"
#include "strata/transport/core/bytes.hpp"
#include "strata/transport/core/connection_security.hpp"
#include "strata/transport/core/result.hpp"
#include "strata/transport/native_socket.hpp"
#include "strata/transport/stream_traits.hpp"

namespace strata::transport {
inline namespace v0 {

/// Bytes in both directions, over whatever carries them. It models Asio's AsyncReadStream and
/// AsyncWriteStream, so that asio::async_read, async_write and async_read_until work over it.
///
/// Every member function, initiation, cancellation signal and the destructor run on the stream's
/// serial executor; handlers run on their associated executor, never inside the initiating
/// function. One read (or wait until readable), one write (or finish) and one wait until closed may
/// be outstanding; a second is a programmer error. Buffers stay the application's and must live
/// until completion. Every operation can be cancelled through its slot, with any cancellation type:
/// it completes with errc::aborted and nothing of it happened, or it succeeds short.
///
/// Each direction ends in exactly one result, which every later operation repeats: reads in
/// errc::eof, stream_reset, the cause of a lost connection, or closed after this side's reset;
/// writes in write_finished, write_stopped, stream_reset, the cause, or closed. Operations on empty
/// buffers succeed with no bytes.
///
/// Destroying a stream completes its pending operations with errc::aborted and resets what is
/// unfinished; if this side had finished, the bytes it wrote still arrive. A stream may outlive its
/// execution context: it is inert from then on.
/// A deferred operation refers to the stream and its buffers until it is started.
class STRATA_TRANSPORT_API stream {
 public:
  using executor_type = asio::any_io_executor;

  stream(const stream&) = delete;
  stream& operator=(const stream&) = delete;
  virtual ~stream();

  /// Empty once the execution context is gone.
  executor_type get_executor() noexcept { return do_executor(); }

  /// Reads at least one byte.
  template <class MutableBuffers, asio::completion_token_for<io_signature> Token = asio::deferred_t>
  auto async_read_some(const MutableBuffers& buffers, Token&& token = Token()) {
    return asio::async_initiate<Token, io_signature>(initiate_read{this}, token, buffers);
  }

  /// Copies at least one byte out of `buffers`, as far as the watermark of the carrier allows.
  template <class ConstBuffers, asio::completion_token_for<io_signature> Token = asio::deferred_t>
  auto async_write_some(const ConstBuffers& buffers, Token&& token = Token()) {
    return asio::async_initiate<Token, io_signature>(initiate_write{this}, token, buffers);
  }

  /// Takes what is there without waiting, and completes nothing: for drivers that know that the
  /// stream is readable. Never while a read is outstanding. Errors: would_block, the end of the
  /// direction, or not_supported from a carrier that can only be read asynchronously.
  template <class MutableBuffers>
  result<std::size_t> try_read_some(const MutableBuffers& buffers) {
    return do_try_read(buffer_list<asio::mutable_buffer>(buffers));
  }

  /// The same for writing; never while a write is outstanding.
  template <class ConstBuffers>
  result<std::size_t> try_write_some(const ConstBuffers& buffers) {
    return do_try_write(buffer_list<asio::const_buffer>(buffers));
  }

  /// Shows what can be read now, in order and where it lies: fills `pieces`, of which there is at
  /// least one, and says how many it filled. The bytes stay until the stream is read, asked or
  /// waited on again, reset or destroyed, and no longer than the handler runs that asked for them;
  /// writing to this or any other stream leaves them alone. Never while a read is outstanding.
  /// Errors: those of try_read_some; not_supported from a carrier that has nothing to lend.
  result<std::size_t> try_peek(std::span<bytes> pieces) { return do_try_peek(pieces); }

  /// Takes the first `size` bytes of what the last try_peek() has shown, which ends what it lent.
  void consume(std::size_t size) { do_consume(size); }

  /// Completes when a read would not wait, be it for bytes or for the end. It pins no memory: wait
  /// first, then borrow a buffer. Only this side's own reset is an error here; everything else the
  /// read tells.
  template <asio::completion_token_for<status_signature> Token = asio::deferred_t>
  auto async_wait_readable(Token&& token = Token()) {
    return asio::async_initiate<Token, status_signature>(initiate_wait_readable{this}, token);
  }

  /// Ends the writing direction in order. Completes when the end is handed to the carrier, not when
  /// it is delivered.
  template <asio::completion_token_for<status_signature> Token = asio::deferred_t>
  auto async_finish(Token&& token = Token()) {
    return asio::async_initiate<Token, status_signature>(initiate_finish{this}, token);
  }

  /// Completes when both directions have ended: without error if both ended in order, else with
  /// what ended them. A carrier may learn of an end only by reading; a lost or reset connection is
  /// noticed without.
  template <asio::completion_token_for<status_signature> Token = asio::deferred_t>
  auto async_wait_closed(Token&& token = Token()) {
    return asio::async_initiate<Token, status_signature>(initiate_wait_closed{this}, token);
  }

  /// Abandons both directions: unsent bytes are dropped, pending operations complete with
  /// errc::aborted, later ones with errc::closed. A direction that has ended stays as it ended.
  virtual void reset(std::uint64_t code) noexcept = 0;
  virtual stream_traits traits() const noexcept = 0;
  virtual peer_codes codes() const noexcept { return {}; }
  virtual native_socket native() noexcept { return {}; }
  /// What protects it, carriers below included; nothing when nobody does.
  virtual std::optional<connection_security> security() const { return std::nullopt; }
  /// Of the carrier at the bottom, as far as it has addresses and is still there.
  virtual address remote_address() const { return {}; }
  virtual address local_address() const { return {}; }

 protected:
  stream() = default;

 private:
  template <void (stream::*Start)(completion<status_signature>)>
  struct initiate_status {
    using executor_type = stream::executor_type;
    stream* self;
    executor_type get_executor() const noexcept { return self->do_executor(); }
    template <class Handler>
    void operator()(Handler&& handler) const {
      (self->*Start)(
          make_completion<status_signature>(std::forward<Handler>(handler), self->do_executor()));
    }
  };

  struct initiate_read {
    using executor_type = stream::executor_type;
    stream* self;
    executor_type get_executor() const noexcept { return self->do_executor(); }
    template <class Handler, class MutableBuffers>
    void operator()(Handler&& handler, const MutableBuffers& buffers) const {
      self->do_read_some(
          buffer_list<asio::mutable_buffer>(buffers),
          make_completion<io_signature>(std::forward<Handler>(handler), self->do_executor()));
    }
  };

  struct initiate_write {
    using executor_type = stream::executor_type;
    stream* self;
    executor_type get_executor() const noexcept { return self->do_executor(); }
    template <class Handler, class ConstBuffers>
    void operator()(Handler&& handler, const ConstBuffers& buffers) const {
      self->do_write_some(
          buffer_list<asio::const_buffer>(buffers),
          make_completion<io_signature>(std::forward<Handler>(handler), self->do_executor()));
    }
  };

  struct initiate_wait_readable {
    using executor_type = stream::executor_type;
    stream* self;
    executor_type get_executor() const noexcept { return self->do_executor(); }
    template <class Handler>
    void operator()(Handler&& handler) const {
      using countless = detail::countless_handler<std::decay_t<Handler>>;
      self->do_read_some({}, make_completion<io_signature>(
                                 countless{std::forward<Handler>(handler)}, self->do_executor()));
    }
  };

  virtual asio::any_io_executor do_executor() noexcept = 0;
  /// An empty list means: wait until readable. The descriptors are valid during the call only.
  virtual void do_read_some(std::span<const asio::mutable_buffer>, completion<io_signature>) = 0;
  virtual void do_write_some(std::span<const asio::const_buffer>, completion<io_signature>) = 0;
  virtual result<std::size_t> do_try_read(std::span<const asio::mutable_buffer>);
  virtual result<std::size_t> do_try_write(std::span<const asio::const_buffer>);
  /// Both or neither.
  virtual result<std::size_t> do_try_peek(std::span<bytes>);
  virtual void do_consume(std::size_t);
  virtual void do_finish(completion<status_signature>) = 0;
  virtual void do_wait_closed(completion<status_signature>) = 0;

  using initiate_finish = initiate_status<&stream::do_finish>;
  using initiate_wait_closed = initiate_status<&stream::do_wait_closed>;
};

}  // namespace v0
}  // namespace strata::transport
