"""Activations: one table, one entry each, with all that the rest of the library needs to know.

An entry says how the activation is evaluated (exactly, in NumPy, in balls), what values it takes,
and how it is undone: by a one-to-one `inverse`, or piece by piece where it is piecewise linear. To add
an activation, add its function to `ACTIVATIONS`; nothing else in the library names one.

Softmax is the one activation here that mixes its entries. It forgets a common shift of its argument, so
its inverse is log a + c with a free shift c (`has_shift`), and its image is the open simplex.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from types import MappingProxyType
from typing import Any

import numpy as np
import sympy

from symbinv.errors import InexactError, NotSupportedError, OptionError
from symbinv.exact.interval import REAL_LINE, Interval
from symbinv.exact.loglinear import LOG, Function, LogLinear
from symbinv.exact.policy import Policy, to_fraction, to_rational

Array = Any  # NDArray[np.float64]; arithmetic on it is typed as Any
Ball = Any  # flint.arb; arithmetic on it needs no import


@dataclass(frozen=True)
class Inverse1D:
    """The inverse of a one-to-one activation, entry by entry.

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
class Activation:
    """An activation function.

    Attributes:
        name: The key in `ACTIVATIONS`.
        parameters: Names and exact values of its parameters.
        symbolic: a = f(z) on SymPy expressions, one entry.
        numeric: On arrays of shape (k, m).
        derivative: da/dz from arrays of z and a, entry by entry (not for softmax).
        ball: On a ball, one entry; `ball_derivative` takes the balls of z and a.
        image: The interval of its values.
        inverse: Set for one-to-one activations.
        pieces: Set for piecewise-linear ones, from left to right; a unit is on the left piece at a kink.
        has_shift: Whether the inverse is determined up to a common shift (softmax).
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
    has_shift: bool = False
    parameters: Mapping[str, Fraction] = field(default_factory=lambda: MappingProxyType({}))

    def __reduce__(self) -> tuple[Any, ...]:
        """Let an activation of the table travel to other processes by its name."""
        return activation, (self.label,)

    @property
    def is_identity(self) -> bool:
        """Whether the activation changes nothing."""
        return self.pieces is not None and self.pieces == IDENTITY_PIECES

    @property
    def label(self) -> str:
        """The name with its parameters, as `activation` reads it."""
        if not self.parameters:
            return self.name
        return f"{self.name}({', '.join(f'{k}={v}' for k, v in self.parameters.items())})"

    def forward(self, z: Sequence[sympy.Expr]) -> tuple[sympy.Expr, ...]:
        """Return the exact activations of one vector of pre-activations."""
        if self.has_shift:
            powers = [sympy.exp(e) for e in z]
            total = sympy.Add(*powers)
            return tuple(p / total for p in powers)
        return tuple(self.symbolic(e) for e in z)

    def forward_ball(self, z: Sequence[Ball]) -> list[Ball]:
        """Return balls around the activations of one vector of balls."""
        if self.has_shift:
            # a_i = 1 / sum_j exp(z_j - z_i): no overflow, and tight where one z dominates
            return [1 / sum((other - e).exp() for other in z) for e in z]
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


def activation(spec: "str | Activation", policy: Policy = "exact") -> Activation:
    """Return the activation that a name stands for, with parameters in parentheses where it has any.

    Args:
        spec: A name of the table such as "sigmoid", "leaky_relu(0.1)" or "leaky_relu(alpha=1/10)", or
            an `Activation`, which is returned as it is.
        policy: What a float parameter stands for (text is exact as written).

    Raises:
        OptionError: For a name that is not in the table, or parameters it does not have.

    Example:
        >>> activation("leaky_relu(0.1)").parameters["alpha"]
        Fraction(1, 10)
    """
    if isinstance(spec, Activation):
        return spec
    if not isinstance(spec, str):
        raise OptionError(f"an activation must be a name or an Activation, not {spec!r}.")
    head, parenthesis, tail = spec.strip().partition("(")
    name = _ALIASES.get(head.strip().lower(), head.strip().lower())
    if name not in ACTIVATIONS:
        raise OptionError(f"activation must be one of {', '.join(ACTIVATIONS)}, not {spec[:60]!r}.")
    make, defaults = ACTIVATIONS[name]
    if not parenthesis:
        return make(**defaults)
    return make(**{**defaults, **_parameters(spec, tail, list(defaults), policy)})


def _parameters(spec: str, tail: str, names: list[str], policy: Policy) -> dict[str, Fraction]:
    body = tail.strip().removesuffix(")")
    values: dict[str, Fraction] = {}
    for position, part in enumerate(p for p in body.split(",") if p.strip()):
        key, equals, text = part.partition("=")
        if not equals:
            key, text = (names[position] if position < len(names) else ""), part
        if key.strip() not in names:
            raise OptionError(f"parameters of an activation must be among {names}, not as in {spec[:60]!r}.")
        values[key.strip()] = to_fraction(text.strip(), policy)
    return values


# -- entries ------------------------------------------------------------------------------------------


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


def _sigmoid() -> Activation:
    def numeric(z: Array) -> Array:
        small = np.exp(-np.abs(z))
        return np.where(z >= 0, 1, small) / (1 + small)

    def logit(a: Array) -> Array:
        # log a - log(1 - a) loses its digits near 1/2, where 2 artanh(2a - 1) keeps them; 2a - 1 is exact there
        middle = 2 * a - 1
        near_half = np.abs(middle) < 0.5
        return np.where(near_half, 2 * np.arctanh(np.where(near_half, middle, 0)), np.log(a) - np.log1p(-a))

    return Activation(
        name="sigmoid",
        symbolic=lambda z: 1 / (1 + sympy.exp(-z)),
        numeric=numeric,
        derivative=lambda z, a: a * numeric(-z),
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
        small = np.exp(-2 * np.abs(z))
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


def _softplus() -> Activation:
    def numeric_inverse(a: Array) -> Array:
        # log(e^a - 1) = a + log(1 - e^-a): the first form for small a, the second where e^a overflows
        small = np.log(np.expm1(np.minimum(a, 1.0)))
        return np.where(a < 1.0, small, a + np.log1p(-np.exp(-np.maximum(a, 1.0))))

    sigmoid = _sigmoid()
    return Activation(
        name="softplus",
        symbolic=lambda z: sympy.log(1 + sympy.exp(z)),
        numeric=lambda z: np.logaddexp(0, z),
        derivative=lambda z, a: sigmoid.numeric(z),
        ball=lambda z: z.exp().log1p(),
        ball_derivative=lambda z, a: sigmoid.ball(z),
        image=Interval.open(0, None),
        inverse=Inverse1D(
            symbolic=lambda a: sympy.log(sympy.exp(a) - 1),
            numeric=numeric_inverse,
            exact=lambda a: LogLinear.apply(LOG_EXPM1, a),
        ),
    )


def _leaky_relu(alpha: Fraction) -> Activation:
    if alpha <= 0:
        raise OptionError(f"alpha of leaky_relu must be positive, not {alpha}; for 0 use relu.")
    slope, rational = float(alpha), to_rational(alpha)

    def exact(a: LogLinear) -> LogLinear | None:
        sign = a.sign()
        return None if sign is None else (a if sign >= 0 else a * (1 / alpha))

    def fold(z: Ball, left: Ball, right: Ball) -> Ball:
        return right if z >= 0 else left if z <= 0 else left.union(right)

    return Activation(
        name="leaky_relu",
        symbolic=lambda z: _split_at_zero(z, rational * z, z),
        numeric=lambda z: np.where(z > 0, z, slope * z),
        derivative=lambda z, a: np.where(z > 0, 1.0, slope),
        ball=lambda z: fold(z, z * alpha.numerator / alpha.denominator, z),
        ball_derivative=lambda z, a: fold(z, (z * 0 + alpha.numerator) / alpha.denominator, z * 0 + 1),
        image=REAL_LINE,
        inverse=Inverse1D(
            symbolic=lambda a: _split_at_zero(a, a / rational, a),
            numeric=lambda a: np.where(a > 0, a, a / slope),
            exact=exact,
        ),
        pieces=(Piece(alpha, Fraction(0), None, Fraction(0)), Piece(Fraction(1), Fraction(0), Fraction(0), None)),
        parameters=MappingProxyType({"alpha": alpha}),
    )


def _relu() -> Activation:
    def fold(z: Ball, left: Ball, right: Ball) -> Ball:
        return right if z >= 0 else left if z <= 0 else left.union(right)

    return Activation(
        name="relu",
        symbolic=lambda z: _split_at_zero(z, sympy.Integer(0), z),
        numeric=lambda z: np.maximum(z, 0),
        derivative=lambda z, a: (z > 0).astype(np.float64),
        ball=lambda z: fold(z, z * 0, z),
        ball_derivative=lambda z, a: fold(z, z * 0, z * 0 + 1),
        image=Interval.closed(0, None),
        pieces=(
            Piece(Fraction(0), Fraction(0), None, Fraction(0)),
            Piece(Fraction(1), Fraction(0), Fraction(0), None),
        ),
    )


def _softmax() -> Activation:
    def numeric(z: Array) -> Array:
        powers = np.exp(z - z.max(axis=-1, keepdims=True))
        return powers / powers.sum(axis=-1, keepdims=True)

    def mixed(*_: Any) -> Any:
        raise NotSupportedError("softmax mixes its entries; its derivative is not taken entry by entry.")

    return Activation(
        name="softmax",
        symbolic=mixed,
        numeric=numeric,
        derivative=mixed,
        ball=mixed,
        ball_derivative=mixed,
        image=Interval.open(0, 1),
        inverse=Inverse1D(sympy.log, np.log, lambda a: LogLinear.apply(LOG, a)),
        has_shift=True,
    )


def _split_at_zero(u: sympy.Expr, left: sympy.Expr, right: sympy.Expr) -> sympy.Expr:
    """Return left where u < 0 and right elsewhere; both agree at 0 for every caller."""
    if u.is_nonnegative:
        return right
    if u.is_negative:
        return left
    if u.is_number:
        raise InexactError(f"the sign of {u} could not be decided.")
    return sympy.Piecewise((right, u >= 0), (left, True))


Maker = Callable[..., Activation]

ACTIVATIONS: Mapping[str, tuple[Maker, Mapping[str, Fraction]]] = MappingProxyType(
    {
        "identity": (_identity, {}),
        "sigmoid": (_sigmoid, {}),
        "tanh": (_tanh, {}),
        "softplus": (_softplus, {}),
        "leaky_relu": (_leaky_relu, {"alpha": Fraction(1, 100)}),
        "relu": (_relu, {}),
        "softmax": (_softmax, {}),
    }
)

_ALIASES = {"logistic": "sigmoid", "linear": "identity"}
