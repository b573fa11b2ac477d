"""The typed steps of a derivation. Every output format and the replay read the same list.

A step holds what it takes and what it gives, as mathematics; how it looks is the renderer's business.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import sympy
from sympy.core.relational import Relational

from symbinv.algebra.named import Definition, Update
from symbinv.algebra.operation import Operation
from symbinv.derivation.parametric_steps import CaseSolved, CaseTreeGiven, ClosedFormGiven
from symbinv.exact.interval import Interval
from symbinv.exact.matrix import ExactMatrix
from symbinv.inverse.verdict import Verdict

if TYPE_CHECKING:
    from symbinv.derivation.replay.walk import Replay

WRITTEN_OUT_RANK = 2  # the paper's case; above it the names are what keeps formulas readable


@dataclass(frozen=True)
class NetworkGiven:
    """What is inverted: sizes, activations, the target, and notes.

    Attributes:
        sizes: Inputs, then units of each layer.
        activations: The label of each layer's activation.
        target: One number or expression per output.
        notes: Sentences, for the reader alone.
        box: (n0, 2), bounds of the inputs, or None.
        pattern: The piece of each unit, one tuple a layer, None for layers that need none.
        fingerprint: Of all weights, biases and activations (see `serialise.fingerprint_of`).
        parameters: The symbols among the activations' parameters, as slopes; their labels hold the names alone.
    """

    sizes: tuple[int, ...]
    activations: tuple[str, ...]
    target: tuple[sympy.Expr, ...]
    notes: tuple[str, ...]
    box: ExactMatrix | None
    pattern: tuple[tuple[int, ...] | None, ...]
    fingerprint: str
    parameters: tuple[sympy.Symbol, ...]


@dataclass(frozen=True)
class LayerGiven:
    """The forward equations z = W a + b and f(z) of a layer.

    Attributes:
        layer: From 1.
        inputs: Symbols (or constants) of what enters.
        right: Symbols z_i of all kept rows.
        outputs: Symbols or numbers of the layer's activations, all units.
    """

    layer: int
    weights: ExactMatrix
    bias: ExactMatrix
    inputs: tuple[sympy.Expr, ...]
    preactivations: tuple[sympy.Symbol, ...]
    outputs: tuple[sympy.Expr, ...]
    activation: str


@dataclass(frozen=True)
class ActivationUndone:
    """z in terms of the layer's activations, with the interval in which these must lie.

    Attributes:
        equations: One per kept row; with a shift c, of u = z - c = log y.
        image: The activation's image.
        shift: The softmax shift, or None.
    """

    layer: int
    activation: str
    equations: tuple[sympy.Eq, ...]
    image: Interval
    shift: sympy.Symbol | None


@dataclass(frozen=True)
class BranchesTaken:
    """Under a pattern: which units are on a constant piece, and what keeps them there; or each unit's branch.

    Attributes:
        branches: Where the activation falls and then rises, of each unit: the branch's name, the range of z, the
            values taken there, and whether the inverse is "exact" or "numeric".
    """

    layer: int
    activation: str
    constant_units: tuple[int, ...]
    values: tuple[sympy.Expr, ...]
    inequalities: tuple[Relational, ...]
    branches: tuple[tuple[str, Interval, Interval, str], ...] = ()


@dataclass(frozen=True)
class SidesNamed:
    """The right side of the linear system: r_i = z_i - b_i (and constants moved over)."""

    layer: int
    definitions: tuple[sympy.Eq, ...]


@dataclass(frozen=True)
class Augmented:
    """The system [matrix | sides] in the unknowns."""

    layer: int
    matrix: ExactMatrix
    sides: tuple[sympy.Expr, ...]
    unknowns: tuple[sympy.Symbol, ...]


@dataclass(frozen=True)
class RowsOperated:
    """One or more row operations with the same source row, the names they define, and the result."""

    layer: int
    operations: tuple[Operation, ...]
    definitions: tuple[Definition, ...]
    matrix: ExactMatrix
    sides: tuple[sympy.Expr, ...]


@dataclass(frozen=True)
class RowsReduced:
    """The reduced row echelon form [rref | T r] of a matrix of numbers, with its pivots (columns from 0)."""

    layer: int
    matrix: ExactMatrix
    sides: tuple[sympy.Expr, ...]
    pivots: tuple[int, ...]
    unknowns: tuple[sympy.Symbol, ...]
    nullity: int


@dataclass(frozen=True)
class PivotSolved:
    """One pivot variable by back-substitution: unknown = (side - sum of entry * other) / pivot."""

    layer: int
    unknown: sympy.Symbol
    side: sympy.Expr
    others: tuple[tuple[sympy.Expr, sympy.Symbol], ...]
    pivot: sympy.Expr


@dataclass(frozen=True)
class PivotWrittenOut:
    """A solved pivot with the names it holds replaced by what they stand for."""

    layer: int
    solved: PivotSolved
    definitions: tuple[Update, ...]


@dataclass(frozen=True)
class LayerSolved:
    """All pivot variables in terms of the free ones."""

    layer: int
    solution: tuple[sympy.Eq, ...]
    free: tuple[sympy.Symbol, ...]


@dataclass(frozen=True)
class ConditionsStated:
    """What must vanish (rows without a pivot), and what was taken to be non-zero (symbolic pivots)."""

    layer: int
    conditions: tuple[sympy.Expr, ...]
    assumptions: tuple[sympy.Expr, ...]
    zero_claim: str


@dataclass(frozen=True)
class DomainStated:
    """The interval in which each of this layer's unknowns must lie (those without bounds left out)."""

    layer: int
    intervals: tuple[tuple[sympy.Symbol, Interval], ...]


@dataclass(frozen=True)
class SubstitutionChecked:
    """A claimed solution substituted into the equations, with what is left over of each.

    Attributes:
        title: Whose solution it is.
        claimed: The equations unknown = expression.
        residuals: Left side minus right side of each equation after elimination; all zero for a solution.
    """

    title: str
    claimed: tuple[sympy.Eq, ...]
    residuals: tuple[sympy.Expr, ...]


@dataclass(frozen=True)
class GeneralElimination:
    """Elimination and back-substitution for any m and n, in the indices (see derivation/general.py)."""

    multiplier: sympy.Eq
    entry: sympy.Eq
    side: sympy.Eq
    back: sympy.Eq
    definitions: sympy.Expr


@dataclass(frozen=True)
class Multipliers:
    """Motzkin multipliers of a linear system without a solution: of its equations, and of its inequalities (>= 0).

    The system is the one at the layer that the verdict names; whoever checks them builds it from the network.
    """

    equations: tuple[Fraction, ...]
    inequalities: tuple[Fraction, ...]


@dataclass(frozen=True)
class VerdictGiven:
    """What is known of the preimage.

    Attributes:
        verdict: Without the objects that its certificate holds.
        dimension: -1 where the preimage is empty.
        dimension_claim: What the dimension rests on.
        free: The free variables of all layers, last layer first.
        multipliers: The evidence for emptiness where it is a linear system's, else None.
    """

    verdict: Verdict
    dimension: int
    dimension_claim: str
    free: tuple[sympy.Symbol, ...]
    multipliers: Multipliers | None


Step = (
    NetworkGiven
    | LayerGiven
    | ActivationUndone
    | BranchesTaken
    | SidesNamed
    | Augmented
    | RowsOperated
    | RowsReduced
    | PivotSolved
    | PivotWrittenOut
    | LayerSolved
    | ConditionsStated
    | DomainStated
    | SubstitutionChecked
    | GeneralElimination
    | VerdictGiven
    | ClosedFormGiven
    | CaseTreeGiven
    | CaseSolved
)


@dataclass(frozen=True)
class Derivation:
    """The steps of an inverse, in the order in which they are read."""

    title: str
    steps: tuple[Step, ...]

    def __repr__(self) -> str:
        return f"Derivation({self.title!r}, {len(self.steps)} steps)"

    def replay(self) -> "Replay":
        """Prove every step again from the steps before it; see `symbinv.derivation.replay.walk`."""
        from symbinv.derivation.replay.walk import replay

        return replay(self)

    def to_json(self) -> str:
        """Return the derivation as JSON text; `from_json` gives the same steps again."""
        from symbinv.derivation.serialise import derivation_json

        return derivation_json(self)

    @staticmethod
    def from_json(text: str) -> "Derivation":
        """Return the derivation that JSON text holds. Nothing in it is trusted: `replay` says whether it holds.

        Raises:
            ReadError: With the place, for anything that `to_json` would not write.
        """
        from symbinv.derivation.serialise import read_derivation

        return read_derivation(text)
