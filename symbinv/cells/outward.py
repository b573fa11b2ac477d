"""The order of cells around the center of a search: the one that holds it, then by a bound on the distance."""

from fractions import Fraction

from symbinv.cells.half_space_search import HalfSpaceSearch, OpenCell
from symbinv.cells.search import Search
from symbinv.cells.union import AnyCell
from symbinv.polyhedra.cell import Cell


def place_outward(search: Search | HalfSpaceSearch, cell: AnyCell) -> tuple[bool, float]:
    """Return how far a cell lies from the center of a search; a cell that contains it comes first."""
    assert search.center is not None
    inside = cell.contains([Fraction(e) for e in search.center])
    if isinstance(search, HalfSpaceSearch):
        return not inside, search.distance(cell.polyhedron.half_spaces if isinstance(cell, OpenCell) else ())
    return not inside, search.distance(cell.generators) if isinstance(cell, Cell) else 0.0


def is_settled(search: Search | HalfSpaceSearch, last: AnyCell) -> bool:
    """Tell whether nothing that is left can lie nearer to the center than a cell."""
    if search.center is None:
        return True
    outside, distance = place_outward(search, last)
    return not outside or distance <= search.frontier()
