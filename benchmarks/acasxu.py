"""ACAS Xu: properties 3, 4 and 2 on the seven networks, verdicts against the published ones.

    python -m benchmarks.acasxu [--seconds 600] [--properties 3,4,2] [--workers N] [--data FOLDER]

A line is begun before its network is searched and ended with the answer; the seconds are those of the clock, and the
processor seconds those of this process. The exit status is 1 where a verdict is wrong.
"""

import argparse
import os
import pathlib
import sys
import time

from benchmarks.cells import ROOT, from_onnx
from symbinv.cells.answer import answer
from symbinv.cells.specification import read_specification

NETWORKS = ("1_1", "1_7", "1_9", "2_1", "3_3", "4_5", "5_7")
KNOWN = {
    "2": ("unsat", "unsat", "unsat", "sat", "unsat", "sat", "sat"),
    "3": ("unsat", "sat", "sat", "unsat", "unsat", "unsat", "unsat"),
    "4": ("unsat", "sat", "sat", "unsat", "unsat", "unsat", "unsat"),
}
LIMITS = {"2": 600, "3": 20, "4": 20}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--properties", default="3,4,2")
    parser.add_argument("--workers", type=int, default=None)
    parser.add_argument("--data", type=pathlib.Path, default=ROOT / ".." / "shared" / "data")
    options = parser.parse_args()
    folder = options.data / "acasxu"
    if not folder.is_dir():
        sys.exit(f"{folder} is absent; --data must name the folder that holds acasxu/.")
    wrong = unknown = late = total = 0
    print(f"{'property':>8} {'network':>8} {'answer':>8} {'known':>8}", end=" ")
    print(f"{'seconds':>8} {'cpu':>6} {'branches':>9} {'load':>5}")
    for number in options.properties.split(","):
        specification = read_specification(folder / f"prop_{number}.vnnlib")
        for name, known in zip(NETWORKS, KNOWN[number], strict=True):
            print(f"{number:>8} {name:>8} ", end="", flush=True)
            network = from_onnx(folder / f"ACASXU_run2a_{name}_batch_2000.onnx")
            start = time.process_time()
            found = answer(network, specification, max_seconds=options.seconds, workers=options.workers)
            spent = time.process_time() - start
            branches = sum(part.closed for part in found.parts)
            mark = "" if found.status in (known, "unknown") else "  WRONG"
            print(
                f"{found.status:>8} {known:>8} {found.seconds:>8.1f} {spent:>6.1f} {branches:>9} "
                f"{os.getloadavg()[0]:>5.1f}{mark}",
                flush=True,
            )
            total += 1
            wrong += bool(mark)
            unknown += found.status == "unknown"
            late += found.seconds > LIMITS[number]
    print(f"{total} answers: {wrong} wrong, {unknown} unknown, {late} later than 20 s (3, 4) or 600 s (2)")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
