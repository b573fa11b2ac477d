"""Uniform points of a polytope {A x <= b, C x = d}: triangulation up to five dimensions, hit-and-run above.

First the set is recognised: empty, one point, flat (implicit equations are found and removed), unbounded, or a body.
Emptiness is decided by the exact `polyhedra/feasibility.py` on the numbers as given; flatness by float LPs with
tolerances relative to the rows' lengths and the set's size. A body of up to five dimensions is cut
into simplices (vertices by Qhull, Delaunay), from which draws are independent and exact in law; Sobol points may
take the place of random numbers. Above, the body is rounded by its analytic centre (the inverse Hessian of
the log barrier is its Dikin ellipsoid) and walked by coordinate hit-and-run, many chains at once.

References:
    S. Boyd, L. Vandenberghe, Convex Optimization, section 8.5.3 (analytic centre); R. L. Smith, Efficient Monte Carlo
    procedures, Oper. Res. 32 (1984) (hit-and-run); L. Devroye, Non-Uniform Random Variate Generation, XI.2
    (uniform points of a simplex).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symbinv.errors import NotSupportedError, ShapeError
from symbinv.exact.interval import Interval
from symbinv.exact.loglinear import LogLinear
from symbinv.exact.matrix import ExactMatrix
from symbinv.polyhedra.feasibility import Certificate, LinearSystem, decide
from symbinv.sampler.diagnostics import effective_size, split_r_hat

Array = NDArray[np.float64]
TRIANGULATED = 5
FLAT = 1e-9  # a slack that nowhere exceeds this, relative to the body's size, is an equation
CHAINS = 64
CENTRE_STEPS = 100
SIMPLICES = 200_000


@dataclass(frozen=True, eq=False)
class Body:
    """A full-dimensional bounded polytope in its own coordinates: x = origin + basis v, rows v <= right.

    Attributes:
        origin: (n,).
        basis: (n, d), orthonormal columns.
        rows: (m, d), of length 1.
        right: (m,).
        center: An interior point v, (d,).
    """

    origin: Array
    basis: Array
    rows: Array
    right: Array
    center: Array

    @property
    def dimension(self) -> int:
        """The dimension d."""
        return int(self.basis.shape[1])


@dataclass(frozen=True, eq=False)
class PolytopeDraw:
    """Points, and how they came about.

    Attributes:
        points: (k, n); no rows where the set is empty, one where it is a point.
        kind: "empty", "point" or "body".
        dimension: Of the set; -1 where it is empty.
        method: "triangulation", "hit-and-run" or "".
        exact: Whether it was decided exactly that the set is empty, or that it is not.
        ess, r_hat: One value a coordinate; None for independent draws.
    """

    points: Array
    kind: str
    dimension: int
    method: str
    exact: bool
    ess: Array | None = None
    r_hat: Array | None = None


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
        NotSupportedError: For an unbounded set, on which no uniform law exists.

    Example:
        >>> triangle = draw_polytope([[-1, 0], [0, -1], [1, 1]], [0, 0, 1], count=1000, seed=0)
        >>> triangle.points.shape, triangle.dimension, triangle.method
        ((1000, 2), 2, 'triangulation')
    """
    rows, right, equations, values, system = _read(a, b, c, d)
    answer = decide(system)
    if isinstance(answer, Certificate):
        return PolytopeDraw(np.zeros((0, rows.shape[1])), "empty", -1, "", True)
    decided = answer is not None
    body = recognise(rows, right, equations, values)
    if body is None:  # floats see nothing inside; an exact point says otherwise
        if answer is None:
            return PolytopeDraw(np.zeros((0, rows.shape[1])), "empty", -1, "", False)
        return PolytopeDraw(np.array([[float(v) for v in answer.x]]), "point", 0, "", False)
    if body.dimension == 0:
        return PolytopeDraw(body.origin[None], "point", 0, "", decided)
    chosen = method or ("triangulation" if body.dimension <= TRIANGULATED else "hit-and-run")
    rng = np.random.default_rng(seed)
    if chosen == "triangulation":
        v = Triangulation.of(body).draw(count, rng, sobol)
        return PolytopeDraw(body.origin + v @ body.basis.T, "body", body.dimension, chosen, decided)
    v, ess, r_hat = hit_and_run(body, count, rng)
    return PolytopeDraw(body.origin + v @ body.basis.T, "body", body.dimension, chosen, decided, ess, r_hat)


def recognise(rows: Array, right: Array, equations: Array, values: Array) -> Body | None:
    """Return the polytope as a body in the coordinates of its affine hull; None where floats find it empty.

    Raises:
        NotSupportedError: For an unbounded set.
    """
    n = rows.shape[1]
    length = np.linalg.norm(rows, axis=1)
    flat_rows = length <= 1e-300
    if (right[flat_rows] < 0).any():
        return None
    rows, right = rows[~flat_rows] / length[~flat_rows, None], right[~flat_rows] / length[~flat_rows]
    origin, basis = _solve_equations(equations, values, n)
    if origin is None:
        return None
    for _ in range(n + 1):
        d = basis.shape[1]
        scale = 1 + float(np.abs(origin).max(initial=0.0))
        inner, slack = rows @ basis, right - rows @ origin
        size = np.linalg.norm(inner, axis=1)
        still = size <= 1e-11
        if (slack[still] < -1e-9 * scale).any():
            return None
        inner, slack = inner[~still] / size[~still, None], slack[~still] / size[~still]
        if d == 0:
            return Body(origin, basis, inner, slack, np.zeros(0))
        _refuse_unbounded(inner)
        center, radius = _widest_ball(inner, slack)
        if center is None or radius < -FLAT * scale:
            return None
        if radius > FLAT * scale:
            return Body(origin, basis, inner, slack, center)
        tight = _always_tight(inner, slack, center, scale)
        shift, local = _solve_equations(inner[tight], slack[tight], d)
        if shift is None or local.shape[1] == d:
            return None
        origin, basis = origin + basis @ shift, basis @ local
    return None


def _read(a: Any, b: Any, c: Any, d: Any) -> tuple[Array, Array, Array, Array, LinearSystem]:
    left, low = ExactMatrix(a), ExactMatrix.column(list(b))
    n = left.columns
    upper, high = (ExactMatrix(c), ExactMatrix.column(list(d))) if c is not None and len(c) else (None, None)
    if left.rows != low.rows or (upper is not None and high is not None and upper.shape != (high.rows, n)):
        raise ShapeError("A and b, C and d must have as many rows, and A and C as many columns.")
    bounds = tuple(v for (v,) in low.fractions())
    equal = [] if high is None else [LogLinear.rational(v) for (v,) in high.fractions()]
    matrix = ExactMatrix.zeros(0, n) if upper is None else upper
    free = (Interval(None, None),) * n
    system = LinearSystem(matrix, tuple(equal), free, left, bounds, (False,) * left.rows)
    floats = np.array([float(v) for v in bounds]), np.array([float(v) for v in equal])
    return left.to_numpy(), floats[0], matrix.to_numpy().reshape(-1, n), floats[1], system


def _solve_equations(equations: Array, values: Array, n: int) -> tuple[Any, Array]:
    """Return a point and an orthonormal basis of {C x = d}; (None, basis) where it is empty."""
    if not len(equations):
        return np.zeros(n), np.eye(n)
    length = np.maximum(np.linalg.norm(equations, axis=1), 1e-300)
    matrix, side = equations / length[:, None], values / length
    u, s, vt = np.linalg.svd(matrix)
    rank = int((s > 1e-11 * max(s.max(initial=0.0), 1e-300) * max(matrix.shape)).sum())
    point = vt[:rank].T @ ((u[:, :rank].T @ side) / s[:rank])
    if np.abs(matrix @ point - side).max() > 1e-9 * (1 + np.abs(side).max() + np.abs(point).max(initial=0.0)):
        return None, vt[rank:].T
    return point, vt[rank:].T


def _widest_ball(rows: Array, right: Array) -> tuple[Any, float]:
    """Return the centre and radius of the largest ball inside, by one LP; a negative radius where there is none."""
    from scipy.optimize import linprog

    d = rows.shape[1]
    reach = 1 + np.abs(right).max(initial=0.0)
    goal = np.zeros(d + 1)
    goal[-1] = -1
    answer: Any = linprog(
        goal,
        A_ub=np.column_stack([rows, np.ones(len(rows))]),
        b_ub=right,
        bounds=[(None, None)] * d + [(-reach, reach)],
        method="highs",
    )
    if answer.status != 0:
        return None, -np.inf
    return answer.x[:d], float(answer.x[d])


def _always_tight(rows: Array, right: Array, center: Array, scale: float) -> NDArray[np.int_]:
    """Return the rows that hold with equality on the whole (flat) set."""
    from scipy.optimize import linprog

    tight = []
    slack = right + 2 * FLAT * scale
    for i in np.flatnonzero(right - rows @ center <= 1e-6 * scale):
        answer = linprog(rows[i], A_ub=rows, b_ub=slack, bounds=[(None, None)] * rows.shape[1], method="highs")
        if answer.status == 0 and right[i] - answer.fun <= 1e-6 * scale:
            tight.append(i)
    return np.array(tight, dtype=int)


def _refuse_unbounded(rows: Array) -> None:
    """Raise where {rows v <= 0} holds a ray: no positive combination of the rows vanishes, or they do not span."""
    from scipy.optimize import linprog

    d = rows.shape[1]
    spanning = np.linalg.matrix_rank(rows) == d if len(rows) else False
    if spanning:
        answer = linprog(
            np.zeros(len(rows)), A_eq=rows.T, b_eq=np.zeros(d), bounds=[(1, None)] * len(rows), method="highs"
        )
        if answer.status == 0:
            return
    raise NotSupportedError("the polytope is unbounded, and no uniform law exists on it; give a box.")


@dataclass(frozen=True, eq=False)
class Triangulation:
    """Simplices that fill a body, with their share of its volume."""

    corners: Array
    shares: Array
    volume: float

    @classmethod
    def of(cls, body: Body) -> "Triangulation":
        """Cut a body into simplices: vertices from the half-spaces, then Delaunay.

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
        if len(pieces) > SIMPLICES:
            raise NotSupportedError(f"triangulation made {len(pieces):,} simplices; take 'hit-and-run'.")
        volumes = np.abs(np.linalg.det(pieces[:, 1:] - pieces[:, :1]))
        pieces = pieces @ shape.T + 0.0
        factorial = float(np.prod(np.arange(1, d + 1)))
        volume = float(volumes.sum() * abs(np.linalg.det(shape)) / factorial)
        return cls(pieces, volumes / volumes.sum(), volume)

    def draw(self, count: int, rng: np.random.Generator, sobol: bool) -> Array:
        """Return independent uniform points (or a scrambled Sobol set), (count, d)."""
        d = self.corners.shape[2]
        if sobol:
            from scipy.stats import qmc

            unit = qmc.Sobol(d + 1, rng=rng).random_base2(max(0, (count - 1).bit_length()))[:count]
        else:
            unit = rng.uniform(size=(count, d + 1))
        chosen = np.searchsorted(np.cumsum(self.shares), unit[:, 0]).clip(0, len(self.shares) - 1)
        ordered = np.sort(unit[:, 1:], axis=1)  # spacings of sorted uniforms are uniform on the simplex
        weights = np.diff(ordered, axis=1, prepend=0.0, append=1.0)
        return np.asarray(np.einsum("ki,kid->kd", weights, self.corners[chosen]))


def analytic_centre(body: Body) -> tuple[Array, Array]:
    """Return the analytic centre and a matrix that takes the unit ball to the Dikin ellipsoid, by Newton steps."""
    v = body.center.copy()
    rows, right = body.rows, body.right
    for _ in range(CENTRE_STEPS):
        slack = right - rows @ v
        scaled = rows / slack[:, None]
        gradient, hessian = scaled.sum(axis=0), scaled.T @ scaled
        step = -np.linalg.solve(hessian, gradient)
        decrement = float(-gradient @ step)
        if decrement < 1e-12:
            break
        reach = (rows @ step) / slack
        longest = 1.0 / max(float(reach.max()), 1e-300)
        length = min(1.0 if decrement < 0.25 else 1 / (1 + np.sqrt(decrement)), 0.9 * longest)
        v = v + length * step
    slack = right - rows @ v
    scaled = rows / slack[:, None]
    lower = np.linalg.cholesky(scaled.T @ scaled)
    shape = np.linalg.solve(lower, np.eye(len(v))).T
    return v, shape


def _whitened(body: Body, shape: Array) -> tuple[Array, Array, Array]:
    """Return the half-spaces and the centre in coordinates w with v = shape w."""
    rows = body.rows @ shape
    length = np.linalg.norm(rows, axis=1)
    middle: Array = np.asarray(np.linalg.solve(shape, body.center), dtype=np.float64)
    scaled: Array = rows / length[:, None]
    return scaled, np.asarray(body.right / length), middle


def hit_and_run(body: Body, count: int, rng: np.random.Generator) -> tuple[Array, Array | None, Array]:
    """Return `count` points of coordinate hit-and-run in the rounded body, effective sizes and R-hat.

    Many chains step together: in each step one coordinate of all of them, the chord's ends from the slacks,
    which are updated and now and then computed afresh. A sweep is one step of each coordinate, in random order;
    a point is kept a sweep. More sweeps follow until R-hat is at most 1.01, or 16 times as many were made.
    """
    center, shape = analytic_centre(body)
    d = body.dimension
    rows = body.rows @ shape
    base = body.right - body.rows @ center
    w = np.zeros((d, CHAINS))
    columns = [(rows[:, j : j + 1], rows[:, j] > 1e-13, rows[:, j] < -1e-13) for j in range(d)]

    def sweep() -> None:
        slack = base[:, None] - rows @ w
        for j in rng.permutation(d):
            column, up, down = columns[j]
            high = (slack[up] / column[up]).min(axis=0)
            low = (slack[down] / column[down]).max(axis=0)
            t = low + (high - low) * rng.uniform(size=CHAINS)
            w[j] += t
            slack -= column * t

    for _ in range(10 + 2 * d):
        sweep()
    length = max(40, -(-count // CHAINS))
    kept = np.empty((0, d, CHAINS))
    planned = length
    while True:
        new = np.empty((length, d, CHAINS))
        for i in range(length):
            sweep()
            new[i] = w
        kept = np.concatenate([kept, new])
        r_hat = split_r_hat(kept)
        if r_hat.max() <= 1.01 or len(kept) >= 16 * planned:
            break
        length = len(kept)
    ess = effective_size(kept) if r_hat.max() <= 1.01 else None
    every = max(1, len(kept) * CHAINS // count)
    v = kept[every - 1 :: every].transpose(0, 2, 1).reshape(-1, d)
    if len(v) < count:
        v = kept.transpose(0, 2, 1).reshape(-1, d)[-count:]
    inside: Array = center + v[:count] @ shape.T
    return inside, None if ess is None else np.minimum(ess, count), r_hat


def volume(a: Any, b: Any) -> float:
    """Return the volume of a bounded {a x <= b} of at most five dimensions, by triangulation."""
    rows, right, equations, values, _ = _read(a, b, None, None)
    body = recognise(rows, right, equations, values)
    return 0.0 if body is None or body.dimension < rows.shape[1] else Triangulation.of(body).volume
