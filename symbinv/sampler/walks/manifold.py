"""method="uniform": points of the fiber by a walk on it, from annealed starts, with the evidence in the report.

Stages, each with its seconds in the report: starts (annealed where the constraint has few rows, so that separate
sheets get their right weight; projections of base draws otherwise), warm-up (`tuning`), sampling, and the
final Newton corrections. Chains run in a fixed number of groups, every group with its own random numbers, so
that a seed gives the same points with any executor. (Threads were tried: the calls into NumPy are so short that
two threads, passing the interpreter's lock to and fro, are slower than one. Processes are not.)
"""

import time
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from symbinv.errors import NotSupportedError, OptionError
from symbinv.network.fibermap import FiberMap
from symbinv.sampler.diagnostics import effective_size, split_r_hat
from symbinv.sampler.walks.anneal import anneal
from symbinv.sampler.walks.chart import BoxChart, Chart, Gaussian, GaussianChart, whole_inputs
from symbinv.sampler.walks.components import label_components
from symbinv.sampler.walks.gram import factor, gram, pull, solve
from symbinv.sampler.walks.starts import take_to_manifold
from symbinv.sampler.walks.tuning import Group, Round, Tuning, run_group, warm_up
from symbinv.sampler.walks.walk import Manifold

Array = NDArray[np.float64]
MEASURES = ("surface", "conditional")
GROUPS = 2
CHAINS = 512
MANY_CHAINS = 1024
MANY = 200_000  # from this count on, more chains
PARTICLES = 4096
ANNEALED_ROWS = 3  # constraints of more rows are annealed only where the chains are seen in several parts
SHORTEST = 60  # trajectories a chain
LONGEST = 8  # times the trajectories first planned
R_HAT = 1.01
START_ATTEMPTS = 8


@dataclass(frozen=True, eq=False)
class Walk:
    """A warmed-up walk: what is needed to make any number of points.

    Attributes:
        manifold: What is walked on.
        pool: Places of the chains after the warm-up, in u, (n, chains).
        labels: In which part of the fiber each chain is, (chains,).
        tuning: From the warm-up.
        notes: Sentences for the report.
        seconds: Of the stages so far.
    """

    manifold: Manifold
    pool: Array
    labels: NDArray[np.int_]
    tuning: Tuning
    notes: tuple[str, ...]
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def shares(self) -> tuple[float, ...]:
        """The share of the chains in each part, largest first."""
        _, counts = np.unique(self.labels, return_counts=True)
        return tuple(sorted((counts / counts.sum()).tolist(), reverse=True))


@dataclass(frozen=True, eq=False)
class Drawn:
    """Inputs that a walk came through: (draws, n, chains), and how it went."""

    x: Array
    accepted: float
    lost: float


def make_chart(ends: Array | None, base: Gaussian | None, inputs: int) -> tuple[Chart, str]:
    """Return the chart of a box or of a Gaussian base, and the base measure's name.

    Raises:
        OptionError: Where neither is given, or both.
    """
    if base is not None and ends is not None:
        raise OptionError("give either a box or a base measure, not both.")
    if base is not None:
        if len(base.center) != inputs:
            wide = np.size(base.center) == 1
            if not wide:
                raise OptionError(f"base must have one center per input ({inputs}), not {len(base.center)}.")
            base = Gaussian(np.repeat(base.center, inputs), np.repeat(base.scale, inputs))
        return GaussianChart(base), base.to_text()
    if ends is None:
        raise OptionError(
            "method 'uniform' needs `box=`, or `base=gaussian(center, scale)`: a fiber that no box bounds may have "
            "infinite area, and then no uniform law exists on it."
        )
    return BoxChart(ends), "uniform in the box"


def warm_walk(
    fiber: FiberMap,
    chart: Chart,
    *,
    measure: str = "surface",
    chains: int = CHAINS,
    at: Array | None = None,
    annealed: bool | None = None,
    seed: np.random.SeedSequence | None = None,
) -> Walk:
    """Find starts and warm up.

    Args:
        fiber: c and its Jacobian on the moving inputs.
        chart: Box or Gaussian base.
        measure: "surface" or "conditional".
        chains: How many to run.
        at: An input (all n0) on the fiber; chains then keep to its component.
        annealed: Whether starts are annealed; by default where the constraint has at most `ANNEALED_ROWS` rows or
            the chains are seen in several parts.
        seed: Where random numbers come from.

    Raises:
        OptionError: For an unknown measure, or an `at` that is not on the fiber.
        NotSupportedError: Where no start reaches the fiber, or its Jacobian has not full row rank there.
    """
    if measure not in MEASURES:
        raise OptionError(f"measure must be one of {', '.join(MEASURES)} for this method, not {measure!r}.")
    if fiber.inputs < fiber.rows:
        raise NotSupportedError(
            f"the walk needs at least as many inputs that move as conditions ({fiber.rows}), not {fiber.inputs}."
        )
    root = seed or np.random.SeedSequence()
    start_seed, group_seed = root.spawn(2)
    rng = np.random.default_rng(start_seed)
    manifold = Manifold(fiber, chart, measure)
    seconds: dict[str, float] = {}
    begin = time.perf_counter()
    notes: list[str] = []
    with single_blas_thread(), np.errstate(all="ignore"):
        if at is not None:
            u = _starts_at(manifold, at, chains)
            notes.append("Chains start from the given input and keep to its component.")
        else:
            u, how = _starts(manifold, chains, annealed, rng)
            notes.append(how)
        seconds["starts"] = time.perf_counter() - begin
        begin = time.perf_counter()
        group = Group(manifold.place(u.copy()), np.random.default_rng(group_seed))
        tuning = warm_up(manifold, group)
        pool = group.place.u
        labels = label_components(manifold, pool, rng) if at is None else np.zeros(chains, dtype=int)
        seconds["warm-up"] = time.perf_counter() - begin
    return Walk(manifold, pool, labels, tuning, tuple(notes), seconds)


def _starts(manifold: Manifold, chains: int, annealed: bool | None, rng: np.random.Generator) -> tuple[Array, str]:
    fiber, chart = manifold.fiber, manifold.chart
    flat = not getattr(fiber, "weights", True)
    wanted = fiber.rows <= ANNEALED_ROWS and not flat if annealed is None else annealed
    projected = None
    if not wanted:
        projected = _projected_starts(manifold, chains, rng)
        if flat or annealed is False:
            why = "the fiber is convex" if flat else "as asked"
            return projected, f"Starts: projections of base draws ({why})."
        if label_components(manifold, projected[:, :128], rng).max(initial=0) == 0:
            return projected, (
                "Starts: projections of base draws; paths on the fiber join them, so that their law does not matter."
            )
    arrived = anneal(fiber, chart, manifold.measure, max(PARTICLES, chains), rng)
    if arrived is not None:
        chosen = rng.permutation(arrived.u.shape[1])[:chains]
        return arrived.u[:, chosen], (
            f"Starts: annealed over {arrived.levels} levels with {arrived.u.shape[1]:,} particles; the shares of "
            "separate parts come from them."
        )
    if projected is None:
        projected = _projected_starts(manifold, chains, rng)
    return projected, (
        "Starts: projections of base draws; annealing did not arrive, so that the shares of separate parts, if there "
        "are several, are not established."
    )


def _projected_starts(manifold: Manifold, chains: int, rng: np.random.Generator) -> Array:
    found: list[Array] = []
    for _ in range(START_ATTEMPTS):
        draws = manifold.chart.draw(rng, chains)
        u, arrived = take_to_manifold(manifold, 0.7 * draws)
        good = manifold.place(u[:, arrived]).good
        found.append(u[:, arrived][:, good])
        if sum(f.shape[1] for f in found) >= chains:
            break
    starts = np.concatenate(found, axis=1)
    if not starts.shape[1]:
        raise NotSupportedError(
            "no start reached the fiber with a Jacobian of full row rank: the fiber may have no point inside, or be "
            "singular; method 'project' may still find points."
        )
    return np.asarray(starts[:, np.resize(np.arange(starts.shape[1]), chains)])


def _starts_at(manifold: Manifold, at: Array, chains: int) -> Array:
    chart = manifold.chart
    inside = at[chart.moving, None]
    u, arrived = take_to_manifold(manifold, chart.free(inside))
    gap = float(np.abs(chart.inputs(u) - inside).max(initial=0.0))
    if not arrived.all() or gap > 1e-6 * (1 + float(np.abs(inside).max(initial=0.0))):
        raise OptionError("at must be an input that produces the target, inside the box; this one does not.")
    return np.repeat(u, chains, axis=1)


def run_walk(walk: Walk, count: int, seed: np.random.SeedSequence, executor: Executor | None = None) -> Drawn:
    """Continue the chains of a warmed-up walk until R-hat is met and `count` points exist, or the limit.

    The chains go in `GROUPS` groups, each a task for the executor; what comes out does not depend on it.
    """
    chains = walk.pool.shape[1]
    planned = max(SHORTEST, -(-count // chains))
    legs = [
        Leg(part.copy(), np.random.default_rng(s))
        for part, s in zip(np.array_split(walk.pool, GROUPS, axis=1), seed.spawn(GROUPS), strict=True)
    ]
    parts: list[Array] = []
    accepted, lost = [], []
    done, more = 0, planned
    while True:
        tasks = [(walk.manifold, leg, walk.tuning.h, walk.tuning.steps, more) for leg in legs]
        results = (
            [walk_leg(*t) for t in tasks]
            if executor is None
            else list(executor.map(walk_leg, *zip(*tasks, strict=True)))
        )
        legs = [leg for leg, _ in results]
        parts.append(np.concatenate([r.x for _, r in results], axis=2))
        accepted += [r.accepted for _, r in results]
        lost += [r.lost for _, r in results]
        done += more
        x = np.concatenate(parts)
        worst = float(np.max(split_r_hat(x), initial=1.0))
        if worst <= R_HAT or done >= LONGEST * planned or walk.labels.max(initial=0) > 0:
            return Drawn(x, float(np.mean(accepted)), float(np.mean(lost)))
        more = done


@dataclass(frozen=True, eq=False)
class Leg:
    """Where one group of chains stands, and its random numbers; small enough to be sent to another process."""

    u: Array
    rng: np.random.Generator


def walk_leg(manifold: Manifold, leg: Leg, h: float, steps: int, count: int, every: int = 1) -> tuple[Leg, Round]:
    """Move one group of chains; return where it came to and what it went through."""
    with single_blas_thread(), np.errstate(all="ignore"):
        group = Group(manifold.place(leg.u), leg.rng)
        result = run_group(manifold, group, h, steps, count, every)
    return Leg(group.place.u, group.rng), result


def thin(x: Array, count: int) -> Array:
    """Return about `count` draws, at least that many, at even distances along every chain."""
    every = max(1, x.shape[0] * x.shape[2] // max(count, 1))
    kept = x[every - 1 :: every]
    return kept if kept.shape[0] * kept.shape[2] >= count else x[:: max(1, every - 1)]


def correct(manifold: Manifold, x: Array, rounds: int = 2) -> Array:
    """Return inputs after Newton corrections that take c to rounding level: (n, k) -> (n, k).

    The corrections are least-norm in u, so no input leaves its box.
    """
    chart, fiber = manifold.chart, manifold.fiber
    u = chart.free(x)
    for _ in range(rounds):
        at, slope, _, _ = chart.open(u)
        c, jacobian = fiber.linearize(at)
        jacobian = jacobian * slope
        inverse, _, good = factor(gram(jacobian))
        step = pull(jacobian, solve(inverse, c))
        u = u - np.where(good & np.isfinite(step), step, 0.0)
    return chart.inputs(u)


def all_inputs(manifold: Manifold, x: Array, ends: Array | None) -> Array:
    """Return whole inputs, (k, n0), corrected in blocks and kept inside the box to the last bit."""
    parts = []
    with np.errstate(all="ignore"), single_blas_thread():
        for begin in range(0, x.shape[1], 8192):
            parts.append(whole_inputs(manifold.chart, correct(manifold, x[:, begin : begin + 8192])))
    points = np.concatenate(parts) if parts else np.zeros((0, len(manifold.chart.still)))
    return points if ends is None else np.clip(points, ends[:, 0], ends[:, 1])


def diagnose(drawn: Drawn, kept: Array, chart: Chart, separate: bool) -> tuple[Array | None, Array]:
    """Return effective sizes (None where not claimed) and R-hat, one value per input, still ones at their best."""
    n0 = len(chart.still)
    r_hat, ess = np.ones(n0), np.full(n0, float(kept.shape[0] * kept.shape[2]))
    r_hat[chart.moving] = split_r_hat(drawn.x)
    if separate or float(r_hat.max(initial=1.0)) > R_HAT:
        return None, r_hat
    whole = effective_size(drawn.x)
    ess[chart.moving] = np.minimum(whole, ess[chart.moving])
    return ess, r_hat


@contextmanager
def single_blas_thread() -> Iterator[None]:
    """Keep BLAS to one thread: for arrays this small it is faster, and sums must not depend on the machine."""
    with threadpool_limits(1, user_api="blas"):
        yield
