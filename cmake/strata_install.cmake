# SPDX-License-Identifier: Apache-2.0
# What a consumer finds: per library strata-<name>-config.cmake, with a version of its own, and strata-<name>.pc; over them the
# package `strata` with the libraries as components. Each library is an install component of its own: strata-<name>.

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# strata_install_library(NAME "sibling;sibling..."): sibling_<name>_version says which version of each.
function(strata_install_library name siblings)
  set(package strata-${name})
  set(folder ${CMAKE_INSTALL_LIBDIR}/cmake/${package})
  get_target_property(type strata_${name} TYPE)
  set(is_static OFF)
  if(type STREQUAL "STATIC_LIBRARY")
    set(is_static ON)
  endif()

  set(sibling_dependencies "")
  foreach(sibling ${siblings})
    string(APPEND sibling_dependencies "strata_need_sibling(strata-${sibling} ${sibling_${sibling}_version})\n")
  endforeach()

  install(TARGETS strata_${name} EXPORT ${package}-targets
    ARCHIVE COMPONENT ${package} LIBRARY COMPONENT ${package} NAMELINK_COMPONENT ${package} RUNTIME COMPONENT ${package}
    FILE_SET HEADERS COMPONENT ${package})
  install(EXPORT ${package}-targets NAMESPACE strata:: DESTINATION ${folder} COMPONENT ${package})

  configure_package_config_file(${CMAKE_CURRENT_FUNCTION_LIST_DIR}/library-config.cmake.in
    ${CMAKE_CURRENT_BINARY_DIR}/${package}-config.cmake INSTALL_DESTINATION ${folder})
  # While 0.x, a new minor version may break; the siblings ask for each other exactly.
  write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/${package}-config-version.cmake
    VERSION ${PROJECT_VERSION} COMPATIBILITY SameMinorVersion)
  set(modules strata_package.cmake strata_check_openssl.cmake Findasio.cmake)
  list(TRANSFORM modules PREPEND ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/${package}-config.cmake
    ${CMAKE_CURRENT_BINARY_DIR}/${package}-config-version.cmake ${modules} DESTINATION ${folder} COMPONENT ${package})
  install(FILES ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/../LICENSE
    DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/doc/${package} COMPONENT ${package})
  strata_install_pkg_config(${name} "${siblings}" ${is_static})
endfunction()

function(strata_install_pkg_config name siblings is_static)
  set(requires "asio = ${asio_VERSION}")
  foreach(sibling ${siblings})
    list(PREPEND requires "strata-${sibling} = ${sibling_${sibling}_version}")
  endforeach()
  list(JOIN requires ", " requires)
  string(TOUPPER ${name} upper)
  set(requires_private "")
  set(libs_private "-pthread")
  set(static_define "")
  if(is_static)
    set(static_define " -DSTRATA_${upper}_STATIC_DEFINE")
    # As the CMake target does: the program's other libraries must not bind to our OpenSSL.
    string(APPEND libs_private " -Wl,--exclude-libs,libssl.a:libcrypto.a")
    strata_openssl_floor(floor next_major)
    set(requires_private "libssl >= ${floor}, libssl < ${next_major}, libcrypto >= ${floor}, fmt, spdlog")
  endif()
  cmake_path(RELATIVE_PATH CMAKE_INSTALL_PREFIX BASE_DIRECTORY ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig OUTPUT_VARIABLE up)
  string(REGEX REPLACE "/$" "" up "${up}")
  configure_file(${CMAKE_CURRENT_FUNCTION_LIST_DIR}/library.pc.in ${CMAKE_CURRENT_BINARY_DIR}/strata-${name}.pc @ONLY)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/strata-${name}.pc
    DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT strata-${name})
endfunction()

# The OpenSSL a static library needs in the program: the major it was built against, not older than its minor.
function(strata_openssl_floor floor next_major)
  string(REGEX MATCH "^([0-9]+)\\.([0-9]+)" match "${OPENSSL_VERSION}")
  math(EXPR next "${CMAKE_MATCH_1} + 1")
  set(${floor} ${CMAKE_MATCH_1}.${CMAKE_MATCH_2} PARENT_SCOPE)
  set(${next_major} ${next} PARENT_SCOPE)
endfunction()

# What is not of one library.
function(strata_install_umbrella)
  set(folder ${CMAKE_INSTALL_LIBDIR}/cmake/strata)
  configure_package_config_file(${CMAKE_CURRENT_FUNCTION_LIST_DIR}/strata-config.cmake.in
    ${PROJECT_BINARY_DIR}/strata-config.cmake INSTALL_DESTINATION ${folder})
  write_basic_package_version_file(${PROJECT_BINARY_DIR}/strata-config-version.cmake
    VERSION ${PROJECT_VERSION} COMPATIBILITY SameMinorVersion)
  install(FILES ${PROJECT_BINARY_DIR}/strata-config.cmake ${PROJECT_BINARY_DIR}/strata-config-version.cmake
    DESTINATION ${folder} COMPONENT strata)
endfunction()
