"""draw: one entry for every way to points of a preimage.

``uniform`` walks on the fiber (`manifold.py`), or draws from it as a polytope where it is linear (`linear.py`).
``grid``, ``sobol``, ``lhs`` and ``random`` choose the free variables and propagate backward, as the paper does.
``project`` takes random inputs to the fiber by Gauss-Newton.
Every returned point has passed a forward check.
"""

from concurrent.futures import Executor
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symbinv.errors import InexactError, OptionError
from symbinv.inverse.invert import Inverse
from symbinv.inverse.verdict import Empty
from symbinv.network.network import to_box
from symbinv.sampler.compile import Sampler
from symbinv.sampler.literal import LITERAL_METHODS, draw_literal
from symbinv.sampler.projection import draw_projected
from symbinv.sampler.samples import Report, Samples
from symbinv.sampler.validity import TOLERANCE, corrected, misses, residuals, statuses
from symbinv.sampler.walks.chart import Gaussian
from symbinv.sampler.walks.uniform import draw_uniform

Array = NDArray[np.float64]
METHODS = ("uniform", *LITERAL_METHODS, "project")


def draw(
    sampler: Sampler,
    count: int = 10_000,
    *,
    method: str = "uniform",
    measure: str = "surface",
    box: Any = None,
    ranges: Any = None,
    per_variable: int = 100,
    at: Any = None,
    base: Gaussian | None = None,
    executor: Executor | None = None,
    dtype: str = "float64",
    seed: int | None = None,
) -> Samples:
    """Draw points of the preimage.

    Args:
        sampler: From `compile_sampler`.
        count: Points returned for "uniform" and "project"; points drawn for the literal methods.
        method: "uniform" (a walk on the fiber); "grid", "sobol", "lhs", "random" (free variables drawn, propagated
            backward); or "project".
        measure: For "uniform": "surface" (area on the fiber), "conditional" (delta(c(x)) dx) or "chart" (uniform
            in the free variables, by weights).
        box: (n0, 2) bounds of the inputs; the inverse's own box where left out.
        ranges: {free variable: (low, high)} or a (d, 2) array for the literal methods; by default the image of
            each variable's activation, the box for inputs.
        per_variable: Values a variable for "grid"; a range without width takes one.
        at: An input on the fiber, for "uniform": the walk keeps to its component.
        base: `gaussian(center, scale)` in place of a box, for "uniform".
        executor: Any `concurrent.futures.Executor` for "uniform"; the points do not depend on it.
        dtype: "float64" or "float32", of the arrays returned. Checks and the status are of the points in double
            precision, residuals of the points as returned.
        seed: For a reproducible draw.

    Returns:
        The valid points; an empty preimage gives an array of shape (0, n0).

    Raises:
        OptionError: For an unknown method or measure, or a missing box or range.
        NotSupportedError: Where the walk cannot be made (see `symbinv.sampler.walks.uniform`).
        BudgetError: For a grid of more than 10 million points.
        InexactError: For a symbolic target.

    Example:
        >>> from symbinv.inverse.invert import invert
        >>> from symbinv.network.network import Network
        >>> from symbinv.sampler.compile import compile_sampler
        >>> network = Network.from_arrays([[[1, 2, -1]]], [[0]], ["sigmoid"], box=[[-1, 1]] * 3)
        >>> samples = draw(compile_sampler(invert(network, ["0.5"])), 1000, seed=0)
        >>> samples.points.shape, bool(samples.residual.max() < 1e-12)
        ((1000, 3), True)
    """
    if count < 0 or int(count) != count:
        raise OptionError(f"count must be a non-negative integer, not {count}.")
    if dtype not in ("float64", "float32"):
        raise OptionError(f"dtype must be float64 or float32, not {dtype!r}.")
    inverse = sampler.inverse
    if method not in METHODS:
        raise OptionError(f"method must be one of {', '.join(METHODS)}, not {method!r}.")
    if sampler.regularization is not None and method not in LITERAL_METHODS:
        raise OptionError(
            f"a regularised sampler only propagates backward, by {', '.join(LITERAL_METHODS)}, not {method!r}."
        )
    if isinstance(inverse.verdict, Empty) and (sampler.regularization is None or not len(sampler.start)):
        return nothing(inverse, method, f"the preimage is empty: {inverse.verdict.reason}")
    if not len(sampler.start) and len(inverse.steps[0].rows):
        raise InexactError("the inverse's target is symbolic; invert with numbers, or give compile_sampler a target.")
    exact = inverse.box if box is None else to_box(box, inverse.network.sizes[0])
    ends = None if exact is None or base is not None else exact.to_numpy()
    weights = None
    if method == "uniform":
        points, weights, report = draw_uniform(
            sampler,
            int(count),
            None if base else exact,
            measure=measure,
            at=at,
            base=base,
            executor=executor,
            seed=seed,
        )
    elif method == "project":
        points, report = draw_projected(sampler, count, ends, seed)
    else:
        points, report = draw_literal(sampler, count, method, ends, ranges, per_variable, seed)
    if method not in LITERAL_METHODS:
        points = corrected(inverse, points, ends)
    return assemble(sampler, points, report, weights, dtype)


def nothing(inverse: Inverse, method: str, law: str) -> Samples:
    """Return samples without points."""
    target = tuple(float(v) for v in inverse.target)
    n0, names = inverse.network.sizes[0], inverse.free_variables
    return Samples(
        np.zeros((0, n0)),
        np.zeros((0, len(names))),
        np.zeros(0),
        np.zeros(0),
        np.zeros(0, dtype="<U9"),
        Report(method, law, None, 0, 0),
        names,
        input_names(inverse),
        target,
        inverse=inverse,
    )


def assemble(
    sampler: Sampler, points: Array, report: Report, weights: Array | None = None, dtype: str = "float64"
) -> Samples:
    """Attach residuals, free variables and weights to points that a method found valid."""
    inverse = sampler.inverse
    target = np.array([float(v) for v in inverse.target])
    free = sampler.free_of(points) if len(points) else np.zeros((0, len(inverse.free_variables)))
    status = statuses(inverse, points)
    failed = points[status == "failed"]
    if len(failed) and sampler.regularization is None:
        note = (
            f"{len(failed):,} of {len(points):,} points have the status failed: corrections left them "
            f"{misses(inverse, failed).max():.1e} from the target, relative to its size; {TOLERANCE:g} is asked for."
        )
        report = replace(report, notes=(*report.notes, note))
    rounded = points.astype(dtype, copy=False)
    return Samples(
        rounded,
        free.astype(dtype, copy=False),
        np.full(len(points), 1 / max(len(points), 1)) if weights is None else weights,
        residuals(inverse, rounded),
        status,
        report,
        inverse.free_variables,
        input_names(inverse),
        tuple(target.tolist()),
        inverse=inverse,
    )


def input_names(inverse: Inverse) -> tuple[str, ...]:
    """Return the names of the inputs, x_1 ... where the network has none."""
    return inverse.network.input_names or tuple(f"x_{j + 1}" for j in range(inverse.network.sizes[0]))
