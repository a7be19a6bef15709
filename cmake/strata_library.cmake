# SPDX-License-Identifier: Apache-2.0
# strata_library(NAME DEPENDS (sibling version)... PRIVATE lib... CORE_PRIVATE lib...)
#
# Makes one library, of the version of the project around it, out of the folder it is called in:
#   strata_<name>_core    object library of src/core: no Asio on its include path, so a core that includes it does not compile
#   strata_<name>         the library, alias strata::<name>, with src/driver and src/observers on top
# Sources are listed by the folders themselves (target_sources in each folder's CMakeLists.txt); the public headers are all of
# include/. Install rules, the package config and the .pc file are in strata_install.cmake.

include(GNUInstallDirs)
include(GenerateExportHeader)
include(strata_install)

# strata_use_sibling(NAME VERSION): the library of this build, or an installed one. Until 1.0 siblings fit each other exactly.
function(strata_use_sibling name version)
  if(TARGET strata_${name})
    get_target_property(found strata_${name} VERSION)
    if(NOT found VERSION_EQUAL version)
      message(FATAL_ERROR "${PROJECT_NAME} is written for strata-${name} ${version}, and lib${name} is ${found}: change DEPENDS")
    endif()
  elseif(NOT TARGET strata_${name}_core_interface)
    find_package(strata-${name} ${version} EXACT CONFIG REQUIRED)
    add_library(strata_${name}_core_interface INTERFACE)
    foreach(property INTERFACE_INCLUDE_DIRECTORIES INTERFACE_COMPILE_DEFINITIONS)
      get_target_property(value strata::${name} ${property})
      if(value)
        set_target_properties(strata_${name}_core_interface PROPERTIES ${property} "${value}")
      endif()
    endforeach()
  endif()
endfunction()

function(strata_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "DEPENDS;PRIVATE;CORE_PRIVATE")
  set(core strata_${name}_core)
  set(full strata_${name})
  set(siblings "")
  while(arg_DEPENDS)
    list(POP_FRONT arg_DEPENDS sibling sibling_version)
    strata_use_sibling(${sibling} ${sibling_version})
    list(APPEND siblings ${sibling})
    set(sibling_${sibling}_version ${sibling_version})
  endwhile()

  add_library(${core} OBJECT)
  add_library(${full})
  add_library(strata::${name} ALIAS ${full})

  string(TOUPPER ${name} upper)
  generate_export_header(${full} BASE_NAME STRATA_${upper} EXPORT_MACRO_NAME STRATA_${upper}_API
    EXPORT_FILE_NAME ${CMAKE_CURRENT_BINARY_DIR}/include/strata/${name}/export.hpp)

  configure_file(${CMAKE_CURRENT_FUNCTION_LIST_DIR}/version.hpp.in
    ${CMAKE_CURRENT_BINARY_DIR}/include/strata/${name}/version.hpp @ONLY)
  configure_file(${CMAKE_CURRENT_FUNCTION_LIST_DIR}/version.cpp.in ${CMAKE_CURRENT_BINARY_DIR}/version.cpp @ONLY)
  target_sources(${full} PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/version.cpp)

  target_include_directories(${core} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR}/include ${CMAKE_CURRENT_BINARY_DIR}/include)
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/include/*.hpp)
  set(generated ${CMAKE_CURRENT_BINARY_DIR}/include/strata/${name})
  # The file set brings the include folders, to the build and to those who install.
  target_sources(${full} PUBLIC FILE_SET HEADERS
    BASE_DIRS ${CMAKE_CURRENT_SOURCE_DIR}/include ${CMAKE_CURRENT_BINARY_DIR}/include
    FILES ${headers} ${generated}/export.hpp ${generated}/version.hpp)
  set_target_properties(${full} PROPERTIES VERIFY_INTERFACE_HEADER_SETS ON)

  foreach(target ${core} ${full})
    target_include_directories(${target} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/src)
    target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:strata_build_flags>)
    target_compile_features(${target} PUBLIC cxx_std_23)
    set_target_properties(${target} PROPERTIES
      CXX_EXTENSIONS OFF CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON POSITION_INDEPENDENT_CODE ON)
  endforeach()
  set_target_properties(${core} PROPERTIES STRATA_EVERY_CHECK ON)
  if(STRATA_SANITIZE)
    # Drivers are mostly Asio's templates: half the time to compile, and what they cost to run is the system's.
    target_compile_options(${full} PRIVATE $<$<CONFIG:Debug>:-Og>)
  endif()
  target_compile_definitions(${core} PRIVATE ${full}_EXPORTS)
  get_target_property(type ${full} TYPE)
  if(type STREQUAL "STATIC_LIBRARY")
    # A program that links us and, through another library, the system's OpenSSL must not bind that one to our copy.
    target_link_options(${full} INTERFACE $<$<PLATFORM_ID:Linux>:LINKER:--exclude-libs,libssl.a:libcrypto.a>)
    target_compile_definitions(${core} PUBLIC STRATA_${upper}_STATIC_DEFINE)
    target_compile_definitions(${full} PUBLIC STRATA_${upper}_STATIC_DEFINE)
  endif()

  foreach(dependency ${siblings})
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
  foreach(dependency ${siblings})
    target_link_libraries(strata_${name}_core_interface INTERFACE strata_${dependency}_core_interface)
  endforeach()

  strata_use_headers(${full} strata_asio_headers)

  string(REGEX MATCH "^[0-9]+\\.[0-9]+" soversion ${PROJECT_VERSION})
  set_target_properties(${full} PROPERTIES
    OUTPUT_NAME strata-${name} EXPORT_NAME ${name} VERSION ${PROJECT_VERSION} SOVERSION ${soversion}
    INSTALL_RPATH "$ORIGIN" INSTALL_RPATH_USE_LINK_PATH ON)  # the link path: an OpenSSL outside the system's folders
  if(STRATA_INSTALL)
    strata_install_library(${name} "${siblings}")
  endif()
endfunction()
