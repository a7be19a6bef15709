# SPDX-License-Identifier: Apache-2.0
# What a builder may choose. Nothing here touches a parent project's settings: tests, examples and warnings are ours only.

set(strata_whole_tree OFF)
if(PROJECT_IS_TOP_LEVEL AND PROJECT_NAME STREQUAL "strata")
  set(strata_whole_tree ON)
endif()
option(STRATA_BUILD_TESTS "Build the tests" ${strata_whole_tree})
option(STRATA_BUILD_EXAMPLES "Build the example programs" ${strata_whole_tree})
option(STRATA_PACKAGE_TESTS "Test installing, by builds of their own in build/package-*" OFF)
option(STRATA_BUILD_FUZZERS "Build the fuzz targets (clang only)" OFF)
option(STRATA_INSTALL "Make install rules" ${PROJECT_IS_TOP_LEVEL})
option(STRATA_WARNINGS_AS_ERRORS "Treat warnings as errors" OFF)
option(STRATA_COVERAGE "Count what the tests run (clang only)" OFF)
option(STRATA_PORTABLE_UDP "Use the plain UDP socket that other systems get, on Linux too" OFF)
set(STRATA_SANITIZE "" CACHE STRING "Sanitizers for our own targets, e.g. address;undefined")
set(STRATA_DEPS "" CACHE STRING "The cache folder of ./dev deps")
set(STRATA_OPENSSL "" CACHE STRING "The prefix of the OpenSSL to use; empty: OPENSSL_ROOT_DIR or the system's")

if(PROJECT_IS_TOP_LEVEL)
  set(CMAKE_CXX_EXTENSIONS OFF)
  set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
  if(NOT CMAKE_CXX_COMPILER_LAUNCHER)
    find_program(STRATA_CCACHE ccache)
    if(STRATA_CCACHE)
      # Without this looseness ccache refuses whatever uses a precompiled header. It holds for this build only.
      set(CMAKE_CXX_COMPILER_LAUNCHER
        ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${STRATA_CCACHE})
    endif()
  endif()
endif()
