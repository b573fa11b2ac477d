"""SparseForm: the non-zero entries of a matrix and their places, for convolutions, pools and reshapes.

Entries are doubles, which are exact rationals already, or FLINT's rationals. A product stays in doubles
where it only moves entries or changes their sign; every other product is rational.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from flint import fmpq, fmpq_mat
from numpy.typing import NDArray

from symbinv.errors import InexactError, ShapeError
from symbinv.exact.entries import doubles_to_fmpqs, nearest_double, rank_of_integers, to_fmpqs

Index = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class SparseForm:
    """Entries in row-major order, each place once, none zero.

    Attributes:
        shape: Rows and columns.
        places: row * columns + column of each entry, ascending.
        doubles: The entries as doubles, or None where `rationals` holds them.
        rationals: The entries as fmpq.
    """

    shape: tuple[int, int]
    places: Index
    doubles: NDArray[np.float64] | None
    rationals: list[fmpq] | None = None

    @classmethod
    def build(cls, shape: tuple[int, int], rows: Any, columns: Any, values: Any) -> "SparseForm":
        """Return the form with values[k] at (rows[k], columns[k]); entries at one place are added.

        Args:
            shape: Rows and columns.
            rows, columns: Places, arrays of integers.
            values: An array of floats of at most 64 bits, or a sequence of Fractions or fmpq.

        Raises:
            ShapeError: Where a place lies outside the matrix.
            InexactError: For NaN and infinities.
        """
        i, j = np.asarray(rows, dtype=np.int64), np.asarray(columns, dtype=np.int64)
        if not len(i) == len(j) == len(values):
            raise ShapeError(f"rows, columns and values must be as many, not {len(i)}, {len(j)} and {len(values)}.")
        if len(i) and not (i.min() >= 0 and i.max() < shape[0] and j.min() >= 0 and j.max() < shape[1]):
            raise ShapeError(f"every entry must lie inside the {shape[0]}x{shape[1]} matrix.")
        places = i * shape[1] + j
        order = np.argsort(places, kind="stable")
        places = places[order]
        if isinstance(values, np.ndarray) and values.dtype.kind == "f" and values.dtype.itemsize <= 8:
            doubles = values.astype(np.float64)[order]
            if not np.isfinite(doubles).all():
                raise InexactError("numbers must be finite; replace NaN and infinite values first.")
            if (places[1:] > places[:-1]).all():
                keep = doubles != 0
                return cls(shape, places[keep], doubles[keep])
            rationals = doubles_to_fmpqs(doubles)
        else:
            rationals = to_fmpqs([values[k] for k in order.tolist()])
        if (places[1:] > places[:-1]).all():
            kept = [k for k, value in enumerate(rationals) if value]
            if len(kept) < len(rationals):
                places, rationals = places[kept], [rationals[k] for k in kept]
            return cls(shape, places, None, rationals)
        return cls(shape, *_added(places, rationals))

    @property
    def rows(self) -> Index:
        """The row of each entry."""
        return self.places // max(self.shape[1], 1)

    @property
    def columns(self) -> Index:
        """The column of each entry."""
        return self.places % max(self.shape[1], 1)

    @property
    def values(self) -> list[fmpq]:
        """The entries as FLINT holds them."""
        if self.rationals is not None:
            return self.rationals
        return [] if self.doubles is None else doubles_to_fmpqs(self.doubles)

    @property
    def is_signed_selection(self) -> bool:
        """Whether every entry is 1 or -1."""
        return self.doubles is not None and bool((np.abs(self.doubles) == 1).all())

    def entry(self, row: int, column: int) -> Fraction:
        """Return one entry."""
        rows, columns = self.shape
        if not (-rows <= row < rows and -columns <= column < columns):
            raise IndexError("index out of range")
        place = (row % rows) * columns + column % columns
        k = int(np.searchsorted(self.places, place))
        if k == len(self.places) or self.places[k] != place:
            return Fraction(0)
        if self.doubles is not None:
            return Fraction(*float(self.doubles[k]).as_integer_ratio())
        value = self.values[k]
        return Fraction(int(value.p), int(value.q))

    @cached_property
    def rounded(self) -> NDArray[np.float64]:
        """The entries as doubles, each rounded once."""
        return np.array([nearest_double(v) for v in self.values]) if self.doubles is None else self.doubles

    def to_numpy(self) -> NDArray[np.float64]:
        """Return the dense array, each entry rounded once."""
        dense = np.zeros(self.shape[0] * self.shape[1])
        dense[self.places] = self.rounded
        return dense.reshape(self.shape)

    def times_floats(self, x: NDArray[np.float64], *, absolute: bool = False) -> NDArray[np.float64]:
        """Return x @ self.T in doubles, for x of shape (k, columns), or with the absolute values of the entries."""
        product = (abs(self._compressed) if absolute else self._compressed) @ x.T
        return np.ascontiguousarray(product.T)

    @cached_property
    def _compressed(self) -> Any:
        from scipy.sparse import csr_array

        return csr_array((self.rounded, (self.rows, self.columns)), shape=self.shape)

    def to_flint(self) -> fmpq_mat:
        """Return the dense matrix."""
        dense = fmpq_mat(*self.shape)
        for i, j, value in zip(self.rows.tolist(), self.columns.tolist(), self.values, strict=True):
            dense[i, j] = value
        return dense

    def equals(self, other: "SparseForm") -> bool:
        """Tell whether both hold the same matrix."""
        if self.shape != other.shape or not np.array_equal(self.places, other.places):
            return False
        if self.doubles is not None and other.doubles is not None:
            return bool((self.doubles == other.doubles).all())
        return self.values == other.values

    def transposed(self) -> "SparseForm":
        """Return the transpose."""
        return SparseForm.build((self.shape[1], self.shape[0]), self.columns, self.rows, self._stored())

    def scaled(self, factor: fmpq) -> "SparseForm":
        """Return the matrix times a rational number."""
        if factor == 0:
            return SparseForm(self.shape, self.places[:0], np.zeros(0))
        if factor in (1, -1) and self.doubles is not None:
            return SparseForm(self.shape, self.places, self.doubles * int(factor.p))
        return SparseForm(self.shape, self.places, None, [v * factor for v in self.values])

    def plus(self, other: "SparseForm") -> "SparseForm":
        """Return the sum."""
        i = np.concatenate([self.rows, other.rows])
        j = np.concatenate([self.columns, other.columns])
        if self.doubles is not None and other.doubles is not None:
            return SparseForm.build(self.shape, i, j, np.concatenate([self.doubles, other.doubles]))
        return SparseForm.build(self.shape, i, j, self.values + other.values)

    def select(self, rows: Sequence[int], columns: Sequence[int]) -> "SparseForm":
        """Return the sub-matrix of the given rows and columns, in the given order."""
        shape = (len(rows), len(columns))
        i, j = np.arange(self.shape[0])[list(rows)], np.arange(self.shape[1])[list(columns)]
        left = SparseForm.build((shape[0], self.shape[0]), np.arange(shape[0]), i, np.ones(shape[0]))
        right = SparseForm.build((self.shape[1], shape[1]), j, np.arange(shape[1]), np.ones(shape[1]))
        return left.times(self).times(right)

    def terms(self, other: "SparseForm") -> int:
        """Return the number of products that self times other needs."""
        return int(np.bincount(other.rows, minlength=other.shape[0])[self.columns].sum())

    def times(self, other: "SparseForm") -> "SparseForm":
        """Return the matrix product."""
        shape = (self.shape[0], other.shape[1])
        counts = np.bincount(other.rows, minlength=other.shape[0])
        starts = np.concatenate([[0], np.cumsum(counts)])
        each = counts[self.columns]
        left = np.repeat(np.arange(len(self.places)), each)
        before = np.concatenate([[0], np.cumsum(each)])[:-1]
        right = np.arange(len(left)) - np.repeat(before, each) + np.repeat(starts[self.columns], each)
        i, j = self.rows[left], other.columns[right]
        places = i * shape[1] + j
        moves_only = self.is_signed_selection or other.is_signed_selection
        if moves_only and self.doubles is not None and other.doubles is not None:
            values: Any = self.doubles[left] * other.doubles[right]
            if len(np.unique(places)) == len(places):
                return SparseForm.build(shape, i, j, values)
        a, b = self.values, other.values
        values = [a[p] * b[q] for p, q in zip(left.tolist(), right.tolist(), strict=True)]
        return SparseForm.build(shape, i, j, values)

    def times_dense(self, other: fmpq_mat) -> fmpq_mat:
        """Return the product with a dense matrix on the right."""
        result = fmpq_mat(self.shape[0], other.ncols())
        width = range(other.ncols())
        for i, k, value in zip(self.rows.tolist(), self.columns.tolist(), self.values, strict=True):
            for j in width:
                result[i, j] = result[i, j] + value * other[k, j]
        return result

    def rank(self) -> int:
        """Return the rank, exactly; empty rows and columns take no part."""
        rows, i = np.unique(self.rows, return_inverse=True)
        columns, j = np.unique(self.columns, return_inverse=True)
        table = fmpq_mat(len(rows), len(columns))
        for p, q, value in zip(i.tolist(), j.tolist(), self.values, strict=True):
            table[p, q] = value
        return rank_of_integers(table.numer_denom()[0]) if len(rows) else 0

    def moved_columns(self, dense: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """Return dense times self where that only moves columns of doubles and changes signs, else None."""
        columns = self.columns
        if not self.is_signed_selection or len(np.unique(columns)) != len(columns) or self.doubles is None:
            return None
        result = np.zeros((dense.shape[0], self.shape[1]))
        result[:, columns] = dense[:, self.rows] * self.doubles
        return result

    def _stored(self) -> Any:
        return self.doubles if self.doubles is not None else self.values


def _added(places: Index, values: list[fmpq]) -> tuple[Index, None, list[fmpq]]:
    kept: list[int] = []
    sums: list[fmpq] = []
    for place, value in zip(places.tolist(), values, strict=True):
        if kept and kept[-1] == place:
            sums[-1] = sums[-1] + value
        else:
            kept.append(place)
            sums.append(value)
    nonzero = [k for k, value in enumerate(sums) if value != 0]
    return np.array([kept[k] for k in nonzero], dtype=np.int64), None, [sums[k] for k in nonzero]
