// SPDX-License-Identifier: Apache-2.0
#include "core/anytls/packet_records.hpp"

#include <algorithm>

#include "strata/mux/core/anytls_padding.hpp"
#include "strata/mux/core/limits.hpp"

namespace strata::mux {
inline namespace v0 {
namespace core::anytls {
namespace {

constexpr std::size_t header_size = frame_header::encoded_size;

/// The largest padding there is.
constexpr std::array<std::byte, limits::anytls::max_padding_size> zeros{};

}  // namespace

void packet_records::begin_whole(transport::bytes content, std::size_t zeros_size) {
  clear();
  content_.assign(content.begin(), content.end());
  sizes_.clear();
  planned_ = payload_left_ = content_.size();
  zeros_left_ = zeros_size;
}

void packet_records::begin(std::span<const transport::bytes> content,
                           std::span<const std::uint32_t> sizes) {
  clear();
  for (const transport::bytes piece : content)
    content_.insert(content_.end(), piece.begin(), piece.end());
  sizes_.assign(sizes.begin(), sizes.end());
  next_record();
}

void packet_records::clear() noexcept {
  content_.clear();
  sizes_.clear();
  at_ = planned_ = next_size_ = payload_left_ = header_left_ = zeros_left_ = 0;
}

void packet_records::release_memory() noexcept {
  std::vector<std::byte>().swap(content_);
  std::vector<std::uint32_t>().swap(sizes_);
}

/// What is left goes as it is when the sizes run out, and they end at a mark when nothing is left.
void packet_records::next_record() noexcept {
  const std::size_t left = content_.size() - planned_;
  while (next_size_ < sizes_.size() && sizes_[next_size_] == anytls_padding_scheme::check_mark) {
    ++next_size_;
    if (left == 0) next_size_ = sizes_.size();
  }
  if (next_size_ == sizes_.size()) {
    payload_left_ = left;
    planned_ = content_.size();
    return;
  }
  const std::size_t size = sizes_[next_size_++];
  payload_left_ = std::min(left, size);
  planned_ += payload_left_;
  // A record of nothing but padding is a header longer than the plan says: so everybody does it.
  if (left == 0) {
    fill(size);
  } else if (left < size && size - left > header_size) {
    fill(size - left - header_size);
  }
}

void packet_records::fill(std::size_t size) noexcept {
  encode({.command = command::waste, .stream_id = 0, .length = static_cast<std::uint16_t>(size)},
         header_.data());
  header_left_ = header_size;
  zeros_left_ = size;
}

void packet_records::gather(piece_list& to) const noexcept {
  if (payload_left_ != 0) to.add(transport::bytes(content_).subspan(at_, payload_left_));
  if (header_left_ != 0) to.add(transport::bytes(header_).last(header_left_));
  if (zeros_left_ != 0) to.add(transport::bytes(zeros).first(zeros_left_));
}

std::size_t packet_records::sent(std::size_t size) noexcept {
  const std::size_t payload = std::min(size, payload_left_);
  const std::size_t header = std::min(size - payload, header_left_);
  const std::size_t padding = std::min(size - payload - header, zeros_left_);
  at_ += payload;
  payload_left_ -= payload;
  header_left_ -= header;
  zeros_left_ -= padding;
  if (!active()) next_record();
  return header + padding;
}

}  // namespace core::anytls
}  // namespace v0
}  // namespace strata::mux
