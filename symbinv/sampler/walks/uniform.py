"""draw_uniform: a Sampler's fiber handed to the walk, and what comes back checked and reported."""

import time
from concurrent.futures import Executor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symbinv.errors import NotSupportedError, OptionError
from symbinv.exact.matrix import ExactMatrix
from symbinv.inverse.invert import Inverse
from symbinv.network.constraint import Constraint
from symbinv.network.fibermap import network_fiber
from symbinv.network.network import to_exact_input
from symbinv.sampler.compile import Sampler
from symbinv.sampler.polytopes.linear import draw_linear, is_linear
from symbinv.sampler.projection import draw_projected
from symbinv.sampler.samples import Report
from symbinv.sampler.validity import forward_hits, in_box
from symbinv.sampler.walks.chart import Gaussian
from symbinv.sampler.walks.manifold import (
    CHAINS,
    MANY,
    MANY_CHAINS,
    MEASURES,
    Drawn,
    Walk,
    all_inputs,
    diagnose,
    make_chart,
    run_walk,
    thin,
    warm_walk,
)
from symbinv.sampler.walks.tuning import Tuning
from symbinv.sampler.walks.walk import Manifold

Array = NDArray[np.float64]
LAWS = {
    "surface": "a walk on the fiber, uniform with respect to area",
    "conditional": "a walk on the fiber, following delta(c(x)) dx",
    "chart": "a walk on the fiber following delta(c(x)) dx, weighted to be uniform in the free variables",
}


def draw_uniform(
    sampler: Sampler,
    count: int,
    box: ExactMatrix | None,
    *,
    measure: str,
    at: Any,
    base: Gaussian | None,
    executor: Executor | None,
    seed: int | None,
) -> tuple[Array, Array | None, Report]:
    """Return points, weights (None: equal ones) and the report; see `symbinv.sampler.draw.draw`.

    Raises:
        OptionError: Where neither a box nor a base measure is given, and for an unknown measure.
        NotSupportedError: Behind an activation pattern with smooth layers, for an unbounded linear fiber, and where
            the Jacobian of the constraint has not full row rank.
    """
    inverse = sampler.inverse
    constraint = walkable(inverse, measure)
    ends = None if box is None else box.to_numpy()
    start = None if at is None else to_exact_input(at, inverse.network.sizes[0]).to_numpy()[:, 0]
    if base is None and is_linear(inverse, box):
        points, report = draw_linear(inverse, constraint, box, count, measure, start, seed)
        return points, None, report
    if inverse.dimension == 0:
        points, report = draw_projected(sampler, count, ends, seed)
        return points, None, report
    refuse_patterns(inverse)
    root = np.random.SeedSequence(seed)
    warm_seed, run_seed = root.spawn(2)
    walk, named = prepare(constraint, ends, base, measure, start, count, warm_seed)
    begin = time.perf_counter()
    drawn = run_walk(walk, count, run_seed, executor)
    seconds = walk.seconds | {"sampling": time.perf_counter() - begin}
    begin = time.perf_counter()
    kept = thin(drawn.x, count)
    separate = bool(walk.labels.max(initial=0) > 0)
    ess, r_hat = diagnose(drawn, kept, walk.manifold.chart, separate)
    ess = None if ess is None else np.minimum(ess, count)
    flat = kept.transpose(1, 0, 2).reshape(kept.shape[1], -1)[:, :count]
    points = all_inputs(walk.manifold, flat, ends)
    good = forward_hits(inverse, points) & in_box(points, ends)
    lost = {-1: int((~good).sum())} if not good.all() else {}
    points = points[good]
    weights = chart_weights(sampler, constraint, points) if measure == "chart" else None
    seconds["corrections"] = time.perf_counter() - begin
    notes = list(walk.notes)
    if weights is not None and len(points):
        share = 1 / float((weights * weights).sum()) / len(points)
        notes.append(
            f"Weights keep {share:.3g} of the effective size. The chart is that of the pivots: free are "
            f"{', '.join(map(str, inverse.free_variables))}."
        )
        ess = None if ess is None else ess * share
    if ess is None:
        notes.append(_unmixed(walk, drawn, r_hat, separate))
    report = Report(
        "uniform",
        LAWS[measure],
        measure,
        drawn.x.shape[0] * drawn.x.shape[2],
        len(points),
        lost,
        {},
        seed,
        tuple(notes),
        ess,
        r_hat,
        named,
        walk.pool.shape[1],
        len(walk.shares),
        walk.shares,
        seconds,
        tuning_of(walk, drawn.accepted, drawn.lost),
    )
    return points, weights, report


def _unmixed(walk: Walk, drawn: Drawn, r_hat: Array, separate: bool) -> str:
    """Say what R-hat means for the law of points whose chains have not mixed."""
    if separate:
        return "Chains stay in separate parts; within them and for their shares the law rests on the starts."
    trajectories = drawn.x.shape[0]
    lost = f" ({drawn.lost:.0%} of them lost to the reversibility check: sharp folds)" if drawn.lost > 0.2 else ""
    return (
        f"R-hat is {r_hat.max():.2f} on input {int(np.argmax(r_hat)) + 1} after {trajectories:,} trajectories a "
        f"chain{lost}: parts of the fiber are joined by necks that chains hardly pass. Within a part the points are "
        "mixed; the shares of the parts rest on the starts. Draw more points, take a smaller box, or keep to the part "
        "of one input (`at=`)."
    )


def walkable(inverse: Inverse, measure: str) -> Constraint:
    """Return the constraint to walk on.

    Raises:
        OptionError: For an unknown measure, or no numbers.
        NotSupportedError: For pieces behind smooth layers, and charts that are none.
    """
    if measure not in LAWS:
        raise OptionError(f"measure must be one of {', '.join(LAWS)}, not {measure!r}.")
    if inverse.constraint is None:
        raise OptionError("method 'uniform' needs a network and a target of numbers.")
    if measure == "chart" and len(inverse.free_variables) != inverse.network.sizes[0] - inverse.constraint.rows:
        raise NotSupportedError(
            "measure 'chart' needs as many free variables as the preimage has dimensions: no layer may widen. "
            f"This inverse has {len(inverse.free_variables)} free variables and dimension "
            f"{inverse.network.sizes[0] - inverse.constraint.rows}; take 'surface' or 'conditional'."
        )
    return inverse.constraint


def refuse_patterns(inverse: Inverse) -> None:
    """Refuse an activation pattern behind smooth layers, whose cell the walk cannot keep to."""
    if any(
        units is not None and layer.activation.inverse is None
        for units, layer in zip(inverse.pattern, inverse.network.layers, strict=True)
    ):
        raise NotSupportedError(
            "method 'uniform' draws from an activation pattern only where all its layers are linear up to the last "
            "one; behind smooth layers take 'project'."
        )


def prepare(
    constraint: Constraint,
    ends: Array | None,
    base: Gaussian | None,
    measure: str,
    at: Array | None,
    count: int,
    seed: np.random.SeedSequence,
    stored: tuple[Array, NDArray[np.int_], Tuning] | None = None,
) -> tuple[Walk, str]:
    """Return a warmed-up walk (one whose pool, labels and tuning were stored, where given) and the base's name."""
    chart, named = make_chart(ends, base, constraint.inputs)
    fiber = network_fiber(constraint, chart.moving.tolist(), chart.still)
    if stored is not None:
        return Walk(Manifold(fiber, chart, measure), *stored, ()), named
    walk = warm_walk(
        fiber,
        chart,
        measure=measure if measure in MEASURES else "conditional",
        chains=MANY_CHAINS if count >= MANY else CHAINS,
        at=at,
        seed=seed,
    )
    return walk, named


def tuning_of(walk: Walk, accepted: float, lost: float) -> dict[str, float]:
    """Return what the warm-up chose, for reports."""
    return {
        "step size": walk.tuning.h,
        "steps": float(walk.tuning.steps),
        "accepted": accepted,
        "lost to the reversibility check": lost,
        "warm-up trajectories": float(walk.tuning.trajectories),
    }


def chart_weights(sampler: Sampler, constraint: Constraint, points: Array) -> Array:
    """Return weights that take delta(c) dx to the uniform measure of the free variables t: |det [dt/dx; J]|."""
    parts = [np.zeros(0)]
    for begin in range(0, len(points), 4096):
        x = points[begin : begin + 4096]
        _, jacobian = constraint.linearize(x)
        rows = np.concatenate([_free_jacobian(sampler, x), jacobian], axis=1)
        parts.append(np.linalg.slogdet(rows)[1])
    logs = np.concatenate(parts)
    weights = np.exp(logs - logs.max(initial=-np.inf))
    return np.asarray(weights / weights.sum())


def _free_jacobian(sampler: Sampler, x: Array) -> Array:
    """Return dt/dx of the free variables, (k, d, n0)."""
    k, n0 = x.shape
    a, through = x, np.broadcast_to(np.eye(n0), (k, n0, n0))
    maps = [through]
    for layer in sampler.network.layers[:-1]:
        z = a @ layer.float_weights.T + layer.float_bias
        a = layer.activation.numeric(z)
        through = layer.activation.derivative(z, a)[:, :, None] * (layer.float_weights @ through)
        maps.append(through)
    rows = []
    for step in sampler.inverse.steps:
        for j in step.reduction.free:
            if j < len(step.columns):
                rows.append(maps[step.index - 1][:, step.columns[j]])
            else:  # the shift log sum exp z of a softmax: its derivative by z is the softmax itself
                top = sampler.network.layers[-1]
                share = top.activation.numeric(a @ top.float_weights.T + top.float_bias)
                rows.append(np.einsum("km,mi,kij->kj", share, top.float_weights, maps[-1]))
    return np.stack(rows, axis=1)
