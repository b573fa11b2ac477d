"""Cells: convex polyhedra with exact vertices, rays and lines, in both representations.

A cell is held in coordinates u of its own, x = origin + basis u, as homogeneous integer generators with the
constraints that are tight on each; what a user reads is made from them when asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from math import prod
from typing import Any

import sympy

from symbinv.exact.integer import IntegerMatrix, Row, common_scale, primitive
from symbinv.polyhedra.generator import Generator
from symbinv.polyhedra.polyhedron import HalfSpace, Polyhedron, Vector
from symbinv.polyhedra.volume import volume


@dataclass(frozen=True, slots=True)
class Constraint:
    """form . v >= 0 on the generators of a cell; open where points with form . v = 0 do not belong to it."""

    form: Row
    is_open: bool


@dataclass(frozen=True, eq=False)
class Frame:
    """The affine map from the coordinates of cells to points, x = origin + basis u, and back.

    Attributes:
        rows: Homogeneous integers: (scale, 0, ...) and scale times every x_i as a form.
        back: For every coordinate a row (c, g) with u = c + g . x.
        fixed: Equations (row, right side) that every point satisfies.
        lines: A basis of the directions along which every cell is unbounded both ways.
    """

    rows: tuple[Row, ...]
    back: tuple[Vector, ...]
    fixed: tuple[tuple[Vector, Fraction], ...] = ()
    lines: tuple[Vector, ...] = ()

    @property
    def dimension(self) -> int:
        """The number of coordinates."""
        return len(self.rows[0]) - 1

    @property
    def width(self) -> int:
        """The number of entries of a point."""
        return len(self.rows) - 1

    def image(self, generator: Row) -> Row:
        """Return a generator as homogeneous integers in x."""
        return tuple(sum(a * b for a, b in zip(row, generator, strict=True)) for row in self.rows)

    def point(self, generator: Row) -> Vector:
        """Return the point of a generator with v_0 > 0."""
        whole, *rest = self.image(generator)
        return tuple(Fraction(e, whole) for e in rest)

    def form(self, form: Row) -> tuple[Vector, Fraction]:
        """Return a form on u as (row, constant) on x: form . (1, u) = row . x + constant."""
        constant, row = Fraction(form[0]), [Fraction(0)] * self.width
        for factor, (c, *g) in zip(form[1:], self.back, strict=True):
            if factor:
                constant += factor * c
                row = [a + factor * e for a, e in zip(row, g, strict=True)]
        return tuple(row), constant


@dataclass(frozen=True, eq=False)
class Cell:
    """A convex polyhedron with some of its faces removed; vertices and rays describe its closure.

    Attributes:
        frame: From its own coordinates to points.
        made: The generators, points and rays, as the splitting made them.
        masks: For each generator the constraints that are tight on it.
        constraints: One per bit.
        equation_forms: Forms that vanish on the cell.
        pattern: For a network's cell, the piece of every unit, layer by layer.
        affine: For a network's cell, the exact map on it: rows (constant, slopes), one per output.
    """

    frame: Frame
    made: tuple[Generator, ...]
    masks: tuple[int, ...]
    constraints: tuple[Constraint, ...]
    equation_forms: tuple[Row, ...] = ()
    pattern: tuple[Any, ...] = ()
    _affine: Any = field(default=None, repr=False)

    def __repr__(self) -> str:
        return f"Cell(dimension {self.dimension}, pattern {self.pattern})"

    @cached_property
    def generators(self) -> tuple[Row, ...]:
        """The generators as homogeneous integers, computed when first asked for."""
        return tuple([g.row for g in self.made])

    @cached_property
    def dimension(self) -> int:
        """The dimension of the cell."""
        return IntegerMatrix(self.generators).rank() - 1 + len(self.frame.lines)

    @cached_property
    def vertices(self) -> tuple[Vector, ...]:
        """The vertices of the closure (one point of each where the cell has lines)."""
        return tuple(self.frame.point(g) for g in self.generators if g[0])

    @cached_property
    def rays(self) -> tuple[Vector, ...]:
        """The extreme rays of the closure, as least integers."""
        return tuple(tuple(map(Fraction, primitive(self.frame.image(g)[1:]))) for g in self.generators if not g[0])

    @property
    def lines(self) -> tuple[Vector, ...]:
        """A basis of the lines in the cell."""
        return self.frame.lines

    @property
    def is_bounded(self) -> bool:
        """Whether the cell has neither rays nor lines."""
        return not self.frame.lines and all(g[0] for g in self.generators)

    @cached_property
    def polyhedron(self) -> Polyhedron:
        """The cell by inequalities (open ones strict) and equations."""
        tight: dict[int, list[Row]] = {}
        for mask, generator in zip(self.masks, self.generators, strict=True):
            for bit, constraint in enumerate(self.constraints):
                if mask >> bit & 1 and any(constraint.form[1:]):
                    tight.setdefault(bit, []).append(generator)
        facet = self.dimension - len(self.frame.lines)
        half_spaces: dict[Vector, HalfSpace] = {}
        for bit, touching in tight.items():
            constraint = self.constraints[bit]
            if constraint.is_open or (len(touching) >= facet and IntegerMatrix(touching).rank() == facet):
                row, constant = self.frame.form(constraint.form)
                found = _half_space(row, constant, constraint.is_open)
                key = (*found.row, found.bound)
                if key not in half_spaces or found.strict:
                    half_spaces[key] = found
        return Polyhedron.of(self.frame.width, half_spaces.values(), self._equations())

    def _equations(self) -> list[tuple[Vector, Fraction]]:
        forms: list[Row] = []
        for form in self.equation_forms:
            if IntegerMatrix([*forms, form]).rank() > len(forms):
                forms.append(form)
        equations = list(self.frame.fixed)
        for form in forms:
            row, constant = self.frame.form(form)
            equations.append((row, -constant))
        return equations

    @cached_property
    def affine(self) -> tuple[Vector, ...]:
        """The exact map on a network's cell, rows (constant, slopes) on x, one per output."""
        return () if self._affine is None else tuple(self._affine())

    @cached_property
    def interior_point(self) -> Vector:
        """A point of the relative interior, which belongs to the cell whichever faces are removed."""
        points = self.vertices
        mean = [sum(column, Fraction(0)) / len(points) for column in zip(*points, strict=True)]
        for ray in self.rays:
            size = max(map(abs, ray))  # least integers may be huge
            mean = [a + b / size for a, b in zip(mean, ray, strict=True)]
        return tuple(mean)

    @cached_property
    def short_point(self) -> Vector:
        """A point of the cell with short entries where one lies near `interior_point`."""
        for digits in (4, 12, 32):
            short = tuple(Fraction(round(e * 2**digits), 2**digits) for e in self.interior_point)
            if self.contains(short):
                return short
        return self.interior_point

    def contains(self, x: Sequence[Any]) -> bool:
        """Tell whether a point belongs to the cell, removed faces considered, exactly."""
        return self.polyhedron.contains(x)

    @cached_property
    def squared_volume(self) -> tuple[Fraction, Fraction] | None:
        """Q and s such that the volume in the cell's own dimension is q sqrt(s); None where it is infinite."""
        if not self.is_bounded:
            return None
        sides = self._box_sides()
        if sides is not None:
            return sides, Fraction(1)
        return volume([primitive(self.frame.image(g)) for g in self.generators], self.masks, self.dimension)

    def _box_sides(self) -> Fraction | None:
        """Return the product of the sides where the cell is a box in all inputs, which needs no triangulation."""
        used = 0
        for mask in self.masks:
            used |= mask
        if self.dimension < self.frame.width or len(self.masks) != 1 << self.dimension:
            return None
        for bit, constraint in enumerate(self.constraints):
            if used >> bit & 1 and sum(1 for e in self.frame.form(constraint.form)[0] if e) > 1:
                return None
        return prod((max(column) - min(column) for column in zip(*self.vertices, strict=True)), start=Fraction(1))

    @property
    def volume(self) -> Any:
        """The volume in the cell's own dimension: a Fraction in full dimension, else a SymPy number."""
        if self.squared_volume is None:
            return sympy.oo
        rational, square = self.squared_volume
        if self.dimension == self.frame.width:
            return rational
        return sympy.Rational(rational.numerator, rational.denominator) * sympy.sqrt(
            sympy.Rational(square.numerator, square.denominator)
        )


def _half_space(row: Vector, constant: Fraction, strict: bool) -> HalfSpace:
    """Return row . x + constant >= 0 as a half-space with least integers."""
    (integers,), _ = common_scale([[*(-e for e in row), constant]])
    *slopes, bound = primitive(integers)
    return HalfSpace(tuple(map(Fraction, slopes)), Fraction(bound), strict)
