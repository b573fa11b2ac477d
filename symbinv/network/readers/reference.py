"""Parity: a network that was read is compared with what its source itself computes.

Readers can be wrong in ways that no type checks: a transposed kernel, a forgotten scaler, a wrong
slope. So the network is evaluated at a few points and compared with the source's own runtime, or with the
reference point that the file holds. A disagreement is an error that shows both values.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from symbinv.errors import ReadError
from symbinv.exact.matrix import ExactMatrix
from symbinv.network.network import Network

Array = NDArray[np.float64]

TOLERANCES = {"float16": 2e-2, "float32": 1e-4, "float64": 1e-9}
"""How far a runtime of that precision may stray from the exact map, relative to the values it passes through."""


def sample_inputs(network: Network, count: int = 3, seed: int = 0) -> Array:
    """Return points of shape (count, n0) inside the network's box, or of the size of standard normals."""
    generator = np.random.default_rng(seed)
    points = generator.standard_normal((count, network.sizes[0]))
    if network.box is None:
        return points
    low, high = network.box.to_numpy().T
    fraction = generator.random((count, network.sizes[0]))
    return np.where(np.isfinite(high - low), low + fraction * (high - low), points)


def evaluate(network: Network, x: Array) -> tuple[Array, Array]:
    """Return the outputs (k, m) at points (k, n0), and the largest magnitude that a sum passed through (k, 1).

    The magnitudes say how much cancellation there was: a float runtime errs by its precision times them.
    """
    a = np.array(x, dtype=np.float64)
    size = np.abs(a)
    with np.errstate(all="ignore"):
        for layer in network.layers:
            z = _times(layer.weights, a) + layer.float_bias
            size = _times(layer.weights, size, absolute=True) + np.abs(layer.float_bias)
            a = layer.activation.numeric(z)
            size = np.minimum(size, np.abs(a)) if layer.activation.image.is_bounded else size
            size = np.maximum(size, np.abs(a))
    return a, size.max(axis=1, keepdims=True)


def _times(weights: ExactMatrix, a: Array, absolute: bool = False) -> Array:
    matrix = weights.to_numpy()
    return np.asarray(a @ (np.abs(matrix) if absolute else matrix).T)


def check_parity(network: Network, run: Callable[[Array], Array], tolerance: float, runtime: str) -> str:
    """Compare a network with another runtime at a few points.

    Args:
        network: What was read.
        run: The other runtime, from points (k, n0) to outputs (k, m).
        tolerance: The relative difference that its precision explains; see TOLERANCES.
        runtime: Its name, for the message.

    Returns:
        A sentence for `Network.notes`.

    Raises:
        ReadError: Where the two disagree; shows the input and both outputs.
    """
    x = sample_inputs(network)
    compare(network, x, np.asarray(run(x), dtype=np.float64), tolerance, runtime)
    return f"checked against {runtime} at {len(x)} points"


def compare(network: Network, x: Array, expected: Array, tolerance: float, runtime: str) -> None:
    """Raise ReadError where the network's outputs at points x differ from the expected ones."""
    found, size = evaluate(network, x)
    if expected.shape != found.shape:
        raise ReadError(f"{runtime} gives outputs of shape {expected.shape}, the network that was read {found.shape}.")
    comparable = np.isfinite(expected) & np.isfinite(found)
    far = np.abs(expected - found) > tolerance * np.maximum(size, 1)
    wrong = np.flatnonzero((far & comparable).any(axis=1))
    if wrong.size:
        k = int(wrong[0])
        raise ReadError(
            f"the network that was read must agree with {runtime}, not give {_row(found[k])} where {runtime} gives "
            f"{_row(expected[k])}, at the input {_row(x[k])}."
        )


def _row(values: Array) -> str:
    shown = ", ".join(f"{v:.9g}" for v in values[:8])
    return f"[{shown}{', ...' if len(values) > 8 else ''}]"
