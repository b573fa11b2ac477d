"""The compiled backward pass against SymPy's expanded expression and against hand-written blocked NumPy.

Run: python -m benchmarks.backward
Prints points per second and the ratios that matter: at least 3 over `lambdify(..., cse=True)`, at least 0.9 of
the best hand-written form. All rivals take turns in one run; a ratio is the median over the rounds. The
hand-written form gives the same (points, NaN where a value left an image), in the same threads, at the best of
its block widths: buffers preallocated, every operation in place, pivots only computed, one look per block. One
thread is measured in processor time, all cores by the clock on the wall. Give --count 65536 to see calls so small
that the temporaries of lambdify stay in the cache.
"""

import argparse
import math
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import numpy as np
import sympy
from threadpoolctl import ThreadpoolController

import symbinv as si
from symbinv.sampler import blocks

COUNT = 200_000
ROUNDS = 25
WIDTHS = (512, 1024, 2048, 4096, 8192)
BLAS = ThreadpoolController()


def in_turns(rivals, rounds=ROUNDS, clock=time.process_time):
    """Return the seconds of each rival in each round."""
    taken = {name: [] for name in rivals}
    for function in rivals.values():
        function()
    order, rng = list(rivals), np.random.default_rng(0)
    for _ in range(rounds):
        rng.shuffle(order)  # each finds the cache as another left it
        for name in order:
            begin = clock()
            rivals[name]()
            taken[name].append(clock() - begin)
    return {name: np.array(seconds) for name, seconds in taken.items()}


def random_network(sizes, rng):
    weights = [np.round(rng.normal(size=(m, n)), 2) for n, m in zip(sizes, sizes[1:], strict=False)]
    biases = [np.round(rng.normal(size=m), 2) for m in sizes[1:]]
    return si.Network.from_arrays(weights, biases, ["sigmoid"] * (len(sizes) - 1))


def hand_written(sampler, z, free, width, threads):
    """Return a function for one sigmoid network: what one would write who knows NumPy and the closed form."""
    layers = []
    for kernel in sampler.kernels:
        rank, rows, d = kernel.step.reduction.rank, len(kernel.step.rows), len(kernel.step.reduction.free)
        if kernel.step.reduction.pivots != tuple(range(rank)):
            raise ValueError("written for pivots that come first")
        layers.append((kernel.matrix[:rank], rank, rows, d))
    count, widest = free.shape[1], max(matrix.shape[1] for matrix, *_ in layers)

    def memory():
        stacks = [np.ones((matrix.shape[1], width)) for matrix, *_ in layers]
        stacks[0][: len(z)] = z
        return stacks, np.empty((widest, width))

    held = [memory() for _ in range(threads)]

    def work(stacks, scratch, begins, result):
        with np.errstate(all="ignore"):
            for begin in begins:
                end = min(begin + width, count)
                w, used = end - begin, 0
                for i, (matrix, rank, rows, d) in enumerate(layers):
                    stack = stacks[i][:, :w]
                    stack[rows : rows + d] = free[used : used + d, begin:end]
                    used += d
                    if i + 1 == len(layers):
                        x, out = scratch[:rank, :w], result[:, begin:end]
                        np.matmul(matrix, stack, out=x)
                        if math.isfinite(x[0].sum()):
                            out[:rank] = x
                            out[rank:] = stack[rows : rows + d]
                        else:
                            left = 0 * x[0]
                            np.add(x, left, out=out[:rank])
                            np.add(stack[rows : rows + d], left, out=out[rank:])
                    else:
                        a, t = stacks[i + 1][: rank + d, :w], scratch[: rank + d, :w]
                        np.matmul(matrix, stack, out=a[:rank])
                        a[rank:] = stack[rows : rows + d]
                        np.subtract(1, a, out=t)
                        np.divide(a, t, out=t)
                        np.log(t, out=a)

    def run():
        result = np.empty((sampler.network.sizes[0], count))  # a new one each time, as a function returns
        with BLAS.limit(limits=1, user_api="blas"):
            if threads == 1:
                work(*held[0], range(0, count, width), result)
            else:
                with ThreadPoolExecutor(threads) as pool:
                    shared = iter(range(0, count, width))
                    list(pool.map(lambda own: work(*own, shared, result), held))
        return result

    return run


def best_hand(sampler, free, threads):
    """Return the hand-written form at the width at which it is fastest."""
    forms = {w: hand_written(sampler, sampler.start, free, w, threads) for w in WIDTHS}
    taken = in_turns(forms, 11, time.process_time if threads == 1 else time.perf_counter)
    return forms[min(forms, key=lambda w: taken[w].min())]


def with_cores(cores, function):
    """Run a function as if the process had that many cores."""
    held, blocks.available_cores = blocks.available_cores, lambda: cores
    try:
        return function()
    finally:
        blocks.available_cores = held


def measure(sizes, rng, count):
    network = random_network(sizes, rng)
    target = network.forward(rng.normal(size=sizes[0])).tolist()
    sampler = si.compile_sampler(si.invert(network, target))
    inverse = sampler.inverse
    found = sampler.draw(2000, method="project", box=[[-3, 3]] * sizes[0], seed=0).free
    free = np.ascontiguousarray(np.resize(found, (count, found.shape[1])).T)
    expanded = sympy.lambdify(inverse.free_variables, inverse.expand(), "numpy", cse=True)
    single = np.asfortranarray(free.T.astype(np.float32))
    cores, place = blocks.available_cores(), np.empty((count, sizes[0]), order="F")
    with np.errstate(all="ignore"):
        hand, hand_all = best_hand(sampler, free, 1), best_hand(sampler, free, cores)
        rivals = {
            "lambdify": lambda: expanded(*free),
            "by hand": hand,
            "compiled": partial(with_cores, 1, lambda: sampler.backward(free.T)),
            "given": partial(with_cores, 1, lambda: sampler.backward(free.T, out=place)),
            "float32": partial(with_cores, 1, lambda: sampler.backward(single)),
        }
        on_all = {
            "lambdify, wall": rivals["lambdify"],
            "hand, all": hand_all,
            "all cores": lambda: sampler.backward(free.T),
        }
        taken = in_turns(rivals) | in_turns(on_all, clock=time.perf_counter)
        ours, theirs = sampler.backward(free.T).T, hand()
    if not np.array_equal(np.isnan(ours), np.isnan(theirs)):
        raise AssertionError("the hand-written form and ours differ in which points are valid")
    inside = np.isfinite(ours[0])
    gap = np.abs(ours - theirs)[:, inside].max(initial=0)
    rates = " ".join(f"{count / np.median(t) / 1e6:9.2f}M" for t in taken.values())

    def ratio(slow, fast):
        return np.median(taken[slow] / taken[fast])

    print(
        f"{'-'.join(map(str, sizes)):>12} {rates}  one thread: over lambdify {ratio('lambdify', 'compiled'):.2f} "
        f"({ratio('lambdify', 'given'):.2f} into given memory), of "
        f"by hand {ratio('by hand', 'compiled'):.2f}; all cores: {ratio('lambdify, wall', 'all cores'):.2f}, "
        f"{ratio('hand, all', 'all cores'):.2f}; {inside.mean():.0%} inside, gap {gap:.1e}"
    )


def measure_memory(rng, count=1_000_000):
    """Print what new memory costs where the result is large, and what a place given for it saves."""
    network = random_network([30, 12, 4, 1], rng)
    x = rng.normal(size=30)
    sampler = si.compile_sampler(si.invert(network, network.forward(x).tolist()))
    free = np.asfortranarray(np.broadcast_to(sampler.free_of(x), (count, len(sampler.inverse.free_variables))))
    place = np.empty((count, 30), order="F")
    taken = in_turns({"new": lambda: sampler.backward(free), "given": lambda: sampler.backward(free, out=place)}, 9)
    rates = {name: count / np.median(t) / 1e6 for name, t in taken.items()}
    print(
        f"30-12-4-1, {count:,} points: {rates['new']:.2f}M points per second of processor time into new memory, "
        f"{rates['given']:.2f}M into the same"
    )


def measure_ill_conditioned(gap, rng):
    """Print what twice the precision costs, and what it is for: rows of the last layer that differ by `gap`."""
    last = rng.integers(-8, 9, size=(3, 6)) / 8
    last[1] = last[0] + gap * rng.integers(1, 9, size=6) / 8
    network = si.Network.from_arrays([rng.normal(size=(6, 9)) / 2, last], [np.zeros(6), np.zeros(3)], ["sigmoid"] * 2)
    x = rng.normal(size=9)
    sampler = si.compile_sampler(si.invert(network, network.forward(x).tolist()))
    nudges = np.linspace(-gap, gap, COUNT)[:, None] * rng.normal(size=len(sampler.inverse.free_variables)) / 100
    free = np.asfortranarray(sampler.free_of(x) + nudges)
    plain = replace(sampler, kernels=tuple(replace(kernel, precise=None) for kernel in sampler.kernels))
    rivals = {"precise": partial(sampler.backward, free), "plain": partial(plain.backward, free)}
    taken = in_turns({name: partial(with_cores, 1, f) for name, f in rivals.items()}, 9)
    worst = {}
    for name, function in rivals.items():
        points = function()
        inside = np.isfinite(points[:, 0])
        worst[name] = np.abs(network.forward(points[inside]) - network.forward(x)).max(initial=0)
    print(
        f"9-6-3, rows {gap:g} apart: plain {COUNT / np.median(taken['plain']) / 1e6:.2f}M points/s, residual "
        f"{worst['plain']:.0e}; in twice the precision {COUNT / np.median(taken['precise']) / 1e6:.2f}M, "
        f"{worst['precise']:.0e}"
    )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=COUNT)
    count = parser.parse_args().count
    columns = ("lambdify", "by hand", "compiled", "given out=", "float32", "lamb. wall", "hand, all", "all cores")
    print(f"{'network':>12} " + " ".join(f"{c:>10}" for c in columns) + "  median points/s, medians of ratios")
    rng = np.random.default_rng(0)
    for sizes in ([3, 2], [8, 5, 3, 2], [13, 8, 5, 3], [30, 12, 4, 1]):
        measure(sizes, rng, count)
    measure_memory(rng)
    for gap in (1e-4, 1e-8, 1e-12):
        measure_ill_conditioned(gap, rng)


if __name__ == "__main__":
    main()
