// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "strata/transport/tls.hpp"

namespace strata::testkit {

/// A certificate with its key, as a test needs them.
struct test_certificate {
  std::string certificate_pem;
  std::string private_key_pem;
  std::vector<std::byte> der;
  transport::certificate_hash sha256{};

  transport::tls_credential credential() const {
    return {transport::pem_source::from_text(certificate_pem),
            transport::pem_source::from_text(private_key_pem)};
  }
};

struct test_certificate_options {
  std::vector<std::string> names;     ///< DNS names and IP literals.
  std::chrono::hours valid_from{-1};  ///< From now.
  std::chrono::hours valid_until{24};
  /// Bytes of a comment inside, for chains too large for one flight.
  std::size_t padding = 0;
};

/// Issues certificates that live in memory only. Every authority has a key of its own, so two do
/// not trust each other.
class certificate_authority {
 public:
  explicit certificate_authority(const std::string& name = "Strata test authority");
  ~certificate_authority();
  certificate_authority(const certificate_authority&) = delete;
  certificate_authority& operator=(const certificate_authority&) = delete;

  /// What a client puts into its roots.
  transport::pem_source root() const;
  test_certificate issue(const test_certificate_options& options) const;

 private:
  struct identity;
  std::unique_ptr<identity> identity_;
};

/// The ones that most tests want, made once per program.
struct test_certificates {
  certificate_authority authority;
  test_certificate server;      ///< For server.test, localhost, 127.0.0.1 and ::1.
  test_certificate expired;     ///< For the same names, until yesterday.
  test_certificate wrong_name;  ///< For elsewhere.test.
  test_certificate client;      ///< For client.test.

  test_certificates();
  static const test_certificates& shared();
};

}  // namespace strata::testkit
