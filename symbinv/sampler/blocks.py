"""The kernels of an inverse run over blocks of points, in threads, in memory that each thread holds."""

import math
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

from symbinv.cores import available_cores
from symbinv.sampler.kernel import LayerKernel

CACHE = 4 << 20
SMALLEST, LARGEST = 512, 8192
ALONE = 2  # blocks that are not worth a thread


def run_blocks(kernels: Sequence[LayerKernel], top: Any, free: Any, points: Any) -> None:
    """Take all points backward.

    Args:
        kernels: Last layer first.
        top: The right side of the last layer, (rows, 1) or (rows, k).
        free: (d, k), in the order of the layers.
        points: The place of the inputs, (n0, k), of the same type as `free`. Columns in which a value leaves the
            image of an activation become NaN.
    """
    k = points.shape[1]
    width = min(block_width(kernels, points.dtype.itemsize), max(k, 1))
    starts = range(0, k, width)
    if len(starts) == 1:
        _work(kernels, top, free, points, width, starts)
        return
    workers = max(1, min(available_cores(), len(starts) // ALONE))
    shared = iter(starts)  # whoever is done takes the next block
    with _blas().limit(limits=1, user_api="blas"), ThreadPoolExecutor(workers) as pool:
        others = [pool.submit(_work, kernels, top, free, points, width, shared) for _ in range(workers - 1)]
        _work(kernels, top, free, points, width, shared)
        for other in others:
            other.result()


def block_width(kernels: Sequence[LayerKernel], itemsize: int) -> int:
    """Return how many points fit the cache with all that a block touches: a power of two."""
    rows = sum(kernel.matrix.shape[1] for kernel in kernels) + max(len(kernel.matrix) for kernel in kernels)
    fit = max(CACHE // (rows * itemsize), 1)
    return int(min(max(1 << (fit.bit_length() - 1), SMALLEST), LARGEST))


@cache
def _blas() -> ThreadpoolController:
    """Return the libraries that thread by themselves; to find them takes milliseconds, so it is done once."""
    return ThreadpoolController()


@dataclass(frozen=True, eq=False)
class _Place:
    """Where one layer of a block finds and leaves its values."""

    kernel: LayerKernel
    stack: Any
    given: Any
    used: slice
    computed: Any
    kept: Any
    kept_to: Any
    unknowns: Any
    scratch: Any


def _work(kernels: Sequence[LayerKernel], top: Any, free: Any, points: Any, width: int, starts: Iterable[int]) -> None:
    """Take blocks backward until there are none left."""
    n0, k = points.shape
    stacks = [np.ones((kernel.matrix.shape[1], width), dtype=points.dtype) for kernel in kernels]
    scratch = np.empty((max(n0, *(len(kernel.matrix) for kernel in kernels)), width), dtype=points.dtype)
    constant = top.shape[1] == 1
    if constant:
        stacks[0][: len(top)] = top
    whole = list(_places(kernels, stacks, scratch, width, n0))
    with np.errstate(all="ignore"):
        for begin in starts:
            end = min(begin + width, k)
            places = whole if end - begin == width else list(_places(kernels, stacks, scratch, end - begin, n0))
            if not constant:
                stacks[0][: len(top), : end - begin] = top[:, begin:end]
            for place in places:
                if len(place.given):
                    place.given[...] = free[place.used, begin:end]
                place.kernel.solve(place.stack, place.computed)
                if place.kernel.undo is not None:
                    if len(place.kept):
                        place.kept_to[...] = place.kept
                    place.kernel.undo(place.unknowns, place.scratch)
            _deliver(places[-1], points[:, begin:end])


def _deliver(place: _Place, inputs: Any) -> None:
    """Copy the inputs of a block to their place, in NaN where a value left.

    A product spreads NaN and infinities to every row that it computes, so the sum of one row tells.
    """
    first, computed = place.computed[0], len(place.computed)
    if math.isfinite(first.sum()):
        inputs[:computed] = place.computed
        inputs[computed:] = place.kept
    else:
        spread = 0 * first
        np.add(place.computed, spread, out=inputs[:computed])
        np.add(place.kept, spread, out=inputs[computed:])


def _places(
    kernels: Sequence[LayerKernel], stacks: list[Any], scratch: Any, width: int, inputs: int
) -> Iterator[_Place]:
    used = 0
    for number, (kernel, stack) in enumerate(zip(kernels, stacks, strict=True)):
        rows, d = len(kernel.step.rows), len(kernel.step.reduction.free)
        is_last = number + 1 == len(kernels)
        n = inputs if is_last else len(kernel.step.columns)
        computed = min(kernel.computed, n)
        out = (scratch if is_last else stacks[number + 1])[:n, :width]  # small strides: BLAS writes slowly across pages
        yield _Place(
            kernel,
            stack[:, :width],
            stack[rows : rows + d, :width],
            slice(used, used + d),
            out[:computed],
            kernel.kept(stack[:, :width], n),
            out[computed:],
            out,
            scratch[:n, :width],
        )
        used += d
