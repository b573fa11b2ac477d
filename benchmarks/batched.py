"""Many small networks at once: a compiled named derivation against np.linalg.solve, speed and residuals.

    python -m benchmarks.batched               # blocks in threads, on all cores
    python -m benchmarks.batched --one-thread  # CPU time

100,000 layers m x m of normal weights, each with a right side of its own, and m x (m + 2) with two free variables
(for np.linalg.solve the right side less the free columns is formed first, within its time, as it is within ours).
The residual is max |W x - r| / (|W| |x| + |r|).
"""

import argparse
import time
from collections.abc import Callable

import numpy as np

from symbinv.inverse.invert import invert
from symbinv.network.network import Network
from symbinv.sampler import batched as module
from symbinv.sampler.batched import compile_batched

COUNT = 100_000
REPEATS = 21


def relative_residual(W, x, r):
    size = np.abs(W).max(axis=(1, 2)) * np.abs(x).max(axis=1) + np.abs(r).max(axis=1)
    return np.abs(np.einsum("kij,kj->ki", W, x) - r).max(axis=1) / size


def in_turns(first: Callable[[], object], second: Callable[[], object], clock: Callable[[], float]) -> list[float]:
    """Return the median seconds of two functions called in turns, so that a loaded machine is as hard on both."""
    times: list[list[float]] = [[], []]
    for _ in range(REPEATS):
        for function, spent in zip((first, second), times, strict=True):
            begin = clock()
            function()
            spent.append(clock() - begin)
    return [float(np.median(spent)) for spent in times]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--one-thread", action="store_true")
    one_thread = parser.parse_args().one_thread
    if one_thread:
        module.available_cores = lambda: 1
    clock = time.process_time if one_thread else time.perf_counter
    rng = np.random.default_rng(0)
    heads = ("ours", "np.linalg.solve", "faster", "q99 ours", "q99 solve", "ratio", "other order")
    print(f"{'(m, n)':>8} " + " ".join(f"{h:>16}" for h in heads))
    for m in range(2, 7):
        for n in (m, m + 2):
            batched = compile_batched(invert(Network.generic([n, m], ["identity"])))
            W, r = rng.standard_normal((COUNT, m, n)), rng.standard_normal((COUNT, m))
            free, b = rng.standard_normal((COUNT, n - m)), np.zeros(m)
            block, moved = W[:, :, :m].copy(), r - np.einsum("kij,kj->ki", W[:, :, m:], free)

            def solve(W=W, r=r, free=free, b=b, m=m):
                sides = r - b - np.einsum("kij,kj->ki", W[:, :, m:], free) if free.shape[1] else r - b
                return np.linalg.solve(W[:, :, :m], sides[:, :, None])[:, :, 0]

            ours, numpy = in_turns((lambda: batched.backward(W, b, r, free)), solve, clock)  # noqa: B023
            found = batched.backward(W, b, r, free)
            q_ours = np.quantile(relative_residual(block, found.points[:, :m], moved), 0.99)
            q_solve = np.quantile(relative_residual(block, solve(), moved), 0.99)
            cells = [f"{ours:.4f}", f"{numpy:.4f}", f"{numpy / ours:.2f}x", f"{q_ours:.1e}", f"{q_solve:.1e}"]
            cells += [f"{q_ours / q_solve:.2f}", f"{(found.status == 1).mean():.4%}"]
            print(f"{(m, n)!s:>8} " + " ".join(f"{c:>16}" for c in cells), flush=True)


if __name__ == "__main__":
    main()
