// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "strata/transport/core/buffer_reader.hpp"
#include "strata/transport/core/bytes.hpp"

namespace strata::hostile {

/// A TLS 1.3 ClientHello taken apart (RFC 8446 section 4.1.2), to be put together with one part
/// changed.
struct client_hello {
  struct extension {
    std::uint16_t type = 0;
    std::vector<std::byte> content;
  };
  std::vector<std::byte> version_and_random;
  std::vector<std::byte> session_id;
  std::vector<std::byte> cipher_suites;
  std::vector<std::byte> compression;
  std::vector<extension> extensions;

  explicit client_hello(transport::bytes message) {
    transport::buffer_reader reader(message.subspan(4));
    const auto kept = [](transport::bytes view) {
      return std::vector<std::byte>(view.begin(), view.end());
    };
    version_and_random = kept(reader.take(34));
    session_id = kept(reader.take(reader.u8()));
    cipher_suites = kept(reader.take(reader.u16()));
    compression = kept(reader.take(reader.u8()));
    transport::buffer_reader list(reader.take(reader.u16()));
    while (!list.empty() && list.ok()) {
      extension each;
      each.type = list.u16();
      each.content = kept(list.take(list.u16()));
      extensions.push_back(std::move(each));
    }
  }

  void remove(std::uint16_t type) {
    std::erase_if(extensions, [type](const extension& each) { return each.type == type; });
  }
  /// At the place of the one there was, because the order may matter.
  void replace(std::uint16_t type, std::vector<std::byte> content) {
    for (extension& each : extensions)
      if (each.type == type) each.content = content;
  }

  std::vector<std::byte> message() const {
    std::vector<std::byte> body = version_and_random;
    put(body, 1, session_id);
    put(body, 2, cipher_suites);
    put(body, 1, compression);
    std::vector<std::byte> list;
    for (const extension& each : extensions) {
      number(list, 2, each.type);
      put(list, 2, each.content);
    }
    put(body, 2, list);
    std::vector<std::byte> whole{std::byte{1}};
    put(whole, 3, body);
    return whole;
  }

 private:
  static void number(std::vector<std::byte>& out, unsigned size, std::size_t value) {
    while (size-- > 0) out.push_back(static_cast<std::byte>(value >> (8 * size)));
  }
  static void put(std::vector<std::byte>& out, unsigned size,
                  const std::vector<std::byte>& content) {
    number(out, size, content.size());
    out.insert(out.end(), content.begin(), content.end());
  }
};

}  // namespace strata::hostile
