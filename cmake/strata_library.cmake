# SPDX-License-Identifier: Apache-2.0
# strata_library(NAME VERSION x.y.z DEPENDS lib... PRIVATE lib...)
#
# Makes one library out of the folder it is called in:
#   strata_<name>_core    object library of src/core: no Asio on its include path, so a core that includes it does not compile
#   strata_<name>         the library, alias strata::<name>, with src/driver and src/observers on top
# Sources are listed by the folders themselves (target_sources in each folder's CMakeLists.txt).

include(GNUInstallDirs)
include(GenerateExportHeader)
include(CMakePackageConfigHelpers)

add_library(strata_build_flags INTERFACE)
target_compile_features(strata_build_flags INTERFACE cxx_std_23)
target_compile_options(strata_build_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wnon-virtual-dtor -Woverloaded-virtual
  -Wnull-dereference -Wimplicit-fallthrough
  $<$<CXX_COMPILER_ID:GNU>:-Wshadow=local;-Wno-missing-field-initializers>
  $<$<CXX_COMPILER_ID:Clang>:-Wshadow;-Wno-missing-designated-field-initializers>
  $<$<BOOL:${STRATA_WARNINGS_AS_ERRORS}>:-Werror>)
if(STRATA_SANITIZE)
  list(JOIN STRATA_SANITIZE "," strata_sanitize_list)
  target_compile_options(strata_build_flags INTERFACE -fsanitize=${strata_sanitize_list} -fno-omit-frame-pointer
    $<$<IN_LIST:undefined,${STRATA_SANITIZE}>:-fno-sanitize-recover=undefined>)
  target_link_options(strata_build_flags INTERFACE -fsanitize=${strata_sanitize_list})
endif()

function(strata_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "VERSION" "DEPENDS;PRIVATE;CORE_PRIVATE")
  set(core strata_${name}_core)
  set(full strata_${name})

  add_library(${core} OBJECT)
  add_library(${full})
  add_library(strata::${name} ALIAS ${full})

  string(TOUPPER ${name} upper)
  generate_export_header(${full} BASE_NAME STRATA_${upper} EXPORT_MACRO_NAME STRATA_${upper}_API
    EXPORT_FILE_NAME ${CMAKE_CURRENT_BINARY_DIR}/include/strata/${name}/export.hpp)

  configure_file(${PROJECT_SOURCE_DIR}/cmake/version.hpp.in
    ${CMAKE_CURRENT_BINARY_DIR}/include/strata/${name}/version.hpp @ONLY)
  configure_file(${PROJECT_SOURCE_DIR}/cmake/version.cpp.in ${CMAKE_CURRENT_BINARY_DIR}/version.cpp @ONLY)
  target_sources(${full} PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/version.cpp)

  foreach(target ${core} ${full})
    target_include_directories(${target} PUBLIC
      $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/include>
      $<BUILD_INTERFACE:${CMAKE_CURRENT_BINARY_DIR}/include>
      $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
    target_include_directories(${target} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/src)
    target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:strata_build_flags>)
    target_compile_features(${target} PUBLIC cxx_std_23)
    set_target_properties(${target} PROPERTIES
      CXX_EXTENSIONS OFF CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON POSITION_INDEPENDENT_CODE ON)
  endforeach()
  target_compile_definitions(${core} PRIVATE ${full}_EXPORTS)
  get_target_property(type ${full} TYPE)
  if(type STREQUAL "STATIC_LIBRARY")
    target_compile_definitions(${core} PUBLIC STRATA_${upper}_STATIC_DEFINE)
    target_compile_definitions(${full} PUBLIC STRATA_${upper}_STATIC_DEFINE)
  endif()

  foreach(dependency ${arg_DEPENDS})
    target_link_libraries(${core} PUBLIC strata_${dependency}_core_interface)
    target_link_libraries(${full} PUBLIC strata::${dependency})
  endforeach()
  target_link_libraries(${core} PRIVATE ${arg_CORE_PRIVATE})
  target_link_libraries(${full} PUBLIC asio::asio Threads::Threads PRIVATE ${arg_PRIVATE} ${arg_CORE_PRIVATE})
  target_sources(${full} PRIVATE $<TARGET_OBJECTS:${core}>)

  # What the cores of higher libraries may see of this one: its headers, never Asio.
  add_library(strata_${name}_core_interface INTERFACE)
  target_include_directories(strata_${name}_core_interface INTERFACE
    ${CMAKE_CURRENT_SOURCE_DIR}/include ${CMAKE_CURRENT_BINARY_DIR}/include)
  target_compile_definitions(strata_${name}_core_interface INTERFACE
    $<TARGET_PROPERTY:${full},INTERFACE_COMPILE_DEFINITIONS>)
  foreach(dependency ${arg_DEPENDS})
    target_link_libraries(strata_${name}_core_interface INTERFACE strata_${dependency}_core_interface)
  endforeach()

  set_target_properties(${full} PROPERTIES OUTPUT_NAME strata-${name} EXPORT_NAME ${name} VERSION ${arg_VERSION})
endfunction()
