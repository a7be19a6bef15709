// SPDX-License-Identifier: Apache-2.0
#include "tls/record_io.hpp"

#include <algorithm>
#include <limits>
#include <new>

namespace strata::transport {
inline namespace v0 {
namespace {

// RFC 8446 section 5.1, RFC 5246 section 6.2.3.
constexpr std::uint8_t first_type = 20;  // change_cipher_spec
constexpr std::uint8_t last_type = 24;
constexpr std::size_t max_ciphertext = 16 * 1024 + 2048;

record_io& io_of(BIO* bio) { return *static_cast<record_io*>(BIO_get_data(bio)); }

int bio_read(BIO* bio, char* out, std::size_t size, std::size_t* count) {
  BIO_clear_retry_flags(bio);
  *count = io_of(bio).read({reinterpret_cast<std::byte*>(out), size});
  if (*count != 0) return 1;
  BIO_set_retry_read(bio);
  return 0;
}

int bio_write(BIO* bio, const char* record, std::size_t size, std::size_t* count) {
  BIO_clear_retry_flags(bio);
  if (!io_of(bio).write({reinterpret_cast<const std::byte*>(record), size})) return 0;
  *count = size;
  return 1;
}

long bio_control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

const BIO_METHOD* method() {
  static const std::unique_ptr<BIO_METHOD, openssl_deleter<&BIO_meth_free>> made = [] {
    std::unique_ptr<BIO_METHOD, openssl_deleter<&BIO_meth_free>> out(
        BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "strata"));
    if (out) {
      BIO_meth_set_read_ex(out.get(), bio_read);
      BIO_meth_set_write_ex(out.get(), bio_write);
      BIO_meth_set_ctrl(out.get(), bio_control);
    }
    return out;
  }();
  return made.get();
}

}  // namespace

bio_handle record_io::make_bio() {
  bio_handle bio(method() == nullptr ? nullptr : BIO_new(method()));
  if (bio) {
    BIO_set_data(bio.get(), this);
    BIO_set_init(bio.get(), 1);
  }
  return bio;
}

void record_io::keep() {
  kept_.append(lent_);
  lent_ = {};
}

void record_io::drop_input() noexcept {
  kept_.clear();
  lent_ = {};
}

void record_io::release_memory() noexcept {
  kept_.release_memory();
  output_.release_memory();
}

std::byte record_io::at(std::size_t offset) const noexcept {
  return offset < kept_.size() ? kept_.at(offset) : lent_[offset - kept_.size()];
}

std::size_t record_io::available() const noexcept {
  const std::size_t here = input_size();
  if (record_left_ != 0) return std::min(record_left_, here);
  if (here < record_header_size) return 0;
  const auto octet = [this](std::size_t i) { return std::to_integer<std::size_t>(at(i)); };
  const std::size_t length = octet(3) << 8 | octet(4);
  // What is no record is OpenSSL's to refuse, at once: its length means nothing.
  const bool plausible =
      octet(0) >= first_type && octet(0) <= last_type && octet(1) == 3 && length <= max_ciphertext;
  if (!plausible) return here;
  return here >= record_header_size + length ? record_header_size + length : 0;
}

std::size_t record_io::read(std::span<std::byte> out) noexcept {
  const std::size_t ready = available();
  if (ready == 0) return 0;
  if (record_left_ == 0) {
    record_left_ = ready;
    ++records_read_;
  }
  std::size_t done = 0;
  const std::size_t wanted = std::min(out.size(), ready);
  while (done < wanted) {
    const bytes source = kept_.empty() ? lent_ : kept_.front();
    const bytes part = source.first(std::min(source.size(), wanted - done));
    copy_bytes(out.data() + done, part);
    done += part.size();
    if (kept_.empty()) {
      lent_ = lent_.subspan(part.size());
    } else {
      kept_.consume(part.size());
    }
  }
  record_left_ -= done;
  return done;
}

bool record_io::write(bytes record) noexcept {
  try {
    output_.append(record);
  } catch (const std::bad_alloc&) {
    return false;
  }
  ++records_written_;
  return true;
}

}  // namespace v0
}  // namespace strata::transport
