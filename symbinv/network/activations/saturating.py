"""Smooth one-to-one activations: identity's curved relatives, each undone by a formula."""

from fractions import Fraction

import numpy as np
import sympy

from symbinv.errors import OptionError
from symbinv.exact.ball import pi, precision, upper_bound
from symbinv.exact.interval import Interval
from symbinv.exact.loglinear import Function, LogLinear
from symbinv.network.activations.entry import (
    Activation,
    Array,
    Ball,
    Entries,
    Inverse1D,
    Parameter,
    as_expression,
    as_float,
    as_number,
    by_ends,
    in_balls,
    parameters,
    split_at_zero,
    two_parts,
)

LN2 = 0.6931471805599453, 2.3190468138462996e-17  # log 2 = their sum, to 107 bits


def _sigmoid_numeric(z: Array) -> Array:
    small = np.exp(-np.abs(z))
    return np.where(z >= 0, 1, small) / (1 + small)


def _sigmoid() -> Activation:
    def logit(a: Array) -> Array:
        # log a - log(1 - a) loses its digits near 1/2, where 2 artanh(2a - 1) keeps them; 2a - 1 is exact there
        middle = 2 * a - 1
        near_half = np.abs(middle) < 0.5
        return np.where(near_half, 2 * np.arctanh(np.where(near_half, middle, 0)), np.log(a) - np.log1p(-a))

    return Activation(
        name="sigmoid",
        symbolic=lambda z: 1 / (1 + sympy.exp(-z)),
        numeric=_sigmoid_numeric,
        derivative=lambda z, a: a * _sigmoid_numeric(-z),
        ball=lambda z: 1 / (1 + (-z).exp()),
        ball_derivative=lambda z, a: a * (1 / (1 + z.exp())),
        image=Interval.open(0, 1),
        inverse=Inverse1D(
            symbolic=lambda a: sympy.log(a / (1 - a)),
            numeric=logit,
            exact=lambda a: LogLinear.log(a) - LogLinear.log(LogLinear.rational(1) - a),
        ),
    )


def _tanh() -> Activation:
    def sech_squared(z: Array, a: Array) -> Array:
        small = np.exp(-2 * np.minimum(np.abs(z), 400.0))
        return 4 * small / (1 + small) ** 2

    def exact(a: LogLinear) -> LogLinear:
        one = LogLinear.rational(1)
        return (LogLinear.log(one + a) - LogLinear.log(one - a)) * Fraction(1, 2)

    return Activation(
        name="tanh",
        symbolic=sympy.tanh,
        numeric=np.tanh,
        derivative=sech_squared,
        ball=lambda z: z.tanh(),
        ball_derivative=lambda z, a: 1 / z.cosh() ** 2,
        image=Interval.open(-1, 1),
        inverse=Inverse1D(symbolic=sympy.atanh, numeric=np.arctanh, exact=exact),
    )


LOG_EXPM1 = Function("log_expm1", lambda u: u.expm1().log(), lambda u: sympy.log(sympy.exp(u) - 1))


def _softplus(beta: Parameter) -> Activation:
    """A = log(1 + exp(beta z)) / beta."""
    if not isinstance(beta, sympy.Symbol) and beta <= 0:
        raise OptionError(f"beta of softplus must be positive, not {beta}.")
    rate = as_expression(beta)

    def numeric(z: Array) -> Array:
        b = as_float(beta)
        return np.maximum(z, 0) + np.log1p(np.exp(-_times(b, np.abs(z)))) / b

    def numeric_inverse(a: Array) -> Array:
        # z = log(e^u - 1)/beta with u = beta a: log expm1(u) for small u, log1p(2 expm1(u - log 2)) near the zero
        # of z, where u - log 2 is taken in two parts, and u + log(1 - e^-u) where e^u overflows
        high, low = two_parts(as_number(beta))
        u = high * a
        near = np.abs(u - LN2[0]) < 0.3
        held = np.where(near, a, 0.0)
        product, rest = _two_product(np.full_like(held, high), held)
        off = ((product - LN2[0]) + rest) + (low * held - LN2[1])
        is_tiny = u < 1e-300  # u itself may be subnormal or round to zero
        small = np.log(np.expm1(np.where(near | is_tiny, 1.0, np.minimum(u, 1.0))))
        large = u + np.log1p(-np.exp(-np.maximum(u, 1.0)))
        small = np.where(is_tiny, np.log(high) + np.log(a), small)
        return np.where(near, np.log1p(2 * np.expm1(np.where(near, off, 0.0))), np.where(u < 1.0, small, large)) / high

    return Activation(
        name="softplus",
        symbolic=lambda z: sympy.log(1 + sympy.exp(rate * z)) / rate,
        numeric=numeric,
        derivative=lambda z, a: _sigmoid_numeric(_times(as_float(beta), z)),
        ball=by_ends(lambda z: (in_balls(beta, z) * z).exp().log1p() / in_balls(beta, z)),
        ball_derivative=lambda z, a: 1 / (1 + (-in_balls(beta, z) * z).exp()),
        image=Interval.open(0, None),
        inverse=Inverse1D(
            symbolic=lambda a: sympy.log(sympy.exp(rate * a) - 1) / rate,
            numeric=numeric_inverse,
            exact=lambda a: LogLinear.apply(LOG_EXPM1, a * as_number(beta)) * (1 / as_number(beta)),
        ),
        parameters=parameters() if beta == 1 else parameters(beta=beta),
    )


def _times(factor: float, z: Array) -> Array:
    """Return factor * z; an overflow is the infinity that an exponential then takes to its limit."""
    with np.errstate(over="ignore"):
        return factor * z


def _two_product(x: Array, y: Array) -> tuple[Array, Array]:
    """Return x * y as a rounded product and its error (Dekker); for sizes far from overflow."""
    product = x * y

    def halves(v: Array) -> tuple[Array, Array]:
        c = 134217729.0 * v
        top = c - (c - v)
        return top, v - top

    (a, b), (c, d) = halves(x), halves(y)
    return product, ((a * c - product) + a * d + b * c) + b * d


SOFTSIGN_INVERSE = Function("a/(1-|a|)", lambda u: u / (1 - abs(u)), lambda u: u / (1 - sympy.Abs(u)))


def _softsign() -> Activation:
    def exact(a: LogLinear) -> LogLinear:
        if a.is_rational:
            return LogLinear.rational(a.constant / (1 - abs(a.constant)))
        return LogLinear.apply(SOFTSIGN_INVERSE, a)

    return Activation(
        name="softsign",
        symbolic=lambda z: z / (1 + sympy.Abs(z)),
        numeric=lambda z: np.where(np.abs(z) < 1e300, z / (1 + np.abs(z)), np.sign(z)),
        derivative=lambda z, a: 1 / (1 + np.abs(z)) / (1 + np.abs(z)),
        ball=by_ends(lambda z: z / (1 + abs(z))),
        ball_derivative=lambda z, a: 1 / (1 + abs(z)) ** 2,
        image=Interval.open(-1, 1),
        inverse=Inverse1D(
            symbolic=lambda a: a / (1 - sympy.Abs(a)),
            numeric=lambda a: a / (1 - np.abs(a)),
            exact=exact,
        ),
    )


TAN = Function("tan", lambda u: u.tan(), sympy.tan)


def _half_pi() -> Fraction:
    """Return a rational number just above pi/2, nearer to it than any number that a file will hold."""
    with precision(512):
        return upper_bound(pi() / 2)


def _arctan() -> Activation:
    def exact(a: LogLinear) -> LogLinear | None:
        """Return tan a; None for what lies between pi/2 and the rational end of the image."""
        with precision(8192):
            if not abs(a.enclose()) < pi() / 2:
                return None
        return LogLinear.rational(0) if a.is_rational and a.constant == 0 else LogLinear.apply(TAN, a)

    end = _half_pi()
    return Activation(
        name="arctan",
        symbolic=sympy.atan,
        numeric=np.arctan,
        derivative=lambda z, a: 1 / (1 + np.minimum(np.abs(z), 1e154) ** 2),
        ball=by_ends(lambda z: z.atan()),
        ball_derivative=lambda z, a: 1 / (1 + z**2),
        image=Interval.open(-end, end),
        inverse=Inverse1D(symbolic=sympy.tan, numeric=np.tan, exact=exact),
    )


def _exp() -> Activation:
    def numeric(z: Array) -> Array:
        with np.errstate(over="ignore"):
            return np.exp(z)

    return Activation(
        name="exp",
        symbolic=sympy.exp,
        numeric=numeric,
        derivative=lambda z, a: a,
        ball=lambda z: z.exp(),
        ball_derivative=lambda z, a: a,
        image=Interval.open(0, None),
        inverse=Inverse1D(symbolic=sympy.log, numeric=np.log, exact=LogLinear.log),
    )


def _exponential_tail(
    name: str, scale: Parameter, alpha: Parameter, rate: Parameter, shown: dict[str, Parameter]
) -> Activation:
    """A = scale z for z >= 0, scale alpha (exp(z / rate) - 1) below: elu, selu and celu."""
    for parameter, value in shown.items():
        if not isinstance(value, sympy.Symbol) and value <= 0:
            raise OptionError(f"{parameter} of {name} must be positive, not {value}.")
    s, depth, r = as_expression(scale), as_expression(scale) * as_expression(alpha), as_expression(rate)

    def numeric(z: Array) -> Array:
        tail = as_float(scale) * as_float(alpha) * np.expm1(_times(1 / as_float(rate), np.minimum(z, 0)))
        return np.where(z >= 0, as_float(scale) * z, tail)

    def derivative(z: Array, a: Array) -> Array:
        steep = float(as_number(scale) * as_number(alpha) / as_number(rate))
        return np.where(z > 0, as_float(scale), steep * np.exp(_times(1 / as_float(rate), np.minimum(z, 0))))

    def numeric_inverse(a: Array) -> Array:
        # near the lower end 1 + a/depth cancels: there (depth + a)/depth, with depth in two parts
        high, low = two_parts(as_number(scale) * as_number(alpha))
        below = np.minimum(a, 0)
        near_end = below < -high / 2
        inner = np.where(near_end, ((high + below) + low) / high, 1.0)
        tail = np.where(near_end, np.log(inner), np.log1p(np.where(near_end, 0.0, below) / high))
        return np.where(a >= 0, a / as_float(scale), as_float(rate) * tail)

    def exact(a: LogLinear) -> LogLinear | None:
        sign = a.sign()
        if sign is None:
            return None
        if sign >= 0:
            return a * (1 / as_number(scale))
        inner = LogLinear.rational(1) + a * (1 / (as_number(scale) * as_number(alpha)))
        return LogLinear.log(inner) * as_number(rate)

    def ball(z: Ball) -> Ball:
        if z >= 0:
            return in_balls(scale, z) * z
        return in_balls(scale, z) * in_balls(alpha, z) * (z / in_balls(rate, z)).expm1()

    def whole_ball(z: Ball) -> Ball:
        return ball(z) if z.is_exact() else ball(z.lower()).union(ball(z.upper()))

    def ball_derivative(z: Ball, a: Ball) -> Ball:
        flat = in_balls(scale, z)
        steep = flat * in_balls(alpha, z) / in_balls(rate, z)
        if z >= 0 and not z.contains(0):
            return flat
        tail = steep * (z / in_balls(rate, z)).exp()
        return tail if z <= 0 and not z.contains(0) else tail.union(flat).union(steep)

    lower = Fraction(0) if not _all_numbers(scale, alpha) else -as_number(scale) * as_number(alpha)
    return Activation(
        name=name,
        symbolic=lambda z: split_at_zero(z, depth * (sympy.exp(z / r) - 1), s * z),
        numeric=numeric,
        derivative=derivative,
        ball=whole_ball,
        ball_derivative=ball_derivative,
        image=Interval.open(lower, None) if _all_numbers(scale, alpha) else Interval.open(None, None),
        inverse=Inverse1D(
            symbolic=lambda a: split_at_zero(a, r * sympy.log(1 + a / depth), a / s),
            numeric=numeric_inverse,
            exact=exact,
        ),
        parameters=parameters(**shown),
    )


def _all_numbers(*values: Parameter) -> bool:
    return not any(isinstance(v, sympy.Symbol) for v in values)


def _elu(alpha: Parameter) -> Activation:
    return _exponential_tail("elu", Fraction(1), alpha, Fraction(1), {"alpha": alpha})


def _celu(alpha: Parameter) -> Activation:
    return _exponential_tail("celu", Fraction(1), alpha, alpha, {"alpha": alpha})


def _selu(alpha: Parameter, scale: Parameter) -> Activation:
    return _exponential_tail("selu", scale, alpha, Fraction(1), {"alpha": alpha, "scale": scale})


ENTRIES: Entries = {
    "sigmoid": (_sigmoid, {}),
    "tanh": (_tanh, {}),
    "softplus": (_softplus, {"beta": Fraction(1)}),
    "softsign": (_softsign, {}),
    "arctan": (_arctan, {}),
    "exp": (_exp, {}),
    "elu": (_elu, {"alpha": Fraction(1)}),
    "celu": (_celu, {"alpha": Fraction(1)}),
    # the constants of Klambauer et al. (2017), to the digits that frameworks carry
    "selu": (
        _selu,
        {
            "alpha": Fraction("1.6732632423543772848170429916717"),
            "scale": Fraction("1.0507009873554804934193349852946"),
        },
    ),
}
