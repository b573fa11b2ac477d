"""Targets: the output that is asked for, made exact and checked against the last activation's image."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import sympy

from symbinv.errors import InexactError, ShapeError
from symbinv.exact.policy import Policy, to_fraction, to_rational
from symbinv.inverse.verdict import Empty
from symbinv.network.network import Network
from symbinv.notation import symbols


@dataclass(frozen=True)
class Target:
    """One output vector, as exact numbers or as symbols.

    Attributes:
        values: One SymPy expression per output.
        notes: What was done to the numbers given, one sentence each.
        empty: Set where no pre-activation produces the target, whatever the weights.
    """

    values: tuple[sympy.Expr, ...]
    notes: tuple[str, ...] = ()
    empty: Empty | None = None

    @property
    def is_numeric(self) -> bool:
        """Whether every entry is a rational number."""
        return all(v.is_Rational for v in self.values)

    def fractions(self) -> tuple[Fraction, ...]:
        """Return the entries of a numeric target."""
        return tuple(Fraction(int(v.p), int(v.q)) for v in self.values)


def to_target(network: Network, target: Any, policy: Policy = "exact") -> Target:
    """Return a target as exact numbers; symbols y_1 ... y_m where there is none.

    Raises:
        ShapeError: Where the target does not have one entry per output.
        InexactError: For NaN and infinities.
    """
    m = network.sizes[-1]
    if target is None:
        return Target(symbols("y", m))
    entries = _entries(target)
    if len(entries) != m:
        raise ShapeError(f"target must have one entry per output of the network ({m}), not {len(entries)}.")
    if any(isinstance(e, sympy.Expr) and not e.is_number for e in entries):
        return Target(tuple(_exact_expression(e, policy) for e in entries))
    values = [to_fraction(e, policy) for e in entries]
    activation = network.layers[-1].activation
    notes: tuple[str, ...] = ()
    has_floats = any(isinstance(e, float | np.floating | sympy.Float) for e in entries)
    if activation.joint is not None:
        values, notes = activation.joint.normalize(values, has_floats)
    exact = tuple(to_rational(v) for v in values)
    return Target(exact, notes, _outside_image(network, values, has_floats))


def _entries(target: Any) -> list[Any]:
    if isinstance(target, sympy.MatrixBase | np.ndarray):
        return list(np.asarray(target).ravel().tolist() if isinstance(target, np.ndarray) else target)
    if isinstance(target, str) or not isinstance(target, Sequence):
        raise ShapeError(f"target must be a sequence of numbers, one per output, not {target!r}.")
    return list(target)


def _exact_expression(entry: Any, policy: Policy) -> sympy.Expr:
    if isinstance(entry, sympy.Expr) and not entry.is_number:
        if entry.has(sympy.Float):
            raise InexactError(f"symbolic entries must have rational coefficients, not floats: {entry}.")
        return entry
    return to_rational(to_fraction(entry, policy))


def _outside_image(network: Network, values: Sequence[Fraction], has_floats: bool) -> Empty | None:
    activation, depth = network.layers[-1].activation, network.depth
    for i, v in enumerate(values, start=1):
        if not activation.image.contains(v):
            touches = v in (activation.image.lower, activation.image.upper)
            return Empty(
                f"Output {i} must lie in {activation.image}, the image of {activation.name}, not at {_short(v)}.",
                "exact",
                layer=depth,
                nearest=0.0 if touches else _distance(activation.image, v),
            )
    missed = None if activation.joint is None else activation.joint.off(values, has_floats)
    if missed is not None:
        gap, sentence = missed
        return Empty(sentence, "exact", layer=depth, nearest=gap)
    return None


def _distance(image: Any, value: Fraction) -> float:
    if image.lower is not None and value < image.lower:
        return float(image.lower - value)
    return float(value - image.upper)


def _short(value: Fraction) -> str:
    text = str(value)
    return text if len(text) <= 20 else f"about {float(value):.17g}"
