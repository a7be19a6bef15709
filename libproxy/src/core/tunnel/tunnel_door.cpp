// SPDX-License-Identifier: Apache-2.0
#include "core/tunnel/tunnel_door.hpp"

#include <array>

#include "strata/transport/core/digest.hpp"

namespace strata::proxy {
inline namespace v0 {
namespace core {
namespace {

constexpr std::string_view welcome_page =
    "<!DOCTYPE html>\n<html>\n<head>\n<title>Welcome to nginx!</title>\n</head>\n<body>\n"
    "<h1>Welcome to nginx!</h1>\n<p>This web server runs, and has not been given a site yet.</p>\n"
    "</body>\n</html>\n";
constexpr std::string_view bad_request_page =
    "<html>\n<head><title>400 Bad Request</title></head>\n<body>\n"
    "<center><h1>400 Bad Request</h1></center>\n<hr><center>nginx</center>\n</body>\n</html>\n";

unsigned is_secret(std::string_view text, std::string_view uuid) {
  return transport::equal_in_constant_time(transport::as_bytes(text), transport::as_bytes(uuid));
}

struct shown {
  unsigned known = 0;
  std::string_view subprotocol{};  ///< That was the secret.
};

/// All that a request could show is compared, whatever was found before.
shown look_for_secret(const transport::websocket_server_opening& opening, std::string_view uuid) {
  shown out;
  for (const std::string_view each : opening.subprotocols()) {
    const unsigned same = is_secret(each, uuid);
    if (same != 0) out.subprotocol = each;
    out.known |= same;
  }
  const std::string_view path = opening.request()->request_line().target;
  for (std::size_t i = 0; i + uuid.size() <= path.size(); ++i)
    out.known |= is_secret(path.substr(i, uuid.size()), uuid);
  return out;
}

void show(transport::websocket_server_opening& opening, std::uint16_t status, std::string_view type,
          std::string_view page) {
  const std::array<transport::http1_field, 2> fields{
      {{.name = "Server", .value = "nginx"}, {.name = "Content-Type", .value = type}}};
  (void)opening.refuse({.status = status,
                        .reason = status == 200 ? "OK" : "Bad Request",
                        .fields = fields,
                        .content = transport::as_bytes(page)});
}

}  // namespace

tunnel_visitor answer_at_door(transport::websocket_server_opening& opening, std::string_view uuid) {
  const transport::http1_head* const request = opening.request();
  if (request == nullptr) {
    show(opening, 400, "text/html", bad_request_page);
    return tunnel_visitor::malformed;
  }
  const shown secret = look_for_secret(opening, uuid);
  if (secret.known != 0 && opening.problem() == nullptr && opening.accept(secret.subprotocol))
    return tunnel_visitor::client;
  const std::string_view path = request->target().path;
  if (path == "/health" || path == "/healthz") {
    show(opening, 200, "text/plain", "OK");
    return tunnel_visitor::health;
  }
  show(opening, 200, "text/html", welcome_page);
  return tunnel_visitor::stranger;
}

}  // namespace core
}  // namespace v0
}  // namespace strata::proxy
