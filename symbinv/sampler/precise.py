"""Products with an exact matrix in about twice the precision of doubles, at the speed of BLAS.

Both factors are cut into slices of so few bits that products of slices are exact in doubles (Ozaki's scheme), and
the products are summed by error-free additions. The matrix is rational, so that its slices carry bits that no
double holds; the other factor is doubles, taken as they are.

Reference:
    K. Ozaki, T. Ogita, S. Oishi, S. M. Rump, Error-free transformations of matrix multiplication by using fast
    routines of matrix multiplication and its applications, Numerical Algorithms 59 (2012).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
SLICES = 4


@dataclass(frozen=True, eq=False)
class PreciseMatrix:
    """A rational matrix as a sum of slices.

    Attributes:
        stacked: The slices below each other, (4 m, n), largest first; all but the last have `bits` bits.
        bits: So few that n products of two slices add up without rounding.
    """

    stacked: Array
    bits: int

    @classmethod
    def of(cls, rows: Sequence[Sequence[Fraction]]) -> "PreciseMatrix":
        """Cut a matrix of rationals into slices, row by row.

        Example:
            >>> third = PreciseMatrix.of([[Fraction(1, 3)]])
            >>> float(sum(Fraction(v) for v in third.stacked[:, 0].tolist()) - Fraction(1, 3)) < 2.0**-100
            True
        """
        m, n = len(rows), len(rows[0]) if rows else 0
        bits = (53 - max(n - 1, 0).bit_length()) // 2
        stacked = np.zeros((SLICES, m, n))
        for i, row in enumerate(rows):
            largest = max((abs(v) for v in row), default=Fraction(0))
            if not largest:
                continue
            top = largest.numerator.bit_length() - largest.denominator.bit_length() + 1
            for j, value in enumerate(row):
                left = value
                for k in range(SLICES - 1):
                    unit = Fraction(2) ** (top - bits * (k + 1))
                    part = round(left / unit) * unit
                    stacked[k, i, j] = float(part)
                    left -= part
                stacked[-1, i, j] = float(left)
        return cls(stacked.reshape(SLICES * m, n), bits)

    def times(self, s: Array) -> Array:
        """Return the product, each entry rounded about once: (n, k) -> (m, k).

        The error is a rounding unit of the result and 4 n 2^-(2 bits + 53) of the largest entries of row and column.
        """
        m = len(self.stacked) // SLICES
        _, exponent = np.frexp(np.abs(s).max(axis=0, initial=0.0))
        unit = np.ldexp(1.5, 52 + exponent - self.bits)
        first = (s + unit) - unit
        rest = s - first
        unit = np.ldexp(unit, -self.bits)
        second = (rest + unit) - unit
        third = rest - second
        a = (self.stacked @ first).reshape(SLICES, m, -1)
        b = (self.stacked @ second).reshape(SLICES, m, -1)
        c = (self.stacked[: 3 * m] @ third).reshape(SLICES - 1, m, -1)
        total, lost = _two_sum(a[0], a[1])
        total, lost_again = _two_sum(total, b[0])
        small = (a[3] + b[2] + c[1]) + (b[3] + c[2])
        return np.asarray(total + (((lost + lost_again) + small) + (a[2] + b[1] + c[0])))


def _two_sum(a: Array, b: Array) -> tuple[Array, Array]:
    """Return a + b in doubles and what that sum lost (Knuth)."""
    total = a + b
    other = total - a
    return total, (a - (total - other)) + (b - other)
