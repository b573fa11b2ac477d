"""How far errors grow on the way back: what double precision can promise of the backward pass, layer by layer.

An error e in the activations of a layer becomes e / f'(z) in z, then grows by the inverse of the layer's pivot block.
Both factors are read off at the points themselves: 1 / f' is large near saturation, where a holds few digits of z.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from symbinv.errors import OptionError
from symbinv.sampler.compile import Sampler
from symbinv.sampler.samples import Samples

Array = NDArray[np.float64]
ROUNDING = 2.0**-53


@dataclass(frozen=True, eq=False)
class LayerAmplification:
    """One layer of the way back.

    Attributes:
        layer: From 1.
        condition: Condition number (2-norm) of the map from right side and free variables to the pivot variables.
        saturation: The smallest distance of an activation of this layer from the ends of its image; inf for none.
        growth: Largest factor by which errors of this layer's outputs reach its inputs, over the points.
        direction: The right side (unit length, one entry per row) whose error grows most.
        is_precise: Whether the layer is so ill-conditioned that it is computed in twice the precision of doubles;
            what is left of the growth is that of errors which the values above bring along.
    """

    layer: int
    condition: float
    saturation: float
    growth: float
    direction: Array
    is_precise: bool


@dataclass(frozen=True, eq=False)
class Amplification:
    """The report on a set of points.

    Attributes:
        layers: Last layer first.
        predicted: Bound, to first order, on the error of each input from rounding of the free variables, (k,).
        achieved: Distance between each point and its free variables taken backward, (k,); NaN where a value left.
        residual: max over outputs of |f(x) - y| at the points taken backward, (k,); NaN where a value left.
        floor: Bound, to first order, on what rounding the inputs to doubles alone does to the outputs, (k,): no
            way to the inputs, however precise, can promise a smaller residual than about this.
    """

    layers: tuple[LayerAmplification, ...]
    predicted: Array
    achieved: Array
    residual: Array
    floor: Array

    def to_text(self) -> str:
        """Return the report as lines of text."""
        lines = [
            f"layer {a.layer}: condition {a.condition:.2g}, nearest to saturation {a.saturation:.2g}, errors grow by "
            f"up to {a.growth:.2g}" + (", computed in twice the precision" if a.is_precise else "")
            for a in self.layers
        ]
        whole = self.achieved[np.isfinite(self.achieved)]
        middle = f"{np.median(whole):.1e}" if len(whole) else "unknown"
        lines.append(
            f"error of the inputs: predicted at most {np.max(self.predicted, initial=0.0):.1e} (median "
            f"{np.median(self.predicted):.1e}), achieved {middle} in the median"
        )
        lines.append(
            f"residual at the outputs: {np.nanmax(self.residual, initial=0.0):.1e} at most; rounding the inputs alone "
            f"makes up to {np.max(self.floor, initial=0.0):.1e}"
        )
        return "\n".join(lines)


def error_amplification(sampler: Sampler, samples: Samples) -> Amplification:
    """Return how errors grow when the samples' free variables are taken backward.

    Args:
        sampler: From which the samples come.
        samples: At least one point.

    Raises:
        OptionError: For samples without points.

    Example:
        >>> from symbinv.inverse.invert import invert
        >>> from symbinv.network.network import Network
        >>> from symbinv.sampler.compile import compile_sampler
        >>> network = Network.from_arrays([[[1, 2, -1]]], [[0]], ["sigmoid"], box=[[-1, 1]] * 3)
        >>> sampler = compile_sampler(invert(network, ["0.5"]))
        >>> report = error_amplification(sampler, sampler.draw(50, seed=0))
        >>> len(report.layers), bool(report.achieved.max() < 1e-12)
        (1, True)
    """
    if not len(samples):
        raise OptionError("error_amplification needs at least one point; these samples hold none.")
    points = samples.points.astype(np.float64)
    a, outputs = points, []
    for layer in sampler.network.layers:
        a = layer.activation.numeric(a @ layer.float_weights.T + layer.float_bias)
        outputs.append(a)
    error = np.zeros((len(points), sampler.network.sizes[-1]))
    found = []
    with np.errstate(all="ignore"):
        for kernel in sampler.kernels:
            step = kernel.step
            rows, d = len(step.rows), len(step.reduction.free)
            values = outputs[step.index - 1]
            last = kernel is sampler.kernels[0]
            if not last:  # the target itself is exact, and its right side rounded once
                error = _through(sampler, step.index, values, error)
            right = error[:, list(step.rows)] if rows else np.zeros((len(points), 0))
            own = ROUNDING * np.abs(step.undo_numerically(values.T).T)
            right = right + np.where(np.isfinite(own), own, 0.0)
            block = np.abs(kernel.matrix[: len(step.columns)])
            inputs = points if step.index == 1 else outputs[step.index - 2]
            free = ROUNDING * np.abs(inputs)[:, [step.columns[j] for j in step.reduction.free if j < len(step.columns)]]
            free = np.pad(free, ((0, 0), (0, d - free.shape[1])), constant_values=ROUNDING)
            below = right @ block[:, :rows].T + free @ block[:, rows : rows + d].T
            whole = np.zeros((len(points), step.weights.columns))
            whole[:, list(step.columns)] = below + ROUNDING * np.abs(inputs)[:, list(step.columns)]
            pivots = kernel.matrix[list(step.reduction.pivots)]
            _, s, vt = np.linalg.svd(pivots[:, :rows]) if rows and len(pivots) else (0, np.ones(1), np.zeros((1, rows)))
            before = np.maximum(error.max(axis=1, initial=0.0), ROUNDING)
            found.append(
                LayerAmplification(
                    step.index,
                    float(s[0] / s[-1]) if s[-1] > 0 else float("inf"),
                    _distance_from_ends(sampler, step.index, values),
                    float(np.max(whole.max(axis=1, initial=0.0) / before, initial=0.0)),
                    vt[0],
                    kernel.precise is not None,
                )
            )
            error = whole
        back = sampler.backward(samples.free.astype(np.float64))
        achieved = np.abs(back - points).max(axis=1)
        residual = np.abs(sampler.forward(back) - np.array(samples.target)).max(axis=1)
    floor = _floor(sampler, points)
    return Amplification(tuple(found), error.max(axis=1, initial=0.0), achieved, residual, floor)


def _floor(sampler: Sampler, points: Array) -> Array:
    """Return the largest output error, to first order, of inputs that are off by half a unit in the last place."""
    a, error = points, ROUNDING * np.abs(points)
    for layer in sampler.network.layers:
        z = a @ layer.float_weights.T + layer.float_bias
        a = layer.activation.numeric(z)
        error = error @ np.abs(layer.float_weights).T
        if layer.activation.has_shift:  # |da_i| is at most 2 max |dz|, for softmax and its logarithm
            error = np.broadcast_to(2 * error.max(axis=1, keepdims=True), a.shape)
        else:
            error = error * np.abs(layer.activation.derivative(z, a))
    return np.asarray(error.max(axis=1, initial=0.0))


def _through(sampler: Sampler, index: int, values: Array, error: Array) -> Array:
    """Return the error of z from that of a: divided by the slope there, at most by the span of the doubles.

    Units on constant pieces have no z to be found; their entries stay as they are.
    """
    step = sampler.inverse.step(index)
    if step.shift is not None or step.activation.joint is not None:
        return error
    rows = list(step.rows)
    a = values[:, rows]
    slope = np.abs(step.activation.derivative(step.undo_numerically(values.T).T, a))
    result = error.copy()
    result[:, rows] = (error[:, rows] + ROUNDING * np.abs(a)) / np.maximum(slope, ROUNDING**2)
    return result


def _distance_from_ends(sampler: Sampler, index: int, values: Array) -> float:
    image = sampler.network.layers[index - 1].activation.image
    gaps = [np.inf]
    if image.lower is not None:
        gaps.append(float((values - float(image.lower)).min()))
    if image.upper is not None:
        gaps.append(float((float(image.upper) - values).min()))
    return min(gaps)
