"""What the tests of the command line share: running the real program, waiting for events, checking files.

Nothing here sleeps for a fixed time: jobs are waited for by the lines that they print, by the end of
a process, or by what appears in a folder.
"""
import json
import os
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import unittest

BUILD = os.environ.get("RK_BUILD_DIR") or os.path.join(
    os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "build")
SOURCE = os.environ.get("RK_SOURCE_DIR") or os.path.dirname(os.path.abspath(BUILD))
PROGRAM = os.path.join(BUILD, "bin", "rk")
LIMIT_S = 100  # a hang is a failure; nothing takes as long

ROOM = """\
job: {name}
room:
  duration: {duration}
  grid: {{dx: 10 cm}}
  geometry:
    size: [3 m, 2.5 m, 2 m]
    surfaces: {{floor: wood, ceiling: plaster, walls: brick}}
  sources:
    - {{name: pulse, position: [1 m, 1 m, 1 m], signal: ricker, frequency: 200 Hz}}
  receivers:
    - {{name: a, position: [2 m, 2 m, 1.4 m]}}
    - {{name: b, position: [0.7 m, 1.9 m, 0.8 m]}}
  slices:
    - {{name: plan, axis: z, position: 1 m, times: [2 ms, 4 ms]}}
    - {{name: side, axis: x, position: 1 m, times: [3 ms]}}
"""

ENDLESS = """\
job: {name}
kernels:
  - {{name: bird, module: canary}}
"""


class Case(unittest.TestCase):
    """A folder, a control folder and helpers for each test."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="rk-cli-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.env = {**os.environ, "XDG_RUNTIME_DIR": self.folder, "TERM": "dumb"}
        self.env.pop("RK_KERNEL_PATH", None)
        self.jobs = []
        self.addCleanup(self.end_jobs)

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.path(name)

    def rk(self, *words, code=0, stdin=None, **more):
        """Runs the program to its end and checks its exit code; returns stdout and stderr."""
        done = subprocess.run([PROGRAM, *words], env=self.env, cwd=self.folder, input=stdin,
                              capture_output=True, text=True, timeout=LIMIT_S, check=False, **more)
        self.assertEqual(done.returncode, code, f"rk {words}: {done.stdout}\n{done.stderr}")
        self.assertNotIn("Sanitizer", done.stderr)
        return done.stdout, done.stderr

    def rk_json(self, *words, code=0):
        """The same with --json: stdout is one JSON object."""
        out, _ = self.rk(*words, "--json", code=code)
        return json.loads(out)

    def refuses(self, code, sentence, *words, **more):
        """The program ends with this code and one line on stderr that holds the sentence."""
        _, err = self.rk(*words, code=code, **more)
        self.assertIn(sentence, err)
        self.assertEqual(len(err.splitlines()), 1, err)
        self.assertTrue(err.startswith("rk"), err)
        return err

    def start(self, *words, **more):
        """Starts 'rk run' and returns when the job takes commands."""
        job = subprocess.Popen([PROGRAM, "run", *words], env=self.env, cwd=self.folder,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, bufsize=1, **more)
        self.jobs.append(job)
        job.lines = []
        self.wait_line(job, " runs, process ")
        return job

    def wait_line(self, job, text):
        """Reads the job's stderr up to a line with this text."""
        for line in job.stderr:
            job.lines.append(line)
            if text in line:
                return line
        self.fail(f"the job ended without saying {text!r}: {''.join(job.lines)}{job.stdout.read()}")

    def finish(self, job, code=0):
        """Waits for the end of a job and checks its exit code; returns stdout and all of stderr."""
        out, err = job.communicate(timeout=LIMIT_S)
        err = "".join(job.lines) + err
        self.assertEqual(job.returncode, code, out + err)
        self.assertNotIn("Sanitizer", err)
        return out, err

    def end_jobs(self):
        for job in self.jobs:
            if job.poll() is None:
                job.kill()
            job.communicate()

    def poll_until(self, condition, job=None):
        """Asks again and again until the condition holds, or the job has ended."""
        while not condition():
            if job is not None and job.poll() is not None:
                return False
            select.select([], [], [], 0.001)  # lets others run
        return True

    def room(self, name="room", duration="30 ms"):
        return self.write(f"{name}.yaml", ROOM.format(name=name, duration=duration))

    def endless(self, name="canary"):
        return self.write(f"{name}.yaml", ENDLESS.format(name=name))

    def is_temporary(self, name):
        return name.startswith(".")

    def check_whole(self, folder):
        """Every file under its final name is whole; returns their names."""
        names = [name for name in os.listdir(folder) if not self.is_temporary(name)]
        for name in names:
            with open(os.path.join(folder, name), "rb") as file:
                data = file.read()
            kind = name.rsplit(".", 1)[-1]
            if kind == "png":
                self.assertEqual(data[:8], b"\x89PNG\r\n\x1a\n", name)
                self.assertEqual(data[-8:-4], b"IEND", name)
            elif kind == "wav":
                self.assertEqual(struct.unpack("<I", data[4:8])[0] + 8, len(data), name)
            elif kind == "json":
                json.loads(data)
            elif kind == "csv":
                rows = data.decode().splitlines()
                self.assertTrue(data.endswith(b"\n"), name)
                self.assertEqual(len(rows[0].split(",")), len(rows[-1].split(",")), name)
            else:
                self.assertIn(kind, ("txt", "raw"), name)
        return sorted(names)


def main():
    unittest.main(verbosity=1)


def skip_all(reason):
    """Ends the program as a skip that says why."""
    print(f"skip: {reason}")
    sys.exit(77)


INT, TERM, KILL = signal.SIGINT, signal.SIGTERM, signal.SIGKILL
