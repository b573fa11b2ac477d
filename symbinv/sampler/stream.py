"""Streams: any number of points to a directory, in blocks, through any executor, resumed after a kill.

The walk is warmed up once; its chains' places, rounded to the doubles that stand in the file `walk.npz`, are the start
of every block. Block i takes some of these chains, its own random numbers (SeedSequence with spawn key i), forgets
its start, and writes its points. So a block's bytes depend on the directory's seed and on i alone: not on the number
of workers, their order, or on how often the stream was killed. A file appears under its name only when it is whole
(temporary file, fsync, rename), and the manifest is written first; to resume is to make the files that are missing.
Polytopes and exact preimages need no walk: their blocks are drawn from simplices, or by hit-and-run (`block.py`).
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

from symbinv.errors import OptionError, ReadError
from symbinv.files import UNFINISHED, write_with
from symbinv.sampler.block import (
    Task,
    WalkSource,
    is_whole,
    make_block,
    parquet,
    read_block,
    write_json,
)
from symbinv.sampler.compile import Sampler
from symbinv.sampler.polytopes.cells import CellSampler
from symbinv.sampler.stream_plan import Plan, plan_cells, plan_inverse
from symbinv.sampler.walks.chart import Gaussian
from symbinv.sampler.walks.manifold import Walk, single_blas_thread
from symbinv.sampler.walks.tuning import Tuning

Array = NDArray[np.float64]
VERSION = 2
BLOCK_POINTS = 65_536
WINDOW = 2  # blocks in flight for each worker
FORMATS = ("npy", "parquet")


@dataclass(frozen=True)
class Progress:
    """How far a stream has come: points on disk of all, seconds since the start, and the seconds left."""

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


def stream(
    sampler: Sampler | CellSampler,
    count: int,
    directory: str | Path,
    *,
    measure: str = "surface",
    box: Any = None,
    at: Any = None,
    base: Gaussian | None = None,
    executor: Executor | None = None,
    workers: int | None = None,
    form: str = "npy",
    dtype: str = "float64",
    seed: int = 0,
    progress: Callable[[Progress], None] | None = None,
) -> Stream:
    """Write `count` points of a preimage to a directory, or finish what an earlier call began there.

    Args:
        sampler: From `compile_sampler`, of an inverse or of an exact preimage.
        count: Points in all; may grow from call to call, the blocks that exist stay.
        directory: Made where it does not exist.
        measure: "surface" or "conditional"; "chart" has weights, which blocks do not hold, and is refused.
        box: Bounds of the inputs; the inverse's own where left out.
        at: An input on the fiber: the walk keeps to its component.
        base: `gaussian(center, scale)` in place of a box.
        executor: Any `concurrent.futures.Executor`; at most `WINDOW` blocks a worker are in flight.
        workers: How many workers the executor has, where it does not tell.
        form: "npy", or "parquet" (needs pyarrow: the extra `parquet`).
        dtype: "float64" or "float32".
        seed: Of the stream; an integer, so that a killed stream can be resumed.
        progress: Called after every block.

    Raises:
        OptionError: For arguments out of range, and an empty preimage or missing box.
        NotSupportedError: For what has no uniform law, or no volumes (see `CellSampler.draw` and `draw`).
        ReadError: Where the directory cannot be written, the disk is full, or it holds a stream of another
            network, target or seed. What stands there is left as it is.
    """
    if form not in FORMATS or dtype not in ("float64", "float32"):
        raise OptionError(f"form must be one of {', '.join(FORMATS)} and dtype float64 or float32.")
    if count < 1:
        raise OptionError(f"a stream needs a positive count, not {count}.")
    if measure not in ("surface", "conditional"):
        raise OptionError(
            f"a stream has the measure 'surface' or 'conditional', not {measure!r}: blocks hold points, no weights."
        )
    if form == "parquet":
        parquet()
    if isinstance(sampler, CellSampler):
        if box is not None or at is not None or base is not None or measure != "surface":
            raise OptionError("an exact preimage has its own box and the measure 'surface'; give `preimage` a box.")
        plan = plan_cells(sampler)
    else:
        plan = plan_inverse(sampler.inverse, measure, box, at, base)
    place = Path(directory)
    _make_directory(place)
    identity = _identity(plan, form, dtype, seed)
    _check_manifest(place, identity)
    for leftover in place.glob(f"{UNFINISHED}*"):  # of a killed run
        leftover.unlink(missing_ok=True)
    stored, start = place / "walk.npz", np.random.SeedSequence(seed, spawn_key=(0,))
    fresh = plan.walk(start) if plan.source is None and not stored.exists() else None
    blocks = -(-count // BLOCK_POINTS)
    write_json(place / "manifest.json", identity | {"count": count, "blocks": blocks})
    source = plan.source
    if source is None:  # always what the file holds, so that a first and a resumed stream start from the same arrays
        if fresh is not None:
            write_with(stored, lambda temporary: _save_walk(fresh, temporary))
        source = WalkSource(plan.walk(start, _load_walk(stored)), plan.ends)
    network = plan.network
    names = network.input_names or tuple(f"x_{j + 1}" for j in range(network.sizes[0]))
    layers = tuple((k.float_weights, k.float_bias, k.activation) for k in network.layers)

    def task(index: int) -> Task:
        own = min(BLOCK_POINTS, count - index * BLOCK_POINTS)
        return Task(source, seed, index, own, str(place), form, dtype, layers, plan.goal, names)

    missing = [i for i in range(blocks) if not is_whole(place, i, form, min(BLOCK_POINTS, count - i * BLOCK_POINTS))]
    with single_blas_thread():
        _run(missing, task, executor, workers, count, progress)
    return _finish(place, count, blocks)


def _run(
    missing: list[int],
    task: Callable[[int], Task],
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
    told = [json.loads((place / f"block-{index:07d}.json").read_text()) for index in range(blocks)]
    table, spread, ess, inner = (np.array([t[key] for t in told]) for key in ("means", "variances", "ess", "r_hat"))
    weight = np.array([t["points"] for t in told], dtype=np.float64)[:, None]
    within = (spread * weight).sum(axis=0) / weight.sum()
    middle = (table * weight).sum(axis=0) / weight.sum()
    between = ((table - middle) ** 2 * weight).sum(axis=0) / weight.sum()
    with np.errstate(invalid="ignore", divide="ignore"):
        over = np.where(within > 0, np.sqrt(1 + between / within), 1.0)
    r_hat = np.fmax(over, np.median(inner, axis=0))
    total = np.minimum(np.nansum(ess, axis=0), float(count))
    return Stream(place, count, blocks, r_hat, total if r_hat.max(initial=1.0) <= 1.01 else None)


def _identity(plan: Plan, form: str, dtype: str, seed: int) -> dict[str, Any]:
    """Return what must agree for a stream to be resumed: the manifest without its counts."""
    digest = hashlib.sha256()
    for layer in plan.network.layers:
        digest.update(layer.activation.label.encode())
        digest.update(layer.float_weights.tobytes())
        digest.update(layer.float_bias.tobytes())
    return {
        "symbinv_stream": VERSION,
        "network": digest.hexdigest(),
        "inputs": plan.network.sizes[0],
        **plan.facts,
        "form": form,
        "dtype": dtype,
        "seed": seed,
        "block_points": BLOCK_POINTS,
    }


def _check_manifest(place: Path, identity: dict[str, Any]) -> None:
    path = place / "manifest.json"
    if not path.exists():
        if any(place.glob("block-*")) or (place / "walk.npz").exists():
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
