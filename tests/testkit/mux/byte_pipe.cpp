// SPDX-License-Identifier: Apache-2.0
#include "testkit/mux/byte_pipe.hpp"

#include <algorithm>

namespace strata::testkit {

std::size_t byte_pipe::take(time_point now, std::span<const transport::bytes> pieces,
                            std::size_t most) {
  std::size_t room = std::min(most, capacity - std::min(capacity, held_));
  chunk added{now, {}};
  for (const transport::bytes piece : pieces) {
    const std::size_t size = std::min(room, piece.size());
    added.content.insert(added.content.end(), piece.begin(),
                         piece.begin() + static_cast<std::ptrdiff_t>(size));
    room -= size;
    if (room == 0) break;
  }
  const std::size_t taken = added.content.size();
  if (taken == 0) return 0;
  line_free_ = std::max(line_free_, now);
  if (bytes_per_second > 0) {
    const std::chrono::duration<double> takes(static_cast<double>(taken) / bytes_per_second);
    line_free_ += std::chrono::duration_cast<transport::duration>(takes);
  }
  added.arrives = line_free_ + delay;
  chunks_.push_back(std::move(added));
  held_ += taken;
  return taken;
}

std::vector<std::byte> byte_pipe::give(time_point now, std::size_t most) {
  std::vector<std::byte> given;
  while (given.size() < most && has_arrived(now)) {
    std::vector<std::byte>& front = chunks_.front().content;
    const std::size_t size = std::min(most - given.size(), front.size());
    const auto end = front.begin() + static_cast<std::ptrdiff_t>(size);
    given.insert(given.end(), front.begin(), end);
    front.erase(front.begin(), end);
    if (front.empty()) chunks_.pop_front();
  }
  held_ -= given.size();
  return given;
}

}  // namespace strata::testkit
