#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The runner's own code, without a measurement; and, with the folder of our programs, that each of them still does its work."""

import contextlib
import io
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from bench.runner import Failed, building, command, machine, profile, programs, record, report, session, table  # noqa: E402
from bench.runner.record import LOWER, Figure  # noqa: E402

STAMP = {"when": "2026-01-01T00:00:00Z", "machine": "a <machine>", "commit": "abc"}


class Figures(unittest.TestCase):
    def test_ratio_says_how_many_times_better(self):
        self.assertEqual(Figure("b", "c", "Gbit/s", 8.0, "p", "1", 4.0).ratio, 2.0)
        self.assertEqual(Figure("b", "c", "ms", 8.0, "p", "1", 4.0, better=LOWER).ratio, 0.5)
        self.assertIsNone(Figure("b", "c", "ms", 8.0).ratio)

    def test_goal_against_a_peer_is_a_ratio(self):
        self.assertTrue(Figure("b", "c", "Gbit/s", 8.0, "p", "1", 4.0, goal=2.0).reached)
        self.assertFalse(Figure("b", "c", "Gbit/s", 7.9, "p", "1", 4.0, goal=2.0).reached)
        self.assertIsNone(Figure("b", "c", "Gbit/s", 7.9, "p", "1", None, goal=2.0).reached)

    def test_goal_alone_is_a_bound(self):
        self.assertTrue(Figure("b", "c", "bytes", 16.0, better=LOWER, goal=16.0).reached)
        self.assertFalse(Figure("b", "c", "bytes", 16.1, better=LOWER, goal=16.0).reached)
        self.assertFalse(Figure("b", "c", "share", 0.39, goal=0.4).reached)
        self.assertTrue(Figure("b", "c", "allocations", 0.0, better=LOWER, goal=0.0).reached)

    def test_line_has_every_member(self):
        line = json.loads(Figure("b", "c", "Gbit/s", 8.0, "p", "1.0", 4.0, 10.0).line(STAMP))
        wanted = {"bench": "b", "case": "c", "ours": 8.0, "unit": "Gbit/s", "peer": "p", "peer_version": "1.0", "theirs": 4.0, "ratio": 2.0,
                  "limit": 10.0}
        self.assertEqual({name: line[name] for name in wanted}, wanted)

    def test_lines_are_appended_and_a_torn_one_is_left_out(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "deep" / "bench.jsonl"
            record.append(path, [Figure("b", "c", "u", 1.0)], STAMP)
            record.append(path, [Figure("b", "d", "u", 2.0)], STAMP)
            path.write_text(path.read_text(encoding="utf-8") + '{"bench": "b", "ca', encoding="utf-8")
            self.assertEqual([line["case"] for line in record.read(path)], ["c", "d"])


class Tables(unittest.TestCase):
    def test_columns_line_up(self):
        text = table.text(["", "a"], [["name", 1234.5], ["n", None]])
        self.assertEqual(text.splitlines(), ["          a", "-----------", "name  1,234", "n         -"])

    def test_numbers_keep_three_digits(self):
        self.assertEqual([table.number(value) for value in (0.01234, 1.234, 123.4, 12345.6, 0, 7)], ["0.0123", "1.23", "123", "12,346", "0", "7"])

    def test_verdict_names_what_is_missing(self):
        self.assertIn("NOT YET", table.verdict(Figure("b", "c", "u", 1.0, "p", "1", 2.0, goal=1.0)))
        self.assertIn("reached", table.verdict(Figure("b", "c", "u", 2.0, "p", "1", 2.0, goal=1.0)))


class Reports(unittest.TestCase):
    def page(self, *figures):
        return report.page([json.loads(figure.line(STAMP)) for figure in figures])

    def test_bars_are_to_scale_and_names_are_escaped(self):
        page = self.page(Figure("b", "c", "u", 10.0, "<peer>", "1", 5.0, 20.0))
        whole = report.WIDTH - report.LABEL - report.VALUE
        for part in (f'width="{whole / 2:.1f}"', f'width="{whole / 4:.1f}"', f'width="{whole:.1f}"', "&lt;peer&gt;", "a &lt;machine&gt;"):
            self.assertIn(part, page)
        self.assertNotIn("<peer>", page)

    def test_nothing_is_loaded_from_elsewhere(self):
        page = self.page(Figure("b", "c", "u", 10.0, "p", "1", 5.0))
        for word in ("http", "src=", "@import", "<script"):
            self.assertNotIn(word, page)

    def test_goals_are_listed_with_their_verdict(self):
        page = self.page(Figure("b", "c", "bytes", 20.0, better=LOWER, goal=16.0), Figure("b", "d", "u", 4.0, "p", "1", 2.0, goal=2.0))
        self.assertIn('<td>20 bytes</td><td>&lt;= 16</td><td class="no">not yet</td>', page)
        self.assertIn('<td>2x p</td><td>&gt;= 2</td><td class="yes">reached</td>', page)

    def test_latest_figure_counts_and_history_shows_all(self):
        lines = [json.loads(Figure("b", "c", "u", value).line(STAMP | {"when": f"2026-01-0{value:.0f}"})) for value in (1.0, 2.0, 3.0)]
        self.assertEqual(report.latest(lines)["b", "c"][""]["ours"], 3.0)
        self.assertEqual(report.history(lines, "b", "c"), [1.0, 2.0, 3.0])
        self.assertIn("polyline", report.page(lines))


class Machines(unittest.TestCase):
    def setUp(self):
        self.addCleanup(setattr, machine, "Watch", machine.Watch)

    def busy(self, *others):
        values = iter(others)
        machine.Watch = type("Watch", (), {"others": lambda self, own: next(values)})

    def test_quiet_run_is_not_repeated(self):
        self.busy(0.05)
        self.assertEqual(machine.measured(lambda: ("first", 1.0), 2, self.fail), ("first", 0.05))

    def test_busy_run_is_repeated_said_and_the_quietest_counts(self):
        self.busy(0.9, 0.4, 0.6)
        results, said = iter("abc"), []
        self.assertEqual(machine.measured(lambda: (next(results), 1.0), 2, said.append), ("b", 0.4))
        self.assertEqual(len(said), 2)

    def test_congestion_control_is_changed_in_a_network_of_its_own(self):
        before = machine.congestion()
        # Who is not root is told so.
        for wanted, told in (("reno", "reno\n"), ("no such", "there is no congestion control 'no such' here")):
            done = self.isolated(wanted)
            self.assertTrue(told in done.stdout + done.stderr or "gives no process a network of its own" in done.stderr, done)
        self.assertEqual(machine.congestion(), before)

    @staticmethod
    def isolated(wanted):
        code = f"from bench.runner import machine; machine.isolate({wanted!r}); print(machine.congestion())"
        return subprocess.run([sys.executable, "-B", "-c", code], capture_output=True, text=True, check=False,
                              cwd=pathlib.Path(__file__).resolve().parent.parent)


class Programs(unittest.TestCase):
    def test_difference_keeps_what_is_held_now(self):
        later = {"cpu_user": 3.0, "peak_kib": 10, "open": 4}
        self.assertEqual(programs.difference(later, {"cpu_user": 1.0, "peak_kib": 9, "open": 1}), {"cpu_user": 2.0, "peak_kib": 10, "open": 4})

    def test_client_that_says_nothing_fails(self):
        with self.assertRaises(Failed):
            programs.figures_of("no json", 0, "why")
        with self.assertRaises(Failed):
            programs.figures_of('{"a": 1}', 1, "why")

    def test_server_that_does_not_listen_fails(self):
        with self.assertRaises(Failed):
            programs.Server([sys.executable], ["-c", "print('no port')"])

    def test_medians_leave_out_what_was_not_told(self):
        runs = session.Runs()
        for value in (3.0, None, 1.0, 2.0):
            runs.add({"a": value}, 0.0)
        self.assertEqual((runs.median("a"), runs.median("b")), (2.0, None))

    def test_every_peer_has_its_sources_and_its_lock(self):
        for name, recipe in building.RECIPES.items():
            for pattern in recipe.sources:
                self.assertTrue(list(building.sources_of(name).glob(pattern)), f"{name}: {pattern}")


class Profiles(unittest.TestCase):
    TREE = """heap_tree=empty
heap_tree=peak
n2: 300 (heap allocation functions) malloc/new/new[], --alloc-fns, etc.
 n1: 200 0x1: operator new (new.cc:1)
  n1: 200 0x2: strata::quic::v0::core::ring::grow(int) (ring.cpp:5)
   n0: 200 0x3: strata::quic::v0::core::detector::sent(tp) (detector.cpp:9)
 n0: 100 in 7 places, all below massif's threshold (0.50%)
"""

    def test_bytes_go_to_our_functions_nearest_to_the_allocation(self):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "massif"
            file.write_text(self.TREE, encoding="utf-8")
            rows = profile.massif_rows(file, 5)
        self.assertEqual(rows, [(200, "ring::grow <- detector::sent"), (100, "in 7 places, all below massif's threshold")])


@unittest.skipUnless(os.environ.get("STRATA_BIN"), "no programs of ours: set STRATA_BIN")
class Smoke(unittest.TestCase):
    """A few megabytes through each bench; the figures mean nothing here, but that they are there does."""

    def run_bench(self, name):
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()) as said, contextlib.redirect_stderr(said):
            code = command.main([name, "report", "--no-peers", "--runs", "1", "--repeats", "0", "--scale", "0.005", "--work", folder])
            self.assertEqual(code, 0, said.getvalue())
            self.assertTrue((pathlib.Path(folder) / "bench.html").exists())
            figures = {line["case"]: line["ours"] for line in record.read(pathlib.Path(folder) / "bench.jsonl")}
        return figures, said.getvalue()

    def test_quic(self):
        figures, _ = self.run_bench("quic")
        self.assertGreater(figures["bulk share of the limit"], 0)

    def test_handshake(self):
        _, said = self.run_bench("handshake")
        self.assertIn("X25519MLKEM768", said)

    def test_pingpong(self):
        self.assertIn("p99", self.run_bench("pingpong")[1])

    def test_h3(self):
        self.assertIn("requests/s", self.run_bench("h3")[1])

    def test_mux(self):
        figures, said = self.run_bench("mux")
        self.assertIn("opens, 100 at once", said)
        self.assertGreater(figures["60 ms round trip, 1 stream"], 0.5)

    def test_anytls(self):
        figures, said = self.run_bench("anytls")
        self.assertIn("without reuse, 16 at a time", said)
        self.assertIn("heartbeat p99", figures)

    def test_tls(self):
        figures, _ = self.run_bench("tls")
        self.assertGreater(figures["bulk"], 0)
        self.assertGreater(figures["WebSocket masking, 1 KiB"], 0)

    def test_memory(self):
        figures, _ = self.run_bench("memory")
        self.assertIn("after the close: client heap", figures)


if __name__ == "__main__":
    unittest.main()
