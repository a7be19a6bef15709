# SPDX-License-Identifier: Apache-2.0
# Finds what the libraries stand on. `./dev deps` puts these into a cache folder and passes STRATA_DEPS; a packager's own
# CMAKE_PREFIX_PATH works just as well.

if(STRATA_DEPS)
  list(APPEND CMAKE_PREFIX_PATH ${STRATA_DEPS}/catch2-3.7.1/usr ${STRATA_DEPS}/asio-1.30.2/usr)
  if(NOT OPENSSL_ROOT_DIR AND EXISTS ${STRATA_DEPS}/openssl-4.0.3)
    set(OPENSSL_ROOT_DIR ${STRATA_DEPS}/openssl-4.0.3)
  endif()
endif()

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
# No version: OpenSSL 4's own config file refuses a request for 3.5. The probe below checks what is needed instead.
find_package(OpenSSL REQUIRED COMPONENTS SSL Crypto)
find_package(asio REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
if(STRATA_BUILD_TESTS)
  find_package(Catch2 3.7 REQUIRED CONFIG)
endif()
include(strata_probe_openssl)
