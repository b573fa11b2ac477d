"""Cells with rational slopes and exact real offsets: row . u + c >= 0, where c may hold logarithms.

Vertices are then exact reals too, each a rational combination of the offsets of the constraints that are tight
there, found by solving for them. Cells are cut as in `cutting`, every sign decided exactly.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, partial
from math import factorial
from typing import Any

import sympy

from symbinv.errors import NotSupportedError
from symbinv.exact.ball import decide_sign
from symbinv.exact.integer import IntegerMatrix, Row, common_scale, primitive
from symbinv.exact.loglinear import LogLinear, apply_matrix, combine
from symbinv.exact.matrix import ExactMatrix
from symbinv.exact.policy import to_rational
from symbinv.polyhedra.cell import Cell, Frame
from symbinv.polyhedra.cutting import common_bits, crossed_edges
from symbinv.polyhedra.polyhedron import Vector
from symbinv.polyhedra.volume import coordinates, simplices

Point = tuple[LogLinear, ...]


@dataclass(frozen=True)
class RealConstraint:
    """slopes . u + offset >= 0, or > 0 where it is open."""

    slopes: Vector
    offset: LogLinear
    is_open: bool


@dataclass(frozen=True)
class RealHalfSpace:
    """row . x <= bound, or < where it is strict; the bound is an exact real."""

    row: Vector
    bound: LogLinear
    strict: bool

    def contains(self, x: Sequence[Any]) -> bool:
        """Tell whether a point satisfies the inequality; entries are exact reals or rationals."""
        side = _sign(combine(self.row, [_real(e) for e in x]) - self.bound)
        return side < 0 or (side == 0 and not self.strict)


@dataclass(frozen=True, eq=False)
class RealCell:
    """A convex polyhedron with exact real vertices; what `Cell` is over the rationals.

    Attributes:
        frame: From its own coordinates to points.
        points: The vertices of the closure, in coordinates.
        directions: Its rays, in coordinates.
        masks: The tight constraints of points, then of rays.
        constraints: One per bit.
        equations: Constraints that hold with equality.
        dimension: Its dimension, lines included.
        pattern, affine: As in `Cell`.
    """

    frame: Frame
    points: tuple[Point, ...]
    directions: tuple[Vector, ...]
    masks: tuple[int, ...]
    constraints: tuple[RealConstraint, ...]
    equations: tuple[RealConstraint, ...]
    dimension: int
    pattern: tuple[Any, ...] = ()
    affine: tuple[Vector, ...] = ()

    @classmethod
    def of(cls, cell: Cell) -> "RealCell":
        """Return a rational cell as one of exact reals."""
        pairs = sorted(zip(cell.generators, cell.masks, strict=True), key=lambda pair: pair[0][0] == 0)
        points = [tuple(LogLinear.rational(Fraction(e, g[0])) for e in g[1:]) for g, _ in pairs if g[0]]
        rays = [tuple(map(Fraction, g[1:])) for g, _ in pairs if not g[0]]
        constraints = tuple(_constraint(c.form, c.is_open) for c in cell.constraints)
        equations = tuple(_constraint(form, False) for form in cell.equation_forms)
        return cls(
            cell.frame,
            tuple(points),
            tuple(rays),
            tuple(mask for _, mask in pairs),
            constraints,
            equations,
            cell.dimension,
            cell.pattern,
            cell.affine,
        )

    def cut(self, constraint: RealConstraint) -> "RealCell | None":
        """Return the part that satisfies a constraint; None where it is empty."""
        count = len(self.points)
        signs = [_sign(_value(constraint, p)) for p in self.points]
        signs += [_signum(_slope(constraint, r)) for r in self.directions]
        above = [i for i, s in enumerate(signs) if s > 0]
        below = [i for i, s in enumerate(signs) if s < 0]
        zero = [i for i, s in enumerate(signs) if s == 0]
        if not above:
            return None if constraint.is_open else self._face(zero, constraint)
        if not below and not (constraint.is_open and zero):
            return self
        bit = 1 << len(self.constraints)
        kept = [(i, self.masks[i]) for i in above] + [(i, self.masks[i] | bit) for i in zero]
        points = [(self.points[i], m) for i, m in kept if i < count]
        rays = [(self.directions[i - count], m) for i, m in kept if i >= count]
        inner = self.dimension - len(self.frame.lines)
        for i, j, common in crossed_edges(self.masks, above, below, inner) if below else ():
            if i >= count and j >= count:
                v, w = self.directions[i - count], self.directions[j - count]
                a, b = _slope(constraint, v), -_slope(constraint, w)
                rays.append((tuple(b * x + a * y for x, y in zip(v, w, strict=True)), common | bit))
            else:
                points.append((self._meet(common, constraint), common | bit))
        return RealCell(
            self.frame,
            tuple(p for p, _ in points),
            tuple(r for r, _ in rays),
            tuple(m for _, m in (*points, *rays)),
            (*self.constraints, constraint),
            self.equations,
            self.dimension,
            self.pattern,
            self.affine,
        )

    def _face(self, zero: list[int], constraint: RealConstraint) -> "RealCell | None":
        count = len(self.points)
        masks = [self.masks[i] for i in zero]
        gone = common_bits(masks)
        if not any(i < count for i in zero):
            return None
        equations = [*self.equations, constraint]
        for k, other in enumerate(self.constraints):
            if gone >> k & 1:
                if other.is_open:
                    return None
                equations.append(other)
        flat = IntegerMatrix([_integers(e.slopes) for e in equations]).rank()
        return RealCell(
            self.frame,
            tuple(self.points[i] for i in zero if i < count),
            tuple(self.directions[i - count] for i in zero if i >= count),
            tuple(m & ~gone for m in masks),
            self.constraints,
            tuple(equations),
            self.frame.dimension - flat + len(self.frame.lines),
            self.pattern,
            self.affine,
        )

    def _meet(self, common: int, constraint: RealConstraint) -> Point:
        """Return the vertex where a constraint meets the edge on which the common ones are tight."""
        tight = [constraint, *self.equations]
        tight += [c for k, c in enumerate(self.constraints) if common >> k & 1]
        matrix = ExactMatrix([c.slopes for c in tight])
        rows = list(matrix.T.rref()[1])
        square = matrix.select(rows=rows)
        inverse = square.solve(ExactMatrix.identity(len(rows)))
        return tuple(apply_matrix(inverse, [-tight[i].offset for i in rows]))

    # -- what a user reads --------------------------------------------------------------------------

    @cached_property
    def real_vertices(self) -> tuple[Point, ...]:
        """The vertices of the closure as exact reals."""
        return tuple(self._image(p) for p in self.points)

    def _image(self, point: Point) -> Point:
        scale = Fraction(1, self.frame.rows[0][0])
        one = LogLinear.rational(1)
        return tuple(combine([scale * e for e in row], [one, *point]) for row in self.frame.rows[1:])

    @cached_property
    def vertices(self) -> tuple[tuple[sympy.Expr, ...], ...]:
        """The vertices of the closure, as SymPy numbers."""
        return tuple(tuple(e.to_sympy() for e in v) for v in self.real_vertices)

    @cached_property
    def rays(self) -> tuple[Vector, ...]:
        """The extreme rays of the closure, as least integers."""
        return tuple(tuple(map(Fraction, primitive(self._direction(r)))) for r in self.directions)

    def _direction(self, ray: Vector) -> Row:
        return self.frame.image((0, *_integers(ray)))[1:]

    @property
    def lines(self) -> tuple[Vector, ...]:
        """A basis of the lines in the cell."""
        return self.frame.lines

    @property
    def is_bounded(self) -> bool:
        """Whether the cell has neither rays nor lines."""
        return not self.frame.lines and not self.directions

    @cached_property
    def half_spaces(self) -> tuple[RealHalfSpace, ...]:
        """The constraints on x; equations as two half-spaces."""
        found = []
        signed = [(c, 1) for c in self.constraints if any(c.slopes)]
        signed += [(e, s) for e in self.equations for s in (1, -1)]
        for c, s in signed:
            row, constant = self.frame.form((0, *c.slopes))  # type: ignore[arg-type]
            bound = (c.offset + LogLinear.rational(constant)) * s
            found.append(RealHalfSpace(tuple(-s * e for e in row), bound, c.is_open))
        for row, right in self.frame.fixed:
            for s in (1, -1):
                found.append(RealHalfSpace(tuple(s * e for e in row), LogLinear.rational(right * s), False))
        return tuple(found)

    def contains(self, x: Sequence[Any]) -> bool:
        """Tell whether a point belongs to the cell, removed faces considered, exactly."""
        return all(h.contains(x) for h in self.half_spaces)

    @property
    def interior_point(self) -> tuple[sympy.Expr, ...]:
        """A point of the relative interior, as SymPy numbers."""
        return tuple(e.to_sympy() for e in self.real_interior_point)

    @cached_property
    def real_interior_point(self) -> Point:
        """A point of the relative interior, as exact reals."""
        vertices = self.real_vertices
        share = Fraction(1, len(vertices))
        mean = [combine([share] * len(vertices), column) for column in zip(*vertices, strict=True)]
        for ray in self.rays:
            size = max(map(abs, ray))
            mean = [a + LogLinear.rational(b / size) for a, b in zip(mean, ray, strict=True)]
        return tuple(mean)

    @cached_property
    def volume(self) -> sympy.Expr:
        """The volume in the cell's own dimension, a SymPy number."""
        if not self.is_bounded:
            return sympy.oo
        if self.dimension == 0:
            return sympy.Integer(1)
        columns, stretch = coordinates(self._flat())
        flat = [[v[j - 1] for j in columns] for v in self.real_vertices]
        total: sympy.Expr = sympy.Integer(0)
        for simplex in simplices(self.masks, self.dimension):
            first = flat[simplex[0]]
            edges = [[a - b for a, b in zip(flat[i], first, strict=True)] for i in simplex[1:]]
            size = sympy.expand(_determinant([[e.to_sympy() for e in row] for row in edges]))
            if size == 0:
                continue
            side = decide_sign(partial(_enclosed_determinant, edges))
            if side is None:
                raise NotSupportedError("the orientation of a simplex with logarithms could not be decided.")
            total += side * size
        return sympy.expand(total / factorial(self.dimension)) * sympy.sqrt(to_rational(stretch))

    def _flat(self) -> list[Row]:
        """Return a basis of the directions of the affine hull, in x, in integers."""
        width = self.frame.dimension
        if not self.equations:
            return [self.frame.image(tuple(int(i == j + 1) for i in range(width + 1)))[1:] for j in range(width)]
        null = ExactMatrix([e.slopes for e in self.equations]).T.left_null_space()
        return [primitive(self._direction(tuple(row))) for row in null.fractions()]


def _constraint(form: Row, is_open: bool) -> RealConstraint:
    return RealConstraint(tuple(map(Fraction, form[1:])), LogLinear.rational(form[0]), is_open)


def _value(constraint: RealConstraint, point: Point) -> LogLinear:
    return combine(constraint.slopes, point) + constraint.offset


def _slope(constraint: RealConstraint, ray: Vector) -> Fraction:
    return sum((a * b for a, b in zip(constraint.slopes, ray, strict=True)), Fraction(0))


def _sign(number: LogLinear) -> int:
    found = number.sign()
    if found is None:
        raise NotSupportedError("the sign of a threshold with nested logarithms could not be decided.")
    return found


def _signum(value: Fraction) -> int:
    return (value > 0) - (value < 0)


def _integers(row: Sequence[Fraction]) -> Row:
    (integers,), _ = common_scale([row])
    return primitive(integers)


def _real(entry: Any) -> LogLinear:
    return entry if isinstance(entry, LogLinear) else LogLinear.rational(Fraction(entry))


def _enclosed_determinant(rows: Sequence[Sequence[LogLinear]]) -> Any:
    return _determinant([[e.enclose() for e in row] for row in rows])


def _determinant(rows: Sequence[Sequence[Any]]) -> Any:
    if len(rows) == 1:
        return rows[0][0]
    total: Any = 0
    for j, entry in enumerate(rows[0]):
        minor = _determinant([[*row[:j], *row[j + 1 :]] for row in rows[1:]])
        total = total + entry * minor if j % 2 == 0 else total - entry * minor
    return total
