// SPDX-License-Identifier: Apache-2.0
#include "strata/h3/static_files.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <fstream>

#include "strata/transport/core/error.hpp"
#include "world.hpp"

using namespace strata;
using namespace strata::tests;
using asio::use_awaitable;
using transport::errc;
namespace fs = std::filesystem;

namespace {

/// A folder "root" to be served, beside a secret.
struct folder {
  fs::path base = fs::temp_directory_path() / ("strata-static-" + std::to_string(::getpid()));
  fs::path root = base / "root";
  folder() {
    fs::create_directories(root / "inner");
    write(base / "secret.txt", "secret");
    write(root / "small.txt", "0123456789");
    write(root / "empty.txt", "");
    write(root / "index.html", "<p>hello");
    write(root / "with space.txt", "space");
    write(root / "inner" / "deep.txt", "deep");
    write(root / "large.bin", pattern(1'000'000));
    fs::create_symlink("../secret.txt", root / "out.txt");
    fs::create_symlink(base / "secret.txt", root / "absolute.txt");
    fs::create_directory_symlink("..", root / "up");
    fs::create_symlink("small.txt", root / "alias.txt");
    ::mkfifo((root / "pipe").c_str(), 0600);
  }
  ~folder() { fs::remove_all(base); }
  static void write(const fs::path& to, const std::string& text) {
    std::ofstream(to, std::ios::binary) << text;
  }
};

struct answer {
  unsigned status = 0;
  std::string body;
  h3::field_section fields;
  std::string field(std::string_view name) const {
    return std::string(fields.find(name).value_or("(none)"));
  }
};

using field_list = std::vector<std::pair<std::string, std::string>>;

asio::awaitable<answer> ask(h3::client& client, std::string path, field_list fields = {},
                            std::string method = "GET") {
  auto request = get(std::move(path), std::move(method));
  for (const auto& [name, value] : fields) request.fields.add(name, value);
  h3::response response = co_await client.async_request(std::move(request), use_awaitable);
  answer out;
  out.status = response.status();
  out.fields = response.fields();
  out.body = co_await read_all(response);
  co_return out;
}

struct site : world {
  folder files;
  site() { serve(h3::static_files::open(files.root.string()).value()); }
};

}  // namespace

TEST_CASE("static_files: files are served with type, length and tag", "[h3][static]") {
  site w;
  w.run([&]() -> asio::awaitable<void> {
    h3::client client = co_await w.connect();
    const answer small = co_await ask(client, "/small.txt?query=1");
    CHECK(small.status == 200);
    CHECK(small.body == "0123456789");
    CHECK(small.field("content-type") == "text/plain; charset=utf-8");
    CHECK(small.field("content-length") == "10");
    CHECK(small.field("accept-ranges") == "bytes");
    const answer large = co_await ask(client, "/large.bin");
    CHECK(large.body == pattern(1'000'000));
    CHECK(large.field("content-type") == "application/octet-stream");
    const answer empty = co_await ask(client, "/empty.txt");
    CHECK(empty.status == 200);
    CHECK(empty.body == "");
    const answer at_ = co_await ask(client, "/");
    CHECK(at_.body == "<p>hello");
    const answer at_inner_deep_txt = co_await ask(client, "/inner/deep.txt");
    CHECK(at_inner_deep_txt.body == "deep");
    const answer at_with_20space_txt = co_await ask(client, "/with%20space.txt");
    CHECK(at_with_20space_txt.body == "space");
    const answer at_alias_txt = co_await ask(client, "/alias.txt");
    CHECK(at_alias_txt.body == "0123456789");
    field_list none;
    std::string head_method = "HEAD";
    const answer head = co_await ask(client, "/large.bin", none, head_method);
    CHECK(head.status == 200);
    CHECK(head.field("content-length") == "1000000");
    CHECK(head.body == "");
    std::string post = "POST";
    const answer refused = co_await ask(client, "/small.txt", none, post);
    CHECK(refused.status == 405);
    CHECK(refused.field("allow") == "GET, HEAD");
  });
}

TEST_CASE("static_files: nothing outside of the directory is reached", "[h3][static]") {
  site w;
  w.run([&]() -> asio::awaitable<void> {
    h3::client client = co_await w.connect();
    for (const char* path :
         {"/../secret.txt", "/inner/../../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt",
          "/inner%2fdeep.txt", "/small.txt%00", "/%", "/%zz", "/inner/../small.txt", "/.."}) {
      INFO(path);
      const answer refused = co_await ask(client, path);
      CHECK(refused.status == 400);
    }
    for (const char* path : {"/out.txt", "/absolute.txt", "/up/secret.txt", "/missing", "/inner",
                             "/inner/", "/pipe", "/proc/self/environ", "//etc/passwd"}) {
      INFO(path);
      const answer refused = co_await ask(client, path);
      CHECK(refused.status == 404);
    }
  });
}

TEST_CASE("static_files: what has not changed is not sent again", "[h3][static]") {
  site w;
  w.run([&]() -> asio::awaitable<void> {
    h3::client client = co_await w.connect();
    const answer first = co_await ask(client, "/small.txt");
    const std::string tag = first.field("etag"), date = first.field("last-modified");
    const std::string old = "Sun, 06 Nov 1994 08:49:37 GMT";
    struct row {
      field_list fields;
      unsigned status;
    };
    const std::vector<row> rows{
        {{{"if-none-match", tag}}, 304},
        {{{"if-none-match", "\"x\", W/" + tag}}, 304},
        {{{"if-none-match", "*"}}, 304},
        {{{"if-none-match", "\"x\""}}, 200},
        {{{"if-none-match", "\"x\""}, {"if-modified-since", date}}, 200},
        {{{"if-modified-since", date}}, 304},
        {{{"if-modified-since", old}}, 200},
        {{{"if-modified-since", "nonsense"}}, 200},
        {{{"if-match", "\"x\""}}, 412},
        {{{"if-match", tag}}, 200},
        {{{"if-unmodified-since", old}}, 412},
    };
    for (const row& each : rows) {
      INFO(each.fields[0].first << ": " << each.fields[0].second);
      const answer got = co_await ask(client, "/small.txt", each.fields);
      CHECK(got.status == each.status);
      CHECK(got.body == (each.status == 200 ? "0123456789" : ""));
    }
  });
}

TEST_CASE("static_files: single ranges", "[h3][static]") {
  site w;
  w.run([&]() -> asio::awaitable<void> {
    h3::client client = co_await w.connect();
    struct row {
      const char* range;
      unsigned status;
      const char* body;
      const char* content_range;
    };
    const row rows[] = {
        {"bytes=0-3", 206, "0123", "bytes 0-3/10"},
        {"bytes=4-", 206, "456789", "bytes 4-9/10"},
        {"bytes=-3", 206, "789", "bytes 7-9/10"},
        {"bytes=8-100", 206, "89", "bytes 8-9/10"},
        {"bytes=-100", 206, "0123456789", "bytes 0-9/10"},
        {"bytes=9-9", 206, "9", "bytes 9-9/10"},
        {"bytes=10-", 416, nullptr, "bytes */10"},
        {"bytes=-0", 416, nullptr, "bytes */10"},
        {"bytes=3-2", 200, "0123456789", "(none)"},
        {"bytes=0-1,3-4", 200, "0123456789", "(none)"},
        {"lines=0-1", 200, "0123456789", "(none)"},
        {"bytes=x-", 200, "0123456789", "(none)"},
        {"bytes=18446744073709551616-", 200, "0123456789", "(none)"},
    };
    for (const row& each : rows) {
      INFO(each.range);
      field_list fields;
      fields.emplace_back("range", each.range);
      const answer got = co_await ask(client, "/small.txt", fields);
      CHECK(got.status == each.status);
      CHECK(got.field("content-range") == each.content_range);
      if (each.body != nullptr) CHECK(got.body == each.body);
    }
    field_list changed;
    changed.emplace_back("range", "bytes=0-3");
    changed.emplace_back("if-range", "\"other\"");
    const answer whole = co_await ask(client, "/small.txt", changed);
    CHECK(whole.status == 200);
    field_list part;
    part.emplace_back("range", "bytes=500000-");
    const answer half = co_await ask(client, "/large.bin", part);
    CHECK(half.body == pattern(1'000'000).substr(500'000));
  });
}
