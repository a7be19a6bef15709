// SPDX-License-Identifier: Apache-2.0
#include "testkit/scripted_stream.hpp"

#include <algorithm>
#include <asio/append.hpp>
#include <asio/post.hpp>
#include <vector>

namespace strata::testkit {

using transport::completion;
using transport::io_signature;
using transport::status_signature;

namespace {

template <class Buffer>
std::vector<Buffer> first_bytes(std::span<const Buffer> buffers, std::size_t limit) {
  std::vector<Buffer> out;
  for (const Buffer& next : buffers) {
    if (limit == 0) break;
    out.push_back(asio::buffer(next, limit));
    limit -= out.back().size();
  }
  return out;
}

}  // namespace

scripted_stream::scripted_stream(std::unique_ptr<stream> inner, const stream_script& script)
    : inner_(std::move(inner)), script_(script) {}

void scripted_stream::do_read_some(std::span<const asio::mutable_buffer> buffers,
                                   completion<io_signature> waiting) {
  if (fails_now()) {
    return asio::post(do_executor(),
                      asio::append(std::move(waiting.handler), script_.failure, std::size_t{0}));
  }
  if (!buffers.empty()) {
    inner_->async_read_some(first_bytes(buffers, script_.max_read), std::move(waiting.handler));
    return;
  }
  inner_->async_wait_readable(asio::append(std::move(waiting.handler), std::size_t{0}));
}

void scripted_stream::do_write_some(std::span<const asio::const_buffer> buffers,
                                    completion<io_signature> waiting) {
  if (fails_now()) {
    return asio::post(do_executor(),
                      asio::append(std::move(waiting.handler), script_.failure, std::size_t{0}));
  }
  inner_->async_write_some(first_bytes(buffers, script_.max_write), std::move(waiting.handler));
}

void scripted_stream::do_finish(completion<status_signature> waiting) {
  if (fails_now())
    return asio::post(do_executor(), asio::append(std::move(waiting.handler), script_.failure));
  inner_->async_finish(std::move(waiting.handler));
}

void scripted_stream::do_wait_closed(completion<status_signature> waiting) {
  inner_->async_wait_closed(std::move(waiting.handler));
}

}  // namespace strata::testkit
