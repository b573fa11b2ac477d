"""Simplices that fill a polytope of few dimensions; draws from them are independent and exact in law.

A cell with exact vertices is cut as its exact volume is (`polyhedra/volume.py`); a polytope that is known by its
half-spaces is whitened by its Dikin ellipsoid first, its vertices found by Qhull and cut by Delaunay.

References:
    L. Devroye, Non-Uniform Random Variate Generation, XI.2 (uniform points of a simplex).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from symbinv.cells.union import AnyCell
from symbinv.errors import NotSupportedError
from symbinv.exact.integer import determinant
from symbinv.polyhedra.cell import Cell
from symbinv.polyhedra.real_cell import RealCell
from symbinv.polyhedra.volume import projection, simplices
from symbinv.sampler.polytopes.body import Body
from symbinv.sampler.polytopes.hit_and_run import analytic_centre

Array = NDArray[np.float64]
TRIANGULATED = 5  # dimensions up to which bodies are cut into simplices
SIMPLICES = 200_000


@dataclass(frozen=True, eq=False)
class Triangulation:
    """Simplices that fill a polytope, with their share of its volume.

    Attributes:
        corners: (s, d + 1, n).
        shares: (s,), summing to 1.
        volume: Of the polytope in its own dimension; NaN where nobody asked.
    """

    corners: Array
    shares: Array
    volume: float = float("nan")

    @classmethod
    def of_body(cls, body: Body) -> "Triangulation":
        """Cut a body, in its own coordinates: vertices from the half-spaces, then Delaunay.

        Raises:
            NotSupportedError: Where Qhull gives up or makes too many simplices.
        """
        from scipy.spatial import ConvexHull, Delaunay, HalfspaceIntersection, QhullError

        d = body.dimension
        _, shape = analytic_centre(body)
        rows, right, center = _whitened(body, shape)
        if d == 1:
            ends = right / rows[:, 0]
            low, high = ends[rows[:, 0] < 0].max(), ends[rows[:, 0] > 0].min()
            pieces = np.array([[[low], [high]]])
        else:
            try:
                vertices = HalfspaceIntersection(np.column_stack([rows, -right]), center).intersections
                vertices = vertices[ConvexHull(vertices).vertices]
                pieces = vertices[Delaunay(vertices).simplices]
            except QhullError as error:
                raise NotSupportedError(f"triangulation failed ({str(error)[:80]}); take 'hit-and-run'.") from error
        _refuse_many(len(pieces))
        volumes = np.abs(np.linalg.det(pieces[:, 1:] - pieces[:, :1]))
        factorial = float(np.prod(np.arange(1, d + 1)))
        volume = float(volumes.sum() * abs(np.linalg.det(shape)) / factorial)
        return cls(pieces @ shape.T + 0.0, volumes / volumes.sum(), volume)

    @classmethod
    def of_cell(cls, cell: AnyCell) -> "Triangulation":
        """Cut a bounded cell of dimension 1 or more with known vertices, in the inputs.

        The shares of a rational cell are ratios of exact determinants, rounded once.

        Raises:
            NotSupportedError: For too many simplices, or a cell without vertices.
        """
        if isinstance(cell, Cell):
            vertices = [cell.frame.image(g) for g in cell.generators]
            columns, _ = projection(vertices, cell.dimension)
            flat = [(v[0], *(v[j] for j in columns)) for v in vertices]
            found: list[tuple[int, ...]] = []
            sizes: list[tuple[int, int]] = []
            for simplex in simplices(cell.masks, cell.dimension):
                size = abs(determinant([flat[i] for i in simplex]))
                if size:
                    found.append(simplex)
                    sizes.append((size, prod(flat[i][0] for i in simplex)))
                    _refuse_many(len(found))
            above, below = sizes[0]  # whole-number ratios: sizes themselves may be too small or large for doubles
            shares = np.array([a * below / (b * above) for a, b in sizes])
            points = np.array([[float(e) for e in v] for v in cell.vertices])
        elif isinstance(cell, RealCell):
            points = np.array([[float(e) for e in v] for v in cell.real_vertices])
            every = list(simplices(cell.masks, cell.dimension))
            _refuse_many(len(every))
            edges = np.array([points[list(s[1:])] - points[s[0]] for s in every])
            area = np.sqrt(np.maximum(np.linalg.det(edges @ edges.transpose(0, 2, 1)), 0.0))
            found = [s for s, a in zip(every, area, strict=True) if a > 0]
            shares = area[area > 0]
        else:
            raise NotSupportedError("vertices are not kept in so many inputs; take 'hit-and-run'.")
        return cls(points[np.array(found)], shares / shares.sum())

    @classmethod
    def joined(cls, cells: Sequence[AnyCell], shares: Array) -> "Triangulation":
        """Cut several cells of one dimension, each with its share of the whole."""
        parts = [cls.of_cell(cell) for cell in cells]
        _refuse_many(sum(len(p.shares) for p in parts))
        joint = np.concatenate([share * p.shares for share, p in zip(shares, parts, strict=True)])
        return cls(np.concatenate([p.corners for p in parts]), joint / joint.sum())

    def draw(self, count: int, rng: np.random.Generator, sobol: bool = False) -> Array:
        """Return independent uniform points (or a scrambled Sobol set), (count, n)."""
        d = self.corners.shape[1] - 1
        if sobol:
            from scipy.stats import qmc

            unit = qmc.Sobol(d + 1, rng=rng).random_base2(max(0, (count - 1).bit_length()))[:count]
        else:
            unit = rng.uniform(size=(count, d + 1))
        chosen = np.searchsorted(np.cumsum(self.shares), unit[:, 0]).clip(0, len(self.shares) - 1)
        ordered = np.sort(unit[:, 1:], axis=1)  # spacings of sorted uniforms are uniform on the simplex
        weights = np.diff(ordered, axis=1, prepend=0.0, append=1.0)
        return np.asarray(np.einsum("ki,kid->kd", weights, self.corners[chosen]))


def _refuse_many(count: int) -> None:
    if count > SIMPLICES:
        raise NotSupportedError(f"triangulation made more than {SIMPLICES:,} simplices; take 'hit-and-run'.")


def _whitened(body: Body, shape: Array) -> tuple[Array, Array, Array]:
    """Return the half-spaces and the centre in coordinates w with v = shape w."""
    rows = body.rows @ shape
    length = np.linalg.norm(rows, axis=1)
    middle: Array = np.asarray(np.linalg.solve(shape, body.center), dtype=np.float64)
    scaled: Array = rows / length[:, None]
    return scaled, np.asarray(body.right / length), middle
