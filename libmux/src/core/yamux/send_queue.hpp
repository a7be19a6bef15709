// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "core/memory/page_chain.hpp"
#include "core/memory/piece_list.hpp"
#include "strata/mux/core/limits.hpp"
#include "strata/transport/core/bytes.hpp"

namespace strata::mux {
inline namespace v0 {
namespace core {

/// What an application has lent: where it is, and how far the carrier has it.
struct lent_run {
  std::array<transport::bytes, limits::yamux::max_lent_pieces> pieces;
  std::uint32_t count = 0;
  std::uint32_t index = 0;  ///< The piece of the next byte, and ...
  std::size_t offset = 0;   ///< ... where it is in there.
  std::size_t taken = 0;
  std::size_t left = 0;
};

/// Lent runs of one session that are not in use.
using lent_run_pool = std::array<std::unique_ptr<lent_run>, 4>;

/// The unsent bytes of a stream: copied ones in pages, and behind them at most one run that stays
/// where the application has it.
class send_queue {
 public:
  /// Shared by the streams of a session.
  struct memory {
    page_recycler& pages;
    lent_run_pool& runs;
  };
  /// A place in the queue, while a gather list is made.
  struct cursor {
    const page* at = nullptr;
    std::uint32_t begin = 0;
    std::uint32_t piece = 0;
    std::size_t offset = 0;
  };

  std::size_t size() const noexcept { return copied_.size() + (run_ ? run_->left : 0); }
  std::size_t copied() const noexcept { return copied_.size(); }
  bool lending() const noexcept { return run_ != nullptr; }
  /// While lending().
  std::size_t run_taken() const noexcept { return run_->taken; }

  /// Not while lending(). Throws std::bad_alloc, and nothing has changed.
  void append(memory from, transport::bytes added) { copied_.append(from.pages, added); }
  /// Not while lending(). How many bytes were taken: those of as many pieces as a run holds. Throws
  /// std::bad_alloc.
  std::size_t lend(memory from, std::span<const transport::bytes> pieces);
  /// The carrier has `size` more bytes. True when the lent run ended with them.
  bool consume(memory from, std::size_t size) noexcept;
  /// Copies `committed` of its bytes, drops the rest of the run, and says how many of its bytes are
  /// gone or kept. While lending(); throws std::bad_alloc, and nothing has changed.
  std::size_t revoke(memory from, std::size_t committed);
  /// Copies the first `size` bytes to the end of `to`, or moves them there.
  void move_front(memory from, std::size_t size, page_chain& to);
  void clear(memory from) noexcept;

  cursor front() const noexcept;
  /// Adds up to `most` bytes from `where` on, which moves behind them; fewer when the list is full.
  std::size_t gather(cursor& where, std::size_t most, piece_list& to) const noexcept;

 private:
  void copy_run(page_recycler& pages, std::size_t size, page_chain& to) const;
  void release_run(lent_run_pool& runs) noexcept;

  page_chain copied_;
  std::unique_ptr<lent_run> run_;
};

}  // namespace core
}  // namespace v0
}  // namespace strata::mux
