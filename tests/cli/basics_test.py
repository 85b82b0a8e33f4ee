#!/usr/bin/env python3
"""Help, usage errors, completions, man pages and the commands that need no job."""
import json
import os
import shutil
import subprocess
import unittest

import rk

VISIBLE = ["run", "ps", "send", "stats", "trace", "pause", "resume", "stop", "build", "inspect", "kernels", "cache",
           "bench", "doctor", "devices", "topology", "version", "completions", "help"]


class Help(rk.Case):
    def test_overview_lists_every_command(self):
        out, _ = self.rk("help")
        for name in VISIBLE:
            self.assertRegex(out, rf"(?m)^  {name} +\S")
        self.assertNotIn("__host", out)
        self.assertEqual(self.rk("--help")[0], out)
        self.assertEqual(self.rk("-h")[0], out)

    def test_nothing_at_all_is_a_usage_error(self):
        _, err = self.rk(code=2)
        self.assertIn("usage: rk COMMAND", err)

    def test_every_command_explains_itself(self):
        for name in VISIBLE:
            with self.subTest(name):
                out, _ = self.rk(name, "--help")
                self.assertTrue(out.startswith(f"usage: rk {name}"), out)
                self.assertEqual(out, self.rk("help", name)[0])
                self.assertIn("--help", out)
                for line in out.splitlines():
                    self.assertLessEqual(len(line), 100, line)

    def test_wrong_commands_are_suggested(self):
        self.refuses(2, "did you mean 'run'?", "rnu")
        self.refuses(2, "did you mean 'inspect'?", "inspct")
        self.refuses(2, "'rk help' lists the commands", "zzzzzz")
        self.refuses(2, "no option '--frobnicate'", "--frobnicate")
        self.refuses(2, "did you mean 'send'?", "help", "sned")

    def test_wrong_options_are_suggested(self):
        self.refuses(2, "did you mean --output?", "run", "--otput", "x", "a.yaml")
        for name in VISIBLE:
            with self.subTest(name):
                self.refuses(2, f"'rk {name} --help'", name, "--no-such-option-at-all")

    def test_missing_and_extra_arguments(self):
        self.refuses(2, "FILE.yaml is missing", "run")
        self.refuses(2, "JOB is missing", "stop")
        self.refuses(2, "KERNEL is missing", "send", "job")
        self.refuses(2, "'y' is one too many", "run", "x", "y")
        self.refuses(2, "--blocks: 'many'", "run", "x", "--blocks", "many")
        self.refuses(2, "--blocks", "run", "x", "--blocks")

    def test_errors_are_json_too(self):
        out, err = self.rk("run", "none.yaml", "--json", code=3)
        error = json.loads(out)["error"]
        self.assertEqual(error["code"], "RK_NOT_FOUND")
        self.assertIn(error["text"], err)
        out, _ = self.rk("run", "--json", "--wrong", code=2)
        self.assertEqual(json.loads(out)["error"]["code"], "RK_NOT_FOUND")

    def test_a_full_stdout_is_an_error(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([rk.PROGRAM, "help"], stdout=full, stderr=subprocess.PIPE,
                                  text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("could not be written", done.stderr)

    def test_a_reader_that_leaves_is_no_noise(self):
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run([rk.PROGRAM, "help"], stdout=writer, stderr=subprocess.PIPE,
                              text=True, check=False)
        os.close(writer)
        self.assertEqual((done.returncode, done.stderr), (1, ""))


class Generated(rk.Case):
    def test_reference_is_up_to_date(self):
        out, _ = self.rk("help", "--markdown")
        path = os.path.join(rk.SOURCE, "docs", "cli.md")
        if os.environ.get("RK_UPDATE") == "1":
            with open(path, "w", encoding="utf-8") as file:
                file.write(out)
        with open(path, encoding="utf-8") as file:
            self.assertEqual(file.read(), out, "docs/cli.md is out of date: run with RK_UPDATE=1")

    def test_files_for_an_installation(self):
        self.rk("__files", self.path("share"))
        pages = sorted(os.listdir(self.path("share/man/man1")))
        self.assertEqual(pages, sorted(["rk.1"] + [f"rk-{name}.1" for name in VISIBLE]))
        for name in VISIBLE:
            with open(self.path(f"share/man/man1/rk-{name}.1"), encoding="utf-8") as file:
                page = file.read()
            self.assertTrue(page.startswith(f'.TH RK\\-{name.upper()} 1'), page[:60])
            self.assertEqual(page, self.rk("help", "--man", name)[0])
        for script in ("bash-completion/completions/rk", "zsh/site-functions/_rk",
                       "fish/vendor_completions.d/rk.fish"):
            self.assertTrue(os.path.getsize(self.path("share", script)) > 100)

    def test_man_pages_format(self):
        if shutil.which("groff") is None:
            print("skip: groff is not installed")
            self.skipTest("groff is not installed")
        for name in ["", *VISIBLE]:
            page, _ = self.rk("help", "--man", *([name] if name else []))
            done = subprocess.run(["groff", "-man", "-Tutf8", "-ww"], input=page, text=True,
                                  capture_output=True, check=True)
            self.assertEqual(done.stderr, "")

    def test_completion_scripts_parse(self):
        for shell in ("bash", "zsh", "fish"):
            out, _ = self.rk("completions", shell)
            if shutil.which(shell):
                subprocess.run([shell, "-n"], input=out, text=True, check=True)
        self.refuses(2, "did you mean 'bash'?", "completions", "bsh")

    def candidates(self, *words):
        out, _ = self.rk("__complete", "--", *words)
        return [line.split("\t")[0] for line in out.splitlines()]

    def test_candidates(self):
        self.assertEqual(self.candidates(""), VISIBLE)
        self.assertEqual(self.candidates("st"), ["stats", "stop"])
        self.assertEqual(self.candidates("run", "--o"), ["--output"])
        self.assertEqual(self.candidates("run", ""), [":files .yaml"])
        self.assertEqual(self.candidates("run", "--output", ""), [":folders"])
        self.assertEqual(self.candidates("run", "-o", "x", ""), [":files .yaml"])
        self.assertIn("opencl", self.candidates("build", "--target", ""))
        self.assertIn("wave3d", self.candidates("inspect", "w"))
        self.assertIn("inject", self.candidates("send", "job", "kernel", "i"))
        self.assertIn("ring", self.candidates("bench", "hlc", "r"))
        self.assertEqual(self.candidates("completions", "z"), ["zsh"])
        self.assertEqual(self.candidates("help", "pa"), ["pause"])
        self.assertEqual(self.candidates("send", ""), [])
        self.assertEqual(self.candidates("no-such-command", ""), [])

    def test_bash_completes(self):
        self.write("a.yaml", "")
        self.write("b.txt", "")
        script = ('source <("$RK" completions bash); COMP_WORDS=("$RK" "$@"); COMP_CWORD=$#; _rk; '
                  'printf "%s\\n" "${COMPREPLY[@]}"')

        def ask(*words):
            done = subprocess.run(["bash", "-c", script, "bash", *words], cwd=self.folder,
                                  env={**self.env, "RK": rk.PROGRAM}, capture_output=True,
                                  text=True, check=True)
            return done.stdout.split()
        self.assertEqual(ask("inspe"), ["inspect"])
        self.assertEqual(ask("run", ""), ["a.yaml"])
        self.assertIn("--watch", ask("stats", "--w"))


class Simple(rk.Case):
    def test_version(self):
        out, _ = self.rk("version")
        version = self.rk_json("version")
        self.assertIn(version["version"], out)
        self.assertEqual(self.rk("--version")[0], out)

    def test_kernels(self):
        names = [kernel["name"] for kernel in self.rk_json("kernels")["kernels"]]
        self.assertLessEqual({"wave3d", "echo", "canary"}, set(names))
        self.assertEqual(names, sorted(names))
        cache = self.rk_json("cache")  # tests run with RK_CACHE=off
        self.assertEqual((cache["folder"], cache["entries"], cache["cleared"]), ("", 0, False))
        out, _ = self.rk("kernels")
        self.assertRegex(out, r"(?m)^wave3d +acoustic")

    def test_kernels_found_by_path_and_damaged_ones(self):
        shutil.copy(os.path.join(rk.BUILD, "lib/ringkernel/kernels/echo.rkm"),
                    self.path("mine.rkm"))
        self.write("broken.rkm", "no bundle")
        self.env["RK_KERNEL_PATH"] = self.folder
        out, err = self.rk("kernels", code=1)
        self.assertIn("broken.rkm", err)
        self.assertIn("echo", out)

    def test_devices(self):
        devices = self.rk_json("devices")["devices"]
        self.assertEqual(devices[0]["name"], "cpu:0")
        self.assertGreater(devices[0]["units"], 0)
        self.assertIn("cpu:0", self.rk("devices")[0])

    def test_doctor(self):
        report = self.rk_json("doctor")
        levels = {check["name"]: check["level"] for check in report["checks"]}
        for name in ("compiler", "modules", "build", "launch", "control folder", "cpu", "memory"):
            self.assertEqual(levels[name], "ok", report)
        self.assertEqual(report["missing"], 0)

    def test_doctor_says_what_is_missing(self):
        self.env["RK_CC"] = "no-such-compiler"
        out, _ = self.rk("doctor", code=1)
        self.assertIn("RK_CC is 'no-such-compiler'", out)
        self.assertIn("-> unset RK_CC", out)
        report = self.rk_json("doctor", code=1)
        self.assertGreaterEqual(report["missing"], 1)

    def test_bench(self):
        names = [bench["name"] for bench in self.rk_json("bench", "--list")["benches"]]
        self.assertIn("ring", names)
        self.refuses(2, "did you mean 'ring'?", "bench", "rin")
        report = self.rk_json("bench", "hlc", "--rounds", "1", "--scale", "0.001")
        self.assertEqual(report["name"], "hlc")
        self.assertIn("machine", report)


class Modules(rk.Case):
    def test_inspect(self):
        self.assertIn("pressure_even", self.rk("inspect", "wave3d")[0])
        self.assertEqual(self.rk_json("inspect", "echo")["name"], "echo")
        self.refuses(3, "did you mean 'wave3d'?", "inspect", "wav3d")
        self.refuses(3, "'rk kernels' lists them", "inspect", "qqqqqq")
        self.refuses(3, "No such file", "inspect", "./none.rkm")

    def test_damaged_and_foreign_modules(self):
        whole = os.path.join(rk.BUILD, "lib/ringkernel/kernels/echo.rkm")
        with open(whole, "rb") as file:
            data = file.read()
        for size in (0, 1, 63, 64, 1000, len(data) - 1):
            with open(self.path("cut.rkm"), "wb") as file:
                file.write(data[:size])
            self.refuses(3, "cut.rkm", "inspect", "./cut.rkm")
        for at in (0, 9, 40, len(data) // 2):
            with open(self.path("bent.rkm"), "wb") as file:
                file.write(data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1:])
            self.refuses(3, "bent.rkm", "inspect", "./bent.rkm")
        self.write("text.rkm", "hello")
        self.refuses(3, "it is no module bundle", "inspect", "text.rkm")

    def test_build_and_run_a_kernel_of_ones_own(self):
        source = os.path.join(rk.SOURCE, "examples", "plate.c")
        built = self.rk_json("build", source, "--target", "cpu", "--levels", "v2")
        self.assertEqual((built["output"], built["module"]), ("plate.rkm", "plate"))
        self.rk("build", source, "-o", "deep.rkm", "--target", "cpu", "--levels", "v2")
        shutil.copy(os.path.join(rk.SOURCE, "examples", "plate.yaml"), self.path("plate.yaml"))
        summary = self.rk_json("run", "plate.yaml", "-o", "out")
        self.assertTrue(summary["complete"])
        self.assertEqual(summary["kernels"][0],
                         {"name": "plate", "module": "plate", "state": "done", "step": 4000,
                          "failure": None})
        names = self.check_whole(self.path("out"))
        self.assertEqual(sorted(output["file"] for output in summary["outputs"]), names)
        # The rim keeps its temperature; heat is conserved apart from what the rim takes away.
        with open(self.path("out/plate-heat-00004000.csv"), encoding="utf-8") as file:
            rows = [line.split(",") for line in file.read().splitlines()]
        self.assertEqual(rows[0], ["y", "x", "heat"])
        values = {(int(y), int(x)): float(heat) for y, x, heat in rows[1:]}
        self.assertEqual(len(values), 128 * 128)
        self.assertEqual(values[0, 64], 293.0)
        self.assertGreater(values[40, 40], 293.5)

    def test_build_errors(self):
        self.refuses(3, "there is no such file", "build", "none.c")
        self.refuses(2, "did you mean 'cpu'?", "build", "x.c", "--target", "cpuu")
        self.write("bad.c", "#define RK_NAME bad\n#define RK_PHASES(X) X(go)\n"
                            "#include <ringkernel/kernel.h>\nRK_PHASE(go) { wrong(k); }\n")
        _, err = self.rk("build", "bad.c", "--target", "cpu", "--levels", "v2", code=3)
        self.assertIn("bad.c:4", err.splitlines()[-1])
        self.assertFalse(os.path.exists(self.path("bad.rkm")))


if __name__ == "__main__":
    rk.main()
