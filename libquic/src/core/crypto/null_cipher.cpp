// SPDX-License-Identifier: Apache-2.0
#include "core/crypto/null_cipher.hpp"

#include <algorithm>
#include <cstring>

namespace strata::quic {
inline namespace v0 {
namespace core {
namespace {

constexpr std::uint64_t golden = 0x9e3779b97f4a7c15;

/// One to one in either argument while the other stands still: no single changed word can cancel
/// itself out.
constexpr std::uint64_t absorb(std::uint64_t state, std::uint64_t word) noexcept {
  state = (state ^ word) * golden;
  return state ^ state >> 29;
}

constexpr std::uint64_t finish(std::uint64_t value) noexcept {
  value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
  value = (value ^ value >> 27) * 0x94d049bb133111eb;
  return value ^ value >> 31;
}

std::uint64_t load(const std::byte* from, std::size_t size) noexcept {
  std::uint64_t word = 0;
  std::memcpy(&word, from, size);
  return word;
}

/// Four lanes, because one multiplication has to wait for the one before it in the same lane.
std::uint64_t absorb_all(std::uint64_t state, transport::bytes input) noexcept {
  std::uint64_t lanes[4] = {state, state + golden, state + 2 * golden, state + 3 * golden};
  const std::byte* cursor = input.data();
  std::size_t left = input.size();
  for (; left >= 32; left -= 32, cursor += 32) {
    for (std::size_t lane = 0; lane < 4; ++lane)
      lanes[lane] = absorb(lanes[lane], load(cursor + 8 * lane, 8));
  }
  for (std::size_t lane = 0; left != 0; ++lane) {
    const std::size_t size = std::min<std::size_t>(left, 8);
    lanes[lane] = absorb(lanes[lane], load(cursor, size));
    cursor += size;
    left -= size;
  }
  // The length last, or zeros at the end would go unnoticed.
  std::uint64_t all = absorb(state, input.size());
  for (const std::uint64_t lane : lanes) all = absorb(all, lane);
  return all;
}

}  // namespace

null_cipher::null_cipher(transport::bytes secret) noexcept
    : key_(finish(absorb_all(golden, secret))) {}

std::array<std::byte, 16> null_cipher::tag(std::uint64_t packet_number, transport::bytes header,
                                           transport::bytes payload) const noexcept {
  const std::uint64_t sum = absorb_all(absorb_all(absorb(key_, packet_number), header), payload);
  const std::uint64_t halves[2] = {finish(sum), finish(sum ^ key_ ^ golden)};
  std::array<std::byte, 16> out;
  std::memcpy(out.data(), halves, sizeof halves);
  return out;
}

std::array<std::byte, 5> null_cipher::mask(const std::byte* sample) const noexcept {
  const std::uint64_t word = finish(absorb(absorb(key_, load(sample, 8)), load(sample + 8, 8)));
  std::array<std::byte, 5> out;
  std::memcpy(out.data(), &word, out.size());
  return out;
}

void null_cipher::expand(transport::bytes secret, std::string_view label,
                         transport::mutable_bytes out) noexcept {
  std::uint64_t state = absorb_all(absorb_all(golden, secret), transport::as_bytes(label));
  while (!out.empty()) {
    const std::uint64_t word = finish(state += golden);
    const std::size_t size = std::min(out.size(), sizeof word);
    std::memcpy(out.data(), &word, size);
    out = out.subspan(size);
  }
}

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
