"""derive: an Inverse to its Derivation, the list of typed steps that every output reads."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace

import sympy

from symbinv.algebra.named import Definition, Update
from symbinv.algebra.operation import AddMultiple, Operation, apply
from symbinv.derivation.serialise import fingerprint_of
from symbinv.derivation.steps import (
    WRITTEN_OUT_RANK,
    ActivationUndone,
    Augmented,
    BranchesTaken,
    ConditionsStated,
    Derivation,
    DomainStated,
    LayerGiven,
    LayerSolved,
    Multipliers,
    NetworkGiven,
    PivotSolved,
    PivotWrittenOut,
    RowsOperated,
    RowsReduced,
    SidesNamed,
    Step,
    VerdictGiven,
)
from symbinv.exact.matrix import ExactMatrix
from symbinv.exact.polynomial import ring_of
from symbinv.inverse.invert import Inverse
from symbinv.inverse.layer import LayerInverse
from symbinv.inverse.verdict import Empty
from symbinv.network.network import Network
from symbinv.notation import inputs_of_layer, layer_superscript, symbol, symbols
from symbinv.polyhedra.feasibility import Certificate


def derive(inverse: Inverse) -> Derivation:
    """Return the derivation of an inverse as typed steps.

    Example:
        >>> from symbinv.network.network import Network
        >>> from symbinv.inverse.invert import invert
        >>> steps = derive(invert(Network.generic([3, 2], ["sigmoid"]))).steps
        >>> [type(step).__name__ for step in steps][:4]
        ['NetworkGiven', 'LayerGiven', 'ActivationUndone', 'SidesNamed']
    """
    network = inverse.network
    labels = tuple(layer.activation.label for layer in network.layers)
    steps: list[Step] = [
        NetworkGiven(
            network.sizes,
            labels,
            inverse.target,
            inverse.notes,
            inverse.box,
            inverse.pattern,
            fingerprint_of(network),
            _parameters(network),
        )
    ]
    for step in inverse.steps:
        steps += _layer_steps(step, network.depth)
    steps.append(_verdict(inverse))
    sizes = " -> ".join(map(str, network.sizes))
    return Derivation(f"Inversion of a {sizes} network", tuple(steps))


def _parameters(network: Network) -> tuple[sympy.Symbol, ...]:
    """Return the symbols that the activations keep, in the order of the layers."""
    values = [v for layer in network.layers for v in layer.activation.parameters.values()]
    return tuple(dict.fromkeys(v for v in values if isinstance(v, sympy.Symbol)))


def _verdict(inverse: Inverse) -> VerdictGiven:
    verdict, multipliers = inverse.verdict, None
    if isinstance(verdict, Empty):
        proof = verdict.certificate
        if isinstance(proof, Certificate):
            multipliers = Multipliers(proof.equation_multipliers, proof.inequality_multipliers)
        verdict = replace(verdict, certificate=None)
    return VerdictGiven(verdict, inverse.dimension, inverse.dimension_claim, inverse.free_variables, multipliers)


def _layer_steps(step: LayerInverse, depth: int) -> Iterator[Step]:
    index = step.index
    below: list[sympy.Expr] = list(inputs_of_layer(index, step.weights.columns))
    for j, value in step.constants.items():
        below[j] = value
    letter = symbols("z", step.weights.rows, layer_superscript(index, depth))
    yield LayerGiven(index, step.weights, step.bias, tuple(below), letter, step.outputs, step.activation.label)
    undone = tuple(e for e in step.preactivations if _is_attained(e.rhs))
    yield ActivationUndone(index, step.activation.label, undone, step.activation.image, step.shift)
    if step.pieces is not None:
        constant = tuple(i for i in range(len(step.pieces)) if i not in step.rows)
        values = tuple(sympy.Rational(step.pieces[i].intercept) for i in constant)
        yield BranchesTaken(index, step.activation.label, constant, values, step.inequalities)
    if step.branches is not None:
        taken = tuple((b.name, b.z, b.image, b.claim) for b in step.branches)
        yield BranchesTaken(index, step.activation.label, (), (), (), taken)
    if step.sides:
        yield SidesNamed(index, tuple(sympy.Eq(r, v, evaluate=False) for r, v in step.side_values.items()))
        yield Augmented(index, step.reduction.matrix, step.sides, step.unknowns)
        yield from _elimination(step)
        yield from _solution(step)
    reduction = step.reduction
    yield ConditionsStated(index, step.fiber.conditions, reduction.assumptions, reduction.zero_claim)
    bounded = tuple(
        (s, i) for s, i in zip(step.unknowns, step.images, strict=False) if i.lower is not None or i.upper is not None
    )
    if bounded:
        yield DomainStated(index, bounded)


def _is_attained(preactivation: sympy.Expr) -> bool:
    """Tell whether a pre-activation is a real number; a target outside the activation's image has none."""
    return not preactivation.is_number or bool(preactivation.is_real)


def _elimination(step: LayerInverse) -> Iterator[Step]:
    """Run the operations again, in groups with one source row, with the names that each group defines."""
    reduction = step.reduction
    width = reduction.matrix.columns
    joint = [[*row, r] for row, r in zip(_without_hidden_zeros(reduction.matrix), step.sides, strict=True)]
    names: dict[tuple[sympy.Expr, sympy.Expr, sympy.Expr], deque[sympy.Symbol]] = {}
    for d in step.definitions:  # two entries that stand for the same have a name each, in the order of the columns
        if isinstance(d, Update):
            names.setdefault((d.old, d.multiplier, d.entry), deque()).append(d.name)
    defined: dict[sympy.Symbol, Definition] = {d.name: d for d in step.definitions}
    for group in _groups(reduction.operations or ()):
        mentioned: list[sympy.Expr] = []
        for operation in group:
            if not isinstance(operation, AddMultiple):
                apply(operation, joint)
                continue
            if reduction.matrix.is_rational:
                update = _add_rational(operation, joint, step.superscript)
                defined[update.name] = update
            else:
                _add_named(operation, joint, names)
            mentioned += [-operation.factor, *joint[operation.target]]
        used = tuple(dict.fromkeys(defined.pop(e) for e in mentioned if e in defined))  # each is defined once
        yield RowsOperated(
            step.index, group, used, ExactMatrix([row[:width] for row in joint]), tuple(row[width] for row in joint)
        )
    if reduction.matrix.is_rational and reduction.rank:
        sides = reduction.transform @ ExactMatrix.column(step.sides)
        yield RowsReduced(
            step.index,
            reduction.rref,
            tuple(sides[i, 0] for i in range(sides.rows)),
            reduction.pivots,
            step.unknowns,
            reduction.nullity,
        )


def _without_hidden_zeros(matrix: ExactMatrix) -> list[list[sympy.Expr]]:
    """Return the rows with entries such as (a + b)^2 - a^2 - 2 a b - b^2 as 0, which is how elimination sees them."""
    rows: list[list[sympy.Expr]] = matrix.to_sympy().tolist()
    if matrix.is_rational or not any(e.is_Add or e.is_Mul for row in rows for e in row):
        return rows
    ring = ring_of(rows)
    zero = sympy.Integer(0)
    return [[zero if e.is_Add and ring.rational_function(e).is_zero else e for e in row] for row in rows]


def _add_rational(operation: AddMultiple, rows: list[list[sympy.Expr]], superscript: tuple[int, ...]) -> Update:
    """Add a multiple of a row of numbers, naming the new right side r^{(p)}_i as named elimination does."""
    old, entry = rows[operation.target][-1], rows[operation.source][-1]
    name = symbol("r", operation.target + 1, superscript=(*superscript, operation.source + 1))
    apply(operation, rows)
    rows[operation.target][-1] = name
    return Update(name, old, -operation.factor, entry)


def _add_named(
    operation: AddMultiple,
    rows: list[list[sympy.Expr]],
    names: dict[tuple[sympy.Expr, sympy.Expr, sympy.Expr], deque[sympy.Symbol]],
) -> None:
    """Add a multiple of a row, writing each result by the name the elimination gave it (zero: found to be so)."""
    factor = -operation.factor
    target, source = rows[operation.target], rows[operation.source]
    for j, (old, entry) in enumerate(zip(target, source, strict=True)):
        if entry != 0:
            value = old - factor * entry
            waiting = names.get((old, factor, entry))
            target[j] = waiting.popleft() if waiting else value if value.is_number else sympy.Integer(0)


def _groups(operations: Sequence[Operation]) -> list[tuple[Operation, ...]]:
    """Put consecutive additions of multiples of the same row into one group."""
    groups: list[list[Operation]] = []
    for operation in operations:
        last = groups[-1][-1] if groups else None
        if isinstance(operation, AddMultiple) and isinstance(last, AddMultiple) and last.source == operation.source:
            groups[-1].append(operation)
        else:
            groups.append([operation])
    return [tuple(group) for group in groups]


def _has_names(solved: PivotSolved, updates: Sequence[Update]) -> bool:
    names = {d.name for d in updates}
    return bool(names & {solved.side, solved.pivot, *(entry for entry, _ in solved.others)})


def _solution(step: LayerInverse) -> Iterator[Step]:
    reduction, fiber = step.reduction, step.fiber
    if not reduction.matrix.is_rational:
        solved: list[PivotSolved] = []
        echelon = reduction.echelon
        for i in reversed(range(reduction.rank)):
            p = reduction.pivots[i]
            others = tuple(
                (echelon[i, j], step.unknowns[j]) for j in range(echelon.columns) if j != p and echelon[i, j] != 0
            )
            solved.append(PivotSolved(step.index, step.unknowns[p], fiber.pushed[i, 0], others, echelon[i, p]))
        yield from solved
        updates = tuple(d for d in step.definitions if isinstance(d, Update))
        if len(updates) > 0 and reduction.rank <= WRITTEN_OUT_RANK:
            yield from (PivotWrittenOut(step.index, s, updates) for s in solved if _has_names(s, updates))
        return
    values = fiber.substitute(step.free_variables)
    solution = tuple(sympy.Eq(step.unknowns[j], values[j], evaluate=False) for j in sorted(reduction.pivots))
    yield LayerSolved(step.index, solution, step.free_variables)
