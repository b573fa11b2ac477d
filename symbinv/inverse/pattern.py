"""Activation patterns: which piece or branch every unit is on, and the network that they make linear.

A pattern holds one tuple per layer with the index of each unit's piece (relu: 0 inactive, 1 active), or of its
branch where the activation falls and then rises (silu, gelu, square: 0 left, 1 right of the turning point). Layers
whose activation has an inverse need none, and their entry may be None.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any

import sympy

from symbinv.errors import NotInvertibleError, OptionError, ShapeError
from symbinv.exact.ball import ball, decide_sign
from symbinv.exact.interval import Interval
from symbinv.exact.matrix import ExactMatrix
from symbinv.exact.policy import to_rational
from symbinv.inverse.layer import piece_interval
from symbinv.network.activation import Activation, Branch, Piece, activation
from symbinv.network.network import Layer, Network, to_exact_input

LayerPattern = tuple[int, ...] | None
Pattern = tuple[LayerPattern, ...]


@dataclass(frozen=True)
class Inequality:
    """row . a <= bound (or <), where a is the output of the first `level` collapsed layers.

    Attributes:
        inner: On a branch that turns at an irrational number: a smaller bound, which surely keeps the unit on it.
        is_branch: Whether it keeps a unit on a branch: it then follows once that unit's z is known.
    """

    level: int
    row: ExactMatrix
    bound: Fraction
    strict: bool
    inner: Fraction
    is_branch: bool = False


@dataclass(frozen=True, eq=False)
class Collapsed:
    """A network under a pattern, every linear layer merged into the next.

    Attributes:
        layers: Smooth layers, then the last affine map with the identity or the last layer's activation.
        inequalities: What keeps the units on their pieces.
        ends: For each collapsed layer, the index (from 1) of the layer in which it ends.
        branches: For each collapsed layer, the branch of each unit, or None.
    """

    layers: tuple[Layer, ...]
    inequalities: tuple[Inequality, ...]
    ends: tuple[int, ...]
    branches: tuple[tuple[Branch, ...] | None, ...]

    def inequalities_at(self, level: int) -> list[Inequality]:
        """Return what is still to be checked where the pre-activations of a collapsed layer are known."""
        return [q for q in self.inequalities if q.level == level - 1 and not q.is_branch]

    def inequalities_below(self, level: int) -> tuple[Inequality, ...]:
        """Return the same for that layer and all layers below."""
        return tuple(q for q in self.inequalities if q.level < level - int(q.is_branch))


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
        kinks = _kinks(layer.activation)
        if not kinks:
            pattern.append(None)
        elif all(e.is_Rational for e in z):
            signs: list[Callable[[Fraction], int]] = [partial(_compare, Fraction(int(e.p), int(e.q))) for e in z]
            pattern.append(tuple(_place(kinks, sign, index, unit) for unit, sign in enumerate(signs)))
        else:
            pattern.append(_pattern_by_balls(network, x, index))
        if index < network.depth:
            a = list(layer.activation.forward(z))
    return tuple(pattern)


def _pattern_by_balls(network: Network, x: Any, index: int) -> tuple[int, ...]:
    """Decide the pieces and branches behind smooth layers by balls around the pre-activations."""
    below, layer = network.layers[: index - 1], network.layers[index - 1]
    linear = Layer(layer.weights, layer.bias, activation("identity"))
    kinks = _kinks(layer.activation)
    head = Network((*below, linear))
    values = [v for (v,) in to_exact_input(x, network.sizes[0]).fractions()]

    def sign_at(unit: int, end: Fraction) -> int | None:
        """Return the sign of a unit's pre-activation less an end; None where balls do not tell."""
        return decide_sign(partial(_above, head, values, unit, end))

    return tuple(_place(kinks, partial(sign_at, unit), index, unit) for unit in range(layer.weights.rows))


def _kinks(f: Activation) -> tuple[tuple[Fraction, Fraction], ...]:
    """Return where pieces or branches meet, from the left, each as a lower and an upper bound of the place."""
    if f.pieces is not None:
        return tuple((p.upper, p.upper) for p in f.pieces if p.upper is not None)
    if f.branches is not None:
        left, right = f.branches
        if left.z.upper is not None and right.z.lower is not None:
            return ((right.z.lower, left.z.upper),)
    return ()


def _compare(value: Fraction, end: Fraction) -> int:
    return (value > end) - (value < end)


def _place(
    kinks: Sequence[tuple[Fraction, Fraction]], sign_at: Callable[[Fraction], int | None], index: int, unit: int
) -> int:
    """Return on which piece a unit is, from the sign of its pre-activation less an end; the left one at a kink."""
    for k, (low, high) in enumerate(kinks):
        if sign_at(low) in (-1, 0):
            return k
        if sign_at(high) != 1:
            raise NotInvertibleError(
                f"layer {index}: the pre-activation of unit {unit + 1} lies too near the kink at {float(low):.6g} "
                "to be decided; move the input or give `pattern` itself."
            )
    return len(kinks)


def _above(head: Network, x: Sequence[Fraction], unit: int, end: Fraction) -> Any:
    """Return a ball around the pre-activation of a unit less the end of a piece."""
    return head.forward_ball(x)[unit] - ball(end)


def check_pattern(network: Network, pattern: Sequence[Any]) -> Pattern:
    """Return a pattern as tuples, checked against the network.

    Raises:
        ShapeError: Where its sizes differ from the network's.
        OptionError: For a piece that an activation does not have.
    """
    if len(pattern) != network.depth:
        raise ShapeError(f"pattern must have one entry per layer ({network.depth}), not {len(pattern)}.")
    checked: list[LayerPattern] = []
    for index, (layer, given) in enumerate(zip(network.layers, pattern, strict=True), start=1):
        last = len(_kinks(layer.activation))
        if given is None or (not last and not isinstance(given, str | int) and not len(given)):
            checked.append(None)
            continue
        if not last:
            raise OptionError(
                f"pattern of layer {index} must be None, as {layer.activation.name} is one-to-one, not {given!r}."
            )
        whole = [given] * layer.weights.rows if isinstance(given, str | int) else list(given)
        if len(whole) != layer.weights.rows:
            raise ShapeError(f"pattern of layer {index} must have {layer.weights.rows} entries, not {len(whole)}.")
        names = {b.name: k for k, b in enumerate(layer.activation.branches or ())}
        units = tuple(names.get(k, -1) if isinstance(k, str) else int(k) for k in whole)
        if any(not 0 <= k <= last for k in units):
            by_name = f" or be {' or '.join(names)}" if names else ""
            what = "branches" if layer.activation.pieces is None else "pieces"
            raise OptionError(f"{what} of layer {index} must lie between 0 and {last}{by_name}, not {tuple(whole)}.")
        checked.append(units)
    return tuple(checked)


def unit_pieces(layer: Layer, pattern: LayerPattern) -> tuple[Piece, ...] | None:
    """Return the piece of each unit of a layer under a pattern; None where the pattern says nothing."""
    if pattern is None or layer.activation.pieces is None:
        return None
    return tuple(layer.activation.pieces[k] for k in pattern)


def unit_branches(layer: Layer, pattern: LayerPattern) -> tuple[Branch, ...] | None:
    """Return the branch of each unit of a layer that is curved and not one-to-one; None for other layers."""
    if pattern is None or layer.activation.pieces is not None or layer.activation.branches is None:
        return None
    return tuple(layer.activation.branches[k] for k in pattern)


def unit_ranges(layer: Layer, pattern: LayerPattern) -> tuple[Interval, ...] | None:
    """Return where the pre-activation of each unit lies under a pattern; None where the pattern says nothing."""
    pieces, branches = unit_pieces(layer, pattern), unit_branches(layer, pattern)
    if pieces is not None:
        return tuple(piece_interval(p) for p in pieces)
    return None if branches is None else tuple(b.z for b in branches)


def collapse(network: Network, pattern: Pattern) -> Collapsed:
    """Merge every layer that is linear under the pattern into the next one, exactly."""
    layers: list[Layer] = []
    inequalities: list[Inequality] = []
    ends: list[int] = []
    taken: list[tuple[Branch, ...] | None] = []
    weights: ExactMatrix | None = None
    bias: ExactMatrix | None = None
    for index, (layer, units) in enumerate(zip(network.layers, pattern, strict=True), start=1):
        w = layer.weights if weights is None else layer.weights @ weights
        b = layer.bias if bias is None else layer.weights @ bias + layer.bias
        pieces = unit_pieces(layer, units)
        branches = unit_branches(layer, units)
        if pieces is not None:
            inequalities += _stay_on(pieces, w, b, len(layers))
        elif branches is not None:
            inequalities += _stay_on_branches(branches, w, b, len(layers))
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
        taken.append(branches)
        weights = bias = None
    return Collapsed(tuple(layers), tuple(inequalities), tuple(ends), tuple(taken))


def _stay_on(pieces: Sequence[Piece], w: ExactMatrix, b: ExactMatrix, level: int) -> list[Inequality]:
    kept = []
    for i, piece in enumerate(pieces):
        interval, row, shift = piece_interval(piece), w.select(rows=[i]), b.fraction(i, 0)
        if interval.lower is not None:
            bound = shift - interval.lower
            kept.append(Inequality(level, -row, bound, interval.open_lower, bound))
        if interval.upper is not None:
            bound = interval.upper - shift
            kept.append(Inequality(level, row, bound, interval.open_upper, bound))
    return kept


def _stay_on_branches(branches: Sequence[Branch], w: ExactMatrix, b: ExactMatrix, level: int) -> list[Inequality]:
    kept = []
    for i, branch in enumerate(branches):
        row, shift = w.select(rows=[i]), b.fraction(i, 0)
        low, high = branch.turning
        if branch.z.lower is not None:
            kept.append(Inequality(level, -row, shift - low, False, shift - high, True))
        if branch.z.upper is not None:
            kept.append(Inequality(level, row, high - shift, False, low - shift, True))
    return kept


def constant_outputs(pieces: tuple[Piece, ...] | None) -> dict[int, sympy.Rational]:
    """Return the units that sit on constant pieces, with their values."""
    if pieces is None:
        return {}
    return {i: to_rational(p.intercept) for i, p in enumerate(pieces) if p.is_constant}
