"""Answers to properties: whether some input satisfies one, with an exact witness or all branches closed."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import numpy as np

from symbinv.cells.output_set import OutputSet
from symbinv.cells.preimage import Preimage, Progress, preimage
from symbinv.cells.problem import Problem, pose
from symbinv.cells.proof import certify_answer
from symbinv.cells.specification import Case, Specification
from symbinv.errors import NotSupportedError, ShapeError
from symbinv.exact.policy import to_rational
from symbinv.network.network import Network
from symbinv.polyhedra.polyhedron import Polyhedron, Vector

SAMPLES = 20_000


@dataclass(frozen=True, eq=False)
class Answer:
    """Whether an input satisfies a property.

    Attributes:
        status: "sat" with a witness, "unsat" with all branches closed, or "unknown".
        witness: An exact input that satisfies the property, or None.
        exact_output: What the exact network gives there.
        residual: How far the exact output misses the property: 0.
        float32_output: What the network gives there in float32.
        float32_residual: How far that misses the property.
        problem: The network with the case that the witness satisfies.
        parts: The preimage of each case that was searched; where the status is unknown they can `proceed`.
    """

    status: Literal["sat", "unsat", "unknown"]
    witness: tuple[Any, ...] | None = None
    exact_output: tuple[Any, ...] | None = None
    residual: float = 0.0
    float32_output: tuple[float, ...] | None = None
    float32_residual: float | None = None
    parts: tuple[Preimage, ...] = ()
    seconds: float = 0.0
    problem: Problem | None = None

    def certificate(self) -> dict[str, Any]:
        """Return a proof as JSON data; see `symbinv.checker`."""
        return certify_answer(self)


def answer(
    network: Network,
    specification: Specification,
    *,
    max_seconds: float | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Answer:
    """Decide whether some input satisfies a property: sat with an exact witness, unsat, or unknown.

    Args:
        network: A piecewise-linear network.
        specification: The property.
        max_seconds: A budget for all cases together.
        workers: How many processes a long search uses, as in `preimage`.
        progress: Called as in `preimage`, for each case anew.

    Raises:
        ShapeError: Where the property's constants are not the network's inputs and outputs.
    """
    if (specification.inputs, specification.outputs) != (network.sizes[0], network.sizes[-1]):
        raise ShapeError(
            f"the property must have {network.sizes[0]} inputs and {network.sizes[-1]} outputs as the network, "
            f"not {specification.inputs} and {specification.outputs}."
        )
    started = time.monotonic()
    if not specification.cases:
        raise NotSupportedError("the property has no case with a possible input; it is unsat by its own assertions.")
    for case in specification.cases:
        guess = _try_samples(network, case)
        if guess is not None:
            return _satisfied(network, case, guess, (), started)
    parts = []
    for case in specification.cases:
        left = None if max_seconds is None else max(0.0, max_seconds - (time.monotonic() - started))
        part = preimage(
            network, case.outputs, box=case.box, max_cells=1, max_seconds=left, workers=workers, progress=progress
        )
        parts.append(part)
        if part.cells:
            point = part.witness() or ()
            exact = tuple(Fraction(int(e.p), int(e.q)) for e in point)
            return _satisfied(network, case, exact, tuple(parts), started)
    status: Literal["unsat", "unknown"] = "unsat" if all(p.is_complete for p in parts) else "unknown"
    return Answer(status, parts=tuple(parts), seconds=time.monotonic() - started)


def _try_samples(network: Network, case: Case) -> Vector | None:
    """Try points of the box in doubles, and pull the best of them toward the outputs; verify exactly."""
    generator = np.random.default_rng(0)
    low = np.array([float(a) for a, _ in case.box])
    high = np.array([float(b) for _, b in case.box])
    points = low + (high - low) * generator.random((SAMPLES, len(low)))
    problem = pose(network, case.outputs, case.box)
    for step in (1.0, 0.2, 0.05, 0.01, 0.002):
        if step < 1.0:
            centers = points[np.argsort(_miss(network, case.outputs, points))[:50]]
            moved = centers[:, None, :] + step * (high - low) * generator.normal(size=(len(centers), 60, len(low)))
            points = np.concatenate([centers, np.clip(moved.reshape(-1, len(low)), low, high)])
        miss = _miss(network, case.outputs, points)
        for index in np.argsort(miss)[:3].tolist():
            if miss[index] <= 0:
                exact = tuple(Fraction(float(e)) for e in points[index])
                exact = tuple(min(max(e, lo), hi) for e, (lo, hi) in zip(exact, case.box, strict=True))
                if problem.reaches(exact):
                    return exact
    return None


def _miss(network: Network, outputs: OutputSet, points: Any) -> Any:
    """Return by how much the outputs of points miss a set, at most 0 where they reach it."""
    with np.errstate(all="ignore"):
        y = network.forward(points)
    return np.min([_polyhedron_miss(p, y) for p in outputs.polyhedra], axis=0)


def _polyhedron_miss(polyhedron: Polyhedron, y: Any) -> Any:
    misses = [np.full(len(y), -np.inf)]
    for half_space in polyhedron.half_spaces:
        misses.append(y @ np.array([float(e) for e in half_space.row]) - float(half_space.bound))
    for row, right in polyhedron.equations:
        misses.append(np.abs(y @ np.array([float(e) for e in row]) - float(right)))
    return np.max(misses, axis=0)


def _satisfied(network: Network, case: Case, x: Vector, parts: tuple[Preimage, ...], started: float) -> Answer:
    exact = network.forward([to_rational(e) for e in x])
    single = replay_float32(network, [float(e) for e in x])
    miss = float(_miss_of(case.outputs, np.array([single], dtype=np.float64))[0])
    return Answer(
        "sat",
        tuple(to_rational(e) for e in x),
        tuple(exact),
        0.0,
        tuple(float(e) for e in single),
        max(0.0, miss),
        parts,
        time.monotonic() - started,
        pose(network, case.outputs, case.box),
    )


def _miss_of(outputs: OutputSet, y: Any) -> Any:
    return np.min([_polyhedron_miss(p, y) for p in outputs.polyhedra], axis=0)


def replay_float32(network: Network, x: Sequence[float]) -> Any:
    """Return the network's output computed in float32 throughout."""
    a = np.asarray(x, dtype=np.float32)
    for layer in network.layers:
        z = layer.float_weights.astype(np.float32) @ a + layer.float_bias.astype(np.float32)
        a = np.asarray(layer.activation.numeric(z[None, :]), dtype=np.float32)[0]
    return a
