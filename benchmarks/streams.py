"""Streams under kills, with several workers, and their memory: bytes compared, figures from one run.

Run: python -m benchmarks.streams [--seconds 120] [--kills 10] [--million 20] [--network small]
         [--sections memory,workers,kills]
Kills: a stream (of `small`, `cells`, or a network of ../shared/data/trained) that takes about the given seconds is
killed (SIGKILL) at random moments and resumed; its files are compared with those of an undisturbed run. Workers: 1, 2
and 4, in threads and processes, a local Dask cluster of two, and mpi4py's pool where it starts; files compared.
Memory: the largest resident size of a process that streams one million and `--million` million points, of a small
network by the walk and of a relu network's exact preimage. Everything goes below the temporary folder and is removed.
"""

import argparse
import filecmp
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import symbinv as si
from benchmarks.sampling import load
from symbinv.sampler.stream import BLOCK_POINTS, stream

ROOT = Path(__file__).resolve().parents[1]


def make_sampler(name):
    if name == "small":
        network = si.Network.from_arrays([[[1, 2, -1]], [[1.5]]], [[0], [0]], ["tanh", "sigmoid"], box=[[-1, 1]] * 3)
        return si.compile_sampler(si.invert(network, ["0.55"]))
    if name == "cells":
        weights = [[[1, 0], [-1, 1], [2, 1], [1, -3]], [[1, 1, -1, 0], [0, 1, 1, -1]]]
        network = si.Network.from_arrays(weights, [[0, 0, 0, 0], [0, 0]], ["relu", "identity"])
        return si.compile_sampler(si.preimage(network, "argmax == 0", box=[[-1, 1]] * 2))
    network, y, box = load(name)
    return si.compile_sampler(si.invert(network, y.tolist(), box=box))


def child(name, count, place):
    """Stream in this process; print seconds and the largest resident size."""
    import resource

    begin = time.perf_counter()
    stream(make_sampler(name), count, place, seed=3)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": time.perf_counter() - begin, "resident": peak}))


def start(name, count, place):
    command = [sys.executable, "-m", "benchmarks.streams", "--child", name, str(count), str(place)]
    # three processes, also where there are fewer cores
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMPI_MCA_rmaps_base_oversubscribe": "1"}
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)


def finish(process):
    out, _ = process.communicate()
    if process.returncode:
        raise SystemExit("a stream failed")
    return json.loads(out)


def same(left, right):
    names = sorted(p.name for p in left.iterdir())
    if names != sorted(p.name for p in right.iterdir()):
        return False
    return filecmp.cmpfiles(left, right, names, shallow=False) == (names, [], [])


def kills(place, name, seconds, number):
    trial = finish(start(name, BLOCK_POINTS, place / "trial"))["seconds"]
    longer = finish(start(name, 9 * BLOCK_POINTS, place / "longer"))["seconds"]
    block = max((longer - trial) / 8, 1e-3)
    count = max(2, round((seconds - trial) / block)) * BLOCK_POINTS
    whole = finish(start(name, count, place / "undisturbed"))["seconds"]
    rng, moments, lengths = random.Random(0), [], []
    for _ in range(number):
        process = start(name, count, place / "killed")
        wait = rng.uniform(0.5, 2 * whole / (number + 1))
        try:
            process.wait(wait)
            break  # it came to its end before the kill
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
        moments.append(round(wait, 1))
        lengths.append(len(list((place / "killed").glob("block-*.npy"))))
    finish(start(name, count, place / "killed"))
    agree = same(place / "undisturbed", place / "killed")
    print(
        f"kills: {name}, {count:,} points in {whole:.0f} s; {len(moments)} kills after {moments} s each, blocks there "
        f"{lengths} of {count // BLOCK_POINTS}; same bytes as undisturbed: {agree}",
        flush=True,
    )


def workers(place, name, blocks):
    sampler, count = make_sampler(name), blocks * BLOCK_POINTS
    begin = time.perf_counter()
    stream(sampler, count, place / "alone", seed=3)
    print(f"workers: {name}, {count:,} points, alone {time.perf_counter() - begin:.1f} s", flush=True)

    def run(label, pool, number):
        begin = time.perf_counter()
        stream(sampler, count, place / label, seed=3, executor=pool, workers=number)
        taken = time.perf_counter() - begin
        print(f"  {label}: {taken:.1f} s, same bytes: {same(place / 'alone', place / label)}", flush=True)

    for number in (1, 2, 4):
        with ThreadPoolExecutor(number) as pool:
            run(f"threads-{number}", pool, number)
        with ProcessPoolExecutor(number, mp_context=get_context("spawn")) as pool:
            run(f"processes-{number}", pool, number)
    try:
        from distributed import Client, LocalCluster

        with LocalCluster(2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
            run("dask-2", client.get_executor(), 2)
    except ImportError:
        print("  dask is not installed")
    mpi(place, name, count)


def mpi(place, name, count):
    """Stream through mpi4py's pool in a process of its own, as it needs an MPI that can start workers."""
    code = (
        "import sys; from mpi4py.futures import MPIPoolExecutor; from benchmarks.streams import make_sampler; "
        "from symbinv.sampler.stream import stream\n"
        "if __name__ == '__main__':\n"
        "    with MPIPoolExecutor(2) as pool: "
        "stream(make_sampler(sys.argv[1]), int(sys.argv[2]), sys.argv[3], seed=3, executor=pool, workers=2)"
    )
    launcher = shutil.which("mpiexec")
    front = [launcher, "-n", "3", sys.executable, "-m", "mpi4py.futures"] if launcher else [sys.executable]
    script = place / "mpi.py"
    script.write_text(code)
    # three processes, also where there are fewer cores
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMPI_MCA_rmaps_base_oversubscribe": "1"}
    try:
        done = subprocess.run(
            [*front, str(script), name, str(count), str(place / "mpi-2")],
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    except subprocess.TimeoutExpired:
        print("  mpi4py: no answer in 300 s")
        return
    if done.returncode:
        print(f"  mpi4py does not run here: {done.stderr.strip().splitlines()[-1:]}")
    else:
        print(f"  mpi-2: same bytes: {same(place / 'alone', place / 'mpi-2')}", flush=True)


def memory(place, name, million):
    figures = []
    for number in (1, million):
        target = place / f"{name}-{number}"
        told = finish(start(name, number * 1_000_000, target))
        size = sum(p.stat().st_size for p in target.iterdir()) / 1e6
        figures.append(f"{number} million {told['resident']:.0f} MB ({told['seconds']:.0f} s, {size:.0f} MB on disk)")
        shutil.rmtree(target)
    print(f"memory: {name}, largest resident size: {', '.join(figures)}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--million", type=int, default=20)
    parser.add_argument("--network", default="small")
    parser.add_argument("--sections", default="memory,workers,kills")
    parser.add_argument("--child", nargs=3, metavar=("NAME", "COUNT", "PLACE"))
    options = parser.parse_args()
    if options.child:
        child(options.child[0], int(options.child[1]), options.child[2])
        return
    with tempfile.TemporaryDirectory(prefix="symbinv-streams-") as folder:
        place = Path(folder)
        for section in options.sections.split(","):
            (place / section).mkdir()
            if section == "memory":
                for name in ("cells", "small"):
                    memory(place / section, name, options.million)
            elif section == "workers":
                for name in ("cells", "small"):
                    (place / section / name).mkdir()
                    workers(place / section / name, name, 40)
            else:
                kills(place / section, options.network, options.seconds, options.kills)


if __name__ == "__main__":
    main()
