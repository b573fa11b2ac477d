"""Convolutions and pools on a Trace: each an exact sparse map over the spatial axes, a maximum relu layers."""

from fractions import Fraction
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symbinv.errors import NotSupportedError, ReadError
from symbinv.exact.matrix import ExactMatrix
from symbinv.network.readers import limits
from symbinv.network.readers.trace import Shape, Trace
from symbinv.network.readers.windows import Window

Array = NDArray[Any]


def convolve(trace: Trace, weights: Array, bias: Array | None, window: Window, groups: int) -> None:
    """Convolve (N, C, *sizes) with weights (M, C / groups, *kernel); add a bias (M,)."""
    images, channels, sizes = _image(trace)
    if weights.ndim != len(trace.shape) or weights.shape[2:] != window.kernel:
        raise ReadError(f"a kernel {window.kernel} must be that of the weights {weights.shape}.")
    outputs, fan = weights.shape[:2]
    if groups < 1 or outputs % groups or fan * groups != channels or outputs == 0:
        raise ReadError(f"weights {weights.shape} in {groups} groups must fit {channels} channels.")
    windows = window.output_sizes(sizes)
    limits.check_nonzeros(images * outputs * fan * prod(windows) * prod(window.kernel), "a convolution")
    limits.check_width(images * outputs * prod(windows), "a convolution")
    if not trace.shapes_only:
        _apply_convolution(trace, weights, window, groups)
    trace.shape = (images, outputs, *windows)
    if bias is not None:
        if bias.shape != (outputs,):
            raise ReadError(f"a bias must have one entry per output channel ({outputs}), not shape {bias.shape}.")
        trace.add(bias.reshape(1, outputs, *(1,) * len(sizes)))


def _apply_convolution(trace: Trace, weights: Array, window: Window, groups: int) -> None:
    images, channels, sizes = _image(trace)
    (outputs, fan), windows = weights.shape[:2], window.output_sizes(sizes)
    at, source, tap, _ = window.taps(sizes)
    at, source, tap = at[source >= 0], source[source >= 0], tap[source >= 0]
    n, m, c, t = np.ix_(range(images), range(outputs), range(fan), range(len(at)))
    channel = (m // (outputs // groups)) * fan + c
    rows = ((n * outputs + m) * prod(windows) + at[t]) + 0 * c
    columns = (n * channels + channel) * prod(sizes) + source[t]
    flat = weights.reshape(outputs, fan, -1)
    wide = np.broadcast_to(flat[:, :, tap][None], (images, outputs, fan, len(at)))
    shape = (images * outputs * prod(windows), images * channels * prod(sizes))
    matrix = ExactMatrix.from_entries(shape, rows.ravel(), columns.ravel(), trace.values(wide.ravel()))
    trace.chain.apply(matrix, holds_weights=True)


def _pooled(trace: Trace, window: Window) -> tuple[int, int, tuple[int, ...], tuple[int, ...]]:
    """Return images, channels, and their sizes before and after a pool that is not too large."""
    images, channels, sizes = _image(trace)
    windows = window.output_sizes(sizes)
    limits.check_nonzeros(images * channels * prod(windows) * prod(window.kernel), "a pool")
    limits.check_width(images * channels * prod(windows), "a pool")
    return images, channels, sizes, windows


def average_pool(trace: Trace, window: Window, *, count_padding: bool) -> None:
    """Average over each window of each channel; zeros of the padding count where count_padding."""
    images, channels, sizes, windows = _pooled(trace, window)
    if trace.shapes_only:
        trace.shape = (images, channels, *windows)
        return
    at, source, _, padded = window.taps(sizes)
    at, source = at[source >= 0], source[source >= 0]
    counts = padded if count_padding else np.bincount(at, minlength=prod(windows))
    if (counts == 0).any():
        raise ReadError("every window of a pool must meet the input.")
    c, t = np.ix_(range(images * channels), range(len(at)))
    rows, columns = c * prod(windows) + at[t], c * prod(sizes) + source[t]
    share = {count: Fraction(1, count) for count in set(counts.tolist())}
    shares = [share[count] for count in counts[at].tolist()] * (images * channels)
    shape = (images * channels * prod(windows), images * channels * prod(sizes))
    trace.chain.apply(ExactMatrix.from_entries(shape, rows.ravel(), columns.ravel(), shares))
    trace.shape = (images, channels, *windows)


def max_pool(trace: Trace, window: Window) -> None:
    """Take the largest value in each window of each channel."""
    images, channels, sizes, windows = _pooled(trace, window)
    if trace.shapes_only:
        trace.shape = (images, channels, *windows)
        return
    at, source, _, _ = window.taps(sizes)
    members: list[list[int]] = [[] for _ in range(prod(windows))]
    for k, place in zip(at.tolist(), source.tolist(), strict=True):
        if place >= 0:
            members[k].append(place)
    if not all(members):
        raise ReadError("every window of a pool must meet the input.")
    step = prod(sizes)
    trace.chain.maximum([[c * step + i for i in group] for c in range(images * channels) for group in members])
    trace.shape = (images, channels, *windows)
    trace.notes.append("a MaxPool was rewritten exactly as relu layers")


def _image(trace: Trace) -> tuple[int, int, Shape]:
    if len(trace.shape) < 3:
        raise NotSupportedError(f"images must have a batch, a channel and spatial axes, not shape {trace.shape}.")
    trace.need(trace.batch_axes <= 1, "a convolution or pool")
    return trace.shape[0], trace.shape[1], trace.shape[2:]
