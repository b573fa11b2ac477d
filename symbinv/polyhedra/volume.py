"""Exact volumes of polytopes from their vertices and the constraints that are tight on them.

A polytope is the union of the pyramids over the facets that do not contain a chosen vertex. Applied to the
facets in turn, this gives a triangulation whose simplices are read off bit masks; degenerate ones, from
constraints that are tight on less than a facet, have determinant 0 and add nothing.

References:
    B. Büeler, A. Enge, K. Fukuda, Exact volume computation for polytopes, 2000 (Cohen and Hickey's scheme).
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import factorial, prod

from symbinv.exact.integer import IntegerMatrix, Row, determinant, exact_sum


def simplices(masks: Sequence[int], dimension: int) -> Iterator[tuple[int, ...]]:
    """Yield simplices, as positions of dimension + 1 vertices, that triangulate a polytope.

    Args:
        masks: For each vertex the constraints that are tight on it.
        dimension: The dimension of the polytope.

    Example:
        >>> list(simplices([0b0101, 0b1001, 0b0110, 0b1010], 2))
        [(0, 2, 3), (0, 1, 3)]
    """
    return _triangulate(tuple(range(len(masks))), masks, dimension)


def _triangulate(ids: tuple[int, ...], masks: Sequence[int], dimension: int) -> Iterator[tuple[int, ...]]:
    if len(ids) == dimension + 1:
        yield ids
        return
    apex = ids[0]
    union = 0
    for i in ids:
        union |= masks[i]
    left = union & ~masks[apex]
    seen = set()
    while left:
        bit = left & -left
        left ^= bit
        face = tuple(i for i in ids if masks[i] & bit)
        if len(face) >= dimension and face not in seen:
            seen.add(face)
            for simplex in _triangulate(face, masks, dimension - 1):
                yield (apex, *simplex)


def volume_terms(vertices: Sequence[Row], masks: Sequence[int], dimension: int) -> list[tuple[int, int]]:
    """Return numerators and denominators whose sum is the volume of a full-dimensional polytope.

    Args:
        vertices: Homogeneous integers (v_0, ..., v_d), v_0 > 0.
        masks: For each the constraints that are tight on it.
        dimension: d.
    """
    if dimension == 0:
        return [(1, 1)]
    whole = factorial(dimension)
    terms = []
    for simplex in simplices(masks, dimension):
        rows = [vertices[i] for i in simplex]
        size = abs(determinant(rows))
        if size:
            terms.append((size, whole * prod(row[0] for row in rows)))
    return terms


def volume(vertices: Sequence[Row], masks: Sequence[int], dimension: int) -> tuple[Fraction, Fraction]:
    """Return q and s such that the volume of a polytope in its own dimension is q * sqrt(s).

    The polytope is projected onto coordinates on which it stays one to one; s is 1 where it has full dimension.

    Example:
        >>> volume([(1, 0, 0), (1, 3, 4)], [1, 2], 1)
        (Fraction(3, 1), Fraction(25, 9))
    """
    if dimension == len(vertices[0]) - 1:
        return exact_sum(volume_terms(vertices, masks, dimension)), Fraction(1)
    if dimension == 0:
        return Fraction(1), Fraction(1)
    columns, stretch = projection(vertices, dimension)
    flat = [(v[0], *(v[j] for j in columns)) for v in vertices]
    return exact_sum(volume_terms(flat, masks, dimension)), stretch


def projection(vertices: Sequence[Row], dimension: int) -> tuple[list[int], Fraction]:
    """Return coordinates that determine a point of the affine hull, and the squared factor of volumes.

    Args:
        vertices: Homogeneous integers that span a flat of the given dimension.
        dimension: That dimension, at least 1.
    """
    first = vertices[0]
    basis: list[Row] = []
    for v in vertices[1:]:
        edge = tuple(first[0] * b - v[0] * a for a, b in zip(first[1:], v[1:], strict=True))
        if IntegerMatrix([*basis, edge]).rank() == len(basis) + 1:
            basis.append(edge)
            if len(basis) == dimension:
                break
    return coordinates(basis)


def coordinates(basis: Sequence[Row]) -> tuple[list[int], Fraction]:
    """Return positions (from 1) of coordinates that determine a point of a flat, and the squared factor of volumes.

    Args:
        basis: Independent directions of the flat, in integers, at least one.
    """
    columns: list[int] = []
    for j in range(len(basis[0])):
        wider = [[row[c] for c in (*columns, j)] for row in basis]
        if IntegerMatrix(wider).rank() == len(columns) + 1:
            columns.append(j)
    gram = [[sum(a * b for a, b in zip(p, q, strict=True)) for q in basis] for p in basis]
    minor = determinant([[row[j] for j in columns] for row in basis])
    return [j + 1 for j in columns], Fraction(determinant(gram), minor * minor)
