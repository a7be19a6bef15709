# SPDX-License-Identifier: Apache-2.0
# What a builder may choose. Nothing here touches a parent project's settings: tests, examples and warnings are ours only.

option(STRATA_BUILD_TESTS "Build the tests" ${PROJECT_IS_TOP_LEVEL})
option(STRATA_BUILD_EXAMPLES "Build the example programs" ${PROJECT_IS_TOP_LEVEL})
option(STRATA_BUILD_FUZZERS "Build the fuzz targets (clang only)" OFF)
option(STRATA_WARNINGS_AS_ERRORS "Treat warnings as errors" OFF)
option(STRATA_PORTABLE_UDP "Use the plain UDP socket that other systems get, on Linux too" OFF)
set(STRATA_SANITIZE "" CACHE STRING "Sanitizers for our own targets, e.g. address;undefined")

if(PROJECT_IS_TOP_LEVEL)
  set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
  if(NOT CMAKE_CXX_COMPILER_LAUNCHER)
    find_program(STRATA_CCACHE ccache)
    if(STRATA_CCACHE)
      set(CMAKE_CXX_COMPILER_LAUNCHER ${STRATA_CCACHE})
    endif()
  endif()
endif()
