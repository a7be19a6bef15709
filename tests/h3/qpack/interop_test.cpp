// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "core/qpack/decoder.hpp"
#include "core/qpack/encoder.hpp"
#include "octets.hpp"

namespace h3 = strata::h3;
using namespace strata::h3::core::qpack;
using h3::field_line;
using h3::field_section;

namespace {

const std::filesystem::path vectors = STRATA_QPACK_VECTORS;

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  REQUIRE(file.good());
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Each section of a .qif as "name<TAB>value\n" lines.
std::vector<std::string> read_qif(const std::filesystem::path& path) {
  std::vector<std::string> sections;
  std::string current;
  const std::string text = read_file(path);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line(text.data() + at, end - at);
    at = end + 1;
    if (line.starts_with('#')) continue;
    if (!line.empty()) {
      (current += line) += '\n';
    } else if (!current.empty()) {
      sections.push_back(std::move(current));
      current.clear();
    }
  }
  if (!current.empty()) sections.push_back(std::move(current));
  return sections;
}

struct record {
  std::uint64_t stream_id;
  strata::transport::bytes content;
};

std::uint64_t big_endian(std::string_view text) {
  std::uint64_t value = 0;
  for (const char c : text) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

std::vector<record> read_records(std::string_view file) {
  std::vector<record> records;
  while (file.size() >= 12) {
    const std::uint64_t stream_id = big_endian(file.substr(0, 8));
    const std::size_t size = big_endian(file.substr(8, 4));
    records.push_back({stream_id, strata::transport::as_bytes(file.substr(12, size))});
    file.remove_prefix(std::min(12 + size, file.size()));
  }
  return records;
}

struct file_parameters {
  std::string qif;
  std::uint64_t table = 0, blocked = 0, acknowledged = 0;
};

/// NAME.out.TABLE.BLOCKED.ACKED; draft-examples.out has no parameters.
file_parameters parameters_of(const std::filesystem::path& path) {
  file_parameters result;
  const std::string name = path.filename().string();
  const std::size_t out = name.find(".out");
  result.qif = name.substr(0, out);
  std::string_view rest = std::string_view(name).substr(out + 4);
  for (std::uint64_t* number : {&result.table, &result.blocked, &result.acknowledged}) {
    if (rest.empty()) return {result.qif, 4096, 100, 0};
    rest.remove_prefix(1);
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), *number);
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
  }
  return result;
}

std::string qif_lines(const field_section& section) {
  std::string text;
  for (const field_line line : section) (((text += line.name) += '\t') += line.value) += '\n';
  return text;
}

enum class delivery { whole, byte_by_byte, encoder_stream_last };

/// Feeds a file to a decoder the way a connection does and collects its sections by stream.
class replay {
 public:
  replay(const file_parameters& parameters, delivery how)
      : decoder_({.max_table_capacity = parameters.table,
                  .max_blocked_streams = 1000,
                  .max_section_size = 1 << 20,
                  .max_field_count = 1000}),
        how_(how) {
    // In this corpus a decoder begins with its whole table; no encoder says so on its stream.
    std::byte instruction[max_prefix_integer_size];
    std::byte* const end = write_prefix_integer(instruction, 0x20, 5, parameters.table);
    REQUIRE(decoder_.receive({instruction, end}));
  }

  bool run(const std::vector<record>& records) {
    for (const record& each : records) {
      if (each.stream_id != 0) {
        if (!take_section(each)) return false;
      } else if (how_ == delivery::encoder_stream_last) {
        late_.push_back(each.content);
      } else if (!take_instructions(each.content)) {
        return false;
      }
    }
    for (const auto& content : late_)
      if (!take_instructions(content)) return false;
    return waiting_.empty() && decoder_.blocked_streams() == 0;
  }

  std::vector<std::string> sections() const {
    std::vector<std::string> result;
    for (const auto& [stream_id, texts] : sections_)
      result.insert(result.end(), texts.begin(), texts.end());
    return result;
  }
  std::size_t blocked_ever() const { return blocked_ever_; }

 private:
  bool take_instructions(strata::transport::bytes content) {
    const std::size_t step =
        how_ == delivery::byte_by_byte ? 1 : std::max<std::size_t>(content.size(), 1);
    for (std::size_t at = 0; at < content.size(); at += step) {
      if (!decoder_.receive(content.subspan(at, step))) return false;
      for (std::uint64_t stream_id; decoder_.poll_unblocked(stream_id);) {
        const auto content_of_stream = waiting_.at(stream_id);
        waiting_.erase(stream_id);
        if (!take_section({stream_id, content_of_stream})) return false;
      }
    }
    return true;
  }

  bool take_section(const record& each) {
    switch (decoder_.decode(each.stream_id, each.content, section_)) {
      case decode_outcome::decoded:
        sections_[each.stream_id].push_back(qif_lines(section_));
        return true;
      case decode_outcome::blocked:
        ++blocked_ever_;
        return waiting_.emplace(each.stream_id, each.content).second;
      default: return false;
    }
  }

  decoder decoder_;
  delivery how_;
  field_section section_;
  std::vector<strata::transport::bytes> late_;
  std::map<std::uint64_t, strata::transport::bytes> waiting_;
  std::map<std::uint64_t, std::vector<std::string>> sections_;
  std::size_t blocked_ever_ = 0;
};

std::vector<std::filesystem::path> encoded_files() {
  std::vector<std::filesystem::path> files;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(vectors / "encoded" / "qpack-05"))
    if (entry.is_regular_file() &&
        entry.path().filename().string().find("examples.out") == std::string::npos)
      files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

std::size_t check_all(delivery how) {
  std::size_t blocked = 0;
  std::map<std::string, std::vector<std::string>> qifs;
  for (const auto& path : encoded_files()) {
    const file_parameters parameters = parameters_of(path);
    // An encoder that was told of every acknowledgment at once relies on them: late instructions
    // would break its promises.
    if (how == delivery::encoder_stream_last && parameters.acknowledged != 0) continue;
    auto& expected = qifs[parameters.qif];
    if (expected.empty()) expected = read_qif(vectors / "qifs" / (parameters.qif + ".qif"));
    const std::string file = read_file(path);
    replay run(parameters, how);
    INFO(path.string());
    REQUIRE(run.run(read_records(file)));
    REQUIRE(run.sections() == expected);
    blocked += run.blocked_ever();
  }
  return blocked;
}

}  // namespace

TEST_CASE("qpack: every file of the offline interop corpus decodes to its header lists",
          "[h3][qpack]") {
  REQUIRE(encoded_files().size() >= 60);
  CHECK(check_all(delivery::whole) == 0);
}

TEST_CASE("qpack: the corpus decodes with its encoder stream delivered byte by byte",
          "[h3][qpack]") {
  CHECK(check_all(delivery::byte_by_byte) == 0);
}

TEST_CASE(
    "qpack: the corpus decodes with its encoder stream delivered last, through blocked streams",
    "[h3][qpack]") {
  CHECK(check_all(delivery::encoder_stream_last) > 100);
}

TEST_CASE("qpack: the error files are rejected, but for the two that RFC 9204 made valid",
          "[h3][qpack]") {
  for (int number = 1; number <= 12; ++number) {
    const std::string file =
        read_file(vectors / "encoded" / "errors" / ("err" + std::to_string(number)));
    replay run({.qif = "", .table = 4096, .blocked = 100}, delivery::whole);
    INFO(number);
    CHECK(run.run(read_records(file)) == (number == 9 || number == 10));
  }
}

TEST_CASE("qpack: the examples of RFC 9204 appendix B decode", "[h3][qpack]") {
  const std::string file =
      read_file(vectors / "encoded" / "qpack-05" / "examples" / "examples.out.220.100.1");
  replay run({.qif = "", .table = 220, .blocked = 100, .acknowledged = 1}, delivery::whole);
  REQUIRE(run.run(read_records(file)));
  CHECK(run.sections() == std::vector<std::string>{
                              ":path\t/index.html\n",
                              ":authority\twww.example.com\n:path\t/sample/path\n",
                              ":authority\twww.example.com\n:path\t/\ncustom-key\tcustom-value\n"});
}

//= RFC 9204 section 2.1
//# An encoder MUST emit field representations in the order they appear in the input field section.
//= RFC 9204 section 2.2
//# The decoder MUST emit field lines in the order their representations appear in the encoded
//# field section.
TEST_CASE("qpack: what our encoder makes of the corpus, our decoder gives back", "[h3][qpack]") {
  encoder encoder;
  decoder decoder({.max_section_size = 1 << 20, .max_field_count = 1000});
  field_section section;
  std::vector<std::byte> encoded;
  for (const char* name : {"fb-req-hq.qif", "fb-resp-hq.qif", "netbsd-hq.qif", "fb-req.qif"}) {
    std::uint64_t stream_id = 0;
    for (const std::string& text : read_qif(vectors / "qifs" / name)) {
      std::vector<field_line> lines;
      for (std::size_t at = 0; at < text.size();) {
        const std::size_t tab = text.find('\t', at);
        const std::size_t end = text.find('\n', at);
        lines.push_back({.name = {text.data() + at, tab - at},
                         .value = {text.data() + tab + 1, end - tab - 1}});
        at = end + 1;
      }
      encoded.clear();
      encoder.encode(stream_id, lines, encoded);
      REQUIRE(decoder.decode(stream_id, encoded, section) == decode_outcome::decoded);
      REQUIRE(qif_lines(section) == text);
      stream_id += 4;
    }
  }
  CHECK(decoder.output().empty());
}
