// SPDX-License-Identifier: Apache-2.0
// The cursors of libtransport: the input is a script of reads and writes, and a plain model says
// what each must give. Failure is sticky, nothing is written past the end, and every value comes
// back from every length that holds it.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "strata/transport/core/buffer_reader.hpp"
#include "strata/transport/core/buffer_writer.hpp"

namespace {

using namespace strata::transport;

void require(bool condition) {
  if (!condition) std::abort();
}

/// The script, which runs dry in zeros.
struct script {
  const std::uint8_t* cursor;
  const std::uint8_t* end;

  bool empty() const { return cursor == end; }
  std::uint8_t u8() { return empty() ? 0 : *cursor++; }
  std::uint64_t u64() {
    std::uint64_t value = 0;
    for (int i = 0; i < 8; ++i) value = value << 8 | u8();
    // Small values as often as large ones.
    return value >> (u8() & 63);
  }
};

/// What the writer must have done, kept as plainly as can be.
struct model_writer {
  std::vector<std::byte> out;
  std::size_t capacity;
  bool failed = false;

  void append(bytes data) {
    if (failed || data.size() > capacity - out.size()) {
      failed = true;
      return;
    }
    out.insert(out.end(), data.begin(), data.end());
  }
  void big_endian(std::uint64_t value, std::size_t size) {
    std::vector<std::byte> data;
    for (std::size_t i = size; i-- > 0;) data.push_back(static_cast<std::byte>(value >> (8 * i)));
    append(data);
  }
  void varint(std::uint64_t value, std::size_t size) {
    static constexpr std::array<std::uint64_t, 4> limits{63, 16383, 1073741823,
                                                         4611686018427387903};
    std::size_t log = 0;
    while (log < 4 && std::size_t{1} << log != size) ++log;
    if (log == 4 || value > limits[log]) {
      failed = true;
      return;
    }
    big_endian(value | std::uint64_t{log} << (8 * size - 2), size);
  }
};

std::size_t shortest(std::uint64_t value) {
  return value <= 63 ? 1 : value <= 16383 ? 2 : value <= 1073741823 ? 4 : 8;
}

constexpr std::array<std::size_t, 4> sizes{1, 2, 4, 8};

/// Every length that holds `value` gives it back, and takes no more than its bytes.
void check_lengths(std::uint64_t value) {
  for (const std::size_t size : sizes) {
    std::array<std::byte, 10> memory;
    memory.fill(std::byte{0xa5});
    buffer_writer writer(memory);
    writer.varint(value, size);
    const bool fits = value <= varint_max && size >= shortest(value);
    require(writer.ok() == fits && writer.size() == (fits ? size : 0));
    for (std::size_t i = fits ? size : 0; i < memory.size(); ++i)
      require(memory[i] == std::byte{0xa5});
    if (!fits) continue;
    require(varint_size_from_first_byte(memory[0]) == size);
    if (size == shortest(value)) require(varint_size(value) == size);
    for (std::size_t given = 0; given <= size; ++given) {
      buffer_reader reader(bytes(memory).first(given));
      const std::uint64_t read = reader.varint();
      require(reader.ok() == (given == size) && read == (given == size ? value : 0));
      require(reader.empty());
    }
  }
}

void write_one(script& from, buffer_writer& writer, model_writer& model) {
  const std::uint8_t what = from.u8() % 12;
  const std::uint64_t value = from.u64();
  const std::size_t size = from.u8();
  std::vector<std::byte> data(size, static_cast<std::byte>(value));
  switch (what) {
    case 0: writer.u8(static_cast<std::uint8_t>(value)), model.big_endian(value, 1); break;
    case 1: writer.u16(static_cast<std::uint16_t>(value)), model.big_endian(value, 2); break;
    case 2: writer.u32(static_cast<std::uint32_t>(value)), model.big_endian(value, 4); break;
    case 3: writer.u64(value), model.big_endian(value, 8); break;
    case 4: writer.fixed(value, 1 + size % 8), model.big_endian(value, 1 + size % 8); break;
    case 5: writer.varint(value), model.varint(value, shortest(value)); break;
    case 6: writer.varint(value, sizes[size % 4]), model.varint(value, sizes[size % 4]); break;
    case 7: writer.put(data), model.append(data); break;
    case 8:
      writer.put_varint_prefixed(data);
      model.varint(size, shortest(size));
      model.append(data);
      break;
    case 9: writer.zeros(size), model.append(std::vector<std::byte>(size)); break;
    case 10: {
      const mutable_bytes space = writer.free_space();
      require(space.size() == writer.remaining());
      if (size <= space.size()) std::memset(space.data(), 7, size);
      writer.advance(size);
      model.append(std::vector<std::byte>(size, std::byte{7}));
      break;
    }
    default:
      if (size > 250) writer.fail(), model.failed = true;
      break;
  }
}

/// Gives back what was written; an exact allocation, so that a step past it is seen.
std::vector<std::byte> check_writer(script& from) {
  const std::size_t capacity = std::size_t{from.u8()} * 2;
  const auto memory = std::make_unique<std::byte[]>(capacity);
  buffer_writer writer(mutable_bytes(memory.get(), capacity));
  model_writer model{.out = {}, .capacity = capacity};
  for (unsigned steps = 0; steps < 40 && !from.empty(); ++steps) {
    write_one(from, writer, model);
    require(writer.ok() == !model.failed);
    require(equal_bytes(writer.written(), model.out));
    require(writer.remaining() == (model.failed ? 0 : capacity - model.out.size()));
  }
  return model.out;
}

std::uint64_t expected_fixed(bytes data) {
  std::uint64_t value = 0;
  for (const std::byte one : data) value = value * 256 + std::to_integer<std::uint64_t>(one);
  return value;
}

/// What a read of the kind must consume of `rest`: nothing when it must fail.
struct expectation {
  bool fails = false;
  std::size_t consumed = 0;
  std::uint64_t value = 0;
};

expectation expect_fixed(bytes rest, std::size_t size) {
  if (rest.size() < size) return {.fails = true};
  return {.consumed = size, .value = expected_fixed(rest.first(size))};
}

expectation expect_varint(bytes rest) {
  if (rest.empty()) return {.fails = true};
  const std::size_t size = sizes[std::to_integer<unsigned>(rest[0]) / 64];
  expectation out = expect_fixed(rest, size);
  if (!out.fails && size == 1) out.value %= 64;
  if (!out.fails && size == 2) out.value %= 16384;
  if (!out.fails && size == 4) out.value %= 1073741824;
  if (!out.fails && size == 8) out.value %= 4611686018427387904;
  return out;
}

expectation expect_prefixed(bytes rest) {
  const expectation length = expect_varint(rest);
  if (length.fails || rest.size() - length.consumed < length.value) return {.fails = true};
  return {.consumed = length.consumed + static_cast<std::size_t>(length.value),
          .value = length.value};
}

void check_view(bytes view, const expectation& wanted, bytes rest) {
  require(view.size() == (wanted.fails ? 0 : wanted.value));
  if (!view.empty()) require(view.data() == rest.data() + wanted.consumed - view.size());
}

expectation read_one(buffer_reader& reader, std::uint8_t what, std::uint64_t size, bytes rest) {
  expectation wanted;
  switch (what % 9) {
    case 0: wanted = expect_fixed(rest, 1), require(reader.u8() == wanted.value); break;
    case 1: wanted = expect_fixed(rest, 2), require(reader.u16() == wanted.value); break;
    case 2: wanted = expect_fixed(rest, 4), require(reader.u32() == wanted.value); break;
    case 3: wanted = expect_fixed(rest, 8), require(reader.u64() == wanted.value); break;
    case 4:
      wanted = expect_fixed(rest, 1 + size % 8);
      require(reader.fixed(1 + size % 8) == wanted.value);
      break;
    case 5: wanted = expect_varint(rest), require(reader.varint() == wanted.value); break;
    case 6:
    case 7: {
      wanted.fails = size > rest.size();
      if (!wanted.fails) wanted.consumed = static_cast<std::size_t>(size), wanted.value = size;
      what % 9 == 6 ? check_view(reader.take(size), wanted, rest) : reader.skip(size);
      break;
    }
    default:
      wanted = expect_prefixed(rest);
      check_view(reader.take_varint_prefixed(), wanted, rest);
      break;
  }
  return wanted;
}

void check_reader(script& from, bytes input) {
  buffer_reader reader(input);
  bytes rest = input;
  bool failed = false;
  for (unsigned steps = 0; steps < 40; ++steps) {
    const std::uint8_t what = from.u8();
    const std::uint64_t size = what & 0x80 ? from.u64() : from.u8();
    require(reader.peek_u8() == (rest.empty() ? 0 : std::to_integer<std::uint8_t>(rest[0])));
    // After a failure there is nothing left, and so every read but an empty one fails again.
    const expectation wanted = read_one(reader, what, size, rest);
    failed = failed || wanted.fails;
    rest = failed ? bytes() : rest.subspan(wanted.consumed);
    require(reader.ok() == !failed);
    require(reader.remaining() == rest.size() && reader.empty() == rest.empty());
    require(equal_bytes(reader.rest(), rest));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  script from{input, input + size};
  check_lengths(from.u64());
  const std::vector<std::byte> written = check_writer(from);
  // Reads go over what was written, and over the script itself.
  script reads = from;
  check_reader(reads, written);
  check_reader(from, std::as_bytes(std::span(input, size)));
  return 0;
}
