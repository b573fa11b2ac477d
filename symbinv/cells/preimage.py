"""Exact preimages of piecewise-linear networks: a union of disjoint rational polyhedra.

A cell is the set of inputs of one activation pattern that reach the target. A unit with a kink is on the left
piece where z <= kink and on the right one where z > kink (relu: active where z > 0), so cells are half open,
disjoint, and cover the preimage; a pattern that occurs only on a face is a cell of lower dimension. Where equal
units cancel so that the network is constant, no unit matters and the answer is one cell or none. The last
activation, where it is smooth, is undone first; thresholds then hold logarithms, whose signs are decided.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
import sympy

from symbinv.cells import problem as limits
from symbinv.cells.found import cells_of, layer_patterns
from symbinv.cells.half_space_search import HalfSpaceSearch, OpenCell
from symbinv.cells.output_set import OutputSet
from symbinv.cells.outward import is_settled, place_outward
from symbinv.cells.problem import Box, Problem, pose, shorten, start_search
from symbinv.cells.proof import Proof, certify_preimage
from symbinv.cells.search import Found, Search, collection_paused
from symbinv.cells.union import AnyCell, bounds_of, rounded_volume, total_volume
from symbinv.errors import NotSupportedError, OptionError, ShapeError
from symbinv.exact.policy import to_fraction, to_rational
from symbinv.inverse.verdict import Empty, NonEmpty, Unknown, Verdict
from symbinv.network.network import Network
from symbinv.polyhedra.cell import Cell
from symbinv.polyhedra.polyhedron import Vector

Progress = Callable[[int, int], None]  # takes the number of cells found and of branches closed


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

    @property
    def known_cells(self) -> tuple[AnyCell, ...]:
        """Cells to take a witness from: those of the largest dimension, then those found but not counted yet."""
        return (*self.top_cells, *self._pending)

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

    @cached_property
    def rounded_volume(self) -> float:
        """The volume as a double; beyond some thousand cells much faster than the exact one."""
        return rounded_volume(self.top_cells, self.network.sizes[0])

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
        for cell in self.known_cells:
            point = cell.interior_point
            near = tuple(e if isinstance(e, Fraction) else Fraction(float(e)) for e in point)
            near = shorten(self.problem, near)
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
            branches = "The only branch" if self.closed == 1 else f"Every one of {self.closed} branches"
            reason = f"{branches} misses the target."
            return Empty(reason, "exact", Proof(self), layer=self.network.depth)
        return Unknown("The budget was reached before a cell was found; `proceed` continues.")

    def _residual(self, x: Sequence[Any]) -> float:
        point = np.array([float(e) for e in x])
        with np.errstate(all="ignore"):
            y = np.asarray(self.network.forward(point), dtype=float)
        if self.target is None or not np.isfinite(y).all():
            return 0.0
        misses = []
        for polyhedron in self.target.polyhedra:
            rows = [
                max(0.0, float(np.dot([float(a) for a in h.row], y)) - float(h.bound)) for h in polyhedron.half_spaces
            ]
            rows += [
                abs(float(np.dot([float(a) for a in row], y)) - float(right)) for row, right in polyhedron.equations
            ]
            misses.append(max(rows, default=0.0))
        return min(misses, default=0.0)

    @property
    def undecided_volume(self) -> Any:
        """The exact volume of the part of the box that is not searched yet; infinity where there is no box."""
        left = self._undecided()
        return sympy.oo if left is None else total_volume(left, self.network.sizes[0])

    @property
    def decided_share(self) -> float | None:
        """The part of the box's volume that is searched, between 0 and 1, rounded; None where it is not known."""
        left, width = self._undecided(), self.network.sizes[0]
        if left is None or self.box is None:
            return None
        sides = [high - low for low, high in self.box if low < high]
        if len(sides) < width:
            return None
        return min(1.0, max(0.0, 1.0 - rounded_volume(left, width) / float(prod(sides, start=Fraction(1)))))

    def _undecided(self) -> list[AnyCell] | None:
        """Return full-dimensional cells that cover what is not searched yet; None where that is not kept."""
        if self.is_complete:
            return []
        if self.box is None or not isinstance(self._search, Search):
            return None
        left = [
            Cell(
                self._search.frame,
                tuple(batch.pool.generators[i] for i in piece.ids),
                tuple(piece.masks),
                piece.constraints,
            )
            for batch in self._search.stack
            for piece in batch.pieces
        ]
        full = len(self._search.frame.rows[0]) - 1
        return [c for c in (*left, *self._pending) if c.dimension == full]

    def proceed(
        self,
        *,
        max_cells: int | None = None,
        max_seconds: float | None = None,
        workers: int | None = None,
        progress: Progress | None = None,
    ) -> "Preimage":
        """Return the preimage with the search continued; what was found before comes first."""
        if self.is_complete or self._search is None:
            return self
        return _continue(
            self.problem, self._search, self.cells, self._pending, _Effort(max_cells, max_seconds, workers, progress)
        )

    def certificate(self) -> dict[str, Any]:
        """Return a proof that the cells are all there are, as JSON data; see `symbinv.checker`."""
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
    workers: int | None = None,
    progress: Progress | None = None,
) -> Preimage:
    """Return the set of inputs of a piecewise-linear network whose output lies in a target, exactly.

    Args:
        network: Layers with piecewise-linear activations; the last one may be sigmoid, tanh or softmax.
        target: A point, a `Polyhedron` on outputs, a list of polyhedra (their union), or text such as
            "argmax == 2" (the first output wins ties) or "y_0 - y_1 >= 1/2".
        box: Lower and upper end of every input, shape (n0, 2); the network's own where left out; all of
            space where it has none.
        around: An input from which cells are explored outward: the cell that holds it first, then by a lower bound
            on the distance, that of the bounding box or, above 8 free inputs, of the farthest half-space. With
            `max_cells` the cells returned are those that come first in this order.
        max_cells: Stop after so many cells.
        max_seconds: Stop after so many seconds.
        workers: How many processes a long search uses, one a core where left out. The answer does not depend on
            it: cells come in the order of the search, whoever found them.
        progress: Called after every part of the search with the number of cells found and of branches closed.

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
    return _explore(problem, around, _Effort(max_cells, max_seconds, workers, progress))


def regions(network: Network, *, box: Any = None, workers: int | None = None) -> Preimage:
    """Return the activation regions of a piecewise-linear network, exactly.

    Args:
        network: Layers with piecewise-linear activations.
        box: Lower and upper end of every input, shape (n0, 2), or None for all of space.
        workers: As in `preimage`.

    Example:
        >>> network = Network.from_arrays([[[1, 0], [0, 1]]], [[0, 0]], ["relu"])
        >>> found = regions(network, box=[[-1, 1], [-1, 1]])
        >>> len(found.cells), found.volume
        (4, Fraction(4, 1))
    """
    return _explore(pose(network, None, box), None, _Effort(workers=workers))


@dataclass(frozen=True)
class _Effort:
    """How far a search goes, with how many processes, and who is told; see `preimage`."""

    max_cells: int | None = None
    max_seconds: float | None = None
    workers: int | None = None
    progress: Progress | None = None

    def __post_init__(self) -> None:
        for name, limit in (("max_cells", self.max_cells), ("max_seconds", self.max_seconds)):
            if limit is not None and not limit >= 0:
                raise OptionError(f"{name} must be at least 0 or None, not {limit}.")


def _explore(problem: Problem, around: Any, effort: _Effort) -> Preimage:
    center = None if around is None else tuple(to_fraction(v) for v in around)
    if center is not None and len(center) != problem.network.sizes[0]:
        raise ShapeError(
            f"around must have one entry per input of the network ({problem.network.sizes[0]}), not {len(center)}."
        )
    if not problem.has_vertices:
        if problem.has_logarithms:
            raise NotSupportedError(
                f"thresholds with logarithms need at most {limits.VERTEX_LIMIT} free inputs; "
                "compare outputs, or fix inputs."
            )
        wide = HalfSpaceSearch(
            problem.stages, problem.final, problem.clauses, problem.box, problem.network.sizes[0], center=center
        )
        return _continue(problem, wide, (), (), effort)
    search = start_search(problem)
    if center is not None:
        search.center = np.array([float(v) for v in center])
    return _continue(problem, search, (), (), effort)


def _continue(
    problem: Problem,
    search: Search | HalfSpaceSearch,
    before: tuple[AnyCell, ...],
    pending: tuple[AnyCell, ...],
    effort: _Effort,
) -> Preimage:
    started = time.monotonic()
    max_cells, max_seconds = effort.max_cells, effort.max_seconds
    cells: list[AnyCell] = list(pending)
    with collection_paused():
        for found in search.run(effort.workers):
            for f in found:
                cells += _finished(problem, search, f)
            if search.center is not None and found:
                cells.sort(key=lambda cell: place_outward(search, cell))
            if effort.progress is not None:
                effort.progress(len(before) + len(cells), search.closed)
            if max_cells is not None and len(cells) >= max_cells and is_settled(search, cells[max_cells - 1]):
                break
            if max_seconds is not None and time.monotonic() - started >= max_seconds:
                break
    kept, rest = (cells, []) if max_cells is None else (cells[:max_cells], cells[max_cells:])
    undecided = search.undecided if isinstance(search, HalfSpaceSearch) else 0
    complete = not search.stack and not rest and not undecided
    joined = (*before, *kept)
    if complete and search.center is None:
        joined = tuple(sorted(joined, key=_order))
    return Preimage(problem, joined, complete, search.closed, None if complete else search, tuple(rest))


def _order(cell: AnyCell) -> Any:
    return cell.pattern


def _finished(problem: Problem, search: Search | HalfSpaceSearch, found: Found | OpenCell) -> list[AnyCell]:
    if isinstance(found, OpenCell) or isinstance(search, HalfSpaceSearch):
        assert isinstance(found, OpenCell)
        return [replace(found, pattern=layer_patterns(problem, found.pattern))]
    return cells_of(problem, search, found)
