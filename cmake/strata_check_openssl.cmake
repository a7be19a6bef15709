# SPDX-License-Identifier: Apache-2.0
# A static library of ours takes whatever OpenSSL the program resolves, and an older one fails to link, or worse, links and
# crashes. strata_check_openssl(PROBLEM BUILT): sets PROBLEM to what is wrong with this project's OpenSSL::SSL, or to nothing.

include(CheckCXXSourceCompiles)
include(CMakePushCheckState)

# The version in the headers that come with the target; another find_package may have set the variables to something else.
function(strata_resolved_openssl version)
  set(result "${OPENSSL_VERSION}")
  if(NOT result)
    set(result "${OpenSSL_VERSION}")
  endif()
  get_target_property(folders OpenSSL::SSL INTERFACE_INCLUDE_DIRECTORIES)
  foreach(folder ${folders})
    string(REGEX REPLACE "^\\$<\\$<CONFIG:[A-Za-z]+>:(.*)>$" "\\1" folder "${folder}")  # as Conan writes them
    if(EXISTS "${folder}/openssl/opensslv.h")
      file(STRINGS "${folder}/openssl/opensslv.h" line REGEX "^# *define OPENSSL_VERSION_STR ")
      string(REGEX MATCH "[0-9]+\\.[0-9]+\\.[0-9]+" result "${line}")
      break()
    endif()
  endforeach()
  set(${version} "${result}" PARENT_SCOPE)
endfunction()

function(strata_check_openssl problem built)
  set(${problem} "" PARENT_SCOPE)
  if(NOT TARGET OpenSSL::SSL)
    set(${problem} "needs OpenSSL::SSL, and this project's OpenSSL package defines no such target" PARENT_SCOPE)
    return()
  endif()
  string(REGEX MATCH "^([0-9]+)\\.([0-9]+)" floor "${built}")
  math(EXPR next_major "${CMAKE_MATCH_1} + 1")
  strata_resolved_openssl(resolved)
  if(NOT resolved VERSION_GREATER_EQUAL floor OR NOT resolved VERSION_LESS next_major)
    set(${problem} "was built against OpenSSL ${built} and needs >= ${floor}, < ${next_major}; this project resolved \
OpenSSL::SSL to '${resolved}'" PARENT_SCOPE)
    return()
  endif()

  # Headers of one version with libraries of another are the classic mistake: link, do not only compile.
  cmake_push_check_state(RESET)
  set(CMAKE_TRY_COMPILE_CONFIGURATION ${CMAKE_BUILD_TYPE})
  set(CMAKE_REQUIRED_QUIET ON)
  set(CMAKE_REQUIRED_LIBRARIES OpenSSL::SSL OpenSSL::Crypto ${CMAKE_DL_LIBS} Threads::Threads)
  string(MAKE_C_IDENTIFIER "STRATA_OPENSSL_${resolved}_LINKS" links)
  check_cxx_source_compiles("extern \"C\" int SSL_set_quic_tls_cbs(); int main() { return SSL_set_quic_tls_cbs(); }" ${links})
  cmake_pop_check_state()
  if(NOT ${links})
    unset(${links} CACHE)
    set(${problem} "needs the QUIC TLS callbacks of OpenSSL; the libssl that this project resolved has none" PARENT_SCOPE)
  endif()
endfunction()
