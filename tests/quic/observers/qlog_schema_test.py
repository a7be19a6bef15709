#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""qlog_schema_test.py QLOG-TRACES: every record of the traces that program writes, against qlog_schema.json."""

import copy
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
RECORD_SEPARATOR, LINE_FEED = b"\x1e", b"\n"


class Wrong(Exception):
    """What a file breaks, and where."""


def require(condition, where, what):
    if not condition:
        raise Wrong(f"{where}: {what}")


def is_integer(value):
    return isinstance(value, int) and not isinstance(value, bool)


class Schema:
    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
        self.types, self.header, self.event, self.events = (content[key] for key in ("types", "header", "event", "events"))

    def check(self, value, wanted, where):
        if isinstance(wanted, str):
            return self.check(value, self.types[wanted], where)
        kinds = {"enum", "integer", "number", "text", "bool", "list", "any_of", "all_of", "map", "members", "tag"} & wanted.keys()
        (kind,) = kinds
        return getattr(self, "check_" + kind)(value, wanted, where)

    def check_enum(self, value, wanted, where):
        require(value in wanted["enum"], where, f"{value!r} is none of {wanted['enum']}")

    def check_integer(self, value, wanted, where):
        low, high = wanted["integer"]
        require(is_integer(value) and low <= value <= high, where, f"{value!r} is no integer from {low} to {high}")

    def check_number(self, value, wanted, where):
        low, high = wanted["number"]
        numeric = is_integer(value) or isinstance(value, float)
        require(numeric and low <= value <= high, where, f"{value!r} is no number from {low} to {high}")

    def check_text(self, value, wanted, where):
        require(isinstance(value, str), where, f"{value!r} is no text")
        pattern = wanted["text"]
        require(pattern is True or re.fullmatch(pattern, value), where, f"{value!r} is not like {pattern}")

    def check_bool(self, value, _, where):
        require(isinstance(value, bool), where, f"{value!r} is neither true nor false")

    def check_map(self, value, _, where):
        require(isinstance(value, dict), where, f"{value!r} is no object")

    def check_list(self, value, wanted, where):
        low, high = wanted["size"]
        require(isinstance(value, list) and low <= len(value) <= high, where, f"no list of {low} to {high}")
        for index, item in enumerate(value):
            self.check(item, wanted["list"], f"{where}[{index}]")
        require(not wanted.get("ascending") or value == sorted(set(value)), where, f"{value} does not ascend")

    def check_any_of(self, value, wanted, where):
        for one in wanted["any_of"]:
            try:
                return self.check(value, one, where)
            except Wrong:
                continue
        raise Wrong(f"{where}: {value!r} fits nothing that may stand here")

    def check_all_of(self, value, wanted, where):
        for one in wanted["all_of"]:
            self.check(value, one, where)

    def check_tag(self, value, wanted, where):
        require(isinstance(value, dict), where, f"{value!r} is no object")
        tag = wanted["tag"]
        kind = value.get(tag)
        require(isinstance(kind, str) and kind in wanted["cases"], where, f"unknown {tag} {kind!r}")
        rest = {name: item for name, item in value.items() if name != tag}
        self.check(rest, wanted["cases"][kind], f"{where}({kind})")

    def check_members(self, value, wanted, where):
        require(isinstance(value, dict), where, f"{value!r} is no object")
        known = set()
        for name, kind in wanted["members"].items():
            if name == "...":
                continue
            plain = name.removesuffix("?")
            known.add(plain)
            if plain in value:
                self.check(value[plain], kind, f"{where}.{plain}")
            else:
                require(name.endswith("?"), where, f"{plain} is missing")
        extra = set() if "..." in wanted["members"] else value.keys() - known
        require(not extra, where, f"unknown members {sorted(extra)}")
        for rule in wanted.get("rules", []):
            if all(value.get(name) in values for name, values in rule["if"].items()):
                for name in rule.get("need", []):
                    require(name in value, where, f"{rule['if']} needs {name}")
                for name in rule.get("never", []):
                    require(name not in value, where, f"{rule['if']} forbids {name}")


def no_duplicates(pairs):
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise ValueError(f"a name stands twice among {names}")
    return dict(pairs)


def no_constant(name):
    raise ValueError(f"{name} is no JSON")


def records(content):
    """The texts of a JSON text sequence (RFC 7464), each behind RS and before LF, parsed."""
    require(content.startswith(RECORD_SEPARATOR), "file", "does not begin with RS")
    out = []
    for index, text in enumerate(content[1:].split(RECORD_SEPARATOR)):
        where = f"record {index}"
        require(text.endswith(LINE_FEED), where, "does not end with LF")
        require(LINE_FEED not in text[:-1], where, "holds a line feed")
        try:
            parsed = json.loads(text.decode("utf-8"), object_pairs_hook=no_duplicates, parse_constant=no_constant)
        except ValueError as failed:
            raise Wrong(f"{where}: {failed}") from failed
        out.append(parsed)
    return out


def check_header(schema, header, content):
    schema.check(header, schema.header, "header")
    begin = content[:257]
    for needle in (b"file_schema", b"serialization_format", b"application/qlog+json-seq"):
        require(needle in begin, "header", f"{needle} is not in the first 256 bytes")


def check_numbers(event, where, sent):
    """Packet numbers of what is sent only rise, each space for itself (RFC 9000 section 12.3)."""
    if event["name"] != "quic:packet_sent":
        return
    header = event["data"]["header"]
    space = {"initial": 0, "handshake": 1}.get(header["packet_type"], 2)
    require(header["packet_number"] > sent.get(space, -1), where, f"packet number {header['packet_number']} again")
    sent[space] = header["packet_number"]


def check_file(schema, content):
    """The events of a file; Wrong when anything is."""
    texts = records(content)
    check_header(schema, texts[0], content)
    before, sent = 0, {}
    for index, event in enumerate(texts[1:], 1):
        where = f"record {index}"
        schema.check(event, schema.event, where)
        require(event["name"] in schema.events, where, f"unknown event {event['name']}")
        schema.check(event["data"], schema.events[event["name"]], f"{where} {event['name']}")
        require(event["time"] >= before, where, f"time goes back from {before} to {event['time']}")
        before = event["time"]
        check_numbers(event, where, sent)
        require((index == 1) == (event["name"] == "quic:connection_started"), where, "a trace begins with its connection, once")
    require(len(texts) > 1, "file", "has no event")
    return texts


class Traces(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.schema = Schema(os.path.join(HERE, "qlog_schema.json"))
        cls.files = {}
        with tempfile.TemporaryDirectory(prefix="strata-qlog-") as folder:
            subprocess.run([TRACES, folder], check=True, timeout=100)
            for scenario in sorted(os.listdir(folder)):
                for name in sorted(os.listdir(os.path.join(folder, scenario))):
                    with open(os.path.join(folder, scenario, name), "rb") as file:
                        cls.files[f"{scenario}/{name}"] = file.read()

    def of(self, scenario):
        return {name: content for name, content in self.files.items() if name.startswith(scenario + "/")}

    def events(self, scenario, name=None):
        return [event for content in self.of(scenario).values() for event in records(content)[1:]
                if name is None or event["name"] == "quic:" + name]

    def test_every_file_keeps_to_the_schema(self):
        self.assertGreater(len(self.files), 10)
        for name, content in self.files.items():
            with self.subTest(file=name):
                header = check_file(self.schema, content)[0]
                stem = re.fullmatch(r"[a-z0-9_]+/([0-9a-f]+)_(client|server)(-[0-9]+)?\.sqlog", name)
                self.assertIsNotNone(stem)
                self.assertEqual(header["trace"]["common_fields"]["group_id"], stem[1])
                self.assertEqual(header["trace"]["vantage_point"]["type"], stem[2])

    def test_what_happens_is_there(self):
        for scenario in ("transfer", "losses"):
            self.assertEqual(len(self.of(scenario)), 2)
        seen = {event["name"].removeprefix("quic:") for event in self.events("losses")}
        self.assertLessEqual({"connection_started", "parameters_set", "packet_sent", "packet_received", "packet_dropped", "packet_lost",
                              "recovery_metrics_updated", "key_updated", "key_discarded", "connection_state_updated", "connection_closed"}, seen)
        everything = {event["name"] for name in self.files for event in self.events(name.split("/")[0])}
        self.assertEqual(everything, set(self.schema.events))

    def test_every_frame_is_there(self):
        frames = {frame["frame_type"] for name in self.files for event in self.events(name.split("/")[0])
                  for frame in event["data"].get("frames", [])}
        self.assertEqual(frames, set(self.schema.types["frame"]["cases"]))

    def test_what_one_side_sends_the_other_receives(self):
        traces = {records(content)[0]["trace"]["vantage_point"]["type"]: records(content)[1:] for content in self.of("transfer").values()}

        def packets(side, name):
            return [(event["data"]["header"], event["data"]["frames"], event["data"]["raw"]) for event in traces[side] if event["name"] == name]

        for one, other in (("client", "server"), ("server", "client")):
            sent, received = packets(one, "quic:packet_sent"), packets(other, "quic:packet_received")
            self.assertGreater(len(received), 20)
            for packet in received:
                self.assertIn(packet, sent)

    def test_an_acknowledgement_delay_is_in_milliseconds(self):
        delays = [frame["ack_delay"] for event in self.events("transfer", "packet_sent") for frame in event["data"]["frames"]
                  if frame["frame_type"] == "ack" and event["data"]["header"]["packet_type"] == "1RTT"]
        self.assertGreater(max(delays), 0)
        self.assertLessEqual(max(delays), 26)
        # Encoded in steps of eight microseconds.
        for delay in delays:
            self.assertEqual(round(delay * 1000) % 8, 0)

    def closed(self, scenario):
        (event,) = self.events(scenario, "connection_closed")
        return event["data"]

    def close_frames(self, scenario, name):
        return [frame for event in self.events(scenario, name) for frame in event["data"]["frames"] if frame["frame_type"] == "connection_close"]

    def test_hostile_reasons_arrive_harmless(self):
        told = "\"},\n\x1e{\"name\":\\u0000\t\x7f\x9b ä€🐟 \ufffd\ufffd\ufffd" + 9 * "\ufffd" + "\0"
        for scenario in ("hostile_application", "hostile_transport", "hostile_own"):
            with self.subTest(scenario=scenario):
                self.assertEqual(self.closed(scenario)["reason"], told)
                name = "packet_sent" if scenario == "hostile_own" else "packet_received"
                frame = self.close_frames(scenario, name)[0]
                self.assertNotIn("reason", frame)
                self.assertIn(b"\x1e{\"name\"", bytes.fromhex(frame["reason_bytes"]))
        self.assertEqual(self.closed("utf8")["reason"], "tü€🐟")
        self.assertEqual(self.close_frames("utf8", "packet_received")[0]["reason"], "tü€🐟")

    def test_ends_are_told_apart(self):
        self.assertEqual(self.closed("hostile_transport")["connection_error"], "crypto_error_0x12a")
        self.assertEqual(self.closed("hostile_application")["error_code"], 99)
        self.assertEqual(self.closed("hostile_own")["error_code"], 2**62 - 1)
        self.assertEqual((self.closed("idle_timeout")["trigger"], self.closed("idle_timeout")["initiator"]), ("idle_timeout", "local"))
        self.assertEqual(self.closed("every_frame")["connection_error"], "frame_encoding_error")
        self.assertIn(self.closed("silent_handshake")["trigger"], ("idle_timeout", "aborted"))

    def test_a_key_update_by_the_peer_is_told(self):
        updates = [event["data"] for event in self.events("key_update", "key_updated") if event["data"]["trigger"] == "remote_update"]
        self.assertEqual([(update["key_type"], update["key_phase"]) for update in updates], [("client_1rtt_secret", 1), ("server_1rtt_secret", 1)])
        numbers = [event["data"]["header"]["packet_number"] for event in self.events("key_update", "packet_received")]
        self.assertEqual(numbers[-1], 1000)

    def test_each_key_of_the_handshake_is_told_once(self):
        told = [event["data"]["key_type"] for event in self.events("key_update", "key_updated") if event["data"]["trigger"] == "tls"]
        self.assertEqual(sorted(told), ["client_1rtt_secret", "client_handshake_secret", "server_1rtt_secret", "server_handshake_secret"])

    def test_one_name_twice_is_two_files(self):
        self.assertEqual(len(self.of("told")), 2)

    # The checker itself: what is broken must be seen.

    def good(self):
        return next(iter(self.of("losses").values()))

    def broken(self, change):
        """Lets `change` alter the texts of a good file and says whether the checker saw it."""
        texts = copy.deepcopy(records(self.good()))
        change(texts)
        content = b"".join(RECORD_SEPARATOR + json.dumps(text).encode() + LINE_FEED for text in texts)
        with self.assertRaises(Wrong) as caught:
            check_file(self.schema, content)
        return str(caught.exception)

    def first(self, texts, name, frame=None):
        return next(text["data"] for text in texts[1:] if text["name"] == "quic:" + name
                    and (frame is None or any(one["frame_type"] == frame for one in text["data"]["frames"])))

    def test_broken_framing_is_seen(self):
        good = self.good()
        for bad in (b"", good[1:], good[:-1], good.replace(b"\n\x1e", b"\x1e", 1), good.replace(b"\x1e", b"", 2), good + b"\x1e",
                    good.replace(b"{", b"{\n", 1), good[:-3] + b"\n", good + b"\x1e{}\n", good.replace(b"quic:", b"quic:\xff", 1),
                    good.replace(b'"time":', b'"time":1,"time":', 1), good.replace(b'"time":0.000', b'"time":NaN', 1),
                    good.replace(b"strata", b"stra\x01ta", 1)):
            with self.assertRaises(Wrong):
                check_file(self.schema, bad)

    def test_broken_members_are_seen(self):
        def in_frame(name, frame, alter):
            def change(texts):
                alter(next(one for one in self.first(texts, name, frame)["frames"] if one["frame_type"] == frame))
            return change

        def set_in(name, path, value):
            def change(texts):
                place = self.first(texts, name)
                for key in path[:-1]:
                    place = place[key]
                place[path[-1]] = value
            return change

        changes = {
            "quic-00": lambda texts: texts[0]["trace"].update(event_schemas=["urn:ietf:params:qlog:events:quic-00"]),
            "wall_clock_time_ms": lambda texts: texts[0]["trace"]["common_fields"]["reference_time"].update(wall_clock_time_ms=1),
            "time_format": lambda texts: texts[0]["trace"]["common_fields"].pop("time_format"),
            "time goes back": lambda texts: texts[-1].update(time=0),
            "unknown event": lambda texts: texts[-1].update(name="quic:no_such_event"),
            "colour": lambda texts: texts[-1].update(colour="red"),
            "begins": lambda texts: texts.pop(1),
            "again": lambda texts: texts.insert(len(texts), dict(next(t for t in texts[1:] if t["name"] == "quic:packet_sent"), time=texts[-1]["time"])),
            "packet_number is missing": lambda texts: self.first(texts, "packet_lost")["header"].pop("packet_number"),
            "packet_number: 46": set_in("packet_lost", ["header", "packet_number"], 2**62),
            "packet_number: -1": set_in("packet_lost", ["header", "packet_number"], -1),
            "packet_number: 1.0": set_in("packet_lost", ["header", "packet_number"], 1.0),
            "packet_number: True": set_in("packet_lost", ["header", "packet_number"], True),
            "packet_type": set_in("packet_sent", ["header", "packet_type"], "1rtt"),
            "forbids": set_in("packet_sent", ["header", "key_phase"], 0),
            "raw.size": set_in("packet_sent", ["raw", "size"], 1),
            "trigger: 'unexpected_packet'": set_in("packet_dropped", ["trigger"], "unexpected_packet"),
            "trigger: 'handshake_timeout'": set_in("connection_closed", ["trigger"], "handshake_timeout"),
            "key_type": set_in("key_updated", ["key_type"], "client_secret"),
            "min_rtt: -1": set_in("recovery_metrics_updated", ["min_rtt"], -1),
            "min_rtt: '1'": set_in("recovery_metrics_updated", ["min_rtt"], "1"),
            "port_v4": set_in("connection_started", ["local", "port_v4"], 65536),
            "new: 'up'": set_in("connection_state_updated", ["new"], "up"),
            "ack_delay_exponent": set_in("parameters_set", ["ack_delay_exponent"], 21),
            "unknown frame_type": in_frame("packet_sent", "crypto", lambda frame: frame.update(frame_type="cryptic")),
            "length is missing": in_frame("packet_sent", "crypto", lambda frame: frame["raw"].pop("length")),
            "offset": in_frame("packet_sent", "crypto", lambda frame: frame.update(offset="0")),
            "fin": in_frame("packet_sent", "stream", lambda frame: frame.update(fin=1)),
            "does not ascend": in_frame("packet_sent", "ack", lambda frame: frame.update(acked_ranges=[[5, 4]])),
            "list of 1 to 2": in_frame("packet_sent", "ack", lambda frame: frame.update(acked_ranges=[[1, 2, 3]])),
            "stateless_reset_token": in_frame("packet_sent", "new_connection_id", lambda frame: frame.update(stateless_reset_token="00")),
        }
        for said, change in changes.items():
            with self.subTest(said):
                message = self.broken(change)
                words = said.replace("raw.size", "unknown members ['size']")
                for word in ([words] if " " in words and ":" not in words else words.split(": ")):
                    self.assertIn(word, message)

    def test_rules_between_members_are_seen(self):
        closed = self.schema.events["quic:connection_closed"]
        frame = "frame"
        good = [(closed, {"connection_error": "unknown", "error_code": 17}), (frame, {"frame_type": "unknown", "frame_type_bytes": 33}),
                (self.schema.events["quic:key_updated"], {"key_type": "client_1rtt_secret", "trigger": "remote_update", "key_phase": 1})]
        bad = [(closed, {"connection_error": "unknown"}), (closed, {"application_error": "unknown"}), (closed, {"trigger": "idle_timeout", "error_code": 0}),
               (closed, {"connection_error": "crypto_error_0x2ff"}), (frame, {"frame_type": "unknown"}), (frame, {"stream_id": 1}), (frame, 1),
               (frame, {"frame_type": "connection_close", "error": "unknown"}),
               (frame, {"frame_type": "connection_close", "error_space": "application", "trigger_frame_type": 1}),
               (frame, {"frame_type": "reset_stream", "stream_id": 1, "error": "unknown", "final_size": 1}),
               (self.schema.events["quic:key_updated"], {"key_type": "client_1rtt_secret", "trigger": "remote_update"})]
        for kind, value in good:
            self.schema.check(value, kind, "value")
        for kind, value in bad:
            with self.subTest(value=value), self.assertRaises(Wrong):
                self.schema.check(value, kind, "value")


if __name__ == "__main__":
    TRACES = sys.argv[1]
    unittest.main(argv=[sys.argv[0]], verbosity=2)
