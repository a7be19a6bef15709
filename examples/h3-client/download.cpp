// SPDX-License-Identifier: Apache-2.0
#include "download.hpp"

#include <array>
#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>
#include <charconv>
#include <iostream>
#include <vector>

#include "output_file.hpp"
#include "strata/transport/core/error.hpp"

namespace {

using namespace strata;
using transport::errc;

constexpr std::size_t chunk_size = 64 * 1024;

/// A file that could not be written, told apart from a network that failed.
struct write_failure {
  std::error_code error;
};

h3::request_options request_of(const arguments& given, const url& from) {
  h3::request_options out;
  out.authority = from.authority;
  out.path = from.path;
  out.method = given.head ? "HEAD" : given.body ? "POST" : "GET";
  if (!given.method.empty()) out.method = given.method;
  out.fields.add("user-agent", "strata-h3-client");
  for (const auto& [name, value] : given.fields) out.fields.add(name, value);
  if (given.body) out.body = *given.body;
  return out;
}

/// The lines with control bytes escaped: a server must not drive the terminal.
std::string printable(std::string_view text) {
  std::string out;
  for (const char c : text) out += c >= ' ' && c != 127 ? c : '?';
  return out;
}

std::string fields_text(const h3::field_section& fields) {
  std::string out;
  for (const h3::field_line line : fields)
    out += printable(line.name) + ": " + printable(line.value) + "\n";
  return out;
}

std::string hexadecimal(std::uint64_t value) {
  std::array<char, 16> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value, 16).ptr;
  return "0x" + std::string(text.data(), end);
}

std::string describe(const std::error_code& error, const transport::peer_codes& codes) {
  std::string out = error.message();
  if (codes.reset) out += " (peer's code " + hexadecimal(*codes.reset) + ")";
  return out;
}

void save(output_file& file, std::string_view text) {
  try {
    file.write(text);
  } catch (const std::system_error& failed) {
    throw write_failure{failed.code()};
  }
}

asio::awaitable<void> save_body(h3::response& response, output_file& file, progress& shown) {
  std::vector<char> chunk(chunk_size);
  for (;;) {
    std::error_code error;
    const auto buffer = asio::buffer(chunk);
    auto token = asio::redirect_error(asio::use_awaitable, error);
    const std::size_t size = co_await response.async_read_body_some(buffer, token);
    if (error == errc::eof) co_return;
    if (error) throw std::system_error(error, describe(error, response.codes()));
    save(file, std::string_view(chunk.data(), size));
    shown.add(size);
  }
}

asio::awaitable<void> fetch(h3::client& client, const arguments& given, progress& shown,
                            download& one) {
  auto request = request_of(given, one.from);
  if (given.verbose)
    std::cerr << "> " << request.method << " " << one.from.text << "\n"
              << fields_text(request.fields);
  h3::response response = co_await client.async_request(std::move(request), asio::use_awaitable);
  const std::string head = fields_text(response.fields());
  if (given.verbose) std::cerr << "< " << one.from.path << "\n" << head;
  if (given.fail && response.status() >= 400) {
    one.code = exit_code::http_error;
    std::cerr << "h3-client: " << one.from.text << ": status " << response.status() << "\n";
    co_return;
  }
  const auto length = response.fields().find(h3::known_field::content_length);
  std::uint64_t expected = 0;
  if (length) std::from_chars(length->data(), length->data() + length->size(), expected);
  if (!given.head) shown.expect(expected);

  const std::string name = file_name_of(given, one);
  std::optional<output_file> file;
  try {
    name.empty() ? file.emplace() : file.emplace(name);
  } catch (const std::system_error& failed) {
    throw write_failure{failed.code()};
  }
  if (given.head || given.include) save(*file, head + "\n");
  co_await save_body(response, *file, shown);
  try {
    file->commit();
  } catch (const std::system_error& failed) {
    throw write_failure{failed.code()};
  }
}

}  // namespace

int code_of(const std::error_code& error) {
  if (error == errc::certificate_rejected) return exit_code::certificate;
  if (error == errc::tls_failed) return exit_code::tls;
  if (error == errc::ech_rejected) return exit_code::ech;
  if (error == errc::name_not_found) return exit_code::resolve;
  return exit_code::receive;
}

std::string file_name_of(const arguments& given, const download& one) {
  using kind = target_file::kind_type;
  if (one.to.kind == kind::standard_output) return {};
  const std::string name = one.to.kind == kind::named ? one.to.name : one.from.file_name();
  if (name.empty()) throw write_failure{std::make_error_code(std::errc::invalid_argument)};
  return given.output_directory.empty() ? name : given.output_directory + "/" + name;
}

asio::awaitable<void> run_download(h3::client& client, const arguments& given, progress& shown,
                                   download& one) {
  one.code = exit_code::ok;
  one.again = false;
  try {
    co_await fetch(client, given, shown, one);
  } catch (const write_failure& failed) {
    one.code = exit_code::write;
    std::cerr << "h3-client: " << one.from.text << ": cannot save it: " << failed.error.message()
              << "\n";
  } catch (const std::system_error& failed) {
    one.again = h3::is_retry_safe(failed.code());
    one.code = code_of(failed.code());
    const auto closed = client.closed();
    const bool by_us =
        closed && closed->origin == quic::close_reason::origin_kind::local_application;
    if (one.again || by_us) co_return;
    std::cerr << "h3-client: " << one.from.text << ": " << failed.what() << "\n";
    if (closed) std::cerr << "h3-client: " << closed->describe() << "\n";
  }
}
