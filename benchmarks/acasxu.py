"""ACAS Xu: properties 2, 3 and 4 on the seven networks, verdicts against the published ones.

python benchmarks/acasxu.py [--seconds 600] [--properties 3,4,2] [--data FOLDER]
"""

import argparse
import pathlib

from cells import ROOT, from_onnx

from symbinv.inverse.answer import answer
from symbinv.inverse.specification import read_specification

NETWORKS = ("1_1", "1_7", "1_9", "2_1", "3_3", "4_5", "5_7")
KNOWN = {
    "2": ("unsat", "unsat", "unsat", "sat", "unsat", "sat", "sat"),
    "3": ("unsat", "sat", "sat", "unsat", "unsat", "unsat", "unsat"),
    "4": ("unsat", "sat", "sat", "unsat", "unsat", "unsat", "unsat"),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--properties", default="3,4,2")
    parser.add_argument("--data", type=pathlib.Path, default=ROOT / ".." / "shared" / "data")
    options = parser.parse_args()
    folder = options.data / "acasxu"
    print(f"{'property':>8} {'network':>8} {'answer':>8} {'known':>8} {'seconds':>8} {'branches':>9}")
    for number in options.properties.split(","):
        specification = read_specification(folder / f"prop_{number}.vnnlib")
        for name, known in zip(NETWORKS, KNOWN[number], strict=True):
            network = from_onnx(folder / f"ACASXU_run2a_{name}_batch_2000.onnx")
            found = answer(network, specification, max_seconds=options.seconds)
            branches = sum(part.closed for part in found.parts)
            mark = "" if found.status in (known, "unknown") else "  WRONG"
            print(
                f"{number:>8} {name:>8} {found.status:>8} {known:>8} {found.seconds:>8.1f} {branches:>9}{mark}",
                flush=True,
            )


if __name__ == "__main__":
    main()
