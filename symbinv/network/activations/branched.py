"""Activations that fall and then rise: square, silu and gelu, each undone on two branches.

Below its turning point z_0 such a function falls, above it rises, so a value a > f(z_0) has one z on each side (none
on the left for a >= 0 where the left branch tends to 0). silu's branches are z = a + W_k(a e^{-a}) with Lambert's W
(k = 0 right, -1 left); gelu's have no closed form and are found by root-finding, in floats or in balls.
"""

from collections.abc import Callable
from fractions import Fraction
from math import isqrt
from typing import Any

import numpy as np
import sympy

from symbinv.exact.ball import ball, precision
from symbinv.exact.interval import Interval
from symbinv.exact.loglinear import Function, LogLinear
from symbinv.network.activations.entry import Activation, Array, Ball, Branch, Entries, Inverse1D
from symbinv.network.activations.valley import Valley, ball_inverse, turning_of, valley_branches

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

    return Activation(
        name="silu",
        symbolic=lambda z: z / (1 + sympy.exp(-z)),
        numeric=_silu_numeric,
        derivative=lambda z, a: _silu_derivative(z),
        ball=SILU.ball,
        ball_derivative=lambda z, a: SILU.slope(z),
        image=Interval.closed(turning_of(SILU).value[0], None),
        branches=valley_branches("silu", SILU, symbolic, "exact"),
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
            found = ball_inverse(GELU, self.side)(ball(Fraction(int(exact.p), int(exact.q))))
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

    return Activation(
        name="gelu",
        symbolic=lambda z: z * (1 + sympy.erf(z / sympy.sqrt(2))) / 2,
        numeric=_gelu_numeric,
        derivative=lambda z, a: _gelu_derivative(z),
        ball=GELU.ball,
        ball_derivative=lambda z, a: GELU.slope(z),
        image=Interval.closed(turning_of(GELU).value[0], None),
        branches=valley_branches("gelu", GELU, symbolic, "numeric"),
    )


def _silu_slope(z: Ball) -> Ball:
    s = 1 / (1 + (-z).exp())
    return s * (1 + z / (1 + z.exp()))


SILU = Valley(
    ball=lambda z: z / (1 + (-z).exp()),
    slope=_silu_slope,
    series=lambda z: z / (1 + (-z).exp()),
    numeric=_silu_numeric,
    derivative=_silu_derivative,
    log_left=_silu_log_left,
    left_start=lambda log_a: 2 * log_a - 5,
)
GELU = Valley(
    ball=lambda z: z * _gelu_tail(z),
    slope=_gelu_slope,
    series=_gelu_series,
    numeric=_gelu_numeric,
    derivative=_gelu_derivative,
    log_left=_gelu_log_left,
    left_start=lambda log_a: -np.sqrt(-2 * log_a) - 1,
)

ENTRIES: Entries = {"square": (_square, {}), "silu": (_silu, {}), "gelu": (_gelu, {})}
