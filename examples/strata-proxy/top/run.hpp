// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace top {

/// `strata-proxy top` with the words behind these; what the program exits with.
int run(int count, char** values);

}  // namespace top
