// SPDX-License-Identifier: Apache-2.0
// What a configuration file says, checked as far as it can be without acting on it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "strata/proxy/core/address_filter.hpp"
#include "strata/proxy/core/inbound_opening.hpp"
#include "strata/proxy/core/outbound_opening.hpp"
#include "strata/proxy/core/routing_table.hpp"
#include "strata/proxy/core/user_table.hpp"
#include "strata/proxy/outbound_group.hpp"
#include "strata/transport/core/address.hpp"
#include "strata/transport/target.hpp"

/// What is wrong with a file, where, and what to write instead.
struct configuration_problem {
  std::size_t line = 0;  ///< Zero where no line is to blame.
  std::string text;
};

struct inbound_settings {
  std::string name;
  strata::transport::address listen;
  strata::proxy::core::inbound_config protocols;
  bool open_to_strangers = false;
  std::size_t max_connections = 0;  ///< Zero: the library's.
  std::size_t max_per_source = 0;
  std::size_t max_per_user = 0;
  std::chrono::seconds idle_timeout{0};
};

/// TLS towards a server.
struct tls_settings {
  std::string server_name;  ///< Empty: the server's.
  std::string authority;    ///< A file; empty: the system's.
  std::string pin;          ///< SHA-256 of the certificate.
  bool insecure = false;
  bool ech = false;  ///< Encrypted Client Hello, or nothing: the name is never shown.
};

struct direct_settings {
  strata::proxy::core::address_filter_config filter;
};
struct upstream_settings {
  enum class kind_type { socks, http, anytls, tunnel };
  kind_type kind = kind_type::socks;
  strata::transport::target server{strata::transport::address()};
  std::optional<strata::proxy::core::credentials> credentials;
  std::string password;             ///< Of anytls; of a tunnel the UUID.
  std::string path = "/";           ///< Of a tunnel.
  bool simple = false;              ///< Of a tunnel: a WebSocket for each connection.
  std::size_t max_sessions = 0;     ///< Of a tunnel; zero: the library's.
  std::size_t max_streams = 0;      ///< Of each session.
  std::optional<tls_settings> tls;  ///< Always of anytls.
  std::string via;                  ///< Another outbound to dial it through.
};
struct group_settings {
  std::vector<std::string> members;
  strata::proxy::outbound_group_options options;
};

struct outbound_settings {
  std::string name;
  std::variant<direct_settings, upstream_settings, group_settings> how;
  std::size_t line = 0;
};

struct dns_settings {
  /// Empty: the system's own.
  std::vector<strata::transport::address> servers;
  /// DNS over HTTPS, and nothing else; empty: none.
  std::string doh_name;
  std::string doh_path;
  strata::transport::address doh_address;
  std::string doh_authority;  ///< A file; empty: the system's.
};

/// The far end of tunnels.
struct tunnel_server_settings {
  std::string name;
  strata::transport::address listen;
  std::string uuid;
  std::string certificate, key;       ///< Files; empty: plain, behind somebody else's TLS.
  std::vector<std::string> ech_keys;  ///< Files of PEM, the current one first.
  std::vector<std::string> anytls_passwords;
  std::string outbound = "direct";
};

struct access_log_settings {
  std::string file;                ///< Empty: none; "-": standard output.
  std::uint64_t rotate_bytes = 0;  ///< What a file may hold; zero: it grows.
  unsigned keep = 5;               ///< How many older ones there are: FILE.1 is the newest.
};

struct configuration {
  std::vector<inbound_settings> inbounds;
  std::vector<outbound_settings> outbounds;  ///< Each after those that it goes through.
  std::vector<tunnel_server_settings> tunnel_servers;
  std::vector<strata::proxy::core::rule> rules;
  std::string fallback = "direct";  ///< Empty: refuse.
  dns_settings dns;
  std::optional<strata::transport::address> admin;
  access_log_settings access_log;
  std::string pac;  ///< A file that is served as /proxy.pac; empty: none.
  std::chrono::seconds drain{30};
};

struct configuration_result {
  configuration value;
  std::vector<configuration_problem> problems;  ///< Nothing may be used when there is one.
};

configuration_result parse_configuration(std::string_view text);
configuration_result read_configuration(const std::string& path);
