# SPDX-License-Identifier: Apache-2.0
# strata_test(LIBRARY ROOM SOURCES file... [LINK target...]): one test program per room, one ctest entry `<library>.<room>`.
# The program sees the library's private headers, because a room is tested where it lives.

# Half of what a small file of tests costs is reading Catch2.
strata_headers(strata_catch_headers HEADERS
  <catch2/catch_test_macros.hpp> <algorithm> <array> <chrono> <expected> <memory> <optional> <span> <string> <vector> LINK Catch2::Catch2)

function(strata_test library room)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "TIMEOUT" "SOURCES;LINK")
  set(target strata-${library}-${room}-tests)
  add_executable(${target} ${arg_SOURCES})
  target_link_libraries(${target} PRIVATE strata::${library} strata_testkit ${arg_LINK} Catch2::Catch2WithMain strata_build_flags)
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/lib${library}/src)
  # A test's own code runs once; the libraries and the testkit beneath it keep the preset's optimisation. A third less to compile.
  target_compile_options(${target} PRIVATE $<$<CONFIG:Debug>:-Og>)
  target_compile_definitions(${target} PRIVATE STRATA_TEST_VECTORS="${PROJECT_SOURCE_DIR}/tests/vectors")
  set(precompiled strata_catch_headers)
  set(written ${arg_SOURCES})
  list(FILTER written INCLUDE REGEX "\\.cpp$")
  foreach(source ${written})
    file(STRINGS ${source} asio_lines REGEX "^#include <asio" LIMIT_COUNT 1)
    if(asio_lines)
      set(precompiled strata_asio_headers)
      break()
    endif()
  endforeach()
  strata_use_headers(${target} ${precompiled})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  add_test(NAME ${library}.${room} COMMAND ${target} --colour-mode none)
  set_tests_properties(${library}.${room} PROPERTIES TIMEOUT ${arg_TIMEOUT})
endfunction()
