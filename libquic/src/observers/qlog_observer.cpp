// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <memory>
#include <string>
#include <unordered_map>

#include "observers/qlog_trace.hpp"
#include "strata/quic/qlog.hpp"

namespace strata::quic {
inline namespace v0 {
namespace observers {
namespace {

/// One connection's file; what is not yet written waits in memory, at most a little more than
/// `flush_at`.
class qlog_file {
 public:
  qlog_file(const std::filesystem::path& directory, const observed::subject& about)
      : file_(create(directory, about)), trace_(about, std::chrono::system_clock::now()) {}
  qlog_file(const qlog_file&) = delete;
  ~qlog_file() { flush(); }

  template <class Event>
  void add(const Event& event) {
    trace_.add(event);
    if (trace_.text().size() >= flush_at || file_ == nullptr) flush();
  }
  void flush() noexcept {
    const std::string& text = trace_.text();
    if (file_ != nullptr) {
      const bool written = std::fwrite(text.data(), 1, text.size(), file_.get()) == text.size();
      if (!written || std::fflush(file_.get()) != 0) file_.reset();
    }
    trace_.clear();
  }

  std::optional<transport::time_point> closed_at;

 private:
  static constexpr std::size_t flush_at = 64 * 1024;
  static constexpr int max_namesakes = 100;
  struct closer {
    void operator()(std::FILE* file) const noexcept { std::fclose(file); }
  };
  using file_pointer = std::unique_ptr<std::FILE, closer>;

  /// A name is the client's choice, so a hostile one repeats it: no file is ever opened twice, or
  /// what an earlier connection did would be wiped or mixed up.
  static file_pointer create(const std::filesystem::path& directory,
                             const observed::subject& about) {
    const std::string stem =
        fmt::format("{}_{}", about.original_destination.hex(), name_of(about.side));
    for (int namesake = 1; namesake <= max_namesakes; ++namesake) {
      const std::string name = namesake == 1 ? fmt::format("{}.sqlog", stem)
                                             : fmt::format("{}-{}.sqlog", stem, namesake);
      file_pointer file(std::fopen((directory / name).c_str(), "wbx"));
      if (file != nullptr || errno != EEXIST) return file;
    }
    return nullptr;
  }

  file_pointer file_;
  qlog_trace trace_;
};

class qlog_observer final : public observer {
 public:
  explicit qlog_observer(std::filesystem::path directory) : directory_(std::move(directory)) {}

  unsigned categories() const noexcept override { return everything; }

  void connection_started(const observed::connection_started& event) override {
    forget_closed(event.about.time);
    auto& file = files_[key_of(event.about)];
    file = std::make_unique<qlog_file>(directory_, event.about);
    file->add(event);
  }
  void connection_closed(const observed::connection_closed& event) override {
    qlog_file* file = add(event);
    if (file == nullptr) return;
    file->flush();
    file->closed_at = event.about.time;
  }
  void connection_state_updated(const observed::connection_state_updated& event) override {
    add(event);
  }
  void parameters_set(const observed::parameters_set& event) override { add(event); }
  void packet_sent(const observed::packet_sent& event) override { add(event); }
  void packet_received(const observed::packet_received& event) override { add(event); }
  void packet_dropped(const observed::packet_dropped& event) override { add(event); }
  void packet_lost(const observed::packet_lost& event) override { add(event); }
  void recovery_metrics_updated(const observed::recovery_metrics_updated& event) override {
    add(event);
  }
  void key_updated(const observed::key_updated& event) override { add(event); }
  void key_discarded(const observed::key_discarded& event) override { add(event); }

 private:
  /// Packets may still follow the end, the CONNECTION_CLOSE itself among them; a while later none
  /// do.
  void forget_closed(transport::time_point now) {
    std::erase_if(files_, [now](const auto& entry) {
      return entry.second->closed_at && now - *entry.second->closed_at > std::chrono::seconds(10);
    });
  }
  /// Both ends of a connection may live in one process.
  static std::string key_of(const observed::subject& about) {
    return about.original_destination.hex() + (about.side == role::client ? 'c' : 's');
  }
  /// What comes so long after the end that the file is forgotten is not written.
  template <class Event>
  qlog_file* add(const Event& event) {
    const auto found = files_.find(key_of(event.about));
    if (found == files_.end()) return nullptr;
    found->second->add(event);
    return found->second.get();
  }

  std::filesystem::path directory_;
  std::unordered_map<std::string, std::unique_ptr<qlog_file>> files_;
};

}  // namespace
}  // namespace observers

std::shared_ptr<observer> make_qlog_observer(std::filesystem::path directory) {
  return std::make_shared<observers::qlog_observer>(std::move(directory));
}

}  // namespace v0
}  // namespace strata::quic
