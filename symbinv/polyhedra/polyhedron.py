"""Polyhedra by inequalities: A x <= b (rows open or closed), C x = d, all rational."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import sympy

from symbinv.errors import ShapeError
from symbinv.exact.policy import Policy, to_fraction

Vector = tuple[Fraction, ...]


@dataclass(frozen=True)
class HalfSpace:
    """row . x <= bound, or < where it is strict."""

    row: Vector
    bound: Fraction
    strict: bool = False

    def contains(self, x: Sequence[Fraction]) -> bool:
        """Tell whether a rational point satisfies the inequality."""
        value = sum((a * e for a, e in zip(self.row, x, strict=True)), Fraction(0))
        return value < self.bound if self.strict else value <= self.bound


class Polyhedron:
    """The points with A x <= b and C x = d.

    Args:
        A: Rows of the inequalities, shape (p, n); numbers of any kind that `to_fraction` takes.
        b: Their right sides, p of them.
        C: Rows of the equations, shape (q, n), or None.
        d: Their right sides.
        strict: One truth value per row of A (or one for all): whether the row is open.
        policy: What a float stands for.

    Raises:
        ShapeError: Where rows differ in length, or right sides in number.

    Example:
        >>> triangle = Polyhedron([[-1, 0], [0, -1], [1, 1]], [0, 0, 1])
        >>> triangle.contains([Fraction(1, 2), Fraction(1, 2)]), triangle.contains([1, 1])
        (True, False)
    """

    __slots__ = ("equations", "half_spaces", "width")

    half_spaces: tuple[HalfSpace, ...]
    equations: tuple[tuple[Vector, Fraction], ...]
    width: int

    def __init__(
        self,
        A: Any = (),
        b: Any = (),
        C: Any = None,
        d: Any = None,
        *,
        strict: bool | Sequence[bool] = False,
        policy: Policy = "exact",
    ) -> None:
        upper, right = _rows(A, policy), _numbers(b, policy)
        level, fixed = _rows(() if C is None else C, policy), _numbers(() if d is None else d, policy)
        if len(upper) != len(right) or len(level) != len(fixed):
            raise ShapeError(
                "a polyhedron must have one right side per row, "
                f"not {len(upper)} and {len(right)}, {len(level)} and {len(fixed)}."
            )
        widths = {len(row) for row in (*upper, *level)}
        if len(widths) != 1:
            raise ShapeError(f"a polyhedron must have rows of one length, at least one of them, not {sorted(widths)}.")
        is_open = [strict] * len(upper) if isinstance(strict, bool) else list(strict)
        if len(is_open) != len(upper):
            raise ShapeError(f"strict must have one entry per row of A ({len(upper)}), not {len(is_open)}.")
        self.width = widths.pop()
        self.half_spaces = tuple(HalfSpace(*row) for row in zip(upper, right, is_open, strict=True))
        self.equations = tuple(zip(level, fixed, strict=True))

    @classmethod
    def of(
        cls, width: int, half_spaces: Iterable[HalfSpace], equations: Iterable[tuple[Vector, Fraction]] = ()
    ) -> "Polyhedron":
        """Return the polyhedron of given half-spaces and equations; all of space where there are none."""
        result = cls.__new__(cls)
        result.width = width
        result.half_spaces, result.equations = tuple(half_spaces), tuple(equations)
        return result

    def contains(self, x: Sequence[Any]) -> bool:
        """Tell whether a point lies in the polyhedron, exactly."""
        point = _numbers(x, "exact")
        if len(point) != self.width:
            raise ShapeError(f"a point must have {self.width} entries, not {len(point)}.")
        return all(h.contains(point) for h in self.half_spaces) and all(
            sum((a * e for a, e in zip(row, point, strict=True)), Fraction(0)) == right for row, right in self.equations
        )

    def __repr__(self) -> str:
        return f"Polyhedron({len(self.half_spaces)} inequalities, {len(self.equations)} equations in {self.width})"


def _numbers(values: Any, policy: Policy) -> Vector:
    items = values.tolist() if isinstance(values, np.ndarray) else list(values)
    return tuple(to_fraction(v, policy) for v in items)


def _rows(rows: Any, policy: Policy) -> list[Vector]:
    if isinstance(rows, np.ndarray | sympy.MatrixBase):
        rows = rows.tolist()
    try:
        return [_numbers(row, policy) for row in rows]
    except TypeError:
        raise ShapeError("rows of a polyhedron must be sequences of numbers.") from None
