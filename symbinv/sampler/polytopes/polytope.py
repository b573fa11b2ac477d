"""Uniform points of a polytope {A x <= b, C x = d}: triangulation up to five dimensions, hit-and-run above.

`body.py` recognises the set first: empty, one point, flat, unbounded, or a body. A body of up to five dimensions is
cut into simplices (`triangulation.py`), from which draws are independent and exact in law; Sobol points may take
the place of random numbers. Above, the body is rounded and walked (`hit_and_run.py`).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symbinv.errors import OptionError, ShapeError
from symbinv.exact.interval import REAL_LINE
from symbinv.exact.loglinear import LogLinear
from symbinv.exact.matrix import ExactMatrix
from symbinv.polyhedra.feasibility import LinearSystem
from symbinv.polyhedra.polyhedron import Polyhedron
from symbinv.sampler.polytopes.body import Body, NoPoints, recognise
from symbinv.sampler.polytopes.hit_and_run import CHAINS, hit_and_run
from symbinv.sampler.polytopes.triangulation import TRIANGULATED, Triangulation

Array = NDArray[np.float64]
METHODS = ("triangulation", "hit-and-run")


@dataclass(frozen=True, eq=False)
class PolytopeDraw:
    """Points, and how they came about.

    Attributes:
        points: (k, n); no rows where the set is empty, one where it is a point.
        kind: "empty", "point" or "body".
        dimension: Of the set; -1 where it is empty.
        method: "triangulation", "hit-and-run" or "".
        exact: Whether kind and dimension were decided exactly.
        ess, r_hat: One value a coordinate; None for independent draws. No effective size where R-hat is above 1.01.
    """

    points: Array
    kind: str
    dimension: int
    method: str
    exact: bool
    ess: Array | None = None
    r_hat: Array | None = None
    chains: int = 0


def draw_polytope(
    a: Any,
    b: Any,
    c: Any = None,
    d: Any = None,
    *,
    count: int,
    sobol: bool = False,
    method: str | None = None,
    seed: int | None = None,
) -> PolytopeDraw:
    """Draw points uniformly, by area in its own dimension, from {a x <= b, c x = d}.

    Args:
        a: (m, n) inequalities; Fractions and integers are exact, floats are taken at their exact values.
        b: (m,).
        c: (p, n) equations, or None.
        d: (p,).
        count: How many points.
        sobol: Take Sobol points in place of random numbers (triangulated bodies).
        method: "triangulation" or "hit-and-run"; by the dimension where left out.
        seed: Of the draw.

    Raises:
        ShapeError: Where shapes do not fit.
        OptionError: For an unknown method.
        NotSupportedError: For an unbounded set, on which no uniform law exists.

    Example:
        >>> triangle = draw_polytope([[-1, 0], [0, -1], [1, 1]], [0, 0, 1], count=1000, seed=0)
        >>> triangle.points.shape, triangle.dimension, triangle.method
        ((1000, 2), 2, 'triangulation')
    """
    if method is not None and method not in METHODS:
        raise OptionError(f"method must be one of {', '.join(METHODS)}, not {method!r}.")
    return draw_system(_read(a, b, c, d), count, np.random.default_rng(seed), sobol=sobol, method=method)


def draw_system(
    system: LinearSystem, count: int, rng: np.random.Generator, *, sobol: bool = False, method: str | None = None
) -> PolytopeDraw:
    """Draw points uniformly from the closure of a linear system; see `draw_polytope`."""
    body = recognise(system)
    if isinstance(body, NoPoints):
        return PolytopeDraw(np.zeros((0, len(system.intervals))), "empty", -1, "", body.exact)
    return draw_body(body, count, rng, sobol=sobol, method=method)


def draw_body(
    body: Body, count: int, rng: np.random.Generator, *, sobol: bool = False, method: str | None = None
) -> PolytopeDraw:
    """Draw points uniformly from a recognised set."""
    if body.dimension == 0:
        return PolytopeDraw(body.origin[None], "point", 0, "", body.exact)
    chosen = method or ("triangulation" if body.dimension <= TRIANGULATED else "hit-and-run")
    if chosen == "triangulation":
        points = body.origin + Triangulation.of_body(body).draw(count, rng, sobol) @ body.basis.T
        return PolytopeDraw(points, "body", body.dimension, chosen, body.exact)
    points, ess, r_hat = hit_and_run(body, count, rng)
    return PolytopeDraw(points, "body", body.dimension, chosen, body.exact, ess, r_hat, CHAINS)


def system_of(polyhedron: Polyhedron) -> LinearSystem:
    """Return a polyhedron as a linear system."""
    n, rows = polyhedron.width, polyhedron.half_spaces
    return LinearSystem(
        ExactMatrix([list(row) for row, _ in polyhedron.equations])
        if polyhedron.equations
        else ExactMatrix.zeros(0, n),
        tuple(LogLinear.rational(right) for _, right in polyhedron.equations),
        (REAL_LINE,) * n,
        ExactMatrix([list(h.row) for h in rows]) if rows else ExactMatrix.zeros(0, n),
        tuple(h.bound for h in rows),
        tuple(h.strict for h in rows),
    )


def volume(a: Any, b: Any) -> float:
    """Return the volume of a bounded {a x <= b} of at most five dimensions, by triangulation."""
    system = _read(a, b, None, None)
    body = recognise(system)
    if isinstance(body, NoPoints) or body.dimension < len(system.intervals):
        return 0.0
    return Triangulation.of_body(body).volume


def _read(a: Any, b: Any, c: Any, d: Any) -> LinearSystem:
    left, low = ExactMatrix(a), ExactMatrix.column(list(b))
    n = left.columns
    upper, high = (ExactMatrix(c), ExactMatrix.column(list(d))) if c is not None and len(c) else (None, None)
    if left.rows != low.rows or (upper is not None and high is not None and upper.shape != (high.rows, n)):
        raise ShapeError("A and b, C and d must have as many rows, and A and C as many columns.")
    bounds = tuple(v for (v,) in low.fractions())
    equal = [] if high is None else [LogLinear.rational(v) for (v,) in high.fractions()]
    matrix = ExactMatrix.zeros(0, n) if upper is None else upper
    return LinearSystem(matrix, tuple(equal), (REAL_LINE,) * n, left, bounds, (False,) * left.rows)
