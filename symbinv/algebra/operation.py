"""Row operations, as typed values.

Rows count from 0. `AddMultiple(target, source, factor)` is R_target + factor R_source -> R_target, so
the paper's R_2 - k_{21} R_1 -> R_2 is `AddMultiple(1, 0, -k_{21})`.
"""

from dataclasses import dataclass
from typing import Any

import sympy


@dataclass(frozen=True)
class Swap:
    """Exchange two rows."""

    first: int
    second: int


@dataclass(frozen=True)
class Scale:
    """Multiply a row by a factor that is not zero."""

    row: int
    factor: sympy.Expr


@dataclass(frozen=True)
class AddMultiple:
    """Add factor times the source row to the target row."""

    target: int
    source: int
    factor: sympy.Expr


Operation = Swap | Scale | AddMultiple


def apply(operation: Operation, rows: list[list[Any]]) -> None:
    """Carry out an operation on a table of rows, in place.

    Example:
        >>> rows = [[1, 2], [3, 4]]
        >>> apply(AddMultiple(1, 0, -3), rows)
        >>> rows
        [[1, 2], [0, -2]]
    """
    match operation:
        case Swap(first, second):
            rows[first], rows[second] = rows[second], rows[first]
        case Scale(row, factor):
            rows[row] = [factor * e for e in rows[row]]
        case AddMultiple(target, source, factor):
            rows[target] = [e + factor * s for e, s in zip(rows[target], rows[source], strict=True)]


def invert(operation: Operation) -> Operation:
    """Return the operation that undoes the given one."""
    match operation:
        case Swap():
            return operation
        case Scale(row, factor):
            return Scale(row, 1 / factor)
        case AddMultiple(target, source, factor):
            return AddMultiple(target, source, -factor)
