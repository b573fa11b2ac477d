"""A function that falls to one minimum and rises from there, undone on either side of it.

Near the turning point z_0 the inverse depends on sqrt(a - f(z_0)), so the doubles are inverted there by f's Taylor
series about z_0, with a - f(z_0) taken from f(z_0) in two parts; elsewhere by Newton's method, on log(-a) on the left,
where a may be as small as a subnormal. Balls are inverted by bisection, every sign proved.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import sympy

from symbinv.exact.ball import ball, lower_bound, precision, taylor, upper_bound, working_bits
from symbinv.exact.interval import Interval
from symbinv.exact.loglinear import Function, LogLinear
from symbinv.network.activations.entry import Array, Ball, Branch, Inverse1D, two_parts

BITS = 400  # of the turning point, where it is rounded outward
SERIES_LENGTH = 30
SERIES_REACH = 0.25  # how far from the turning point the Taylor series is used


@dataclass(frozen=True)
class Valley:
    """A function that falls to its minimum at z_0 < 0 and rises from there; tends to 0 on the left, to z on the right.

    Attributes:
        ball: f on a ball.
        slope: f' on a ball.
        series: f on a power series.
        numeric: f on arrays, and its derivative.
        log_left: log(-f) on arrays, for z < z_0, and its derivative f'/f.
        left_start: From log(-a), a z surely left of the root.
    """

    ball: Callable[[Ball], Ball]
    slope: Callable[[Ball], Ball]
    series: Callable[[Any], Any]
    numeric: Callable[[Array], Array]
    derivative: Callable[[Array], Array]
    log_left: Callable[[Array], tuple[Array, Array]]
    left_start: Callable[[Array], Array]

    def root(self, value: Ball, low: Ball, high: Ball) -> Ball:
        """Return a ball around the z between low and high with f(z) = value, f monotone there: the bracket halved
        until its length is below the working precision, each sign proved.
        """
        bits = working_bits()
        low, high = low.mid(), high.mid()
        at_low = self.ball(low) - value
        rising = at_low < 0
        if not rising and not at_low > 0:
            return type(low)(low).union(high)
        for _ in range(bits + 40):
            middle = ((low + high) / 2).mid()
            there = self.ball(middle) - value
            if there < 0:
                low, high = (middle, high) if rising else (low, middle)
            elif there > 0:
                low, high = (low, middle) if rising else (middle, high)
            else:
                break
        return low.union(high)

    def turning_point(self) -> Ball:
        """Return a ball around z_0, the zero of f' in (-2, 0), at the current precision."""
        low, high = ball(-2), ball(-1) / 2
        for _ in range(working_bits() + 10):
            middle = ((low + high) / 2).mid()
            there = self.slope(middle)
            if there < 0:
                low = middle
            elif there > 0:
                high = middle
            else:
                break
        return low.union(high)


@dataclass(frozen=True)
class Turning:
    """A valley's lowest point, for exact bounds and for doubles."""

    z: tuple[Fraction, Fraction]
    value: tuple[Fraction, Fraction]
    float_z: float
    high: float
    low: float
    series: tuple[float, ...]


@cache
def turning_of(valley: Valley) -> Turning:
    """Return where a valley is lowest, with f's Taylor coefficients there; computed once, when first needed."""
    with precision(BITS):
        z = valley.turning_point()
        value = valley.ball(z)
        coefficients = taylor(valley.series, z.mid(), SERIES_LENGTH)
        middle = (lower_bound(value) + upper_bound(value)) / 2
        high, low = two_parts(middle)
        return Turning(
            (lower_bound(z), upper_bound(z)),
            (lower_bound(value), upper_bound(value)),
            float(z.mid()),
            high,
            low,
            tuple(float(c.mid()) for c in coefficients[2:]),
        )


def numeric_inverse(valley: Valley, side: int) -> Callable[[Array], Array]:
    """Return the inverse of a valley's branch on arrays: side -1 left of the turning point, 1 right of it."""

    def inverse(values: Array) -> Array:
        a = np.asarray(values, dtype=np.float64)
        turning = turning_of(valley)
        above = (a - turning.high) - turning.low  # a - f(z_0), exact to its last digit near the turning point
        outside = ~(above >= 0) | ((a >= 0) if side < 0 else np.zeros(a.shape, dtype=bool))
        safe = np.where(outside, turning.high / 2, a)
        step = _by_series(turning, np.where(outside, 0.0, above), side)
        near = np.abs(step) < SERIES_REACH
        far = _left(valley, safe) if side < 0 else _right(valley, safe)
        result = np.where(near, turning.float_z + step, far)
        result = np.where(np.isposinf(a) & (side > 0), np.inf, result)
        return np.where(outside, np.nan, result)

    return inverse


def _by_series(turning: Turning, above: Array, side: int) -> Array:
    """Solve sum c_k t^k = above for small t of the given sign; nothing cancels, since c_2 t^2 leads."""
    t = side * np.sqrt(np.minimum(above, 1.0) / turning.series[0])
    orders = np.arange(2, 2 + len(turning.series))
    for _ in range(12):
        clipped = np.clip(t, -2 * SERIES_REACH, 2 * SERIES_REACH)
        total = np.zeros_like(clipped)
        slope = np.zeros_like(clipped)
        for k, c in zip(orders[::-1], turning.series[::-1], strict=True):
            total = total * clipped + c
            slope = slope * clipped + k * c
        move = (total * clipped * clipped - above) / np.where(clipped == 0, 1.0, slope * clipped)
        t = np.where(clipped == 0, 0.0, clipped - move)
    return np.where(np.sign(t) == -side, 0.0, t)


def _left(valley: Valley, a: Array) -> Array:
    """Newton's method on log(-f), which is concave, from the left, where its steps never pass the root."""
    with np.errstate(all="ignore"):
        goal = np.log(-np.minimum(a, -0.0))
    goal = np.where(np.isfinite(goal), goal, -1.5)
    z = valley.left_start(goal)
    for _ in range(40):
        value, slope = valley.log_left(z)
        move = (goal - value) / slope
        z = np.minimum(z + move, -0.5)
        if np.all(np.abs(move) <= 1e-16 * np.abs(z)):
            break
    return z


def _right(valley: Valley, a: Array) -> Array:
    """Newton's method on f between the brackets that hold right of the turning point."""
    large = a > 50
    held = np.where(large, 50.0, a)
    low, high = np.where(held > 0, held, -1.5), np.where(held > 0, 2 * held, held)
    z = np.where(held > 0, np.minimum(2 * held, held + 0.15), np.maximum(2 * held, -0.7))
    for _ in range(60):
        value, slope = valley.numeric(z), valley.derivative(z)
        high, low = np.where(value >= held, np.minimum(high, z), high), np.where(value <= held, np.maximum(low, z), low)
        moved = z - (value - held) / np.where(slope > 0, slope, 1.0)
        inside = (moved >= low) & (moved <= high) & (slope > 0)
        moved = np.where(inside, moved, (low + high) / 2)
        if np.all(np.abs(moved - z) <= 1e-16 * np.abs(z)):
            z = moved
            break
        z = moved
    return np.where(large, a, np.where(a == 0, 0.0, z))


def ball_inverse(valley: Valley, side: int) -> Callable[[Ball], Ball]:
    """Return a branch's inverse on balls of values above f(z_0)."""

    def inverse(value: Ball) -> Ball:
        ends = [
            _root_at(valley, side, e) for e in ((value.lower(), value.upper()) if not value.is_exact() else (value,))
        ]
        return ends[0] if len(ends) == 1 else ends[0].union(ends[1])

    return inverse


def _root_at(valley: Valley, side: int, value: Ball) -> Ball:
    turning = valley.turning_point()
    if not value > valley.ball(turning) or (side < 0 and not value < 0):
        return type(value).nan()
    if side > 0:
        return valley.root(value, turning.upper(), abs(value) + 1)
    far = ball(-4)
    while not valley.ball(far) > value:
        far = far * 2
    return valley.root(value, turning.lower(), far)


def exact_inverse(valley: Valley, side: int, function: Function) -> Callable[[LogLinear], LogLinear | None]:
    """Return a branch's inverse on exact reals."""

    def inverse(a: LogLinear) -> LogLinear | None:
        """Return z, None where a is not surely above the turning value."""
        for bits in (64, 256, 1024):
            with precision(bits):
                value = a.enclose()
                if value > valley.ball(valley.turning_point()) and (side > 0 or value < 0):
                    zero = a.is_rational and a.constant == 0
                    return LogLinear.rational(0) if zero else LogLinear.apply(function, a)
        return None

    return inverse


def valley_branches(
    name: str, valley: Valley, symbolic: Callable[[int], Callable[[sympy.Expr], sympy.Expr]], claim: str
) -> tuple[Branch, ...]:
    """Return the left and the right branch of a valley.

    Args:
        name: Of the activation.
        valley: The function.
        symbolic: From a side, -1 or 1, to the inverse on SymPy expressions.
        claim: "exact" or "numeric".
    """
    turning = turning_of(valley)
    lowest = turning.value[0]
    made = []
    for side, which in ((-1, "left"), (1, "right")):
        function = Function(f"{name}_{which}_inverse", ball_inverse(valley, side), symbolic(side))
        inverse = Inverse1D(symbolic(side), numeric_inverse(valley, side), exact_inverse(valley, side, function))
        z = Interval.closed(None, turning.z[1]) if side < 0 else Interval.closed(turning.z[0], None)
        image = Interval(lowest, Fraction(0), False, True) if side < 0 else Interval.closed(lowest, None)
        made.append(Branch(which, z, image, side > 0, inverse, turning.z, claim))
    return tuple(made)
