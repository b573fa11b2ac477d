"""Trace: what happens to one point as it passes through tensor operations, recorded as a chain of layers.

A tensor is held as its entries in row-major order, so that reshaping costs nothing; every other operation
becomes an exact affine map, sparse where it moves, convolves or averages, or an activation. Frameworks
work on batches. The first `batch` axes stand for points that do not meet: they have size 1 here, and an
operation that would mix them raises TouchesBatchError.
"""

from collections.abc import Sequence
from fractions import Fraction
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symbinv.errors import InexactError, NotSupportedError, ReadError
from symbinv.exact.matrix import ExactMatrix
from symbinv.exact.policy import Policy, to_fraction
from symbinv.network.activation import Activation
from symbinv.network.readers import limits
from symbinv.network.readers.chain import Chain
from symbinv.network.readers.rational import objects, square_root

Array = NDArray[Any]
Shape = tuple[int, ...]


class TouchesBatchError(NotSupportedError):
    """An operation that mixes the points of a batch."""


class Trace:
    """One point on its way through tensor operations.

    Args:
        shape: Of the input; its first `len(batch)` sizes are 1.
        policy: What a stored float stands for.
        batch: The declared sizes of the batch axes, None for a size that is left open.
        shapes_only: Follow the shapes and check them, and record no layers: cheap, before the work is done.

    Attributes:
        shape: Of the present tensor.
        chain: The layers so far.
        notes: What was assumed.
    """

    def __init__(
        self, shape: Sequence[int], policy: Policy, batch: Sequence[int | None] = (), *, shapes_only: bool = False
    ) -> None:
        self.shape: Shape = tuple(shape)
        self.policy = policy
        self.batch: tuple[int | None, ...] = () if all(size == 1 for size in batch) else tuple(batch)
        if prod(self.shape) < 1:
            raise ReadError(f"an input must have at least one entry, not shape {self.shape}.")
        self.chain = Chain(limits.check_width(prod(self.shape), "the input"))
        self.notes: list[str] = []
        self.shapes_only = shapes_only

    # -- batch axes ---------------------------------------------------------------------------------------

    @property
    def batch_axes(self) -> int:
        """How many leading axes are the batch."""
        return len(self.batch)

    def need(self, holds: bool, what: str) -> None:
        """Raise TouchesBatchError where an operation does not leave the points of the batch apart."""
        if self.batch and not holds:
            raise TouchesBatchError(f"{what} mixes the points of the batch (axes 0 to {self.batch_axes - 1}).")

    def axis(self, axis: int, rank: int | None = None) -> int:
        """Return an axis counted from the front, checked."""
        rank = len(self.shape) if rank is None else rank
        if not -rank <= axis < rank:
            raise ReadError(f"axis must lie between {-rank} and {rank - 1}, not {axis}.")
        return axis % rank

    # -- shapes -------------------------------------------------------------------------------------------

    def reshape(self, target: Sequence[int], *, zero_copies: bool = True) -> None:
        """Reshape; -1 stands for what is left, 0 for the size of the same axis where zero_copies."""
        if any(size < -1 for size in target) or list(target).count(-1) > 1:
            raise ReadError(f"a shape must have sizes of at least 0 and one -1 at most, not {list(target)[:8]}.")
        if not self.batch:
            self.shape = self._filled(target, 0, zero_copies)
            return
        features = self.shape[self.batch_axes :]
        order = sorted(range(1, len(target) + 1), key=lambda j: (j != self.batch_axes, j))
        for j in order:
            if self._is_batch(target[:j], zero_copies) and self._is_features(target[j:], j, features, zero_copies):
                tail = self._filled(target[j:], j, zero_copies)
                if -1 not in target[:j] and any(size is None for size in self.batch) and 0 not in target[:j]:
                    self.notes.append("the batch is one point: a reshape fixes it")
                self.batch = self.batch if j == self.batch_axes else (None,) * j
                self.shape = (1,) * j + tail
                return
        self.need(False, f"a reshape to {list(target)[:8]}")

    def _is_batch(self, head: Sequence[int], zero_copies: bool) -> bool:
        if -1 in head:
            return True
        known = [
            self.batch[i] if size == 0 and zero_copies and i < self.batch_axes else size for i, size in enumerate(head)
        ]
        if list(self.batch) == known:
            return True
        sizes = [size for size in known if size is not None]
        if len(sizes) < len(known):
            return False
        if None in self.batch:
            return prod(sizes) == 1
        return prod(sizes) == prod(size for size in self.batch if size is not None)

    def _is_features(self, tail: Sequence[int], start: int, features: Shape, zero_copies: bool) -> bool:
        total, sizes = prod(features), []
        for i, size in enumerate(tail, start):
            copies = size == 0 and zero_copies
            if copies and not self.batch_axes <= i < len(self.shape):
                return False
            sizes.append(self.shape[i] if copies else size)
        known = prod(size for size in sizes if size != -1)
        return total == known if -1 not in sizes else known > 0 and total % known == 0

    def _filled(self, target: Sequence[int], start: int, zero_copies: bool) -> Shape:
        sizes = []
        for i, size in enumerate(target, start):
            copies = size == 0 and zero_copies
            if copies and i >= len(self.shape):
                raise ReadError(f"a 0 in a shape must have an axis to copy, and axis {i} does not exist.")
            sizes.append(self.shape[i] if copies else size)
        known, total = prod(size for size in sizes if size != -1), prod(self.shape)
        if -1 in sizes and known and total % known == 0:
            sizes[sizes.index(-1)] = total // known
        if -1 in sizes or prod(sizes) != total:
            raise ReadError(f"a tensor of shape {self.shape} cannot have shape {list(target)[:8]}.")
        return tuple(sizes)

    def flatten(self, axis: int) -> None:
        """Make two axes of all: those before `axis`, and the others."""
        rank = len(self.shape)
        axis = rank if axis == rank else self.axis(axis)
        p = self.batch_axes
        head, tail = prod(self.shape[:axis]), prod(self.shape[axis:])
        if self.batch:
            if axis < p:
                self.need(all(size == 1 for size in self.batch[axis:]), "Flatten")
            else:
                self.need(prod(self.shape[p:axis]) == 1, "Flatten")
            self.batch = (None,) if None in self.batch else (prod(size or 1 for size in self.batch),)
        self.shape = (head, tail)

    def squeeze(self, axes: Sequence[int] | None) -> None:
        """Drop axes of size 1; all of them where axes is None."""
        rank = len(self.shape)
        if axes is None:
            self.need(1 not in self.batch, "Squeeze")
            chosen = {i for i, size in enumerate(self.shape) if size == 1 and i >= self.batch_axes}
        else:
            chosen = {self.axis(axis) for axis in axes}
        if any(self.shape[i] != 1 for i in chosen):
            raise ReadError(f"squeezed axes must have size 1, not those of {self.shape} at {sorted(chosen)}.")
        self.need(all(self.batch[i] == 1 for i in chosen if i < self.batch_axes), "Squeeze")
        self.batch = tuple(size for i, size in enumerate(self.batch) if i not in chosen)
        self.shape = tuple(self.shape[i] for i in range(rank) if i not in chosen)

    def unsqueeze(self, axes: Sequence[int]) -> None:
        """Insert axes of size 1 at these places of the result."""
        rank = len(self.shape) + len(axes)
        limits.check_width(rank, "a shape")
        chosen = {self.axis(axis, rank) for axis in axes}
        if len(chosen) != len(axes):
            raise ReadError("inserted axes must differ from each other.")
        shape, batch = list(self.shape), list(self.batch)
        for i in sorted(chosen):
            if batch and i <= len(batch):
                batch.insert(i, 1)
            shape.insert(i, 1)
        self.shape, self.batch = tuple(shape), tuple(batch)

    def transpose(self, order: Sequence[int]) -> None:
        """Permute the axes."""
        if sorted(order) != list(range(len(self.shape))):
            raise ReadError(f"a permutation of {len(self.shape)} axes is needed, not {list(order)[:8]}.")
        self.need(list(order[: self.batch_axes]) == list(range(self.batch_axes)), "Transpose")
        if not self.shapes_only:
            self.chain.select(self._places().transpose(order).ravel())
        self.shape = tuple(self.shape[i] for i in order)

    def pad(self, before: Sequence[int], after: Sequence[int], value: Fraction = Fraction(0)) -> None:
        """Put a constant before and after each axis; negative counts crop."""
        rank = len(self.shape)
        if len(before) != rank or len(after) != rank:
            raise ReadError(f"pads must have one entry per axis ({rank}) and side, not {len(before)} and {len(after)}.")
        self.need(not any(before[: self.batch_axes]) and not any(after[: self.batch_axes]), "Pad")
        sizes = [s + b + a for s, b, a in zip(self.shape, before, after, strict=True)]
        if any(size < 1 for size in sizes):
            raise ReadError(f"padding must leave at least one entry along each axis, not {sizes}.")
        limits.check_width(prod(sizes), "a padded tensor")
        if self.shapes_only:
            self.shape = tuple(sizes)
            return
        places = np.pad(
            self._places(), [(max(b, 0), max(a, 0)) for b, a in zip(before, after, strict=True)], constant_values=-1
        )
        cut = tuple(slice(max(-b, 0), n - max(-a, 0)) for b, a, n in zip(before, after, places.shape, strict=True))
        places = places[cut].ravel()
        self.chain.select(places)
        self.shape = tuple(sizes)
        if value:
            at = np.flatnonzero(places < 0)
            self.chain.shift(ExactMatrix.from_entries((len(places), 1), at, 0 * at, [value] * len(at)))

    def _places(self) -> NDArray[np.int64]:
        return np.arange(prod(self.shape)).reshape(self.shape)

    # -- elementwise --------------------------------------------------------------------------------------

    def activate(self, chosen: Activation) -> None:
        """Apply an activation entry by entry."""
        if not self.shapes_only:
            self.chain.activate(chosen)

    def softmax(self, chosen: Activation, axis: int, *, trailing: bool = False) -> None:
        """Apply softmax along an axis, or over all axes from there on; it must take in the whole tensor."""
        axis = self.axis(axis)
        self.need(axis >= self.batch_axes, "Softmax")
        size = prod(self.shape[axis:]) if trailing else self.shape[axis]
        if size != prod(self.shape):
            raise NotSupportedError(
                f"softmax must be over all {prod(self.shape)} values of a point, not {size} of them at a time."
            )
        self.activate(chosen)

    def add(self, constant: Array) -> None:
        """Add a constant tensor, broadcast."""
        wide = self._broadcast(constant).ravel()
        if self.shapes_only or not (constant != 0).any():
            return
        if wide.dtype.kind == "f" and self.policy == "exact":
            self.chain.shift(ExactMatrix(self.values(wide).reshape(-1, 1)))
        else:
            places = np.arange(len(wide))
            self.chain.shift(ExactMatrix.from_entries((len(wide), 1), places, 0 * places, self.values(wide)))

    def multiply(self, factors: Array) -> None:
        """Multiply by a constant tensor, broadcast, entry by entry."""
        wide = self._broadcast(factors).ravel()
        if self.shapes_only or (factors == 1).all():
            return
        places = np.arange(len(wide))
        self.chain.apply(ExactMatrix.from_entries((len(wide), len(wide)), places, places, self.values(wide)))

    def _broadcast(self, constant: Array) -> Array:
        try:
            shape = np.broadcast_shapes(self.shape, constant.shape)
        except ValueError as error:
            raise ReadError(f"shapes {self.shape} and {constant.shape} do not fit together.") from error
        limits.check_width(prod(shape), "a broadcast tensor")
        extra = len(shape) - len(self.shape)
        self.need(prod(shape[: extra + self.batch_axes]) == 1, "a constant")
        if self.batch:
            self.batch = (1,) * extra + self.batch
        if shape != self.shape:
            if not self.shapes_only:
                self.chain.select(np.broadcast_to(self._places(), shape).ravel())
            self.shape = shape
        return np.broadcast_to(constant, shape)

    # -- linear maps --------------------------------------------------------------------------------------

    def matmul(self, weights: Array, bias: Array | None = None, *, factor: Fraction = Fraction(1)) -> None:
        """Multiply by constant weights (k, n) on the right, along the last axis; add a bias (n,)."""
        vector = weights.ndim == 1
        table = weights.reshape(-1, 1) if vector else weights
        if table.ndim != 2:
            raise NotSupportedError(f"weights must have one or two axes, not {weights.ndim}: batched products are not.")
        self.need(len(self.shape) > self.batch_axes, "MatMul")
        if not self.shape or self.shape[-1] != table.shape[0]:
            raise ReadError(f"a product must fit: values {self.shape}, weights {weights.shape}.")
        copies = prod(self.shape[:-1])
        self._linear(table.T, copies, 1, factor)
        self.shape = (*self.shape[:-1], *(() if vector else table.shape[1:]))
        if bias is not None:
            self.add(bias)

    def left_matmul(self, weights: Array) -> None:
        """Multiply by constant weights (m, k) on the left, along the last axis but one."""
        vector = weights.ndim == 1
        table = weights.reshape(1, -1) if vector else weights
        if table.ndim != 2:
            raise NotSupportedError(f"weights must have one or two axes, not {weights.ndim}: batched products are not.")
        place = max(len(self.shape) - 2, 0)
        self.need(place >= self.batch_axes, "MatMul")
        if not self.shape or self.shape[place] != table.shape[1]:
            raise ReadError(f"a product must fit: weights {weights.shape}, values {self.shape}.")
        before, after = self.shape[:place], self.shape[place + 1 :]
        self._linear(table, prod(before), prod(after), Fraction(1))
        self.shape = (*before, *(() if vector else table.shape[:1]), *after)

    def _linear(self, table: Array, copies: int, inner: int, factor: Fraction) -> None:
        """Apply kron(I_copies, table, I_inner), table of shape (m, k)."""
        m, k = table.shape
        if m == 0 or k == 0:
            raise ReadError(f"weights must not be empty, not {table.shape}.")
        limits.check_width(copies * m * inner, "a layer")
        if self.shapes_only:
            if copies * inner > 1:
                limits.check_nonzeros(copies * inner * m * k, "a product along one axis")
            return
        if copies == inner == 1:
            matrix = self.matrix(table)
        else:
            limits.check_nonzeros(copies * inner * m * k, "a product along one axis")
            c, i, j, r = np.ix_(range(copies), range(m), range(k), range(inner))
            rows, columns = (c * m + i) * inner + r + 0 * j, (c * k + j) * inner + r + 0 * i
            wide = np.broadcast_to(table[None, :, :, None], (copies, m, k, inner)).ravel()
            shape = (copies * m * inner, copies * k * inner)
            matrix = ExactMatrix.from_entries(shape, rows.ravel(), columns.ravel(), self.values(wide))
        self.chain.apply(matrix if factor == 1 else matrix.scaled(factor), holds_weights=True)

    def normalise(
        self, axis: int, scale: Array | None, bias: Array | None, mean: Array, variance: Array, epsilon: Fraction
    ) -> None:
        """Apply scale * (x - mean) / sqrt(variance + epsilon) + bias, one entry of each per index of the axis."""
        axis = self.axis(axis)
        self.need(axis >= self.batch_axes, "BatchNormalization")
        size = self.shape[axis]
        given = [a for a in (scale, bias, mean, variance) if a is not None]
        if any(a.shape != (size,) for a in given):
            raise ReadError(f"statistics must have one entry per channel ({size}), not {[a.shape for a in given]}.")
        if self.shapes_only:
            return
        factors, shifts, rounded = [], [], False
        for k in range(size):
            below, exact = square_root(self.number(variance[k]) + epsilon)
            rounded = rounded or not exact
            factor = (Fraction(1) if scale is None else self.number(scale[k])) / below
            factors.append(factor)
            shifts.append((Fraction(0) if bias is None else self.number(bias[k])) - self.number(mean[k]) * factor)
        note = "; irrational square roots were rounded to doubles" if rounded else ""
        self.notes.append(f"a batch normalisation was folded into its neighbours{note}")
        shape = (size,) + (1,) * (len(self.shape) - axis - 1)
        self.multiply(objects(factors).reshape(shape))
        self.add(objects(shifts).reshape(shape))

    # -- numbers ------------------------------------------------------------------------------------------

    def number(self, value: Any) -> Fraction:
        """Return what a stored number stands for."""
        return to_fraction(value, self.policy)

    def values(self, flat: Array) -> Any:
        """Return a flat array as doubles where they are exact, else as Fractions."""
        if flat.dtype.kind == "f" and self.policy == "exact":
            if not np.isfinite(flat).all():
                raise InexactError("numbers must be finite; replace NaN and infinite values first.")
            return flat.astype(np.float64)
        if flat.dtype.kind == "O":
            return list(flat)  # Fractions of ours
        distinct, place = np.unique(flat, return_inverse=True)
        exact = [to_fraction(value, self.policy) for value in distinct]
        return [exact[k] for k in place.ravel().tolist()]

    def matrix(self, table: Array) -> ExactMatrix:
        """Return a table as an exact matrix."""
        if table.dtype.kind == "f" and self.policy == "exact":
            return ExactMatrix(np.ascontiguousarray(table))
        return ExactMatrix([list(row) for row in table], self.policy)
