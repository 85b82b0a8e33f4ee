#!/usr/bin/env python3
"""tools/setup against a made-up dpkg-query, apt-get and sudo."""
import os
import subprocess
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

DPKG_ALL = 'shift 2\nfor p; do echo "installed $p"; done\n'
DPKG_NONE = "exit 1\n"
# "config-files" is what a removed package leaves behind: not installed.
DPKG_NO_CMAKE = ('shift 2\nfor p; do [ "$p" = cmake ] && echo "config-files $p" || '
                 'echo "installed $p"; done\n')
# Like a fresh system: nothing can be installed before the first update.
APT_FRESH = ('echo "$*" >>"$LOG"\ncase "$*" in *update*) touch "$LOG.updated" ;; '
             '*install*) [ -e "$LOG.updated" ] ;; esac\n')
APT_BROKEN = 'echo "$*" >>"$LOG"\ncase "$*" in *update*) ;; *) echo "E: no such package" >&2; exit 100 ;; esac\n'


class Setup(unittest.TestCase):
    def setup_run(self, *arguments, dpkg, apt="exit 99\n", uid="0", sudo=None):
        with tempfile.TemporaryDirectory() as folder:
            fakes = {"dpkg-query": dpkg, "apt-get": apt, "id": f"echo {uid}\n"}
            if sudo:
                fakes["sudo"] = sudo
            for name, body in fakes.items():
                path = os.path.join(folder, name)
                with open(path, "w", encoding="utf-8") as file:
                    file.write("#!/bin/sh\n" + body)
                os.chmod(path, 0o755)
            for name in ("sed", "grep", "env", "touch", "sh", "bash"):
                for place in ("/usr/bin", "/bin"):
                    if os.path.exists(os.path.join(place, name)):
                        os.symlink(os.path.join(place, name), os.path.join(folder, name))
                        break
            log = os.path.join(folder, "log")
            run = subprocess.run(["bash", os.path.join(ROOT, "tools", "setup"), *arguments],
                                 capture_output=True, text=True, check=False,
                                 env={"PATH": folder, "LOG": log})
            calls = ""
            if os.path.exists(log):
                with open(log, encoding="utf-8") as file:
                    calls = file.read()
            return run.returncode, run.stdout + run.stderr, calls

    def test_nothing_missing_is_silent(self):
        self.assertEqual(self.setup_run(dpkg=DPKG_ALL), (0, "", ""))
        self.assertEqual(self.setup_run("--bench", dpkg=DPKG_ALL), (0, "", ""))

    def test_check_lists_what_is_missing(self):
        code, output, calls = self.setup_run("--check", dpkg=DPKG_NO_CMAKE)
        self.assertEqual((code, output, calls), (1, "missing packages: cmake\n", ""))

    def test_bench_adds_the_references(self):
        _, output, _ = self.setup_run("--check", dpkg=DPKG_NONE)
        self.assertNotIn("libck-dev", output)
        _, output, _ = self.setup_run("--check", "--bench", dpkg=DPKG_NONE)
        self.assertIn("libck-dev", output)
        self.assertIn("erlang-base", output)

    def test_updates_the_lists_when_the_first_try_fails(self):
        code, output, calls = self.setup_run(dpkg=DPKG_NO_CMAKE, apt=APT_FRESH)
        self.assertEqual(code, 0, output)
        lines = calls.splitlines()
        self.assertEqual(len(lines), 3)
        self.assertIn("update", lines[1])
        self.assertTrue(lines[2].endswith("install cmake"), lines[2])

    def test_says_what_could_not_be_installed(self):
        code, output, _ = self.setup_run(dpkg=DPKG_NO_CMAKE, apt=APT_BROKEN)
        self.assertEqual(code, 1)
        self.assertIn("could not install: cmake", output)
        self.assertIn("E: no such package", output)

    def test_uses_sudo(self):
        code, output, calls = self.setup_run(dpkg=DPKG_NO_CMAKE, apt=APT_FRESH, uid="1000",
                                             sudo='echo "sudo $1" >>"$LOG"\nexec "$@"\n')
        self.assertEqual(code, 0, output)
        self.assertIn("sudo ", calls)

    def test_neither_root_nor_sudo(self):
        code, output, calls = self.setup_run(dpkg=DPKG_NO_CMAKE, uid="1000")
        self.assertEqual((code, calls), (1, ""))
        self.assertIn("needs root or sudo", output)
        self.assertIn("apt-get install cmake", output)

    def test_unknown_argument(self):
        code, output, _ = self.setup_run("--frobnicate", dpkg=DPKG_ALL)
        self.assertEqual(code, 2)
        self.assertIn("--frobnicate", output)


if __name__ == "__main__":
    unittest.main()
