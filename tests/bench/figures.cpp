// SPDX-License-Identifier: Apache-2.0
#include "bench/figures.hpp"

#include <sys/resource.h>

#include <cstdio>
#include <fstream>

#include "bench/allocation_count.hpp"

namespace strata::bench {

namespace {

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

/// A line of /proc/self/status, in KiB.
std::uint64_t status_kib(const std::string& name) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(name)) return std::stoull(line.substr(name.size()));
  }
  return 0;
}

std::uint64_t packets(const quic::core::connection_statistics& counted) {
  return counted.packets_sent + counted.packets_received;
}

}  // namespace

void totals::ended(const quic::core::connection_statistics& counted) {
  packets_sent += counted.packets_sent;
  packets_lost += counted.packets_lost;
  packets_received += counted.packets_received;
  batches_sent += counted.batches_sent;
  ++closed;
}

void steady_part::passed(std::uint64_t done,
                         const quic::core::connection_statistics& counted) noexcept {
  if (begun_ || done < begins_) return;
  begun_ = true;
  packets_ = packets(counted);
  allocations_ = allocations();
}

void steady_part::ended(const quic::core::connection_statistics& counted,
                        totals& out) const noexcept {
  if (!begun_) return;
  out.steady_packets += packets(counted) - packets_;
  out.steady_allocations += allocations() - allocations_;
}

figures& figures::add(const char* name, double value) {
  char written[96];
  std::snprintf(written, sizeof written, "\"%s\":%.6f,", name, value);
  text_ += written;
  return *this;
}

figures& figures::add(const char* name, std::uint64_t value) {
  text_ += "\"" + std::string(name) + "\":" + std::to_string(value) + ",";
  return *this;
}

void figures::print(const totals& sum) {
  const std::uint64_t allocated = allocations();
  const std::uint64_t heap = heap_bytes();
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  add("cpu_user", seconds(usage.ru_utime)).add("cpu_system", seconds(usage.ru_stime));
  add("peak_kib", status_kib("VmHWM:")).add("resident_kib", status_kib("VmRSS:"));
  add("allocations", allocated).add("heap_bytes", heap);
  add("packets_sent", sum.packets_sent).add("packets_lost", sum.packets_lost);
  add("packets_received", sum.packets_received).add("batches_sent", sum.batches_sent);
  add("connections", sum.connections).add("closed", sum.closed);
  add("steady_packets", sum.steady_packets).add("steady_allocations", sum.steady_allocations);
  text_.pop_back();
  std::printf("{%s}\n", text_.c_str());
  std::fflush(stdout);
  text_.clear();
}

}  // namespace strata::bench
