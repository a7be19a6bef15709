// SPDX-License-Identifier: Apache-2.0
// Our side of ./dev interop ech over TCP: what every peer takes and prints stands in README.md.
#include <asio/as_tuple.hpp>
#include <asio/buffer.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/read.hpp>
#include <asio/read_until.hpp>
#include <asio/signal_set.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "strata/transport/core/error.hpp"
#include "strata/transport/tcp.hpp"
#include "strata/transport/tls_stream.hpp"

namespace strata::interop {
namespace {

using asio::use_awaitable;
using stream_pointer = std::unique_ptr<transport::stream>;

constexpr auto quietly = asio::as_tuple(use_awaitable);
constexpr std::size_t head_limit = 16 * 1024;

struct arguments {
  std::string mode;
  std::string address = "127.0.0.1:0";
  std::string name;
  std::string authority;
  std::vector<std::string> chains, keys, ech_keys, groups;
  std::string ech;
  bool grease = false;
  bool secure_disable = false;
  bool tls12 = false;
};

arguments parse(int count, char** words) {
  arguments chosen;
  const std::map<std::string_view, std::string*> texts{{"--listen", &chosen.address},
                                                       {"--connect", &chosen.address},
                                                       {"--name", &chosen.name},
                                                       {"--cacert", &chosen.authority},
                                                       {"--ech", &chosen.ech}};
  const std::map<std::string_view, std::vector<std::string>*> lists{{"--cert", &chosen.chains},
                                                                    {"--key", &chosen.keys},
                                                                    {"--ech-key", &chosen.ech_keys},
                                                                    {"--groups", &chosen.groups}};
  const std::map<std::string_view, bool*> flags{{"--ech-grease", &chosen.grease},
                                                {"--ech-secure-disable", &chosen.secure_disable},
                                                {"--tls12", &chosen.tls12}};
  for (int i = 1; i < count; ++i) {
    const std::string_view word = words[i];
    const bool takes_value = texts.contains(word) || lists.contains(word);
    if (takes_value && ++i == count) throw std::runtime_error("a value is missing");
    if (const auto text = texts.find(word); text != texts.end()) {
      *text->second = words[i];
    } else if (const auto list = lists.find(word); list != lists.end()) {
      list->second->emplace_back(words[i]);
    } else if (const auto flag = flags.find(word); flag != flags.end()) {
      *flag->second = true;
    } else if (chosen.mode.empty()) {
      chosen.mode = word;
    } else {
      throw std::runtime_error("what is " + std::string(word) + "?");
    }
  }
  return chosen;
}

template <class Value>
Value value_of(transport::tls_result<Value> made) {
  if (!made) throw std::runtime_error(made.error().text);
  return std::move(*made);
}

/// Quotes and whatever else would end a string of JSON are left out.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text)
    if (c >= ' ' && c != '"' && c != '\\') out += c;
  return out + '"';
}

void tell(const std::string& line) {
  std::puts(line.c_str());
  std::fflush(stdout);
}

transport::tls_context server_context(const arguments& chosen) {
  transport::tls_server_options options;
  options.alpn = {"http/1.1"};
  options.groups = chosen.groups;
  if (chosen.chains.size() != chosen.keys.size()) throw std::runtime_error("a key for each --cert");
  for (std::size_t i = 0; i < chosen.chains.size(); ++i) {
    options.credentials.push_back({transport::pem_source::from_file(chosen.chains[i]),
                                   transport::pem_source::from_file(chosen.keys[i])});
  }
  for (const std::string& file : chosen.ech_keys)
    options.ech_keys.push_back({.pem = transport::pem_source::from_file(file)});
  if (chosen.tls12)
    options.minimum_version = options.maximum_version = transport::tls_version::tls12;
  return value_of(transport::make_tls_server_context(options));
}

transport::tls_context client_context(const arguments& chosen) {
  transport::tls_client_options options;
  // What is downgraded would be noticed only by who could go down.
  options.minimum_version = transport::tls_version::tls12;
  options.alpn = {"http/1.1"};
  options.groups = chosen.groups;
  options.system_roots = false;
  options.roots = {transport::pem_source::from_file(chosen.authority)};
  options.ech_grease = chosen.grease;
  if (!chosen.ech.empty()) {
    const auto list = transport::as_bytes(chosen.ech);
    options.ech = transport::tls_ech_offer{{list.begin(), list.end()}, {}};
  }
  return value_of(transport::make_tls_client_context(options));
}

asio::awaitable<void> answer(stream_pointer stream) {
  const auto security = stream->security().value();
  tell("{\"event\":\"connection\",\"name\":" + quoted(security.server_name) +
       ",\"ech\":" + quoted(transport::describe(security.ech)) + "}");
  std::string head;
  auto into = asio::dynamic_buffer(head, head_limit);
  const auto [error, size] = co_await asio::async_read_until(*stream, into, "\r\n\r\n", quietly);
  if (error) co_return;
  const std::string body = "hello " + security.server_name + "\n";
  const std::string text = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n" +
                           ("Content-Length: " + std::to_string(body.size())) + "\r\n\r\n" + body;
  const auto out = asio::buffer(text);
  const auto [failed, sent] = co_await asio::async_write(*stream, out, quietly);
  if (failed) co_return;
  const auto [unfinished] = co_await stream->async_finish(quietly);
  // Until the peer has read it.
  char rest = 0;
  const auto room = asio::buffer(&rest, 1);
  if (!unfinished) co_await stream->async_read_some(room, quietly);
}

asio::awaitable<void> run_server(const arguments& chosen) {
  const auto executor = co_await asio::this_coro::executor;
  const auto where = transport::address::parse(chosen.address).value();
  auto carriers = transport::tcp_listener::listen(executor, where);
  if (!carriers) throw std::system_error(carriers.error());
  transport::tls_stream_options options;
  options.on_failure = [](const transport::tls_failure& why) {
    tell("{\"event\":\"failed\",\"why\":" + quoted(why.text) +
         ",\"alert\":" + std::to_string(why.alert_received.value_or(0)) + "}");
  };
  transport::tls_listener listener(std::move(*carriers), server_context(chosen), options);
  tell("listening on " + listener.local_address().string());
  for (;;) {
    stream_pointer stream = co_await listener.async_accept(use_awaitable);
    asio::co_spawn(executor, answer(std::move(stream)), asio::detached);
  }
}

asio::awaitable<void> fetch(transport::stream& stream) {
  const std::string question = "GET / HTTP/1.0\r\n\r\n";
  const auto out = asio::buffer(question);
  co_await asio::async_write(stream, out, use_awaitable);
  std::string answer;
  auto into = asio::dynamic_buffer(answer, head_limit);
  co_await asio::async_read_until(stream, into, '\n', use_awaitable);
  if (answer.find(" 200 ") == std::string::npos)
    throw std::runtime_error("the server answered " + answer);
}

asio::awaitable<void> run_client(const arguments& chosen) {
  const auto executor = co_await asio::this_coro::executor;
  const auto where = transport::target::parse(chosen.address).value();
  transport::tls_stream_options options;
  options.server_name = chosen.name;
  if (chosen.secure_disable) options.ech = transport::ech_policy::secure_disable;
  transport::tls_failure last;
  unsigned failures = 0;
  options.on_failure = [&](const transport::tls_failure& why) {
    last = why;
    ++failures;
  };
  transport::tls_dialer dialer(std::make_shared<transport::tcp_dialer>(executor),
                               client_context(chosen), options);
  const auto [error, stream] = co_await dialer.async_dial(where, quietly);
  const auto security = stream ? stream->security() : std::nullopt;
  const auto status = security ? security->ech : last.ech;
  tell("{\"ech\":" + quoted(transport::describe(status)) +
       ",\"retried\":" + (security && security->ech_retried ? "true" : "false") +
       ",\"attempts\":" + std::to_string(failures + (stream ? 1 : 0)) + "}");
  if (error) throw std::runtime_error(error.message() + ": " + last.text);
  co_await fetch(*stream);
}

int run(const arguments& chosen) {
  if (chosen.mode != "server" && chosen.mode != "client")
    throw std::runtime_error("server or client?");
  asio::io_context context(1);
  std::exception_ptr failure;
  asio::signal_set signals(context, SIGTERM);
  signals.async_wait([&](std::error_code error, int) {
    if (!error) context.stop();
  });
  asio::co_spawn(context, chosen.mode == "server" ? run_server(chosen) : run_client(chosen),
                 [&](std::exception_ptr thrown) {
                   failure = std::move(thrown);
                   context.stop();
                 });
  context.run();
  if (failure) std::rethrow_exception(failure);
  return 0;
}

}  // namespace
}  // namespace strata::interop

int main(int count, char** words) {
  if (!strata::transport::ech_available()) {
    std::fprintf(stderr, "unsupported: this TLS library has no ECH\n");
    return 127;
  }
  try {
    return strata::interop::run(strata::interop::parse(count, words));
  } catch (const std::exception& thrown) {
    std::fprintf(stderr, "%s: %s\n", words[0], thrown.what());
    return EXIT_FAILURE;
  }
}
