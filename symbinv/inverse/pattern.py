"""Activation patterns: which piece every unit is on, and the network that they make linear.

A pattern holds one tuple per layer with the index of each unit's piece (relu: 0 inactive, 1 active). Layers
whose activation has an inverse need none, and their entry may be None.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any

import sympy

from symbinv.errors import NotInvertibleError, OptionError, ShapeError
from symbinv.exact.ball import ball, decide_sign
from symbinv.exact.matrix import ExactMatrix
from symbinv.exact.policy import to_rational
from symbinv.inverse.layer import piece_interval
from symbinv.network.activation import Piece, activation
from symbinv.network.network import Layer, Network, to_exact_input

LayerPattern = tuple[int, ...] | None
Pattern = tuple[LayerPattern, ...]


@dataclass(frozen=True)
class Inequality:
    """row . a <= bound (or <), where a is the output of the first `level` collapsed layers."""

    level: int
    row: ExactMatrix
    bound: Fraction
    strict: bool


@dataclass(frozen=True, eq=False)
class Collapsed:
    """A network under a pattern, every linear layer merged into the next.

    Attributes:
        layers: Smooth layers, then the last affine map with the identity or the last layer's activation.
        inequalities: What keeps the units on their pieces.
        ends: For each collapsed layer, the index (from 1) of the layer in which it ends.
    """

    layers: tuple[Layer, ...]
    inequalities: tuple[Inequality, ...]
    ends: tuple[int, ...]


def pattern_at(network: Network, x: Any) -> Pattern:
    """Return the pattern of an input, decided exactly.

    Raises:
        ShapeError: Where x does not have one entry per input.
        NotInvertibleError: Where the sign of a pre-activation behind smooth layers cannot be decided.

    Example:
        >>> network = Network.from_arrays([[[1], [-1]]], [[0, 0]], ["relu"])
        >>> pattern_at(network, [3])
        ((1, 0),)
    """
    a: list[sympy.Expr] = [v for (v,) in to_exact_input(x, network.sizes[0]).to_sympy().tolist()]
    pattern: list[LayerPattern] = []
    for index, layer in enumerate(network.layers, start=1):
        column = layer.weights @ ExactMatrix.column(a) + layer.bias
        z = [column[i, 0] for i in range(column.rows)]
        pieces = layer.activation.pieces
        if pieces is None or len(pieces) == 1:
            pattern.append(None)
        elif all(e.is_Rational for e in z):
            pattern.append(tuple(layer.activation.piece_at(Fraction(int(e.p), int(e.q))) for e in z))
        else:
            pattern.append(_pattern_by_balls(network, x, index))
        if index < network.depth:
            a = list(layer.activation.forward(z))
    return tuple(pattern)


def _pattern_by_balls(network: Network, x: Any, index: int) -> tuple[int, ...]:
    """Decide the pieces behind smooth layers by balls around the pre-activations."""
    below, layer = network.layers[: index - 1], network.layers[index - 1]
    linear = Layer(layer.weights, layer.bias, activation("identity"))
    pieces = layer.activation.pieces or ()
    head = Network((*below, linear))
    values = [v for (v,) in to_exact_input(x, network.sizes[0]).fractions()]
    found = []
    for unit in range(layer.weights.rows):
        for k, piece in enumerate(pieces):
            end = piece.upper
            sign = None if end is None else decide_sign(partial(_above, head, values, unit, end))
            if end is None or sign in (-1, 0):
                found.append(k)
                break
            if sign is None:
                raise NotInvertibleError(
                    f"layer {index}: the pre-activation of unit {unit + 1} lies too near the kink at {end} to be "
                    "decided; move the input or give `pattern` itself."
                )
    return tuple(found)


def _above(head: Network, x: Sequence[Fraction], unit: int, end: Fraction) -> Any:
    """Return a ball around the pre-activation of a unit less the end of a piece."""
    return head.forward_ball(x)[unit] - ball(end)


def check_pattern(network: Network, pattern: Sequence[Sequence[int] | None]) -> Pattern:
    """Return a pattern as tuples, checked against the network.

    Raises:
        ShapeError: Where its sizes differ from the network's.
        OptionError: For a piece that an activation does not have.
    """
    if len(pattern) != network.depth:
        raise ShapeError(f"pattern must have one entry per layer ({network.depth}), not {len(pattern)}.")
    checked: list[LayerPattern] = []
    for index, (layer, given) in enumerate(zip(network.layers, pattern, strict=True), start=1):
        pieces = layer.activation.pieces
        if given is None or pieces is None or len(pieces) == 1:
            checked.append(None)
            continue
        units = tuple(int(k) for k in given)
        if len(units) != layer.weights.rows:
            raise ShapeError(f"pattern of layer {index} must have {layer.weights.rows} entries, not {len(units)}.")
        if any(not 0 <= k < len(pieces) for k in units):
            raise OptionError(f"pieces of layer {index} must lie between 0 and {len(pieces) - 1}, not {units}.")
        checked.append(units)
    return tuple(checked)


def unit_pieces(layer: Layer, pattern: LayerPattern) -> tuple[Piece, ...] | None:
    """Return the piece of each unit of a layer under a pattern; None where the pattern says nothing."""
    if pattern is None or layer.activation.pieces is None:
        return None
    return tuple(layer.activation.pieces[k] for k in pattern)


def collapse(network: Network, pattern: Pattern) -> Collapsed:
    """Merge every layer that is linear under the pattern into the next one, exactly."""
    layers: list[Layer] = []
    inequalities: list[Inequality] = []
    ends: list[int] = []
    weights: ExactMatrix | None = None
    bias: ExactMatrix | None = None
    for index, (layer, units) in enumerate(zip(network.layers, pattern, strict=True), start=1):
        w = layer.weights if weights is None else layer.weights @ weights
        b = layer.bias if bias is None else layer.weights @ bias + layer.bias
        pieces = unit_pieces(layer, units)
        if pieces is not None:
            inequalities += _stay_on(pieces, w, b, len(layers))
        if index == network.depth:
            layers.append(Layer(w, b, layer.activation))
            ends.append(index)
        elif pieces is not None or layer.activation.is_identity:
            slopes = [p.slope for p in pieces] if pieces else [Fraction(1)] * w.rows
            shifts = [p.intercept for p in pieces] if pieces else [Fraction(0)] * w.rows
            diagonal = ExactMatrix([[s if i == j else 0 for j in range(w.rows)] for i, s in enumerate(slopes)])
            weights, bias = diagonal @ w, diagonal @ b + ExactMatrix.column(shifts)
            continue
        else:
            layers.append(Layer(w, b, layer.activation))
            ends.append(index)
        weights = bias = None
    return Collapsed(tuple(layers), tuple(inequalities), tuple(ends))


def _stay_on(pieces: Sequence[Piece], w: ExactMatrix, b: ExactMatrix, level: int) -> list[Inequality]:
    kept = []
    for i, piece in enumerate(pieces):
        interval, row, shift = piece_interval(piece), w.select(rows=[i]), b.fraction(i, 0)
        if interval.lower is not None:
            kept.append(Inequality(level, -row, shift - interval.lower, interval.open_lower))
        if interval.upper is not None:
            kept.append(Inequality(level, row, interval.upper - shift, interval.open_upper))
    return kept


def constant_outputs(pieces: tuple[Piece, ...] | None) -> dict[int, sympy.Rational]:
    """Return the units that sit on constant pieces, with their values."""
    if pieces is None:
        return {}
    return {i: to_rational(p.intercept) for i, p in enumerate(pieces) if p.is_constant}
