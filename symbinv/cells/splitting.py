"""Split cells along the kinks of a stage; vertices are exact, shared between cells, and carry doubles.

A batch holds cells that stand before the same stage. Their generators lie in one pool: exact integers, and the
stage's pre-activations there in doubles with a bound on the error, which are the same for all cells
because the network is continuous. One matrix product fills them, and new generators on an edge get theirs
by interpolation. Only where a double lies within its error bound are integers asked, and computed if they were not
before. A round splits every cell of the batch along at most one hyperplane.

Cells are half open: a unit is on the left of a kink where z <= kink and on its right where z > kink. Right sides
are therefore open constraints, and a cell that a hyperplane only touches gives up the face that lies in it,
as a cell of lower dimension, unless an open constraint has taken that face away already.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from symbinv.cells.pool import Edge, Pool, Signs
from symbinv.cells.stages import Linearization, Stage
from symbinv.exact.integer import Row, dot
from symbinv.polyhedra.cell import Constraint
from symbinv.polyhedra.cutting import common_bits, crossed_edges, face_dimension

ZERO = 3  # the code of an exact zero among the signs 1 (above), 255 (below) and 0 (undecided in doubles)


class Piece:
    """A cell in the making.

    Attributes:
        ids: Its generators in the pool of its batch.
        masks: For each, the constraints that are tight on it.
        open_bits: The constraints that are open.
        constraints: One per bit.
        equations: Forms that vanish on it; as many as it lacks dimensions, or more.
        dimension: Its dimension.
        map: The affine map up to the batch's stage.
        node: Its place in the tree of splits.
    """

    __slots__ = ("constraints", "dimension", "equations", "ids", "map", "masks", "node", "open_bits")

    def __init__(
        self,
        ids: list[int],
        masks: list[int],
        open_bits: int,
        constraints: tuple[Constraint, ...],
        equations: tuple[Row, ...],
        dimension: int,
        map_: Linearization,
        node: int,
    ) -> None:
        self.ids, self.masks, self.open_bits = ids, masks, open_bits
        self.constraints, self.equations, self.dimension = constraints, equations, dimension
        self.map, self.node = map_, node


class Batch:
    """Cells before one stage, with what is decided of each.

    Attributes:
        decided: (cells, columns): 1 right of the kink, -1 left of it, 0 not decided yet.
    """

    def __init__(self, stage: Stage, pool: Pool, pieces: list[Piece], decided: Signs | None = None) -> None:
        self.stage, self.pool, self.pieces = stage, pool, pieces
        if decided is None:
            pool.enter(stage)
            decided = np.zeros((len(pieces), stage.columns), dtype=np.int8)
        self.decided = decided
        self._edges: dict[tuple[int, int, int], int] = {}
        self._fixed: dict[tuple[int, int], int] = {}

    def settle(self, rows: Iterable[int] | None = None) -> None:
        """Decide in doubles what can be decided so, for the given cells (all)."""
        chosen = range(len(self.pieces)) if rows is None else list(rows)
        if not len(chosen) or not self.stage.columns:
            return
        lists = [self.pieces[i].ids for i in chosen]
        lengths = np.fromiter(map(len, lists), dtype=np.intp, count=len(lists))
        flat = np.fromiter(chain.from_iterable(lists), dtype=np.intp, count=int(lengths.sum()))
        starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        gathered = self.pool.signs[flat]
        low = np.minimum.reduceat(gathered, starts, axis=0)
        high = np.maximum.reduceat(gathered, starts, axis=0)
        known = (low == 1).view(np.int8) - (high == -1).view(np.int8)
        part = self.decided[chosen]
        self.decided[chosen] = np.where(part == 0, known, part)

    def split(self, columns: Sequence[int], record: "Tree") -> list[int]:
        """Split each cell along one column (-1: leave it), and return which cells are new or changed."""
        pool, stage, decided = self.pool, self.stage, self.decided
        edges: list[Edge] = []
        born: list[Piece] = []
        born_from: list[int] = []
        born_sign: list[int] = []
        base = len(pool.generators)
        changed: list[int] = []
        for index, column in enumerate(columns):
            if column < 0:
                continue
            piece = self.pieces[index]
            changed.append(index)
            form: Row | None = None
            above: list[int] = []
            below: list[int] = []
            zero: list[int] = []
            codes = pool.codes
            for position, v in enumerate(piece.ids):
                code = codes[v][column]
                if code == 0:
                    code = self._fixed.get((v, column), 0)
                    if code == 0:
                        form = form or piece.map.form(stage, column)
                        value = dot(form, pool.generators[v].row)
                        code = self._fixed[v, column] = 1 if value > 0 else 255 if value < 0 else ZERO
                if code == 1:
                    above.append(position)
                elif code == ZERO:
                    zero.append(position)
                else:
                    below.append(position)
            if not above:
                decided[index, column] = -1
                continue
            if not below:
                decided[index, column] = 1
                face = self._touched_face(piece, zero)
                if face is None:
                    continue
                form = form or piece.map.form(stage, column)
                lower, upper = record.split(piece.node, stage.layer, column)
                ids, masks = [piece.ids[i] for i in zero], [piece.masks[i] for i in zero]
                gone = common_bits(masks)
                part = Piece(
                    ids,
                    [m & ~gone for m in masks],
                    piece.open_bits & ~gone,
                    piece.constraints,
                    (*piece.equations, form, *(piece.constraints[b].form for b in bits(gone))),
                    face,
                    piece.map,
                    lower,
                )
                bit = 1 << len(piece.constraints)
                touching = set(zero)
                piece.masks = [m | bit if i in touching else m for i, m in enumerate(piece.masks)]
                piece.open_bits |= bit
                piece.constraints = (*piece.constraints, Constraint(form, True))
                piece.node = upper
                born.append(part)
                born_from.append(index)
                born_sign.append(-1)
                continue
            form = form or piece.map.form(stage, column)
            bit = 1 << len(piece.constraints)
            new_ids: list[int] = []
            new_masks: list[int] = []
            for i, j, common in crossed_edges(piece.masks, above, below, piece.dimension):
                v, w = piece.ids[i], piece.ids[j]
                key = (v, w, column)
                found = self._edges.get(key)
                if found is None:
                    found = self._edges[key] = base + len(edges)
                    edges.append((v, w, column, form))
                new_ids.append(found)
                new_masks.append(common | bit)
            new_ids += [piece.ids[i] for i in zero]
            new_masks += [piece.masks[i] | bit for i in zero]
            lower, upper = record.split(piece.node, stage.layer, column)
            left = Piece(
                [piece.ids[i] for i in below] + new_ids,
                [piece.masks[i] for i in below] + new_masks,
                piece.open_bits,
                (*piece.constraints, Constraint(tuple(-e for e in form), False)),
                piece.equations,
                piece.dimension,
                piece.map,
                lower,
            )
            self.pieces[index] = Piece(
                [piece.ids[i] for i in above] + new_ids,
                [piece.masks[i] for i in above] + new_masks,
                piece.open_bits | bit,
                (*piece.constraints, Constraint(form, True)),
                piece.equations,
                piece.dimension,
                piece.map,
                upper,
            )
            decided[index, column] = 1
            born.append(left)
            born_from.append(index)
            born_sign.append(-1)
        if edges:
            pool.extend(stage, edges)
        if born:
            first = len(self.pieces)
            self.pieces += born
            rows = decided[born_from]
            rows[np.arange(len(born)), np.array(columns)[born_from]] = born_sign
            self.decided = np.concatenate([decided, rows])
            changed += range(first, len(self.pieces))
        return changed

    def _touched_face(self, piece: Piece, zero: list[int]) -> int | None:
        """Return the dimension of the face that a hyperplane touches; None where no point of it is in the cell."""
        pool = self.pool
        if not any(pool.generators[piece.ids[i]].is_point for i in zero):
            return None
        if common_bits([piece.masks[i] for i in zero]) & piece.open_bits:
            return None
        return face_dimension([pool.generators[piece.ids[i]].row for i in zero])

    def take(self, indices: Sequence[int]) -> "Batch":
        """Return a batch of some of the cells, with a pool of their generators only."""
        pieces = [self.pieces[i] for i in indices]
        used = used_generators(pieces)
        return Batch(self.stage, self.pool.select(used), renumber(pieces, used), self.decided[list(indices)])

    def next_batch(self, indices: Sequence[int], above: Stage) -> "Batch":
        """Return the given cells, all their columns decided, before the next stage."""
        pieces = [self.pieces[i] for i in indices]
        used = used_generators(pieces)
        pool = self.pool.select(used)
        pool.codes = []
        with np.errstate(all="ignore"):
            pool.values, pool.radius = self.stage.activate(pool.values, pool.radius, pool.tail)
        patterns = self.patterns(indices)
        known: dict[tuple[int, tuple[int, ...]], Linearization] = {}
        moved = renumber(pieces, used)
        for piece, pattern in zip(moved, patterns, strict=True):
            key = (id(piece.map), pattern)
            if key not in known:
                known[key] = Linearization(piece.map, self.stage, pattern)
            piece.map = known[key]
        return Batch(above, pool, moved)

    def patterns(self, indices: Sequence[int]) -> list[tuple[int, ...]]:
        """Return the index of the piece of every unit, for cells whose columns are all decided."""
        kinks = len(self.stage.kinks)
        right = (self.decided[list(indices)] > 0).reshape(len(indices), self.stage.units, kinks)
        return [tuple(row) for row in right.sum(axis=2).tolist()]


class Tree:
    """The tree of splits, node by node, where a certificate is wanted; else only numbers of nodes.

    In the tree of a part of a search the numbers below `first` are its roots.
    """

    def __init__(self, keep: bool, first: int = 1) -> None:
        self.splits: dict[int, tuple[int, int, int, int]] | None = {} if keep else None
        self.leaves: dict[int, object] = {}
        self.first = self.count = first

    def split(self, node: int, layer: int, column: int) -> tuple[int, int]:
        """Record a split and return the numbers of the left and the right child."""
        lower, upper = self.count, self.count + 1
        self.count += 2
        if self.splits is not None:
            self.splits[node] = (layer, column, lower, upper)
        return lower, upper

    def join(self, part: "Tree", roots: Sequence[int]) -> Callable[[int], int]:
        """Take over the tree of a part that grows from some nodes; return how its numbers change."""
        shift = self.count - part.first
        self.count += part.count - part.first

        def place(node: int) -> int:
            return node + shift if node >= part.first else roots[node]

        if self.splits is not None and part.splits is not None:
            for node, (layer, column, lower, upper) in part.splits.items():
                self.splits[place(node)] = (layer, column, place(lower), place(upper))
            for node, reason in part.leaves.items():
                self.leaves[place(node)] = reason
        return place

    def close(self, node: int, reason: object) -> None:
        """Record why a leaf is closed."""
        if self.splits is not None:
            self.leaves[node] = reason


def bits(mask: int) -> list[int]:
    """Return the positions of the bits of a mask."""
    found = []
    while mask:
        low = mask & -mask
        found.append(low.bit_length() - 1)
        mask ^= low
    return found


def used_generators(pieces: Sequence[Piece]) -> NDArray[np.intp]:
    """Return the generators that cells use, in increasing order."""
    return np.unique(np.fromiter(chain.from_iterable(p.ids for p in pieces), dtype=np.intp))


def renumber(pieces: Sequence[Piece], used: NDArray[np.intp]) -> list[Piece]:
    """Return cells on the pool that holds the used generators only."""
    place = {old: new for new, old in enumerate(used.tolist())}
    return [
        Piece(
            [place[i] for i in p.ids],
            p.masks,
            p.open_bits,
            p.constraints,
            p.equations,
            p.dimension,
            p.map,
            p.node,
        )
        for p in pieces
    ]
