// SPDX-License-Identifier: Apache-2.0
// Gives the target that precompiles Asio's headers something to compile.
