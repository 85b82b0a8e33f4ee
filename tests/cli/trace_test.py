#!/usr/bin/env python3
"""Timelines: of a whole run, of a running job, and what is said about one."""
import json
import os
import socket
import unittest

import rk


def check(test, path):
    """A trace event file as Perfetto wants it; returns its events."""
    with open(path, encoding="utf-8") as file:
        root = json.load(file)
    test.assertEqual(root["displayTimeUnit"], "ns")
    last = {}
    stacks = {}
    ranges = {}
    named = set()
    for event in root["traceEvents"]:
        phase = event["ph"]
        track = (event["pid"], event["tid"])
        if phase == "M":
            if event["name"] == "process_name":
                named.add(event["pid"])
            continue
        test.assertIn(phase, "BEibeC")
        test.assertGreaterEqual(event["ts"], last.get(track, 0))
        last[track] = event["ts"]
        if phase == "B":
            stacks.setdefault(track, []).append(event["name"])
        elif phase == "E":
            test.assertTrue(stacks.get(track), f"an end without a begin: {event}")
            stacks[track].pop()
        elif phase == "b":
            ranges[event["id"]] = ranges.get(event["id"], 0) + 1
        elif phase == "e":
            test.assertGreater(ranges.get(event["id"], 0), 0)
            ranges[event["id"]] -= 1
        elif phase == "C":
            test.assertIsInstance(event["args"]["value"], int)
    test.assertFalse([stack for stack in stacks.values() if stack])
    test.assertFalse([count for count in ranges.values() if count])
    test.assertLessEqual({track[0] for track in last}, named)
    return root["traceEvents"]


def names(events, phase):
    return [event["name"] for event in events if event["ph"] == phase]


class Trace(rk.Case):
    def test_of_a_whole_run(self):
        self.rk("run", self.room(), "-o", "out", "--trace", "run.json", "-q")
        events = check(self, self.path("run.json"))
        begun = names(events, "B")
        with open(self.path("out", "summary.json"), encoding="utf-8") as file:
            steps = json.load(file)["steps"]
        sums = self.rk_json("trace", "run.json")
        self.assertLessEqual(begun.count("step"), steps)
        if sums["lost"] == 0:  # a machine with other work may keep the reader away for too long
            self.assertEqual(begun.count("step"), steps)
            self.assertEqual(begun.count("advance"), steps)
        for name in ("resident", "init", "start room", "park room", "picture", "save results"):
            self.assertIn(name, begun)
        self.assertIn("run", names(events, "i"))
        self.assertIn("steps taken", names(events, "C"))

        step = [span for span in sums["spans"] if span["span"] == "step"][0]
        self.assertEqual(step["count"], begun.count("step"))
        self.assertEqual(step["track"], "kernel room (wave3d) on cpu:0")
        self.assertGreaterEqual(step["total_us"], step["most_us"])
        out, _ = self.rk("trace", "run.json")
        self.assertIn("advance", out)

    def test_of_a_running_job(self):
        job = self.start(self.endless(), "-o", "out")
        reply = self.rk_json("trace", "canary", "--time", "50ms", "-o", "now.json")
        self.assertEqual(reply["file"], os.path.join(os.path.realpath(self.folder), "now.json"))
        events = check(self, self.path("now.json"))
        self.assertIn("step", names(events, "B"))
        self.assertIn("sing", names(events, "B"))
        self.assertEqual(reply["events"], len(events))

        self.rk("trace", "canary", "--time", "10ms", "--kernel", "bird", "--what", "step",
                "--every", "1000", "-o", "few.json")
        few = check(self, self.path("few.json"))
        self.assertLessEqual(set(names(few, "B")), {"step"})  # none, if it took few steps
        for event in few:
            if event["ph"] == "B":
                self.assertEqual(event["args"]["step"] % 1000, 0)

        self.refuses(1, "no kernel 'bard'; did you mean 'bird'", "trace", "canary", "-k", "bard")
        self.refuses(1, "did you mean 'phase'", "trace", "canary", "--what", "phases")
        self.refuses(1, "nowhere", "trace", "canary", "-o", "/nowhere/t.json")
        self.rk("stop", "canary")
        self.finish(job)

    def test_ends_with_the_job(self):
        job = self.start(self.endless(), "-o", "out", "--trace", "whole.json")
        self.refuses(1, "is traced already", "trace", "canary")
        self.rk("stop", "canary")
        self.finish(job)
        check(self, self.path("whole.json"))

    def test_a_client_that_leaves(self):
        """The timeline ends with its client, and the next one finds the kernel free."""
        job = self.start(self.endless(), "-o", "out")
        sockets = self.path("ringkernel")
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(os.path.join(sockets, os.listdir(sockets)[0]))
            request = {"v": 1, "do": "trace", "file": self.path("left.json"), "wait_ms": 3600000}
            client.sendall(json.dumps(request).encode() + b"\n")
        self.assertTrue(self.poll_until(lambda: os.path.exists(self.path("left.json")), job))
        check(self, self.path("left.json"))
        self.rk("trace", "canary", "--time", "1ms")
        self.rk("stop", "canary")
        self.finish(job)

    def test_files_that_are_none(self):
        self.refuses(1, "none.json", "trace", "none.json")
        self.write("list.json", "[1, 2]")
        self.refuses(3, "traceEvents", "trace", "list.json")
        self.write("cut.json", '{"traceEvents":[')
        self.refuses(3, "no JSON", "trace", "cut.json")
        event = '{"ph":"%s","pid":1,"tid":1,"ts":%d,"name":"a"}'
        for sentence, events in (("without a begin", [("E", 1)]),
                                 ("has no end", [("B", 1)]),
                                 ("goes back", [("B", 2), ("E", 1)]),
                                 ("no 'ph'", [("", 1)])):
            text = ",".join(event % one for one in events)
            self.write("bad.json", '{"traceEvents":[%s]}' % text)
            self.refuses(3, sentence, "trace", "bad.json")


if __name__ == "__main__":
    rk.main()
