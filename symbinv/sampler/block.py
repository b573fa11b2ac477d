"""Blocks of a stream: who makes the points of one, the check that they pass, and the files that they go to.

A source makes any number of points from a generator of random numbers and plain arrays, so that it travels to
another process; a block's points depend on the stream's seed and on the block's index alone.
"""

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from symbinv.errors import NotSupportedError
from symbinv.files import write_whole, write_with
from symbinv.sampler.diagnostics import effective_size, split_r_hat
from symbinv.sampler.polytopes.body import Body
from symbinv.sampler.polytopes.hit_and_run import hit_and_run
from symbinv.sampler.polytopes.triangulation import Triangulation
from symbinv.sampler.validity import FORWARD_TOLERANCE, Goal
from symbinv.sampler.walks.manifold import Leg, Walk, all_inputs, walk_leg

Array = NDArray[np.float64]
BLOCK_CHAINS = 256
FORGET = 12  # trajectories a block makes before it keeps any, at least


@dataclass(frozen=True, eq=False)
class Made:
    """Points, (k, n0), and what they tell of themselves: effective sizes and R-hat, one value an input."""

    points: Array
    ess: Array
    r_hat: Array


class Source(Protocol):
    """Makes the points of a block."""

    def make(self, count: int, rng: np.random.Generator) -> Made:
        """Return `count` points."""


@dataclass(frozen=True, eq=False)
class WalkSource:
    """Continues some chains of a warmed-up walk, and forgets where they started."""

    walk: Walk
    ends: Array | None

    def make(self, count: int, rng: np.random.Generator) -> Made:
        """Return `count` points of the walk."""
        manifold, tuning, pool = self.walk.manifold, self.walk.tuning, self.walk.pool
        every = max(1, round(tuning.time))
        chains = min(BLOCK_CHAINS, pool.shape[1])
        leg = Leg(pool[:, rng.choice(pool.shape[1], chains, replace=False)], rng)
        leg, _ = walk_leg(manifold, leg, tuning.h, tuning.steps, max(FORGET, 5 * every), 10**9)
        length = -(-count // chains)
        _, drawn = walk_leg(manifold, leg, tuning.h, tuning.steps, length * every, every)
        flat = drawn.x.transpose(1, 0, 2).reshape(drawn.x.shape[1], -1)[:, :count]
        points = all_inputs(manifold, flat, self.ends)
        ess, r_hat = np.full(points.shape[1], float(count)), np.ones(points.shape[1])
        moving = manifold.chart.moving
        ess[moving], r_hat[moving] = np.minimum(effective_size(drawn.x), count), split_r_hat(drawn.x)
        return Made(points, ess, r_hat)


@dataclass(frozen=True, eq=False)
class SimplexSource:
    """Draws independent points of simplices: origin + basis v."""

    pieces: Triangulation
    origin: Array
    basis: Array

    def make(self, count: int, rng: np.random.Generator) -> Made:
        """Return `count` independent points."""
        points = self.origin + self.pieces.draw(count, rng) @ self.basis.T
        return Made(points, np.full(points.shape[1], float(count)), np.ones(points.shape[1]))


@dataclass(frozen=True, eq=False)
class BodySource:
    """Walks in a polytope by hit-and-run, from its centre."""

    body: Body

    def make(self, count: int, rng: np.random.Generator) -> Made:
        """Return `count` points."""
        points, ess, r_hat = hit_and_run(self.body, count, rng)
        return Made(points, np.full(points.shape[1], np.nan) if ess is None else ess, r_hat)


@dataclass(frozen=True, eq=False)
class Task:
    """What a worker needs for one block; plain arrays, so that it travels.

    Attributes:
        source: Makes the points.
        entropy, index: Seed of the stream and number of the block.
        count: Points of the block.
        place: The directory.
        form, dtype: Of the file.
        layers: (weights, bias, activation) of each layer, for the forward check.
        goal: What the outputs must meet.
        names: Of the inputs, for tables.
    """

    source: Source
    entropy: int
    index: int
    count: int
    place: str
    form: str
    dtype: str
    layers: tuple[tuple[Array, Array, Any], ...]
    goal: Goal | None
    names: tuple[str, ...]


def make_block(task: Task) -> int:
    """Make one block, check it, and write its file and its statistics; return the number of points."""
    rng = np.random.default_rng(np.random.SeedSequence(task.entropy, spawn_key=(1, task.index)))
    with np.errstate(all="ignore"):
        made = task.source.make(task.count, rng)
        residual = np.zeros(task.count)
        if task.goal is not None:
            a: Any = made.points
            for weights, bias, activation in task.layers:
                a = activation.numeric(a @ weights.T + bias)
            residual = task.goal.misses(a)
    points = made.points
    wrong = ~(residual <= FORWARD_TOLERANCE)
    if wrong.all():
        raise NotSupportedError("no point of a block passes the forward check; doubles do not resolve this preimage.")
    if wrong.any():  # hardly ever; a point that fails is replaced by a valid one of the block, and counted
        points[wrong] = points[np.flatnonzero(~wrong)[np.arange(int(wrong.sum())) % int((~wrong).sum())]]
    statistics = {
        "points": task.count,
        "failed": int(wrong.sum()),
        "residual": float(residual[~wrong].max()),
        "means": points.mean(axis=0).tolist(),
        "variances": points.var(axis=0).tolist(),
        "r_hat": made.r_hat.tolist(),
        "ess": made.ess.tolist(),
    }
    place = Path(task.place)
    write_json(place / f"block-{task.index:07d}.json", statistics)
    write_points(place / f"block-{task.index:07d}.{task.form}", points.astype(task.dtype), task.names)
    return task.count


def read_block(path: Path) -> Array:
    """Return the points of one block file."""
    if path.suffix == ".parquet":
        table = parquet().read_table(path)
        return np.column_stack([table.column(i).to_numpy() for i in range(table.num_columns)])
    return np.asarray(np.load(path, allow_pickle=False))


def is_whole(place: Path, index: int, form: str, points: int) -> bool:
    """Tell whether a block is there with the right number of points (the last one may have grown)."""
    if not (place / f"block-{index:07d}.{form}").exists():
        return False
    try:
        return bool(json.loads((place / f"block-{index:07d}.json").read_text())["points"] == points)
    except (OSError, ValueError, KeyError):
        return False


def write_json(place: Path, content: dict[str, Any]) -> None:
    """Write plain data, whole or not at all."""
    write_whole(place, json.dumps(content, indent=1))


def write_points(place: Path, points: Array, names: tuple[str, ...]) -> None:
    """Write the points of a block, whole or not at all."""
    if place.suffix == ".npy":
        buffer = io.BytesIO()
        np.save(buffer, np.ascontiguousarray(points), allow_pickle=False)
        write_with(place, lambda temporary: temporary.write_bytes(buffer.getbuffer()))
        return
    writer = parquet()
    import pyarrow

    table = pyarrow.table({name: points[:, j] for j, name in enumerate(names)})
    write_with(place, lambda temporary: writer.write_table(table, temporary))


def parquet() -> Any:
    """Return pyarrow's writer and reader of Parquet."""
    try:
        from pyarrow import parquet as module
    except ImportError as error:
        raise NotSupportedError("form 'parquet' needs pyarrow: install symbinv[parquet].") from error
    return module
