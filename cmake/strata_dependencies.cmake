# SPDX-License-Identifier: Apache-2.0
# Finds what the libraries stand on. `./dev deps` puts these into a cache folder and passes STRATA_DEPS and STRATA_OPENSSL;
# a packager's own CMAKE_PREFIX_PATH and OPENSSL_ROOT_DIR work just as well.

if(STRATA_DEPS)
  list(APPEND CMAKE_PREFIX_PATH ${STRATA_DEPS}/catch2-3.7.1/usr ${STRATA_DEPS}/asio-1.30.2/usr)
  # Without ./dev nobody chose an OpenSSL: take what it would.
  if(NOT STRATA_OPENSSL AND EXISTS ${STRATA_DEPS}/openssl-4.0.3)
    set(STRATA_OPENSSL ${STRATA_DEPS}/openssl-4.0.3)
    if(BUILD_SHARED_LIBS AND EXISTS ${STRATA_OPENSSL}-shared)
      string(APPEND STRATA_OPENSSL -shared)
    endif()
  endif()
endif()
if(STRATA_OPENSSL AND NOT OPENSSL_ROOT_DIR)
  set(OPENSSL_ROOT_DIR ${STRATA_OPENSSL})
endif()

# find_package keeps what it found even when the root changes: forget it then, and what was probed in it.
if(NOT "${OPENSSL_ROOT_DIR}" STREQUAL "${STRATA_LAST_OPENSSL}")
  foreach(found OPENSSL_INCLUDE_DIR OPENSSL_SSL_LIBRARY OPENSSL_CRYPTO_LIBRARY OpenSSL_DIR STRATA_HAVE_QUIC_TLS STRATA_HAVE_ECH)
    unset(${found} CACHE)
  endforeach()
  set(STRATA_LAST_OPENSSL "${OPENSSL_ROOT_DIR}" CACHE INTERNAL "The OpenSSL of the last configure")
endif()

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
# No version: OpenSSL 4's own config file refuses a request for 3.5. The probe below checks what is needed instead.
find_package(OpenSSL REQUIRED COMPONENTS SSL Crypto)
if(NOT OPENSSL_VERSION)
  set(OPENSSL_VERSION ${OpenSSL_VERSION})  # Conan's package sets only this
endif()
find_package(asio REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
if(STRATA_BUILD_TESTS)
  find_package(Catch2 3.7 REQUIRED CONFIG)
endif()
include(strata_probe_openssl)
