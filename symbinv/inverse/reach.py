"""How far down the target is known exactly, and whether what stands there has a solution.

From the last layer down, a layer whose matrix has full column rank determines its input: the input's values are
exact reals, are held against the activation's image, and are inverted. At the first layer that does not, the
question is linear: is there an input inside the image (or the box) with C a = d? Motzkin's theorem answers it. What
remains below is the constraint on which a witness is sought, and on which the samplers walk.

Works on the collapsed network, in which every layer that is linear under the pattern is merged into the next.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from symbinv.errors import NotSupportedError
from symbinv.exact.interval import Interval
from symbinv.exact.loglinear import LogLinear, apply_matrix, combine
from symbinv.exact.matrix import ExactMatrix
from symbinv.inverse.pattern import Collapsed, Inequality
from symbinv.inverse.verdict import Empty
from symbinv.network.activation import Branch
from symbinv.network.bounds import box_intervals, forward_intervals
from symbinv.network.constraint import Constraint
from symbinv.network.network import Layer
from symbinv.polyhedra.feasibility import Certificate, LinearSystem, Point, decide, is_inside


@dataclass(frozen=True, eq=False)
class Reach:
    """Where the exact walk from the target ended.

    Attributes:
        level: The collapsed layer, from 1, whose pre-activations are known; its input is not determined.
        layer: The network's layer in which it ends, from 1.
        constraint: C a(x) = d, or None where emptiness came first.
        empty: Set where the target was shown to be unattainable.
        point: An exact solution, where level is 1.
        undecided: Why some exact question above stayed open, or "".
        inequalities: Those of the pattern that are still to be checked, at or below the level.
    """

    level: int
    layer: int
    constraint: Constraint | None
    empty: Empty | None = None
    point: Point | None = None
    undecided: str = ""
    inequalities: tuple[Inequality, ...] = ()


def walk_down(collapsed: Collapsed, rows: Sequence[int], z: Sequence[LogLinear], box: ExactMatrix | None) -> Reach:
    """Walk from known pre-activations of the last layer down to the first layer that leaves freedom.

    Args:
        collapsed: The network under its pattern.
        rows: Units of the last layer whose z is known.
        z: Their values (log y where the last activation forgets a shift).
        box: Bounds of the inputs, (n0, 2), or None.
    """
    level = len(collapsed.layers)
    known, units = list(z), list(rows)
    undecided = ""
    while True:
        last = level == len(collapsed.layers)
        matrix, right, conditions = _independent_rows(collapsed, level, units, known, last)
        index = collapsed.ends[level - 1]
        failed, open_question = _check_conditions(*conditions, index)
        if failed:
            return Reach(level, index, None, failed)
        undecided = undecided or open_question
        if level == 1 or matrix.rows < matrix.columns:
            break
        values = apply_matrix(matrix.solve(ExactMatrix.identity(matrix.rows)), right)
        below = _through_activation(collapsed, level, values)
        if isinstance(below, Empty):
            return Reach(level, index, None, below)
        if below is None:
            undecided = undecided or f"a sign at layer {index} could not be decided"
            break
        known, units, level = below, list(range(matrix.columns)), level - 1
    return _decide_level(collapsed, level, matrix, right, box, undecided)


def _independent_rows(
    collapsed: Collapsed, level: int, units: Sequence[int], known: Sequence[LogLinear], last: bool
) -> tuple[ExactMatrix, list[LogLinear], tuple[ExactMatrix, list[LogLinear]]]:
    """Return independent rows of C and d, and all rows before the choice."""
    layer = collapsed.layers[level - 1]
    matrix = layer.weights.select(rows=units)
    bias = [layer.bias.fraction(i, 0) for i in units]
    right = [v - LogLinear.rational(b) for v, b in zip(known, bias, strict=True)]
    if last and layer.activation.has_shift:
        differences = ExactMatrix.build(
            len(units) - 1, len(units), lambda i, j: 1 if i == j else (-1 if j == len(units) - 1 else 0)
        )
        matrix, right = differences @ matrix, apply_matrix(differences, right)
    chosen = matrix.T.rref()[1] if matrix.rows else ()
    return matrix.select(rows=chosen), [right[i] for i in chosen], (matrix, right)


def _check_conditions(matrix: ExactMatrix, right: Sequence[LogLinear], index: int) -> tuple[Empty | None, str]:
    """Check that the right side meets every consistency condition of a rank-deficient matrix."""
    null = matrix.left_null_space() if matrix.rows else ExactMatrix.zeros(0, 0)
    for row in null.fractions():
        sign = combine(row, right).sign()
        if sign is None:
            return None, f"a consistency condition of layer {index} could not be decided"
        if sign:
            system = LinearSystem.of_intervals(matrix, right, box_intervals(None, matrix.columns))
            certificate = Certificate(system, tuple(-sign * q for q in row), ())
            return (
                Empty(
                    f"Layer {index} has rank {matrix.rows - null.rows} with {matrix.rows} equations, and the target "
                    "breaks a consistency condition.",
                    "exact",
                    certificate,
                    index,
                ),
                "",
            )
    return None, ""


def _through_activation(
    collapsed: Collapsed, level: int, values: Sequence[LogLinear]
) -> Empty | list[LogLinear] | None:
    """Take the determined output of the collapsed layer below back through its activation."""
    below = collapsed.layers[level - 2].activation
    index = collapsed.ends[level - 2]
    for inequality in collapsed.inequalities_at(level):
        sign = (combine(inequality.row.fractions()[0], values) - LogLinear.rational(inequality.bound)).sign()
        if sign is None:
            return None
        if sign > 0 or (sign == 0 and inequality.strict):
            return Empty(f"The only activations of layer {index} leave the pattern.", "exact", None, index)
    branches = collapsed.branches[level - 2]
    if (below.inverse is None and branches is None) or below.has_shift:
        raise NotSupportedError(f"layer {index}: {below.name} in a hidden layer is not supported yet.")
    z: list[LogLinear] = []
    for unit, value in enumerate(values, start=1):
        branch = None if branches is None else branches[unit - 1]
        image = below.image if branch is None else branch.image
        inside = is_inside(value, image)
        if inside is None:
            return None
        if not inside:
            return Empty(
                f"Unit {unit} of layer {index} would have to be {_about(value)}, outside {image}, "
                f"the image of {below.name}{'' if branch is None else f' on its {branch.name} branch'}.",
                "exact" if value.is_decidable else "certified",
                value,
                index,
            )
        inverse = below.inverse if branch is None else branch.inverse
        inverted = None if inverse is None else inverse.exact(value)
        if inverted is None:
            return None
        z.append(inverted)
    return z


def _decide_level(
    collapsed: Collapsed,
    level: int,
    matrix: ExactMatrix,
    right: Sequence[LogLinear],
    box: ExactMatrix | None,
    undecided: str,
) -> Reach:
    inputs = collapsed.layers[0].weights.columns
    intervals = forward_intervals(collapsed.layers[: level - 1], box_intervals(box, inputs))
    branches = collapsed.branches[level - 2] if level > 1 else None
    if branches is not None:
        intervals = tuple(i.meet(branch.image) for i, branch in zip(intervals, branches, strict=True))
    here, rest = collapsed.inequalities_at(level), collapsed.inequalities_below(level)
    rows = ExactMatrix.zeros(0, matrix.columns)
    for q in here:
        rows = rows.above(q.row) if rows.rows else q.row
    system = LinearSystem(
        matrix, tuple(right), intervals, rows, tuple(q.bound for q in here), tuple(q.strict for q in here)
    )
    index = collapsed.ends[level - 1]
    constraint = Constraint(inputs, collapsed.layers[: level - 1], matrix, tuple(right))
    answer = decide(system)
    if isinstance(answer, Certificate):
        # bounds narrower than the image below come from balls, not from rational arithmetic
        whole = () if level == 1 else _images(collapsed.layers[level - 2], branches)
        from_image = level == 1 or intervals == whole
        exact = all(r.is_decidable for r in right) and from_image
        where = "inside the box" if level == 1 and box is not None else "that the layer below can produce"
        reason = f"No input of layer {index} {where} gives its pre-activations."
        return Reach(level, index, constraint, Empty(reason, "exact" if exact else "certified", answer, index))
    point = answer if level == 1 and isinstance(answer, Point) else None
    if answer is None and not undecided:
        undecided = f"neither a point nor a certificate was found for the linear system of layer {index}"
    return Reach(level, index, constraint, None, point, undecided, rest)


def _images(layer: Layer, branches: Sequence[Branch] | None) -> tuple[Interval, ...]:
    if branches is None:
        return (layer.activation.image,) * layer.weights.rows
    return tuple(branch.image for branch in branches)


def _about(value: LogLinear) -> str:
    return f"{'' if value.is_rational else '≈ '}{float(value):.6g}"
