// SPDX-License-Identifier: Apache-2.0
// TLS over TCP on loopback, one direction, two threads: our byte stream beside OpenSSL as it is
// used most, with a pair of memory BIOs and a copy to and from the socket. Both by turns; prints
// the median of the runs and the ratio.
#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "bench/tls_stream_run.hpp"
#include "tls/tls_connection.hpp"

namespace {

using namespace strata::transport;

constexpr std::size_t read_size = 128 * 1024;

struct settings {
  std::uint64_t bytes = 2ull << 30;
  std::size_t chunk = 128 * 1024;
  unsigned runs = 5;
};

struct contexts {
  tls_context client;
  tls_context server;
};

contexts make_contexts() {
  const std::string names[] = {"localhost"};
  const auto certificate = make_self_signed_certificate(names);
  tls_client_options client;
  client.pinned_certificates = {certificate->sha256};
  client.cipher_suites = {"TLS_AES_128_GCM_SHA256"};
  tls_server_options server;
  server.credentials = {certificate->credential()};
  return {make_tls_client_context(client).value(), make_tls_server_context(server).value()};
}

void require(bool done, const char* what) {
  if (!done) throw std::runtime_error(what);
}

std::array<int, 2> connected_sockets() {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof where;
  auto* const any = reinterpret_cast<sockaddr*>(&where);
  require(bind(listener, any, size) == 0 && listen(listener, 1) == 0, "listen");
  require(getsockname(listener, any, &size) == 0, "getsockname");
  const int client = socket(AF_INET, SOCK_STREAM, 0);
  require(connect(client, any, size) == 0, "connect");
  const int server = accept(listener, nullptr, nullptr);
  close(listener);
  return {client, server};
}

/// One side of either kind.
class side {
 public:
  virtual ~side() = default;
  virtual void shake_hands(int socket) = 0;
  virtual void send(int socket, std::uint64_t total, std::size_t chunk) = 0;
  virtual void receive(int socket, std::uint64_t total) = 0;
};

class our_side final : public side {
 public:
  explicit our_side(const tls_context& context)
      : core_(context, {.server_name = "localhost"}, pages_) {
    require(core_.begin(now_).has_value(), "begin");
  }

  void shake_hands(int socket) override {
    std::vector<std::byte> buffer(64 * 1024);
    flush(socket);
    while (!core_.is_ready()) {
      take_in(socket, buffer);
      core_.release_input();
      flush(socket);
    }
  }

  void send(int socket, std::uint64_t total, std::size_t chunk) override {
    const std::vector<std::byte> data(chunk, std::byte{7});
    for (std::uint64_t done = 0; done < total;) {
      const bytes piece = data;
      done += core_.write({&piece, 1}).value();
      flush(socket);
    }
  }

  void receive(int socket, std::uint64_t total) override {
    std::vector<std::byte> buffer(read_size);
    std::vector<std::byte> out(read_size);
    for (std::uint64_t done = 0; done < total;) {
      take_in(socket, buffer);
      while (const auto count = core_.read(out)) done += *count;
      core_.release_input();
    }
  }

 private:
  void take_in(int socket, std::vector<std::byte>& buffer) {
    const ssize_t count = ::read(socket, buffer.data(), buffer.size());
    require(count > 0, "read");
    core_.receive(now_, bytes(buffer).first(static_cast<std::size_t>(count)));
    tls_connection::event ignored{};
    while (core_.poll_event(ignored)) {}
  }
  void flush(int socket) {
    std::array<bytes, 16> pieces;
    while (const std::size_t count = core_.poll_output(now_, pieces)) {
      std::array<iovec, 16> vectors;
      for (std::size_t i = 0; i < count; ++i)
        vectors[i] = {const_cast<std::byte*>(pieces[i].data()), pieces[i].size()};
      const ssize_t written = writev(socket, vectors.data(), static_cast<int>(count));
      require(written > 0, "writev");
      core_.sent(static_cast<std::size_t>(written));
    }
  }

  const time_point now_ = std::chrono::steady_clock::now();
  page_store pages_;
  tls_connection core_;
};

class plain_side final : public side {
 public:
  explicit plain_side(const tls_context& context)
      : context_(context), ssl_(SSL_new(static_cast<SSL_CTX*>(context.native_context()))) {
    SSL_clear_mode(ssl_.get(), SSL_MODE_RELEASE_BUFFERS);
    in_ = BIO_new(BIO_s_mem());
    out_ = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl_.get(), in_, out_);
    if (context.is_server()) {
      SSL_set_accept_state(ssl_.get());
    } else {
      SSL_set_connect_state(ssl_.get());
      require(context.prepare_client(ssl_.get(), "localhost"), "name");
    }
  }

  void shake_hands(int socket) override {
    std::vector<std::byte> buffer(64 * 1024);
    while (SSL_do_handshake(ssl_.get()) != 1) {
      flush(socket, buffer);
      take_in(socket, buffer);
    }
    flush(socket, buffer);
  }

  void send(int socket, std::uint64_t total, std::size_t chunk) override {
    const std::vector<std::byte> data(chunk, std::byte{7});
    std::vector<std::byte> buffer(chunk + 4096);
    for (std::uint64_t done = 0; done < total;) {
      std::size_t count = 0;
      require(SSL_write_ex(ssl_.get(), data.data(), data.size(), &count) == 1, "SSL_write");
      done += count;
      flush(socket, buffer);
    }
  }

  void receive(int socket, std::uint64_t total) override {
    std::vector<std::byte> buffer(read_size);
    std::vector<std::byte> out(read_size);
    for (std::uint64_t done = 0; done < total;) {
      take_in(socket, buffer);
      std::size_t count = 0;
      while (SSL_read_ex(ssl_.get(), out.data(), out.size(), &count) == 1) done += count;
    }
  }

 private:
  void take_in(int socket, std::vector<std::byte>& buffer) {
    const ssize_t count = ::read(socket, buffer.data(), buffer.size());
    require(count > 0, "read");
    BIO_write(in_, buffer.data(), static_cast<int>(count));
  }
  void flush(int socket, std::vector<std::byte>& buffer) {
    for (int count; (count = BIO_read(out_, buffer.data(), static_cast<int>(buffer.size()))) > 0;) {
      for (bytes rest = bytes(buffer).first(static_cast<std::size_t>(count)); !rest.empty();) {
        const ssize_t written = ::write(socket, rest.data(), rest.size());
        require(written > 0, "write");
        rest = rest.subspan(static_cast<std::size_t>(written));
      }
    }
  }

  tls_context context_;
  std::unique_ptr<SSL, decltype([](SSL* ssl) { SSL_free(ssl); })> ssl_;
  BIO* in_;
  BIO* out_;
};

double gbits(const contexts& of, const settings& chosen, bool ours) {
  const auto make = [&](const tls_context& context) -> std::unique_ptr<side> {
    if (ours) return std::make_unique<our_side>(context);
    return std::make_unique<plain_side>(context);
  };
  const std::array<int, 2> sockets = connected_sockets();
  std::chrono::steady_clock::time_point end;
  std::thread receiver([&] {
    const auto server = make(of.server);
    server->shake_hands(sockets[1]);
    server->receive(sockets[1], chosen.bytes);
    end = std::chrono::steady_clock::now();
  });
  const auto client = make(of.client);
  client->shake_hands(sockets[0]);
  const auto began = std::chrono::steady_clock::now();
  client->send(sockets[0], chosen.bytes, chosen.chunk);
  receiver.join();
  for (const int each : sockets) close(each);
  return static_cast<double>(chosen.bytes) * 8 /
         std::chrono::duration<double>(end - began).count() / 1e9;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

/// [MiB [CHUNK [RUNS]]]
int main(int count, char** words) {
  settings chosen;
  if (count > 1) chosen.bytes = std::strtoull(words[1], nullptr, 10) << 20;
  if (count > 2) chosen.chunk = std::strtoull(words[2], nullptr, 10);
  if (count > 3) chosen.runs = static_cast<unsigned>(std::strtoul(words[3], nullptr, 10));
  const contexts of = make_contexts();
  std::vector<double> core;
  std::vector<double> stream;
  std::vector<double> plain;
  for (unsigned run = 0; run < chosen.runs; ++run) {
    core.push_back(gbits(of, chosen, true));
    plain.push_back(gbits(of, chosen, false));
    stream.push_back(
        strata::bench::tls_stream_gbits(of.client, of.server, chosen.bytes, chosen.chunk));
  }
  std::printf(
      "{\"chunk\":%zu,\"core_gbits\":%.2f,\"stream_gbits\":%.2f,\"memory_bios_gbits\":%.2f}\n",
      chosen.chunk, median(core), median(stream), median(plain));
}
