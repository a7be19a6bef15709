// SPDX-License-Identifier: Apache-2.0
// beside_libcurl URL CERTIFICATE: HTTP/3 by ours, HTTPS by the system's libcurl, and HTTP/3 again.
#include <curl/curl.h>
#include <openssl/crypto.h>

#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <iostream>
#include <strata/h3/client.hpp>
#include <strata/h3/server.hpp>

namespace h3 = strata::h3;
namespace transport = strata::transport;

asio::awaitable<void> answer(h3::exchange& exchange) {
  h3::field_section fields;
  exchange.respond(200, fields, "hello");
  co_return;
}

asio::awaitable<unsigned> ask(asio::any_io_executor executor, h3::client_options options) {
  h3::client client = co_await h3::client::async_connect(executor, options);
  h3::request_options request;
  h3::response response = co_await client.async_request(request);
  co_return response.status();
}

unsigned ask_over_http3() {
  asio::io_context context;
  const std::string names[] = {"localhost"};
  const auto certificate = transport::make_self_signed_certificate(names).value();
  h3::server_options serving;
  serving.endpoint.bind = transport::address::loopback_v4(0);
  transport::tls_server_options server_tls{.credentials = {certificate.credential()},
                                           .alpn = {"h3"}};
  serving.endpoint.server_tls = transport::make_tls_server_context(server_tls).value();
  auto server = h3::server::open(context.get_executor(), serving, answer).value();
  h3::client_options options;
  options.server = transport::target(server.local_address());
  options.server_name = "localhost";
  transport::tls_client_options client_tls{.alpn = {"h3"},
                                           .pinned_certificates = {certificate.sha256}};
  options.tls = transport::make_tls_client_context(client_tls).value();
  unsigned status = 0;
  asio::co_spawn(context, ask(context.get_executor(), options),
                 [&](std::exception_ptr failed, unsigned received) {
                   server.stop();
                   if (failed) std::rethrow_exception(failed);
                   status = received;
                 });
  context.run();
  return status;
}

std::size_t ignore(char*, std::size_t size, std::size_t count, void*) { return size * count; }

long ask_over_https(const char* url, const char* certificate) {
  CURL* easy = curl_easy_init();
  curl_easy_setopt(easy, CURLOPT_URL, url);
  curl_easy_setopt(easy, CURLOPT_CAINFO, certificate);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, ignore);
  const CURLcode code = curl_easy_perform(easy);
  long status = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  if (code != CURLE_OK) std::cerr << "libcurl: " << curl_easy_strerror(code) << "\n";
  curl_easy_cleanup(easy);
  return status;
}

int main(int count, char** values) {
  if (count != 3) return 2;
  curl_global_init(CURL_GLOBAL_DEFAULT);
  std::cout << "strata's OpenSSL: " << OpenSSL_version(OPENSSL_VERSION) << "\n"
            << "libcurl's OpenSSL: " << curl_version_info(CURLVERSION_NOW)->ssl_version << "\n";
  const unsigned before = ask_over_http3();
  const long https = ask_over_https(values[1], values[2]);
  const unsigned after = ask_over_http3();
  std::cout << "HTTP/3 before: " << before << ", HTTPS: " << https << ", HTTP/3 after: " << after
            << "\n";
}
