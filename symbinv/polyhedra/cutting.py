"""Cut a convex cell by a hyperplane, combinatorially: which pairs of its vertices span an edge that is crossed.

A cell is a cone of homogeneous generators v = (v_0, ..., v_d), v_0 >= 0: a point v_1/v_0, ..., v_d/v_0 where
v_0 > 0, a ray where v_0 = 0. With every generator goes a bit mask of the constraints that are tight on it. Two
generators of a cell of dimension k span an edge exactly when no third one is tight on all that both are. Where
one of them is tight on k constraints only, these are independent, and k - 1 common ones suffice.
Both hold with redundant constraints among the bits, as long as every mask is complete.

References:
    K. Fukuda and A. Prodon, Double description method revisited, 1996, proposition 7.
"""

from collections.abc import Sequence

from symbinv.exact.integer import IntegerMatrix, Row


def crossed_edges(
    masks: Sequence[int], above: Sequence[int], below: Sequence[int], dimension: int
) -> list[tuple[int, int, int]]:
    """Return the edges between generators above and below a hyperplane.

    Args:
        masks: The tight constraints of each generator of the cell.
        above, below: Positions of the generators on either side.
        dimension: The dimension of the cell, at least 1.

    Returns:
        (position above, position below, common constraints), one per edge.

    Example:
        >>> square = [0b0101, 0b1001, 0b0110, 0b1010]  # bits: left, right, bottom, top
        >>> crossed_edges(square, [2, 3], [0, 1], 2)
        [(2, 0, 4), (3, 1, 8)]
    """
    need = dimension - 1
    edges = []
    other = [(j, masks[j]) for j in below]
    for i in above:
        mine = masks[i]
        simple = mine.bit_count() == dimension
        for j, theirs in other:
            common = mine & theirs
            if common.bit_count() < need:
                continue
            if simple or theirs.bit_count() == dimension or _only_two_contain(masks, common):
                edges.append((i, j, common))
    return edges


def _only_two_contain(masks: Sequence[int], common: int) -> bool:
    count = 0
    for mask in masks:
        if mask & common == common:
            count += 1
            if count > 2:
                return False
    return True


def face_dimension(generators: Sequence[Row]) -> int:
    """Return the dimension of the polyhedron that generators span; -1 where there is none.

    Example:
        >>> face_dimension([(1, 0, 0), (1, 1, 0), (0, 1, 0)])
        1
    """
    return IntegerMatrix(generators).rank() - 1 if generators else -1


def common_bits(masks: Sequence[int]) -> int:
    """Return the constraints that are tight on every generator."""
    common = -1
    for mask in masks:
        common &= mask
    return common if masks else 0
