"""The replay of a layer's forward equations: weights, activation, branches, right side, domain; see `rows`."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import sympy

from symbinv.derivation import steps
from symbinv.derivation.replay.equality import EXACT, Claim, Judge, weakest
from symbinv.derivation.replay.rows import SystemReplay
from symbinv.derivation.replay.terms import Names, is_rational_function, listed, need, short
from symbinv.exact.interval import Interval
from symbinv.exact.matrix import ExactMatrix
from symbinv.exact.policy import to_rational
from symbinv.network.activation import Activation, Branch, Piece
from symbinv.network.bounds import box_intervals
from symbinv.notation import inputs_of_layer, layer_superscript, symbol, symbols


class LayerReplay(SystemReplay):
    """What has been proved of one layer.

    Args:
        judge: Decides equality.
        network: The first step.
        index: The layer, from 1.
        activations: Of all layers.
        outputs: What leaves the layer, as the layer above (or the target) gave it.
        names: All symbols so far.
    """

    def __init__(
        self,
        judge: Judge,
        network: steps.NetworkGiven,
        index: int,
        activations: Sequence[Activation],
        outputs: Sequence[sympy.Expr],
        names: Names,
    ) -> None:
        self.network, self.index, self.outputs = network, index, tuple(outputs)
        self.activation = activations[index - 1]
        self.above = layer_superscript(index, len(activations))
        self.pieces = pieces_of(network, activations, index)
        self.pieces_below = pieces_of(network, activations, index - 1) if index > 1 else None
        self.curved = branches_of(network, activations, index)
        self.curved_below = branches_of(network, activations, index - 1) if index > 1 else None
        m, n = network.sizes[index], network.sizes[index - 1]
        self.rows = [i for i in range(m) if self.pieces is None or not self.pieces[i].is_constant]
        below = inputs_of_layer(index, n)
        constant = {j: p for j, p in enumerate(self.pieces_below or ()) if p.is_constant}
        self.columns = [j for j in range(n) if j not in constant]
        self.inputs = tuple(to_rational(constant[j].intercept) if j in constant else below[j] for j in range(n))
        self.shift = symbol("c", superscript=self.above) if self.activation.has_shift else None
        unknowns = tuple(below[j] for j in self.columns) + (() if self.shift is None else (self.shift,))
        self.preactivations = symbols("z", m, self.above)
        right = symbols("u" if self.activation.has_shift else "z", m, self.above)
        self.right = [right[i] for i in self.rows]
        self.image_below = activations[index - 2].image if index > 1 else None
        sides = symbols("r", m, self.above)
        super().__init__(judge, names, unknowns, [sides[i] for i in self.rows])

    def given(self, step: steps.LayerGiven) -> Claim:
        """Accept the layer's weights, held against the sizes, the names and the layer above."""
        m, n = self.network.sizes[self.index], self.network.sizes[self.index - 1]
        need(step.weights.shape == (m, n), f"the weights must have shape {(m, n)}, not {step.weights.shape}")
        need(step.bias.shape == (m, 1), f"the bias must have {m} entries, not shape {step.bias.shape}")
        need(step.inputs == self.inputs, "the inputs must be what enters the layer by its name or its constant")
        need(step.preactivations == self.preactivations, "the pre-activations must have their names")
        need(step.outputs == self.outputs, "the outputs must be what the layer above takes, or the target")
        if not step.weights.is_rational:
            entries = [e for row in step.weights.to_sympy().tolist() for e in row]
            need(all(map(is_rational_function, entries)), "weights must be rational functions of symbols")
        self._label(step.activation)
        self.names.use(step.weights.free_symbols() | step.bias.free_symbols())
        self.names.bind({*self.unknowns, *self.preactivations, *self.right, *self.side_names})
        self.weights, self.bias = step.weights, step.bias
        self.coefficients = step.weights.select(rows=self.rows, columns=self.columns)
        if self.shift is not None:
            self.coefficients = self.coefficients.beside(ExactMatrix([[-1]] * len(self.rows)))
        return EXACT

    def _label(self, label: str) -> None:
        need(label == self.network.activations[self.index - 1], "the activation must be the network's")

    def undone(self, step: steps.ActivationUndone) -> Claim:
        """Prove z in terms of a, by the activation's entry in the table or by the piece that each unit is on."""
        self._label(step.activation)
        need(step.image == self.activation.image, f"the image must be {self.activation.image}, not {step.image}")
        need(step.shift == self.shift, f"the shift must be {self.shift}, not {step.shift}")
        expected = []
        for name, i in zip(self.right, self.rows, strict=True):
            value = self._undo(i)
            if not value.is_number or value.is_real:  # a number outside the image has no real pre-activation
                expected.append((name, value))
        return self._equations(step.equations, expected, "the activation undone")

    def _undo(self, unit: int) -> sympy.Expr:
        output = self.outputs[unit]
        if self.pieces is not None:
            piece = self.pieces[unit]
            return (output - to_rational(piece.intercept)) / to_rational(piece.slope)
        inverse: Any = self.activation.inverse if self.curved is None else self.curved[unit].inverse
        need(inverse is not None, f"{self.activation.name} is not one-to-one and has no pattern")
        value: sympy.Expr = inverse.symbolic(output)
        return value

    def _equations(
        self, given: Sequence[sympy.Eq], expected: Sequence[tuple[sympy.Symbol, sympy.Expr]], what: str
    ) -> Claim:
        names, found = [e.lhs for e in given], [name for name, _ in expected]
        need(names == found, f"{what}: there must be one equation for each of {listed(found)}")
        return weakest(
            self.same(e.rhs, value, f"{what}: {name} must be {short(value)}, not {short(e.rhs)}")
            for e, (name, value) in zip(given, expected, strict=True)
        )

    def branches(self, step: steps.BranchesTaken) -> Claim:
        """Prove the inequalities that keep units on constant pieces, or the range of each unit's branch.

        Ranges that end where the activation turns at an irrational number were rounded outward, so they are certified.
        """
        self._label(step.activation)
        taken = tuple((b.name, b.z, b.image, b.claim) for b in self.curved or ())
        need(step.branches == taken, "the branches must be those of the pattern, with their ranges, images and claims")
        pieces = self.pieces or ()
        constant = tuple(i for i, p in enumerate(pieces) if p.is_constant)
        need(step.constant_units == constant, f"the units on constant pieces must be {constant}, from 0")
        need(
            step.values == tuple(to_rational(pieces[i].intercept) for i in constant), "a constant unit's value is wrong"
        )
        claims = []
        left = list(step.inequalities)
        for i in constant:
            z = self._row_value(i)
            for kind, end in piece_ends(pieces[i]):
                need(bool(left), f"an inequality of unit {i + 1} is missing")
                relation = left.pop(0)
                fits = isinstance(relation, kind) and relation.rhs == to_rational(end)
                need(fits, f"the inequality of unit {i + 1} must compare with {end} as its piece does")
                message = f"the inequality of unit {i + 1} must be on its pre-activation"
                claims.append(self.same(relation.lhs, z, message))
        need(not left, "there are more inequalities than pieces have ends")
        if any(low != high for low, high in (b.turning for b in self.curved or ())):
            claims.append(Claim("certified"))
        return weakest(claims)

    def _row_value(self, unit: int) -> sympy.Expr:
        terms = [self.weights[unit, j] * x for j, x in enumerate(self.inputs)]
        return sympy.Add(*terms, self.bias[unit, 0])

    def sides(self, step: steps.SidesNamed) -> Claim:
        """Prove r_i = z_i - b_i, less what constant units below contribute."""
        expected = []
        constant = [j for j in range(len(self.inputs)) if j not in set(self.columns)]
        for name, z, i in zip(self.side_names, self.right, self.rows, strict=True):
            moved = sympy.Add(self.bias[i, 0], *(self.weights[i, j] * self.inputs[j] for j in constant))
            expected.append((name, z - moved))
        return self._equations(step.definitions, expected, "the right side")

    @property
    def bounded(self) -> tuple[tuple[sympy.Symbol, Interval], ...]:
        """The unknowns that an image or the box bounds, with their intervals."""
        if self.index == 1:
            box = box_intervals(self.network.box, self.network.sizes[0])
            intervals = [box[j] for j in self.columns]
        elif self.pieces_below is not None:
            intervals = [piece_values(self.pieces_below[j]) for j in self.columns]
        elif self.curved_below is not None:
            intervals = [self.curved_below[j].image for j in self.columns]
        else:
            intervals = [self.image_below or Interval(None, None)] * len(self.columns)
        pairs = zip(self.unknowns, intervals, strict=False)
        return tuple((x, i) for x, i in pairs if i.lower is not None or i.upper is not None)

    def domain(self, step: steps.DomainStated) -> Claim:
        """Prove the intervals of the unknowns."""
        need(step.intervals == self.bounded, "the intervals must be the images of the layer below, or the box")
        return EXACT


# -- pieces -----------------------------------------------------------------------------------------------


def pieces_of(network: steps.NetworkGiven, activations: Sequence[Activation], index: int) -> tuple[Piece, ...] | None:
    """Return the piece of each unit of a layer under the pattern, or None."""
    units, pieces = network.pattern[index - 1], activations[index - 1].pieces
    return None if units is None or pieces is None else tuple(pieces[k] for k in units)


def branches_of(
    network: steps.NetworkGiven, activations: Sequence[Activation], index: int
) -> tuple[Branch, ...] | None:
    """Return the branch of each unit of a layer under the pattern, where its activation falls and then rises."""
    units, branches = network.pattern[index - 1], activations[index - 1].branches
    if units is None or branches is None or activations[index - 1].pieces is not None:
        return None
    return tuple(branches[k] for k in units)


def piece_ends(piece: Piece) -> list[tuple[Any, Fraction]]:
    """Return the inequalities z > lower and z <= upper of a piece: a unit at a kink is on the left one."""
    ends: list[tuple[Any, Fraction]] = []
    if piece.lower is not None:
        ends.append((sympy.StrictGreaterThan, piece.lower))
    if piece.upper is not None:
        ends.append((sympy.LessThan, piece.upper))
    return ends


def piece_values(piece: Piece) -> Interval:
    """Return the values of a sloped piece; the end at its right kink belongs to it, the left one does not."""
    left, right = (None if z is None else piece.slope * z + piece.intercept for z in (piece.lower, piece.upper))
    if piece.slope > 0:
        return Interval(left, right, True, right is None)
    return Interval(right, left, right is None, True)
