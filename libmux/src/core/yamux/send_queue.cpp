// SPDX-License-Identifier: Apache-2.0
#include "core/yamux/send_queue.hpp"

#include <algorithm>
#include <utility>

namespace strata::mux {
inline namespace v0 {
namespace core {

using transport::bytes;

std::size_t send_queue::lend(memory from, std::span<const bytes> pieces) {
  const auto spare =
      std::ranges::find_if(from.runs, [](const auto& one) { return one != nullptr; });
  std::unique_ptr<lent_run> run =
      spare != from.runs.end() ? std::move(*spare) : std::make_unique<lent_run>();
  *run = {};
  for (const bytes piece : pieces) {
    if (run->count == run->pieces.size()) break;
    if (piece.empty()) continue;
    run->pieces[run->count++] = piece;
    run->left += piece.size();
  }
  const std::size_t size = run->left;
  run_ = std::move(run);
  if (size == 0) release_run(from.runs);
  return size;
}

void send_queue::release_run(lent_run_pool& runs) noexcept {
  const auto room = std::ranges::find_if(runs, [](const auto& one) { return one == nullptr; });
  if (room != runs.end()) *room = std::move(run_);
  run_.reset();
}

bool send_queue::consume(memory from, std::size_t size) noexcept {
  const std::size_t copied = std::min(size, copied_.size());
  if (copied != 0) copied_.consume(from.pages, copied);
  size -= copied;
  if (size == 0) return false;
  run_->taken += size;
  run_->left -= size;
  while (size != 0) {
    const std::size_t here = std::min(size, run_->pieces[run_->index].size() - run_->offset);
    run_->offset += here;
    size -= here;
    if (run_->offset == run_->pieces[run_->index].size()) ++run_->index, run_->offset = 0;
  }
  if (run_->left != 0) return false;
  release_run(from.runs);
  return true;
}

void send_queue::copy_run(page_recycler& pages, std::size_t size, page_chain& to) const {
  std::size_t offset = run_->offset;
  for (std::uint32_t i = run_->index; size != 0; ++i, offset = 0) {
    const std::size_t here = std::min(size, run_->pieces[i].size() - offset);
    to.append(pages, run_->pieces[i].subspan(offset, here));
    size -= here;
  }
}

std::size_t send_queue::revoke(memory from, std::size_t committed) {
  const std::size_t rest = committed > copied_.size() ? committed - copied_.size() : 0;
  page_chain copy;
  try {
    copy_run(from.pages, rest, copy);
  } catch (...) {
    copy.clear(from.pages);
    throw;
  }
  copied_.splice(copy);
  const std::size_t size = run_->taken + rest;
  release_run(from.runs);
  return size;
}

void send_queue::move_front(memory from, std::size_t size, page_chain& to) {
  if (size > copied_.size()) {
    copy_run(from.pages, size - copied_.size(), copied_);
    release_run(from.runs);
  }
  while (size != 0) {
    const bytes piece = copied_.front().first(std::min(size, copied_.front().size()));
    to.append(from.pages, piece);
    size -= piece.size();
    copied_.consume(from.pages, piece.size());
  }
}

void send_queue::clear(memory from) noexcept {
  copied_.clear(from.pages);
  if (run_) release_run(from.runs);
}

send_queue::cursor send_queue::front() const noexcept {
  const page* const at = copied_.first();
  return {.at = at,
          .begin = at != nullptr ? at->begin : 0,
          .piece = run_ ? run_->index : 0,
          .offset = run_ ? run_->offset : 0};
}

std::size_t send_queue::gather(cursor& where, std::size_t most, piece_list& to) const noexcept {
  std::size_t gathered = 0;
  while (gathered != most) {
    const bytes left = where.at != nullptr
                           ? bytes(where.at->content + where.begin, where.at->end - where.begin)
                           : run_->pieces[where.piece].subspan(where.offset);
    const bytes piece = left.first(std::min(left.size(), most - gathered));
    if (!piece.empty() && !to.add(piece)) break;
    gathered += piece.size();
    if (where.at == nullptr) {
      where.offset += piece.size();
      if (piece.size() == left.size()) ++where.piece, where.offset = 0;
    } else {
      where.begin += static_cast<std::uint32_t>(piece.size());
      if (piece.size() == left.size() && where.at->next != nullptr) {
        where.at = where.at->next;
        where.begin = where.at->begin;
      } else if (piece.size() == left.size() && run_) {
        where.at = nullptr;
      }
    }
  }
  return gathered;
}

}  // namespace core
}  // namespace v0
}  // namespace strata::mux
