"""Depth-first search over cells: split, prune by the target, keep what reaches it.

The work is a stack of batches. A round splits the cells of the topmost batch along one hyperplane each; a
batch whose cells are all decided moves before the next stage, and one that grew too large is halved, so
that memory stays bounded by the depth of the tree. A search is cut into parts of about the same work, which do not
depend on each other; who does them, and when, changes nothing.
"""

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from symbinv.cells.frame import start_everywhere, start_in_box
from symbinv.cells.splitting import Batch, Piece, Tree
from symbinv.cells.stages import Stage
from symbinv.polyhedra.cell import Frame
from symbinv.polyhedra.generator import Generator

Columns = NDArray[np.intp]
Side = tuple[int, int]  # column, and -1 where z <= 0 is wanted, 1 where z > 0 is

LIMIT = 2048
NEAR = 16
BUDGET = 4096  # work of one part of a search: splits tried, and cells bounded at the price of several
BOUNDED = 16  # splits that bounding a cell costs
HALVED = 128  # cells in a batch, beyond which it is halved for the parts to come


@dataclass(eq=False)
class Goal:
    """What is looked for: a union of intersections of half-spaces of the last activations.

    Attributes:
        stage: One row z_k per half-space.
        disjuncts: Each a tuple of (row, side); an empty one is always met.
    """

    stage: Stage
    disjuncts: tuple[tuple[Side, ...], ...]

    def choose(self, batch: Batch) -> tuple[Columns, NDArray[np.bool_]]:
        """Return for each cell the row to split along next (-1: none), and whether it is accepted."""
        count = len(batch.pieces)
        columns = np.full(count, -1, dtype=np.intp)
        accepted = np.zeros(count, dtype=bool)
        waiting = np.ones(count, dtype=bool)
        for disjunct in self.disjuncts:
            rows = [row for row, _ in disjunct]
            part = batch.decided[:, rows] * np.array([side for _, side in disjunct], dtype=np.int8)
            possible = waiting & ~(part == -1).any(axis=1)
            open_ = part == 0
            undecided = possible & open_.any(axis=1)
            if rows:
                columns[undecided] = np.array(rows)[open_.argmax(axis=1)[undecided]]
            accepted |= possible & ~undecided
            waiting &= ~possible
        return columns, accepted


@contextmanager
def collection_paused() -> Iterator[None]:
    """Pause the collection of cycles: a search makes many objects that live, and no cycles."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@dataclass(eq=False, slots=True)
class Found:
    """A cell that the search kept: its exact geometry and the map that holds on it."""

    piece: Piece
    generators: tuple[Generator, ...]
    patterns: tuple[tuple[int, ...], ...]


@dataclass(eq=False)
class Part:
    """What a part of a search has found, what it has left, and its tree of splits.

    Attributes:
        left: Batches, the next one last.
    """

    found: list[Found]
    left: list[Batch]
    tree: Tree
    visited: int
    closed: int
    splits: int


Pruner = Callable[[Batch, Sequence[int]], list[object | None]]


@dataclass(eq=False)
class Search:
    """The state of a search; `run` continues it.

    Attributes:
        stages: The stages with kinks.
        goal: What is looked for; None for all cells.
        prune: Tells which cells cannot reach the goal, with the reason.
        limit: Cells in a batch, beyond which it is halved at once.
        budget, halved: How long a part lasts, and up to how many cells a batch is left whole at its end.
    """

    stages: Sequence[Stage]
    goal: Goal | None
    frame: Frame
    tree: Tree
    stack: list[Batch]
    prune: Pruner | None = None
    limit: int = LIMIT
    budget: int = field(default_factory=lambda: BUDGET)
    halved: int = field(default_factory=lambda: HALVED)
    visited: int = 0
    closed: int = 0
    splits: int = 0
    tried: int = 0
    center: NDArray[np.float64] | None = None

    def run(self, workers: int | None = None) -> Iterator[list[Found]]:
        """Yield cells as they are found, a list a part (often empty), until nothing is left.

        The topmost batch is searched until the budget of a part is spent; what is left of it takes its place.
        Parts do not depend on each other, so they are worked on by several processes, and are taken in the
        same order whoever did them. Around a center the next part depends on all before it, so one process
        does them.

        Args:
            workers: Processes to use, this one included; by default as many as there are cores.
        """
        if self.center is not None:
            while self.stack:
                yield self._step(self._nearest())
            return
        from symbinv.cells.team import Team

        with Team(self, workers) as team:
            while self.stack:
                roots = [piece.node for piece in self.stack[-1].pieces]
                part = team.next_part()
                self.stack.pop()
                yield self._join(part, roots)

    def work(self, batch: Batch) -> "Part":
        """Search a batch until the budget of a part is spent; its cells become the roots of a tree of its own."""
        tree = Tree(self.tree.splits is not None, len(batch.pieces))
        for root, piece in enumerate(batch.pieces):
            piece.node = root
        mine = replace(self, tree=tree, stack=[batch], visited=0, closed=0, splits=0, tried=0)
        found: list[Found] = []
        while mine.stack and mine.tried < self.budget:
            found += mine._step(mine.stack.pop())
        left: list[Batch] = []
        for rest in mine.stack:
            count = len(rest.pieces)
            middle = count // 2 if count > self.halved else 0
            left += [rest.take(range(middle, count))]
            left += [rest.take(range(middle))] if middle else []
        return Part(found, left, tree, mine.visited, mine.closed, mine.splits)

    def copy(self, batch: Batch) -> Batch:
        """Return a batch that can be searched while the given one stays as it is."""
        return batch.take(range(len(batch.pieces)))

    def _join(self, part: "Part", roots: Sequence[int]) -> list[Found]:
        place = self.tree.join(part.tree, roots)
        for piece in chain((f.piece for f in part.found), *(b.pieces for b in part.left)):
            piece.node = place(piece.node)
        self.stack += part.left
        self.visited += part.visited
        self.closed += part.closed
        self.splits += part.splits
        return part.found

    def frontier(self) -> float:
        """Return a lower bound on the distance from the center of all that is left."""
        return min((float(self._distances(batch).min()) for batch in self.stack), default=float("inf"))

    def _nearest(self) -> Batch:
        """Take the batch with the cell nearest to the center, and leave its farther cells for later."""
        assert self.center is not None
        distances = [self._distances(batch) for batch in self.stack]
        chosen = min(range(len(self.stack)), key=lambda i: float(distances[i].min()))
        batch, distance = self.stack.pop(chosen), distances[chosen]
        order = np.argsort(distance, kind="stable")
        near, far = order[:NEAR], order[NEAR:]
        if len(far):
            self.stack.append(batch.take(sorted(far.tolist())))
            batch = batch.take(sorted(near.tolist()))
        return batch

    def _distances(self, batch: Batch) -> NDArray[np.float64]:
        """Return lower bounds on the distances of cells from the center, by their bounding boxes."""
        assert self.center is not None
        return np.array([self.distance([batch.pool.generators[i].row for i in p.ids]) for p in batch.pieces])

    def distance(self, generators: Sequence[tuple[int, ...]]) -> float:
        """Return a lower bound on the distance of a cell from the center, by its bounding box."""
        assert self.center is not None
        points = np.array([[float(e) for e in self.frame.point(g)] for g in generators if g[0]])
        rays = np.array([self.frame.image(g)[1:] for g in generators if not g[0]], dtype=object)
        low, high = points.min(axis=0), points.max(axis=0)
        if len(rays):
            low = np.where((rays < 0).any(axis=0), -np.inf, low)
            high = np.where((rays > 0).any(axis=0), np.inf, high)
        for line in self.frame.lines:
            seen = np.array([e != 0 for e in line])
            low, high = np.where(seen, -np.inf, low), np.where(seen, np.inf, high)
        gap = np.maximum(np.maximum(low - self.center, self.center - high), 0.0)
        return float(np.sqrt((gap * gap).sum()))

    def _step(self, batch: Batch) -> list[Found]:
        at_goal = self.goal is not None and batch.stage is self.goal.stage
        while True:
            found: list[Found] = []
            if at_goal:
                assert self.goal is not None
                columns, accepted = self.goal.choose(batch)
                found = [self._found(batch, i) for i in np.flatnonzero(accepted).tolist()]
                busy = columns >= 0
                for i in np.flatnonzero(~accepted & ~busy).tolist():
                    self.tree.close(batch.pieces[i].node, ("target",))
                    self.closed += 1
                if not busy.any():
                    return found
                if not busy.all():
                    batch = batch.take(np.flatnonzero(busy).tolist())
                    columns = columns[busy]
            else:
                open_ = batch.decided == 0
                busy = open_.any(axis=1)
                if not busy.any():
                    return self._advance(batch)
                columns = np.where(busy, open_.argmax(axis=1), -1)
            self.tried += int(np.count_nonzero(columns >= 0))
            before = len(batch.pieces)
            changed = batch.split(columns.tolist(), self.tree)
            self.splits += len(batch.pieces) - before
            batch.settle(changed)
            if self.prune is not None and not at_goal:
                batch = self._pruned(batch, changed)
                if not batch.pieces:
                    return found
            spent = self.tried >= self.budget
            if found or spent or len(batch.pieces) > self.limit or self.center is not None:
                self._push(batch)
                return found

    def _push(self, batch: Batch) -> None:
        count = len(batch.pieces)
        if count <= self.limit:
            self.stack.append(batch)
            return
        middle = count // 2
        self.stack.append(batch.take(range(middle, count)))
        self.stack.append(batch.take(range(middle)))

    def _pruned(self, batch: Batch, rows: Sequence[int]) -> Batch:
        assert self.prune is not None
        self.tried += BOUNDED * len(rows)
        closed = set()
        for index, reason in zip(rows, self.prune(batch, rows), strict=True):
            if reason is not None:
                closed.add(index)
                self.tree.close(batch.pieces[index].node, reason)
        self.closed += len(closed)
        if not closed:
            return batch
        kept = [i for i in range(len(batch.pieces)) if i not in closed]
        if not kept:
            batch.pieces = []
            return batch
        if len(closed) * 4 > len(batch.pieces):
            return batch.take(kept)
        batch.pieces = [batch.pieces[i] for i in kept]
        batch.decided = batch.decided[kept]
        return batch

    def _advance(self, batch: Batch) -> list[Found]:
        index = next(i for i, s in enumerate(self.stages) if s is batch.stage)
        above = self.stages[index + 1] if index + 1 < len(self.stages) else self.goal.stage if self.goal else None
        self.visited += len(batch.pieces)
        if above is None:
            return [self._found(batch, i) for i in range(len(batch.pieces))]
        chosen: Sequence[int] = range(len(batch.pieces))
        parts = [list(chosen[i : i + self.limit // 2]) for i in range(0, len(chosen), self.limit // 2)]
        for part in reversed(parts):
            new = batch.next_batch(part, above)
            new.settle()
            if self.prune is not None and (self.goal is None or above is not self.goal.stage):
                new = self._pruned(new, range(len(new.pieces)))
            if new.pieces:
                self.stack.append(new)
        return []

    def _found(self, batch: Batch, index: int) -> Found:
        piece = batch.pieces[index]
        generators = tuple([batch.pool.generators[i] for i in piece.ids])
        self.tree.close(piece.node, ("cell",))
        patterns = piece.map.patterns()
        if self.goal is None or batch.stage is not self.goal.stage:
            patterns = (*patterns, batch.patterns([index])[0])
        return Found(piece, generators, patterns)


def begin(
    stages: Sequence[Stage],
    goal: Goal | None,
    box: Sequence[Sequence[Fraction]] | None,
    inputs: int,
    *,
    keep_tree: bool = False,
    prune: Pruner | None = None,
    limit: int = LIMIT,
    frame_stage: Stage | None = None,
) -> Search:
    """Return a search that has not begun; `frame_stage` gives the rows that matter where no stage does."""
    tree = Tree(keep_tree)
    first = stages[0] if stages else goal.stage if goal is not None else None
    if box is not None:
        frame, pool, pieces = start_in_box(box)
    else:
        frame, pool, pieces = start_everywhere(frame_stage or first, inputs, tree)
    if first is None:
        raise AssertionError("a search needs a stage")
    if frame.lines:
        prune = None  # bounds are taken over vertices, and no cell here is bounded
    batch = Batch(first, pool, pieces)
    batch.settle()
    search = Search(stages, goal, frame, tree, [], prune, limit)
    if prune is not None and (goal is None or first is not goal.stage):
        batch = search._pruned(batch, range(len(pieces)))
    if batch.pieces:
        search.stack.append(batch.take(range(len(batch.pieces))))
    return search
