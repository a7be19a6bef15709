// SPDX-License-Identifier: Apache-2.0
// Carries TCP connections over one connection between two hosts, which is yamux over TLS.
#include <asio/io_context.hpp>
#include <asio/signal_set.hpp>
#include <csignal>
#include <iostream>

#include "arguments.hpp"
#include "local_side.hpp"
#include "program/program.hpp"
#include "remote_side.hpp"
#include "strata/mux/yamux.hpp"
#include "strata/transport/tcp.hpp"
#include "strata/transport/tls_stream.hpp"

namespace {

using namespace strata;
using program::value_or_exit;

constexpr const char* protocol = "port-forward";

transport::certificate_hash pin_of(const std::string& text) {
  if (const auto hash = program::hash_of(text)) return *hash;
  program::say("--pin takes 64 hexadecimal digits");
  std::exit(2);
}

transport::tls_credential credential_of(const arguments& given) {
  return {transport::pem_source::from_file(given.certificate),
          transport::pem_source::from_file(given.key)};
}

transport::tls_context make_client_tls(const arguments& given) {
  transport::tls_client_options options;
  options.alpn = {protocol};
  options.insecure_skip_verification = given.insecure;
  if (!given.authority.empty()) {
    options.system_roots = false;
    options.roots.push_back(transport::pem_source::from_file(given.authority));
  }
  if (!given.pin.empty()) options.pinned_certificates.push_back(pin_of(given.pin));
  if (!given.certificate.empty()) options.credential = credential_of(given);
  if (!given.keylog.empty())
    options.keylog = value_or_exit(transport::make_keylog_file(given.keylog), "--keylog");
  return value_or_exit(transport::make_tls_client_context(options), "TLS");
}

transport::tls_context make_server_tls(const arguments& given) {
  transport::tls_server_options options;
  options.alpn = {protocol};
  if (given.certificate.empty()) {
    const std::string names[] = {"localhost", "127.0.0.1", "::1"};
    const auto made = value_or_exit(transport::make_self_signed_certificate(names), "certificate");
    options.credentials.push_back(made.credential());
    program::print_hash(made.sha256);
  } else {
    options.credentials.push_back(credential_of(given));
  }
  if (!given.authority.empty()) {
    options.client_certificate = transport::client_certificates::required;
    options.client_roots.push_back(transport::pem_source::from_file(given.authority));
  }
  if (!given.keylog.empty())
    options.keylog = value_or_exit(transport::make_keylog_file(given.keylog), "--keylog");
  return value_or_exit(transport::make_tls_server_context(options), "TLS");
}

transport::tls_stream_options tls_options(const char* side) {
  transport::tls_stream_options options;
  options.on_failure = [side](const transport::tls_failure& failure) {
    program::say(std::string(side) + ": " + failure.text);
  };
  return options;
}

std::unique_ptr<transport::tcp_listener> listen(asio::io_context& context, const arguments& given) {
  const auto where = value_or_exit(transport::address::parse(given.listen), given.listen);
  return value_or_exit(transport::tcp_listener::listen(context.get_executor(), where),
                       given.listen);
}

void start_local(asio::io_context& context, const arguments& given) {
  const auto remote = value_or_exit(transport::target::parse(given.peer), given.peer);
  const auto tls = make_client_tls(given);
  auto carriers = std::make_shared<transport::tls_dialer>(
      std::make_shared<transport::tcp_dialer>(context.get_executor()), tls,
      tls_options("remote side"));
  auto listener = listen(context, given);
  std::cout << "listening on " << listener->local_address().string() << std::endl;
  std::make_shared<local_side>(std::move(listener),
                               std::make_shared<mux::yamux_dialer>(std::move(carriers)),
                               local_plan{remote, given.most, given.patience})
      ->start();
}

void start_remote(asio::io_context& context, const arguments& given) {
  const auto where = value_or_exit(transport::target::parse(given.peer), given.peer);
  const auto tls = make_server_tls(given);
  mux::yamux_options options;
  options.session.max_incoming_streams = given.most;
  auto listener = std::make_unique<mux::yamux_listener>(
      std::make_unique<transport::tls_listener>(listen(context, given), tls, tls_options("client")),
      options);
  std::cout << "listening on " << listener->local_address().string() << std::endl;
  std::make_shared<remote_side>(
      std::move(listener), std::make_shared<transport::tcp_dialer>(context.get_executor()), where)
      ->start();
}

}  // namespace

int main(int count, char** values) {
  program::name = "port-forward";
  const arguments given = parse_arguments(count, values);
  asio::io_context context(1);
  asio::signal_set signals(context, SIGINT, SIGTERM);
  signals.async_wait([&](std::error_code, int) { context.stop(); });
  given.is_remote ? start_remote(context, given) : start_local(context, given);
  context.run();
}
