#!/usr/bin/env python3
"""An empty, uniformly absorbing room through the whole product: `rk run` on a live kernel.

Its reverberation time lies within 15 % of Eyring's formula, T = 24 ln(10) V / (-c S ln(1 - a)).
"""
import json
import math
import pathlib
import subprocess
import sys
import tempfile


def main():
    rk, source = sys.argv[1], pathlib.Path(sys.argv[2])
    with tempfile.TemporaryDirectory() as out:
        done = subprocess.run(
            [rk, "run", str(source / "examples/empty-room.yaml"), "--output", out, "--json"],
            stdout=subprocess.PIPE, check=True, timeout=300)
        summary = json.loads(done.stdout)
    volume, surface = summary["volume_m3"], summary["surface_m2"]
    absorption = summary["mean_absorption"]
    eyring = 24 * math.log(10) * volume / (-343 * surface * math.log(1 - absorption))
    error = summary["rt60_s"] / eyring - 1
    print(f"rt60 {summary['rt60_s']:.3f} s, Eyring {eyring:.3f} s, {100 * error:+.1f} %")
    if abs(error) > 0.15 or summary["steps"] < 1000:
        print("failed: more than 15 % from Eyring's formula", file=sys.stderr)
        return 1
    return 0


sys.exit(main())
