"""A search by half-spaces and its parts as plain data, as in `wire`."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from symbinv.cells.half_space_search import Branch, HalfSpacePart, HalfSpaceSearch, OpenCell
from symbinv.cells.last_activation import RealRow
from symbinv.cells.wire import Plain, read_stage, write_stage
from symbinv.exact.loglinear import LogLinear
from symbinv.exact.matrix import ExactMatrix
from symbinv.polyhedra.polyhedron import HalfSpace, Polyhedron, Vector


def write_half_space_search(search: HalfSpaceSearch) -> Plain:
    """Return what the parts of a search have in common; thresholds are rational here."""
    clauses = None
    if search.clauses is not None:
        clauses = [[(_write(r.row), _ratio(r.bound.constant), r.strict) for r in clause] for clause in search.clauses]
    return (
        [write_stage(s) for s in search.stages],
        [(m.columns, [_write(row) for row in m.fractions()]) for m in search.final],
        clauses,
        None if search.box is None else [_write(ends) for ends in search.box],
        search.width,
        search.budget,
    )


def read_half_space_search(data: Plain) -> HalfSpaceSearch:
    """Return a search whose parts can be read."""
    stages, final, clauses_data, box, width, budget = data
    clauses = None
    if clauses_data is not None:
        clauses = [
            tuple(RealRow(_read(row), LogLinear.rational(Fraction(*bound)), strict) for row, bound, strict in clause)
            for clause in clauses_data
        ]
    weights, bias = (
        ExactMatrix([_read(row) for row in rows]) if rows else ExactMatrix.zeros(0, columns) for columns, rows in final
    )
    ends = None if box is None else [(lo, hi) for lo, hi in map(_read, box)]
    return HalfSpaceSearch([read_stage(s) for s in stages], (weights, bias), clauses, ends, width, budget=budget)


def write_branch(branch: Branch) -> Plain:
    """Return a branch."""
    return (
        _write_rows(branch.rows),
        _write(branch.point),
        (branch.stage, branch.unit, branch.kink),
        [_write(form) for form in branch.map],
        [_write(form) for form in branch.built],
        branch.pieces,
        branch.patterns,
        branch.node,
    )


def read_branch(data: Plain) -> Branch:
    """Return a branch that was written."""
    rows, point, (stage, unit, kink), map_, built, pieces, patterns, node = data
    forms, new = [_read(f) for f in map_], [_read(f) for f in built]
    return Branch(_read_rows(rows), _read(point), stage, unit, kink, forms, new, pieces, patterns, node)


def write_half_space_part(part: HalfSpacePart) -> Plain:
    """Return what a part of a search has found, and what it has left."""
    found = [
        (_write_rows(c.polyhedron.half_spaces), _write(c.interior_point), c.pattern, [_write(f) for f in c.affine])
        for c in part.found
    ]
    return found, [write_branch(b) for b in part.left], part.nodes, part.closed, part.undecided


def read_half_space_part(search: HalfSpaceSearch, data: Plain) -> HalfSpacePart:
    """Return what a part of a search has found, as it was written."""
    found, left, nodes, closed, undecided = data
    cells = [
        OpenCell(Polyhedron.of(search.width, _read_rows(rows)), _read(point), pattern, tuple(_read(f) for f in affine))
        for rows, point, pattern, affine in found
    ]
    return HalfSpacePart(cells, [read_branch(b) for b in left], nodes, closed, undecided)


def _write_rows(rows: Sequence[HalfSpace]) -> Plain:
    return [(_write(h.row), _ratio(h.bound), h.strict) for h in rows]


def _read_rows(data: Plain) -> tuple[HalfSpace, ...]:
    return tuple(HalfSpace(_read(row), Fraction(*bound), strict) for row, bound, strict in data)


def _write(vector: Sequence[Any]) -> Plain:
    return [_ratio(e) for e in vector]


def _read(data: Plain) -> Vector:
    return tuple(Fraction(*e) for e in data)


def _ratio(value: Fraction) -> tuple[int, int]:
    return value.numerator, value.denominator
