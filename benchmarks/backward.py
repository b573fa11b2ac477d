"""The compiled backward pass against SymPy's expanded expression and against hand-written blocked NumPy.

Run: python benchmarks/backward.py
Prints points per second and the ratios that matter: at least 3 over `lambdify(..., cse=True)`, at least 0.9 of
the best hand-written form (one thread each; all cores besides).
"""

import time

import numpy as np
import sympy
from threadpoolctl import threadpool_limits

import symbinv as si
import symbinv.sampler.compile as compiled

COUNT = 200_000
RUNS = 7


def timed(function):
    function()
    taken = []
    for _ in range(RUNS):
        begin = time.perf_counter()
        function()
        taken.append(time.perf_counter() - begin)
    return min(taken)


def random_network(sizes, rng):
    weights = [np.round(rng.normal(size=(m, n)), 2) for n, m in zip(sizes, sizes[1:], strict=False)]
    biases = [np.round(rng.normal(size=m), 2) for m in sizes[1:]]
    return si.Network.from_arrays(weights, biases, ["sigmoid"] * (len(sizes) - 1))


def hand_written(sampler, z, free, size):
    """Return a function with preallocated buffers, in place, in blocks: what one would write for one network."""
    sizes, layers = [], []
    for kernel in sampler.kernels:
        layers.append((kernel.matrix, len(kernel.step.rows), len(kernel.step.reduction.free)))
        sizes.append(kernel.matrix.shape)
    stacks = [np.empty((shape[1], size)) for shape in sizes]
    outs = [np.empty((shape[0], size)) for shape in sizes]
    scratch = [np.empty((shape[0], size)) for shape in sizes]

    def run():
        result = np.empty((sampler.network.sizes[0], free.shape[1]))  # a new one each time, as a function returns
        for begin in range(0, free.shape[1], size):
            end = min(begin + size, free.shape[1])
            w, used = end - begin, 0
            for i, (matrix, rows, d) in enumerate(layers):
                stack = stacks[i][:, :w]
                if i == 0:
                    stack[:rows] = z
                else:
                    below, t = outs[i - 1][:, :w], scratch[i - 1][:, :w]
                    np.subtract(1, below, out=t)
                    np.divide(below, t, out=t)
                    np.log(t, out=stack[:rows])
                stack[rows : rows + d] = free[used : used + d, begin:end]
                stack[-1] = 1
                used += d
                np.matmul(matrix, stack, out=outs[i][:, :w])
            result[:, begin:end] = outs[-1][:, :w]
        return result

    return run


def measure(sizes, rng):
    network = random_network(sizes, rng)
    target = network.forward(rng.normal(size=sizes[0])).tolist()
    sampler = si.compile_sampler(si.invert(network, target))
    inverse = sampler.inverse
    found = sampler.draw(2000, method="project", box=[[-3, 3]] * sizes[0], seed=0).free
    free = np.ascontiguousarray(np.resize(found, (COUNT, found.shape[1])).T)
    expanded = sympy.lambdify(inverse.free_variables, inverse.expand(), "numpy", cse=True)
    single = np.asfortranarray(free.T.astype(np.float32))
    with np.errstate(all="ignore"):
        by_expansion = timed(lambda: expanded(*free))
        with threadpool_limits(1):
            hand = min(timed(hand_written(sampler, sampler.start, free, b)) for b in (1024, 2048, 4096, 8192))
            cores, compiled.available_cores = compiled.available_cores, lambda: 1
            own = timed(lambda: sampler.backward(free.T))
            compiled.available_cores = cores
        threads = timed(lambda: sampler.backward(free.T))
        floats = timed(lambda: sampler.backward(single))
        both = sampler.backward(free.T).T, hand_written(sampler, sampler.start, free, 4096)()
    inside = np.isfinite(both[0]).all(axis=0)
    gap = np.abs(both[0] - both[1])[:, inside].max(initial=0) if inside.any() else np.nan
    rates = " ".join(f"{COUNT / t / 1e6:9.2f}M" for t in (by_expansion, hand, own, threads, floats))
    print(
        f"{'-'.join(map(str, sizes)):>12} {rates}  over lambdify {by_expansion / own:.2f} (all cores "
        f"{by_expansion / threads:.2f}), of by hand {hand / own:.2f}; {inside.mean():.0%} inside, gap {gap:.1e}"
    )


def main():
    columns = ("lambdify", "by hand", "compiled", "all cores", "float32")
    print(f"{'network':>12} " + " ".join(f"{c:>10}" for c in columns) + "  ratios (points/s; one thread but all cores)")
    rng = np.random.default_rng(0)
    for sizes in ([3, 2], [8, 5, 3, 2], [13, 8, 5, 3], [30, 12, 4, 1]):
        measure(sizes, rng)


if __name__ == "__main__":
    main()
