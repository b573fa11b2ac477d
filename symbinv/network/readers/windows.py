"""Where convolutions and pools look: sizes, padding, and which input each tap of a window meets."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symbinv.errors import NotSupportedError, ReadError
from symbinv.network.readers.limits import check_nonzeros

Index = NDArray[np.int64]


@dataclass(frozen=True)
class Window:
    """A window that slides over the spatial axes of a tensor, one entry an axis.

    Attributes:
        kernel, strides, dilations: Sizes of the window, of its steps, and between its taps.
        before, after: Zeros put before and after the input.
        ceil: Whether a last window that reaches over the end counts, as long as it starts before it.
    """

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]
    ceil: bool = False

    def __post_init__(self) -> None:
        axes = len(self.kernel)
        for name in ("strides", "dilations", "before", "after"):
            if len(getattr(self, name)) != axes:
                raise ReadError(f"{name} must have one entry per axis of the kernel ({axes}).")
        for name, least in (("kernel", 1), ("strides", 1), ("dilations", 1), ("before", 0), ("after", 0)):
            if any(not least <= value < 1 << 31 for value in getattr(self, name)):
                raise ReadError(f"{name} must be at least {least}, not {getattr(self, name)}.")

    @property
    def reach(self) -> tuple[int, ...]:
        """How many inputs the window spans along each axis."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilations, strict=True))

    def output_sizes(self, sizes: Sequence[int]) -> tuple[int, ...]:
        """Return the number of windows along each axis of an input of the given sizes."""
        if len(sizes) != len(self.kernel):
            raise ReadError(f"the kernel must have one entry per spatial axis ({len(sizes)}), not {len(self.kernel)}.")
        found = []
        for size, reach, stride, before, after in zip(
            sizes, self.reach, self.strides, self.before, self.after, strict=True
        ):
            room = size + before + after - reach
            if room < 0:
                raise ReadError(f"a window of {reach} must fit into {size + before + after} padded inputs.")
            count = -(-room // stride) + 1 if self.ceil else room // stride + 1
            if self.ceil and (count - 1) * stride >= size + before:
                count -= 1
            found.append(count)
        return tuple(found)

    def taps(self, sizes: Sequence[int]) -> tuple[Index, Index, Index, Index]:
        """Return all meetings of a tap with an input or a zero of the padding.

        Returns:
            Arrays of equal length: the window's index, the input's index (-1 in the padding; both
            flattened), the tap's index in the kernel; and, per window, how many taps lie inside the
            padded input.
        """
        outputs = self.output_sizes(sizes)
        check_nonzeros(prod(outputs) * prod(self.kernel), "a window's taps")
        inside: NDArray[np.bool_] = np.ones((1, 1), dtype=bool)
        padded: NDArray[np.bool_] = np.ones((1, 1), dtype=bool)
        place: Index = np.zeros((1, 1), dtype=np.int64)
        for axis, size in enumerate(sizes):
            starts = np.arange(outputs[axis]) * self.strides[axis] - self.before[axis]
            at = starts[:, None] + np.arange(self.kernel[axis]) * self.dilations[axis]
            place = _spread(place, 0, at.shape) * size + _spread(np.clip(at, 0, size - 1), 1, place.shape)
            inside, padded = (
                _spread(before, 0, at.shape) & _spread(here, 1, before.shape)
                for before, here in ((inside, (at >= 0) & (at < size)), (padded, at < size + self.after[axis]))
            )
        window, tap = np.indices(place.shape)
        source = np.where(inside, place, -1)
        return window.ravel(), source.ravel(), tap.ravel(), padded.sum(axis=1)


def _spread(table: NDArray[Any], position: int, other: tuple[int, ...]) -> NDArray[Any]:
    """Repeat a table over the rows and columns of another, before (0) or after (1) it in row-major order."""
    m, n = table.shape
    p, q = other[:2]
    if position == 0:
        return np.repeat(np.repeat(table, p, axis=0), q, axis=1)
    return np.broadcast_to(table[None, :, None, :], (p, m, q, n)).reshape(p * m, q * n)


def same_padding(
    mode: str, sizes: Sequence[int], kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the zeros before and after each axis for the padding modes by name.

    Args:
        mode: VALID, SAME_UPPER or SAME_LOWER, as ONNX names them.
        sizes, kernel, strides, dilations: One entry per spatial axis.
    """
    axes = range(len(sizes))
    if not len(sizes) == len(kernel) == len(strides) == len(dilations):
        raise ReadError(f"kernel, strides and dilations must have one entry per spatial axis ({len(sizes)}).")
    if mode == "VALID":
        return (0,) * len(sizes), (0,) * len(sizes)
    if mode not in ("SAME_UPPER", "SAME_LOWER"):
        raise NotSupportedError(f"padding must be VALID, SAME_UPPER or SAME_LOWER, not {mode!r}.")
    if any(value < 1 for value in (*kernel, *strides, *dilations)):
        raise ReadError("kernel, strides and dilations must be at least 1.")
    total = [
        max((-(-sizes[i] // strides[i]) - 1) * strides[i] + dilations[i] * (kernel[i] - 1) + 1 - sizes[i], 0)
        for i in axes
    ]
    small, large = tuple(t // 2 for t in total), tuple(t - t // 2 for t in total)
    return (small, large) if mode == "SAME_UPPER" else (large, small)
