// SPDX-License-Identifier: Apache-2.0
#include "core/crypto/address_token.hpp"

#include <openssl/crypto.h>

#include <utility>

#include "core/crypto/algorithms.hpp"
#include "strata/quic/core/limits.hpp"
#include "strata/transport/core/buffer_reader.hpp"
#include "strata/transport/core/buffer_writer.hpp"

namespace strata::quic {
inline namespace v0 {
namespace core {
namespace {

using transport::as_bytes;
using transport::buffer_reader;
using transport::buffer_writer;

// A token: purpose (1), salt (16), sealed content, tag (16).
// The content: time of issue in milliseconds since 1970 (8); of Retry tokens then both IDs, each
// after its size (1). The address is not in it but goes into the tag, so a token of another address
// is a damaged one.
constexpr std::size_t salt_size = 16;
constexpr std::size_t tag_size = 16;
constexpr std::size_t head_size = 1 + salt_size;
constexpr std::size_t max_content_size = 8 + 2 * (1 + connection_id::max_size);
constexpr std::size_t max_size = head_size + max_content_size + tag_size;
static_assert(max_size <= limits::max_token_size);

//= RFC 9000 section 8.1.1
//# A token sent in a NEW_TOKEN frame or a Retry packet MUST be constructed in a
//# way that allows the server to identify how it was provided to a client.
// In clear, but under the tag. Values far apart, so that hardly any damage makes one of the other.
constexpr std::byte retry_mark{0x72};
constexpr std::byte new_token_mark{0x9d};

constexpr std::size_t cipher_key_size = 32;
constexpr std::size_t derived_size = 48;  // Key and IV; as much as one hash gives.

using content_storage = std::array<std::byte, max_content_size>;
using binding_storage = std::array<std::byte, 1 + 16 + 2>;

/// What the tag covers besides the content.
bytes bind(std::byte mark, const transport::address& remote, binding_storage& storage) {
  buffer_writer writer(storage);
  writer.u8(std::to_integer<std::uint8_t>(mark));
  //= RFC 9000 section 8.1.4
  //# Tokens sent in NEW_TOKEN frames MUST include information that allows the server to verify
  //# that the client IP address has not changed from when the token was issued.
  writer.put(remote.octets());
  //= RFC 9000 section 8.1.4
  //# Tokens sent in Retry packets
  //# SHOULD include information that allows the server to verify that the source IP
  //# address and port in client packets remain constant.
  // A later connection comes from another port, so a NEW_TOKEN's is for the address alone.
  if (mark == retry_mark) writer.u16(remote.port());
  return writer.written();
}

std::chrono::milliseconds since_epoch(std::chrono::system_clock::time_point time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch());
}

}  // namespace

struct token_issuer::keys {
  std::shared_ptr<const algorithms> library = algorithms::shared();
  cipher_context_handle context{EVP_CIPHER_CTX_new()};
  std::array<std::byte, 32> token{};
  std::array<std::byte, 32> reset{};

  keys() = default;
  keys(const keys&) = delete;
  keys& operator=(const keys&) = delete;
  ~keys() {
    OPENSSL_cleanse(token.data(), token.size());
    OPENSSL_cleanse(reset.data(), reset.size());
  }

  /// Starts the cipher with the key that belongs to `salt` alone: random salts may be drawn for as
  /// many tokens as there are, while random nonces under one key would run out after some 2^32.
  bool begin(bytes salt, bool seals) {
    std::array<std::byte, derived_size> derived;
    const bool started =
        library && context &&
        library->hmac(cipher_suite::aes_256_gcm_sha384, token, salt, derived) &&
        EVP_CipherInit_ex2(context.get(), library->aes_256_gcm.get(), octets(derived.data()),
                           octets(derived.data() + cipher_key_size), seals ? 1 : 0, nullptr) == 1;
    OPENSSL_cleanse(derived.data(), derived.size());
    return started;
  }

  //= RFC 9000 section 8.1.4
  //# the token MUST be covered by integrity protection against modification or falsification by
  //# clients
  bool seal(bytes binding, mutable_bytes content, mutable_bytes tag) {
    int size = 0;
    return EVP_EncryptUpdate(context.get(), nullptr, &size, octets(binding.data()),
                             static_cast<int>(binding.size())) == 1 &&
           EVP_EncryptUpdate(context.get(), octets(content.data()), &size, octets(content.data()),
                             static_cast<int>(content.size())) == 1 &&
           EVP_EncryptFinal_ex(context.get(), octets(content.data()), &size) == 1 &&
           EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, tag_size, tag.data()) == 1;
  }

  bool open(bytes binding, mutable_bytes content, mutable_bytes tag) {
    int size = 0;
    return EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, tag_size, tag.data()) == 1 &&
           EVP_DecryptUpdate(context.get(), nullptr, &size, octets(binding.data()),
                             static_cast<int>(binding.size())) == 1 &&
           EVP_DecryptUpdate(context.get(), octets(content.data()), &size, octets(content.data()),
                             static_cast<int>(content.size())) == 1 &&
           EVP_DecryptFinal_ex(context.get(), octets(content.data()), &size) == 1;
  }

  std::vector<std::byte> mint(std::byte mark, const transport::address& remote, bytes content,
                              bytes salt) {
    std::vector<std::byte> out(head_size + content.size() + tag_size);
    out[0] = mark;
    transport::copy_bytes(out.data() + 1, salt);
    const mutable_bytes sealed = mutable_bytes(out).subspan(head_size, content.size());
    transport::copy_bytes(sealed.data(), content);
    binding_storage storage;
    if (begin(salt, true) &&
        seal(bind(mark, remote, storage), sealed, mutable_bytes(out).last(tag_size)))
      return out;
    return {};
  }
};

token_issuer::token_issuer(transport::bytes static_key, transport::random_source& random,
                           transport::wall_clock& clock)
    : keys_(std::make_unique<keys>()), random_(random), clock_(clock) {
  std::array<std::byte, 32> drawn;
  if (static_key.empty()) {
    random.fill(drawn);
    static_key = drawn;
  }
  constexpr auto suite = cipher_suite::aes_128_gcm_sha256;
  const bool derived =
      keys_->library &&
      keys_->library->hmac(suite, static_key, as_bytes("address token"), keys_->token) &&
      keys_->library->hmac(suite, static_key, as_bytes("stateless reset"), keys_->reset);
  if (!derived) {  // Keys that nobody knows are safe; keys of zeros would not be.
    random.fill(keys_->token);
    random.fill(keys_->reset);
  }
  OPENSSL_cleanse(drawn.data(), drawn.size());
}

token_issuer::~token_issuer() = default;

std::vector<std::byte> token_issuer::mint_retry(const transport::address& remote,
                                                const connection_id& original_destination,
                                                const connection_id& retry_source) {
  content_storage storage;
  buffer_writer content(storage);
  content.u64(static_cast<std::uint64_t>(since_epoch(clock_.now()).count()));
  for (const connection_id* const id : {&original_destination, &retry_source}) {
    content.u8(static_cast<std::uint8_t>(id->size()));
    content.put(id->bytes());
  }
  std::array<std::byte, salt_size> salt;
  random_.fill(salt);
  return keys_->mint(retry_mark, remote, content.written(), salt);
}

//= RFC 9000 section 8.1.3
//# A token issued with NEW_TOKEN MUST NOT include information that would allow values to be linked
//# by an observer to the connection on which it was issued.
std::vector<std::byte> token_issuer::mint_new_token(const transport::address& remote) {
  content_storage storage;
  buffer_writer content(storage);
  content.u64(static_cast<std::uint64_t>(since_epoch(clock_.now()).count()));
  //= RFC 9000 section 8.1.3
  //# A server MUST ensure that
  //# every NEW_TOKEN frame it sends is unique across all clients, with the exception
  //# of those sent to repair losses of previously sent NEW_TOKEN frames.
  std::array<std::byte, salt_size> salt;
  random_.fill(salt);
  return keys_->mint(new_token_mark, remote, content.written(), salt);
}

std::optional<address_token> token_issuer::check(transport::bytes token,
                                                 const transport::address& remote,
                                                 bool& looks_like_retry) {
  looks_like_retry = false;
  if (token.size() < head_size + tag_size || token.size() > max_size) return std::nullopt;
  const std::byte mark = token[0];
  if (mark != retry_mark && mark != new_token_mark) return std::nullopt;
  looks_like_retry = mark == retry_mark;

  std::array<std::byte, max_size> copy;
  transport::copy_bytes(copy.data(), token);
  const mutable_bytes content =
      mutable_bytes(copy).subspan(head_size, token.size() - head_size - tag_size);
  const mutable_bytes tag = mutable_bytes(copy).subspan(token.size() - tag_size, tag_size);
  binding_storage storage;
  if (!keys_->begin(token.subspan(1, salt_size), false)) return std::nullopt;
  //= RFC 9000 section 8.1.4
  //# An address validation token MUST be difficult to guess.
  if (!keys_->open(bind(mark, remote, storage), content, tag)) return std::nullopt;

  buffer_reader reader(content);
  const auto issued = std::chrono::milliseconds(static_cast<std::int64_t>(reader.u64()));
  address_token out;
  if (looks_like_retry) {
    // What authenticates was written by mint_retry(), so the sizes are those of IDs.
    out.original_destination = connection_id(reader.take(reader.u8()));
    out.retry_source = connection_id(reader.take(reader.u8()));
  } else {
    out.kind = address_token::purpose::new_token;
  }
  if (!reader.ok()) return std::nullopt;
  //= RFC 9000 section 8.1.4
  //# Servers SHOULD ensure that tokens sent in Retry packets
  //# are only accepted for a short time, as they are returned immediately by clients.
  const std::chrono::milliseconds lifetime =
      looks_like_retry ? std::chrono::milliseconds(limits::retry_token_lifetime)
                       : std::chrono::milliseconds(limits::new_token_lifetime);
  const std::chrono::milliseconds age = since_epoch(clock_.now()) - issued;
  //= RFC 9000 section 8.1.4
  //# servers MUST ensure that replay of tokens is prevented or limited
  // Servers that share a key may differ in time by as much as a Retry token lives.
  if (age > lifetime || age < -std::chrono::milliseconds(limits::retry_token_lifetime))
    return std::nullopt;
  return out;
}

stateless_reset_token token_issuer::reset_token(const connection_id& id) const {
  std::array<std::byte, 32> digest;
  //= RFC 9000 section 10.3.2
  //# The stateless reset token MUST be difficult to guess.
  const bool made = keys_->library && keys_->library->hmac(cipher_suite::aes_128_gcm_sha256,
                                                           keys_->reset, id.bytes(), digest);
  // A token that nobody can guess resets nothing, which is the better failure.
  if (!made) random_.fill(digest);
  stateless_reset_token out;
  transport::copy_bytes(out.data(), bytes(digest).first(out.size()));
  return out;
}

}  // namespace core
}  // namespace v0
}  // namespace strata::quic
