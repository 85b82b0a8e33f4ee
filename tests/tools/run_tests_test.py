#!/usr/bin/env python3
"""tools/run-tests: counts cases, finds reasons, and cannot report success without a passed test."""
import os
import subprocess
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

CMOCKA_OK = """\
[==========] Running 3 test(s).
[ RUN      ] first
[       OK ] first
[ RUN      ] second
skip: libfoo is not installed
[  SKIPPED ] second
[ RUN      ] third
[       OK ] third
[==========] 3 test(s) run.
[  PASSED  ] 2 test(s).
[  SKIPPED ] 1 test(s), listed below:
[  SKIPPED ] second
"""
CMOCKA_FAILED = """\
[ RUN      ] first
[       OK ] first
[ RUN      ] second
[  FAILED  ] second
[==========] 2 test(s) run.
[  FAILED  ] 1 test(s), listed below:
[  FAILED  ] second
"""
CMOCKA_CRASHED = """\
[ RUN      ] first
[       OK ] first
[ RUN      ] second
"""
CMOCKA_SILENT_SKIP = """\
[ RUN      ] first
[  SKIPPED ] first
"""


class RunTests(unittest.TestCase):
    def run_tests(self, *tests):
        """Each test: (name, output, exit status)."""
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "CTestTestfile.cmake"), "w", encoding="utf-8") as file:
                for name, output, status in tests:
                    with open(os.path.join(folder, name), "w", encoding="utf-8") as text:
                        text.write(output)
                    file.write(f'add_test({name} "/bin/sh" "-c" "cat {name}; exit {status}")\n'
                               f"set_tests_properties({name} PROPERTIES SKIP_RETURN_CODE 77 "
                               f'WORKING_DIRECTORY "{folder}")\n')
            run = subprocess.run([os.path.join(ROOT, "tools", "run-tests"), folder],
                                 capture_output=True, text=True, check=False)
            return run.returncode, run.stdout.rstrip().splitlines()

    def test_counts_cases_and_reasons(self):
        code, lines = self.run_tests(("a", CMOCKA_OK, 0), ("b", "anything\n", 0))
        self.assertEqual((code, lines[-1]), (0, "3 passed, 0 failed, 1 skipped"))
        self.assertIn("skipped: a/second: libfoo is not installed", lines)

    def test_counts_failures(self):
        code, lines = self.run_tests(("a", CMOCKA_FAILED, 1), ("b", "", 3))
        self.assertEqual((code, lines[-1]), (1, "1 passed, 2 failed, 0 skipped"))
        self.assertIn("failed: a/second: failed", lines)

    def test_crash_in_a_case(self):
        code, lines = self.run_tests(("a", CMOCKA_CRASHED, 139))
        self.assertEqual((code, lines[-1]), (1, "1 passed, 1 failed, 0 skipped"))
        self.assertIn("failed: a/second: did not finish", lines)

    def test_failure_after_the_cases(self):
        # What a leak report does: all cases pass, the program fails.
        code, lines = self.run_tests(("a", CMOCKA_OK, 1))
        self.assertEqual((code, lines[-1]), (1, "2 passed, 1 failed, 1 skipped"))

    def test_skip_needs_a_reason(self):
        code, lines = self.run_tests(("a", CMOCKA_SILENT_SKIP, 0), ("b", "", 0))
        self.assertEqual((code, lines[-1]), (1, "1 passed, 1 failed, 0 skipped"))

    def test_whole_program_skips(self):
        code, lines = self.run_tests(("a", "skip: no such device\n", 77), ("b", "", 0))
        self.assertEqual((code, lines[-1]), (0, "1 passed, 0 failed, 1 skipped"))
        self.assertIn("skipped: a: no such device", lines)

    def test_nothing_ran(self):
        code, lines = self.run_tests(("a", "skip: no such device\n", 77))
        self.assertEqual((code, lines[-1]), (1, "0 passed, 0 failed, 1 skipped"))


if __name__ == "__main__":
    unittest.main()
