# SPDX-License-Identifier: Apache-2.0
# What a project file of ours begins with: the tree's, and each library's, which can be built without the tree around it.
include_guard(DIRECTORY)

list(PREPEND CMAKE_MODULE_PATH ${CMAKE_CURRENT_LIST_DIR})
include(strata_options)
include(strata_dependencies)
include(strata_build_flags)
include(strata_library)
