#!/usr/bin/env python3
"""rk run: a small room, jobs of kernels, interruption, failures, bad input."""
import json
import os
import pty
import resource
import shutil
import struct
import subprocess
import unittest

import rk


class Rooms(rk.Case):
    def test_a_small_room(self):
        summary = self.rk_json("run", self.room(duration="300 ms"), "--output", "out")
        self.assertTrue(summary["complete"])
        self.assertEqual(summary["job"], "room")
        self.assertGreater(summary["steps"], 1000)
        self.assertGreater(summary["cells"], 10000)
        self.assertGreater(summary["seconds"], 0)
        self.assertGreater(summary["rt60_s"], 0.5)
        self.assertEqual(len(summary["receivers"]), 2)
        names = self.check_whole(self.path("out"))
        self.assertEqual(sorted(output["file"] for output in summary["outputs"]), names)
        self.assertLessEqual({"a.wav", "b.wav", "decay.png", "receivers.csv", "decay.csv",
                              "summary.txt", "summary.json"}, set(names))
        self.assertEqual(sum(name.startswith("plan-") for name in names), 2)
        with open(self.path("out/summary.json"), encoding="utf-8") as file:
            self.assertEqual(json.load(file), summary)
        # The pulse arrives, and later than sound takes for the 1.47 m from the source to 'a'.
        with open(self.path("out/receivers.csv"), encoding="utf-8") as file:
            rows = [[float(cell) for cell in line.split(",")] for line in file.readlines()[1:]]
        self.assertEqual(len(rows), summary["steps"])
        peak = max(abs(row[1]) for row in rows)
        arrival = next(row[0] for row in rows if abs(row[1]) > 0.1 * peak)
        self.assertGreater(arrival, 1.47 / 350)
        with open(self.path("out/a.wav"), "rb") as file:
            self.assertEqual(struct.unpack("<I", file.read()[24:28])[0], 44100)

    def test_the_number_of_blocks_changes_nothing(self):
        path = self.room()
        for blocks in ("1", "3"):
            self.rk("run", path, "-q", "-o", f"out{blocks}", "--blocks", blocks)
        for name in ("receivers.csv", "a.wav"):
            with open(self.path("out1", name), "rb") as one, \
                    open(self.path("out3", name), "rb") as three:
                self.assertEqual(one.read(), three.read(), name)

    def test_another_device_gives_the_same(self):
        names = [device["name"] for device in self.rk_json("devices")["devices"]]
        if "opencl:0" not in names:
            self.skipTest("OpenCL has no device")
        path = self.room(duration="20 ms")
        tables = []
        for device in ("cpu", "opencl:0"):
            self.rk("run", path, "-q", "-o", f"out-{device}", "--device", device, "--blocks", "1")
            with open(self.path(f"out-{device}/receivers.csv"), encoding="utf-8") as file:
                tables.append([[float(cell) for cell in line.split(",")]
                               for line in file.readlines()[1:]])
        self.assertEqual(len(tables[0]), len(tables[1]))
        peak = max(abs(cell) for row in tables[0] for cell in row[1:])
        self.assertGreater(peak, 0)
        for cpu, other in zip(*tables):
            for a, b in zip(cpu, other):
                self.assertLess(abs(a - b), 1e-5 * peak)

    def test_plain_lines_and_a_text_summary(self):
        out, err = self.rk("run", self.room(duration="1 s"), "-o", "out")
        self.assertIn("RT60", out)
        self.assertIn("The results are in out", out)
        self.assertIn("job 'room' runs", err)
        self.assertNotIn("\r", err)
        with open(self.path("out/summary.txt"), encoding="utf-8") as file:
            self.assertTrue(out.startswith(file.read()))

    def test_quiet_says_nothing(self):
        self.assertEqual(self.rk("run", self.room(), "-q", "-o", "out"), ("", ""))

    def test_a_bar_on_a_terminal(self):
        leader, follower = pty.openpty()
        self.env["TERM"] = "xterm"
        job = subprocess.Popen([rk.PROGRAM, "run", self.endless(), "-o", "out"], env=self.env,
                               cwd=self.folder, stdout=subprocess.DEVNULL, stderr=follower)
        self.jobs.append(job)
        os.close(follower)
        seen = b""
        while b"steps/s" not in seen and b"Mcells/s" not in seen:
            seen += os.read(leader, 4096)
        job.send_signal(rk.INT)
        try:
            while True:
                seen += os.read(leader, 4096)
        except OSError:
            pass  # the other side is closed: the job has ended
        os.close(leader)
        self.assertEqual(job.wait(rk.LIMIT_S), 0)  # a job without end has done all it should
        self.assertIn(b"\r", seen)
        self.assertIn(b"saving what there is", seen)

    def test_the_folder_comes_from_the_job(self):
        self.rk("run", self.room("hall"), "-q")
        self.assertIn("summary.txt", os.listdir(self.path("out/hall")))

    def test_a_job_from_stdin(self):
        text = rk.ROOM.format(name="piped", duration="10 ms")
        self.rk("run", "-", "-q", "-o", "out", stdin=text)
        self.assertIn("a.wav", os.listdir(self.path("out")))


class Kernels(rk.Case):
    def job(self, text, name="job.yaml"):
        return self.write(name, text)

    def test_two_kernels_fields_commands_and_outputs(self):
        with open(self.path("start.raw"), "wb") as file:
            file.write(struct.pack("<8Q", *range(8)))
        path = self.job("""\
job: pair
kernels:
  - name: first
    module: canary
    params: {cells: 8}
    run: {steps: 30}
    outputs: [{field: value, at: [0, 10]}, {field: value, format: csv}]
  - {name: second, module: canary, run: {steps: 20}, device: "cpu:1"}
commands:
  - {at: 10, kernel: first, command: inject, args: [value, 3, 77]}
  - {at: 20, kernel: second, command: check}
""")
        out, err = self.rk("run", path, "-o", "out", "--json")
        summary = json.loads(out)
        self.assertEqual([(k["name"], k["step"]) for k in summary["kernels"]],
                         [("first", 30), ("second", 20)])
        self.assertRegex(err, r"first: inject \d+ applied at step 10")
        self.assertRegex(err, r"second: check \d+ applied at step 20")
        with open(self.path("out/first-value-00000000.raw"), "rb") as file:
            self.assertEqual(struct.unpack("<8Q", file.read()), tuple(range(1, 9)))
        # A picture of a step is taken before the commands of that step change it.
        with open(self.path("out/first-value-00000010.raw"), "rb") as file:
            self.assertNotEqual(struct.unpack("<8Q", file.read())[3], 77)
        self.assertIn("first-value-00000030.csv", self.check_whole(self.path("out")))

    def test_fields_from_files_and_numbers(self):
        values = [0.5 * i for i in range(64)]
        with open(self.path("heat.raw"), "wb") as file:
            file.write(struct.pack("<64f", *values))
        self.rk("build", os.path.join(rk.SOURCE, "examples", "plate.c"), "--target", "cpu",
                "--levels", "v2")
        text = """\
job: plate
kernels:
  - name: p
    module: ./plate.rkm
    params: {n: 8}
    fields: {heat: HEAT}
    run: {steps: 1}
    outputs: [{field: heat, at: [0]}]
"""
        self.rk("run", self.job(text.replace("HEAT", "heat.raw")), "-q", "-o", "a")
        with open(self.path("a/p-heat-00000000.raw"), "rb") as file:
            self.assertEqual(list(struct.unpack("<64f", file.read())), values)
        self.rk("run", self.job(text.replace("HEAT", "2.25")), "-q", "-o", "b")
        with open(self.path("b/p-heat-00000000.raw"), "rb") as file:
            self.assertEqual(set(struct.unpack("<64f", file.read())), {2.25})
        os.truncate(self.path("heat.raw"), 100)
        self.refuses(3, "heat.raw has 100 bytes, but the field has 64 elements", "run",
                     self.job(text.replace("HEAT", "heat.raw")), "-q", "-o", "c")

    def test_kernels_send_to_each_other(self):
        self.write("relay.c", """\
#define RK_NAME relay
#define RK_FIELDS(F) F(u64, seen, "1", "", "state,output", "the largest number received")
#define RK_PHASES(X) X(nothing)
#define RK_HAS_MESSAGE 1
#define RK_HAS_AFTER_STEP 1
#include <ringkernel/kernel.h>
RK_PHASE(nothing) { (void)k; }
RK_AFTER_STEP { rk_u64 step = k->step; (void)rk_send(k, 0u, 256u, &step, sizeof step); }
RK_ON_MESSAGE
{
    rk_u64 number = 0u;
    for (rk_u32 i = 0u; i < message->length && i < 8u; i++) {
        number |= (rk_u64)message->payload[i] << (8u * i);
    }
    RK_FIELD(k, seen)[0] = number;
}
""")
        self.rk("build", "relay.c", "--target", "cpu", "--levels", "v2")
        path = self.job("""\
job: relay
kernels:
  - {name: a, module: relay.rkm, run: {steps: 50}, routes: [b], outputs: [{field: seen}]}
  - {name: b, module: relay.rkm, run: {steps: 50}, routes: [a], outputs: [{field: seen}]}
""")
        self.rk("run", path, "-q", "-o", "out")
        for name in "ab":
            with open(self.path(f"out/{name}-seen-00000050.raw"), "rb") as file:
                seen = struct.unpack("<Q", file.read())[0]
            self.assertTrue(1 <= seen <= 50, seen)  # the last ones may come when all have parked
        self.refuses(3, "no kernel 'c'", "run",
                     self.job("job: x\nkernels: [{name: a, module: relay.rkm, routes: [c]}]\n"))

    def test_steps_sent_from_outside_come_on_top(self):
        path = self.job("""\
job: more
kernels: [{name: bird, module: canary, run: {steps: 10}}]
commands: [{at: 5, kernel: bird, command: run, args: [20]}]
""")
        summary = self.rk_json("run", path, "-o", "out")
        self.assertTrue(summary["complete"])
        self.assertEqual(summary["steps"], 30)

    def fails(self, operation, restart="never"):
        return self.job(f"""\
job: bad
kernels:
  - name: bird
    module: canary
    run: {{steps: 100}}
    restart: {restart}
    outputs: [{{field: value, at: [50]}}, {{field: value, format: csv}}]
commands:
  - {{at: 60, kernel: bird, command: custom, args: [{operation}]}}
""")

    def test_a_panic_is_an_event(self):
        _, err = self.rk("run", self.fails(2), "-o", "out", code=4)
        self.assertIn("kernel 'bird' panicked at step 60", err)
        self.assertEqual(err.count("canary: told to panic"), 1, err)  # told once
        self.assertIn("what could be saved is in out", err)
        names = self.check_whole(self.path("out"))
        self.assertIn("bird-value-00000050.raw", names)
        with open(self.path("out/summary.json"), encoding="utf-8") as file:
            summary = json.load(file)
        self.assertFalse(summary["complete"])
        self.assertEqual(summary["kernels"][0]["state"], "failed")
        self.assertIn("told to panic", summary["kernels"][0]["failure"])

    def test_an_invalid_access_is_an_event(self):
        _, err = self.rk("run", self.fails(3), "-o", "out", code=4)
        self.assertRegex(err, r"kernel 'bird' faulted \(Segmentation fault\) at address 0x0, step 60")
        self.assertIn("backtrace", err)
        self.assertIn("bird-value-00000050.raw", self.check_whole(self.path("out")))

    def test_restarts_up_to_a_limit(self):
        out, err = self.rk("run", self.fails(2, "on-fault"), "-o", "out", "--json", code=4)
        self.assertEqual(err.count("restarted ("), 3, err)
        self.assertIn("3 restarts within its window", err)
        self.assertEqual(json.loads(out)["error"]["code"], "RK_PANIC")


class Interruption(rk.Case):
    def test_ctrl_c_saves_what_there_is(self):
        for number in (rk.INT, rk.TERM):
            job = self.start(self.room(duration="2000 s"), "-o", "out", "--json")
            self.assertTrue(self.poll_until(
                lambda: any(name.startswith("side") for name in os.listdir(self.path("out"))), job))
            job.send_signal(number)
            out, err = self.finish(job, code=130)
            self.assertIn("stopping at the next step boundary", err)
            summary = json.loads(out)
            self.assertFalse(summary["complete"])
            self.assertGreater(summary["steps"], 0)
            self.assertIn("a.wav", self.check_whole(self.path("out")))
            shutil.rmtree(self.path("out"))

    def test_the_second_ctrl_c_ends_at_once(self):
        # This kernel never reaches the end of its step, so only the second one ends the job.
        path = self.write("loop.yaml", """\
job: loop
kernels: [{name: bird, module: canary, run: {steps: 100}}]
commands: [{at: 5, kernel: bird, command: custom, args: [4]}]
""")
        job = self.start(path, "-o", "out")
        self.wait_line(job, "custom")
        job.send_signal(rk.INT)
        job.send_signal(rk.TERM)
        self.assertEqual(job.wait(rk.LIMIT_S), 130)
        self.assertEqual([name for name in os.listdir(self.path("ringkernel"))], [])

    def test_a_killed_run_leaves_no_half_written_files(self):
        path = self.room(duration="200 ms")
        for count in range(0, 13, 2):
            job = self.start(path, "-o", "out")
            self.poll_until(lambda: sum(1 for _ in os.scandir(self.path("out"))) > count, job)
            job.kill()
            job.communicate()
            self.check_whole(self.path("out"))
            shutil.rmtree(self.path("out"))
        # Then a run in a folder with leftovers clears them away.
        os.makedirs(self.path("out"))
        for name in (".rk-tmp-1-2-a.wav", "summary.txt", "mine.txt"):
            self.write(f"out/{name}", "old")
        self.rk("run", path, "-q", "-o", "out")
        names = self.check_whole(self.path("out"))
        self.assertIn("mine.txt", names)
        self.assertEqual(len(names), len(os.listdir(self.path("out"))))


class BadInput(rk.Case):
    def refused(self, sentence, old, new, code=3):
        text = rk.ROOM.format(name="room", duration="10 ms")
        self.assertIn(old, text)
        self.refuses(code, sentence, "run", self.write("bad.yaml", text.replace(old, new)), "-o",
                     "out")

    def test_rooms(self):
        self.refused("did you mean 'duration'?", "duration", "durtion")
        self.refused("kg is a unit of mass", "10 ms\n", "10 kg\n")
        self.refused("is unstable", "dx: 10 cm", "dx: 10 cm, dt: 1 ms")
        self.refused("is outside the room", "[1 m, 1 m, 1 m]", "[9 m, 1 m, 1 m]")
        self.refused("did you mean 'brick'?", "walls: brick", "walls: brik")
        self.refused("bad.yaml:5:", "{dx: 10 cm}", "{dx: 10 cm")
        self.refused("No such file", "signal: ricker, frequency: 200 Hz",
                     "signal: wav, file: none.wav")

    def test_wav_files(self):
        shutil.copy(os.path.join(rk.SOURCE, "examples", "clap.wav"), self.path("clap.wav"))
        self.refused("sample rate of 44100 Hz", "signal: ricker, frequency: 200 Hz",
                     "signal: wav, file: clap.wav, rate: 48 kHz")
        self.write("noise.wav", "this is no sound")
        self.refused("noise.wav", "signal: ricker, frequency: 200 Hz",
                     "signal: wav, file: noise.wav")

    def test_kernels(self):
        def refused(sentence, kernel, more=""):
            path = self.write("k.yaml", f"job: k\nkernels: [{{name: a, {kernel}}}]\n{more}")
            err = self.refuses(3, sentence, "run", path, "-o", "out")
            self.assertIn("k.yaml:", err)
        refused("did you mean 'canary'?", "module: canry")
        refused("No such file", "module: ./none.rkm")
        self.write("foreign.rkm", "\x7fELF")
        refused("foreign.rkm", "module: ./foreign.rkm")
        refused("did you mean 'cells'?", "module: canary, params: {cels: 3}")
        refused("parameter 'cells'", "module: canary, params: {cells: -3}")
        refused("no variant 'f16'", "module: canary, variant: f16")
        refused("did you mean 'value'?", "module: canary, fields: {valu: 3}")
        refused("no input of module 'canary'",
                "module: canary, fields: {value: 3}, restart: on-fault")
        refused("none.raw", "module: canary, fields: {value: none.raw}")
        refused("has no field 'x'", "module: canary, run: {steps: 1}, outputs: [{field: x}]")
        refused("two or three dimensions",
                "module: canary, run: {steps: 1}, outputs: [{field: value, format: png}]")
        refused("ends after 5 steps",
                "module: canary, run: {steps: 5}, outputs: [{field: value, at: [6]}]")
        refused("did you mean 'ping'?", "module: canary",
                "commands: [{kernel: a, command: pin}]\n")
        refused("use: inject FIELD INDEX VALUE", "module: canary",
                "commands: [{kernel: a, command: inject}]\n")

    def test_devices(self):
        for device, says in (("gpu", "no driver 'gpu'"), ("fridge:0", "rk-fridge.so"),
                             ("opencl:63", "opencl:63"), ("a b", "no name of a driver")):
            self.refuses(3, says, "run", self.room(), "--device", device)
        self.refuses(3, "cpu:0 to", "run", self.room(), "--device", "cpu:999")

    def test_no_such_job_file(self):
        self.refuses(3, "none.yaml", "run", "none.yaml")
        self.refuses(3, "Is a directory", "run", self.folder)


class Folders(rk.Case):
    def test_places_that_cannot_be_written(self):
        path = self.room()
        self.refuses(1, "/proc/none", "run", path, "-o", "/proc/none")
        self.write("file", "")
        self.refuses(1, "a file of that name is there", "run", path, "-o", "file")
        if os.geteuid() != 0:
            os.makedirs(self.path("locked"), mode=0o500)
            self.refuses(1, "Permission denied", "run", path, "-o", "locked")

    def test_two_runs_do_not_share_a_folder(self):
        job = self.start(self.endless(), "-o", "out")
        self.refuses(1, "another run writes to out", "run", self.room(), "-o", "out")
        job.send_signal(rk.INT)
        self.finish(job)

    def big_output(self):
        """About 3 MB of CSV from a kernel that needs less than half of that."""
        return self.write("big.yaml", """\
job: big
kernels:
  - name: bird
    module: canary
    params: {cells: 60000}
    run: {steps: 3}
    outputs:
      - {field: value, at: [1]}
      - {field: value, format: csv, at: [2]}
""")

    def test_a_limit_on_file_sizes(self):
        limit = 1536 * 1024
        _, err = self.rk(
            "run", self.big_output(), "-q", "-o", "out", code=1,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
        self.assertIn("File too large", err)
        self.assertEqual(self.check_whole(self.path("out")),
                         ["bird-value-00000001.raw", "summary.json", "summary.txt"])

    def on_small_disk(self, kilobytes, script, code):
        """Runs a script in a mount namespace with a small file system on ./disk."""
        os.makedirs(self.path("disk"), exist_ok=True)
        mount = f"mount -t tmpfs -o size={kilobytes}k tmpfs disk"
        enter = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
        if subprocess.run([*enter, "sh", "-c", mount], cwd=self.folder, capture_output=True,
                          check=False).returncode != 0:
            print("skip: no file systems can be mounted here")
            self.skipTest("no file systems can be mounted here")
        done = subprocess.run([*enter, "sh", "-c", f"{mount} && {script}"], cwd=self.folder,
                              env=self.env, capture_output=True, text=True, check=False,
                              timeout=rk.LIMIT_S)
        self.assertEqual(done.returncode, code, done.stderr)
        return done

    def test_a_full_disk_is_noticed_before_the_run(self):
        path = self.room(duration="100 s")
        done = self.on_small_disk(500, f"exec {rk.PROGRAM} run {path} -o disk/out", 1)
        self.assertIn("the results need about", done.stderr)
        self.assertNotIn("runs, process", done.stderr)

    def test_a_disk_that_fills_up_during_the_run(self):
        script = (f"{rk.PROGRAM} run {self.big_output()} -q -o disk/out; code=$?; "
                  "cp -r disk/out kept; exit $code")
        done = self.on_small_disk(1400, script, 1)
        self.assertIn("No space left on device", done.stderr)
        self.assertEqual(self.check_whole(self.path("kept")),
                         ["bird-value-00000001.raw", "summary.json", "summary.txt"])


if __name__ == "__main__":
    rk.main()
