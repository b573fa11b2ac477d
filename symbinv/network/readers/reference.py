"""Parity: a network that was read is compared with what its source itself computes.

Readers can be wrong in ways that no type checks: a transposed kernel, a forgotten scaler, a wrong
slope. So the network is evaluated at a few points and compared with the source's own runtime, or with the
reference point that the file holds. A disagreement is an error that shows both values.

How much of a difference rounding explains is estimated layer by layer and from above: a network is never refused
for its runtime's rounding, and in very deep networks (beyond ten layers or so) small faults may go unseen.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from symbinv.errors import ReadError
from symbinv.network.network import Network

Array = NDArray[np.float64]

UNITS = {"float16": 2.0**-10, "float32": 2.0**-23, "float64": 2.0**-52}
"""One unit in the last place of 1, by the type in which a runtime computes."""

_SAFETY = 16


def sample_inputs(network: Network, count: int = 3, seed: int = 0) -> Array:
    """Return points of shape (count, n0) inside the network's box, or of the size of standard normals."""
    generator = np.random.default_rng(seed)
    points = generator.standard_normal((count, network.sizes[0]))
    if network.box is None:
        return points
    low, high = network.box.to_numpy().T
    fraction = generator.random((count, network.sizes[0]))
    return np.where(np.isfinite(high - low), low + fraction * (high - low), points)


def evaluate(network: Network, x: Array, unit: float) -> tuple[Array, Array]:
    """Return the outputs (k, m) at points (k, n0), and how far a runtime of that precision may stray from each.

    A running estimate: each layer passes the error on through its absolute weights, adds that of its own sum,
    and an activation changes it as it changes the ends of z - error ... z + error.

    Args:
        network: The network.
        x: The points.
        unit: One unit in the last place of 1, see UNITS.
    """
    a = np.array(x, dtype=np.float64)
    error = unit * np.abs(a)
    with np.errstate(all="ignore"):
        for layer in network.layers:
            terms = 4 + np.sqrt(layer.weights.columns)
            z = layer.pre_activation(a)
            summed = layer.weights.times_floats(np.abs(a), absolute=True) + np.abs(layer.float_bias)
            error = layer.weights.times_floats(error, absolute=True) + terms * unit * summed
            act, a = layer.activation, layer.activation.numeric(z)
            if act.has_shift:
                moved = 2 * error.max(axis=1, keepdims=True)  # of a difference of two entries
                error = a * np.expm1(moved) if act.image.is_bounded else moved + 0 * a
            else:
                error = np.maximum(np.abs(act.numeric(z + error) - a), np.abs(act.numeric(z - error) - a))
            error = error + 4 * unit * np.maximum(np.abs(a), 1.0 if act.image.is_bounded else 0.0)
    return a, error


def check_parity(
    network: Network, run: Callable[[Array], Array], precision: str, runtime: str, points: Array | None = None
) -> str:
    """Compare a network with another runtime at a few points.

    Args:
        network: What was read.
        run: The other runtime, from points (k, n0) to outputs (k, m).
        precision: The type in which it computes: "float16", "float32" or "float64".
        runtime: Its name, for the message.
        points: Where to compare, (k, n0); chosen here where None.

    Returns:
        A sentence for `Network.notes`.

    Raises:
        ReadError: Where the two disagree; shows the input and both outputs.
    """
    x = sample_inputs(network) if points is None else points
    compare(network, x, np.asarray(run(x), dtype=np.float64), precision, runtime)
    return f"checked against {runtime} at {len(x)} points"


def compare(network: Network, x: Array, expected: Array, precision: str, runtime: str) -> None:
    """Raise ReadError where the network's outputs at points x differ from the expected ones."""
    found, error = evaluate(network, x, UNITS[precision])
    if expected.shape != found.shape:
        raise ReadError(f"{runtime} gives outputs of shape {expected.shape}, the network that was read {found.shape}.")
    comparable = np.isfinite(expected) & np.isfinite(found)
    with np.errstate(invalid="ignore"):
        far = np.abs(expected - found) > _SAFETY * error + np.finfo(np.float32).tiny
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
