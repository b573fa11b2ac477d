"""Activations that fall and then rise: square, silu and gelu, each undone on two branches.

Below its turning point z_0 such a function falls, above it rises, so a value a > f(z_0) has one z on each side (none
on the left for a >= 0 where the left branch tends to 0). silu's branches are z = a + W_k(a e^{-a}) with Lambert's W
(k = 0 right, -1 left); gelu's have no closed form and are found by root-finding, in floats or in balls.

Near the turning point z depends on sqrt(a - f(z_0)), so the doubles are inverted there by f's Taylor series about z_0,
with a - f(z_0) taken from f(z_0) in two parts; elsewhere by Newton's method, on log(-a) on the left, where a may be
as small as a subnormal.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from math import isqrt
from typing import Any

import numpy as np
import sympy

from symbinv.exact.ball import ball, lower_bound, precision, taylor, upper_bound, working_bits
from symbinv.exact.interval import Interval
from symbinv.exact.loglinear import Function, LogLinear
from symbinv.network.activations.entry import Activation, Array, Ball, Branch, Entries, Inverse1D, two_parts

BITS = 400  # of the turning point, where it is rounded outward
SERIES_LENGTH = 30
SERIES_REACH = 0.25  # how far from the turning point the Taylor series is used

# -- square -------------------------------------------------------------------------------------------


SQRT = Function("sqrt", lambda u: u.sqrt(), sympy.sqrt)


def _square_root(a: LogLinear) -> LogLinear | None:
    if not a.is_rational:
        return LogLinear.apply(SQRT, a)
    p, q = a.constant.numerator, a.constant.denominator
    if p < 0:
        return None
    if isqrt(p) ** 2 == p and isqrt(q) ** 2 == q:
        return LogLinear.rational(Fraction(isqrt(p), isqrt(q)))
    return LogLinear.apply(SQRT, a)


def _negated(root: LogLinear | None) -> LogLinear | None:
    return None if root is None else -root


def _square() -> Activation:
    left = Inverse1D(lambda a: -sympy.sqrt(a), lambda a: -np.sqrt(a), lambda a: _negated(_square_root(a)))
    right = Inverse1D(sympy.sqrt, np.sqrt, _square_root)
    from_zero = Interval.closed(0, None)

    def numeric(z: Array) -> Array:
        with np.errstate(over="ignore"):
            return z * z

    return Activation(
        name="square",
        symbolic=lambda z: z**2,
        numeric=numeric,
        derivative=lambda z, a: 2 * z,
        ball=lambda z: z**2,
        ball_derivative=lambda z, a: 2 * z,
        image=from_zero,
        branches=(
            Branch("left", Interval.closed(None, 0), from_zero, False, left, (Fraction(0), Fraction(0))),
            Branch("right", from_zero, from_zero, True, right, (Fraction(0), Fraction(0))),
        ),
    )


# -- silu and gelu ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Valley:
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
class _Turning:
    """A valley's lowest point, for exact bounds and for doubles."""

    z: tuple[Fraction, Fraction]
    value: tuple[Fraction, Fraction]
    float_z: float
    high: float
    low: float
    series: tuple[float, ...]


@cache
def _turning(kind: str) -> _Turning:
    """Return where a valley is lowest, with f's Taylor coefficients there; computed once, when first needed."""
    valley = VALLEYS[kind]
    with precision(BITS):
        z = valley.turning_point()
        value = valley.ball(z)
        coefficients = taylor(valley.series, z.mid(), SERIES_LENGTH)
        middle = (lower_bound(value) + upper_bound(value)) / 2
        high, low = two_parts(middle)
        return _Turning(
            (lower_bound(z), upper_bound(z)),
            (lower_bound(value), upper_bound(value)),
            float(z.mid()),
            high,
            low,
            tuple(float(c.mid()) for c in coefficients[2:]),
        )


def _numeric_inverse(kind: str, side: int) -> Callable[[Array], Array]:
    """Return the inverse of a valley's branch on arrays: side -1 left of the turning point, 1 right of it."""

    def inverse(values: Array) -> Array:
        a = np.asarray(values, dtype=np.float64)
        turning, valley = _turning(kind), VALLEYS[kind]
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


def _by_series(turning: _Turning, above: Array, side: int) -> Array:
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


def _left(valley: _Valley, a: Array) -> Array:
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


def _right(valley: _Valley, a: Array) -> Array:
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


def _ball_inverse(kind: str, side: int) -> Callable[[Ball], Ball]:
    """Return a branch's inverse on balls of values above f(z_0)."""

    def inverse(value: Ball) -> Ball:
        ends = [_root_at(kind, side, e) for e in ((value.lower(), value.upper()) if not value.is_exact() else (value,))]
        return ends[0] if len(ends) == 1 else ends[0].union(ends[1])

    return inverse


def _root_at(kind: str, side: int, value: Ball) -> Ball:
    valley = VALLEYS[kind]
    turning = valley.turning_point()
    if not value > valley.ball(turning) or (side < 0 and not value < 0):
        return type(value).nan()
    if side > 0:
        return valley.root(value, turning.upper(), abs(value) + 1)
    far = ball(-4)
    while not valley.ball(far) > value:
        far = far * 2
    return valley.root(value, turning.lower(), far)


def _exact_inverse(kind: str, side: int, function: Function) -> Callable[[LogLinear], LogLinear | None]:
    def inverse(a: LogLinear) -> LogLinear | None:
        """Return z, None where a is not surely above the turning value."""
        for bits in (64, 256, 1024):
            with precision(bits):
                value, valley = a.enclose(), VALLEYS[kind]
                if value > valley.ball(valley.turning_point()) and (side > 0 or value < 0):
                    zero = a.is_rational and a.constant == 0
                    return LogLinear.rational(0) if zero else LogLinear.apply(function, a)
        return None

    return inverse


def _branches(
    kind: str, symbolic: Callable[[int], Callable[[sympy.Expr], sympy.Expr]], claim: str
) -> tuple[Branch, ...]:
    turning = _turning(kind)
    lowest = turning.value[0]
    made = []
    for side, name in ((-1, "left"), (1, "right")):
        function = Function(f"{kind}_{name}_inverse", _ball_inverse(kind, side), symbolic(side))
        inverse = Inverse1D(symbolic(side), _numeric_inverse(kind, side), _exact_inverse(kind, side, function))
        z = Interval.closed(None, turning.z[1]) if side < 0 else Interval.closed(turning.z[0], None)
        image = Interval(lowest, Fraction(0), False, True) if side < 0 else Interval.closed(lowest, None)
        made.append(Branch(name, z, image, side > 0, inverse, turning.z, claim))
    return tuple(made)


def _silu_numeric(z: Array) -> Array:
    small = np.exp(-np.abs(z))
    return z * (np.where(z >= 0, 1, small) / (1 + small))


def _silu_derivative(z: Array) -> Array:
    small = np.exp(-np.abs(z))
    s, t = np.where(z >= 0, 1, small) / (1 + small), np.where(z >= 0, small, 1) / (1 + small)
    return s * (1 + z * t)


def _silu_log_left(z: Array) -> tuple[Array, Array]:
    small = np.exp(z)
    return np.log(-z) + z - np.log1p(small), 1 / z + 1 / (1 + small)


def _silu() -> Activation:
    def symbolic(side: int) -> Callable[[sympy.Expr], sympy.Expr]:
        return lambda a: a + sympy.LambertW(a * sympy.exp(-a), 0 if side > 0 else -1)

    valley = VALLEYS["silu"]
    return Activation(
        name="silu",
        symbolic=lambda z: z / (1 + sympy.exp(-z)),
        numeric=_silu_numeric,
        derivative=lambda z, a: _silu_derivative(z),
        ball=valley.ball,
        ball_derivative=lambda z, a: valley.slope(z),
        image=Interval.closed(_turning("silu").value[0], None),
        branches=_branches("silu", symbolic, "exact"),
    )


def _gelu_numeric(z: Array) -> Array:
    from scipy.special import ndtr

    return np.asarray(z * ndtr(z))


def _density(z: Array) -> Array:
    return np.exp(-0.5 * np.minimum(np.abs(z), 40.0) ** 2) / np.sqrt(2 * np.pi)


def _gelu_derivative(z: Array) -> Array:
    from scipy.special import ndtr

    return np.asarray(ndtr(z) + z * _density(z))


def _gelu_log_left(z: Array) -> tuple[Array, Array]:
    from scipy.special import log_ndtr

    log_tail = log_ndtr(z)
    return np.log(-z) + log_tail, 1 / z + np.exp(-0.5 * z * z - 0.5 * np.log(2 * np.pi) - log_tail)


def _gelu_tail(z: Ball) -> Ball:
    return (-z / type(z)(2).sqrt()).erfc() / 2


def _gelu_slope(z: Ball) -> Ball:
    return _gelu_tail(z) + z * (-z * z / 2).exp() / (2 * type(z).pi()).sqrt()


def _gelu_series(z: Any) -> Any:
    return z * (1 + (z / ball(2).sqrt()).erf()) / 2


class GeluBranchInverse(sympy.Function):  # type: ignore[misc]
    """The inverse of gelu on one branch: no closed form, but a value (by balls) and a derivative."""

    nargs = 1
    side = 1

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        """Return 1 / gelu'(z) with z the value of the inverse."""
        slope = (1 + sympy.erf(self / sympy.sqrt(2))) / 2 + self * sympy.exp(-(self**2) / 2) / sympy.sqrt(2 * sympy.pi)
        return 1 / slope

    def _eval_evalf(self, bits: int) -> sympy.Expr:
        argument = self.args[0]._eval_evalf(bits + 20)
        if not (argument.is_Float or argument.is_Rational):
            return self
        exact = sympy.Rational(argument)
        with precision(bits + 20):
            found = _ball_inverse("gelu", self.side)(ball(Fraction(int(exact.p), int(exact.q))))
        return sympy.Float(str(found.mid().str(int(bits * 0.302) + 10, radius=False)), precision=bits)

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        name = "right" if self.side > 0 else "left"
        whole = rf"\operatorname{{gelu}}^{{-1}}_{{\mathrm{{{name}}}}}\left({printer.doprint(self.args[0])}\right)"
        return whole if exp is None else rf"\left({whole}\right)^{{{exp}}}"


class gelu_left_inverse(GeluBranchInverse):  # noqa: N801  # a function, named as SymPy names its own
    """The z below gelu's turning point."""

    side = -1


class gelu_right_inverse(GeluBranchInverse):  # noqa: N801
    """The z above gelu's turning point."""

    side = 1


def _gelu() -> Activation:
    def symbolic(side: int) -> Callable[[sympy.Expr], sympy.Expr]:
        return gelu_right_inverse if side > 0 else gelu_left_inverse

    valley = VALLEYS["gelu"]
    return Activation(
        name="gelu",
        symbolic=lambda z: z * (1 + sympy.erf(z / sympy.sqrt(2))) / 2,
        numeric=_gelu_numeric,
        derivative=lambda z, a: _gelu_derivative(z),
        ball=valley.ball,
        ball_derivative=lambda z, a: valley.slope(z),
        image=Interval.closed(_turning("gelu").value[0], None),
        branches=_branches("gelu", symbolic, "numeric"),
    )


def _silu_slope(z: Ball) -> Ball:
    s = 1 / (1 + (-z).exp())
    return s * (1 + z / (1 + z.exp()))


VALLEYS = {
    "silu": _Valley(
        ball=lambda z: z / (1 + (-z).exp()),
        slope=_silu_slope,
        series=lambda z: z / (1 + (-z).exp()),
        numeric=_silu_numeric,
        derivative=_silu_derivative,
        log_left=_silu_log_left,
        left_start=lambda log_a: 2 * log_a - 5,
    ),
    "gelu": _Valley(
        ball=lambda z: z * _gelu_tail(z),
        slope=_gelu_slope,
        series=_gelu_series,
        numeric=_gelu_numeric,
        derivative=_gelu_derivative,
        log_left=_gelu_log_left,
        left_start=lambda log_a: -np.sqrt(-2 * log_a) - 1,
    ),
}

ENTRIES: Entries = {"square": (_square, {}), "silu": (_silu, {}), "gelu": (_gelu, {})}
