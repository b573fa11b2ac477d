"""Certificates: the tree of splits of a search as JSON data, which `symbinv.checker` verifies by itself.

A search is run again with its tree kept; it is deterministic, so it finds the same cells. The
network's layers, the box and what is asked of the outputs are written as exact numbers. Where thresholds hold
logarithms, the cells of the search are divided by them further; a part that is empty is closed by
multipliers of the constraints on the way to it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any

from symbinv import checker
from symbinv.cells.found import Part, divide, find_all
from symbinv.cells.half_space_search import HalfSpaceSearch
from symbinv.cells.problem import Problem
from symbinv.cells.pruning import Bound
from symbinv.cells.search import Found, Search
from symbinv.cells.union import AnyCell
from symbinv.errors import BudgetError, NotSupportedError
from symbinv.exact.interval import REAL_LINE, Interval
from symbinv.exact.loglinear import LogLinear
from symbinv.exact.matrix import ExactMatrix
from symbinv.network.activation import IDENTITY_PIECES
from symbinv.polyhedra.cell import Cell
from symbinv.polyhedra.feasibility import Certificate, LinearSystem, decide
from symbinv.polyhedra.polyhedron import Vector
from symbinv.polyhedra.real_cell import RealCell

if TYPE_CHECKING:
    from symbinv.cells.answer import Answer
    from symbinv.cells.preimage import Preimage

FORMAT = "symbinv certificate 1"


@dataclass(frozen=True, eq=False)
class Proof:
    """Evidence that a preimage is empty: every branch of its search closed. It is made when first asked for."""

    found: "Preimage"

    @cached_property
    def data(self) -> dict[str, Any]:
        """The certificate as JSON data."""
        return certify_preimage(self.found)

    def check(self) -> bool:
        """Verify the certificate with the independent checker, from its data alone."""
        try:
            return bool(checker.check(self.data)["cells"] == 0)
        except checker.Refused:
            return False


def certify_preimage(found: "Preimage") -> dict[str, Any]:
    """Return a proof that a preimage's cells are all there are; of a partial one, that it is not empty.

    Raises:
        BudgetError: For a partial preimage without a cell, which nothing is known of.
        NotSupportedError: For thresholds with logarithms of logarithms, which the checker does not decide.
    """
    problem = found.problem
    data = _statement(problem)
    if not found.is_complete:
        if not found.known_cells:
            raise BudgetError("a certificate needs a complete search or a witness; `proceed` with a larger budget.")
        return {**data, "claim": "nonempty", "point": _point(found.known_cells[0])}
    if not problem.stages and any(layer.activation.pieces != IDENTITY_PIECES for layer in problem.network.layers[:-1]):
        leaf = ["constant", _point(found.cells[0]) if found.cells else None]  # the statement has the layers as they are
        return {**data, "claim": "complete", "nodes": [leaf], "cells": len(found.cells)}
    if not problem.has_vertices:
        return {**data, "claim": "complete", **_tree_of_half_spaces(problem)}
    return {**data, "claim": "complete", **_tree(problem)}


def certify_answer(answer: "Answer") -> dict[str, Any]:
    """Return a proof of an answer to a property.

    Raises:
        BudgetError: Where the answer is unknown.
    """
    if answer.status == "unknown":
        raise BudgetError("an unknown answer has no certificate; give more seconds.")
    if answer.status == "sat" and answer.problem is not None and answer.witness is not None:
        return {**_statement(answer.problem), "claim": "sat", "point": [str(e) for e in answer.witness]}
    return {"format": FORMAT, "claim": "unsat", "cases": [certify_preimage(part) for part in answer.parts]}


def _statement(problem: Problem) -> dict[str, Any]:
    clauses = problem.clauses
    layers = []
    for layer in problem.network.layers:
        pieces = layer.activation.pieces or ()
        table = [[str(p.slope), str(p.intercept), None if p.upper is None else str(p.upper)] for p in pieces]
        layers.append(
            {
                "weights": [[str(e) for e in row] for row in layer.weights.fractions()],
                "bias": [str(e) for (e,) in layer.bias.fractions()],
                "pieces": table or [["1", "0", None]],  # a smooth last activation is undone in the target
            }
        )
    target = None
    if clauses is not None:
        target = [[[[str(e) for e in r.row], _number(r.bound), r.strict] for r in clause] for clause in clauses]
    box = None if problem.box is None else [[str(lo), str(hi)] for lo, hi in problem.box]
    return {"format": FORMAT, "network": layers, "box": box, "target": target}


def _number(value: LogLinear) -> Any:
    """Return an exact real as the checker reads it."""
    if value.is_rational:
        return str(value.constant)
    if not value.is_decidable:
        raise NotSupportedError("a certificate needs thresholds with logarithms of rationals; these are nested deeper.")
    logs = [[str(q), str(atom.argument.constant)] for atom, q in value.terms]
    return {"rational": str(value.constant), "logs": logs}


def _point(cell: AnyCell) -> list[Any]:
    """Return a point of a cell: a short rational one where there is one nearby."""
    if isinstance(cell, RealCell):
        near = [Fraction(float(e)) for e in cell.real_interior_point]
        for digits in (4, 12, 32, 52):
            short = [Fraction(round(e * 2**digits), 2**digits) for e in near]
            if cell.contains(short):
                return [str(e) for e in short]
        return [_number(e) for e in cell.real_interior_point]
    return [str(e) for e in (cell.short_point if isinstance(cell, Cell) else cell.interior_point)]


def _tree(problem: Problem) -> dict[str, Any]:
    search, cells = find_all(problem)
    splits = search.tree.splits or {}
    rows = _row_places(problem)
    at = {found.piece.node: (found, cell) for found, cell in cells}
    kinks = {stage.layer: len(stage.kinks) for stage in problem.stages}
    place: dict[int, int] = {}
    order = [0]
    for node in order:
        place[node] = len(place)
        if node in splits:
            order += splits[node][2:]
    nodes: list[list[Any]] = []
    more: list[list[Any]] = []  # below the cells that thresholds divide
    count = 0
    for node in order:
        if node in splits:
            layer, column, left, right = splits[node]
            if layer:
                unit, kink = divmod(column, kinks[layer])
                nodes.append(["split", layer - 1, unit, kink, place[left], place[right]])
            elif problem.has_logarithms:  # where a search without a box or kinks begins
                nodes.append(["cut", [str(e) for e in _goal_form(problem, column)], place[left], place[right]])
            else:
                clause, row, strict = rows[column]
                met, missed = (right, left) if strict else (left, right)
                nodes.append(["row", clause, row, place[met], place[missed]])
            continue
        reason = search.tree.leaves.get(node)
        if node in at and problem.has_logarithms:
            found, cell = at[node]
            whole, inside = divide(problem, search, cell)
            path = _Path(problem, found).to(node, search)
            nodes.append(_divided(whole, path, len(order), more))
            count += len(inside)
        elif node in at:
            nodes.append(["cell", _point(at[node][1])])
            count += 1
        elif isinstance(reason, Bound):
            nodes.append(["bound", reason.layer - 1, [list(part) for part in reason.slopes]])
        else:
            nodes.append(["empty"])
    return {"nodes": nodes + more, "cells": count}


def _goal_form(problem: Problem, column: int) -> Vector:
    """Return a row of the goal of a network without kinks as a form on inputs: constant, slopes."""
    assert problem.goal is not None
    stage = problem.goal.stage
    return (stage.bias.fraction(column, 0), *stage.weights.fractions()[column])


Row = tuple[LogLinear, Vector, bool]  # constant, slopes, is_open: constant + slopes . x >= 0, or > 0


class _Path:
    """The constraints on the way to a found cell, as the checker has them: the box, units minus kinks, rows."""

    def __init__(self, problem: Problem, found: Found) -> None:
        self.problem = problem
        self.rows: list[Row] = []
        width = problem.network.sizes[0]
        for j, (low, high) in enumerate(problem.box or ()):
            unit = tuple(Fraction(int(i == j)) for i in range(width))
            self.rows.append((LogLinear.rational(-low), unit, False))
            self.rows.append((LogLinear.rational(high), tuple(-e for e in unit), False))
        self.units: dict[int, tuple[ExactMatrix, ExactMatrix]] = {}
        slopes, constant = ExactMatrix.identity(width), ExactMatrix.zeros(width, 1)
        for stage, pattern in zip(problem.stages, found.patterns, strict=True):
            slopes, constant = stage.weights @ slopes, stage.weights @ constant + stage.bias
            self.units[stage.layer] = slopes, constant
            pieces = [stage.pieces[k] for k in pattern]
            slopes = ExactMatrix(
                [[p.slope * e for e in row] for p, row in zip(pieces, slopes.fractions(), strict=True)]
            )
            values = zip(pieces, constant.fractions(), strict=True)
            constant = ExactMatrix.column([p.slope * e + p.intercept for p, (e,) in values])
        weights, bias = problem.final
        self.slopes, self.constant = weights @ slopes, weights @ constant + bias

    def to(self, node: int, search: Search) -> "_Path":
        """Add the splits above a node of the search's tree."""
        kinks = {stage.layer: stage.kinks for stage in self.problem.stages}
        splits = search.tree.splits or {}
        parents = {child: (up, side) for up, split in splits.items() for side, child in enumerate(split[2:])}
        steps = []
        while node in parents:
            node, side = parents[node]
            layer, column, *_ = splits[node]
            if layer:
                unit, kink = divmod(column, len(kinks[layer]))
                slopes, constant = self.units[layer]
                form = (constant.fraction(unit, 0) - kinks[layer][kink], *slopes.fractions()[unit])
            else:
                form = _goal_form(self.problem, column)
            level, *row = (e if side else -e for e in form)
            steps.append((LogLinear.rational(level), tuple(row), bool(side)))
        self.rows += reversed(steps)
        return self

    def sides(self, clause: int, row: int) -> tuple[Row, Row]:
        """Return the constraints that a row of the target is met and that it is missed."""
        wanted = (self.problem.clauses or [])[clause][row]
        table = ExactMatrix([wanted.row])
        slopes = tuple((table @ self.slopes).fractions()[0])
        level = wanted.bound - LogLinear.rational((table @ self.constant).fraction(0, 0))
        return (level, tuple(-e for e in slopes), wanted.strict), (-level, slopes, not wanted.strict)


def _divided(part: Part, path: _Path, first: int, more: list[list[Any]]) -> list[Any]:
    """Return the node of a part; nodes below it are added to `more`, whose first one has the number `first`."""
    if part.cell is None:
        return ["infeasible", [str(e) for e in refute(path.rows)]]
    if part.split is None or part.met is None or part.missed is None:
        return ["cell", _point(part.cell)] if part.is_inside else ["missed"]
    numbers = first + len(more), first + len(more) + 1
    more += [[], []]
    for number, child, row in zip(numbers, (part.met, part.missed), path.sides(*part.split), strict=True):
        path.rows.append(row)
        more[number - first] = _divided(child, path, first, more)
        path.rows.pop()
    return ["row", *part.split, *numbers]


def refute(rows: Sequence[Row]) -> tuple[Fraction, ...]:
    """Return multipliers, none negative, that combine constraints without a solution into a contradiction.

    Each row gets a slack: constant + slopes . x - s = 0, s >= 0. The constants may hold logarithms, the multipliers
    are rational: the slopes are.

    Raises:
        NotSupportedError: Where none were found.
    """
    sizes = [max(map(abs, slopes), default=Fraction(0)) or Fraction(1) for _, slopes, _ in rows]
    count, width = len(rows), len(rows[0][1])
    table = [
        [-e / size for e in slopes] + [Fraction(int(i == k)) for k in range(count)]
        for i, ((_, slopes, _), size) in enumerate(zip(rows, sizes, strict=True))
    ]
    right = [constant * (1 / size) for (constant, _, _), size in zip(rows, sizes, strict=True)]
    slacks = [Interval(Fraction(0), None, is_open, True) for _, _, is_open in rows]
    found = decide(LinearSystem.of_intervals(ExactMatrix(table), right, [*([REAL_LINE] * width), *slacks]))
    if not isinstance(found, Certificate):
        raise NotSupportedError("no certificate was found for a part that is empty; its constraints are too extreme.")
    return tuple(e / size for e, size in zip(found.equation_multipliers, sizes, strict=True))


def _tree_of_half_spaces(problem: Problem) -> dict[str, Any]:
    search = HalfSpaceSearch(problem.stages, problem.final, problem.clauses, problem.box, problem.network.sizes[0])
    cells = sum(len(found) for found in search.run())
    return {"vertices": False, "nodes": search.nodes, "cells": cells}


def _row_places(problem: Problem) -> list[tuple[int, int, bool]]:
    """Return for each row of the goal a clause and a position in it."""
    places: dict[tuple[Any, Fraction, bool], tuple[int, int, bool]] = {}
    for c, clause in enumerate(problem.clauses or []):
        for r, row in enumerate(clause):
            places.setdefault((row.row, row.bound.constant, row.strict), (c, r, row.strict))
    return list(places.values())
