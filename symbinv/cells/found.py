"""What a search found, as cells: with patterns by layers, affine maps, and cut by thresholds that hold logarithms."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from symbinv.cells.last_activation import RealRow
from symbinv.cells.problem import Problem, start_search
from symbinv.cells.search import Found, Search, collection_paused
from symbinv.cells.stages import Linearization, Stage
from symbinv.cells.union import AnyCell
from symbinv.exact.loglinear import LogLinear
from symbinv.polyhedra.cell import Cell
from symbinv.polyhedra.polyhedron import Vector
from symbinv.polyhedra.real_cell import RealCell, RealConstraint


def find_all(problem: Problem) -> tuple[Search, list[tuple[Found, Cell]]]:
    """Run a whole search with its tree kept; return it with what it found."""
    search = start_search(problem, keep_tree=True)
    with collection_paused():
        return search, [(f, to_cell(problem, search, f)) for found in search.run() for f in found]


def cells_of(problem: Problem, search: Search, found: Found) -> list[AnyCell]:
    """Return the part of a found cell that reaches the target: itself, or what exact thresholds leave of it."""
    cell = to_cell(problem, search, found)
    if not problem.has_logarithms:
        return [cell]
    return [part.cell for part in divide(problem, search, cell)[1] if part.cell is not None]


def to_cell(problem: Problem, search: Search, found: Found) -> Cell:
    """Return a cell that a search found, with its pattern by layers and its affine map."""
    piece = found.piece
    pattern = layer_patterns(problem, found.patterns)

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
        found.generators,
        tuple(piece.masks),
        piece.constraints,
        piece.equations,
        pattern,
        affine,
    )


def layer_patterns(problem: Problem, patterns: Sequence[tuple[int, ...]]) -> tuple[tuple[int, ...], ...]:
    """Return the pieces of every layer, () for layers without kinks."""
    by_layer: list[tuple[int, ...]] = [()] * problem.network.depth
    for stage, pattern in zip(problem.stages, patterns, strict=True):
        by_layer[stage.layer - 1] = pattern
    return tuple(by_layer)


@dataclass(eq=False)
class Part:
    """A part of a cell that exact thresholds divide.

    Attributes:
        cell: The part; None where it is empty.
        split: The clause and the row of the target that divide it further.
        met, missed: Where the row holds, and where it does not.
        is_inside: Whether it lies in the target.
    """

    cell: RealCell | None
    split: tuple[int, int] | None = None
    met: "Part | None" = None
    missed: "Part | None" = None
    is_inside: bool = False


def divide(problem: Problem, search: Search, cell: Cell) -> tuple[Part, list[Part]]:
    """Divide a cell along the exact thresholds of the target; return the whole, and the parts in the target."""
    whole = Part(RealCell.of(cell))
    inside: list[Part] = []
    waiting = [whole]
    for c, clause in enumerate(problem.clauses or []):
        left = []
        for start in waiting:
            part = start
            for r, row in enumerate(clause):
                if part.cell is None:
                    break
                met = threshold(search, cell, row)
                missed = RealConstraint(tuple(-e for e in met.slopes), -met.offset, not met.is_open)
                part.split, part.met, part.missed = (c, r), Part(part.cell.cut(met)), Part(part.cell.cut(missed))
                if part.missed.cell is not None:
                    left.append(part.missed)
                part = part.met
            if part.cell is not None:
                part.is_inside = True
                inside.append(part)
        waiting = left
    return whole, inside


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
