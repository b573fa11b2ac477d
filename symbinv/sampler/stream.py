"""Streams: any number of points to a directory, in blocks, through any executor, resumed after a kill.

The walk is warmed up once; its chains' places, rounded to the doubles that stand in the file `walk.npz`, are the start
of every block. Block i takes some of these chains, its own random numbers (SeedSequence with spawn key i), forgets
its start, and writes its points. So a block's bytes depend on the directory's seed and on i alone: not on the number
of workers, their order, or on how often the stream was killed. A file appears under its name only when it is whole
(temporary file, fsync, rename), and the manifest is written first; to resume is to make the files that are missing.
"""

import hashlib
import io
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symbinv.errors import NotSupportedError, OptionError, ReadError
from symbinv.files import write_with
from symbinv.inverse.verdict import Empty
from symbinv.network.network import to_box
from symbinv.sampler.chart import Gaussian
from symbinv.sampler.compile import Sampler
from symbinv.sampler.diagnostics import effective_size, split_r_hat
from symbinv.sampler.manifold import Leg, Walk, all_inputs, single_blas_thread, walk_leg
from symbinv.sampler.tuning import Tuning
from symbinv.sampler.uniform import LAWS, prepare, walkable

Array = NDArray[np.float64]
VERSION = 1
BLOCK_POINTS = 65_536
BLOCK_CHAINS = 256
FORGET = 12  # trajectories a block makes before it keeps any, at least
WINDOW = 2  # blocks in flight for each worker
FORMATS = ("npy", "parquet")


@dataclass(frozen=True)
class Progress:
    """How far a stream has come: points and blocks on disk, seconds since the start, and the seconds left."""

    points: int
    count: int
    seconds: float
    eta: float


@dataclass(frozen=True)
class Stream:
    """A finished stream.

    Attributes:
        directory: Where the blocks lie.
        count: Points in all blocks.
        blocks: Their number.
        r_hat: Over the chains of all blocks, one value an input.
        ess: Effective sample size of each input, blocks added up; None where R-hat is above 1.01.
    """

    directory: Path
    count: int
    blocks: int
    r_hat: Array
    ess: Array | None

    def paths(self) -> list[Path]:
        """Return the block files in order."""
        return sorted(self.directory.glob("block-*.npy")) + sorted(self.directory.glob("block-*.parquet"))

    def __iter__(self) -> Iterator[Array]:
        for path in self.paths():
            yield read_block(path)


@dataclass(frozen=True, eq=False)
class _Task:
    """What a worker needs for one block; plain arrays, so that it travels."""

    walk: Walk
    ends: Array | None
    entropy: int
    index: int
    count: int
    every: int
    place: str
    form: str
    dtype: str
    network: Any
    target: Array
    names: tuple[str, ...]


def stream(
    sampler: Sampler,
    count: int,
    directory: str | Path,
    *,
    measure: str = "surface",
    box: Any = None,
    base: Gaussian | None = None,
    executor: Executor | None = None,
    workers: int | None = None,
    form: str = "npy",
    dtype: str = "float64",
    seed: int = 0,
    progress: Callable[[Progress], None] | None = None,
) -> Stream:
    """Write `count` points of the fiber to a directory, or finish what an earlier call began there.

    Args:
        sampler: From `compile_sampler`.
        count: Points in all; may grow from call to call, the blocks that exist stay.
        directory: Made where it does not exist.
        measure: "surface" or "conditional".
        box: Bounds of the inputs; the inverse's own where left out.
        base: `gaussian(center, scale)` in place of a box.
        executor: Any `concurrent.futures.Executor`; at most `WINDOW` blocks a worker are in flight.
        workers: How many workers the executor has, where it does not tell.
        form: "npy", or "parquet" (needs pyarrow: the extra `parquet`).
        dtype: "float64" or "float32".
        seed: Of the stream; an integer, so that a killed stream can be resumed.
        progress: Called after every block.

    Raises:
        OptionError: For arguments out of range, and an empty preimage or missing box.
        ReadError: Where the directory cannot be written, the disk is full, or it holds a stream of another
            network, target or seed. What stands there is left as it is.
    """
    if form not in FORMATS or dtype not in ("float64", "float32"):
        raise OptionError(f"form must be one of {', '.join(FORMATS)} and dtype float64 or float32.")
    if count < 1 or measure == "chart":
        raise OptionError("a stream needs a positive count and the measure 'surface' or 'conditional'.")
    if form == "parquet":
        _parquet()
    inverse = sampler.inverse
    if isinstance(inverse.verdict, Empty):
        raise OptionError(f"the preimage is empty: {inverse.verdict.reason}")
    constraint = walkable(inverse, measure)
    exact = inverse.box if box is None else to_box(box, inverse.network.sizes[0])
    ends = None if exact is None or base is not None else exact.to_numpy()
    place = Path(directory)
    _make_directory(place)
    identity = _identity(sampler, ends, base, measure, form, dtype, seed)
    _check_manifest(place, identity)
    blocks = -(-count // BLOCK_POINTS)
    _write_json(place / "manifest.json", identity | {"count": count, "blocks": blocks})
    stored, start = place / "walk.npz", np.random.SeedSequence(seed, spawn_key=(0,))
    if not stored.exists():
        fresh, _ = prepare(constraint, ends, base, measure, None, BLOCK_POINTS, start)
        write_with(stored, lambda temporary: _save_walk(fresh, temporary))
    # always what the file holds, so that a first and a resumed stream start from the same arrays
    walk, _ = prepare(constraint, ends, base, measure, None, BLOCK_POINTS, start, stored=_load_walk(stored))
    every = max(1, round(walk.tuning.time))

    def task(index: int) -> _Task:
        own = min(BLOCK_POINTS, count - index * BLOCK_POINTS)
        y = np.array([float(v) for v in inverse.target])
        names = inverse.network.input_names or tuple(f"x_{j + 1}" for j in range(inverse.network.sizes[0]))
        layers = tuple((k.float_weights, k.float_bias, k.activation) for k in inverse.network.layers)
        return _Task(walk, ends, seed, index, own, every, str(place), form, dtype, layers, y, names)

    missing = [i for i in range(blocks) if not _is_whole(place, i, form, min(BLOCK_POINTS, count - i * BLOCK_POINTS))]
    with single_blas_thread():
        _run(missing, task, executor, workers, count, progress)
    return _finish(place, count, blocks)


def make_block(task: _Task) -> int:
    """Walk one block and write its file and its statistics; return the number of points."""
    rng_seed = np.random.SeedSequence(task.entropy, spawn_key=(1, task.index))
    rng = np.random.default_rng(rng_seed)
    pool = task.walk.pool
    chains = min(BLOCK_CHAINS, pool.shape[1])
    leg = Leg(pool[:, rng.choice(pool.shape[1], chains, replace=False)], rng)
    manifold, tuning = task.walk.manifold, task.walk.tuning
    leg, _ = walk_leg(manifold, leg, tuning.h, tuning.steps, max(FORGET, 5 * task.every), 10**9)
    length = -(-task.count // chains)
    _, drawn = walk_leg(manifold, leg, tuning.h, tuning.steps, length * task.every, task.every)
    flat = drawn.x.transpose(1, 0, 2).reshape(drawn.x.shape[1], -1)[:, : task.count]
    points = all_inputs(manifold, flat, task.ends)
    a: Any = points
    for weights, bias, activation in task.network:
        a = activation.numeric(a @ weights.T + bias)
    residual = np.abs(a - task.target).max(axis=1)
    wrong = ~(residual <= 1e-9 * (1 + np.abs(task.target).max()))
    if wrong.any():  # never seen; a point that fails is replaced by a valid one of the block, and counted
        points[wrong] = points[np.flatnonzero(~wrong)[np.arange(int(wrong.sum())) % int((~wrong).sum())]]
    statistics = {
        "points": task.count,
        "failed": int(wrong.sum()),
        "residual": float(residual[~wrong].max()),
        "accepted": drawn.accepted,
        "moving": manifold.chart.moving.tolist(),
        "means": drawn.x.mean(axis=(0, 2)).tolist(),
        "variances": drawn.x.var(axis=(0, 2)).tolist(),
        "r_hat": split_r_hat(drawn.x).tolist(),
        "ess": effective_size(drawn.x).tolist(),
    }
    place = Path(task.place)
    _write_json(place / f"block-{task.index:07d}.json", statistics)
    _write_points(place / f"block-{task.index:07d}.{task.form}", points.astype(task.dtype), task.names)
    return task.count


def read_block(path: Path) -> Array:
    """Return the points of one block file."""
    if path.suffix == ".parquet":
        table = _parquet().read_table(path)
        return np.column_stack([table.column(i).to_numpy() for i in range(table.num_columns)])
    return np.asarray(np.load(path, allow_pickle=False))


def _run(
    missing: list[int],
    task: Callable[[int], _Task],
    executor: Executor | None,
    workers: int | None,
    count: int,
    progress: Callable[[Progress], None] | None,
) -> None:
    begin = time.perf_counter()
    waiting, running = iter(missing), set[Future[int]]()
    there = count - sum(min(BLOCK_POINTS, count - i * BLOCK_POINTS) for i in missing)
    made = 0

    def report(points: int) -> None:
        nonlocal made
        made += points
        if progress:
            spent = time.perf_counter() - begin
            progress(Progress(there + made, count, spent, spent / made * (count - there - made)))

    if executor is None:
        for index in waiting:
            report(make_block(task(index)))
        return
    width = WINDOW * (workers or getattr(executor, "_max_workers", None) or os.cpu_count() or 1)
    try:
        while True:
            for index in islice(waiting, width - len(running)):
                running.add(executor.submit(make_block, task(index)))
            if not running:
                return
            done = wait(running, return_when=FIRST_COMPLETED).done
            running -= done
            for future in done:
                report(future.result())
    finally:
        for future in running:
            future.cancel()


def _finish(place: Path, count: int, blocks: int) -> Stream:
    """Add up what the blocks tell of themselves: R-hat from their means, effective sizes by sum."""
    means, variances, ess, sizes, inner, moving = [], [], [], [], [], []
    for index in range(blocks):
        told = json.loads((place / f"block-{index:07d}.json").read_text())
        means.append(told["means"])
        variances.append(told["variances"])
        ess.append(told["ess"])
        inner.append(told["r_hat"])
        sizes.append(told["points"])
        moving = told["moving"]
    table, weight = np.array(means), np.array(sizes, dtype=np.float64)[:, None]
    within = (np.array(variances) * weight).sum(axis=0) / weight.sum()
    middle = (table * weight).sum(axis=0) / weight.sum()
    between = ((table - middle) ** 2 * weight).sum(axis=0) / weight.sum()
    with np.errstate(invalid="ignore", divide="ignore"):
        over = np.where(within > 0, np.sqrt(1 + between / within), 1.0)
    r_hat = np.fmax(over, np.median(np.array(inner), axis=0))
    total = np.minimum(np.nansum(np.array(ess), axis=0), float(count))
    n0 = int(json.loads((place / "manifest.json").read_text())["inputs"])
    whole_r, whole_e = np.ones(n0), np.full(n0, float(count))
    whole_r[moving], whole_e[moving] = r_hat, total
    return Stream(place, count, blocks, whole_r, whole_e if whole_r.max(initial=1.0) <= 1.01 else None)


def _identity(
    sampler: Sampler, ends: Array | None, base: Gaussian | None, measure: str, form: str, dtype: str, seed: int
) -> dict[str, Any]:
    """Return what must agree for a stream to be resumed: the manifest without its counts."""
    inverse = sampler.inverse
    digest = hashlib.sha256()
    for layer in inverse.network.layers:
        digest.update(layer.activation.label.encode())
        digest.update(layer.float_weights.tobytes())
        digest.update(layer.float_bias.tobytes())
    bounds = [] if ends is None else ends.tolist()
    return {
        "symbinv_stream": VERSION,
        "network": digest.hexdigest(),
        "inputs": inverse.network.sizes[0],
        "target": [str(v) for v in inverse.target],
        "box": bounds,
        "base": [] if base is None else [base.center.tolist(), base.scale.tolist()],
        "measure": measure,
        "law": LAWS[measure],
        "form": form,
        "dtype": dtype,
        "seed": seed,
        "block_points": BLOCK_POINTS,
    }


def _check_manifest(place: Path, identity: dict[str, Any]) -> None:
    path = place / "manifest.json"
    if not path.exists():
        if any(place.glob("block-*")):
            raise ReadError(f"{place} holds blocks but no manifest; choose another directory.")
        return
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ReadError(f"{path} is not a manifest: {str(error)[:100]}.") from error
    differing = [k for k, v in identity.items() if not isinstance(found, dict) or found.get(k) != v]
    if differing:
        raise ReadError(
            f"{place} holds another stream (its {', '.join(differing)} differ); choose another directory. "
            "Nothing there was changed."
        )


def _make_directory(place: Path) -> None:
    try:
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=place, prefix=".probe-"):
            pass
    except OSError as error:
        raise ReadError(f"{place} cannot be written: {error.strerror or error}.") from error


def _is_whole(place: Path, index: int, form: str, points: int) -> bool:
    """Tell whether a block is there with the right number of points (the last one may have grown)."""
    if not (place / f"block-{index:07d}.{form}").exists():
        return False
    try:
        return bool(json.loads((place / f"block-{index:07d}.json").read_text())["points"] == points)
    except (OSError, ValueError, KeyError):
        return False


def _write_json(place: Path, content: dict[str, Any]) -> None:
    text = json.dumps(content, indent=1)
    write_with(place, lambda temporary: temporary.write_text(text))


def _write_points(place: Path, points: Array, names: tuple[str, ...]) -> None:
    if place.suffix == ".npy":
        buffer = io.BytesIO()
        np.save(buffer, np.ascontiguousarray(points), allow_pickle=False)
        write_with(place, lambda temporary: temporary.write_bytes(buffer.getbuffer()))
        return
    parquet = _parquet()
    import pyarrow

    table = pyarrow.table({name: points[:, j] for j, name in enumerate(names)})
    write_with(place, lambda temporary: parquet.write_table(table, temporary))


def _save_walk(walk: Walk, place: Path) -> None:
    buffer = io.BytesIO()
    tuning = np.array([walk.tuning.h, walk.tuning.steps, walk.tuning.time, walk.tuning.trajectories])
    np.savez(buffer, pool=walk.pool, labels=walk.labels, tuning=tuning)
    place.write_bytes(buffer.getbuffer())


def _load_walk(place: Path) -> tuple[Array, NDArray[np.int_], Tuning] | None:
    if not place.exists():
        return None
    try:
        with np.load(place, allow_pickle=False) as data:
            h, steps, length, trajectories = data["tuning"].tolist()
            return data["pool"], data["labels"], Tuning(h, int(steps), length, int(trajectories))
    except Exception as error:  # zipfile and NumPy each raise their own for a broken file
        raise ReadError(f"{place} is not a stored walk: {str(error)[:100]}.") from error


def _parquet() -> Any:
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise NotSupportedError("form 'parquet' needs pyarrow: install symbinv[parquet].") from error
    return parquet
