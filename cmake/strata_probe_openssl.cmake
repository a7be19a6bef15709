# SPDX-License-Identifier: Apache-2.0
# Does this OpenSSL have the QUIC TLS callbacks (3.5 and later) and ECH (4.0 and later)? Symbols are asked, not versions.

include(CheckSymbolExists)
include(CMakePushCheckState)
cmake_push_check_state(RESET)
set(CMAKE_TRY_COMPILE_CONFIGURATION ${CMAKE_BUILD_TYPE})
set(CMAKE_REQUIRED_LIBRARIES OpenSSL::SSL OpenSSL::Crypto Threads::Threads ${CMAKE_DL_LIBS})
enable_language(C)
check_symbol_exists(SSL_set_quic_tls_cbs openssl/ssl.h STRATA_HAVE_QUIC_TLS)
check_symbol_exists(SSL_set1_ech_config_list openssl/ech.h STRATA_HAVE_ECH)
cmake_pop_check_state()

if(NOT STRATA_HAVE_QUIC_TLS)
  message(FATAL_ERROR
    "This OpenSSL (${OPENSSL_VERSION}, ${OPENSSL_INCLUDE_DIR}) has no QUIC TLS callbacks; 3.5.2 or later is needed. "
    "Run `./dev deps` to get one, or pass -DOPENSSL_ROOT_DIR=PREFIX.")
endif()

# Two of our shared libraries with the archives in each would be two OpenSSLs in one process, which share neither SSL_CTX nor
# error state.
if(BUILD_SHARED_LIBS)
  foreach(property IMPORTED_LOCATION IMPORTED_LOCATION_RELEASE IMPORTED_LOCATION_NOCONFIG)
    get_target_property(library OpenSSL::Crypto ${property})
    if(library MATCHES "\\.a$")
      message(FATAL_ERROR "Shared libraries of strata need a shared OpenSSL, and this one is an archive: ${library}. "
        "Run `./dev deps --shared`, or pass the prefix of a shared one: -DOPENSSL_ROOT_DIR=PREFIX.")
    endif()
  endforeach()
endif()
