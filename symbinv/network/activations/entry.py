"""What the library knows of an activation: the type of one entry of the table.

An entry says how the activation is evaluated (exactly, in NumPy, in balls), what values it takes, and how it is
undone: by a one-to-one `inverse`, piece by piece where it is piecewise linear, or branch by branch where it falls and
then rises.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from types import MappingProxyType
from typing import Any

import numpy as np
import sympy

from symbinv.errors import InexactError, NotSupportedError
from symbinv.exact.interval import Interval
from symbinv.exact.loglinear import LogLinear
from symbinv.exact.policy import to_rational

Array = Any  # NDArray[np.float64]; arithmetic on it is typed as Any
Ball = Any  # flint.arb; arithmetic on it needs no import
Parameter = Any  # a Fraction, or a SymPy symbol where a slope is kept symbolic


@dataclass(frozen=True)
class Inverse1D:
    """The inverse of a one-to-one activation, or of one branch of another, entry by entry.

    Attributes:
        symbolic: On SymPy expressions.
        numeric: On arrays, accurate over the whole range of doubles.
        exact: On exact reals inside the image; None where a sign could not be decided.
    """

    symbolic: Callable[[sympy.Expr], sympy.Expr]
    numeric: Callable[[Array], Array]
    exact: Callable[[LogLinear], LogLinear | None]


@dataclass(frozen=True)
class Piece:
    """One linear piece a = slope * z + intercept on lower <= z <= upper (None: no end)."""

    slope: Fraction
    intercept: Fraction
    lower: Fraction | None
    upper: Fraction | None

    @property
    def is_constant(self) -> bool:
        """Whether the piece forgets z."""
        return self.slope == 0


@dataclass(frozen=True)
class Branch:
    """A range of z on which an activation is one-to-one.

    Attributes:
        name: "left" or "right" of the turning point.
        z: Where z lies; an irrational end is rounded outward to a rational.
        image: The values taken there, rounded outward likewise.
        increasing: Whether the activation rises on it.
        inverse: From values back to z.
        turning: Bounds of the turning point, equal where it is rational.
        claim: "exact" where the inverse has a closed form, "numeric" where it is found by root-finding.
    """

    name: str
    z: Interval
    image: Interval
    increasing: bool
    inverse: Inverse1D
    turning: tuple[Fraction, Fraction]
    claim: str = "exact"


@dataclass(frozen=True)
class Joint:
    """What an activation that mixes its entries does to whole vectors: softmax and its logarithm.

    Attributes:
        symbolic: On a vector of SymPy expressions.
        ball: On a vector of balls.
        normalize: Takes a target and whether it was given in floats; returns it, moved onto the image where
            rounding alone put it off, with a note.
        off: By how much such a target misses the image, with the sentence that says so; None where it does not.
    """

    symbolic: Callable[[Sequence[sympy.Expr]], tuple[sympy.Expr, ...]]
    ball: Callable[[Sequence[Ball]], list[Ball]]
    normalize: Callable[[list[Fraction], bool], tuple[list[Fraction], tuple[str, ...]]]
    off: Callable[[Sequence[Fraction], bool], tuple[float, str] | None]


@dataclass(frozen=True)
class Activation:
    """An activation function.

    Attributes:
        name: The key in `ACTIVATIONS`.
        parameters: Names and exact values of its parameters.
        symbolic: a = f(z) on SymPy expressions, one entry.
        numeric: On arrays of shape (k, m).
        derivative: da/dz from arrays of z and a, entry by entry (not for softmax).
        ball: On a ball, one entry; `ball_derivative` takes the balls of z and a.
        image: The interval of its values; irrational ends are rounded outward.
        inverse: Set for one-to-one activations; all of them are increasing.
        pieces: Set for piecewise-linear ones, from left to right; a unit is on the left piece at a kink.
        branches: Set for those that fall and then rise: the left branch, the right branch.
        joint: Set for those that mix their entries.
        has_shift: Whether the inverse is determined up to a common shift (softmax, log_softmax).
    """

    name: str
    symbolic: Callable[[sympy.Expr], sympy.Expr]
    numeric: Callable[[Array], Array]
    derivative: Callable[[Array, Array], Array]
    ball: Callable[[Ball], Ball]
    ball_derivative: Callable[[Ball, Ball], Ball]
    image: Interval
    inverse: Inverse1D | None = None
    pieces: tuple[Piece, ...] | None = None
    branches: tuple[Branch, ...] | None = None
    joint: Joint | None = None
    has_shift: bool = False
    parameters: Mapping[str, Parameter] = field(default_factory=lambda: MappingProxyType({}))

    def __repr__(self) -> str:
        return f"Activation({self.label})"

    @property
    def is_identity(self) -> bool:
        """Whether the activation changes nothing."""
        return self.pieces is not None and self.pieces == IDENTITY_PIECES

    @property
    def is_monotone(self) -> bool:
        """Whether the activation never falls, entry by entry."""
        if self.has_shift or self.joint is not None:
            return False
        if self.inverse is not None:
            return True
        return self.pieces is not None and all(piece.slope >= 0 for piece in self.pieces)

    @property
    def is_rational(self) -> bool:
        """Whether all parameters are numbers."""
        return not any(isinstance(v, sympy.Symbol) for v in self.parameters.values())

    @property
    def label(self) -> str:
        """The name with its parameters, as `activation` reads it."""
        if not self.parameters:
            return self.name
        return f"{self.name}({', '.join(f'{k}={v}' for k, v in self.parameters.items())})"

    def forward(self, z: Sequence[sympy.Expr]) -> tuple[sympy.Expr, ...]:
        """Return the exact activations of one vector of pre-activations."""
        if self.joint is not None:
            return self.joint.symbolic(z)
        return tuple(self.symbolic(e) for e in z)

    def forward_ball(self, z: Sequence[Ball]) -> list[Ball]:
        """Return balls around the activations of one vector of balls."""
        if self.joint is not None:
            return self.joint.ball(z)
        return [self.ball(e) for e in z]

    def piece_at(self, z: Fraction) -> int:
        """Return the index of the piece on which a pre-activation lies (the left one at a kink)."""
        if self.pieces is None:
            raise NotSupportedError(f"activation {self.name!r} is not piecewise linear.")
        for index, piece in enumerate(self.pieces):
            if piece.upper is None or z <= piece.upper:
                return index
        return len(self.pieces) - 1


IDENTITY_PIECES = (Piece(Fraction(1), Fraction(0), None, None),)

Maker = Callable[..., Activation]
Entries = Mapping[str, tuple[Maker, Mapping[str, Fraction]]]


def as_expression(parameter: Parameter) -> sympy.Expr:
    """Return a parameter as SymPy writes it."""
    return parameter if isinstance(parameter, sympy.Symbol) else to_rational(parameter)


def as_float(parameter: Parameter) -> float:
    """Return a parameter rounded to a double.

    Raises:
        InexactError: For a symbol.
    """
    return float(as_number(parameter))


def as_number(parameter: Parameter) -> Fraction:
    """Return a parameter that must be a number.

    Raises:
        InexactError: For a symbol.
    """
    if isinstance(parameter, sympy.Symbol):
        raise InexactError(f"an activation's parameter must be a number to be evaluated, not the symbol {parameter}.")
    return Fraction(parameter)


def in_balls(parameter: Parameter, like: Ball) -> Ball:
    """Return a parameter as a ball at the current precision."""
    value = as_number(parameter)
    return type(like)(value.numerator) / value.denominator


def two_parts(value: Fraction) -> tuple[float, float]:
    """Return a number as an unevaluated sum of two doubles, right to about 106 bits."""
    high = float(value)
    return high, float(value - Fraction(high))


def parameters(**values: Parameter) -> Mapping[str, Parameter]:
    """Return parameters as an activation keeps them; OverflowError for one beyond the range of doubles."""
    for value in values.values():
        if not isinstance(value, sympy.Symbol):
            float(value)
    return MappingProxyType(values)


def by_ends(f: Callable[[Ball], Ball]) -> Callable[[Ball], Ball]:
    """Return an increasing function of balls evaluated at their ends, which loses nothing to repeated use of z."""

    def evaluate(z: Ball) -> Ball:
        if z.is_exact() or not z.is_finite():
            return f(z)
        return f(z.lower()).union(f(z.upper()))

    return evaluate


def fold(z: Ball, left: Ball, right: Ball) -> Ball:
    """Return left where z <= 0, right where z >= 0, both where the ball does not tell."""
    if z >= 0:
        return right
    return left if z <= 0 else left.union(right)


def split_at_zero(u: sympy.Expr, left: sympy.Expr, right: sympy.Expr) -> sympy.Expr:
    """Return left where u < 0 and right elsewhere; both agree at 0 for every caller."""
    if u.is_nonnegative:
        return right
    if u.is_negative:
        return left
    if u.is_number:
        raise InexactError(f"the sign of {u} could not be decided.")
    return sympy.Piecewise((right, u >= 0), (left, True))


def no_derivative(name: str) -> Callable[..., Any]:
    """Return a function that says that entries are mixed."""

    def refuse(*_: Any) -> Any:
        raise NotSupportedError(f"{name} mixes its entries; it is not taken entry by entry.")

    return refuse


def indicator(condition: Array) -> Array:
    """Return 1.0 where a condition holds and 0.0 elsewhere."""
    return np.asarray(condition).astype(np.float64)
