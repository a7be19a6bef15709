# SPDX-License-Identifier: Apache-2.0
# What a consumer finds: per library strata-<name>-config.cmake, with a version of its own, and strata-<name>.pc; over them the
# package `strata` with the libraries as components.

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# strata_install_library(NAME VERSION "lib;lib...")
function(strata_install_library name version depends)
  set(package strata-${name})
  set(folder ${CMAKE_INSTALL_LIBDIR}/cmake/${package})
  get_target_property(type strata_${name} TYPE)
  set(is_static OFF)
  if(type STREQUAL "STATIC_LIBRARY")
    set(is_static ON)
  endif()

  set(sibling_dependencies "")
  foreach(dependency ${depends})
    get_target_property(dependency_version strata_${dependency} VERSION)
    string(APPEND sibling_dependencies "strata_need(strata-${dependency} ${dependency_version} EXACT CONFIG \
PATHS \"\${CMAKE_CURRENT_LIST_DIR}/../strata-${dependency}\" NO_DEFAULT_PATH)\n")
  endforeach()

  install(TARGETS strata_${name} EXPORT ${package}-targets FILE_SET HEADERS)
  install(EXPORT ${package}-targets NAMESPACE strata:: DESTINATION ${folder})

  configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/library-config.cmake.in
    ${CMAKE_CURRENT_BINARY_DIR}/${package}-config.cmake INSTALL_DESTINATION ${folder})
  # While 0.x, a new minor version may break; the siblings ask for each other exactly.
  write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/${package}-config-version.cmake
    VERSION ${version} COMPATIBILITY SameMinorVersion)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/${package}-config.cmake
    ${CMAKE_CURRENT_BINARY_DIR}/${package}-config-version.cmake DESTINATION ${folder})
  strata_install_pkg_config(${name} ${version} "${depends}" ${is_static})
endfunction()

function(strata_install_pkg_config name version depends is_static)
  set(requires "asio = ${asio_VERSION}")
  foreach(dependency ${depends})
    get_target_property(dependency_version strata_${dependency} VERSION)
    list(PREPEND requires "strata-${dependency} = ${dependency_version}")
  endforeach()
  list(JOIN requires ", " requires)
  string(TOUPPER ${name} upper)
  set(requires_private "")
  set(static_define "")
  if(is_static)
    set(static_define " -DSTRATA_${upper}_STATIC_DEFINE")
    strata_openssl_floor(floor next_major)
    set(requires_private "libssl >= ${floor}, libssl < ${next_major}, libcrypto, fmt, spdlog")
  endif()
  cmake_path(RELATIVE_PATH CMAKE_INSTALL_PREFIX BASE_DIRECTORY ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig OUTPUT_VARIABLE up)
  string(REGEX REPLACE "/$" "" up "${up}")
  configure_file(${PROJECT_SOURCE_DIR}/cmake/library.pc.in ${CMAKE_CURRENT_BINARY_DIR}/strata-${name}.pc @ONLY)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/strata-${name}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endfunction()

# The OpenSSL a static library needs in the program: the major it was built against, not older than its minor.
function(strata_openssl_floor floor next_major)
  string(REGEX MATCH "^([0-9]+)\\.([0-9]+)" match "${OPENSSL_VERSION}")
  math(EXPR next "${CMAKE_MATCH_1} + 1")
  set(${floor} ${CMAKE_MATCH_1}.${CMAKE_MATCH_2} PARENT_SCOPE)
  set(${next_major} ${next} PARENT_SCOPE)
endfunction()

# What is not of one library: the umbrella, and what every library's config includes.
function(strata_install_umbrella)
  set(folder ${CMAKE_INSTALL_LIBDIR}/cmake/strata)
  configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/strata-config.cmake.in
    ${PROJECT_BINARY_DIR}/strata-config.cmake INSTALL_DESTINATION ${folder})
  write_basic_package_version_file(${PROJECT_BINARY_DIR}/strata-config-version.cmake
    VERSION ${PROJECT_VERSION} COMPATIBILITY SameMinorVersion)
  install(FILES ${PROJECT_BINARY_DIR}/strata-config.cmake ${PROJECT_BINARY_DIR}/strata-config-version.cmake
    ${PROJECT_SOURCE_DIR}/cmake/strata_check_openssl.cmake ${PROJECT_SOURCE_DIR}/cmake/Findasio.cmake DESTINATION ${folder})
  install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
endfunction()
