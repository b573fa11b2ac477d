"""Interval bounds forward through a network: rational ends that surely contain the exact values."""

from collections.abc import Sequence
from fractions import Fraction

from symbinv.exact.ball import ball, lower_bound, precision, upper_bound
from symbinv.exact.interval import REAL_LINE, Interval
from symbinv.exact.matrix import ExactMatrix
from symbinv.network.activation import Activation, Piece
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
    """Return an interval that contains f(z) for z in an interval.

    A monotone f is bounded by its ends; one that falls and rises branch by branch; pieces each by their ends. The whole
    image is returned where nothing else is known (softmax).
    """
    if activation.is_identity:
        return z
    if activation.is_monotone:
        return _monotone_interval(activation, z, activation.image, True)
    if activation.joint is not None:
        return activation.image
    if activation.branches is not None:
        parts = [(b.z, b.image, b.increasing) for b in activation.branches]
    elif activation.pieces is not None:
        parts = [(Interval.closed(p.lower, p.upper), _line_image(p), p.slope >= 0) for p in activation.pieces]
    else:
        return activation.image
    met = [
        _monotone_interval(activation, inner, image, rising)
        for range_, image, rising in parts
        if (inner := _intersection(z, range_)) is not None
    ]
    return _hull(met) if met else activation.image


def _monotone_interval(activation: Activation, z: Interval, image: Interval, rising: bool) -> Interval:
    """Bound f over an interval on which it is monotone, with the given image there."""
    if not rising:
        z = Interval(z.upper, z.lower, z.open_upper, z.open_lower)  # ends in the order of their values
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


def _line_image(piece: Piece) -> Interval:
    """Return the values of a piece; its ends are attained."""
    ends = [None if e is None else piece.slope * e + piece.intercept for e in (piece.lower, piece.upper)]
    if piece.is_constant:
        return Interval.closed(piece.intercept, piece.intercept)
    return Interval.closed(*(ends if piece.slope > 0 else reversed(ends)))


def _intersection(a: Interval, b: Interval) -> Interval | None:
    """Return the closed interval common to both, or None."""
    lowers = [e for e in (a.lower, b.lower) if e is not None]
    uppers = [e for e in (a.upper, b.upper) if e is not None]
    lower, upper = max(lowers, default=None), min(uppers, default=None)
    return None if lower is not None and upper is not None and lower > upper else Interval.closed(lower, upper)


def _hull(intervals: Sequence[Interval]) -> Interval:
    """Return the smallest interval that contains all."""
    lowest = min(intervals, key=lambda i: (i.lower is not None, i.lower or 0, i.open_lower))
    highest = max(intervals, key=lambda i: (i.upper is None, i.upper or 0, not i.open_upper))
    return Interval(lowest.lower, highest.upper, lowest.open_lower, highest.open_upper)


def forward_intervals(layers: Sequence[Layer], inputs: Sequence[Interval]) -> tuple[Interval, ...]:
    """Return an interval for every output of a chain of layers."""
    current = tuple(inputs)
    for layer in layers:
        z = affine_intervals(layer.weights, layer.bias, current)
        current = tuple(activation_interval(layer.activation, interval) for interval in z)
    return current
