"""A network and a target made ready for the search: stages, an affine map, and rows that its values must meet."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Any

from symbinv.cells.constant import constant_output
from symbinv.cells.last_activation import Clause, before_activation
from symbinv.cells.output_set import OutputSet, to_output_set
from symbinv.cells.pruning import Zonotopes
from symbinv.cells.search import Goal, Search, begin
from symbinv.cells.stages import Stage, hidden_stages, row_stage
from symbinv.exact.ball import precision, upper_bound
from symbinv.exact.loglinear import LogLinear
from symbinv.exact.matrix import ExactMatrix
from symbinv.exact.policy import Policy
from symbinv.inverse.target import to_target
from symbinv.network.network import Network, to_box
from symbinv.polyhedra.polyhedron import Polyhedron, Vector

Box = tuple[tuple[Fraction, Fraction], ...]
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
        return Goal(row_stage((table @ weights).fractions(), [v for (v,) in offset], weights.columns), tuple(disjuncts))

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
    outputs = to_output_set(target, network.sizes[-1], policy, network.output_names)
    problem = Problem(network, exact_box, outputs, stages, final, before_activation(outputs, last.activation))
    constant = constant_output(stages, final)
    if constant is None:
        return problem
    width = network.sizes[0]
    flat = (ExactMatrix.zeros(len(constant), width), ExactMatrix.column(constant))
    return replace(problem, stages=[], final=flat)


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


def shorten(problem: Problem, point: Vector) -> Vector:
    """Return a nearby point with short entries that is in the preimage as well, or the point itself."""
    for digits in (4, 8, 16, 32, 52):
        short = tuple(Fraction(round(e * 2**digits), 2**digits) for e in point)
        if problem.reaches(short):
            return short
    return point
