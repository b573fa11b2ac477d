"""Damage many files of every format and read them: python -m benchmarks.fuzz_readers [--count 20000] [--formats onnx].

Each block of files is read in a process of its own, which reports errors that are not ours, files that took
over two seconds (each of three times, so that a busy machine is not taken for a slow file), and the memory that
reading took: in this process beyond that of a whole file, and in all in the processes that it starts. A process
that dies names the file at which it died. To see one file again: --formats onnx --start 1234 --count 1.
"""

import argparse
import contextlib
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
LARGEST = ("slowest", "megabytes", "others")


def work(kind, start, count, folder):
    """Read a block of damaged files; print a report as JSON."""
    from symbinv.cells.specification import read_specification
    from symbinv.errors import SymbinvError
    from symbinv.network.readers import hdf5_process
    from symbinv.network.readers.load import load
    from symbinv.network.readers.vnnlib import read_boxes
    from tests.network.readers import mutations

    warnings.simplefilter("ignore")
    if kind in ("keras", "h5"):
        hdf5_process.look(b"none")  # a process that is started later counts what this one holds by then
    whole = mutations.seeds(kind)
    path, marker = Path(folder) / f"damaged.{kind}", Path(folder) / "seed"

    def read():
        if kind == "vnnlib":
            with contextlib.suppress(SymbinvError):
                read_specification(path)
            return read_boxes(path)
        return load(path, activations=["relu", "identity"]) if kind == "pt" else load(path)

    for data in whole:
        path.write_bytes(data)
        read()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    report = nothing()

    def timed():
        began = time.perf_counter()
        try:
            read()
            key, text = "networks", None
        except SymbinvError:
            key, text = "refused", None
        except BaseException:
            key, text = "foreign", traceback.format_exc()[-1500:]
        return time.perf_counter() - began, key, text

    for seed in range(start, start + count):
        marker.write_text(str(seed))
        path.write_bytes(mutations.damage(kind, whole[seed % len(whole)], seed))
        taken, key, text = timed()
        report[key] += [[seed, text]] if text else 1
        for _ in range(2):
            taken = min(taken, timed()[0]) if taken > SECONDS else taken
        if taken > SECONDS:
            report["slow"].append([seed, taken])
        if taken > report["slowest"][0]:
            report["slowest"] = [taken, seed]
    report["megabytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before
    hdf5_process.stop()
    report["others"] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
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
    return {**nothing(), "foreign": [[seed, "the process died"]]}


def nothing():
    """The report of no file."""
    counts = {"networks": 0, "refused": 0, "foreign": [], "slow": []}
    return {**counts, "slowest": [0.0, 0], "megabytes": 0.0, "others": 0.0}


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
        total = nothing()
        began = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            for start in range(chosen.start, chosen.start + chosen.count, BLOCK):
                found = block(kind, start, min(BLOCK, chosen.start + chosen.count - start), folder)
                for key, value in found.items():
                    total[key] = max(total[key], value) if key in LARGEST else total[key] + value
        bad = bool(total["foreign"] or total["slow"] or max(total["megabytes"], total["others"]) > MEGABYTES)
        failed = failed or bad
        counts = f"{total['networks']:6} networks {total['refused']:6} refused {len(total['foreign'])} other errors"
        limits = f"{len(total['slow'])} slow, slowest {total['slowest'][0]:.2f} s (seed {total['slowest'][1]})"
        limits += f", memory +{total['megabytes']:.0f} MB, {total['others']:.0f} MB elsewhere"
        taken = time.perf_counter() - began
        print(f"{kind:7} {counts} {limits}, {taken:.0f} s{'  FAILED' if bad else ''}", flush=True)
        for seed, text in total["foreign"][:5] + total["slow"][:10]:
            print(f"  seed {seed}: {text}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
