// SPDX-License-Identifier: Apache-2.0
// Gives a target that precompiles headers something to compile.
