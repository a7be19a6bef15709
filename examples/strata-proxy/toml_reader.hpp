// SPDX-License-Identifier: Apache-2.0
// A table of TOML whose keys are taken one by one: what is left at the end nobody knows, which is a
// mistake somebody made.
#pragma once

#include <toml++/toml.h>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "configuration.hpp"

class toml_reader {
 public:
  toml_reader(const toml::table& of, std::string name, std::vector<configuration_problem>& problems)
      : table_(of), name_(std::move(name)), problems_(problems) {}
  toml_reader(const toml_reader&) = delete;
  toml_reader& operator=(const toml_reader&) = delete;
  /// Complains about the keys that nobody took.
  ~toml_reader() {
    for (const auto& [key, value] : table_) {
      if (!taken_.contains(std::string(key.str())))
        complain(value, name_ + " has no key '" + std::string(key.str()) + "'; it has: " + known());
    }
  }

  std::string text(std::string_view key, std::string otherwise = {}) {
    const toml::node* const node = take(key);
    if (node == nullptr) return otherwise;
    if (const auto value = node->value_exact<std::string>()) return *value;
    complain(*node, std::string(key) + " must be text in quotes");
    return otherwise;
  }
  bool flag(std::string_view key, bool otherwise = false) {
    const toml::node* const node = take(key);
    if (node == nullptr) return otherwise;
    if (const auto value = node->value_exact<bool>()) return *value;
    complain(*node, std::string(key) + " must be true or false");
    return otherwise;
  }
  std::int64_t number(std::string_view key, std::int64_t otherwise, std::int64_t most,
                      std::int64_t least = 0) {
    const toml::node* const node = take(key);
    if (node == nullptr) return otherwise;
    const auto value = node->value_exact<std::int64_t>();
    if (value && *value >= least && *value <= most) return *value;
    complain(*node, std::string(key) + " must be a number from " + std::to_string(least) + " to " +
                        std::to_string(most));
    return otherwise;
  }
  /// A list of texts, or a single one.
  std::vector<std::string> texts(std::string_view key) {
    const toml::node* const node = take(key);
    if (node == nullptr) return {};
    if (const auto value = node->value_exact<std::string>()) return {*value};
    std::vector<std::string> made;
    const toml::array* const list = node->as_array();
    for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
      const auto value = list->get(i)->value_exact<std::string>();
      if (!value)
        complain(*list->get(i), std::string(key) + " must be a list of texts in quotes");
      else
        made.push_back(*value);
    }
    if (list == nullptr) complain(*node, std::string(key) + " must be a list of texts in quotes");
    return made;
  }
  /// The tables of a list of tables, such as [[inbound]]; `whole` is the key with what it is in.
  std::vector<const toml::table*> tables(std::string_view key, std::string_view whole = {}) {
    const toml::node* const node = take(key);
    std::vector<const toml::table*> made;
    if (node == nullptr) return made;
    const toml::array* const list = node->as_array();
    for (std::size_t i = 0; list != nullptr && i < list->size(); ++i)
      if (list->get(i)->is_table()) made.push_back(list->get(i)->as_table());
    if (list == nullptr || made.size() != list->size())
      complain(*node,
               "write [[" + std::string(whole.empty() ? key : whole) + "]] for each of them");
    return made;
  }
  /// Nothing is said of the keys that nobody took: what they mean hangs on one that is wrong.
  void take_all() {
    for (const auto& [key, value] : table_) taken_.insert(std::string(key.str()));
  }
  bool has(std::string_view key) const { return table_.contains(key); }
  bool has_table(std::string_view key) const { return table_[key].is_table(); }
  const toml::table* table(std::string_view key) {
    const toml::node* const node = take(key);
    if (node == nullptr) return nullptr;
    if (!node->is_table())
      complain(*node, std::string(key) + " must be a table: [" + std::string(key) + "]");
    return node->as_table();
  }

  /// The key's line, else the table's.
  void complain_about(std::string_view key, std::string text) {
    const toml::node* const node = table_.get(key);
    complain(node != nullptr ? *node : static_cast<const toml::node&>(table_), std::move(text));
  }
  std::size_t line() const { return table_.source().begin.line; }

 private:
  const toml::node* take(std::string_view key) {
    taken_.insert(std::string(key));
    return table_.get(key);
  }
  void complain(const toml::node& at, std::string text) {
    problems_.push_back({.line = at.source().begin.line, .text = std::move(text)});
  }
  std::string known() const {
    std::string all;
    for (const std::string& each : taken_) all += (all.empty() ? "" : ", ") + each;
    return all;
  }

  const toml::table& table_;
  std::string name_;
  std::vector<configuration_problem>& problems_;
  std::set<std::string> taken_;
};
