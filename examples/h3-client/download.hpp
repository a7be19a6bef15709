// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <asio/awaitable.hpp>
#include <system_error>

#include "arguments.hpp"
#include "progress.hpp"
#include "strata/h3/client.hpp"

/// One URL and what became of it.
struct download {
  const url& from;
  const target_file& to;
  int code = exit_code::ok;
  bool again = false;  ///< The server did nothing with it: ask on another connection.
};

/// What an error of a transfer means to the shell; the errors of connecting are told apart in main.
int code_of(const std::error_code& error);

/// Where a download is saved; empty: standard output. Throws when the URL names no file.
std::string file_name_of(const arguments& given, const download& one);

/// Fetches over HTTP/3: asks, checks the status, and saves content as it comes.
asio::awaitable<void> run_download(strata::h3::client& client, const arguments& given,
                                   progress& shown, download& one);
