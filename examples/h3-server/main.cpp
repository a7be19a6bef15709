// SPDX-License-Identifier: Apache-2.0
// Serves a directory over HTTP/3, and over hq-interop for QUIC's interoperability tests.
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/signal_set.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "arguments.hpp"
#include "hq/hq.hpp"
#include "program/program.hpp"
#include "strata/h3/server.hpp"
#include "strata/h3/static_files.hpp"
#include "strata/quic/qlog.hpp"

namespace {

using namespace strata;
using program::value_or_exit;
using namespace std::chrono_literals;

/// What clients that are still downloading get after the first signal; a second one ends at once.
constexpr auto shutdown_deadline = 30s;

/// A certificate of this machine's names, for this run.
transport::tls_credential make_credential(const arguments& given) {
  std::vector<std::string> names = {"localhost", "127.0.0.1", "::1"};
  const auto listen = value_or_exit(transport::address::parse(given.listen), "--listen");
  if (!listen.is_unspecified() && !listen.is_loopback()) names.push_back(listen.ip_string());
  names.insert(names.end(), given.names.begin(), given.names.end());
  const auto made = value_or_exit(transport::make_self_signed_certificate(names), "certificate");
  program::print_hash(made.sha256);
  if (!given.written_certificate.empty()) {
    std::ofstream file(given.written_certificate);
    if (!(file << made.certificate_pem).flush()) {
      std::cerr << "h3-server: cannot write " << given.written_certificate << "\n";
      std::exit(1);
    }
  }
  return made.credential();
}

/// What the files say now.
transport::tls_result<transport::tls_context> make_tls(const arguments& given,
                                                       const transport::tls_credential& shown,
                                                       const transport::keylog_sink& keylog) {
  transport::tls_server_options options;
  options.alpn = {"h3", "hq-interop"};
  options.credentials = {shown};
  options.keylog = keylog;
  for (const std::string& file : given.ech_keys) {
    const bool newest = options.ech_keys.empty();
    options.ech_keys.push_back({transport::pem_source::from_file(file), newest});
  }
  return transport::make_tls_server_context(options);
}

/// The TLS of a server whose files may change.
class renewable_tls {
 public:
  explicit renewable_tls(const arguments& given)
      : given_(given),
        shown_(given.certificate.empty()
                   ? make_credential(given)
                   : transport::tls_credential{transport::pem_source::from_file(given.certificate),
                                               transport::pem_source::from_file(given.key)}) {
    if (!given.keylog.empty())
      keylog_ = value_or_exit(transport::make_keylog_file(given.keylog), "--keylog");
  }

  transport::tls_context now() const {
    return value_or_exit(make_tls(given_, shown_, keylog_), "TLS");
  }

  /// At every signal; files that are wrong change nothing.
  void renew_at(asio::signal_set& signals, h3::server& server) const {
    signals.async_wait([this, &signals, &server](std::error_code error, int) {
      if (error) return;
      const auto made = make_tls(given_, shown_, keylog_);
      if (made) {
        server.use(*made);
        std::cout << "read certificates and keys again" << std::endl;
      } else {
        std::cerr << "h3-server: TLS goes on as it was: " << made.error().text << std::endl;
      }
      renew_at(signals, server);
    });
  }

 private:
  const arguments& given_;
  transport::tls_credential shown_;
  transport::keylog_sink keylog_;
};

h3::server_options make_options(const arguments& given, const renewable_tls& tls) {
  h3::server_options options;
  options.endpoint.bind = value_or_exit(transport::address::parse(given.listen), "--listen");
  options.endpoint.server_tls = tls.now();
  options.endpoint.config.connection.congestion = given.congestion == "cubic"
                                                      ? quic::core::congestion_algorithm::cubic
                                                      : quic::core::congestion_algorithm::new_reno;
  if (given.retry) {
    options.endpoint.admit = [](const quic::core::incoming_attempt& attempt,
                                const quic::core::endpoint_statistics&) {
      return attempt.address_validated ? quic::core::decision::accept : quic::core::decision::retry;
    };
  }
  if (!given.qlog.empty()) {
    std::filesystem::create_directories(given.qlog);
    options.endpoint.watcher = quic::make_qlog_observer(given.qlog);
  }
  return options;
}

}  // namespace

int main(int count, char** values) {
  program::name = "h3-server";
  const arguments given = parse_arguments(count, values);
  asio::io_context context(1);
  // Before anybody is told that the server is there: a signal from then on ends it in order.
  asio::signal_set signals(context, SIGINT, SIGTERM);

  asio::signal_set renewals(context, SIGHUP);

  const renewable_tls tls(given);
  h3::server_options options = make_options(given, tls);
  const auto root = std::make_shared<const h3::document_root>(
      value_or_exit(h3::document_root::open(given.directory), given.directory));
  options.other_protocol = [&context, root](quic::connection connection) {
    asio::co_spawn(context, hq::serve(std::move(connection), root), asio::detached);
  };
  const h3::request_handler files =
      value_or_exit(h3::static_files::open(given.directory), given.directory);
  h3::server server = value_or_exit(
      h3::server::open(context.get_executor(), std::move(options), files), given.listen);

  signals.async_wait([&](std::error_code, int) {
    renewals.cancel();
    server.async_shutdown(shutdown_deadline, [&](std::error_code) { signals.cancel(); });
    signals.async_wait([&](std::error_code error, int) {
      if (!error) server.stop();
    });
  });
  tls.renew_at(renewals, server);
  std::cout << "listening on https://" << server.local_address().string() << std::endl;
  context.run();
}
