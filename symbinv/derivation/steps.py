"""The typed steps of a derivation. Every output format and the replay read the same list.

A step holds what it takes and what it gives, as mathematics; how it looks is the renderer's business.
"""

from dataclasses import dataclass

import sympy

from symbinv.algebra.named import Definition, Update
from symbinv.algebra.operation import Operation
from symbinv.derivation.parametric_steps import CaseSolved, CaseTreeGiven, ClosedFormGiven
from symbinv.exact.interval import Interval
from symbinv.exact.matrix import ExactMatrix
from symbinv.inverse.verdict import Verdict


@dataclass(frozen=True, eq=False)
class NetworkGiven:
    """What is inverted: sizes, activations, the target, and notes."""

    sizes: tuple[int, ...]
    activations: tuple[str, ...]
    target: tuple[sympy.Expr, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
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


@dataclass(frozen=True, eq=False)
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


@dataclass(frozen=True, eq=False)
class BranchesTaken:
    """Under a pattern: which units are on a constant piece, and what keeps them there."""

    layer: int
    activation: str
    constant_units: tuple[int, ...]
    values: tuple[sympy.Expr, ...]
    inequalities: tuple[sympy.Expr, ...]


@dataclass(frozen=True, eq=False)
class SidesNamed:
    """The right side of the linear system: r_i = z_i - b_i (and constants moved over)."""

    layer: int
    definitions: tuple[sympy.Eq, ...]


@dataclass(frozen=True, eq=False)
class Augmented:
    """The system [matrix | sides] in the unknowns."""

    layer: int
    matrix: ExactMatrix
    sides: tuple[sympy.Expr, ...]
    unknowns: tuple[sympy.Symbol, ...]


@dataclass(frozen=True, eq=False)
class RowsOperated:
    """One or more row operations with the same source row, the names they define, and the result."""

    layer: int
    operations: tuple[Operation, ...]
    definitions: tuple[Definition, ...]
    matrix: ExactMatrix
    sides: tuple[sympy.Expr, ...]


@dataclass(frozen=True, eq=False)
class RowsReduced:
    """The reduced row echelon form [rref | T r] of a matrix of numbers, with its pivots (columns from 0)."""

    layer: int
    matrix: ExactMatrix
    sides: tuple[sympy.Expr, ...]
    pivots: tuple[int, ...]
    unknowns: tuple[sympy.Symbol, ...]
    nullity: int


@dataclass(frozen=True, eq=False)
class PivotSolved:
    """One pivot variable by back-substitution: unknown = (side - sum of entry * other) / pivot."""

    layer: int
    unknown: sympy.Symbol
    side: sympy.Expr
    others: tuple[tuple[sympy.Expr, sympy.Symbol], ...]
    pivot: sympy.Expr


@dataclass(frozen=True, eq=False)
class PivotWrittenOut:
    """A solved pivot with the names it holds replaced by what they stand for."""

    layer: int
    solved: PivotSolved
    definitions: tuple[Update, ...]


@dataclass(frozen=True, eq=False)
class LayerSolved:
    """All pivot variables in terms of the free ones."""

    layer: int
    solution: tuple[sympy.Eq, ...]
    free: tuple[sympy.Symbol, ...]


@dataclass(frozen=True, eq=False)
class ConditionsStated:
    """What must vanish (rows without a pivot), and what was taken to be non-zero (symbolic pivots)."""

    layer: int
    conditions: tuple[sympy.Expr, ...]
    assumptions: tuple[sympy.Expr, ...]
    zero_claim: str


@dataclass(frozen=True, eq=False)
class DomainStated:
    """The interval in which each of this layer's unknowns must lie (those without bounds left out)."""

    layer: int
    intervals: tuple[tuple[sympy.Symbol, Interval], ...]


@dataclass(frozen=True, eq=False)
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


@dataclass(frozen=True, eq=False)
class GeneralElimination:
    """Elimination and back-substitution for any m and n, in the indices (see derivation/general.py)."""

    multiplier: sympy.Eq
    entry: sympy.Eq
    side: sympy.Eq
    back: sympy.Eq
    definitions: sympy.Expr


@dataclass(frozen=True, eq=False)
class VerdictGiven:
    """What is known of the preimage."""

    verdict: Verdict
    dimension: int
    dimension_claim: str
    free: tuple[sympy.Symbol, ...]


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


@dataclass(frozen=True, eq=False)
class Derivation:
    """The steps of an inverse, in the order in which they are read."""

    title: str
    steps: tuple[Step, ...]
