// SPDX-License-Identifier: Apache-2.0
// What ./dev bench anytls and proxy put on a proxy, the same on every implementation. Its targets
// run in the same process, so that nothing but the proxies is compared.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace {

using clock_type = std::chrono::steady_clock;

constexpr std::size_t piece_size = 256 * 1024;
constexpr int backlog = 1024;

/// How targets are reached.
struct way {
  std::uint16_t port = 0;  ///< Of the proxy, or of an anytls server, on 127.0.0.1; 0: without one.
  bool http = false;       ///< By CONNECT instead of SOCKS5.
};

struct options {
  std::string mode;
  way by;
  std::string password;
  std::uint64_t bytes = 1 << 20;
  std::size_t count = 100;
  std::size_t parallel = 1;
  double seconds = 1;
  bool upward = false;
};

double seconds_since(clock_type::time_point began) {
  return std::chrono::duration<double>(clock_type::now() - began).count();
}

double seconds_of(const timeval& time) {
  return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
}

class connection {
 public:
  explicit connection(int made) : socket_(made) {
    if (made < 0) throw std::runtime_error(std::string("socket: ") + std::strerror(errno));
    const int on = 1;
    ::setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  connection(connection&& other) noexcept : socket_(std::exchange(other.socket_, -1)) {}
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;
  connection& operator=(connection&& other) noexcept {
    std::swap(socket_, other.socket_);
    return *this;
  }
  ~connection() {
    if (socket_ >= 0) ::close(socket_);
  }
  int native() const { return socket_; }

  void write(std::string_view text) {
    while (!text.empty()) {
      const auto size = ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
      if (size <= 0) throw std::runtime_error("a connection ended while it was written");
      text.remove_prefix(static_cast<std::size_t>(size));
    }
  }
  /// Zero at the end.
  std::size_t read_some(char* into, std::size_t room) {
    const auto size = ::recv(socket_, into, room, 0);
    if (size < 0) throw std::runtime_error("a connection ended while it was read");
    return static_cast<std::size_t>(size);
  }
  void read(char* into, std::size_t size) {
    while (size != 0) {
      const std::size_t got = read_some(into, size);
      if (got == 0) throw std::runtime_error("a connection ended too early");
      into += got;
      size -= got;
    }
  }

 private:
  int socket_;
};

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

connection connect_to(std::uint16_t port) {
  connection made(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address = loopback(port);
  if (::connect(made.native(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    throw std::runtime_error(std::string("connect: ") + std::strerror(errno));
  return made;
}

/// Sends as many bytes as eight of them, little endian, ask for, and ends; asked for none it sends
/// back what comes.
void serve_target(connection made) {
  std::vector<char> memory(piece_size);
  std::uint64_t left = 0;
  made.read(reinterpret_cast<char*>(&left), sizeof left);
  const bool echoes = left == 0;
  while (left != 0) {
    const auto size = std::min<std::uint64_t>(left, memory.size());
    made.write({memory.data(), size});
    left -= size;
  }
  if (!echoes) ::shutdown(made.native(), SHUT_WR);
  for (std::size_t size; (size = made.read_some(memory.data(), memory.size())) != 0;)
    if (echoes) made.write({memory.data(), size});
}

/// Of an upload: as many bytes as were announced, answered by one.
void serve_sink(connection made) {
  std::vector<char> memory(piece_size);
  std::uint64_t left = 0;
  made.read(reinterpret_cast<char*>(&left), sizeof left);
  while (left != 0) {
    const std::size_t size = made.read_some(memory.data(), memory.size());
    if (size == 0) return;
    left -= std::min<std::uint64_t>(size, left);
  }
  made.write("x");
}

class target {
 public:
  explicit target(void (*serve)(connection))
      : listening_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    auto* plain = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listening_.native(), plain, size) != 0 ||
        ::listen(listening_.native(), backlog) != 0 ||
        ::getsockname(listening_.native(), plain, &size) != 0)
      throw std::runtime_error("no port to listen on");
    port_ = ntohs(address.sin_port);
    std::thread([socket = listening_.native(), serve] {
      for (int made; (made = ::accept4(socket, nullptr, nullptr, SOCK_CLOEXEC)) >= 0;)
        std::thread([made, serve] {
          try {
            serve(connection(made));
          } catch (const std::exception&) {}  // the proxy ended it; whoever waits for it says so
        }).detach();
    }).detach();
  }
  std::uint16_t port() const { return port_; }

 private:
  connection listening_;
  std::uint16_t port_ = 0;
};

/// SOCKS5 (RFC 1928) without authentication.
void ask_socks(connection& proxy, std::uint16_t port) {
  const char greeting[] = {5, 1, 0};
  proxy.write({greeting, sizeof greeting});
  char method[2];
  proxy.read(method, sizeof method);
  const char request[] = {
      5, 1, 0, 1, 127, 0, 0, 1, static_cast<char>(port >> 8), static_cast<char>(port)};
  proxy.write({request, sizeof request});
  char reply[10];
  proxy.read(reply, sizeof reply);
  if (method[1] != 0 || reply[1] != 0) throw std::runtime_error("the proxy refuses");
}

void ask_http(connection& proxy, std::uint16_t port) {
  const std::string where = "127.0.0.1:" + std::to_string(port);
  proxy.write("CONNECT " + where + " HTTP/1.1\r\nHost: " + where + "\r\n\r\n");
  std::string head;
  for (char octet; !head.ends_with("\r\n\r\n"); head += octet) proxy.read(&octet, 1);
  if (head.find(" 200 ") == head.npos) throw std::runtime_error("the proxy refuses");
}

connection through(const way& by, std::uint16_t port) {
  connection made = connect_to(by.port == 0 ? port : by.port);
  if (by.port == 0) return made;
  by.http ? ask_http(made, port) : ask_socks(made, port);
  return made;
}

std::string_view octets_of(const std::uint64_t& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

void print(const std::string& members) {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  std::printf("{%s,\"cpu_user\":%.6f,\"cpu_system\":%.6f}\n", members.c_str(),
              seconds_of(used.ru_utime), seconds_of(used.ru_stime));
  std::fflush(stdout);
}

std::string member(const char* name, double value) {
  return '"' + std::string(name) + "\":" + std::to_string(value);
}

void bulk(const options& chosen) {
  const target far(chosen.upward ? serve_sink : serve_target);
  connection made = through(chosen.by, far.port());
  std::vector<char> memory(piece_size);
  const auto began = clock_type::now();
  made.write(octets_of(chosen.bytes));
  for (std::uint64_t left = chosen.bytes; left != 0;) {
    const auto size = std::min<std::uint64_t>(left, memory.size());
    if (chosen.upward) {
      made.write({memory.data(), size});
      left -= size;
    } else {
      const std::size_t got = made.read_some(memory.data(), size);
      if (got == 0) throw std::runtime_error("the end came too early");
      left -= got;
    }
  }
  if (chosen.upward) made.read(memory.data(), 1);
  print(member("seconds", seconds_since(began)));
}

/// Asks for one byte and reads up to the end: the target closes first, as servers of HTTP do.
void ask_and_end(const way& proxy, std::uint16_t port) {
  connection made = through(proxy, port);
  const std::uint64_t one = 1;
  made.write(octets_of(one));
  char answer[2];
  made.read(answer, 1);
  if (made.read_some(answer, sizeof answer) != 0) throw std::runtime_error("bytes behind the end");
}

/// One byte there and back over a new connection.
connection ask_once(const way& proxy, std::uint16_t port) {
  connection made = through(proxy, port);
  const std::uint64_t echo = 0;
  made.write(std::string(octets_of(echo)) + 'x');
  char answer = 0;
  made.read(&answer, 1);
  return made;
}

void connections(const options& chosen) {
  const target far(serve_target);
  ask_and_end(chosen.by, far.port());
  std::atomic<std::uint64_t> done = 0;
  std::atomic<std::uint64_t> failed = 0;
  const auto began = clock_type::now();
  std::vector<std::thread> lanes;
  for (std::size_t i = 0; i < chosen.parallel; ++i)
    lanes.emplace_back([&] {
      while (seconds_since(began) < chosen.seconds) {
        try {
          ask_and_end(chosen.by, far.port());
          ++done;
        } catch (const std::exception&) {
          ++failed;
        }
      }
    });
  for (std::thread& lane : lanes) lane.join();
  print(member("seconds", seconds_since(began)) + ',' + member("count", static_cast<double>(done)) +
        ',' + member("failed", static_cast<double>(failed)));
}

/// Connections that are all open at once, so that none can have the session of another.
std::vector<connection> open_all(const options& chosen, std::uint16_t port) {
  std::vector<std::vector<connection>> opened(chosen.parallel);
  std::vector<std::thread> lanes;
  for (std::size_t lane = 0; lane < chosen.parallel; ++lane)
    lanes.emplace_back([&, lane] {
      for (std::size_t i = lane; i < chosen.count; i += chosen.parallel)
        opened[lane].push_back(ask_once(chosen.by, port));
    });
  for (std::thread& lane : lanes) lane.join();
  std::vector<connection> all;
  for (auto& lane : opened)
    for (connection& each : lane) all.push_back(std::move(each));
  return all;
}

void fresh(const options& chosen) {
  const target far(serve_target);
  const auto began = clock_type::now();
  const auto all = open_all(chosen, far.port());
  print(member("seconds", seconds_since(began)) + ',' +
        member("count", static_cast<double>(all.size())));
}

/// Opens and closes so many connections, a step for each line of input.
void hold(const options& chosen) {
  const target far(serve_target);
  std::vector<connection> held;
  char line[64];
  while (std::fgets(line, sizeof line, stdin) != nullptr) {
    if (std::string_view(line).starts_with("open"))
      held = open_all(chosen, far.port());
    else
      held.clear();
    print(member("open", static_cast<double>(held.size())));
  }
}

/// The client of anytls as far as a heartbeat needs it; it does not look at the certificate.
class anytls_session {
 public:
  anytls_session(std::uint16_t port, const std::string& password) : carrier_(connect_to(port)) {
    context_.reset(SSL_CTX_new(TLS_client_method()));
    tls_.reset(SSL_new(context_.get()));
    SSL_set_fd(tls_.get(), carrier_.native());
    if (SSL_connect(tls_.get()) != 1) throw std::runtime_error("no TLS");
    std::string first(SHA256_DIGEST_LENGTH, '\0');
    SHA256(reinterpret_cast<const unsigned char*>(password.data()), password.size(),
           reinterpret_cast<unsigned char*>(first.data()));
    const std::string settings = "v=2\nclient=load\npadding-md5=75cff2ad89aadf5e257059ee571ebe11";
    write(first + std::string(2, '\0') + frame(4, settings));
    if (read() != 10) throw std::runtime_error("the server does not tell its settings");
  }

  double beat() {
    const auto began = clock_type::now();
    write(frame(8, {}));
    if (read() != 9) throw std::runtime_error("another answer than a heartbeat's");
    return 1e6 * seconds_since(began);
  }

 private:
  static std::string frame(char command, const std::string& content) {
    std::string made{command, 0, 0, 0, 0};
    made += static_cast<char>(content.size() >> 8);
    made += static_cast<char>(content.size());
    return made + content;
  }
  void write(const std::string& text) {
    if (SSL_write(tls_.get(), text.data(), static_cast<int>(text.size())) <= 0)
      throw std::runtime_error("the server went away");
  }
  void read_all(char* into, std::size_t size) {
    while (size != 0) {
      const int got = SSL_read(tls_.get(), into, static_cast<int>(size));
      if (got <= 0) throw std::runtime_error("the server went away");
      into += got;
      size -= static_cast<std::size_t>(got);
    }
  }
  /// The command of the next frame, whose content is dropped.
  int read() {
    unsigned char header[7];
    read_all(reinterpret_cast<char*>(header), sizeof header);
    std::string content(static_cast<std::size_t>(header[5] << 8 | header[6]), '\0');
    read_all(content.data(), content.size());
    return header[0];
  }

  connection carrier_;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_{nullptr, &SSL_CTX_free};
  std::unique_ptr<SSL, decltype(&SSL_free)> tls_{nullptr, &SSL_free};
};

void print_times(std::vector<double> microseconds) {
  std::sort(microseconds.begin(), microseconds.end());
  const auto at = [&](std::size_t percent) {
    return microseconds[std::min(microseconds.size() - 1, microseconds.size() * percent / 100)];
  };
  print(member("p50_us", at(50)) + ',' + member("p99_us", at(99)) + ',' +
        member("max_us", microseconds.back()));
}

void heartbeat(const options& chosen) {
  anytls_session session(chosen.by.port, chosen.password);
  std::vector<double> microseconds;
  for (std::size_t i = 0; i < chosen.count / 10; ++i) session.beat();
  for (std::size_t i = 0; i < chosen.count; ++i) microseconds.push_back(session.beat());
  print_times(std::move(microseconds));
}

/// 64 bytes there and back, one after the other on one connection.
void pingpong(const options& chosen) {
  const target far(serve_target);
  connection made = through(chosen.by, far.port());
  const std::uint64_t echo = 0;
  made.write(octets_of(echo));
  char memory[64]{};
  std::vector<double> microseconds;
  for (std::size_t i = 0; i < chosen.count + chosen.count / 10; ++i) {
    const auto began = clock_type::now();
    made.write({memory, sizeof memory});
    made.read(memory, sizeof memory);
    if (i >= chosen.count / 10) microseconds.push_back(1e6 * seconds_since(began));
  }
  print_times(std::move(microseconds));
}

options parse(int count, char** words) {
  if (count < 2) throw std::runtime_error("bulk, connections, fresh, hold, pingpong or heartbeat?");
  options chosen;
  chosen.mode = words[1];
  for (int i = 2; i + 1 < count; i += 2) {
    const std::string_view word = words[i];
    const std::string value = words[i + 1];
    if (word == "--port") {
      chosen.by.port = static_cast<std::uint16_t>(std::stoul(value));
    } else if (word == "--http") {
      chosen.by.http = value == "1";
    } else if (word == "--password") {
      chosen.password = value;
    } else if (word == "--bytes") {
      chosen.bytes = std::stoull(value);
    } else if (word == "--count") {
      chosen.count = std::max<std::size_t>(1, std::stoul(value));
    } else if (word == "--parallel") {
      chosen.parallel = std::stoul(value);
    } else if (word == "--seconds") {
      chosen.seconds = std::stod(value);
    } else if (word == "--upward") {
      chosen.upward = value == "1";
    } else {
      throw std::runtime_error("no such option: " + std::string(word));
    }
  }
  return chosen;
}

}  // namespace

int main(int count, char** words) {
  try {
    const options chosen = parse(count, words);
    const std::pair<std::string_view, void (*)(const options&)> modes[] = {
        {"bulk", bulk}, {"connections", connections}, {"fresh", fresh},
        {"hold", hold}, {"pingpong", pingpong},       {"heartbeat", heartbeat}};
    for (const auto& [name, run] : modes) {
      if (name != chosen.mode) continue;
      run(chosen);
      std::_Exit(0);  // targets still wait for connections
    }
    throw std::runtime_error("no such mode: " + chosen.mode);
  } catch (const std::exception& thrown) {
    std::fprintf(stderr, "%s\n", thrown.what());
    std::_Exit(1);
  }
}
