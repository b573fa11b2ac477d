"""Piecewise-linear activations: one function makes everything from the list of pieces.

Where every slope is positive the pieces are undone one to one; where one is constant or falls, the inverse is
set-valued, and a pattern says which piece a unit is on.
"""

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import reduce

import numpy as np
import sympy

from symbinv.errors import OptionError
from symbinv.exact.interval import REAL_LINE, Interval
from symbinv.exact.loglinear import LogLinear
from symbinv.exact.policy import to_rational
from symbinv.network.activations.entry import (
    IDENTITY_PIECES,
    Activation,
    Array,
    Ball,
    Branch,
    Entries,
    Inverse1D,
    Parameter,
    Piece,
    as_expression,
    as_float,
    as_number,
    fold,
    in_balls,
    parameters,
    split_at_zero,
)

ZERO, ONE = Fraction(0), Fraction(1)


def _identity() -> Activation:
    return Activation(
        name="identity",
        symbolic=lambda z: z,
        numeric=lambda z: z,
        derivative=lambda z, a: np.ones_like(z),
        ball=lambda z: z,
        ball_derivative=lambda z, a: z * 0 + 1,
        image=REAL_LINE,
        inverse=Inverse1D(lambda a: a, lambda a: a, lambda a: a),
        pieces=IDENTITY_PIECES,
    )


def _two_slopes(name: str, alpha: Parameter) -> Activation:
    """A = z for z >= 0, alpha z below, with alpha > 0: one to one."""
    slope = as_expression(alpha)

    def exact(a: LogLinear) -> LogLinear | None:
        sign = a.sign()
        return None if sign is None else (a if sign >= 0 else a * (1 / as_number(alpha)))

    pieces = None
    if not isinstance(alpha, sympy.Symbol):
        pieces = (Piece(alpha, ZERO, None, ZERO), Piece(ONE, ZERO, ZERO, None))
    return Activation(
        name=name,
        symbolic=lambda z: split_at_zero(z, slope * z, z),
        numeric=lambda z: np.where(z > 0, z, as_float(alpha) * z),
        derivative=lambda z, a: np.where(z > 0, 1.0, as_float(alpha)),
        ball=lambda z: fold(z, z * in_balls(alpha, z), z),
        ball_derivative=lambda z, a: _slope_ball(z, in_balls(alpha, z), z * 0 + 1),
        image=REAL_LINE,
        inverse=Inverse1D(
            symbolic=lambda a: split_at_zero(a, a / slope, a),
            numeric=lambda a: np.where(a > 0, a, a / as_float(alpha)),
            exact=exact,
        ),
        pieces=pieces,
        parameters=parameters(alpha=alpha),
    )


def _leaky_relu(alpha: Parameter) -> Activation:
    if not isinstance(alpha, sympy.Symbol) and alpha <= 0:
        raise OptionError(f"alpha of leaky_relu must be positive, not {alpha}; for 0 use relu.")
    return _two_slopes("leaky_relu", alpha)


def _prelu(alpha: Parameter) -> Activation:
    """A = z for z >= 0, alpha z below; a learnt alpha may be zero or negative, and then two pieces share values."""
    if isinstance(alpha, sympy.Symbol) or alpha > 0:
        return _two_slopes("prelu", alpha)
    return _from_pieces(
        "prelu",
        [Piece(alpha, ZERO, None, ZERO), Piece(ONE, ZERO, ZERO, None)],
        Interval.closed(0, None),
        {"alpha": alpha},
    )


def _from_pieces(
    name: str,
    pieces: Sequence[Piece],
    image: Interval,
    shown: dict[str, Parameter],
    branches: tuple[Branch, ...] | None = None,
) -> Activation:
    """Return a continuous activation given by its pieces from left to right."""
    slopes = [float(p.slope) for p in pieces]
    shifts = [float(p.intercept) for p in pieces]
    kinks = [p.upper for p in pieces[:-1] if p.upper is not None]
    float_kinks = [float(k) for k in kinks]

    def choose(z: Array, values: list[Array]) -> Array:
        """Return values[i] where z is on piece i; a unit at a kink is on the left piece."""
        result = values[-1]
        for kink, value in zip(reversed(float_kinks), reversed(values[:-1]), strict=True):
            result = np.where(z <= kink, value, result)
        return np.asarray(result)

    def symbolic(z: sympy.Expr) -> sympy.Expr:
        lines = [to_rational(p.slope) * z + to_rational(p.intercept) for p in pieces]
        ends = [to_rational(k) for k in kinks]
        if z.is_number:
            decided = [(z <= end) for end in ends]
            for line, below in zip(lines, decided, strict=False):
                if below == True:  # noqa: E712  # SymPy's own truth value; undecided ones are neither
                    return line
                if below != False:  # noqa: E712
                    break
            else:
                return lines[-1]
        return sympy.Piecewise(*((line, z <= end) for line, end in zip(lines, ends, strict=False)), (lines[-1], True))

    def touching(z: Ball) -> list[Piece]:
        """Return the pieces that a ball meets."""
        return [
            p
            for p in pieces
            if not (p.lower is not None and z < _ball(p.lower, z))
            and not (p.upper is not None and z > _ball(p.upper, z))
        ]

    def ball(z: Ball) -> Ball:
        met = touching(z)
        values = [_ball(p.slope, z) * z + _ball(p.intercept, z) for p in met]
        if len(met) == 1:
            return values[0]
        ends = [z.lower(), z.upper()] + [_ball(k, z) for p in met for k in (p.lower, p.upper) if k is not None]
        at_ends = [
            _ball(p.slope, z) * e + _ball(p.intercept, z)
            for e in ends
            for p in met
            if not (p.lower is not None and e < _ball(p.lower, z))
            and not (p.upper is not None and e > _ball(p.upper, z))
        ]
        return reduce(lambda x, y: x.union(y), at_ends)

    return Activation(
        name=name,
        symbolic=symbolic,
        numeric=lambda z: choose(
            z, [s * z + c if s else np.full_like(z, c, dtype=np.float64) for s, c in zip(slopes, shifts, strict=True)]
        ),
        derivative=lambda z, a: choose(z, [np.full_like(z, s, dtype=np.float64) for s in slopes]),
        ball=ball,
        ball_derivative=lambda z, a: reduce(lambda x, y: x.union(y), [_ball(p.slope, z) for p in touching(z)]),
        image=image,
        pieces=tuple(pieces),
        branches=branches,
        parameters=parameters(**shown),
    )


def _ball(value: Fraction, like: Ball) -> Ball:
    return type(like)(value.numerator) / value.denominator


def _slope_ball(z: Ball, left: Ball, right: Ball) -> Ball:
    """Return the slopes that a ball meets; both where it touches the kink."""
    if z.contains(0):
        return left.union(right)
    return right if z > 0 else left if z < 0 else left.union(right)


def _relu() -> Activation:
    return Activation(
        name="relu",
        symbolic=lambda z: split_at_zero(z, sympy.Integer(0), z),
        numeric=lambda z: np.maximum(z, 0),
        derivative=lambda z, a: (z > 0).astype(np.float64),
        ball=lambda z: fold(z, z * 0, z),
        ball_derivative=lambda z, a: _slope_ball(z, z * 0, z * 0 + 1),
        image=Interval.closed(0, None),
        pieces=(Piece(ZERO, ZERO, None, ZERO), Piece(ONE, ZERO, ZERO, None)),
    )


def _clipped(
    name: str, slope: Fraction, shift: Fraction, low: Fraction, high: Fraction, shown: dict[str, Parameter]
) -> Activation:
    """A = slope z + shift, held between low and high."""
    left, right = (low - shift) / slope, (high - shift) / slope
    pieces = [Piece(ZERO, low, None, left), Piece(slope, shift, left, right), Piece(ZERO, high, right, None)]
    return _from_pieces(name, pieces, Interval.closed(low, high), shown)


def _relu6() -> Activation:
    return _clipped("relu6", ONE, ZERO, ZERO, Fraction(6), {})


def _hard_tanh(lower: Parameter, upper: Parameter) -> Activation:
    lower, upper = as_number(lower), as_number(upper)
    if lower >= upper:
        raise OptionError(f"lower of hard_tanh must be less than upper, not {lower} and {upper}.")
    return _clipped("hard_tanh", ONE, ZERO, lower, upper, {"lower": lower, "upper": upper})


def _hard_sigmoid(alpha: Parameter, beta: Parameter) -> Activation:
    """A = alpha z + beta, held between 0 and 1; ONNX's defaults (PyTorch and Keras 3 have alpha = 1/6)."""
    alpha, beta = as_number(alpha), as_number(beta)
    if alpha <= 0:
        raise OptionError(f"alpha of hard_sigmoid must be positive, not {alpha}.")
    return _clipped("hard_sigmoid", alpha, beta, ZERO, ONE, {"alpha": alpha, "beta": beta})


def _abs() -> Activation:
    half: Callable[[Fraction | None, Fraction | None], Interval] = Interval.closed
    left = Inverse1D(lambda a: -a, lambda a: -a, lambda a: -a)
    right = Inverse1D(lambda a: a, lambda a: a, lambda a: a)
    return _from_pieces(
        "abs",
        [Piece(-ONE, ZERO, None, ZERO), Piece(ONE, ZERO, ZERO, None)],
        Interval.closed(0, None),
        {},
        (
            Branch("left", half(None, ZERO), half(ZERO, None), False, left, (ZERO, ZERO)),
            Branch("right", half(ZERO, None), half(ZERO, None), True, right, (ZERO, ZERO)),
        ),
    )


ENTRIES: Entries = {
    "identity": (_identity, {}),
    "leaky_relu": (_leaky_relu, {"alpha": Fraction(1, 100)}),
    "prelu": (_prelu, {"alpha": Fraction(1, 4)}),
    "relu": (_relu, {}),
    "relu6": (_relu6, {}),
    "hard_tanh": (_hard_tanh, {"lower": Fraction(-1), "upper": Fraction(1)}),
    "hard_sigmoid": (_hard_sigmoid, {"alpha": Fraction(1, 5), "beta": Fraction(1, 2)}),
    "abs": (_abs, {}),
}
