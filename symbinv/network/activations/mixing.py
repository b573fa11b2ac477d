"""Softmax and its logarithm: they mix their entries and forget a common shift of their argument.

The inverse is log a + c for softmax, a + c for log_softmax, with a free shift c. The image is the open simplex, and its
logarithm. Rational targets of log_softmax never lie on it exactly, but for a single output: sum exp(a_i) = 1 is
impossible for rational a_i not all zero (Lindemann and Weierstrass). The shift absorbs what rounding alone put off.
"""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import sympy

from symbinv.exact.ball import ball, precision
from symbinv.exact.interval import Interval
from symbinv.exact.loglinear import LOG, LogLinear
from symbinv.network.activations.entry import Activation, Array, Ball, Entries, Inverse1D, Joint, no_derivative

ROUNDING = Fraction(1, 2**52)


def _softmax() -> Activation:
    def numeric(z: Array) -> Array:
        powers = np.exp(z - z.max(axis=-1, keepdims=True))
        return powers / powers.sum(axis=-1, keepdims=True)

    def symbolic(z: Sequence[sympy.Expr]) -> tuple[sympy.Expr, ...]:
        powers = [sympy.exp(e) for e in z]
        total = sympy.Add(*powers)
        return tuple(p / total for p in powers)

    def balls(z: Sequence[Ball]) -> list[Ball]:
        # a_i = 1 / sum_j exp(z_j - z_i): no overflow, and tight where one z dominates
        return [
            1 / sum(((other - e).exp() for k, other in enumerate(z) if k != i), type(e)(1)) for i, e in enumerate(z)
        ]

    def normalize(values: list[Fraction], has_floats: bool) -> tuple[list[Fraction], tuple[str, ...]]:
        total = sum(values, Fraction(0))
        if total == 1 or not has_floats or abs(total - 1) > len(values) * ROUNDING:
            return values, ()
        sign, gap = ("+" if total > 1 else "-"), float(abs(total - 1))
        note = f"The target's floats sum to 1 {sign} {gap:.2g}; rescaled to sum to 1."
        return [v / total for v in values], (note,)

    def off(values: Sequence[Fraction], has_floats: bool) -> tuple[float, str] | None:
        total = sum(values, Fraction(0))
        if total == 1:
            return None
        text = str(total) if len(str(total)) <= 20 else f"about {float(total):.17g}"
        hint = (
            " Given as floats, it would be rescaled."
            if abs(total - 1) <= len(values) * ROUNDING and not has_floats
            else ""
        )
        sentence = f"The outputs of softmax sum to 1, but the target sums to {text}.{hint}"
        return float(abs(total - 1)) / len(values), sentence

    return Activation(
        name="softmax",
        symbolic=no_derivative("softmax"),
        numeric=numeric,
        derivative=no_derivative("softmax"),
        ball=no_derivative("softmax"),
        ball_derivative=no_derivative("softmax"),
        image=Interval.open(0, 1),
        inverse=Inverse1D(sympy.log, np.log, lambda a: LogLinear.apply(LOG, a)),
        joint=Joint(symbolic, balls, normalize, off),
        has_shift=True,
    )


def _log_softmax() -> Activation:
    def numeric(z: Array) -> Array:
        moved = z - z.max(axis=-1, keepdims=True)
        # log sum exp without its largest term, so that outputs near zero keep their digits
        top = moved.argmax(axis=-1)
        powers = np.exp(moved)
        np.put_along_axis(powers, np.expand_dims(top, -1), 0.0, axis=-1)
        return np.asarray(moved - np.log1p(powers.sum(axis=-1, keepdims=True)))

    def symbolic(z: Sequence[sympy.Expr]) -> tuple[sympy.Expr, ...]:
        total = sympy.log(sympy.Add(*(sympy.exp(e) for e in z)))
        return tuple(e - total for e in z)

    def balls(z: Sequence[Ball]) -> list[Ball]:
        return [
            -sum(((other - e).exp() for k, other in enumerate(z) if k != i), type(e)(0)).log1p()
            for i, e in enumerate(z)
        ]

    def total_of(values: Sequence[Fraction]) -> Ball:
        with precision(256):
            return sum((ball(v).exp() for v in values), ball(0))

    def normalize(values: list[Fraction], has_floats: bool) -> tuple[list[Fraction], tuple[str, ...]]:
        if len(values) < 2 or not _near_one(total_of(values), values, has_floats):
            return values, ()
        gap = float((total_of(values) - 1).mid())
        note = f"exp of the target's floats sums to 1 {gap:+.2g}; the shift takes that up."
        return values, (note,)

    def off(values: Sequence[Fraction], has_floats: bool) -> tuple[float, str] | None:
        if len(values) == 1:
            gap = abs(values[0])
            return None if gap == 0 else (float(gap), "The only output of log_softmax is 0.")
        if _near_one(total_of(values), values, has_floats):
            return None
        total = float(total_of(values).mid())
        sentence = f"exp of the outputs of log_softmax sums to 1, but exp of the target sums to about {total:.17g}."
        return abs(float(np.log(total))), sentence

    return Activation(
        name="log_softmax",
        symbolic=no_derivative("log_softmax"),
        numeric=numeric,
        derivative=no_derivative("log_softmax"),
        ball=no_derivative("log_softmax"),
        ball_derivative=no_derivative("log_softmax"),
        image=Interval(None, Fraction(0), True, False),
        inverse=Inverse1D(lambda a: a, lambda a: a, lambda a: a),
        joint=Joint(symbolic, balls, normalize, off),
        has_shift=True,
    )


def _near_one(total: Ball, values: Sequence[Fraction], has_floats: bool) -> bool:
    """Tell whether rounding of the entries alone may have put sum exp(a_i) off 1."""
    with precision(256):
        slack = sum((ball(v).exp() * (1 + abs(ball(v))) for v in values), ball(len(values))) * ball(ROUNDING)
        return bool(has_floats and abs(total - 1) < slack)


ENTRIES: Entries = {"softmax": (_softmax, {}), "log_softmax": (_log_softmax, {})}
