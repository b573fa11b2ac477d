"""A search and its parts as plain data, for worker processes: numbers, text, bytes, tuples and lists.

What is written is what a part of a search needs, and comes back as it was: doubles bit by bit, integers exactly,
generators as unresolved as they were. `marshal` writes it, which knows plain data only; it is read by a
process of ours at the other end of a pipe, never from a file.
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from symbinv.cells.pool import Pool
from symbinv.cells.pruning import Bound, Zonotopes
from symbinv.cells.search import Found, Goal, Part, Search
from symbinv.cells.splitting import Batch, Piece, Tree
from symbinv.cells.stages import Linearization, Stage
from symbinv.exact.integer import IntegerMatrix, Row
from symbinv.exact.matrix import ExactMatrix
from symbinv.network.activation import Piece as LinearPiece
from symbinv.polyhedra.cell import Constraint, Frame
from symbinv.polyhedra.generator import Generator

Plain = Any
Ratio = tuple[int, int]


# -- a search -----------------------------------------------------------------------------------------


def write_search(search: Search) -> Plain:
    """Return what the parts of a search have in common."""
    goal = None
    if search.goal is not None:
        goal = (write_stage(search.goal.stage), search.goal.disjuncts)
    return (
        [write_stage(s) for s in search.stages],
        goal,
        search.frame.rows,
        search.tree.splits is not None,
        search.prune is not None,
        search.limit,
        search.budget,
        search.halved,
    )


def read_search(data: Plain) -> Search:
    """Return a search with nothing to do, whose parts can be read."""
    stages_data, goal_data, rows, keep, prunes, limit, budget, halved = data
    stages = [read_stage(s) for s in stages_data]
    goal = None if goal_data is None else Goal(read_stage(goal_data[0]), goal_data[1])
    pruner = Zonotopes(stages, goal, keep) if prunes and goal is not None else None
    return Search(stages, goal, Frame(rows, ()), Tree(keep), [], pruner, limit, budget, halved)


def write_stage(stage: Stage) -> Plain:
    """Return a stage."""
    return (
        stage.weights.columns,
        [[_ratio(e) for e in row] for row in stage.weights.fractions()],
        [_ratio(e) for (e,) in stage.bias.fractions()],
        [tuple(None if e is None else _ratio(e) for e in p) for p in map(_ends, stage.pieces)],
        stage.layer,
    )


def read_stage(data: Plain) -> Stage:
    """Return a stage that was written."""
    columns, rows, bias, pieces, layer = data
    weights = ExactMatrix([[Fraction(*e) for e in row] for row in rows]) if rows else ExactMatrix.zeros(0, columns)
    offset = ExactMatrix.column([Fraction(*e) for e in bias]) if rows else ExactMatrix.zeros(0, 1)
    made = [tuple(None if e is None else Fraction(*e) for e in p) for p in pieces]
    return Stage(weights, offset, tuple(LinearPiece(*p) for p in made), layer)  # type: ignore[arg-type]


def _ends(piece: LinearPiece) -> tuple[Fraction, Fraction, Fraction | None, Fraction | None]:
    return piece.slope, piece.intercept, piece.lower, piece.upper


def _ratio(value: Fraction) -> Ratio:
    return value.numerator, value.denominator


# -- generators, maps and cells -----------------------------------------------------------------------


class _Writer:
    """Writes objects that cells share once, and refers to them by number."""

    def __init__(self, stages: Sequence[Stage]) -> None:
        self.stages = {id(s): i for i, s in enumerate(stages)}
        self.generators: list[Plain] = []
        self.maps: list[Plain] = []
        self.constraints: list[tuple[Row, bool]] = []
        self._places: dict[int, int] = {}
        self._held: list[object] = []  # keeps what is referred to alive, so that ids stay unique

    def _place(self, thing: object, table: list[Any], entry: Any) -> int:
        self._held.append(thing)
        table.append(entry)
        self._places[id(thing)] = len(table) - 1
        return len(table) - 1

    def generator(self, wanted: Generator) -> int:
        """Return the number of a generator; the ends of its edge are written before it."""
        waiting = [wanted]
        while waiting:
            made = waiting[-1]
            if id(made) in self._places:
                waiting.pop()
                continue
            edge = made.edge
            if edge is None:
                self._place(made, self.generators, made.row)
                continue
            missing = [end for end in edge[:2] if id(end) not in self._places]
            if missing:
                waiting += missing
                continue
            self._place(made, self.generators, (self._places[id(edge[0])], self._places[id(edge[1])], edge[2], None))
        return self._places[id(wanted)]

    def map(self, wanted: Linearization) -> int:
        """Return the number of a map, with the matrix of the last one that has been computed."""
        chain: list[Linearization] = []
        at: Linearization | None = wanted
        while at is not None and id(at) not in self._places:
            chain.append(at)
            at = at.below
        for made in reversed(chain):
            below = -1 if made.below is None else self._places[id(made.below)]
            stage = -1 if made.stage is None else self.stages[id(made.stage)]
            self._place(made, self.maps, [below, stage, made.pattern, None])
        last: Linearization | None = wanted
        while last is not None and last.computed is None:
            last = last.below
        if last is not None and last.computed is not None:
            entry = self.maps[self._places[id(last)]]
            entry[3] = entry[3] or (last.computed[0].rows(), last.computed[1])
        return self._places[id(wanted)]

    def constraint(self, constraint: Constraint) -> int:
        place = self._places.get(id(constraint))
        if place is None:
            place = self._place(constraint, self.constraints, (constraint.form, constraint.is_open))
        return place

    def tables(self) -> Plain:
        return self.generators, self.maps, self.constraints


class _Reader:
    def __init__(self, stages: Sequence[Stage], tables: Plain) -> None:
        generators, maps, constraints = tables
        self.generators: list[Generator] = []
        for entry in generators:
            if entry[-1] is None:
                above, below, form, _ = entry
                self.generators.append(Generator.on_edge(self.generators[above], self.generators[below], form))
            else:
                self.generators.append(Generator(entry))
        self.maps: list[Linearization] = []
        for below, stage, pattern, matrix in maps:
            made = Linearization(None if below < 0 else self.maps[below], None if stage < 0 else stages[stage], pattern)
            if matrix is not None:
                made.computed = IntegerMatrix(matrix[0]), matrix[1]
            self.maps.append(made)
        self.constraints = [Constraint(form, is_open) for form, is_open in constraints]


def write_batches(search: Search, batches: Sequence[Batch]) -> Plain:
    """Return batches, each without generators that no cell uses."""
    writer = _Writer(_stages(search))
    return [_write_batch(writer, b.take(range(len(b.pieces)))) for b in batches], writer.tables()


def read_batches(search: Search, data: Plain) -> list[Batch]:
    """Return batches that were written."""
    batches, tables = data
    reader = _Reader(_stages(search), tables)
    return [_read_batch(search, reader, b) for b in batches]


def _write_batch(writer: _Writer, batch: Batch) -> Plain:
    pool = batch.pool
    count = len(pool.generators)
    pieces = [
        (
            p.ids,
            p.masks,
            p.open_bits,
            [writer.constraint(c) for c in p.constraints],
            p.equations,
            p.dimension,
            writer.map(p.map),
            p.node,
        )
        for p in batch.pieces
    ]
    return (
        writer.stages[id(batch.stage)],
        [writer.generator(g) for g in pool.generators],
        np.ascontiguousarray(pool.values[:count]).tobytes(),
        np.ascontiguousarray(pool.radius[:count]).tobytes(),
        np.ascontiguousarray(pool.signs[:count]).tobytes(),
        np.ascontiguousarray(batch.decided).tobytes(),
        pieces,
    )


def _read_batch(search: Search, reader: _Reader, data: Plain) -> Batch:
    place, generators, values, radius, signs, decided, pieces = data
    stage = _stages(search)[place]
    count = len(generators)
    table = [np.frombuffer(b).reshape(count, stage.units).copy() for b in (values, radius)]
    pool = Pool([reader.generators[i] for i in generators], *table)
    pool.signs = np.frombuffer(signs, dtype=np.int8).reshape(count, stage.columns).copy()
    pool.codes = [row.tobytes() for row in pool.signs]
    made = [
        Piece(ids, masks, bits, tuple([reader.constraints[c] for c in rows]), equations, size, reader.maps[m], node)
        for ids, masks, bits, rows, equations, size, m, node in pieces
    ]
    known = np.frombuffer(decided, dtype=np.int8).reshape(len(made), stage.columns).copy()
    return Batch(stage, pool, made, known)


def _stages(search: Search) -> list[Stage]:
    return [*search.stages, *([search.goal.stage] if search.goal is not None else [])]


# -- what a part has found ----------------------------------------------------------------------------


def write_part(search: Search, part: Part) -> Plain:
    """Return what a part of a search has found, and what it has left."""
    writer = _Writer(_stages(search))
    found = [
        (
            [writer.generator(g) for g in f.generators],
            f.piece.masks,
            f.piece.open_bits,
            [writer.constraint(c) for c in f.piece.constraints],
            f.piece.equations,
            f.piece.dimension,
            f.piece.node,
            f.patterns,
        )
        for f in part.found
    ]
    left = [_write_batch(writer, b) for b in part.left]
    splits = None if part.tree.splits is None else list(part.tree.splits.items())
    leaves = [(n, (r.layer, r.slopes, None) if isinstance(r, Bound) else r) for n, r in part.tree.leaves.items()]
    counts = part.visited, part.closed, part.splits
    return found, left, writer.tables(), splits, leaves, part.tree.first, part.tree.count, counts


def read_part(search: Search, data: Plain) -> Part:
    """Return what a part of a search has found, as it was written."""
    found_data, left, tables, splits, leaves, first, count, counts = data
    reader = _Reader(_stages(search), tables)
    root = Linearization.of_frame(search.frame.rows)
    found = []
    for generators, masks, bits, rows, equations, size, node, patterns in found_data:
        constraints = tuple([reader.constraints[c] for c in rows])
        piece = Piece([], masks, bits, constraints, equations, size, root, node)
        found.append(Found(piece, tuple([reader.generators[i] for i in generators]), patterns))
    tree = Tree(splits is not None, first)
    tree.count = count
    if splits is not None:
        tree.splits = dict(splits)
    tree.leaves = {n: Bound(r[0], r[1]) if len(r) == 3 else r for n, r in leaves}
    return Part(found, [_read_batch(search, reader, b) for b in left], tree, *counts)
