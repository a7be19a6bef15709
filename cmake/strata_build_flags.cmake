# SPDX-License-Identifier: Apache-2.0
# The flags of our own targets, never of a consumer's, and the precompiled Asio that drivers and their tests share.

if(TARGET strata_build_flags)
  return()
endif()
add_library(strata_build_flags INTERFACE)
target_compile_features(strata_build_flags INTERFACE cxx_std_23)
target_compile_options(strata_build_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wnon-virtual-dtor -Woverloaded-virtual
  -Wimplicit-fallthrough
  $<$<CXX_COMPILER_ID:GNU>:-Wshadow=local;-Wno-missing-field-initializers>
  # GCC 12 takes the two operators of Asio's coroutine frames for a mismatch.
  $<$<CXX_COMPILER_ID:GNU>:-Wno-mismatched-new-delete>
  $<$<CXX_COMPILER_ID:Clang>:-Wshadow;-Wno-missing-designated-field-initializers>
  $<$<BOOL:${STRATA_WARNINGS_AS_ERRORS}>:-Werror>)
if(STRATA_SANITIZE)
  list(JOIN STRATA_SANITIZE "," strata_sanitize_list)
  target_compile_options(strata_build_flags INTERFACE -fsanitize=${strata_sanitize_list} -fno-omit-frame-pointer
    $<$<IN_LIST:undefined,${STRATA_SANITIZE}>:-fno-sanitize-recover=undefined>)
  target_link_options(strata_build_flags INTERFACE -fsanitize=${strata_sanitize_list})
endif()
if(STRATA_SANITIZE AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC takes twice as long over Asio's templates with the checks of each pointer that is followed, most of which AddressSanitizer
  # makes again. The cores, which read what strangers sent, keep them all; with Clang, everything does.
  define_property(TARGET PROPERTY STRATA_EVERY_CHECK BRIEF_DOCS "All of UndefinedBehaviorSanitizer, whatever it costs to compile")
  set(strata_pointer_checks null alignment object-size vptr return unreachable nonnull-attribute returns-nonnull-attribute pointer-overflow)
  list(JOIN strata_pointer_checks "," strata_pointer_checks)
  target_compile_options(strata_build_flags INTERFACE
    $<$<AND:$<IN_LIST:undefined,${STRATA_SANITIZE}>,$<NOT:$<BOOL:$<TARGET_PROPERTY:STRATA_EVERY_CHECK>>>>:-fno-sanitize=${strata_pointer_checks}>)
endif()
if(STRATA_COVERAGE)
  target_compile_options(strata_build_flags INTERFACE -fprofile-instr-generate -fcoverage-mapping)
  target_link_options(strata_build_flags INTERFACE -fprofile-instr-generate -fcoverage-mapping)
endif()

# strata_headers(NAME HEADERS <header>... LINK lib...): headers precompiled once, for every target that strata_use_headers names.
# Those must be compiled with the same flags. Cores are not: they know no Asio.
function(strata_headers name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "HEADERS;LINK")
  add_library(${name} OBJECT EXCLUDE_FROM_ALL ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/precompiled.cpp)
  target_precompile_headers(${name} PRIVATE ${arg_HEADERS})
  target_link_libraries(${name} PRIVATE ${arg_LINK} Threads::Threads strata_build_flags)
  set_target_properties(${name} PROPERTIES
    CXX_EXTENSIONS OFF CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON POSITION_INDEPENDENT_CODE ON)
endfunction()

function(strata_use_headers target name)
  target_precompile_headers(${target} REUSE_FROM ${name})
  set_target_properties(${target} PROPERTIES
    CXX_EXTENSIONS OFF CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON POSITION_INDEPENDENT_CODE ON)
  get_target_property(type ${target} TYPE)
  if(type STREQUAL "EXECUTABLE" AND NOT CMAKE_DISABLE_PRECOMPILE_HEADERS)
    # The property would mean -fPIE here, and compilers refuse headers that were precompiled with -fPIC then.
    set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
    target_compile_options(${target} PRIVATE -fPIC)
  endif()
endfunction()

strata_headers(strata_asio_headers HEADERS <asio.hpp> <chrono> <expected> <memory> <span> <string> <vector> LINK asio::asio)
