// SPDX-License-Identifier: Apache-2.0
#include "configuration.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <sstream>
#include <system_error>
#include <utility>

#include "program/program.hpp"
#include "toml_reader.hpp"

namespace {

using namespace strata;
using namespace strata::proxy;
using problems = std::vector<configuration_problem>;

constexpr std::int64_t many = 1'000'000;

transport::address address_of(toml_reader& from, std::string_view key, const std::string& text) {
  const auto made = transport::address::parse(text);
  if (made) return *made;
  from.complain_about(key, std::string(key) + ": '" + text +
                               "' is no address; write it as \"127.0.0.1:1080\" or \"[::1]:1080\"");
  return {};
}

std::vector<core::ip_network> networks_of(toml_reader& from, std::string_view key) {
  std::vector<core::ip_network> made;
  for (const std::string& text : from.texts(key)) {
    const auto parsed = core::ip_network::parse(text);
    if (parsed)
      made.push_back(*parsed);
    else
      from.complain_about(
          key, std::string(key) + ": '" + text +
                   "' is no network; write it as \"10.0.0.0/8\", no bits set behind its length");
  }
  return made;
}

std::optional<core::port_range> port_range_of(std::string_view text) {
  core::port_range made;
  const char* at = text.data();
  const char* const end = at + text.size();
  const auto first = std::from_chars(at, end, made.first);
  if (first.ec != std::errc()) return std::nullopt;
  made.last = made.first;
  if (first.ptr == end) return made;
  if (*first.ptr != '-') return std::nullopt;
  const auto last = std::from_chars(first.ptr + 1, end, made.last);
  if (last.ec != std::errc() || last.ptr != end || made.last < made.first) return std::nullopt;
  return made;
}

std::shared_ptr<const core::user_table> users_of(toml_reader& from, problems& wrong) {
  const auto all = from.tables("user", "inbound.user");
  if (all.empty()) return nullptr;
  auto made = std::make_shared<core::user_table>();
  for (const toml::table* each : all) {
    toml_reader user(*each, "a user", wrong);
    const std::string name = user.text("name"), password = user.text("password");
    if (!made->add(name, password))
      user.complain_about("name",
                          "a user needs a name without colon and a password, 1 to 255 bytes each, "
                          "and no name twice");
  }
  return made;
}

inbound_settings inbound_of(const toml::table& table, problems& wrong) {
  toml_reader from(table, "an inbound", wrong);
  inbound_settings made;
  made.name = from.text("name", "default");
  made.listen = address_of(from, "listen", from.text("listen", "127.0.0.1:1080"));
  std::vector<std::string> spoken = from.texts("protocols");
  if (spoken.empty()) spoken = {"socks4", "socks5", "http"};
  made.protocols.socks4 = made.protocols.socks5 = made.protocols.http = false;
  for (const std::string& each : spoken) {
    if (each == "socks4")
      made.protocols.socks4 = true;
    else if (each == "socks5")
      made.protocols.socks5 = true;
    else if (each == "http")
      made.protocols.http = true;
    else
      from.complain_about("protocols",
                          "protocols: '" + each + "' is none of \"socks4\", \"socks5\", \"http\"");
  }
  made.protocols.bind = from.flag("bind");
  made.protocols.udp_associate = from.flag("udp", true);
  made.protocols.users = users_of(from, wrong);
  made.open_to_strangers = from.flag("open_to_strangers");
  made.max_connections = static_cast<std::size_t>(from.number("max_connections", 0, many));
  made.max_per_source = static_cast<std::size_t>(from.number("max_per_source", 0, many));
  made.max_per_user = static_cast<std::size_t>(from.number("max_per_user", 0, many));
  made.idle_timeout = std::chrono::seconds(from.number("idle_timeout", 0, many));
  const bool open = !made.protocols.users && !made.open_to_strangers;
  if (open && !made.listen.octets().empty() && !made.listen.is_loopback())
    from.complain_about("listen", "listen: other hosts reach " + made.listen.string() +
                                      ", so anybody could use this proxy; add [[inbound.user]], or "
                                      "open_to_strangers = true if that is wanted");
  return made;
}

tls_settings tls_of(const toml::table& table, problems& wrong) {
  toml_reader from(table, "tls", wrong);
  tls_settings made;
  made.server_name = from.text("server_name");
  made.authority = from.text("ca");
  made.pin = from.text("pin");
  made.insecure = from.flag("insecure");
  made.ech = from.flag("ech");
  if (!made.pin.empty() && !program::hash_of(made.pin))
    from.complain_about("pin", "pin: write the certificate's SHA-256 as 64 hexadecimal digits");
  return made;
}

/// How connections share what leads to a tunnel's server.
void read_pool(toml_reader& from, upstream_settings& to) {
  constexpr std::int64_t most = 4096;
  to.simple = from.flag("simple");
  to.max_sessions = static_cast<std::size_t>(from.number("max_sessions", 0, most));
  to.max_streams = static_cast<std::size_t>(from.number("max_streams", 0, most));
  for (const char* key : {"max_sessions", "max_streams"})
    if (to.simple && from.has(key))
      from.complain_about(key, std::string(key) +
                                   ": with simple = true each connection has a WebSocket of its "
                                   "own; leave one of them out");
}

upstream_settings upstream_of(toml_reader& from, const std::string& type, problems& wrong) {
  upstream_settings made;
  static const std::map<std::string, upstream_settings::kind_type> kinds{
      {"socks", upstream_settings::kind_type::socks},
      {"http", upstream_settings::kind_type::http},
      {"anytls", upstream_settings::kind_type::anytls},
      {"tunnel", upstream_settings::kind_type::tunnel}};
  made.kind = kinds.at(type);
  const std::string server = from.text("server");
  const auto where = transport::target::parse(server);
  if (where && where->is_valid() && where->port() != 0)
    made.server = *where;
  else
    from.complain_about(
        "server",
        "server: '" + server + "' is no host with a port; write it as \"proxy.example:1080\"");
  made.via = from.text("via");
  if (made.kind == upstream_settings::kind_type::anytls) {
    made.password = from.text("password");
    if (made.password.empty()) from.complain_about("password", "an anytls server needs a password");
    made.tls.emplace();
  } else if (made.kind == upstream_settings::kind_type::tunnel) {
    made.password = from.text("uuid");
    if (made.password.empty()) from.complain_about("uuid", "a tunnel server needs its uuid");
    made.path = from.text("path", "/");
    read_pool(from, made);
  } else {
    const std::string user = from.text("user"), password = from.text("password");
    if (user.empty() != password.empty())
      from.complain_about("user", "user and password: both, or neither");
    if (!user.empty()) made.credentials = core::credentials{user, password};
  }
  if (const toml::table* tls = from.table("tls")) made.tls = tls_of(*tls, wrong);
  return made;
}

group_settings group_of(toml_reader& from) {
  static const std::map<std::string, group_policy> policies{
      {"first_alive", group_policy::first_alive},
      {"round_robin", group_policy::round_robin},
      {"least_latency", group_policy::least_latency}};
  group_settings made;
  made.members = from.texts("members");
  if (made.members.empty())
    from.complain_about("members", "a group needs members: the names of outbounds above it");
  const std::string policy = from.text("policy", "first_alive");
  const auto found = policies.find(policy);
  if (found != policies.end())
    made.options.policy = found->second;
  else
    from.complain_about(
        "policy", "policy: '" + policy + "' is none of first_alive, round_robin, least_latency");
  return made;
}

outbound_settings outbound_of(const toml::table& table, problems& wrong) {
  toml_reader from(table, "an outbound", wrong);
  outbound_settings made;
  made.line = from.line();
  made.name = from.text("name");
  if (made.name.empty()) from.complain_about("name", "an outbound needs a name");
  const std::string type = from.text("type");
  if (type == "direct") {
    direct_settings direct;
    direct.filter.allowed = networks_of(from, "allow");
    direct.filter.denied = networks_of(from, "deny");
    direct.filter.special_purpose = from.flag("special_purpose");
    made.how = std::move(direct);
  } else if (type == "socks" || type == "http" || type == "anytls" || type == "tunnel") {
    made.how = upstream_of(from, type, wrong);
  } else if (type == "group") {
    made.how = group_of(from);
  } else {
    from.complain_about(
        "type", "type: '" + type + "' is none of direct, socks, http, anytls, tunnel, group");
    from.take_all();
  }
  return made;
}

tunnel_server_settings tunnel_server_of(const toml::table& table, problems& wrong) {
  toml_reader from(table, "a tunnel_server", wrong);
  tunnel_server_settings made;
  made.name = from.text("name", "tunnel");
  made.listen = address_of(from, "listen", from.text("listen", "127.0.0.1:8443"));
  made.uuid = from.text("uuid");
  if (made.uuid.empty())
    from.complain_about("uuid", "a tunnel server needs a uuid: who has it is let in");
  made.certificate = from.text("certificate");
  made.key = from.text("key");
  if (made.certificate.empty() != made.key.empty())
    from.complain_about("key", "certificate and key are files of PEM, both or neither");
  made.ech_keys = from.texts("ech_keys");
  made.anytls_passwords = from.texts("anytls_passwords");
  if (made.certificate.empty() && !(made.ech_keys.empty() && made.anytls_passwords.empty()))
    from.complain_about("certificate", "ECH and anytls need TLS: a certificate and its key");
  made.outbound = from.text("outbound", "direct");
  return made;
}

/// "https://dns.example/dns-query", and where that is.
void read_doh(toml_reader& from, dns_settings& to) {
  const std::string url = from.text("doh"), where = from.text("doh_address");
  to.doh_authority = from.text("doh_ca");
  if (url.empty()) return;
  constexpr std::string_view scheme = "https://";
  const std::size_t slash = url.find('/', scheme.size());
  if (!url.starts_with(scheme) || slash == url.npos)
    return from.complain_about("doh", "doh: write it as \"https://dns.example/dns-query\"");
  to.doh_name = url.substr(scheme.size(), slash - scheme.size());
  to.doh_path = url.substr(slash);
  if (where.empty())
    return from.complain_about("doh",
                               "doh needs doh_address, such as \"192.0.2.1:443\": looking "
                               "the resolver's own name up would tell others about it");
  to.doh_address = address_of(from, "doh_address", where);
}

/// A file's name alone, or a table that says when to begin another.
access_log_settings access_log_of(toml_reader& outer, problems& wrong) {
  constexpr std::int64_t terabyte = 1'000'000'000'000;
  access_log_settings made;
  if (!outer.has_table("access_log")) {
    made.file = outer.text("access_log");
    return made;
  }
  toml_reader from(*outer.table("access_log"), "access_log", wrong);
  made.file = from.text("file");
  made.rotate_bytes = static_cast<std::uint64_t>(from.number("rotate_bytes", 0, terabyte));
  made.keep = static_cast<unsigned>(from.number("keep", made.keep, 1000, 1));
  if (made.file.empty())
    from.complain_about("file",
                        "access_log needs a file, such as \"/var/log/strata-proxy/access\"");
  if (made.file == "-" && made.rotate_bytes != 0)
    from.complain_about("rotate_bytes",
                        "rotate_bytes: standard output cannot be rotated; write a "
                        "file's name instead of \"-\"");
  if (from.has("keep") && made.rotate_bytes == 0)
    from.complain_about("keep",
                        "keep: older files come of rotate_bytes, which is not there; add "
                        "rotate_bytes = 10000000, say");
  return made;
}

core::rule rule_of(const toml::table& table, problems& wrong) {
  toml_reader from(table, "a rule", wrong);
  core::rule made;
  made.name = from.text("name", "rule of line " + std::to_string(from.line()));
  made.domains = from.texts("domains");
  made.suffixes = from.texts("suffixes");
  made.keywords = from.texts("keywords");
  made.networks = networks_of(from, "networks");
  made.resolve = from.flag("resolve");
  for (const std::string& text : from.texts("ports")) {
    const auto range = port_range_of(text);
    if (range)
      made.ports.push_back(*range);
    else
      from.complain_about("ports",
                          "ports: '" + text + "' is no port; write \"443\" or \"1000-2000\"");
  }
  made.inbounds = from.texts("inbounds");
  made.users = from.texts("users");
  const std::string what = from.text("what");
  if (what == "stream")
    made.what = core::carried::stream;
  else if (what == "datagrams")
    made.what = core::carried::datagrams;
  else if (!what.empty())
    from.complain_about("what", "what: '" + what + "' is neither \"stream\" nor \"datagrams\"");
  made.outbound = from.text("outbound");
  const bool reject = from.flag("reject");
  if (reject == !made.outbound.empty())
    from.complain_about("outbound", "a rule needs either an outbound or reject = true");
  return made;
}

/// What names mean: each is there once, and where it is used.
class name_check {
 public:
  name_check(const configuration& all, const toml::table& file, problems& wrong)
      : all_(all), file_(file), wrong_(wrong) {}

  void run() {
    check_outbounds();
    check_inbounds();
    check_rules();
    for (std::size_t i = 0; i < all_.tunnel_servers.size(); ++i) {
      const tunnel_server_settings& each = all_.tunnel_servers[i];
      need_outbound(line_of("tunnel_server", i), "tunnel_server '" + each.name + "'",
                    each.outbound);
      for (std::size_t j = 0; j < i; ++j)
        if (all_.tunnel_servers[j].name == each.name)
          complain(line_of("tunnel_server", i),
                   "there are two tunnel_servers '" + each.name + "': give each a name of its own");
    }
    if (!all_.fallback.empty())
      need_outbound(file_.contains("default") ? file_.get("default")->source().begin.line : 0,
                    "default", all_.fallback);
  }

 private:
  void complain(std::size_t line, std::string text) { wrong_.push_back({line, std::move(text)}); }
  /// Of the table of that number in a list of them.
  std::size_t line_of(std::string_view list, std::size_t index) const {
    const toml::array* const tables = file_[list].as_array();
    if (tables == nullptr || index >= tables->size()) return 0;
    return tables->get(index)->source().begin.line;
  }
  static bool holds(const std::vector<std::string>& names, const std::string& name) {
    return std::ranges::find(names, name) != names.end();
  }
  std::string outbound_names() const {
    std::string made;
    for (const std::string& each : outbounds_) made += (made.empty() ? "" : ", ") + each;
    return made;
  }
  void need_outbound(std::size_t line, const std::string& who, const std::string& name) {
    if (!holds(outbounds_, name))
      complain(line, who + " names the outbound '" + name +
                         "', which there is not; there are: " + outbound_names());
  }

  /// They must be there before they are used, so nothing goes through itself.
  void check_outbounds() {
    for (const outbound_settings& each : all_.outbounds) {
      std::vector<std::string> uses;
      if (const auto* upstream = std::get_if<upstream_settings>(&each.how)) uses = {upstream->via};
      if (const auto* group = std::get_if<group_settings>(&each.how)) uses = group->members;
      for (const std::string& name : uses)
        if (!name.empty() && !holds(outbounds_, name))
          complain(each.line, "outbound '" + each.name + "' goes through '" + name +
                                  "', which is not above it");
      if (holds(outbounds_, each.name))
        complain(each.line, "there are two outbounds '" + each.name + "'");
      outbounds_.push_back(each.name);
    }
  }

  void check_inbounds() {
    for (std::size_t i = 0; i < all_.inbounds.size(); ++i) {
      const inbound_settings& each = all_.inbounds[i];
      if (holds(inbounds_, each.name))
        complain(line_of("inbound", i),
                 "there are two inbounds '" + each.name + "': give each a name of its own");
      inbounds_.push_back(each.name);
      const toml::array* const users = file_["inbound"][i]["user"].as_array();
      for (std::size_t j = 0; users != nullptr && j < users->size(); ++j)
        users_.push_back(file_["inbound"][i]["user"][j]["name"].value_or(std::string()));
    }
  }

  void check_rules() {
    for (std::size_t i = 0; i < all_.rules.size(); ++i) {
      const core::rule& rule = all_.rules[i];
      const std::string who = "rule '" + rule.name + "'";
      const std::size_t line = line_of("rule", i);
      if (!rule.outbound.empty()) need_outbound(line, who, rule.outbound);
      for (const std::string& each : rule.inbounds)
        if (!holds(inbounds_, each))
          complain(line, who + " names the inbound '" + each + "', which there is not");
      for (const std::string& each : rule.users)
        if (!holds(users_, each))
          complain(line, who + " names the user '" + each + "', whom no [[inbound.user]] has");
    }
  }

  const configuration& all_;
  const toml::table& file_;
  problems& wrong_;
  std::vector<std::string> outbounds_, inbounds_, users_;
};

/// Those of one line as they were found.
problems by_line(problems all) {
  std::multimap<std::size_t, configuration_problem> sorted;
  for (configuration_problem& each : all) sorted.emplace(each.line, std::move(each));
  problems made;
  for (auto& [line, each] : sorted) made.push_back(std::move(each));
  return made;
}

configuration_result read_tables(const toml::table& file) {
  configuration_result made;
  configuration& all = made.value;
  {
    toml_reader from(file, "the file", made.problems);
    for (const toml::table* each : from.tables("inbound"))
      all.inbounds.push_back(inbound_of(*each, made.problems));
    for (const toml::table* each : from.tables("outbound"))
      all.outbounds.push_back(outbound_of(*each, made.problems));
    for (const toml::table* each : from.tables("rule"))
      all.rules.push_back(rule_of(*each, made.problems));
    for (const toml::table* each : from.tables("tunnel_server"))
      all.tunnel_servers.push_back(tunnel_server_of(*each, made.problems));
    read_doh(from, all.dns);
    all.fallback = from.text("default", "direct");
    if (all.fallback == "reject") all.fallback.clear();
    for (const std::string& each : from.texts("dns_servers"))
      all.dns.servers.push_back(address_of(from, "dns_servers", each));
    if (const std::string admin = from.text("admin"); !admin.empty()) {
      all.admin = address_of(from, "admin", admin);
      if (!all.admin->is_loopback())
        from.complain_about(
            "admin",
            "admin: only an address of this host alone will do, such as \"127.0.0.1:9090\"");
    }
    all.access_log = access_log_of(from, made.problems);
    all.pac = from.text("pac");
    all.drain = std::chrono::seconds(from.number("drain", 30, 86'400));
  }
  if (all.inbounds.empty() && all.tunnel_servers.empty()) {
    inbound_settings one;
    one.name = "default";
    one.listen = transport::address::loopback_v4(1080);
    all.inbounds.push_back(one);
  }
  const bool has_direct =
      std::ranges::find(all.outbounds, "direct", &outbound_settings::name) != all.outbounds.end();
  if (!has_direct)
    all.outbounds.insert(all.outbounds.begin(), {.name = "direct", .how = direct_settings()});
  name_check(all, file, made.problems).run();
  made.problems = by_line(std::move(made.problems));
  return made;
}

}  // namespace

configuration_result parse_configuration(std::string_view text) {
  try {
    return read_tables(toml::parse(text));
  } catch (const toml::parse_error& error) {
    configuration_result made;
    made.problems.push_back(
        {.line = error.source().begin.line, .text = std::string(error.description())});
    return made;
  }
}

configuration_result read_configuration(const std::string& path) {
  // A folder opens like a file, and reads like an empty one.
  std::error_code error;
  const bool is_folder = std::filesystem::is_directory(path, error);
  std::ifstream file(path);
  const int why = errno;
  if (file && !is_folder) {
    std::ostringstream text;
    text << file.rdbuf();
    if (!file.bad()) return parse_configuration(text.str());
  }
  configuration_result made;
  made.problems.push_back({.text = "the file cannot be read: " +
                                   std::generic_category().message(is_folder ? EISDIR : why)});
  return made;
}
