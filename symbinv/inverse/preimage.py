"""Exact preimages of piecewise-linear networks: a union of disjoint rational polyhedra.

A cell is the set of inputs of one activation pattern that reach the target. A unit with a kink is on the left
piece where z <= kink and on the right one where z > kink (relu: active where z > 0), so cells are half open,
disjoint, and cover the preimage; a pattern that occurs only on a face is a cell of lower dimension. Where equal
units cancel so that the network is constant, no unit matters and the answer is one cell or none. The last
activation, where it is smooth, is undone first; thresholds then hold logarithms, whose signs are decided.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property, cmp_to_key
from typing import Any

import numpy as np
import sympy

from symbinv.errors import NotSupportedError, ShapeError
from symbinv.exact.ball import precision, upper_bound
from symbinv.exact.integer import exact_sum
from symbinv.exact.loglinear import LogLinear
from symbinv.exact.matrix import ExactMatrix
from symbinv.exact.policy import Policy, to_fraction, to_rational
from symbinv.inverse.constant import constant_output
from symbinv.inverse.half_space_search import HalfSpaceSearch, OpenCell
from symbinv.inverse.output_set import Clause, OutputSet, RealRow, before_activation, to_output_set
from symbinv.inverse.pruning import Zonotopes
from symbinv.inverse.search import Found, Goal, Search, begin
from symbinv.inverse.stages import Linearization, Stage, hidden_stages, row_stage
from symbinv.inverse.target import to_target
from symbinv.inverse.verdict import Empty, NonEmpty, Unknown, Verdict
from symbinv.network.network import Network, to_box
from symbinv.polyhedra.cell import Cell
from symbinv.polyhedra.polyhedron import Polyhedron, Vector
from symbinv.polyhedra.real_cell import RealCell, RealConstraint

Box = tuple[tuple[Fraction, Fraction], ...]
AnyCell = Cell | RealCell | OpenCell
VERTEX_LIMIT = 8  # inputs, beyond which cells are kept by inequalities


@dataclass(frozen=True, eq=False)
class Problem:
    """A network and a target, made ready for the search.

    Attributes:
        stages: The stages with kinks.
        final: The affine map after them, to the outputs or to the last layer's pre-activations.
        clauses: What is asked of `final`; None for all cells.
    """

    network: Network
    box: Box | None
    target: OutputSet | None
    stages: list[Stage]
    final: tuple[ExactMatrix, ExactMatrix]
    clauses: list[Clause] | None

    @property
    def has_logarithms(self) -> bool:
        """Whether a threshold is not rational."""
        return any(not row.bound.is_rational for clause in self.clauses or [] for row in clause)

    @cached_property
    def has_vertices(self) -> bool:
        """Whether cells are kept by their vertices: few inputs are free, or few directions matter, or none is cut."""
        if not self.stages:
            return self.box is None or sum(lo < hi for lo, hi in self.box) <= 2 * VERTEX_LIMIT
        if self.box is not None:
            return sum(lo < hi for lo, hi in self.box) <= VERTEX_LIMIT
        return self.stages[0].weights.rank() <= VERTEX_LIMIT

    @cached_property
    def goal(self) -> Goal | None:
        """The target as rows on the activations of the last stage; None where all cells are asked for.

        Thresholds with logarithms are moved outward to rationals: what this goal closes is closed, what it
        keeps must still be cut.
        """
        if self.clauses is None:
            return None
        rows: list[list[Fraction]] = []
        offsets: list[Fraction] = []
        disjuncts = []
        place: dict[tuple[Any, ...], int] = {}
        for clause in self.clauses:
            sides = []
            for row in clause:
                bound, side = row.bound.constant, 1 if row.strict else -1
                if not row.bound.is_rational:
                    bound = above(row.bound)
                key = (row.row, bound, side)
                if key not in place:  # left: row . y - bound <= 0; right: bound - row . y > 0
                    place[key] = len(rows)
                    rows.append([-side * e for e in row.row])
                    offsets.append(side * bound)
                sides.append((place[key], side))
            disjuncts.append(tuple(sides))
        weights, bias = self.final
        if not rows:
            return Goal(row_stage([], [], weights.columns), tuple(disjuncts))
        table = ExactMatrix(rows)
        offset = (table @ bias + ExactMatrix.column(offsets)).fractions()
        return Goal(
            row_stage((table @ weights).fractions(), [v for (v,) in offset], weights.columns), tuple(disjuncts)
        )

    def reaches(self, x: Sequence[Fraction]) -> bool:
        """Tell exactly whether an input lies in the box and reaches the target."""
        if self.box is not None and not all(lo <= e <= hi for e, (lo, hi) in zip(x, self.box, strict=True)):
            return False
        if self.clauses is None:
            return True
        z = self.final_values(x)
        return any(all(_holds(row, z) for row in clause) for clause in self.clauses)

    def final_values(self, x: Sequence[Fraction]) -> list[Fraction]:
        """Return the outputs of an input, or the last pre-activations where the last activation is smooth."""
        a = ExactMatrix.column(x)
        for stage in self.stages:
            z = [row[0] for row in (stage.weights @ a + stage.bias).fractions()]
            a = ExactMatrix.column([stage.activate_exactly(v) for v in z])
        return [row[0] for row in (self.final[0] @ a + self.final[1]).fractions()]


def above(number: LogLinear) -> Fraction:
    """Return a rational that is not below an exact real, and near it."""
    with precision(128):
        return upper_bound(number.enclose())


def _holds(row: Any, z: Sequence[Fraction]) -> bool:
    value = LogLinear.rational(sum((a * e for a, e in zip(row.row, z, strict=True)), Fraction(0)))
    sign = (value - row.bound).sign()
    return sign == -1 or (sign == 0 and not row.strict)


def pose(network: Network, target: Any, box: Any, policy: Policy = "exact") -> Problem:
    """Return a network, a target and a box as a problem; `target` None stands for all cells."""
    stages, final = hidden_stages(network)
    given = network.box if box is None else box
    exact_box: Box | None = None
    if given is not None:
        exact_box = tuple((low, high) for low, high in to_box(given, network.sizes[0], policy).fractions())
    last = network.layers[-1]
    if final is None:
        size = stages[-1].units
        final = (ExactMatrix.identity(size), ExactMatrix.zeros(size, 1))
    if target is None:
        return Problem(network, exact_box, None, stages, final, None)
    if last.activation.has_shift and not isinstance(target, str | Polyhedron | OutputSet):
        target = to_target(network, target, policy).values  # floats that sum to 1 up to rounding are rescaled
    outputs = to_output_set(target, network.sizes[-1], policy)
    problem = Problem(network, exact_box, outputs, stages, final, before_activation(outputs, last.activation))
    constant = constant_output(stages, final)
    if constant is None:
        return problem
    width = network.sizes[0]
    flat = (ExactMatrix.zeros(len(constant), width), ExactMatrix.column(constant))
    return replace(problem, stages=[], final=flat)


@dataclass(eq=False)
class Preimage:
    """A union of disjoint cells.

    Attributes:
        problem: The network, the target and the box.
        cells: The cells found.
        is_complete: Whether no others exist; else `proceed` looks for more.
        closed: How many branches were shown not to reach the target.
    """

    problem: Problem
    cells: tuple[AnyCell, ...]
    is_complete: bool
    closed: int = 0
    _search: Search | HalfSpaceSearch | None = field(default=None, repr=False)
    _pending: tuple[AnyCell, ...] = field(default=(), repr=False)

    @property
    def network(self) -> Network:
        """The network."""
        return self.problem.network

    @property
    def target(self) -> OutputSet | None:
        """What is asked of the output; None for all regions."""
        return self.problem.target

    @property
    def box(self) -> Box | None:
        """Where it is looked for; None for all of space."""
        return self.problem.box

    @cached_property
    def dimension(self) -> int:
        """The largest dimension of a cell; -1 where there is none."""
        return max((cell.dimension for cell in self.cells), default=-1)

    @property
    def top_cells(self) -> tuple[AnyCell, ...]:
        """The cells of the largest dimension."""
        return tuple(cell for cell in self.cells if cell.dimension == self.dimension)

    @cached_property
    def pieces(self) -> int:
        """The number of distinct affine maps on the cells of largest dimension."""
        return len({cell.affine for cell in self.top_cells})

    @cached_property
    def volume(self) -> Any:
        """The volume in the preimage's own dimension: a Fraction where that is n0, else a SymPy number.

        Infinity where the preimage is unbounded in that dimension, 0 where it is empty, the number of points where
        the dimension is 0.
        """
        return total_volume(self.top_cells, self.network.sizes[0])

    def contains(self, x: Any) -> bool:
        """Tell exactly whether an input lies in the preimage (in the box, where there is one)."""
        return self.problem.reaches(self._point(x))

    def cell_at(self, x: Any) -> AnyCell | None:
        """Return the cell found that an input belongs to."""
        point = self._point(x)
        return next((cell for cell in self.cells if cell.contains(point)), None)

    def _point(self, x: Any) -> Vector:
        values = np.asarray(x).tolist() if isinstance(x, np.ndarray) else list(x)
        if len(values) != self.network.sizes[0]:
            raise ShapeError(
                f"an input must have one entry per input of the network ({self.network.sizes[0]}), not {len(values)}."
            )
        return tuple(to_fraction(v) for v in values)

    def witness(self) -> tuple[Any, ...] | None:
        """Return an input in the preimage, SymPy numbers; None where none is known."""
        for cell in (*self.top_cells, *self._pending):
            point = cell.interior_point
            near = tuple(e if isinstance(e, Fraction) else Fraction(float(e)) for e in point)
            near = _shorten(self.problem, near)
            return tuple(map(to_rational, near)) if self.problem.reaches(near) else tuple(point)
        return None

    @cached_property
    def bounding_box(self) -> tuple[tuple[Any, Any], ...] | None:
        """The exact lower and upper end of each input over the closure of the preimage; None where it is empty."""
        return bounds_of(self.cells, self.network.sizes[0]) if self.cells else None

    @cached_property
    def verdict(self) -> Verdict:
        """Whether the preimage is empty; exact."""
        found = self.witness()
        if found is not None:
            return NonEmpty(found, "exact", self._residual(found))
        if self.is_complete:
            return Empty(
                f"Every one of {self.closed} branches misses the target.", "exact", layer=self.network.depth
            )
        return Unknown("The budget was reached before a cell was found; `proceed` continues.")

    def _residual(self, x: Sequence[Any]) -> float:
        point = np.array([float(e) for e in x])
        with np.errstate(all="ignore"):
            y = np.asarray(self.network.forward(point), dtype=float)
        if self.target is None or not np.isfinite(y).all():
            return 0.0
        misses = []
        for polyhedron in self.target.polyhedra:
            rows = [max(0.0, float(np.dot([float(a) for a in h.row], y)) - float(h.bound)) for h in
                    polyhedron.half_spaces]
            rows += [abs(float(np.dot([float(a) for a in row], y)) - float(right)) for row, right in
                     polyhedron.equations]
            misses.append(max(rows, default=0.0))
        return min(misses, default=0.0)

    @property
    def undecided_volume(self) -> Any:
        """The exact volume of the part of the box that is not searched yet; infinity where there is no box."""
        if self.is_complete:
            return Fraction(0)
        if self.box is None or not isinstance(self._search, Search):
            return sympy.oo
        left = [
            Cell(
                self._search.frame,
                tuple(batch.pool.exact[i] for i in piece.ids),
                tuple(piece.masks),
                piece.constraints,
            )
            for batch in self._search.stack
            for piece in batch.pieces
        ]
        full = len(self._search.frame.rows[0]) - 1
        return total_volume([c for c in (*left, *self._pending) if c.dimension == full], self.network.sizes[0])

    def proceed(self, *, max_cells: int | None = None, max_seconds: float | None = None) -> "Preimage":
        """Return the preimage with the search continued; what was found before comes first."""
        if self.is_complete or self._search is None:
            return self
        return _continue(self.problem, self._search, self.cells, self._pending, max_cells, max_seconds)

    def certificate(self) -> dict[str, Any]:
        """Return a proof that the cells are all there are, as JSON data; see `symbinv.checker`."""
        from symbinv.inverse.proof import certify_preimage

        return certify_preimage(self)

    def __repr__(self) -> str:
        state = "" if self.is_complete else ", partial"
        return f"Preimage({len(self.cells)} cells, dimension {self.dimension}{state})"


def preimage(
    network: Network,
    target: Any,
    *,
    box: Any = None,
    around: Any = None,
    max_cells: int | None = None,
    max_seconds: float | None = None,
) -> Preimage:
    """Return the set of inputs of a piecewise-linear network whose output lies in a target, exactly.

    Args:
        network: Layers with piecewise-linear activations; the last one may be sigmoid, tanh or softmax.
        target: A point, a `Polyhedron` on outputs, a list of polyhedra (their union), or text such as
            "argmax == 2" (the first output wins ties) or "y_0 - y_1 >= 1/2".
        box: Lower and upper end of every input, shape (n0, 2); the network's own where left out; all of
            space where it has none.
        around: An input from which cells are explored outward.
        max_cells: Stop after so many cells.
        max_seconds: Stop after so many seconds.

    Returns:
        The preimage, complete unless a budget was reached.

    Raises:
        NotSupportedError: For a smooth activation below the last layer, or a target that is not linear in the
            last pre-activations.
        ShapeError: Where sizes do not fit.
        OptionError: For text that is no target.

    Example:
        >>> network = Network.from_arrays([[[1], [-1]], [[1, 1]]], [[0, 0], [0]], ["relu", "identity"])
        >>> found = preimage(network, "y_0 <= 1", box=[[-2, 2]])
        >>> found.volume, found.bounding_box
        (Fraction(2, 1), ((Fraction(-1, 1), Fraction(1, 1)),))

    Card:
        Requires piecewise-linear layers. Exact: yes. Complete: yes, within the budget. Cost: grows with the
        number of activation regions that can reach the target, and with 2 to the power of the number of inputs.
    """
    problem = pose(network, target, box)
    return _explore(problem, around, max_cells, max_seconds)


def regions(network: Network, *, box: Any = None) -> Preimage:
    """Return the activation regions of a piecewise-linear network, exactly.

    Args:
        network: Layers with piecewise-linear activations.
        box: Lower and upper end of every input, shape (n0, 2), or None for all of space.

    Example:
        >>> network = Network.from_arrays([[[1, 0], [0, 1]]], [[0, 0]], ["relu"])
        >>> found = regions(network, box=[[-1, 1], [-1, 1]])
        >>> len(found.cells), found.volume
        (4, Fraction(4, 1))
    """
    return _explore(pose(network, None, box), None, None, None)


def start_search(problem: Problem, *, keep_tree: bool = False) -> Search:
    """Return the search of a problem, not begun."""
    goal = problem.goal
    prune = None
    if goal is not None and goal.stage.units and problem.stages:
        prune = Zonotopes(problem.stages, goal, keep_slopes=keep_tree)
    if problem.has_logarithms and problem.stages:
        goal = None  # cells are cut by the exact thresholds afterwards
    width = problem.network.sizes[0]
    rows = goal.stage if problem.has_logarithms and goal is not None and not problem.stages else None
    if (goal is None or problem.has_logarithms) and not problem.stages:
        goal = Goal(row_stage([], [], width), ((),))
    return begin(problem.stages, goal, problem.box, width, keep_tree=keep_tree, prune=prune, frame_stage=rows)


def _explore(problem: Problem, around: Any, max_cells: int | None, max_seconds: float | None) -> Preimage:
    if not problem.has_vertices:
        if problem.has_logarithms:
            raise NotSupportedError(
                f"thresholds with logarithms need at most {VERTEX_LIMIT} free inputs; compare outputs, or fix inputs."
            )
        wide = HalfSpaceSearch(problem.stages, problem.final, problem.clauses, problem.box, problem.network.sizes[0])
        return _continue(problem, wide, (), (), max_cells, max_seconds)
    search = start_search(problem)
    if around is not None:
        center = tuple(to_fraction(v) for v in around)
        search.center = np.array([float(v) for v in center])
        if len(center) != problem.network.sizes[0]:
            raise ShapeError(
                f"around must have one entry per input of the network ({problem.network.sizes[0]}), "
                f"not {len(center)}."
            )
    return _continue(problem, search, (), (), max_cells, max_seconds)


def _continue(
    problem: Problem,
    search: Search | HalfSpaceSearch,
    before: tuple[AnyCell, ...],
    pending: tuple[AnyCell, ...],
    max_cells: int | None,
    max_seconds: float | None,
) -> Preimage:
    started = time.monotonic()
    cells: list[AnyCell] = list(pending)
    for found in search.run():
        for f in found:
            cells += [by_layers(problem, f)] if isinstance(f, OpenCell) else to_cells(problem, search, f)
        if isinstance(search, Search) and search.center is not None and found:
            cells.sort(key=lambda cell: _distance(search, cell))
        if max_cells is not None and len(cells) >= max_cells and _is_settled(search, cells[max_cells - 1]):
            break
        if max_seconds is not None and time.monotonic() - started >= max_seconds:
            break
    kept, rest = (cells, []) if max_cells is None else (cells[:max_cells], cells[max_cells:])
    undecided = search.undecided if isinstance(search, HalfSpaceSearch) else 0
    complete = not search.stack and not rest and not undecided
    joined = (*before, *kept)
    if complete and not (isinstance(search, Search) and search.center is not None):
        joined = tuple(sorted(joined, key=_order))
    return Preimage(problem, joined, complete, search.closed, None if complete else search, tuple(rest))


def _distance(search: Search, cell: AnyCell) -> tuple[bool, float]:
    """Return how far a cell lies from the center of a search; a cell that contains it comes first."""
    assert search.center is not None
    inside = cell.contains([Fraction(float(e)) for e in search.center])
    return not inside, search.distance(cell.generators) if isinstance(cell, Cell) else 0.0


def _is_settled(search: Search | HalfSpaceSearch, last: AnyCell) -> bool:
    """Tell whether nothing that is left can lie nearer to the center than a cell."""
    if not isinstance(search, Search) or search.center is None:
        return True
    outside, distance = _distance(search, last)
    return not outside or distance <= search.frontier()


def _order(cell: AnyCell) -> Any:
    return cell.pattern, cell.generators if isinstance(cell, Cell) else ()


def to_cells(problem: Problem, search: Search, found: Found) -> list[AnyCell]:
    """Return the part of a found cell that reaches the target: itself, or what exact thresholds leave of it."""
    cell = to_cell(problem, search, found)
    if not problem.has_logarithms:
        return [cell]
    parts: list[AnyCell] = []
    left = [RealCell.of(cell)]
    for clause in problem.clauses or []:
        rest = []
        for part in left:
            inside: RealCell | None = part
            for row in clause:
                if inside is None:
                    break
                constraint = threshold(search, cell, row)
                outside = inside.cut(
                    RealConstraint(
                        tuple(-e for e in constraint.slopes), -constraint.offset, not constraint.is_open
                    )
                )
                if outside is not None:
                    rest.append(outside)
                inside = inside.cut(constraint)
            if inside is not None:
                parts.append(inside)
        left = rest
    return parts


def threshold(search: Search, cell: Cell, row: RealRow) -> RealConstraint:
    """Return a row on the last pre-activations as a constraint on the coordinates of a cell: bound - row . z >= 0."""
    frame = search.frame
    scale = Fraction(1, frame.rows[0][0])
    slopes = [Fraction(0)] * (frame.dimension + 1)
    for factor, (constant, *g) in zip(row.row, cell.affine, strict=True):
        slopes[0] -= factor * constant
        for weight, image in zip(g, frame.rows[1:], strict=True):
            slopes = [a - factor * weight * scale * e for a, e in zip(slopes, image, strict=True)]
    return RealConstraint(tuple(slopes[1:]), row.bound + LogLinear.rational(slopes[0]), row.strict)


def find_all(problem: Problem) -> tuple[Search, list[tuple[Found, Cell]]]:
    """Run a whole search with its tree kept; return it with what it found."""
    search = start_search(problem, keep_tree=True)
    return search, [(f, to_cell(problem, search, f)) for found in search.run() for f in found]


def by_layers(problem: Problem, cell: OpenCell) -> OpenCell:
    """Return a cell with its pattern by layers of the network."""
    return replace(cell, pattern=_layer_patterns(problem, cell.pattern))


def _layer_patterns(problem: Problem, patterns: Sequence[tuple[int, ...]]) -> tuple[tuple[int, ...], ...]:
    by_layer: list[tuple[int, ...]] = [()] * problem.network.depth
    for stage, pattern in zip(problem.stages, patterns, strict=True):
        by_layer[stage.layer - 1] = pattern
    return tuple(by_layer)


def to_cell(problem: Problem, search: Search, found: Found) -> Cell:
    """Return a cell that a search found, with its pattern by layers and its affine map."""
    piece = found.piece
    pattern = _layer_patterns(problem, found.patterns)

    def affine() -> Iterator[Vector]:
        map_ = Linearization.of_frame(search.frame.rows)
        for stage, units in zip(problem.stages, found.patterns, strict=True):
            map_ = Linearization(map_, stage, units)
        last = Stage(*problem.final, pieces=(), layer=0)
        for form, scale in last.outputs(map_):
            row, constant = search.frame.form(form)
            yield (constant / scale, *(e / scale for e in row))

    return Cell(
        search.frame,
        tuple(found.generators),
        tuple(piece.masks),
        piece.constraints,
        piece.equations,
        pattern,
        affine,
    )


def total_volume(cells: Sequence[AnyCell], width: int) -> Any:
    """Return the sum of the volumes of cells of one dimension."""
    if not cells:
        return Fraction(0)
    by_square: dict[Fraction, list[tuple[int, int]]] = {}
    if any(isinstance(cell, RealCell) for cell in cells):
        return sympy.Add(*(cell.volume for cell in cells))
    for cell in cells:
        if not isinstance(cell, Cell):
            return cell.volume
        if cell.squared_volume is None:
            return sympy.oo
        rational, square = cell.squared_volume
        by_square.setdefault(square, []).append((rational.numerator, rational.denominator))
    if cells[0].dimension == width:
        return exact_sum(by_square[Fraction(1)])
    return sympy.Add(
        *(to_rational(exact_sum(terms)) * sympy.sqrt(to_rational(square)) for square, terms in by_square.items())
    )


def bounds_of(cells: Sequence[AnyCell], width: int) -> tuple[tuple[Any, Any], ...]:
    """Return the lower and upper end of every input over the closure of cells."""
    ends = []
    if any(isinstance(cell, OpenCell) for cell in cells):
        raise NotSupportedError("a bounding box needs vertices, which are not kept in so many inputs.")
    for j in range(width):
        rational = [v[j] for cell in cells if isinstance(cell, Cell) for v in cell.vertices]
        values = [LogLinear.rational(e) for e in ({min(rational), max(rational)} if rational else ())]
        values += [v[j] for cell in cells if isinstance(cell, RealCell) for v in cell.real_vertices]
        ordered = sorted(values, key=cmp_to_key(_compare))
        low, high = _plain(ordered[0]), _plain(ordered[-1])
        directions = [r[j] for cell in cells for r in cell.rays]
        directions += [s * line[j] for cell in cells for line in cell.lines for s in (1, -1)]
        if any(d < 0 for d in directions):
            low = -sympy.oo
        if any(d > 0 for d in directions):
            high = sympy.oo
        ends.append((low, high))
    return tuple(ends)


def _compare(a: LogLinear, b: LogLinear) -> int:
    sign = (a - b).sign()
    if sign is None:
        raise NotSupportedError("the order of two thresholds with nested logarithms could not be decided.")
    return sign


def _plain(number: LogLinear) -> Any:
    return number.constant if number.is_rational else number.to_sympy()


def _shorten(problem: Problem, point: Vector) -> Vector:
    """Return a nearby point with short entries that is in the preimage as well, or the point itself."""
    for digits in (4, 8, 16, 32, 52):
        short = tuple(Fraction(round(e * 2**digits), 2**digits) for e in point)
        if problem.reaches(short):
            return short
    return point

