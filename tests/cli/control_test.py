#!/usr/bin/env python3
"""A running job and a second terminal: ps, send, stats, pause, resume, stop, and the raw socket."""
import json
import os
import re
import socket
import stat
import unittest

import rk


class Commands(rk.Case):
    def test_no_job(self):
        self.assertEqual(self.rk("ps")[0], "No job is running.\n")
        self.assertEqual(self.rk_json("ps"), {"jobs": []})
        self.refuses(1, "no job 'x' is running", "stop", "x")

    def test_a_second_terminal(self):
        job = self.start(self.endless(), "-o", "out")
        jobs = self.rk_json("ps")["jobs"]
        self.assertEqual([(j["job"], j["pid"], j["state"]) for j in jobs],
                         [("canary", job.pid, "running")])
        self.assertEqual(jobs[0]["folder"], os.path.realpath(self.path("out")))
        self.assertIn("canary", self.rk("ps")[0])

        # By name, by process, by both.
        for name in ("canary", str(job.pid), f"canary.{job.pid}"):
            answer = self.rk_json("send", name, "bird", "ping")
            self.assertEqual((answer["kernel"], answer["level"], answer["status"]),
                             ("bird", "applied", "RK_OK"))
        self.refuses(1, "did you mean 'canary'?", "send", "canry", "bird", "ping")
        self.refuses(1, "no kernel 'bard'", "send", "canary", "bard", "ping")
        self.refuses(2, "did you mean 'ping'?", "send", "canary", "bird", "pin")
        self.refuses(2, "use: run STEPS", "send", "canary", "bird", "run")

        # Pause holds the step; resume goes on.
        self.assertIn("bird: paused at step", self.rk("pause", "canary")[0])
        step = self.rk_json("stats", "canary")["kernels"][0]["step"]
        self.assertEqual(self.rk_json("ps")["jobs"][0]["state"], "paused")
        self.assertEqual(self.rk_json("stats", "canary")["kernels"][0]["step"], step)

        # Commands are applied while it is paused, at that step.
        answer = self.rk_json("send", "canary", "bird", "inject", "value", "0", "5")
        self.assertEqual(answer["step"], step)
        answer = self.rk_json("send", "canary", "bird", "custom", "5", "hex:0000000000000000")
        self.assertEqual(answer["value"][0], "5")
        answer = self.rk_json("send", "canary", "bird", "check", code=1)
        self.assertEqual(answer["status"], "RK_INTERNAL")  # the canary notices
        self.refuses(1, "no field 'valu'", "send", "canary", "bird", "inject", "valu", "0", "-5")
        self.refuses(1, "outside field", "send", "canary", "bird", "inject", "value", "99999", "1")

        # A step budget makes it stop by itself.
        self.rk("send", "canary", "bird", "step-budget", "10")
        self.rk("resume", "canary")
        self.assertTrue(self.poll_until(
            lambda: self.rk_json("ps")["jobs"][0]["state"] == "paused", job))
        self.rk("send", "canary", "bird", "step-budget", "none")
        self.rk("resume", "canary")
        stats = self.rk_json("stats", "canary")["kernels"][0]
        self.assertGreaterEqual(stats["step"], step + 10)
        self.assertGreater(stats["commands"], 5)

        # It leaves the device and comes back.
        self.rk("send", "canary", "bird", "quiesce")
        self.refuses(1, "not resident", "send", "canary", "bird", "ping")
        self.rk("resume", "canary")
        self.rk("send", "canary", "bird", "ping")

        out, _ = self.rk("stop", "canary")
        self.assertIn("canary is ending", out)
        self.finish(job)
        self.assertEqual(self.rk_json("ps"), {"jobs": []})
        self.assertIn("summary.json", os.listdir(self.path("out")))

    def test_runs_are_waited_for(self):
        path = self.write("talk.yaml", "job: talk\nkernels: [{name: e, module: echo}]\n")
        job = self.start(path, "-o", "out")
        answer = self.rk_json("send", "talk", "e", "message", "256", "hello")
        self.assertEqual(answer["level"], "applied")
        answer = self.rk_json("send", "talk", "e", "receive")
        self.assertEqual((answer["type"], answer["text"], answer["hex"]),
                         (256, "hello", "68656c6c6f"))
        self.rk("send", "talk", "e", "message", "300", "hex:ff00ff")
        answer = self.rk_json("send", "talk", "e", "receive")
        self.assertEqual((answer["type"], answer["length"], answer["hex"]), (300, 3, "ff00ff"))
        self.assertNotIn("text", answer)
        self.rk("send", "talk", "e", "message", "300", "hex:4100")
        answer = self.rk_json("send", "talk", "e", "receive")
        self.assertEqual((answer["length"], answer["hex"]), (2, "4100"))
        self.assertNotIn("text", answer)
        long = "x" * 5000
        self.rk("send", "talk", "e", "message", "301", long)
        self.assertEqual(self.rk_json("send", "talk", "e", "receive")["length"], 5000)
        self.refuses(1, "has emitted no message", "send", "talk", "e", "receive", "--timeout", "0")
        self.refuses(1, "from 256 on", "send", "talk", "e", "message", "3")
        self.refuses(1, "pairs of hexadecimal digits", "send", "talk", "e", "custom", "1", "hex:0")
        answer = self.rk_json("send", "talk", "e", "custom", "7", "hex:0102")
        self.assertEqual(answer["value"], ["7", "2", "513"])
        self.rk("send", "talk", "e", "terminate")
        self.finish(job, code=0)

    def test_a_receive_that_was_given_up_takes_nothing(self):
        path = self.write("talk.yaml", "job: talk\nkernels: [{name: e, module: echo}]\n")
        job = self.start(path, "-o", "out")
        client = rk.subprocess.Popen([rk.PROGRAM, "send", "talk", "e", "receive", "-t", "1h"],
                                     env=self.env, stdout=rk.subprocess.DEVNULL)
        self.jobs.append(client)
        client.kill()
        client.wait(rk.LIMIT_S)
        self.rk("send", "talk", "e", "message", "256", "kept")
        self.assertEqual(self.rk_json("send", "talk", "e", "receive")["text"], "kept")
        self.rk("send", "talk", "e", "terminate")
        self.finish(job)

    def test_a_run_that_is_not_reached(self):
        job = self.start(self.endless(), "-o", "out")
        late = self.refuses(1, "accepted, but not applied within",
                            "send", "canary", "bird", "run", "10", "-t", "50ms")
        self.assertIn("run", late)
        self.assertIn("no end", self.rk("send", "canary", "bird", "progress")[0])
        self.assertIn("messages_received", self.rk("send", "canary", "bird", "stats")[0])
        self.assertNotIn(" of ", self.rk("stats", "canary")[0].splitlines()[0])
        self.assertIn(os.path.realpath(self.path("out")), self.rk("stop", "canary")[0])
        self.finish(job)

    def test_two_jobs_of_one_name(self):
        one = self.start(self.endless(), "-o", "one")
        two = self.start(self.endless(), "-o", "two")
        err = self.refuses(1, "several jobs are called 'canary'", "stop", "canary")
        self.assertIn(str(one.pid), err)
        self.rk("stop", str(one.pid))
        self.finish(one)
        self.rk("stop", "canary")
        self.finish(two)

    def test_a_panic_by_command(self):
        job = self.start(self.endless(), "-o", "out")
        self.rk("send", "canary", "bird", "custom", "2")
        _, err = self.finish(job, code=4)
        self.assertIn("told to panic", err)

    def test_stats_are_watched_to_the_end(self):
        job = self.start(self.endless(), "-o", "out")
        watch = rk.subprocess.Popen([rk.PROGRAM, "stats", "canary", "--watch", "--json",
                                     "--interval", "50ms"], env=self.env, text=True,
                                    stdout=rk.subprocess.PIPE)
        self.jobs.append(watch)
        for _ in range(2):
            self.assertEqual(json.loads(watch.stdout.readline())["job"], "canary")
        self.rk("stop", "canary")
        self.finish(job)
        watch.communicate(timeout=rk.LIMIT_S)
        self.assertEqual(watch.returncode, 0)

    def test_a_killed_job_leaves_no_trace_in_ps(self):
        job = self.start(self.endless(), "-o", "out")
        job.kill()
        job.wait(rk.LIMIT_S)
        self.assertEqual(len(os.listdir(self.path("ringkernel"))), 1)
        self.assertEqual(self.rk_json("ps"), {"jobs": []})
        self.assertEqual(os.listdir(self.path("ringkernel")), [])

    def test_completion_knows_jobs_and_kernels(self):
        job = self.start(self.endless(), "-o", "out")
        self.assertIn("canary\t", self.rk("__complete", "--", "stop", "ca")[0])
        self.assertIn("bird\tcanary", self.rk("__complete", "--", "send", "canary", "")[0])
        self.rk("stop", "canary")
        self.finish(job)


class Folder(rk.Case):
    def test_only_the_user_may_enter(self):
        job = self.start(self.endless(), "-o", "out")
        mode = os.stat(self.path("ringkernel")).st_mode
        self.assertEqual(stat.S_IMODE(mode), 0o700)
        os.chmod(self.path("ringkernel"), 0o755)
        self.refuses(1, "chmod 700", "ps")
        os.chmod(self.path("ringkernel"), 0o700)
        self.rk("stop", "canary")
        self.finish(job)

    def test_a_folder_that_is_none(self):
        os.symlink("/tmp", self.path("ringkernel"))
        self.refuses(1, "is not a folder of this user", "ps")
        os.unlink(self.path("ringkernel"))
        self.write("ringkernel", "")
        # The job runs all the same, and says that it takes no commands.
        _, err = self.rk("run", self.room(duration="5 ms"), "-o", "out")
        self.assertIn("takes no commands from other terminals", err)


class Protocol(rk.Case):
    def setUp(self):
        super().setUp()
        self.job = self.start(self.endless(), "-o", "out")
        names = os.listdir(self.path("ringkernel"))
        self.assertTrue(re.fullmatch(r"canary\.\d+\.sock", names[0]), names)
        self.socket_path = self.path("ringkernel", names[0])

    def connect(self):
        connection = socket.socket(socket.AF_UNIX)
        self.addCleanup(connection.close)
        connection.settimeout(rk.LIMIT_S)
        connection.connect(self.socket_path)
        return connection

    def ask(self, connection, line):
        connection.sendall(line if isinstance(line, bytes) else line.encode() + b"\n")
        return json.loads(connection.makefile().readline())

    def test_requests(self):
        connection = self.connect()
        reply = self.ask(connection, '{"v":1,"do":"info"}')
        self.assertEqual((reply["v"], reply["ok"], reply["job"]), (1, True, "canary"))
        reply = self.ask(connection, '{"v":1,"do":"send","kernel":"bird","command":"ping",'
                                     '"args":[],"wait_ms":5000}')
        self.assertEqual((reply["kernel"], reply["command"], reply["level"]),
                         ("bird", "ping", "applied"))

    def test_several_requests_at_once(self):
        connection = self.connect()
        connection.sendall(b'{"v":1,"do":"info"}\n{"v":1,"do":"oops"}\n{"v":1,"do":"stats"}\n')
        file = connection.makefile()
        self.assertEqual([json.loads(file.readline())["ok"] for _ in range(3)],
                         [True, False, True])

    def test_garbage(self):
        cases = {
            "": "RK_SYNTAX", "hello": "RK_SYNTAX", "[]": "RK_SYNTAX", "{}": "RK_INVALID",
            "\xff\xfe": "RK_SYNTAX", '{"v":2,"do":"info"}': "RK_VERSION",
            '{"v":1,"do":"explode"}': "RK_INVALID", '{"v":1,"do":3}': "RK_INVALID",
            '{"v":1,"do":"info","v":1}': "RK_SYNTAX", '{"v":1,"do":"info","x":1}': "RK_INVALID",
            '{"v":1,"do":"send"}': "RK_INVALID",
            '{"v":1,"do":"send","kernel":"bird","command":"no"}': "RK_NOT_FOUND",
            '{"v":1,"do":"send","kernel":"bird","command":"ping","args":"x"}': "RK_INVALID",
            '{"v":1,"do":"send","kernel":"bird","command":"ping","args":[1]}': "RK_INVALID",
            '{"v":1,"do":"send","kernel":"bird","command":"ping","wait_ms":-1}': "RK_INVALID",
            '{"v":1,"do":"info","args":["1","2","3","4","5","6","7","8","9"]}': "RK_LIMIT",
            "[" * 3000: "RK_SYNTAX",
        }
        connection = self.connect()
        for line, code in cases.items():
            reply = self.ask(connection, line.encode("latin-1") + b"\n")
            self.assertEqual((reply["ok"], reply["error"]["code"]), (False, code), line[:60])
        self.assertTrue(self.ask(connection, '{"v":1,"do":"info"}')["ok"])

    def test_an_endless_line(self):
        connection = self.connect()
        reply = self.ask(connection, b"x" * (256 * 1024))
        self.assertEqual(reply["error"]["code"], "RK_LIMIT")
        self.assertTrue(self.ask(self.connect(), '{"v":1,"do":"info"}')["ok"])

    def test_many_clients(self):
        clients = [self.connect() for _ in range(16)]
        for client in clients:
            self.assertTrue(self.ask(client, '{"v":1,"do":"info"}')["ok"])
        reply = json.loads(self.connect().makefile().readline())
        self.assertEqual(reply["error"]["code"], "RK_BUSY")
        clients[3].close()
        self.assertTrue(self.poll_until(lambda: self.is_served()))

    def is_served(self):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(self.socket_path)
            try:
                return self.ask(connection, '{"v":1,"do":"info"}')["ok"]
            except OSError:
                return False  # turned away before the request was read

    def test_a_client_that_leaves_while_it_waits(self):
        connection = self.connect()
        self.rk("pause", "canary")
        # A run of a paused kernel is not applied; nobody waits for it any more.
        connection.sendall(b'{"v":1,"do":"send","kernel":"bird","command":"run","args":["5"],'
                           b'"wait_ms":86400000}\n')
        connection.close()
        self.rk("stop", "canary")
        self.finish(self.job)


if __name__ == "__main__":
    rk.main()
