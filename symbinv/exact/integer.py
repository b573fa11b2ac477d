"""Integers with a common scale: rows of forms, their products, and exact sums of many fractions.

A rational matrix is held as integers over one positive denominator, since signs need no denominators. Products
of such matrices and sums of fractions with long denominators are done by FLINT.
"""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from math import gcd, lcm

from flint import fmpq, fmpz_mat

Row = tuple[int, ...]


class IntegerMatrix:
    """An immutable matrix of integers.

    Example:
        >>> m = IntegerMatrix([[1, 2], [3, 4]])
        >>> m.after_row(0, m), (m @ m).rows()[1], m.rank()
        ((7, 10), (15, 22), 2)
    """

    __slots__ = ("_matrix", "_single")

    def __init__(self, rows: Sequence[Sequence[int]]) -> None:
        width = len(rows[0]) if rows else 0
        self._matrix = fmpz_mat(len(rows), width, [e for row in rows for e in row])
        self._single: dict[int, fmpz_mat] = {}

    def after_row(self, index: int, other: "IntegerMatrix") -> Row:
        """Return row `index` of self @ other."""
        row = self._single.get(index)
        if row is None:
            width = self._matrix.ncols()
            row = self._single[index] = fmpz_mat(1, width, [self._matrix[index, j] for j in range(width)])
        return tuple(map(int, (row * other._matrix).entries()))

    def __matmul__(self, other: "IntegerMatrix") -> "IntegerMatrix":
        result = IntegerMatrix.__new__(IntegerMatrix)
        result._matrix = self._matrix * other._matrix
        result._single = {}
        return result

    def rows(self) -> list[Row]:
        """Return the rows."""
        width, flat = self._matrix.ncols(), list(map(int, self._matrix.entries()))
        return [tuple(flat[i * width : (i + 1) * width]) for i in range(self._matrix.nrows())]

    def rank(self) -> int:
        """Return the rank."""
        return int(self._matrix.rank())


def primitive(row: Sequence[int]) -> Row:
    """Return a row of integers divided by their greatest common divisor.

    Example:
        >>> primitive([4, -6])
        (2, -3)
    """
    common = gcd(*row)
    return tuple(row) if common <= 1 else tuple(e // common for e in row)


def common_scale(rows: Sequence[Sequence[Fraction]]) -> tuple[list[list[int]], int]:
    """Return integers and the least positive denominator of which the rows are the quotients.

    Example:
        >>> common_scale([[Fraction(1, 2), Fraction(1, 3)]])
        ([[3, 2]], 6)
    """
    scale = lcm(*(e.denominator for row in rows for e in row))
    return [[e.numerator * (scale // e.denominator) for e in row] for row in rows], scale


def dot(form: Sequence[int], vector: Sequence[int]) -> int:
    """Return the sum of products of two rows of integers."""
    total = 0
    for a, b in zip(form, vector, strict=True):
        total += a * b
    return total


def determinant(rows: Sequence[Sequence[int]]) -> int:
    """Return the determinant of a square matrix of integers.

    Example:
        >>> determinant([[1, 2], [3, 4]])
        -2
    """
    if len(rows) == 1:
        return rows[0][0]
    if len(rows) == 2:
        return rows[0][0] * rows[1][1] - rows[0][1] * rows[1][0]
    if len(rows) == 3:
        (a, b, c), (d, e, f), (g, h, i) = rows
        return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    return int(fmpz_mat(len(rows), len(rows), [e for row in rows for e in row]).det())


def exact_sum(terms: Iterable[tuple[int, int]]) -> Fraction:
    """Return the sum of the fractions numerator / denominator, added in pairs of like size.

    Example:
        >>> exact_sum([(1, 2), (1, 3), (1, 6)])
        Fraction(1, 1)
    """
    level = [fmpq(p, q) for p, q in terms]
    while len(level) > 1:
        paired = [a + b for a, b in zip(level[::2], level[1::2], strict=False)]
        level = paired + level[len(paired) * 2 :]
    return Fraction(int(level[0].p), int(level[0].q)) if level else Fraction(0)
