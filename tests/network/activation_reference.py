"""Each activation's formula at 50 digits, written down once more from the literature."""

from fractions import Fraction

import mpmath
from flint import arb

from symbinv.exact.ball import precision

mp = mpmath.mp.clone()
mp.dps = 50
SELU_ALPHA, SELU_SCALE = "1.6732632423543772848170429916717", "1.0507009873554804934193349852946"
TINY, SUBNORMAL = 2.0**-537, 5e-324


def m(value):
    """Return a Fraction, float or text as an mpmath number."""
    return mp.mpf(value.numerator) / value.denominator if isinstance(value, Fraction) else mp.mpf(value)


def tail(scale, alpha, rate):
    s, a, r = m(scale), m(alpha), m(rate)
    return lambda z: s * z if z >= 0 else s * a * mp.expm1(z / r)


# each entry's formula, written down once more from the literature
REFERENCE = {
    "identity": lambda z: z,
    "sigmoid": lambda z: 1 / (1 + mp.exp(-z)),
    "tanh": mp.tanh,
    "softplus": lambda z: mp.log1p(mp.exp(z)),
    "softplus(beta=5/2)": lambda z: mp.log1p(mp.exp(m(Fraction(5, 2)) * z)) / m(Fraction(5, 2)),
    "softplus(0.1)": lambda z: mp.log1p(mp.exp(m(Fraction(1, 10)) * z)) / m(Fraction(1, 10)),
    "softsign": lambda z: z / (1 + abs(z)),
    "arctan": mp.atan,
    "exp": mp.exp,
    "elu": tail(1, 1, 1),
    "elu(0.1)": tail(1, Fraction(1, 10), 1),
    "celu(1/3)": tail(1, Fraction(1, 3), Fraction(1, 3)),
    "selu": tail(SELU_SCALE, SELU_ALPHA, 1),
    "leaky_relu": lambda z: z if z > 0 else z / 100,
    "prelu(-1/2)": lambda z: z if z > 0 else -z / 2,
    "prelu(0)": lambda z: max(z, mp.mpf(0)),
    "prelu": lambda z: z if z > 0 else z / 4,
    "relu": lambda z: max(z, mp.mpf(0)),
    "relu6": lambda z: min(max(z, mp.mpf(0)), mp.mpf(6)),
    "hard_tanh": lambda z: min(max(z, mp.mpf(-1)), mp.mpf(1)),
    "hard_tanh(-2, 1/2)": lambda z: min(max(z, mp.mpf(-2)), mp.mpf(1) / 2),
    "hard_sigmoid": lambda z: min(max(z / 5 + mp.mpf(1) / 2, mp.mpf(0)), mp.mpf(1)),
    "hard_sigmoid(1/6, 1/2)": lambda z: min(max(z / 6 + mp.mpf(1) / 2, mp.mpf(0)), mp.mpf(1)),
    "abs": abs,
    "square": lambda z: z * z,
    "silu": lambda z: z / (1 + mp.exp(-z)),
    "gelu": lambda z: z * mp.erfc(-z / mp.sqrt(2)) / 2,
}
MIXING = ("softmax", "log_softmax")


def close(found, expected, relative=1e-13):
    """Tell whether a double is right to a relative error, or to one unit where the result is subnormal."""
    found = m(float(found))
    return abs(found - expected) <= max(m(relative) * abs(expected), m(SUBNORMAL))


def contains(enclosure, value):
    with precision(400):
        low, high = arb(mp.nstr(value - m("1e-45"), 50)), arb(mp.nstr(value + m("1e-45"), 50))
        return enclosure.overlaps(low.union(high))
