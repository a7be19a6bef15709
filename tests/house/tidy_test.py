#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The rules of tools/tidy.py find what they are for, and nothing in what is right."""

import os
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools"))
import tidy  # noqa: E402
from tidy_rules import cpp_scan  # noqa: E402

HEAD = "// SPDX-License-Identifier: Apache-2.0\n"
HEADER = HEAD + "#pragma once\n"


def rules(path, text, more=None):
    """The rules that a tree of this one file (and `more`) breaks, with the lines."""
    with tempfile.TemporaryDirectory() as root:
        for name, content in {path: text, **(more or {})}.items():
            os.makedirs(os.path.join(root, os.path.dirname(name)), exist_ok=True)
            with open(os.path.join(root, name), "w", encoding="utf-8") as file:
                file.write(content)
        return [(finding.rule, finding.line) for finding in tidy.findings_of(root) if finding.path == path and finding.rule != "unlisted"]


class Layers(unittest.TestCase):
    def check(self, path, include, broken):
        found = rules(path, HEADER + f"#include {include}\n")
        self.assertEqual(found, [("include", 3)] if broken else [], f"{include} in {path}")

    def test_libraries_include_only_lower_ones(self):
        self.check("libtransport/src/driver/a.cpp", '"strata/quic/error.hpp"', True)
        self.check("libquic/src/driver/a.cpp", '"strata/h3/error.hpp"', True)
        self.check("libquic/src/driver/a.cpp", '"strata/transport/stream.hpp"', False)
        self.check("libproxy/src/driver/a.cpp", '"strata/p2p/host.hpp"', True)
        self.check("tests/quic/stream/a.cpp", '"strata/h3/error.hpp"', True)

    def test_h3_core_does_not_know_quic_but_its_driver_does(self):
        self.check("libh3/src/core/a.cpp", '"strata/quic/core/error.hpp"', True)
        self.check("libh3/include/strata/h3/core/a.hpp", '"strata/quic/core/error.hpp"', True)
        self.check("libh3/src/driver/a.cpp", '"strata/quic/core/error.hpp"', False)

    def test_cores_have_no_third_parties(self):
        for party in ("<asio/post.hpp>", "<asio.hpp>", "<spdlog/spdlog.h>", "<fmt/core.h>", "<google/protobuf/message_lite.h>"):
            self.check("libquic/src/core/stream/a.cpp", party, True)
        self.check("libquic/src/core/stream/a.cpp", "<openssl/evp.h>", True)
        self.check("libquic/src/core/crypto/a.cpp", "<openssl/evp.h>", False)
        self.check("libtransport/src/tls/a.cpp", "<openssl/ssl.h>", False)

    def test_public_headers_show_only_asio(self):
        for party in ("<openssl/ssl.h>", "<spdlog/logger.h>", "<fmt/format.h>"):
            self.check("libquic/include/strata/quic/a.hpp", party, True)
        self.check("libquic/include/strata/quic/a.hpp", "<asio/any_io_executor.hpp>", False)
        self.check("libquic/include/strata/quic/core/a.hpp", "<asio/any_io_executor.hpp>", True)
        self.check("libquic/include/strata/quic/a.hpp", '"core/stream/stream.hpp"', True)

    def test_cores_do_not_reach_up_into_their_driver(self):
        self.check("libquic/src/core/stream/a.cpp", '"driver/endpoint.hpp"', True)
        self.check("libquic/src/core/stream/a.cpp", '"strata/transport/stream.hpp"', True)
        self.check("libquic/src/core/stream/a.cpp", '"strata/quic/export.hpp"', False)
        self.check("libquic/src/core/crypto/a.cpp", '"strata/transport/tls.hpp"', False)

    def test_cores_read_no_clock_and_write_no_log(self):
        for line in ("auto now = std::chrono::steady_clock::now();", "std::random_device device;", 'std::printf("x");'):
            self.assertEqual(rules("libquic/src/core/stream/a.cpp", HEAD + line + "\n"), [("core", 2)], line)
            self.assertEqual(rules("libquic/src/driver/a.cpp", HEAD + line + "\n"), [], line)

    def test_only_named_files_ask_for_the_system(self):
        text = HEAD + "#ifdef __linux__\n#endif\n"
        self.assertEqual(rules("libtransport/src/driver/stream.cpp", text), [("system", 2)])
        self.assertEqual(rules("libtransport/src/driver/udp_socket_linux.cpp", text), [])


class Budgets(unittest.TestCase):
    def test_file_sizes_at_their_limits(self):
        self.assertEqual(rules("libquic/src/driver/a.cpp", HEAD + "\n" * 499), [])
        self.assertEqual(rules("libquic/src/driver/a.cpp", HEAD + "\n" * 500), [("file-size", 501)])
        self.assertEqual(rules("libquic/src/driver/a.cpp", HEAD + "\n" * 800), [("file-size", 801)])

    def test_function_sizes_at_their_limit(self):
        for lines, broken in ((70, []), (71, [("function-size", 2)])):
            text = HEAD + "void f() {\n" + "  g();\n" * (lines - 2) + "}\n"
            self.assertEqual(rules("libquic/src/driver/a.cpp", text), broken)

    def test_citations_cost_no_lines(self):
        cited = "  //= RFC 9000 section 13.2.1\n  //# words\n" * 5
        for lines, broken in ((70, []), (71, [("function-size", 2)])):
            text = HEAD + "void f() {\n" + cited + "  g();\n" * (lines - 2) + "}\n"
            self.assertEqual(rules("libquic/src/driver/a.cpp", text), broken)
        for lines, broken in ((500, []), (501, [("file-size", 501)])):
            self.assertEqual(rules("libquic/src/driver/a.cpp", HEAD + cited + "\n" * (lines - 1)), broken)

    def test_parameters_at_their_limit(self):
        self.assertEqual(rules("libquic/src/driver/a.hpp", HEADER + "void f(int a, std::map<int, int> b, int c, int d = g(1, 2));\n"), [])
        self.assertEqual(rules("libquic/src/driver/a.hpp", HEADER + "struct a {\n  a(int, int, int, int, int);\n};\n"), [("parameters", 4)])

    def test_the_shape_of_a_c_callback_is_not_ours(self):
        self.assertEqual(rules("libquic/src/driver/a.cpp", HEAD + "int f(SSL*, int, int, int, int, void* self);\n"), [])

    def test_columns_at_their_limit(self):
        self.assertEqual(rules("libquic/src/driver/a.cpp", HEAD + "/" * 100 + "\n"), [])
        self.assertEqual(rules("libquic/src/driver/a.cpp", HEAD + "/" * 101 + "\n"), [("columns", 2)])


class Names(unittest.TestCase):
    def test_empty_words_name_neither_files_nor_types(self):
        self.assertEqual(rules("libquic/src/driver/stream_manager.cpp", HEAD), [("name", 1)])
        self.assertEqual(rules("libquic/src/driver/utils.cpp", HEAD), [("name", 1)])
        self.assertEqual(rules("libquic/src/driver/a.cpp", HEAD + "class stream_util {};\nenum class frame_data { a };\n"), [("name", 2), ("name", 3)])
        self.assertEqual(rules("libquic/src/driver/a.cpp", HEAD + "using peer_info = int;\n"), [("name", 2)])

    def test_words_of_the_rfc_are_allowed(self):
        self.assertEqual(rules("libquic/src/driver/a.cpp", HEAD + "struct data_blocked_frame {};\nstruct stream {\n  int data;\n};\n"), [])

    def test_unfinished_marks_need_an_issue(self):
        self.assertEqual(rules("libquic/src/driver/a.cpp", HEAD + "// TODO: later\n"), [("unfinished", 2)])
        self.assertEqual(rules("libquic/src/driver/a.cpp", HEAD + "// TODO(#12): later\n"), [])

    def test_paths_of_a_machine_stay_out(self):
        self.assertEqual(rules("README.md", "see /home/ann/strata\n"), [("machine-path", 1)])
        self.assertEqual(rules("README.md", "see build/dev/bin and ${HOME}/work/x and /etc/ssl\n"), [])


class Files(unittest.TestCase):
    def test_licence_and_guard(self):
        self.assertEqual(rules("libquic/src/driver/a.cpp", "int a;\n"), [("licence", 1)])
        self.assertEqual(rules("libquic/src/driver/a.hpp", HEAD), [("guard", 1)])
        self.assertEqual(rules("run", "#!/bin/sh\n"), [("licence", 1)])

    def test_sources_stand_in_a_list(self):
        lists = {"libquic/src/core/wire/CMakeLists.txt": "# SPDX-License-Identifier: Apache-2.0\ntarget_sources(x PRIVATE frame.cpp)\n"}
        for name, broken in (("frame", False), ("packet", True)):
            path = f"libquic/src/core/wire/{name}.cpp"
            with tempfile.TemporaryDirectory() as root:
                for file_name, content in {path: HEAD, **lists}.items():
                    os.makedirs(os.path.join(root, os.path.dirname(file_name)), exist_ok=True)
                    with open(os.path.join(root, file_name), "w", encoding="utf-8") as file:
                        file.write(content)
                self.assertEqual([finding.rule for finding in tidy.findings_of(root)], ["unlisted"] if broken else [])

    def test_changelog_and_version_agree(self):
        cmake = "# SPDX-License-Identifier: Apache-2.0\nstrata_library(quic VERSION 0.2.0)\n"
        self.assertEqual(rules("libquic/CMakeLists.txt", cmake), [("changelog", 1)])
        for version, broken in (("0.2.0", []), ("0.1.0", [("changelog", 1)])):
            text = f"# Changes\n\n## {version} (unreleased)\n"
            self.assertEqual(rules("libquic/CHANGELOG.md", text, {"libquic/CMakeLists.txt": cmake}), broken)


class Exceptions(unittest.TestCase):
    def test_an_exception_excuses_what_it_names(self):
        more = {"tools/tidy_exceptions.txt": "name | libquic/src/driver/*.cpp | peer_info | the RFC says so\n"}
        text = HEAD + "struct peer_info {};\nstruct stream_info {};\n"
        self.assertEqual(rules("libquic/src/driver/a.cpp", text, more), [("name", 3)])

    def test_an_exception_without_reason_is_refused(self):
        self.assertEqual(rules("tools/tidy_exceptions.txt", "name | a | b |\n"), [("exception", 1)])


class Scanner(unittest.TestCase):
    def found(self, text):
        return [(f.name, f.lines, f.parameters) for f in cpp_scan.functions(cpp_scan.blank(text))]

    def test_functions_of_every_shape(self):
        self.assertEqual(self.found("template <class A, class B>\nauto f(A a, B b) -> int {\n  return 1;\n}\n"), [("f", 4, 2)])
        self.assertEqual(self.found("struct s {\n  s(int a) : a_{a}, b_(a) {\n  }\n  ~s();\n  int a_ = 0;\n};\n"), [("s", 2, 1), ("~s", 0, 0)])
        self.assertEqual(self.found("bool operator()(int a, int b) const noexcept { return a < b; }"), [("operator_symbol", 1, 2)])
        self.assertEqual(self.found("friend bool operator==(const a&, const a&) = default;"), [("operator==", 0, 2)])
        self.assertEqual(self.found("TEST_CASE(\"a {\", \"[b]\") {\n  // }\n  const char* s = R\"x( } )x\";\n}\n"), [("TEST_CASE", 4, 2)])
        self.assertEqual(self.found("[[nodiscard]] std::function<void(int, int)> f(std::span<const int> a);"), [("f", 0, 1)])

    def test_what_is_no_function(self):
        self.assertEqual(self.found("constexpr std::array<int, 3> a{1, 2, 3};\nint b = g(1, 2, 3, 4, 5);\n"), [])
        self.assertEqual(self.found("using f = void(int, int, int, int, int);\nenum class a : int { b, c };\n"), [])
        self.assertEqual(self.found("auto f = [](int a) { return a; };\nconst long million = 1'000'000;\n"), [])


if __name__ == "__main__":
    unittest.main()
