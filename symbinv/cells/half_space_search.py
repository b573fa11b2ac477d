"""Preimages in more inputs than vertices serve: cells by inequalities, decided by linear programs.

A cell is the list of half-spaces on the way to it, with a point in it. A unit whose sign is plain from the box is
taken as it is; for any other the point tells one side that is not empty, and an LP decides the other: its
answer is an exact point, or an exact certificate of Farkas or Motzkin (`polyhedra.feasibility`). Where neither
is found the branch is left undecided and counted, never dropped.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from symbinv.cells.last_activation import Clause
from symbinv.cells.stages import Stage
from symbinv.errors import NotSupportedError
from symbinv.exact.interval import REAL_LINE, Interval
from symbinv.exact.loglinear import LogLinear
from symbinv.exact.matrix import ExactMatrix
from symbinv.polyhedra.feasibility import Certificate, LinearSystem, Point, decide
from symbinv.polyhedra.polyhedron import HalfSpace, Polyhedron, Vector

Box = Sequence[tuple[Fraction, Fraction]]
BUDGET = 24  # splits tried by one part of a search


@dataclass(frozen=True, eq=False)
class OpenCell:
    """A cell by its inequalities alone, with a point in it.

    Attributes:
        polyhedron: The cell.
        interior_point: A point of it.
        pattern, affine: As in `Cell`.
    """

    polyhedron: Polyhedron
    interior_point: Vector
    pattern: tuple[Any, ...] = ()
    affine: tuple[Vector, ...] = ()

    def contains(self, x: Sequence[Any]) -> bool:
        """Tell whether a point belongs to the cell, exactly."""
        return self.polyhedron.contains(x)

    @cached_property
    def dimension(self) -> int:
        """The dimension: the number of inputs less the rank of the inequalities that hold with equality."""
        rows = self.polyhedron.half_spaces
        width = self.polyhedron.width
        inside = [HalfSpace(row.row, row.bound, True) for row in rows]
        if all(row.contains(self.interior_point) for row in inside) or isinstance(
            decide(system_of(inside, None, width)), Point
        ):
            return width - len(self.polyhedron.equations)
        tight = [list(row) for row, _ in self.polyhedron.equations]
        for index, row in enumerate(rows):
            if not row.strict:
                changed = [*rows[:index], HalfSpace(row.row, row.bound, True), *rows[index + 1 :]]
                found = decide(system_of(changed, None, width))
                if found is None:
                    raise NotSupportedError("the dimension of a cell could not be decided.")
                if isinstance(found, Certificate):
                    tight.append(list(row.row))
        return width - (ExactMatrix(tight).rank() if tight else 0)

    @property
    def vertices(self) -> tuple[Vector, ...]:
        """Refuse: vertices are not known."""
        raise NotSupportedError("vertices are not kept in so many inputs; use `polyhedron`.")

    @property
    def volume(self) -> Any:
        """Refuse: volumes need vertices."""
        raise NotSupportedError("exact volumes are not computed in so many inputs; use `polyhedron` of each cell.")


@dataclass(eq=False)
class Branch:
    """A cell in the making: decided up to a kink of a unit of a stage, with a point in it.

    Attributes:
        map, built: The activations before the stage, and those of its units so far, as forms on x.
        pieces, patterns: The pieces of its units so far, and of the stages before.
        node: Its place in the tree.
        distance: A lower bound on the distance from the center.
    """

    rows: tuple[HalfSpace, ...]
    point: Vector
    stage: int
    unit: int
    kink: int
    map: list[Vector]
    built: list[Vector]
    pieces: tuple[int, ...]
    patterns: tuple[tuple[int, ...], ...]
    node: int
    distance: float = 0.0


@dataclass(eq=False)
class HalfSpacePart:
    """What a part of a search has found and left; its nodes grow from the one numbered 0."""

    found: list[OpenCell]
    left: list[Branch]
    nodes: list[list[Any]]
    closed: int
    undecided: int


@dataclass(eq=False)
class HalfSpaceSearch:
    """The search; `run` continues it.

    Attributes:
        stages, final, clauses: The network and what is asked of it, as in `Problem`.
        box: The box, or None.
        nodes: The tree of splits in the form of a certificate.
        undecided: How many branches no LP could decide.
        center: An input; the branch that is nearest to it goes first, as far as single half-spaces tell.
    """

    stages: Sequence[Stage]
    final: tuple[ExactMatrix, ExactMatrix]
    clauses: Sequence[Clause] | None
    box: Box | None
    width: int
    nodes: list[list[Any]] = field(default_factory=lambda: [["open"]])
    closed: int = 0
    undecided: int = 0
    stack: list[Branch] = field(default_factory=list)
    center: Vector | None = None
    budget: int = field(default_factory=lambda: BUDGET)
    tried: int = 0

    def __post_init__(self) -> None:
        if self.stack:
            return
        start = [tuple(Fraction(int(i == j + 1)) for i in range(self.width + 1)) for j in range(self.width)]
        if self.box is None:
            point = (Fraction(0),) * self.width
        else:
            point = tuple((lo + hi) / 2 for lo, hi in self.box)
        if self.center is not None and self.box is None:
            point = self.center
        elif self.center is not None and self.box is not None:
            point = tuple(min(max(e, lo), hi) for e, (lo, hi) in zip(self.center, self.box, strict=True))
        self.stack.append(Branch((), point, 0, 0, 0, start, [], (), (), 0))

    def run(self, workers: int | None = None) -> Iterator[list[OpenCell]]:
        """Yield cells as they are found, until nothing is left; several processes work on it as in `Search.run`."""
        if self.center is not None:
            while self.stack:
                yield self._step(self._nearest())
            return
        from symbinv.cells.team import Team

        with Team(self, workers) as team:
            while self.stack:
                root = self.stack[-1].node
                part = team.next_part()
                self.stack.pop()
                yield self._join(part, root)

    def work(self, branch: Branch) -> HalfSpacePart:
        """Search a branch until the budget of a part is spent."""
        branch.node = 0
        mine = replace(self, nodes=[["open"]], closed=0, undecided=0, stack=[branch], tried=0)
        found: list[OpenCell] = []
        while mine.stack and mine.tried < self.budget:
            found += mine._step(mine.stack.pop())
        return HalfSpacePart(found, mine.stack, mine.nodes, mine.closed, mine.undecided)

    def copy(self, branch: Branch) -> Branch:
        """Return a branch that can be searched while the given one stays as it is."""
        return replace(branch)

    def _join(self, part: HalfSpacePart, root: int) -> list[OpenCell]:
        shift = len(self.nodes) - 1
        for node in part.nodes:
            if node[0] in ("split", "row"):
                node[-2:] = [e + shift for e in node[-2:]]
        self.nodes[root] = part.nodes[0]
        self.nodes += part.nodes[1:]
        for branch in part.left:
            branch.node = root if branch.node == 0 else branch.node + shift
        self.stack += part.left
        self.closed += part.closed
        self.undecided += part.undecided
        return part.found

    def _nearest(self) -> Branch:
        """Take the branch nearest to the center, of several the last."""
        best = min(reversed(range(len(self.stack))), key=lambda i: self.stack[i].distance)
        return self.stack.pop(best)

    def frontier(self) -> float:
        """Return a lower bound on the distance from the center of all that is left."""
        return min((branch.distance for branch in self.stack), default=float("inf"))

    def distance(self, rows: Sequence[HalfSpace]) -> float:
        """Return a lower bound on the distance of a cell from the center: that of its farthest half-space."""
        assert self.center is not None
        return max((_gap(row, self.center) for row in rows), default=0.0)

    def _step(self, branch: Branch) -> list[OpenCell]:
        while branch.stage < len(self.stages):
            stage = self.stages[branch.stage]
            if branch.unit == stage.units:
                branch.patterns += (branch.pieces,)
                branch.map, branch.built, branch.pieces = branch.built, [], ()
                branch.stage, branch.unit = branch.stage + 1, 0
                continue
            form = _pull(stage.weights.fractions()[branch.unit], branch.map, stage.bias.fraction(branch.unit, 0))
            if branch.kink < len(stage.kinks):
                shifted = (form[0] - stage.kinks[branch.kink], *form[1:])
                side = self._plain_sign(shifted)
                if side is None:
                    self._split(branch, shifted, stage)
                    return []
                if side > 0:
                    branch.kink += 1
                    continue
            piece = stage.pieces[branch.kink]
            new = tuple(piece.slope * e for e in form)
            branch.built = [*branch.built, (new[0] + piece.intercept, *new[1:])]
            branch.pieces += (branch.kink,)
            branch.unit, branch.kink = branch.unit + 1, 0
        return self._reach(branch)

    def _plain_sign(self, form: Vector) -> int | None:
        """Return the side of a kink that a form keeps all over the box: 1, -1, or None."""
        if not any(form[1:]):
            return 1 if form[0] > 0 else -1
        if self.box is None:
            return None
        low = high = form[0]
        for slope, (lower, upper) in zip(form[1:], self.box, strict=True):
            low += slope * (lower if slope > 0 else upper)
            high += slope * (upper if slope > 0 else lower)
        return 1 if low > 0 else -1 if high <= 0 else None

    def _split(self, branch: Branch, form: Vector, stage: Stage) -> None:
        self.tried += 1
        left = HalfSpace(form[1:], -form[0])
        right = HalfSpace(tuple(-e for e in form[1:]), form[0], True)
        value = form[0] + sum((a * b for a, b in zip(form[1:], branch.point, strict=True)), Fraction(0))
        numbers = self._children(branch.node, ["split", stage.layer - 1, branch.unit, branch.kink])
        for side, row, node in ((-1, left, numbers[0]), (1, right, numbers[1])):
            rows = (*branch.rows, row)
            if (value > 0) == (side > 0):
                point: Vector | None = branch.point
            else:
                point = self._point(rows, node)
            if point is None:
                continue
            child = Branch(
                rows,
                point,
                branch.stage,
                branch.unit,
                branch.kink,
                branch.map,
                branch.built,
                branch.pieces,
                branch.patterns,
                node,
                branch.distance if self.center is None else max(branch.distance, _gap(row, self.center)),
            )
            self._take_side(child, form, side, stage)
            self.stack.append(child)

    def _take_side(self, child: Branch, form: Vector, side: int, stage: Stage) -> None:
        if side > 0 and child.kink + 1 < len(stage.kinks):
            child.kink += 1
            return
        kink = stage.kinks[child.kink]
        child.kink += side > 0
        piece = stage.pieces[child.kink]
        z = (form[0] + kink, *form[1:])
        new = tuple(piece.slope * e for e in z)
        child.built = [*child.built, (new[0] + piece.intercept, *new[1:])]
        child.pieces += (child.kink,)
        child.unit, child.kink = child.unit + 1, 0

    def _children(self, node: int, head: list[Any]) -> tuple[int, int]:
        first = len(self.nodes)
        self.nodes += [["open"], ["open"]]
        self.nodes[node] = [*head, first, first + 1]
        return first, first + 1

    def _point(self, rows: tuple[HalfSpace, ...], node: int) -> Vector | None:
        """Return a point, or None after closing the node with a certificate (or counting it as undecided)."""
        found = decide(system_of(rows, self.box, self.width))
        if isinstance(found, Point) and all(e.is_rational for e in found.x):
            return tuple(e.constant for e in found.x)
        if isinstance(found, Certificate):
            self.closed += 1
            self.nodes[node] = ["infeasible", [str(e) for e in self._multipliers(found)]]
        else:
            self.undecided += 1
        return None

    def _multipliers(self, found: Certificate) -> list[Fraction]:
        """Return multipliers of the box's rows, then of the half-spaces."""
        factors = list(found.inequality_multipliers)
        slopes = [Fraction(0)] * self.width
        for factor, row in zip(factors, found.system.inequalities.fractions(), strict=True):
            if factor:
                slopes = [s + factor * e for s, e in zip(slopes, row, strict=True)]
        if self.box is None:
            return factors
        ends = [e for s in slopes for e in (max(s, Fraction(0)), max(-s, Fraction(0)))]
        return [*ends, *factors]

    def _reach(self, branch: Branch) -> list[OpenCell]:
        outputs = [
            _pull(row, branch.map, bias)
            for row, (bias,) in zip(self.final[0].fractions(), self.final[1].fractions(), strict=True)
        ]
        if self.clauses is None:
            return [self._cell(branch, outputs)]
        found: list[OpenCell] = []
        waiting = [branch]
        for index, clause in enumerate(self.clauses):
            left = []
            for part in waiting:
                inside: Branch | None = part
                for number, row in enumerate(clause):
                    if inside is None:
                        break
                    form = _pull(row.row, outputs, Fraction(0))
                    met = HalfSpace(form[1:], row.bound.constant - form[0], row.strict)
                    missed = HalfSpace(tuple(-e for e in met.row), -met.bound, not met.strict)
                    numbers = self._children(inside.node, ["row", index, number])
                    halves: list[Branch | None] = []
                    for side, node in ((met, numbers[0]), (missed, numbers[1])):
                        rows = (*inside.rows, side)
                        point = inside.point if side.contains(inside.point) else self._point(rows, node)
                        halves.append(None if point is None else _moved(inside, rows, point, node))
                    if halves[1] is not None:
                        left.append(halves[1])
                    inside = halves[0]
                if inside is not None:
                    found.append(self._cell(inside, outputs))
            waiting = left
        for part in waiting:
            self.nodes[part.node] = ["missed"]
            self.closed += 1
        return found

    def _cell(self, branch: Branch, outputs: list[Vector]) -> OpenCell:
        self.nodes[branch.node] = ["cell", [str(e) for e in branch.point]]
        rows = list(branch.rows)
        for j, (low, high) in enumerate(self.box or ()):
            unit = tuple(Fraction(int(i == j)) for i in range(self.width))
            rows += [HalfSpace(unit, high), HalfSpace(tuple(-e for e in unit), -low)]
        return OpenCell(Polyhedron.of(self.width, rows), branch.point, branch.patterns, tuple(outputs))


def _moved(branch: Branch, rows: tuple[HalfSpace, ...], point: Vector, node: int) -> Branch:
    return Branch(rows, point, branch.stage, 0, 0, branch.map, [], (), branch.patterns, node, branch.distance)


def _gap(row: HalfSpace, point: Vector) -> float:
    """Return how far a point lies outside a half-space, about."""
    excess = sum((a * b for a, b in zip(row.row, point, strict=True)), -row.bound)
    return float(excess) / float(np.hypot.reduce([float(e) for e in row.row])) if excess > 0 else 0.0


def _pull(row: Sequence[Fraction], forms: Sequence[Vector], constant: Fraction) -> Vector:
    total = [Fraction(0)] * len(forms[0])
    for factor, form in zip(row, forms, strict=True):
        if factor:
            total = [t + factor * e for t, e in zip(total, form, strict=True)]
    return (total[0] + constant, *total[1:])


def system_of(rows: Sequence[HalfSpace], box: Box | None, width: int) -> LinearSystem:
    """Return half-spaces in a box as a linear system."""
    intervals = (REAL_LINE,) * width if box is None else tuple(Interval.closed(lo, hi) for lo, hi in box)
    table = ExactMatrix([row.row for row in rows]) if rows else ExactMatrix.zeros(0, width)
    empty: tuple[LogLinear, ...] = ()
    return LinearSystem(
        ExactMatrix.zeros(0, width),
        empty,
        intervals,
        table,
        tuple(row.bound for row in rows),
        tuple(row.strict for row in rows),
    )
