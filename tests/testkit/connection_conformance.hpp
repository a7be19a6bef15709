// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>

#include "strata/transport/connection.hpp"

namespace strata::testkit {

struct connection_ends {
  std::unique_ptr<transport::connection> near;  ///< Under test.
  std::unique_ptr<transport::connection> far;   ///< Plays the peer.
};

/// What the kinds of connections differ in.
struct connection_row {
  std::string name;
  /// The code of a close reaches the peer as it is; else as 0.
  bool carries_codes = false;
  /// And so do the words.
  bool carries_reasons = false;
  /// A stream exists for the peer with its first byte only.
  bool opens_lazily = false;
};

/// Makes connections of one kind for the conformance suite. One is made per case.
class connection_maker {
 public:
  virtual ~connection_maker() = default;
  virtual const connection_row& row() const = 0;
  virtual asio::io_context& context() = 0;
  /// Runs the context as long as that takes.
  virtual connection_ends connect() = 0;
};

using connection_factory = std::function<std::unique_ptr<connection_maker>()>;

/// Runs every cell of the contract of transport::connection (operation and state) as a section of
/// its own on a fresh connection. Call it from a TEST_CASE.
void check_connection_conformance(const connection_factory& make);

}  // namespace strata::testkit
