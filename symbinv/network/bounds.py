"""Interval bounds forward through a network: rational ends that surely contain the exact values."""

from collections.abc import Sequence
from fractions import Fraction

from symbinv.exact.ball import ball, lower_bound, precision, upper_bound
from symbinv.exact.interval import REAL_LINE, Interval
from symbinv.exact.matrix import ExactMatrix
from symbinv.network.activation import Activation
from symbinv.network.network import Layer

BITS = 80


def box_intervals(box: ExactMatrix | None, inputs: int) -> tuple[Interval, ...]:
    """Return the closed interval of every input; the real line where there is no box."""
    if box is None:
        return (REAL_LINE,) * inputs
    return tuple(Interval.closed(low, high) for low, high in box.fractions())


def affine_intervals(weights: ExactMatrix, bias: ExactMatrix, inputs: Sequence[Interval]) -> tuple[Interval, ...]:
    """Return an interval for every row of W x + b over a product of intervals (exact ends)."""
    result = []
    for row, (constant,) in zip(weights.fractions(), bias.fractions(), strict=True):
        ends: list[Fraction | None] = [constant, constant]
        is_open = [False, False]
        for w, interval in zip(row, inputs, strict=True):
            if w == 0:
                continue
            for side in (0, 1):
                low = (w > 0) == (side == 0)
                end = interval.lower if low else interval.upper
                so_far = ends[side]
                ends[side] = None if end is None or so_far is None else so_far + w * end
                is_open[side] |= interval.open_lower if low else interval.open_upper
        result.append(Interval(ends[0], ends[1], is_open[0] or ends[0] is None, is_open[1] or ends[1] is None))
    return tuple(result)


def activation_interval(activation: Activation, z: Interval) -> Interval:
    """Return an interval that contains f(z) for z in an interval; the whole image where f is not monotone."""
    image = activation.image
    monotone = not activation.has_shift and (
        activation.inverse is not None
        or (activation.pieces is not None and all(piece.slope >= 0 for piece in activation.pieces))
    )
    if not monotone or activation.is_identity:
        return z if activation.is_identity else image
    with precision(BITS):
        lower = None if z.lower is None else lower_bound(activation.ball(ball(z.lower)))
        upper = None if z.upper is None else upper_bound(activation.ball(ball(z.upper)))
    # ends rounded outward are closed, unless the image's own end is the tighter one
    keep_lower = lower is None or (image.lower is not None and lower <= image.lower)
    keep_upper = upper is None or (image.upper is not None and upper >= image.upper)
    return Interval(
        image.lower if keep_lower else lower,
        image.upper if keep_upper else upper,
        image.open_lower if keep_lower else False,
        image.open_upper if keep_upper else False,
    )


def forward_intervals(layers: Sequence[Layer], inputs: Sequence[Interval]) -> tuple[Interval, ...]:
    """Return an interval for every output of a chain of layers."""
    current = tuple(inputs)
    for layer in layers:
        z = affine_intervals(layer.weights, layer.bias, current)
        current = tuple(activation_interval(layer.activation, interval) for interval in z)
    return current
