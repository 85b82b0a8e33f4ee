#!/usr/bin/env python3
"""Circumstances that nobody wishes for: closed descriptors, signals in pairs, too little memory."""
import json
import os
import subprocess

import rk

SHORT = "job: short\nkernels: [{name: e, module: echo, run: {steps: 10}}]\n"


class Hostile(rk.Case):
    def test_a_mistaken_job_leaves_earlier_results_alone(self):
        good = self.write("good.yaml", SHORT)
        bad = self.write("bad.yaml", SHORT.replace("echo", "ech"))
        self.rk("run", good, "-o", "out")
        before = sorted(os.listdir(self.path("out")))
        self.refuses(3, "did you mean 'echo'?", "run", bad, "-o", "out")
        self.assertEqual(sorted(os.listdir(self.path("out"))), before)
        self.refuses(3, "did you mean 'echo'?", "run", bad, "-o", "new")
        self.assertFalse(os.path.exists(self.path("new")))

    def test_closed_descriptors_catch_no_file_of_the_run(self):
        path = self.write("good.yaml", SHORT)
        for closed in ("0<&- 2>&-", "0<&- 1>&- 2>&-"):
            with self.subTest(closed):
                done = subprocess.run(["sh", "-c", f'exec "$0" run "$1" -o out {closed}',
                                       rk.PROGRAM, path], env=self.env, cwd=self.folder,
                                      stdout=subprocess.DEVNULL, timeout=rk.LIMIT_S, check=False)
                self.assertEqual(done.returncode, 1 if "1>" in closed else 0)
                with open(self.path("out/summary.json"), encoding="utf-8") as file:
                    self.assertTrue(json.load(file)["complete"])

    def test_the_same_signal_twice_at_once_still_saves(self):
        job = self.start(self.endless(), "-o", "out")
        job.send_signal(rk.INT)
        job.send_signal(rk.INT)
        self.finish(job)
        self.assertIn("summary.json", self.check_whole(self.path("out")))

    def test_more_than_the_machine_has_is_refused_before_it_is_taken(self):
        kernel = self.write("heat.yaml", """\
job: heat
kernels:
  - {name: h, module: heat3d, params: {nx: 40000, ny: 40000, nz: 4000}, run: {steps: 1}}
""")
        self.refuses(1, "of memory left", "run", kernel, "-o", "out")
        with open(self.room(), encoding="utf-8") as file:
            text = file.read()
        room = self.write("large.yaml", text.replace("{dx: 10 cm}", "{dx: 10 cm, memory: 1e15}")
                          .replace("[3 m, 2.5 m, 2 m]", "[2000 m, 2000 m, 2000 m]"))
        self.refuses(1, "of memory left", "run", room, "-o", "out")


if __name__ == "__main__":
    rk.main()
