// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <asio/post.hpp>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "strata/mux/anytls.hpp"
#include "strata/transport/driver/ready_list.hpp"
#include "strata/transport/driver/with_timeout.hpp"
#include "strata/transport/resolver.hpp"
#include "strata/transport/udp_datagram_socket.hpp"
#include "tunnel_world.hpp"

namespace strata::tests {

using namespace std::chrono_literals;
using transport::address;
using transport::errc;
using place = transport::target;

using socket_pointer = std::unique_ptr<transport::datagram_socket>;

/// Says every datagram again, from where it was sent to.
class datagram_echo {
 public:
  datagram_echo(asio::io_context& context, const address& local)
      : socket_(*transport::udp_datagram_socket::open(context.get_executor(), local)) {
    asio::co_spawn(context, serve(*this), asio::detached);
  }
  place where() const { return socket_->local_address(); }
  transport::datagram_socket& socket() { return *socket_; }

  unsigned heard = 0;
  place from{address()};  ///< The last one's sender: a socket of the server's.

 private:
  static asio::awaitable<void> serve(datagram_echo& self) {
    std::vector<std::byte> memory(65536);
    const transport::mutable_bytes room = memory;
    for (;;) {
      const auto [error, size] =
          co_await self.socket_->async_receive_from(room, self.from, quietly);
      if (error) co_return;
      ++self.heard;
      const transport::bytes back = room.first(size);
      co_await self.socket_->async_send_to(self.from, back, quietly);
    }
  }

  std::shared_ptr<transport::udp_datagram_socket> socket_;
};

/// Another outbound's streams, and no datagrams.
class streams_only : public proxy::outbound {
 public:
  explicit streams_only(std::shared_ptr<proxy::outbound> by) : by_(std::move(by)) {}

 protected:
  proxy::outbound& by() { return *by_; }

 private:
  asio::any_io_executor do_executor() noexcept override { return by_->get_executor(); }
  void do_dial(const place& where,
               transport::completion<transport::stream_signature> waiting) override {
    by_->async_dial(where, std::move(waiting.handler));
  }

  std::shared_ptr<proxy::outbound> by_;
};

/// "echo.test" is this host, and who asks for another is told so, or nothing.
class one_name final : public transport::resolver {
 public:
  explicit one_name(const asio::any_io_executor& executor) : ready_(executor) {}
  unsigned asked = 0;

 private:
  asio::any_io_executor do_executor() noexcept override { return ready_.executor(); }
  void do_resolve(const std::string& host, const transport::resolve_options&,
                  transport::completion<transport::resolve_signature> waiting) override {
    ++asked;
    using pointer = std::unique_ptr<transport::resolution>;
    if (host != "echo.test") {
      const errc why = host == "slow.test"   ? errc::timed_out
                       : host == "mute.test" ? errc::name_server_failed
                                             : errc::name_not_found;
      return ready_.complete(std::move(waiting), make_error_code(why), pointer());
    }
    auto found = std::make_unique<transport::resolution>();
    found->addresses = {address::loopback_v6(0), address::loopback_v4(0)};
    ready_.complete(std::move(waiting), std::error_code(), std::move(found));
  }
  transport::ready_list ready_;
};

/// A socket to which somebody sends before it has sent anything.
class early_socket final : public transport::datagram_socket {
 public:
  explicit early_socket(socket_pointer by) : by_(std::move(by)) {}
  std::size_t max_datagram_size() const noexcept override { return by_->max_datagram_size(); }
  void close() noexcept override { by_->close(); }

 private:
  asio::any_io_executor do_executor() noexcept override { return by_->get_executor(); }
  void do_send_to(const place& to, transport::bytes datagram,
                  transport::completion<send_signature> finish) override {
    by_->async_send_to(to, datagram, std::move(finish.handler));
  }
  void do_receive_from(transport::mutable_bytes into, place& from,
                       transport::completion<receive_signature> finish) override {
    if (std::exchange(has_told_, true))
      return by_->async_receive_from(into, from, std::move(finish.handler));
    from = place("192.0.2.1", 53);
    into[0] = std::byte{'!'};
    asio::post(by_->get_executor(), [held = std::move(finish)]() mutable {
      std::move(held.handler)(std::error_code(), 1);
    });
  }

  socket_pointer by_;
  bool has_told_ = false;
};

/// Its associations, counted.
class counted_way final : public streams_only {
 public:
  using streams_only::streams_only;
  unsigned associated = 0;
  bool hears_early = false;
  transport::datagram_socket* last = nullptr;

 private:
  void do_associate(transport::completion<proxy::associate_signature> waiting) override {
    ++associated;
    by().async_associate(
        [this, held = std::move(waiting)](std::error_code error, socket_pointer made) mutable {
          if (hears_early) made = std::make_unique<early_socket>(std::move(made));
          last = made.get();
          std::move(held.handler)(error, std::move(made));
        });
  }
};

enum class how { version_1, version_2, connected };

struct datagram_world : tunnel_world {
  datagram_world() : echo(context, address::loopback_v4(0)) {}

  /// A way out to these networks only, which knows one name.
  std::shared_ptr<proxy::outbound> only_to(std::initializer_list<const char*> networks) {
    proxy::core::address_filter_config filter;
    for (const char* each : networks)
      filter.allowed.push_back(proxy::core::ip_network::parse(each).value());
    proxy::direct_outbound_options options;
    options.filter = proxy::core::address_filter(filter);
    names = std::make_shared<one_name>(executor());
    options.names = names;
    return std::make_shared<proxy::direct_outbound>(executor(), options);
  }
  void serve_datagrams(transport::duration idle = 300s) {
    auto options = server_options();
    options.association_idle = idle;
    mux::anytls_options anytls;
    const std::array<mux::core::anytls_user, 1> users{{{"alice", "open sesame"}}};
    anytls.session.users = *mux::core::anytls_users::make(users);
    options.anytls = anytls;
    serve(std::move(options));
    server->use(only_to({"127.0.0.0/8"}), "direct");
  }
  std::shared_ptr<mux::anytls_dialer> client(unsigned udp_version = 2) {
    mux::anytls_options options;
    options.session.password = *transport::sha256(transport::as_bytes("open sesame"));
    options.await_answer = true;
    options.udp_version = udp_version;
    return std::make_shared<mux::anytls_dialer>(carriers, place("tunnel.test", 80), options);
  }
  asio::awaitable<socket_pointer> open(how mode, place where) {
    const auto by = client(mode == how::version_1 ? 1 : 2);
    if (mode == how::connected) {
      auto [error, made] = co_await by->async_dial_datagrams(where, quietly);
      CHECK_FALSE(error);
      co_return std::move(made);
    }
    auto [error, made] = co_await by->async_associate(quietly);
    CHECK_FALSE(error);
    co_return std::move(made);
  }
  asio::awaitable<void> put(transport::datagram_socket& by, place to, std::string text) {
    const transport::bytes all = transport::as_bytes(text);
    const auto [error] = co_await by.async_send_to(to, all, quietly);
    CHECK_FALSE(error);
  }
  /// The next datagram; its sender is in `sender`.
  asio::awaitable<std::string> take(transport::datagram_socket& by) {
    std::vector<std::byte> memory(65536);
    const transport::mutable_bytes room = memory;
    auto receiving = by.async_receive_from(room, sender);
    const auto [error, size] = co_await transport::with_timeout(std::move(receiving), 5s, quietly);
    ended = error;
    co_return std::string(transport::as_text(room.first(size)));
  }
  asio::awaitable<void> ping(transport::datagram_socket& by, place to, std::string text) {
    co_await put(by, to, text);
    const std::string back = co_await take(by);
    CHECK_FALSE(ended);
    CHECK(back == text);
  }
  void run(asio::awaitable<void> what) { testkit::run_awaitable(context, std::move(what)); }
  /// All datagrams have gone where they go, and the stream has ended.
  void expect_end() {
    run_until([&] { return !reports.empty() && server->statistics().streams == 0; });
    CHECK(reports.size() == 1);
    context.poll();
  }
  /// anytls has no half ends: a client that finishes waits for the server's, or goes.
  void go(dialled& from) {
    finish(*from.stream);
    from.stream.reset();
  }
  /// A stream that asks for datagrams, to write on it what one likes.
  dialled raw(std::string name = "sp.v2.udp-over-tcp.arpa") {
    dialled out;
    run([](std::shared_ptr<mux::anytls_dialer> by, place to,
           dialled& result) -> asio::awaitable<void> {
      auto [error, made] = co_await by->async_dial(to, quietly);
      result.error = error;
      result.stream = std::move(made);
    }(client(), place(name, 0), out));
    return out;
  }

  datagram_echo echo;
  std::shared_ptr<one_name> names;  ///< Of the last way out.
  place sender{address()};
};

}  // namespace strata::tests
