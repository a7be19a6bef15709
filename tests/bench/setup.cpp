// SPDX-License-Identifier: Apache-2.0
#include "bench/setup.hpp"

#include <stdexcept>

namespace strata::bench {

namespace {

constexpr const char* cipher = "TLS_AES_128_GCM_SHA256";

transport::tls_context checked(transport::tls_result<transport::tls_context> made) {
  if (!made) throw std::runtime_error(made.error().text);
  return std::move(*made);
}

quic::endpoint_options shared_options(const arguments& chosen) {
  quic::endpoint_options options;
  options.bind = transport::address::loopback_v4(0);
  options.config.connection = connection_config_of(chosen);
  options.socket_buffer = chosen.socket_buffer;
  return options;
}

}  // namespace

quic::core::connection_config connection_config_of(const arguments& chosen) {
  quic::core::connection_config config;
  config.max_datagram_size = chosen.datagram;
  config.initial_max_stream_data = config.max_stream_window = chosen.window;
  config.initial_max_data = config.max_window = chosen.window / 2 * 3;
  config.max_idle_timeout = std::chrono::minutes(1);
  config.congestion = quic::core::congestion_algorithm::cubic;
  config.max_streams_bidi = 1000;
  config.write_watermark = chosen.watermark;
  return config;
}

quic::endpoint_options server_options_of(const arguments& chosen, const std::string& alpn) {
  transport::tls_server_options tls;
  tls.alpn = {alpn};
  tls.cipher_suites = {cipher};
  tls.groups = {chosen.group};
  tls.session_tickets = 0;
  transport::tls_credential credential;
  credential.certificate_chain = transport::pem_source::from_file(chosen.cert);
  credential.private_key = transport::pem_source::from_file(chosen.key);
  tls.credentials.push_back(std::move(credential));
  quic::endpoint_options options = shared_options(chosen);
  options.server_tls = checked(transport::make_tls_server_context(tls));
  return options;
}

quic::endpoint_options client_options_of(const arguments& chosen, const std::string& alpn) {
  transport::tls_client_options tls;
  tls.alpn = {alpn};
  tls.cipher_suites = {cipher};
  tls.groups = {chosen.group};
  tls.insecure_skip_verification = true;
  quic::endpoint_options options = shared_options(chosen);
  options.client_tls = checked(transport::make_tls_client_context(tls));
  return options;
}

}  // namespace strata::bench
