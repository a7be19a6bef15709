// SPDX-License-Identifier: Apache-2.0
#include "traffic.hpp"

namespace {

traffic::way way_of(const strata::proxy::session_report& of) {
  return {of.rule.empty() ? "default" : of.rule, of.outbound};
}

void add_moved(way_figures& to, const strata::transport::relay_counters& moved) {
  to.moved.forth += moved.forth;
  to.moved.back += moved.back;
}

}  // namespace

void connect_times::add(strata::transport::duration took) {
  for (std::size_t i = bounds.size(); i-- > 0 && took <= bounds[i].upper;) ++within_[i];
  ++count_;
  sum_ += took;
}

void traffic::add_ended(const strata::proxy::session_report& of) {
  way_figures& figures = ways[way_of(of)];
  ++figures.requests;
  if (of.error) ++figures.failures;
  add_moved(figures, of.moved);
  if (of.connecting) connecting[of.outbound].add(*of.connecting);
}

void traffic::add_current(const strata::proxy::session_report& of) {
  // No rule has decided yet: a name is being looked up.
  if (of.rule.empty() && of.outbound.empty()) return;
  way_figures& figures = ways[way_of(of)];
  ++figures.sessions;
  add_moved(figures, of.moved);
  if (of.connecting) connecting[of.outbound].add(*of.connecting);
}
