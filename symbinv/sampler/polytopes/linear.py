"""Uniform points of a linear fiber: {C x = d} inside a box and the inequalities of an activation pattern.

Such a fiber is a convex polytope, connected; on it the surface, the conditional and the chart measure agree up to a
factor, as every density is constant. So the draw is that of `polytope.py`: independent up to five dimensions.
"""

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symbinv.errors import NotSupportedError, OptionError
from symbinv.exact.interval import REAL_LINE, Interval
from symbinv.exact.matrix import ExactMatrix
from symbinv.inverse.invert import Inverse
from symbinv.inverse.pattern import Inequality, collapse
from symbinv.network.constraint import Constraint
from symbinv.polyhedra.feasibility import LinearSystem
from symbinv.sampler.polytopes.polytope import draw_system
from symbinv.sampler.samples import Report
from symbinv.sampler.validity import forward_hits, in_box, on_pattern

Array = NDArray[np.float64]
CHART = "as every density is constant on it, also uniform in the free variables"


def is_linear(inverse: Inverse, box: ExactMatrix | None) -> bool:
    """Tell whether the fiber is a polytope that is drawn as one: linear, and bounded by something."""
    constraint = inverse.constraint
    if constraint is None or constraint.layers:
        return False
    return box is not None or constraint.rows == constraint.inputs or bool(_inequalities(inverse))


def draw_linear(
    inverse: Inverse,
    constraint: Constraint,
    box: ExactMatrix | None,
    count: int,
    measure: str,
    at: Array | None,
    seed: int | None,
) -> tuple[Array, Report]:
    """Return uniform points of a linear fiber and the report.

    Raises:
        NotSupportedError: For an unbounded set.
        OptionError: For an `at` that is not on the fiber.
    """
    begin = time.perf_counter()
    ends = None if box is None else box.to_numpy()
    check_start(inverse, at, box)
    try:
        drawn = draw_system(linear_system(inverse, constraint, box), count, np.random.default_rng(seed))
    except NotSupportedError as error:
        if "unbounded" not in str(error):
            raise
        raise NotSupportedError(
            "the inputs that the target leaves are unbounded, and no uniform law exists on them; give a box."
        ) from error
    x = _corrected(constraint, drawn.points, ends)
    good = forward_hits(inverse, x) & on_pattern(inverse, x) & in_box(x, ends)
    n0 = constraint.inputs
    law = {
        "triangulation": "independent uniform points of a polytope, by simplices",
        "hit-and-run": "coordinate hit-and-run in a polytope, uniform",
    }.get(drawn.method, "the only point" if drawn.kind == "point" else "no point")
    notes = [f"The fiber is a polytope of dimension {drawn.dimension}{'' if drawn.exact else ' (by tolerances)'}."]
    if measure == "chart":
        notes.append(f"{CHART}: free are {', '.join(map(str, inverse.free_variables))}.".capitalize())
    if any(inverse.pattern):
        notes.append("The points are those of one activation pattern; other patterns may hold more.")
    if drawn.r_hat is not None and drawn.ess is None:
        notes.append("R-hat is above 1.01: draw more points.")
    independent = drawn.r_hat is None
    report = Report(
        "uniform",
        law,
        measure,
        len(x),
        int(good.sum()),
        {-1: int((~good).sum())} if not good.all() else {},
        {},
        seed,
        tuple(notes),
        np.full(n0, float(len(x))) if independent else drawn.ess,
        np.ones(n0) if independent else drawn.r_hat,
        "" if ends is None else "uniform in the box",
        0 if independent else drawn.chains,
        seconds={"sampling": time.perf_counter() - begin},
    )
    return x[good], report


def check_start(inverse: Inverse, at: Array | None, box: ExactMatrix | None) -> None:
    """Refuse an input that is not on the fiber.

    Raises:
        OptionError: For such an input.
    """
    if at is None:
        return
    ends = None if box is None else box.to_numpy()
    if not (forward_hits(inverse, at[None]) & on_pattern(inverse, at[None]) & in_box(at[None], ends))[0]:
        raise OptionError("at must be an input that produces the target, inside the box; this one does not.")


def linear_system(inverse: Inverse, constraint: Constraint, box: ExactMatrix | None) -> LinearSystem:
    """Return the exact system of a linear fiber: its equations, the box, and what keeps units on their pieces."""
    n0 = constraint.inputs
    intervals = (REAL_LINE,) * n0 if box is None else tuple(Interval.closed(lo, hi) for lo, hi in box.fractions())
    rows = _inequalities(inverse)
    table = ExactMatrix.zeros(0, n0)
    for q in rows:
        table = table.above(q.row)
    return LinearSystem(
        constraint.matrix,
        constraint.offset,
        intervals,
        table,
        tuple(q.bound for q in rows),
        tuple(q.strict for q in rows),
    )


def _inequalities(inverse: Inverse) -> list[Inequality]:
    """Return what a pattern asks of the inputs; what it asks of values above was decided with the verdict."""
    if not any(inverse.pattern):
        return []
    return [q for q in collapse(inverse.network, inverse.pattern).inequalities if q.level == 0]


def _corrected(constraint: Constraint, x: Array, ends: Array | None) -> Array:
    """Return points after two least-norm corrections of what rounding left of the equations."""
    if not constraint.rows:
        return x
    inverse: Any = np.linalg.pinv(constraint.float_matrix).T
    for _ in range(2):
        x = x - (x @ constraint.float_matrix.T - constraint.float_offset) @ inverse
        if ends is not None:
            x = np.clip(x, ends[:, 0], ends[:, 1])
    return x
