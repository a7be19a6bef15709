// SPDX-License-Identifier: Apache-2.0
#include "configuration.hpp"

#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "proxy/daemon/own_folder.hpp"

namespace {

/// "LINE: text" of each problem.
std::string told(const configuration_result& of) {
  std::string made;
  for (const configuration_problem& each : of.problems)
    made += (made.empty() ? "" : "\n") + std::to_string(each.line) + ": " + each.text;
  return made;
}

struct wrong {
  const char* file;
  const char* told;
};

// As a newcomer gets them wrong. Each message says where, what, and what to write.
const std::vector<wrong> all_wrong{
    {"drain = \"30\"", "1: drain must be a number from 0 to 86400"},
    {"\ndrian = 30",
     "2: the file has no key 'drian'; it has: access_log, admin, default, dns_servers, doh, "
     "doh_address, doh_ca, drain, inbound, outbound, pac, rule, tunnel_server"},
    {"[inbound]\nlisten = \"127.0.0.1:1\"", "1: write [[inbound]] for each of them"},
    {"[[inbound]]\nlisten = \"localhost\"",
     "2: listen: 'localhost' is no address; write it as \"127.0.0.1:1080\" or \"[::1]:1080\""},
    {"[[inbound]]\n\nlisten = \"0.0.0.0:1080\"",
     "3: listen: other hosts reach 0.0.0.0:1080, so anybody could use this proxy; add "
     "[[inbound.user]], or open_to_strangers = true if that is wanted"},
    {"[[inbound]]\nprotocols = [\"socks\"]",
     "2: protocols: 'socks' is none of \"socks4\", \"socks5\", \"http\""},
    {"[[inbound]]\nuser = \"ann\"", "2: write [[inbound.user]] for each of them"},
    {"[[inbound]]\nudp = 1", "2: udp must be true or false"},
    {"[[inbound]]\n[[inbound.user]]\nname = \"a:b\"\npassword = \"x\"",
     "3: a user needs a name without colon and a password, 1 to 255 bytes each, and no name twice"},
    {"[[inbound]]\nlisten = \"127.0.0.1:1\"\n[[inbound]]\nlisten = \"127.0.0.1:2\"",
     "3: there are two inbounds 'default': give each a name of its own"},
    {"[[outbound]]\ntype = \"direct\"", "1: an outbound needs a name"},
    {"[[outbound]]\nname = \"a\"\ntype = \"socks5\"\nserver = \"p:1\"",
     "3: type: 'socks5' is none of direct, socks, http, anytls, tunnel, group"},
    {"[[outbound]]\nname = \"a\"\ntype = \"http\"\nserver = \"proxy\"",
     "4: server: 'proxy' is no host with a port; write it as \"proxy.example:1080\""},
    {"[[outbound]]\nname = \"a\"\ntype = \"http\"\nserver = \"p:1\"\nuser = \"ann\"",
     "5: user and password: both, or neither"},
    {"[[outbound]]\nname = \"a\"\ntype = \"anytls\"\nserver = \"p:1\"",
     "1: an anytls server needs a password"},
    {"[[outbound]]\nname = \"a\"\ntype = \"tunnel\"\nserver = \"p:1\"",
     "1: a tunnel server needs its uuid"},
    {"[[outbound]]\nname = \"a\"\ntype = \"tunnel\"\nserver = \"p:1\"\nuuid = \"u\"\nsimple = "
     "true\n"
     "max_streams = 1\nmax_sessions = 4097",
     "7: max_streams: with simple = true each connection has a WebSocket of its own; leave one of "
     "them out\n"
     "8: max_sessions must be a number from 0 to 4096\n"
     "8: max_sessions: with simple = true each connection has a WebSocket of its own; leave one of "
     "them out"},
    {"[[outbound]]\nname = \"a\"\ntype = \"direct\"\nallow = [\"10.0.0.1/8\"]",
     "4: allow: '10.0.0.1/8' is no network; write it as \"10.0.0.0/8\", no bits set behind its "
     "length"},
    {"[[outbound]]\nname = \"a\"\ntype = \"group\"\nmembers = [\"b\"]\npolicy = \"random\"",
     "1: outbound 'a' goes through 'b', which is not above it\n"
     "5: policy: 'random' is none of first_alive, round_robin, least_latency"},
    {"[[outbound]]\nname = \"a\"\ntype = \"http\"\nserver = \"p:1\"\n[outbound.tls]\npin = \"abc\"",
     "6: pin: write the certificate's SHA-256 as 64 hexadecimal digits"},
    {"[[outbound]]\nname = \"a\"\ntype = \"direct\"\n[[outbound]]\nname = \"a\"\ntype = \"direct\"",
     "4: there are two outbounds 'a'"},
    {"[[rule]]\nname = \"r\"\noutbound = \"office\"",
     "1: rule 'r' names the outbound 'office', which there is not; there are: direct"},
    {"[[rule]]\nsuffixes = [\"example\"]", "1: a rule needs either an outbound or reject = true"},
    {"[[rule]]\nports = [\"80-\"]\nreject = true",
     "2: ports: '80-' is no port; write \"443\" or \"1000-2000\""},
    {"[[rule]]\nports = [25]\nreject = true", "2: ports must be a list of texts in quotes"},
    {"[[rule]]\nname = \"r\"\ninbounds = [\"lan\"]\nreject = true",
     "1: rule 'r' names the inbound 'lan', which there is not"},
    {"[[rule]]\nname = \"r\"\nusers = [\"ann\"]\nreject = true",
     "1: rule 'r' names the user 'ann', whom no [[inbound.user]] has"},
    {"\ndefault = \"proxy\"",
     "2: default names the outbound 'proxy', which there is not; there are: direct"},
    {"admin = \"0.0.0.0:9090\"",
     "1: admin: only an address of this host alone will do, such as \"127.0.0.1:9090\""},
    {"doh = \"https://dns.example/dns-query\"",
     "1: doh needs doh_address, such as \"192.0.2.1:443\": looking the resolver's own name up "
     "would tell others about it"},
    {"[[tunnel_server]]\nuuid = \"x\"\ncertificate = \"a\"",
     "1: certificate and key are files of PEM, both or neither"},
    {"\n[[tunnel_server]]\nuuid = \"x\"\noutbound = \"o\"",
     "2: tunnel_server 'tunnel' names the outbound 'o', which there is not; there are: direct"},
    {"access_log = 5", "1: access_log must be text in quotes"},
    {"[access_log]\nrotate_bytes = 1000",
     "1: access_log needs a file, such as \"/var/log/strata-proxy/access\""},
    {"access_log = {file = \"-\", rotate_bytes = 1000}",
     "1: rotate_bytes: standard output cannot be rotated; write a file's name instead of \"-\""},
    {"\n[access_log]\nfile = \"a\"\nkeep = 3",
     "4: keep: older files come of rotate_bytes, which is not there; add rotate_bytes = 10000000, "
     "say"},
    {"[access_log]\nfile = \"a\"\nrotate_bytes = 1\nkeep = 0",
     "4: keep must be a number from 1 to 1000"},
    {"[access_log]\nfile = \"a\"\nsize = 1\nrotate_bytes = -1",
     "3: access_log has no key 'size'; it has: file, keep, rotate_bytes\n"
     "4: rotate_bytes must be a number from 0 to 1000000000000"},
};

}  // namespace

TEST_CASE("configuration: what is wrong is told with its line and what to write instead") {
  for (const wrong& each : all_wrong) {
    INFO(each.file);
    CHECK(told(parse_configuration(each.file)) == each.told);
  }
}

TEST_CASE("configuration: what is no TOML is told with its line, in the parser's words") {
  for (const char* each :
       {"\n[[inbound]\n", "\ndrain = 030", "\ndrain = ", "\npac = \"a", "\na\n"}) {
    INFO(each);
    const configuration_result read = parse_configuration(each);
    REQUIRE(read.problems.size() == 1);
    CHECK(read.problems[0].line == 2);
    CHECK(read.problems[0].text.size() > 20);
  }
}

TEST_CASE("configuration: nothing said is a proxy for this host alone") {
  const configuration_result read = parse_configuration("");
  CHECK(told(read).empty());
  REQUIRE(read.value.inbounds.size() == 1);
  CHECK(read.value.inbounds[0].listen.string() == "127.0.0.1:1080");
  REQUIRE(read.value.outbounds.size() == 1);
  CHECK(read.value.outbounds[0].name == "direct");
  CHECK(read.value.access_log.file.empty());
  CHECK_FALSE(read.value.admin);
}

TEST_CASE("configuration: an access log is a name, or a table with when to begin another") {
  const auto log_of = [](const char* text) {
    const configuration_result read = parse_configuration(text);
    CHECK(told(read).empty());
    return read.value.access_log;
  };
  CHECK(log_of("access_log = \"-\"").file == "-");
  CHECK(log_of("access_log = \"a\"").rotate_bytes == 0);
  const auto all = log_of("access_log = {file = \"a\", rotate_bytes = 1_000_000, keep = 9}");
  CHECK(all.file == "a");
  CHECK(all.rotate_bytes == 1'000'000);
  CHECK(all.keep == 9);
  CHECK(log_of("[access_log]\nfile = \"a\"\nrotate_bytes = 10").keep == 5);
}

TEST_CASE("configuration: the example is right") {
  CHECK(told(read_configuration(STRATA_PROXY_EXAMPLE)).empty());
}

TEST_CASE("configuration: a file that cannot be read is no empty one") {
  const own_folder folder;
  CHECK(told(read_configuration(folder / "none")) ==
        "0: the file cannot be read: No such file or directory");
  CHECK(told(read_configuration(folder / "")) == "0: the file cannot be read: Is a directory");
  std::ofstream(folder / "empty") << "";
  CHECK(told(read_configuration(folder / "empty")).empty());
}
