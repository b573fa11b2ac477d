"""LayerInverse: one layer undone, in terms of the symbols of the layer above.

Layer l says W a + b = z with a the activations below (x at layer 1) and z the pre-activations. Under an
activation pattern, a unit on a constant piece (an inactive relu) knows nothing of its z: its row leaves the
linear system and stays as an inequality, and in the layer above its column is a constant. The softmax shift c
is one more unknown: [W | -1] (a, c) = log y - b.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray

from symbinv.algebra.closed_form import predicted_terms
from symbinv.algebra.elimination import RowReduction
from symbinv.algebra.fiber import AffineFiber, solve_fiber
from symbinv.algebra.named import Definition
from symbinv.errors import BudgetError, NotInvertibleError
from symbinv.exact.interval import Interval
from symbinv.exact.loglinear import LogLinear
from symbinv.exact.matrix import ExactMatrix
from symbinv.exact.policy import to_rational
from symbinv.network.activation import Activation, Branch, Inverse1D, Piece

Array = NDArray[np.float64]
EXPANSION_LIMIT = 1_000_000


@dataclass(frozen=True, eq=False)
class LayerInverse:
    """One layer of an inverse.

    Attributes:
        index: The layer, from 1.
        activation: Of this layer.
        weights, bias: Of this layer, whole.
        rows: Units whose equation stays (all of them without a pattern), from 0.
        columns: Units below that are unknown; the others are `constants`.
        constants: Value of each unit below that sits on a constant piece.
        pieces: The piece that each unit of this layer is on, or None without a pattern.
        branches: The branch that each unit is on where the activation falls and then rises, or None.
        reduction: Of weights[rows, columns], with a column of -1 for the shift.
        unknowns: The symbols of the columns, the shift last.
        shift: The shift's symbol, or None.
        right: The symbols z_i of the rows (u_i = log y_i where there is a shift).
        sides: The symbols r_i = z_i - b_i that stand on the right side of the linear system.
        outputs: The symbols (or numbers) of this layer's activations, all units.
        superscript: Of the names that this layer's elimination gives.
        images: The interval of each unknown.
    """

    index: int
    activation: Activation
    weights: ExactMatrix
    bias: ExactMatrix
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    constants: dict[int, sympy.Rational]
    pieces: tuple[Piece, ...] | None
    branches: tuple[Branch, ...] | None
    reduction: RowReduction
    unknowns: tuple[sympy.Symbol, ...]
    shift: sympy.Symbol | None
    right: tuple[sympy.Symbol, ...]
    sides: tuple[sympy.Symbol, ...]
    outputs: tuple[sympy.Expr, ...]
    superscript: tuple[int, ...]
    images: tuple[Interval, ...]

    def __repr__(self) -> str:
        return f"LayerInverse({self.index}: {self.weights.rows}x{self.weights.columns}, {self.activation.label})"

    @property
    def free_variables(self) -> tuple[sympy.Symbol, ...]:
        """The symbols of the columns without a pivot."""
        return tuple(self.unknowns[j] for j in self.reduction.free)

    @property
    def pivot_variables(self) -> tuple[sympy.Symbol, ...]:
        """The symbols of the pivot columns."""
        return tuple(self.unknowns[j] for j in self.reduction.pivots)

    @cached_property
    def moved_bias(self) -> ExactMatrix:
        """The bias of the rows plus what the constant units below contribute, (rows, 1)."""
        bias = self.bias.select(rows=self.rows)
        if not self.constants:
            return bias
        fixed = sorted(self.constants)
        values = ExactMatrix.column([self.constants[j] for j in fixed])
        return bias + self.weights.select(rows=self.rows, columns=fixed) @ values

    @cached_property
    def fiber(self) -> AffineFiber:
        """All solutions, with r = z - b on the right side."""
        right_side = ExactMatrix.column(self.sides) if self.sides else ExactMatrix.zeros(0, 1)
        return solve_fiber(self.reduction, right_side, self.superscript)

    @cached_property
    def side_values(self) -> dict[sympy.Symbol, sympy.Expr]:
        """What each r_i stands for: z_i - b_i, less what constant units below contribute."""
        bias = self.moved_bias
        return {r: z - bias[i, 0] for i, (r, z) in enumerate(zip(self.sides, self.right, strict=True))}

    @property
    def definitions(self) -> tuple[Definition, ...]:
        """The names that the elimination and the push of the right side gave, in order."""
        return (*self.reduction.definitions, *self.fiber.definitions)

    def named_values(self, sides: Mapping[sympy.Symbol, sympy.Expr]) -> dict[sympy.Symbol, sympy.Expr]:
        """Return what r_i (as given) and every defined name stand for, not expanded."""
        known = dict(sides)
        for definition in self.definitions:
            known[definition.name] = definition.value.xreplace(known)
        return known

    @property
    def preactivations(self) -> tuple[sympy.Eq, ...]:
        """The activation undone: each right symbol in terms of this layer's output symbols."""
        return tuple(
            sympy.Eq(z, self.undo(i, self.outputs[i]), evaluate=False)
            for z, i in zip(self.right, self.rows, strict=True)
        )

    def undo(self, unit: int, output: sympy.Expr) -> sympy.Expr:
        """Return the right side's symbol of a unit from the unit's activation."""
        if self.pieces is not None:
            piece = self.pieces[unit]
            return (output - to_rational(piece.intercept)) / to_rational(piece.slope)
        return self.inverse_of(unit).symbolic(output)

    def inverse_of(self, unit: int) -> Inverse1D:
        """Return the inverse of a curved activation on the branch of a unit."""
        inverse = self.activation.inverse if self.branches is None else self.branches[unit].inverse
        if inverse is None:
            raise NotInvertibleError(f"layer {self.index}: {self.activation.name} has no inverse without a pattern.")
        return inverse

    def undo_numerically(self, outputs: Array) -> Array:
        """Return the right sides from the activations in doubles, feature-major: (m, k) -> (rows, k)."""
        rows = list(self.rows)
        if self.pieces is not None:
            slopes = np.array([float(self.pieces[i].slope) for i in rows])[:, None]
            shifts = np.array([float(self.pieces[i].intercept) for i in rows])[:, None]
            return np.asarray((outputs[rows] - shifts) / slopes)
        with np.errstate(all="ignore"):
            if self.branches is None:
                return np.asarray(self.inverse_of(0).numeric(outputs))  # all units have a row
            return np.array([self.inverse_of(i).numeric(outputs[i]) for i in rows])

    def undo_exactly(self, unit: int, output: Fraction) -> LogLinear:
        """Return the right side's value of a unit from the exact value of its activation, inside the image."""
        if self.pieces is not None:
            piece = self.pieces[unit]
            return LogLinear.rational((output - piece.intercept) / piece.slope)
        exact = self.inverse_of(unit).exact(LogLinear.rational(output))
        if exact is None:
            raise NotInvertibleError(f"layer {self.index}: {self.activation.name} could not be inverted at {output}.")
        return exact

    @property
    def conditions(self) -> tuple[sympy.Expr, ...]:
        """What must vanish for this layer to have a solution, in z and named entries."""
        return tuple(c.xreplace(self.side_values) for c in self.fiber.conditions if c != 0)

    @property
    def domain(self) -> tuple[Any, ...]:
        """Inequalities on the unknowns: images of the activations below, the box, and inactive units here."""
        relations: list[Any] = []
        for unknown, interval in zip(self.unknowns, self.images, strict=False):
            relations += interval_relations(unknown, interval)
        return (*relations, *self.inequalities)

    @property
    def inequalities(self) -> tuple[Any, ...]:
        """Under a pattern: z of each unit on a constant piece stays on it, written in the unknowns."""
        if self.pieces is None:
            return ()
        relations: list[Any] = []
        everything = [self.constants.get(j, sympy.Integer(0)) for j in range(self.weights.columns)]
        for j, unknown in zip(self.columns, self.unknowns, strict=False):
            everything[j] = unknown
        for i, piece in enumerate(self.pieces):
            if i not in self.rows:
                row = self.weights.select(rows=[i]) @ ExactMatrix.column(everything)
                relations += interval_relations(row[0, 0] + self.bias[i, 0], piece_interval(piece))
        return tuple(relations)

    def solution(self, named: bool = False) -> tuple[sympy.Eq, ...]:
        """Return the pivot variables in terms of the free ones and z.

        Args:
            named: Keep the names of the elimination (k_{21}, w^{(1)}_{22}) instead of what they stand for.

        Raises:
            BudgetError: Where the names, written out, would make more than a million terms.
        """
        x = self.fiber.substitute(self.free_variables)
        if self.definitions and not named:
            predicted = predicted_terms(self.reduction)
            if predicted > EXPANSION_LIMIT:
                raise BudgetError(
                    f"a written-out solution may have at most {EXPANSION_LIMIT} terms, but layer {self.index} would "
                    f"have up to {predicted:.1e}; keep the names with solution({self.index}, named=True)."
                )
        known = self.side_values if named else self.named_values(self.side_values)
        x = tuple(e.xreplace(known) for e in x)
        order = sorted(self.reduction.pivots)
        return tuple(sympy.Eq(self.unknowns[j], x[j], evaluate=False) for j in order)


def interval_relations(expression: sympy.Expr, interval: Interval) -> list[Any]:
    """Return the inequalities that say an expression lies in an interval."""
    relations: list[Any] = []
    if interval.lower is not None:
        kind = sympy.StrictGreaterThan if interval.open_lower else sympy.GreaterThan
        relations.append(kind(expression, to_rational(interval.lower), evaluate=False))
    if interval.upper is not None:
        kind = sympy.StrictLessThan if interval.open_upper else sympy.LessThan
        relations.append(kind(expression, to_rational(interval.upper), evaluate=False))
    return relations


def piece_interval(piece: Piece) -> Interval:
    """Return where z of a unit on a piece may lie: the left end belongs to the piece before."""
    return Interval(piece.lower, piece.upper, True, piece.upper is None)


def piece_image(piece: Piece) -> Interval:
    """Return the activations of a unit on a piece."""
    ends = [None if z is None else piece.slope * z + piece.intercept for z in (piece.lower, piece.upper)]
    if piece.slope < 0:
        return Interval(ends[1], ends[0], ends[1] is None, True)
    return Interval(ends[0], ends[1], True, ends[1] is None)
