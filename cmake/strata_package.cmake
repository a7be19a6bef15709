# SPDX-License-Identifier: Apache-2.0
# What the installed strata-<name>-config.cmake files include: they find what a library of ours stands on, or say why not.
# Macros, because they return from the config file, and because a package found in one sets variables for the project.

# strata_give_up(WHY): say it the way find_package shows it.
macro(strata_give_up why)
  set(${CMAKE_FIND_PACKAGE_NAME}_FOUND FALSE)
  set(${CMAKE_FIND_PACKAGE_NAME}_NOT_FOUND_MESSAGE "${why}")
  return()
endmacro()

# strata_need(PACKAGE find_package's arguments...): find_dependency loses the reason that the package gives; this keeps it.
macro(strata_need package)
  find_package(${package} ${ARGN} QUIET)
  if(NOT ${package}_FOUND)
    if(${package}_NOT_FOUND_MESSAGE)
      strata_give_up("${${package}_NOT_FOUND_MESSAGE}")
    endif()
    strata_give_up("${CMAKE_FIND_PACKAGE_NAME} needs ${package}, which was not found: add its prefix to CMAKE_PREFIX_PATH")
  endif()
endmacro()

# strata_need_sibling(PACKAGE VERSION): the one that was installed with this one; where there is none, as in Conan's cache with a
# folder for each, the one that the project finds.
macro(strata_need_sibling package version)
  if(EXISTS "${CMAKE_CURRENT_LIST_DIR}/../${package}/${package}-config.cmake")
    find_package(${package} ${version} EXACT CONFIG QUIET PATHS "${CMAKE_CURRENT_LIST_DIR}/../${package}" NO_DEFAULT_PATH)
  else()
    find_package(${package} ${version} EXACT CONFIG QUIET)
  endif()
  if(NOT ${package}_FOUND)
    if(${package}_NOT_FOUND_MESSAGE)
      strata_give_up("${${package}_NOT_FOUND_MESSAGE}")
    endif()
    strata_give_up("${CMAKE_FIND_PACKAGE_NAME} needs ${package} ${version} exactly, which was not found: install it into the same prefix")
  endif()
endmacro()

# Asio's types cross the interface and its ABI changes between versions: with another one a program would not link.
macro(strata_need_asio built)
  if(NOT TARGET asio::asio)
    list(PREPEND CMAKE_MODULE_PATH "${CMAKE_CURRENT_LIST_DIR}")
    find_package(asio QUIET)
    list(POP_FRONT CMAKE_MODULE_PATH)
  endif()
  if(NOT TARGET asio::asio)
    strata_give_up("${CMAKE_FIND_PACKAGE_NAME} needs Asio ${built}, which was not found: add its prefix to CMAKE_PREFIX_PATH")
  endif()
  strata_resolved_asio(strata_asio)
  # Where nobody knows the version, the linker still does.
  if(strata_asio AND NOT strata_asio VERSION_EQUAL "${built}")
    strata_give_up("this ${CMAKE_FIND_PACKAGE_NAME} was built with Asio ${built} and needs exactly that; this project resolved \
asio::asio to '${strata_asio}'")
  endif()
endmacro()

# The version in the headers that come with the target; without such, what the package that defined it said.
function(strata_resolved_asio version)
  set(result "${asio_VERSION}")
  get_target_property(folders asio::asio INTERFACE_INCLUDE_DIRECTORIES)
  foreach(folder ${folders})
    string(REGEX REPLACE "^\\$<\\$<CONFIG:[A-Za-z]+>:(.*)>$" "\\1" folder "${folder}")  # as Conan writes them
    if(EXISTS "${folder}/asio/version.hpp")
      file(STRINGS "${folder}/asio/version.hpp" line REGEX "^#define ASIO_VERSION [0-9]+")
      string(REGEX REPLACE "^#define ASIO_VERSION ([0-9]+).*" "\\1" number "${line}")
      math(EXPR major "${number} / 100000")
      math(EXPR minor "${number} / 100 % 1000")
      math(EXPR patch "${number} % 100")
      set(result ${major}.${minor}.${patch})
      break()
    endif()
  endforeach()
  set(${version} "${result}" PARENT_SCOPE)
endfunction()

macro(strata_need_openssl built)
  strata_need(OpenSSL COMPONENTS SSL Crypto)
  include("${CMAKE_CURRENT_LIST_DIR}/strata_check_openssl.cmake")
  strata_check_openssl(strata_openssl_problem "${built}")
  if(strata_openssl_problem)
    strata_give_up("this ${CMAKE_FIND_PACKAGE_NAME} ${strata_openssl_problem}")
  endif()
endmacro()
