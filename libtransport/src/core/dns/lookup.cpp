// SPDX-License-Identifier: Apache-2.0
#include "core/dns/lookup.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "strata/transport/core/error.hpp"
#include "strata/transport/core/limits.hpp"

namespace strata::transport {
inline namespace v0 {
namespace dns {
namespace {

using outcome = dns_answer::outcome_type;

bool is_under(const dns_name& name, const char* text) {
  return name.is_within(*dns_name::parse(text));
}

/// What parsers of URLs take for the end of an IPv4 address: "127.1", "0x7f000001".
bool ends_in_number(const dns_name& name) {
  const std::string text = name.string();
  std::string_view last = text;
  last.remove_prefix(last.rfind('.') + 1);
  const bool is_hex = last.starts_with("0x") || last.starts_with("0X");
  const std::string_view digits = is_hex ? "0123456789abcdefABCDEF" : "0123456789";
  return last.substr(is_hex ? 2 : 0).find_first_not_of(digits) == std::string_view::npos;
}

std::vector<address> hints_of(const https_record& record, const resolve_options& wanted) {
  std::vector<address> out;
  if (wanted.ipv6) out = record.ipv6_hints;
  if (wanted.ipv4) out.insert(out.end(), record.ipv4_hints.begin(), record.ipv4_hints.end());
  return out;
}

template <class List>
void shuffle(List& list, std::size_t from, std::size_t to, random_source& random) {
  for (std::size_t left = to - from; left > 1; --left)
    std::swap(list[from + left - 1], list[from + random.below(left)]);
}

/// RFC 9460 section 2.4.1: by priority, equals by chance.
void sort_by_priority(std::vector<https_record>& records, random_source& random) {
  std::ranges::sort(records, {}, &https_record::priority);
  for (std::size_t from = 0, to = 0; from < records.size(); from = to) {
    while (to < records.size() && records[to].priority == records[from].priority) ++to;
    shuffle(records, from, to, random);
  }
}

}  // namespace

result<std::unique_ptr<lookup>> lookup::make(std::string_view host, const resolve_options& wanted,
                                             const lookup_options& options, random_source& random) {
  const auto name = dns_name::parse(host);
  if (!name || name->is_root() || ends_in_number(*name))
    return std::unexpected(make_error_code(errc::invalid_argument));
  return std::unique_ptr<lookup>(new lookup(*name, wanted, options, random));
}

lookup::lookup(dns_name host, const resolve_options& wanted, const lookup_options& options,
               random_source& random)
    : host_(std::move(host)), wanted_(wanted), options_(options), random_(random) {
  targets_.push_back({host_});
}

std::vector<address> lookup::target::all() const {
  std::vector<address> out = ipv6;
  out.insert(out.end(), ipv4.begin(), ipv4.end());
  return out;
}

void lookup::start(time_point now) {
  if (answer_without_asking()) return;
  ask_addresses(0);
  if (wanted_.https) {
    dns_question question{host_, dns_type::https};
    if (wanted_.port != 443 && wanted_.port != 80) {
      const auto scheme = host_.below("_https");
      const auto prefixed = scheme ? scheme->below('_' + std::to_string(wanted_.port)) : scheme;
      // Too long a name has no records; the host's own are those of another port.
      if (!prefixed) return settle(now);
      question.name = *prefixed;
    }
    ask(purpose::https, question, 0);
  }
  settle(now);
}

/// Names that no name server has a say in: RFC 6761 section 6.3 and 6.4, RFC 7686 section 2.
bool lookup::answer_without_asking() {
  if (is_under(host_, "localhost")) {
    if (wanted_.ipv6) found_.addresses.push_back(address::loopback_v6(0));
    if (wanted_.ipv4) found_.addresses.push_back(address::loopback_v4(0));
    is_done_ = true;
  } else if (is_under(host_, "invalid") || is_under(host_, "onion")) {
    error_ = make_error_code(errc::name_not_found);
    is_done_ = true;
  }
  return is_done_;
}

void lookup::ask_addresses(std::size_t of) {
  if (wanted_.ipv6) ask(purpose::ipv6, {targets_[of].name, dns_type::aaaa}, of);
  if (wanted_.ipv4) ask(purpose::ipv4, {targets_[of].name, dns_type::a}, of);
}

void lookup::ask(purpose what, const dns_question& question, std::size_t of) {
  inquiries_.push_back(
      std::make_unique<running>(running{what, of, inquiry(question, options_.inquiries, random_)}));
}

bool lookup::poll_query(time_point now, query& out) {
  if (is_done_) return false;
  for (std::size_t which = 0; which < inquiries_.size(); ++which) {
    running& each = *inquiries_[which];
    inquiry::query next;
    if (each.is_settled || !each.asks.poll_query(now, next)) continue;
    out = {std::uint64_t{which} << 32 | next.attempt, next.route, next.message};
    return true;
  }
  return false;
}

void lookup::receive(time_point now, std::uint64_t id, bytes message, std::chrono::seconds age) {
  if (!is_open(id)) return;
  inquiries_[id >> 32]->asks.receive(now, static_cast<std::uint32_t>(id), message, age);
  settle(now);
}

void lookup::failed(time_point now, std::uint64_t id, std::error_code error) {
  if (!is_open(id)) return;
  inquiries_[id >> 32]->asks.failed(now, static_cast<std::uint32_t>(id), error);
  settle(now);
}

void lookup::handle_timeout(time_point now) {
  if (is_done_) return;
  for (const auto& each : inquiries_) {
    if (!each->is_settled) each->asks.handle_timeout(now);
  }
  settle(now);
}

std::optional<time_point> lookup::next_timeout() const {
  if (is_done_) return std::nullopt;
  std::optional<time_point> out;
  const auto sooner = [&out](const std::optional<time_point>& when) {
    if (when && (!out || *when < *out)) out = when;
  };
  for (const auto& each : inquiries_) {
    if (!each->is_settled) sooner(each->asks.next_timeout());
  }
  sooner(family_due_);
  sooner(https_due_);
  return out;
}

bool lookup::is_open(std::uint64_t id) const {
  const std::size_t which = id >> 32;
  return !is_done_ && which < inquiries_.size() && !inquiries_[which]->is_settled &&
         inquiries_[which]->asks.is_open(static_cast<std::uint32_t>(id));
}

/// Takes what has been answered, which can lead to more questions, whose answers may be in the
/// cache.
void lookup::settle(time_point now) {
  for (std::size_t which = 0; which < inquiries_.size(); ++which) {
    settle_one(now, which);
    if (alias_ && !is_waiting(true)) target_of(*alias_);
  }
  decide(now);
}

void lookup::settle_one(time_point now, std::size_t which) {
  running& one = *inquiries_[which];
  if (one.is_settled) return;
  const dns_question question = one.asks.question();
  std::optional<dns_answer> answer;
  const bool was_asked = one.asks.next_timeout().has_value() || one.asks.is_done();
  if (!was_asked && options_.cache != nullptr) answer = options_.cache->find(now, question);
  if (!answer && one.asks.is_done() && !one.asks.error()) {
    answer = one.asks.answer();
    if (options_.cache != nullptr) options_.cache->store(now, question, *answer);
  }
  one.is_settled = answer || one.asks.is_done();
  if (!one.is_settled) return;
  if (answer) {
    ttl_ = std::min(ttl_, answer->ttl);
    if (one.what == purpose::https) return take_services(question, *answer);
    return take_addresses(one, *answer);
  }
  ttl_ = std::chrono::seconds::zero();
  if (one.what == purpose::https) {
    found_.services_error = one.asks.error();
  } else if (one.target == 0 && (!addresses_error_ || addresses_error_ == errc::timed_out)) {
    addresses_error_ = one.asks.error();
  }
}

void lookup::take_addresses(running& from, const dns_answer& answer) {
  target& of = targets_[from.target];
  std::vector<address>& into = from.what == purpose::ipv4 ? of.ipv4 : of.ipv6;
  for (const dns_record& each : answer.records) {
    const auto* ip = std::get_if<address>(&each.content);
    if (ip != nullptr && std::ranges::find(into, *ip) == into.end()) into.push_back(*ip);
  }
}

void lookup::take_services(const dns_question& asked, const dns_answer& answer) {
  std::vector<https_record> records;
  std::vector<const https_record*> aliases;
  for (const dns_record& each : answer.records) {
    const auto* record = std::get_if<https_record>(&each.content);
    // RFC 9460 section 2.2: one malformed record makes the whole set useless.
    if (record == nullptr) {
      found_.services_error = make_error_code(errc::malformed);
      return;
    }
    if (record->is_alias()) aliases.push_back(record);
    if (!record->is_alias() && is_compatible(*record)) records.push_back(*record);
  }
  if (!aliases.empty()) return follow_alias(aliases);
  sort_by_priority(records, random_);
  if (records.size() > limits::max_dns_services) records.resize(limits::max_dns_services);
  // Without a prefix or an alias the CNAMEs of the HTTPS records are those of the addresses.
  const bool is_host = !alias_ && asked.name == host_;
  for (https_record& each : records) {
    const bool is_own = each.target.is_root() && is_host;
    if (each.target.is_root()) each.target = answer.canonical;
    services_.push_back({each, is_own ? 0 : target_of(each.target)});
  }
}

void lookup::follow_alias(const std::vector<const https_record*>& aliases) {
  const dns_name to = aliases[random_.below(aliases.size())]->target;
  // RFC 9460 section 2.5.1: no such service, they say; who connects anyway finds out.
  if (to.is_root()) return;
  if (++aliases_ > limits::max_dns_aliases) {
    // RFC 9460 section 3.1: then as if there were no HTTPS records.
    found_.services_error = make_error_code(errc::limit_exceeded);
    alias_.reset();
    return;
  }
  alias_ = to;
  ask(purpose::https, {to, dns_type::https}, 0);
}

/// Where the addresses of a name are kept; nothing when there are too many names.
std::optional<std::size_t> lookup::target_of(const dns_name& name) {
  const auto known = std::ranges::find(targets_, name, &target::name);
  if (known != targets_.end()) return static_cast<std::size_t>(known - targets_.begin());
  if (targets_.size() > limits::max_dns_targets) return std::nullopt;
  targets_.push_back({name});
  ask_addresses(targets_.size() - 1);
  return targets_.size() - 1;
}

bool lookup::is_waiting(bool for_https) const {
  return std::ranges::any_of(inquiries_, [for_https](const auto& each) {
    return !each->is_settled && (each->what == purpose::https) == for_https;
  });
}

/// Whether what is still open is worth the wait.
void lookup::decide(time_point now) {
  if (is_done_) return;
  const bool has_addresses = std::ranges::any_of(
      targets_, [](const target& each) { return !each.ipv4.empty() || !each.ipv6.empty(); });
  if (has_addresses && is_waiting(true)) {
    if (!https_due_) https_due_ = now + wanted_.https_patience;
    if (now < *https_due_) return;
    found_.services_error = make_error_code(errc::timed_out);
    return finish();
  }
  https_due_.reset();
  if (has_addresses && is_waiting(false)) {
    if (!family_due_) family_due_ = now + wanted_.family_patience;
    if (now < *family_due_) return;
    return finish();
  }
  if (!is_waiting(true) && !is_waiting(false)) finish();
}

void lookup::finish() {
  is_done_ = true;
  found_.addresses = targets_.front().all();
  bool has_addresses = !found_.addresses.empty();
  for (service& each : services_) {
    resolved_service& out = found_.services.emplace_back();
    if (each.target) out.addresses = targets_[*each.target].all();
    if (out.addresses.empty()) out.addresses = hints_of(each.record, wanted_);
    out.record = std::move(each.record);
    has_addresses = has_addresses || !out.addresses.empty();
  }
  // RFC 9460 section 3: the alias is an endpoint of its own, whatever its HTTPS records say.
  if (const auto known =
          alias_ ? std::ranges::find(targets_, *alias_, &target::name) : targets_.end();
      known != targets_.end()) {
    found_.services.push_back({{.priority = 0xffff, .target = *alias_}, known->all()});
    has_addresses = has_addresses || !found_.services.back().addresses.empty();
  }
  found_.ttl = ttl_;
  if (is_waiting(true) || is_waiting(false)) found_.ttl = std::chrono::seconds::zero();
  if (!has_addresses)
    error_ = addresses_error_ ? addresses_error_ : make_error_code(errc::name_not_found);
}

}  // namespace dns
}  // namespace v0
}  // namespace strata::transport
