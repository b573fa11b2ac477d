"""Damage many files of every format and read them: python -m benchmarks.fuzz_readers [--count 20000] [--formats onnx].

Each block of files is read in a process of its own, which reports errors that are not ours, files that took
over two seconds, and the memory that reading took beyond that of a whole file. A process that dies names the
file at which it died. To see one file again: --formats onnx --start 1234 --count 1.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BLOCK = 1000
SECONDS = 2.0
MEGABYTES = 500


def work(kind, start, count, folder):
    """Read a block of damaged files; print a report as JSON."""
    from symbinv.errors import SymbinvError
    from symbinv.network.readers.load import load
    from symbinv.network.readers.vnnlib import read_boxes
    from tests.network.readers import mutations

    warnings.simplefilter("ignore")
    whole = mutations.seeds(kind)
    path, marker = Path(folder) / f"damaged.{kind}", Path(folder) / "seed"

    def read():
        if kind == "vnnlib":
            return read_boxes(path)
        return load(path, activations=["relu", "identity"]) if kind == "pt" else load(path)

    for data in whole:
        path.write_bytes(data)
        read()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    report = {"networks": 0, "refused": 0, "foreign": [], "slow": [], "slowest": 0.0}
    for seed in range(start, start + count):
        marker.write_text(str(seed))
        path.write_bytes(mutations.damage(kind, whole[seed % len(whole)], seed))
        began = time.perf_counter()
        try:
            read()
            report["networks"] += 1
        except SymbinvError:
            report["refused"] += 1
        except BaseException:
            report["foreign"].append([seed, traceback.format_exc()[-1500:]])
        taken = time.perf_counter() - began
        report["slowest"] = max(report["slowest"], taken)
        if taken > SECONDS:
            report["slow"].append([seed, taken])
    report["megabytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before
    print("REPORT" + json.dumps(report))


def block(kind, start, count, folder):
    """Run a block in a process of its own; return its report."""
    command = [sys.executable, "-m", "benchmarks.fuzz_readers", "--work", folder, "--formats", kind]
    command += ["--start", str(start), "--count", str(count)]
    try:
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=60 + count * SECONDS, check=False
        )
        output = done.stdout
    except subprocess.TimeoutExpired:
        output = ""
    for line in output.splitlines():
        if line.startswith("REPORT"):
            return json.loads(line.removeprefix("REPORT"))
    marker = Path(folder) / "seed"
    seed = marker.read_text() if marker.exists() else "none"
    return {
        "networks": 0,
        "refused": 0,
        "foreign": [[seed, "the process died"]],
        "slow": [],
        "slowest": 0,
        "megabytes": 0,
    }


def main():
    from tests.network.readers import mutations

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--formats", nargs="*", default=None)
    parser.add_argument("--work", default="")
    chosen = parser.parse_args()
    kinds = chosen.formats or mutations.available()
    if chosen.work:
        work(kinds[0], chosen.start, chosen.count, chosen.work)
        return 0
    failed = False
    for kind in kinds:
        total = {"networks": 0, "refused": 0, "foreign": [], "slow": [], "slowest": 0.0, "megabytes": 0.0}
        began = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            for start in range(chosen.start, chosen.start + chosen.count, BLOCK):
                found = block(kind, start, min(BLOCK, chosen.start + chosen.count - start), folder)
                for key, value in found.items():
                    total[key] = max(total[key], value) if key in ("slowest", "megabytes") else total[key] + value
        bad = bool(total["foreign"] or total["slow"] or total["megabytes"] > MEGABYTES)
        failed = failed or bad
        counts = f"{total['networks']:6} networks {total['refused']:6} refused {len(total['foreign'])} other errors"
        limits = f"{len(total['slow'])} slow, slowest {total['slowest']:.2f} s, memory +{total['megabytes']:.0f} MB"
        taken = time.perf_counter() - began
        print(f"{kind:7} {counts} {limits}, {taken:.0f} s{'  FAILED' if bad else ''}", flush=True)
        for seed, text in total["foreign"][:5] + total["slow"][:10]:
            print(f"  seed {seed}: {text}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
