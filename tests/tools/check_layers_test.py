#!/usr/bin/env python3
"""tools/check-layers: accepts what the table grants, names file, line and rule of what it does not."""
import os
import subprocess
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

TABLE = """\
# comment
include/ringkernel: libc
lib/base: libc include/ringkernel
lib/abi: libc lib/base/compiler.h
lib/core: libc include/ringkernel lib/base lib/abi
lib/core/fast: libc lib/base lib/abi lib/core
kernels: include/ringkernel/kernel*
job: libc third-party include/ringkernel lib/base
node: libc lib job
tests: *
"""


class CheckLayers(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.write("tools/layers", TABLE)
        for header in ("include/ringkernel/kernel.h", "include/ringkernel/status.h",
                       "lib/base/compiler.h", "lib/base/map.h", "lib/core/ring.h",
                       "lib/core/fast/fast.h", "job/job.h"):
            self.write(header, "")

    def write(self, path, text):
        path = os.path.join(self.folder.name, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def check(self):
        run = subprocess.run([os.path.join(ROOT, "tools", "check-layers"), self.folder.name],
                             capture_output=True, text=True, check=False)
        return run.returncode, run.stderr

    def refuse(self, path, text, *words):
        self.write(path, text)
        code, output = self.check()
        self.assertEqual(code, 1, output)
        for word in words:
            self.assertIn(word, output)

    def accept(self, path, text):
        self.write(path, text)
        self.assertEqual(self.check(), (0, ""))

    def test_granted(self):
        self.accept("lib/core/a.c", '#include "base/map.h"\n#include "core/ring.h"\n#include <errno.h>\n'
                    "#include <sys/mman.h>\n#include <ringkernel/status.h>\n")

    def test_everything_for_tests(self):
        self.accept("tests/x/a.c", '#include "job/job.h"\n#include <cmocka.h>\n')

    def test_arrow_up(self):
        self.refuse("lib/base/a.c", '\n#include "core/ring.h"\n', "lib/base/a.c:2: lib/core/ring.h",
                    "Rule: lib/base may use", "Fix:")

    def test_sibling_in_the_same_folder_name(self):
        self.refuse("lib/core/a.c", '#include "fast/fast.h"\n', "lib/core/a.c:1: lib/core/fast/fast.h")

    def test_inner_folder_may_use_outer(self):
        self.accept("lib/core/fast/a.c", '#include "core/ring.h"\n#include "core/fast/fast.h"\n')

    def test_single_header_grant(self):
        self.accept("lib/abi/a.h", '#include "base/compiler.h"\n')
        self.refuse("lib/abi/b.h", '#include "base/map.h"\n', "lib/abi/b.h:1: lib/base/map.h")

    def test_third_party_in_lib(self):
        self.refuse("lib/core/a.c", "#  include <yaml.h>\n", "<yaml.h> (third-party)")
        self.write("lib/core/a.c", "")
        self.accept("job/a.c", "#include <yaml.h>\n")

    def test_kernels_see_only_the_dialect(self):
        self.accept("kernels/a.c", "#include <ringkernel/kernel.h>\n")
        self.refuse("kernels/b.c", "#include <stdio.h>\n", "<stdio.h> (libc)")
        self.refuse("kernels/b.c", "#include <ringkernel/status.h>\n", "kernels/b.c:1")

    def test_grant_of_a_whole_tree(self):
        self.accept("node/a.c", '#include "core/ring.h"\n#include "core/fast/fast.h"\n')

    def test_cmake_uses(self):
        self.accept("lib/core/CMakeLists.txt", "rk_layer(lib/core SOURCES a.c USES lib/base lib/abi)\n")
        self.refuse("lib/base/CMakeLists.txt", "\nrk_layer(lib/base\n  SOURCES a.c\n  USES lib/core)\n",
                    "lib/base/CMakeLists.txt:2: lib/base may not use lib/core")

    def test_file_without_a_row(self):
        self.refuse("cli/a.c", "", "no row of tools/layers covers")

    def test_table_must_point_down(self):
        self.refuse("tools/layers", TABLE.replace("lib/base: libc", "lib/base: libc lib/core"),
                    "lib/base uses lib/core, which does not stand above it")


if __name__ == "__main__":
    unittest.main()
