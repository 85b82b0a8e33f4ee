#!/usr/bin/env python3
"""tools/check-sizes: the limits, one past the limits, and exemptions."""
import os
import subprocess
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def function(lines):
    return "int f(int a,\n      int b)\n{\n" + "    a++;\n" * (lines - 2) + "}\n"


class CheckSizes(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def check(self, **files):
        for path, text in files.items():
            path = os.path.join(self.folder.name, path.replace("__", "/").replace("_dot_", "."))
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        run = subprocess.run([os.path.join(ROOT, "tools", "check-sizes"), self.folder.name],
                             capture_output=True, text=True, check=False)
        return run.returncode, run.stderr + run.stdout

    def test_at_the_limits(self):
        self.assertEqual(self.check(a_dot_c=function(100), b_dot_c="int x;\n" * 800,
                                    c_dot_h="int x;\n" * 250, d_dot_c="/" * 100 + "\n"), (0, ""))

    def test_long_function(self):
        code, output = self.check(a_dot_c=function(101))
        self.assertEqual(code, 1)
        self.assertIn("a.c:3: a.c:f has 101 lines", output)

    def test_long_file_header_and_line(self):
        for name, text, message in (("a_dot_c", "int x;\n" * 801, "a.c has 801 lines"),
                                    ("b_dot_h", "int x;\n" * 251, "b.h has 251 lines"),
                                    ("c_dot_c", "/" * 101 + "\n", "c.c:1: 101 columns")):
            code, output = self.check(**{name: text})
            self.assertEqual(code, 1)
            self.assertIn(message, output)

    def test_build_folders_are_left_out(self):
        self.assertEqual(self.check(**{"build-x__a_dot_c": "int x;\n" * 900}), (0, ""))

    def test_exemption(self):
        self.assertEqual(self.check(a_dot_c=function(101), **{
            "tools__size-exemptions": "# c\na.c:f a table\n"}), (0, ""))

    def test_stale_exemption(self):
        code, output = self.check(a_dot_c=function(10), **{
            "tools__size-exemptions": "a.c:f a table\n"})
        self.assertEqual(code, 1)
        self.assertIn("a.c:f is within the limits", output)

    def test_exemption_needs_a_reason(self):
        code, output = self.check(**{"tools__size-exemptions": "a.c:f\n"})
        self.assertEqual(code, 1)
        self.assertIn("has no reason", output)


if __name__ == "__main__":
    unittest.main()
