"""invert: a network and a target to an Inverse, one LayerInverse per layer and a verdict.

Backward from the last layer, each layer's W a + b = z is reduced once and solved for its pivot variables; the
free variables stay what they are. The layers are kept apart: substituting through them doubles an expression
at every logit, so `Inverse.expand` does it only on request.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sympy

from symbinv.errors import NotInvertibleError, NotSupportedError, OptionError
from symbinv.exact.interval import Interval
from symbinv.exact.matrix import ExactMatrix
from symbinv.exact.policy import Policy
from symbinv.inverse.judge import judge
from symbinv.inverse.layer import LayerInverse, piece_image
from symbinv.inverse.pattern import (
    Pattern,
    check_pattern,
    constant_outputs,
    pattern_at,
    unit_branches,
    unit_pieces,
)
from symbinv.inverse.pivots import Columns, PivotChoice
from symbinv.inverse.target import Target, to_target
from symbinv.inverse.verdict import Unknown, Verdict
from symbinv.network.activation import Branch, Piece
from symbinv.network.bounds import box_intervals
from symbinv.network.constraint import Constraint
from symbinv.network.network import Network, to_box, to_exact_input
from symbinv.notation import inputs_of_layer, layer_superscript, symbol, symbols


@dataclass(frozen=True, eq=False)
class Inverse:
    """All inputs of a network that produce a target, layer by layer.

    Attributes:
        network: What was inverted.
        target: One SymPy expression per output.
        steps: One LayerInverse per layer, last layer first.
        verdict: Empty, NonEmpty or Unknown, with its evidence.
        dimension: Of the preimage; -1 where it is empty.
        dimension_claim: "exact", "certified", "upper bound" or "generic" (symbols).
        box: Bounds of the inputs, or None.
        pattern: The activation pattern inside which the inverse holds; entries None where none is needed.
        constraint: c(x) = 0 on which witnesses are sought and samplers walk; None for symbols or empty targets.
        notes: What was done to the target and the network, one sentence each.
    """

    network: Network
    target: tuple[sympy.Expr, ...]
    steps: tuple[LayerInverse, ...]
    verdict: Verdict
    dimension: int
    dimension_claim: str
    box: ExactMatrix | None
    pattern: Pattern
    constraint: Constraint | None
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        sizes = " -> ".join(map(str, self.network.sizes))
        return f"Inverse({sizes}, dimension {self.dimension}, {type(self.verdict).__name__})"

    @property
    def free_variables(self) -> tuple[sympy.Symbol, ...]:
        """The free variables of all layers, last layer first."""
        return tuple(s for step in self.steps for s in step.free_variables)

    @property
    def conditions(self) -> tuple[sympy.Expr, ...]:
        """The expressions that must vanish, in z of each layer (met ones of a numeric target left out)."""
        numeric = all(v.is_Rational for v in self.target)
        decided = numeric and not isinstance(self.verdict, Unknown)
        return tuple(c for step in self.steps for c in (() if decided and step is self.steps[0] else step.conditions))

    @property
    def assumptions(self) -> tuple[sympy.Expr, ...]:
        """The symbolic pivots that were taken to be non-zero."""
        return tuple(e for step in self.steps for e in step.reduction.assumptions)

    @property
    def domain(self) -> tuple[Any, ...]:
        """The inequalities on hidden activations and inputs, last layer first."""
        return tuple(r for step in self.steps for r in step.domain)

    def step(self, layer: int) -> LayerInverse:
        """Return the inverse of one layer, counted from 1.

        Raises:
            OptionError: For a layer that the network does not have.
        """
        if not 1 <= layer <= self.network.depth:
            raise OptionError(f"layer must lie between 1 and {self.network.depth}, not {layer}.")
        return self.steps[self.network.depth - layer]

    def solution(self, layer: int, named: bool = False) -> tuple[sympy.Eq, ...]:
        """Return the pivot variables of one layer in terms of its free variables and pre-activations.

        Args:
            layer: From 1.
            named: Keep the elimination's names instead of writing them out.

        Example:
            >>> from symbinv.network.network import Network
            >>> inverse = invert(Network.from_arrays([[[2, 1]]], [[0]], ["tanh"]))
            >>> inverse.solution(1)
            (Eq(x_1, -x_2/2 + z_1/2),)
        """
        return self.step(layer).solution(named)

    def expand(self) -> tuple[sympy.Expr, ...]:
        """Return the inputs as expressions in the target and the free variables, all layers substituted.

        The expressions double at every logit; for deep networks keep to `solution`.

        Example:
            >>> from symbinv.network.network import Network
            >>> invert(Network.from_arrays([[[2, 1]]], [[0]], ["tanh"]), ["1/2"]).expand()
            (-x_2/2 + atanh(1/2)/2, x_2)
        """
        above: list[sympy.Expr] = list(self.target)
        for step in self.steps:
            x = step.fiber.substitute(step.free_variables)
            undone = {z: step.undo(i, above[i]) for z, i in zip(step.right, step.rows, strict=True)}
            known = step.named_values({r: value.xreplace(undone) for r, value in step.side_values.items()})
            everything = [step.constants.get(j, sympy.Integer(0)) for j in range(step.weights.columns)]
            for j, value in zip(step.columns, x, strict=False):
                everything[j] = value.xreplace(known)
            above = everything
        return tuple(above)


def invert(
    network: Network,
    target: Any = None,
    *,
    free: Columns | None = None,
    order: Columns | None = None,
    strategy: str | Mapping[int, str] = "paper",
    box: Any = None,
    at: Any = None,
    pattern: Sequence[Any] | None = None,
    policy: Policy = "exact",
) -> Inverse:
    """Derive all inputs that produce a target, layer by layer, exactly.

    Requires: every activation one-to-one (or softmax last), or a pattern for piecewise-linear ones.
    Exact? The reductions, conditions and emptiness of linear questions: yes, in rationals and decidable
    logarithms. A witness behind smooth hidden layers is found in floats and proved by balls.
    Complete? The closed forms describe all inputs (under the pattern). The verdict may be Unknown.
    Cost: one exact reduction per layer.

    Args:
        network: The network.
        target: One number per output, or None for symbols y_1 ... y_m, or expressions.
        free: What shall be free: symbols or their names, ["x_3", "a^{(1)}_2"], whole numbers among them being
            inputs from 0; or {layer: the same}, layers from 1, whole numbers being columns from 0.
        order: What shall have a pivot first, written as `free`; the other columns follow from the left.
        strategy: Which pivots are taken, for all layers or {layer: strategy}: "paper" (from the left),
            "fewest_provisos" or "best_conditioned" (numbers only); see `reduce_rows`.
        box: (n0, 2) lower and upper ends of the inputs; the network's own box where left out.
        at: An input whose activation pattern is taken.
        pattern: One tuple per layer (None for layers that need none): for each unit the index of its piece, or of its
            branch where the activation falls and then rises (silu, gelu, square), which "left" and "right" name too;
            one name stands for all units.
        policy: What a float in `target`, `box` or `at` stands for.

    Raises:
        ShapeError, InexactError: For targets, boxes and patterns that do not fit.
        NotInvertibleError: For an activation that is not one-to-one, without a pattern.
        OptionError: For variables that cannot be free together, unknown ones, and unknown strategies.

    Example:
        >>> network = Network.from_arrays([[[1, 2, 3], [2, 5, 7]]], [[0, 0]], ["sigmoid"])
        >>> inverse = invert(network, ["0.8", "0.2"])
        >>> inverse.free_variables, inverse.dimension, type(inverse.verdict).__name__
        ((x_3,), 1, 'NonEmpty')
    """
    exact_box = network.box if box is None else to_box(box, network.sizes[0], policy)
    goal = to_target(network, target, policy)
    chosen = _choose_pattern(network, goal, at, pattern, policy)
    choice = PivotChoice.of(network, free, order, strategy)
    steps = _layer_steps(network, goal, chosen, exact_box, choice)
    hint = None if at is None else to_exact_input(at, network.sizes[0], policy).to_numpy()[:, 0]
    verdict, constraint, dimension, claim = judge(network, goal, chosen, exact_box, steps, hint)
    return Inverse(
        network,
        goal.values,
        steps,
        verdict,
        dimension,
        claim,
        exact_box,
        chosen,
        constraint,
        (*network.notes, *goal.notes),
    )


# -- the steps ----------------------------------------------------------------------------------------


def _choose_pattern(network: Network, goal: Target, at: Any, pattern: Any, policy: Policy) -> Pattern:
    if at is not None and pattern is not None:
        raise OptionError("give either `at` or `pattern`, not both.")
    if pattern is not None:
        chosen = check_pattern(network, pattern)
    elif at is not None:
        exact = [v for (v,) in to_exact_input(at, network.sizes[0], policy).fractions()]
        chosen = pattern_at(network, exact)
        one_to_one = [layer.activation.inverse is not None for layer in network.layers]
        chosen = tuple(None if known else units for known, units in zip(one_to_one, chosen, strict=True))
    else:
        chosen = (None,) * network.depth
    for index, (layer, units) in enumerate(zip(network.layers, chosen, strict=True), start=1):
        f = layer.activation
        if f.has_shift and index < network.depth:
            raise NotSupportedError(f"layer {index}: {f.name} in a hidden layer is not supported yet.")
        if f.inverse is None and units is None:
            if index == network.depth and goal.is_numeric and f.pieces is not None:
                chosen = (*chosen[:-1], _pattern_of_target(f.pieces, goal, index, f.name))
                continue
            if index == network.depth and goal.is_numeric and f.branches is not None:
                chosen = (*chosen[:-1], _branches_of_target(f.branches, goal, index, f.name))
                continue
            raise NotInvertibleError(
                f"layer {index} uses {f.name!r}, which is not one-to-one; `preimage` handles piecewise-linear "
                "networks, and `at=` an input or `pattern=` inverts inside one activation pattern."
            )
    return chosen


def _pattern_of_target(pieces: Sequence[Piece], goal: Target, index: int, name: str) -> tuple[int, ...]:
    """Return the pieces on which the last layer must be to give the target, where each is the only one."""
    chosen = []
    for y in goal.fractions():
        constant = [k for k, p in enumerate(pieces) if p.is_constant and p.intercept == y]
        sloped = [
            k
            for k, p in enumerate(pieces)
            if not p.is_constant
            and (p.lower is None or (y - p.intercept) / p.slope > p.lower)
            and (p.upper is None or (y - p.intercept) / p.slope <= p.upper)
        ]
        fitting = constant or sloped
        if len(fitting) > 1:
            raise NotInvertibleError(
                f"layer {index} uses {name!r}, which takes the value {y} on {len(fitting)} pieces; "
                "give `at=` an input or `pattern=`, or use `preimage`."
            )
        chosen.append(fitting[0] if fitting else 0)
    return tuple(chosen)


def _branches_of_target(branches: Sequence[Branch], goal: Target, index: int, name: str) -> tuple[int, ...]:
    """Return the branches on which the last layer must be to give the target, where each is the only one."""
    chosen = []
    for y in goal.fractions():
        fitting = [k for k, b in enumerate(branches) if b.image.contains(y) and (k == 0 or y != b.image.lower)]
        if len(fitting) > 1:
            raise NotInvertibleError(
                f"layer {index} uses {name!r}, which takes the value {y} on its left and on its right branch; "
                "give `at=` an input, or `pattern=` with 'left' or 'right' for each unit."
            )
        chosen.append(fitting[0] if fitting else 0)
    return tuple(chosen)


def _layer_steps(
    network: Network, goal: Target, pattern: Pattern, box: ExactMatrix | None, choice: PivotChoice
) -> tuple[LayerInverse, ...]:
    outputs: tuple[sympy.Expr, ...] = goal.values
    steps = []
    for index in range(network.depth, 0, -1):
        step = _layer_step(network, index, outputs, pattern, box, choice)
        steps.append(step)
        below = list(inputs_of_layer(index, step.weights.columns))
        for j, value in step.constants.items():
            below[j] = value
        outputs = tuple(below)
    return tuple(steps)


def _layer_step(
    network: Network,
    index: int,
    outputs: tuple[sympy.Expr, ...],
    pattern: Pattern,
    box: ExactMatrix | None,
    choice: PivotChoice,
) -> LayerInverse:
    layer = network.layers[index - 1]
    m, n = layer.weights.shape
    above = layer_superscript(index, network.depth)
    pieces = unit_pieces(layer, pattern[index - 1])
    pieces_below = unit_pieces(network.layers[index - 2], pattern[index - 2]) if index > 1 else None
    constants = constant_outputs(pieces_below)
    rows = tuple(i for i in range(m) if pieces is None or not pieces[i].is_constant)
    columns = tuple(j for j in range(n) if j not in constants)
    below = inputs_of_layer(index, n)
    unknowns = [below[j] for j in columns]
    shift = symbol("c", superscript=above) if layer.activation.has_shift else None
    matrix = layer.weights.select(rows=rows, columns=columns)
    if shift is not None:
        unknowns.append(shift)
        matrix = matrix.beside(ExactMatrix([[-1]] * len(rows)))
    letter = "u" if layer.activation.has_shift else "z"
    names, sides = symbols(letter, m, above), symbols("r", m, above)
    return LayerInverse(
        index=index,
        activation=layer.activation,
        weights=layer.weights,
        bias=layer.bias,
        rows=rows,
        columns=columns,
        constants=constants,
        pieces=pieces,
        branches=unit_branches(layer, pattern[index - 1]),
        reduction=choice.reduce(matrix, index, unknowns, above),
        unknowns=tuple(unknowns),
        shift=shift,
        right=tuple(names[i] for i in rows),
        sides=tuple(sides[i] for i in rows),
        outputs=outputs,
        superscript=above,
        images=_images(network, index, columns, pattern, box),
    )


def _images(
    network: Network,
    index: int,
    columns: Sequence[int],
    pattern: Pattern,
    box: ExactMatrix | None,
) -> tuple[Interval, ...]:
    if index == 1:
        intervals = box_intervals(box, network.sizes[0])
        return tuple(intervals[j] for j in columns)
    below, units = network.layers[index - 2], pattern[index - 2]
    pieces, branches = unit_pieces(below, units), unit_branches(below, units)
    if pieces is not None:
        return tuple(piece_image(pieces[j]) for j in columns)
    if branches is not None:
        return tuple(branches[j].image for j in columns)
    return (below.activation.image,) * len(columns)
