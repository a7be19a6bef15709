// SPDX-License-Identifier: Apache-2.0
// Fetches URLs over HTTP/3, those of one server over one connection.
#include <unistd.h>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <asio/redirect_error.hpp>
#include <asio/signal_set.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>

#include <algorithm>
#include <filesystem>
#include <iostream>

#include "arguments.hpp"
#include "download.hpp"
#include "hq/hq.hpp"
#include "output_file.hpp"
#include "progress.hpp"
#include "strata/h3/client.hpp"
#include "strata/quic/qlog.hpp"
#include "strata/transport/core/error.hpp"
#include "strata/transport/driver/ech_attempts.hpp"

namespace {

using namespace strata;
using asio::use_awaitable;
using transport::errc;

/// Requests that a server did not take are asked again on a new connection, so often.
constexpr int connections_per_server = 4;

transport::tls_context make_tls(const arguments& given) {
  transport::tls_client_options options;
  options.alpn = {given.alpn};
  options.insecure_skip_verification = given.insecure;
  if (!given.ca_file.empty()) {
    options.system_roots = false;
    options.roots.push_back(transport::pem_source::from_file(given.ca_file));
  }
  options.ech_grease = given.ech_grease;
  // The hello that everybody sees asks for what everybody asks for.
  if (given.ech) options.ech = transport::tls_ech_offer{*given.ech, {"h3"}};
  if (!given.keylog.empty()) {
    auto sink = transport::make_keylog_file(given.keylog);
    if (!sink) throw std::system_error(sink.error().code, sink.error().text);
    options.keylog = std::move(*sink);
  }
  auto made = transport::make_tls_client_context(options);
  if (!made) throw std::system_error(made.error().code, made.error().text);
  return std::move(*made);
}

quic::core::connection_config make_config(const arguments& given) {
  quic::core::connection_config config;
  config.handshake_timeout = given.connect_timeout;
  if (given.congestion == "new_reno")
    config.congestion = quic::core::congestion_algorithm::new_reno;
  return config;
}

/// The figures of -w json.
struct figures {
  double handshake_seconds = 0;
  std::uint64_t packets_sent = 0, packets_received = 0, packets_lost = 0;
  transport::tls_ech_outcome ech;

  void add(const quic::core::connection_statistics& statistics,
           const quic::core::tls_summary& security) {
    ech = security.ech;
    handshake_seconds = std::chrono::duration<double>(statistics.handshake_time).count();
    packets_sent += statistics.packets_sent;
    packets_received += statistics.packets_received;
    packets_lost += statistics.packets_lost;
  }
};

/// Everything that a run of the program shares.
class fetcher {
 public:
  fetcher(asio::io_context& context, const arguments& given)
      : context_(context),
        given_(given),
        shown_(context.get_executor(), !given.silent && writes_files() && ::isatty(2) == 1) {
    for (const auto& [from, to] : given.downloads) all_.push_back({.from = from, .to = to});
    if (given.qlog.empty()) return;
    std::filesystem::create_directories(given.qlog);
    watcher_ = quic::make_qlog_observer(given.qlog);
  }

  asio::awaitable<void> run();
  int exit_value() const;
  void print_figures() const;
  /// Ends the program early, with a word to the server.
  void give_up(int code) {
    shown_.stop();
    code_ = code;
    if (client_ != nullptr) client_->close();
    farewell_.expires_after(std::chrono::milliseconds(10));
    farewell_.async_wait([this](std::error_code) { context_.stop(); });
  }

 private:
  bool writes_files() const {
    return std::ranges::none_of(given_.downloads, [](const auto& each) {
      return each.second.kind == target_file::kind_type::standard_output;
    });
  }
  asio::awaitable<void> run_server(std::vector<download*> downloads);
  asio::awaitable<void> run_h3(const transport::target& server, const std::string& name,
                               std::vector<download*>& downloads);
  asio::awaitable<void> run_hq(const transport::target& server, const std::string& name,
                               std::vector<download*>& downloads);
  asio::awaitable<quic::connection> connect_hq(quic::endpoint& from,
                                               const transport::address& remote,
                                               const std::string& name, std::error_code& error);
  asio::awaitable<void> run_workers(h3::client& client, std::vector<download*>& downloads);
  void connect_failed(const std::error_code& error, std::vector<download*>& downloads,
                      const std::optional<quic::close_reason>& why);
  void show_connected(const transport::address& where, const transport::tls_ech_outcome& ech) const;
  transport::ech_policy policy() const {
    return given_.ech_secure_disable ? transport::ech_policy::secure_disable
                                     : transport::ech_policy::strict;
  }

  asio::io_context& context_;
  const arguments& given_;
  progress shown_;
  std::vector<download> all_;
  asio::steady_timer farewell_{context_};
  std::shared_ptr<quic::observer> watcher_;
  h3::client* client_ = nullptr;  ///< The one that is in use.
  figures figures_;
  int code_ = exit_code::ok;
};

void fetcher::connect_failed(const std::error_code& error, std::vector<download*>& downloads,
                             const std::optional<quic::close_reason>& why) {
  const int code = code_of(error) == exit_code::receive ? exit_code::connect : code_of(error);
  for (download* each : downloads) each->code = code;
  std::cerr << "h3-client: cannot connect to " << downloads.front()->from.authority << ": "
            << error.message() << "\n";
  if (why) std::cerr << "h3-client: " << why->describe() << "\n";
  downloads.clear();
}

void fetcher::show_connected(const transport::address& where,
                             const transport::tls_ech_outcome& ech) const {
  if (!given_.verbose) return;
  std::cerr << "* connected to " << where.string()
            << "\n* Encrypted Client Hello: " << transport::describe(ech.status)
            << (ech.retried ? ", at the second attempt\n" : "\n");
}

/// As many downloads at a time as were asked for; the server's limit of streams has the last word.
asio::awaitable<void> fetcher::run_workers(h3::client& client, std::vector<download*>& downloads) {
  std::size_t next = 0, running = std::min(given_.parallel, downloads.size());
  asio::steady_timer done(context_, asio::steady_timer::time_point::max());
  const auto worker = [&]() -> asio::awaitable<void> {
    while (next < downloads.size())
      co_await run_download(client, given_, shown_, *downloads[next++]);
  };
  for (std::size_t i = running; i != 0; --i)
    asio::co_spawn(context_, worker(), [&](std::exception_ptr failed) {
      if (--running == 0) done.cancel();
      if (failed) std::rethrow_exception(failed);
    });
  std::error_code cancelled;
  auto token = asio::redirect_error(use_awaitable, cancelled);
  if (running != 0) co_await done.async_wait(token);
}

asio::awaitable<void> fetcher::run_h3(const transport::target& server, const std::string& name,
                                      std::vector<download*>& downloads) {
  h3::client_options options;
  options.server = server;
  options.server_name = name;
  options.tls = make_tls(given_);
  options.connection = make_config(given_);
  options.ech = policy();
  options.watcher = watcher_;
  std::error_code error;
  auto token = asio::redirect_error(use_awaitable, error);
  const asio::any_io_executor executor = context_.get_executor();
  h3::client client = co_await h3::client::async_connect(executor, std::move(options), token);
  if (error) {
    if (client) figures_.ech = client.security().ech;
    co_return connect_failed(error, downloads, client ? client.closed() : std::nullopt);
  }
  show_connected(client.remote_address(), client.security().ech);
  client_ = &client;
  co_await run_workers(client, downloads);
  client_ = nullptr;
  figures_.add(client.statistics(), client.security());
  constexpr std::chrono::seconds patience{1};
  if (client.is_open()) co_await client.async_shutdown(patience, token);
  std::erase_if(downloads, [](const download* each) { return !each->again; });
}

/// Again, as h3::client does it, when ECH was rejected and the server has proven that it may be.
asio::awaitable<quic::connection> fetcher::connect_hq(quic::endpoint& from,
                                                      const transport::address& remote,
                                                      const std::string& name,
                                                      std::error_code& error) {
  transport::ech_attempts attempts(*from.client_tls(), policy());
  auto config = make_config(given_);
  for (;;) {
    config.tls = attempts.context();
    auto token = asio::redirect_error(use_awaitable, error);
    quic::connection made = co_await from.async_connect(remote, name, config, token);
    if (!error || !made) co_return made;
    const transport::tls_ech_outcome ech = made.security().ech;
    if (!attempts.again(ech.status, ech.retry_configs)) co_return made;
  }
}

asio::awaitable<void> fetcher::run_hq(const transport::target& server, const std::string& name,
                                      std::vector<download*>& downloads) {
  auto remote = server.ip();
  if (server.is_name()) {
    const auto loopback = transport::address::loopback_v4(server.port());
    if (server.name() != "localhost")
      co_return connect_failed(errc::not_supported, downloads, std::nullopt);
    remote = loopback;
  }
  quic::endpoint_options options;
  options.bind = remote.is_v4() ? transport::address::any_v4(0) : transport::address::any_v6(0);
  options.client_tls = make_tls(given_);
  options.watcher = watcher_;
  auto endpoint = quic::endpoint::open(context_.get_executor(), options);
  if (!endpoint) co_return connect_failed(endpoint.error(), downloads, std::nullopt);
  std::error_code error;
  auto token = asio::redirect_error(use_awaitable, error);
  quic::connection connection = co_await connect_hq(*endpoint, remote, name, error);
  if (error) {
    if (connection) figures_.ech = connection.security().ech;
    co_return connect_failed(error, downloads, connection ? connection.closed() : std::nullopt);
  }
  show_connected(connection.remote_address(), connection.security().ech);
  for (download* each : downloads) {
    try {
      const std::string path = file_name_of(given_, *each);
      std::optional<output_file> file;
      path.empty() ? file.emplace() : file.emplace(path);
      const auto sink = [&](std::string_view text) { file->write(text), shown_.add(text.size()); };
      co_await hq::fetch(connection, each->from.path, sink);
      file->commit();
    } catch (const std::system_error& failed) {
      each->code = exit_code::receive;
      std::cerr << "h3-client: " << each->from.text << ": " << failed.what() << "\n";
      if (const auto why = connection.closed())
        std::cerr << "h3-client: " << why->describe() << "\n";
    }
  }
  figures_.add(connection.statistics(), connection.security());
  constexpr std::chrono::seconds patience{1};
  co_await connection.async_shutdown(patience, 0, token);
  downloads.clear();
}

asio::awaitable<void> fetcher::run_server(std::vector<download*> downloads) {
  const url& first = downloads.front()->from;
  transport::target server(first.host, first.port);
  if (!given_.connect_to.empty()) {
    const auto other = transport::target::parse(given_.connect_to);
    if (!other) throw std::system_error(other.error(), "--connect-to");
    server = *other;
  }
  const std::string name = first.host;
  for (int i = 0; i < connections_per_server && !downloads.empty(); ++i) {
    if (given_.alpn == "h3") {
      co_await run_h3(server, name, downloads);
    } else {
      co_await run_hq(server, name, downloads);
    }
  }
  for (const download* each : downloads)
    std::cerr << "h3-client: " << each->from.text << ": the server takes no more requests\n";
}

asio::awaitable<void> fetcher::run() {
  std::vector<download*> rest;
  for (download& each : all_) rest.push_back(&each);
  while (!rest.empty()) {
    const std::string authority = rest.front()->from.authority;
    std::vector<download*> same;
    for (download* each : rest) {
      if (each->from.authority == authority) same.push_back(each);
    }
    std::erase_if(rest, [&](const download* each) { return each->from.authority == authority; });
    co_await run_server(std::move(same));
  }
  shown_.stop();
}

int fetcher::exit_value() const {
  if (code_ != exit_code::ok) return code_;
  const auto failed =
      std::ranges::find_if(all_, [](const download& each) { return each.code != exit_code::ok; });
  return failed == all_.end() ? exit_code::ok : failed->code;
}

void fetcher::print_figures() const {
  if (!given_.json) return;
  const auto failed =
      std::ranges::count_if(all_, [](const download& each) { return each.code != 0; });
  std::cout << "{\"urls\":" << all_.size() << ",\"failed\":" << failed
            << ",\"bytes\":" << shown_.bytes() << ",\"seconds\":" << shown_.seconds()
            << ",\"handshake_seconds\":" << figures_.handshake_seconds
            << ",\"packets_sent\":" << figures_.packets_sent
            << ",\"packets_received\":" << figures_.packets_received
            << ",\"packets_lost\":" << figures_.packets_lost << ",\"ech\":\""
            << transport::describe(figures_.ech.status)
            << "\",\"ech_retried\":" << (figures_.ech.retried ? "true" : "false") << "}\n";
}

}  // namespace

int main(int count, char** values) {
  const arguments given = parse_arguments(count, values);
  asio::io_context context(1);
  fetcher all(context, given);

  asio::steady_timer limit(context);
  asio::signal_set signals(context, SIGINT, SIGTERM);
  if (given.max_time.count() != 0) {
    limit.expires_after(given.max_time);
    limit.async_wait([&](std::error_code error) {
      if (error) return;
      std::cerr << "h3-client: --max-time is over\n";
      all.give_up(exit_code::timeout);
    });
  }
  signals.async_wait([&](std::error_code error, int number) {
    constexpr int signalled = 128;  // as shells count
    if (!error) all.give_up(signalled + number);
  });
  asio::co_spawn(context, all.run(), [&](std::exception_ptr failed) {
    limit.cancel();
    signals.cancel();
    if (failed) std::rethrow_exception(failed);
  });
  try {
    context.run();
  } catch (const std::exception& failed) {
    std::cerr << "h3-client: " << failed.what() << "\n";
    return exit_code::tls;
  }
  all.print_figures();
  return all.exit_value();
}
