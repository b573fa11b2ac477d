"""Entries and rows between the forms of a matrix: doubles, FLINT's rationals and integers, Fractions, SymPy."""

from collections.abc import Iterable
from math import lcm
from typing import Any

import numpy as np
import sympy
from flint import fmpq, fmpq_mat, fmpz_mat, nmod_mat
from numpy.typing import NDArray

from symbinv.errors import InexactError
from symbinv.exact.modular import PRIMES
from symbinv.exact.policy import Policy, to_fraction, to_rational


def to_fmpq(value: Any) -> fmpq:
    """Return an int, float, Fraction or fmpq as FLINT's rational."""
    if isinstance(value, fmpq):
        return value
    if isinstance(value, float):
        return fmpq(*value.as_integer_ratio())
    return fmpq(value.numerator, value.denominator)


def to_fmpqs(values: Iterable[Any]) -> list[fmpq]:
    """Return numbers as rationals; one object that stands in many places is converted once."""
    known: dict[int, fmpq] = {}
    result = []
    for value in values:
        found = known.get(id(value))
        if found is None:
            found = known[id(value)] = to_fmpq(value)
        result.append(found)
    return result


def doubles_to_fmpqs(doubles: NDArray[np.float64]) -> list[fmpq]:
    """Return doubles as rationals; equal ones, of which a convolution has many, are converted once."""
    distinct, place = np.unique(doubles, return_inverse=True)
    converted = [to_fmpq(value) for value in distinct.tolist()]
    return [converted[k] for k in place.ravel().tolist()]


def nearest_double(value: fmpq) -> float:
    """Return the double that is nearest to a rational."""
    numerator, denominator = int(value.p), int(value.q)
    try:
        return numerator / denominator
    except OverflowError:
        return float("inf") if numerator > 0 else float("-inf")


def integer_rows(matrix: NDArray[np.float64] | fmpq_mat) -> fmpz_mat:
    """Return a matrix of doubles or rationals with every row multiplied by its least common denominator."""
    if isinstance(matrix, fmpq_mat):
        shape = (matrix.nrows(), matrix.ncols())
        table = [[(int(v.p), int(v.q)) for v in row] for row in matrix.tolist()]
    else:
        shape = matrix.shape
        table = [[v.as_integer_ratio() for v in row] for row in matrix.tolist()]
    flat: list[int] = []
    for row in table:
        common = lcm(*(q for _, q in row))
        flat += [p * (common // q) for p, q in row]
    return fmpz_mat(*shape, flat)


def rank_of_integers(matrix: fmpz_mat) -> int:
    """Return the rank, exactly.

    The rank modulo a prime is never above the rank, so that it is the rank where it reaches the smaller side; only
    a matrix that falls short of that is reduced over the integers.
    """
    least = int(nmod_mat(matrix, PRIMES[0]).rank())
    return least if least == min(matrix.nrows(), matrix.ncols()) else int(matrix.rank())


def leading_columns(reduced: fmpz_mat, rank: int) -> tuple[int, ...]:
    """Return the column of the first entry of each non-zero row of a row echelon form."""
    pivots: list[int] = []
    column = 0
    for row in range(rank):
        while reduced[row, column] == 0:
            column += 1
        pivots.append(column)
        column += 1
    return tuple(pivots)


def symbolic_entry(entry: Any, policy: Policy) -> sympy.Expr:
    """Return an entry of a matrix with symbols.

    Raises:
        InexactError: For an expression with floats, and for what is no number.
    """
    if isinstance(entry, sympy.Expr) and not entry.is_number:
        if entry.has(sympy.Float):
            raise InexactError(f"symbolic entries must have rational coefficients, not floats: {entry}.")
        return entry
    if isinstance(entry, sympy.Expr) and not entry.is_Rational and not entry.is_Float:
        return entry
    return to_rational(to_fraction(entry, policy))
