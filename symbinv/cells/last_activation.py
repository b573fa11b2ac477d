"""What a set of outputs asks of the last layer's pre-activations, where its activation is undone first."""

from dataclasses import dataclass
from fractions import Fraction

from symbinv.cells.output_set import OutputSet
from symbinv.errors import NotSupportedError
from symbinv.exact.loglinear import LOG, LogLinear
from symbinv.network.activation import Activation
from symbinv.polyhedra.polyhedron import HalfSpace, Polyhedron, Vector


@dataclass(frozen=True)
class RealRow:
    """row . z <= bound, or < where it is strict; the bound is an exact real."""

    row: Vector
    bound: LogLinear
    strict: bool


Clause = tuple[RealRow, ...]


def before_activation(target: OutputSet, activation: Activation) -> list[Clause]:
    """Return what a target asks of the last layer, one clause per polyhedron that can be met.

    For a piecewise-linear activation the rows are those of the target, on the outputs themselves; for a smooth
    one they are on pre-activations: thresholds of a one-to-one activation are inverted, comparisons of
    two outputs are those of their pre-activations, and softmax keeps ratios.

    Raises:
        NotSupportedError: For rows that are not linear in the pre-activations.
    """
    clauses: list[Clause] = []
    if target.point is not None and activation.has_shift:
        if not _is_softmax(activation):  # sum exp(y_i) = 1 has no rational solution but y = (0) (Lindemann)
            return [()] if target.point == (Fraction(0),) else []
        return _softmax_point(target.point)
    for polyhedron in target.polyhedra:
        parts = [_invert_row(half_space, activation) for half_space in _inequalities(polyhedron)]
        if all(part is not None for part in parts):
            clauses.append(tuple(row for part in parts if part is not None for row in part))
    return clauses


def _inequalities(polyhedron: Polyhedron) -> list[HalfSpace]:
    rows = list(polyhedron.half_spaces)
    for row, right in polyhedron.equations:
        rows += [HalfSpace(row, right), HalfSpace(tuple(-e for e in row), -right)]
    return rows


def _invert_row(half_space: HalfSpace, activation: Activation) -> list[RealRow] | None:
    """Return rows on pre-activations; [] where the row always holds, None where it never does."""
    if activation.pieces is not None:
        return [RealRow(half_space.row, LogLinear.rational(half_space.bound), half_space.strict)]
    if activation.has_shift:
        return _invert_softmax_row(half_space) if _is_softmax(activation) else _invert_shifted_row(half_space)
    support = [i for i, e in enumerate(half_space.row) if e]
    if not support:
        return [] if half_space.contains([Fraction(0)] * len(half_space.row)) else None
    if len(support) == 1:
        return _invert_threshold(half_space, support[0], activation)
    if activation.inverse is None:
        raise NotSupportedError(
            f"a target behind {activation.name}, which is not one-to-one, does not bound its pre-activations linearly."
        )
    if half_space.bound == 0 and len(support) == 2 and sum(half_space.row) == 0:
        return [RealRow(half_space.row, LogLinear.rational(0), half_space.strict)]
    raise NotSupportedError(
        f"a target behind {activation.name} must be thresholds of single outputs or compare two outputs, "
        f"not a row with {len(support)} outputs and bound {half_space.bound}."
    )


def _invert_threshold(half_space: HalfSpace, index: int, activation: Activation) -> list[RealRow] | None:
    factor = half_space.row[index]
    level = half_space.bound / factor
    sign = 1 if factor > 0 else -1
    image = activation.image
    if image.lower is not None and (level < image.lower or (level == image.lower and image.open_lower)):
        return None if sign > 0 else []
    if image.upper is not None and (level > image.upper or (level == image.upper and image.open_upper)):
        return [] if sign > 0 else None
    if activation.inverse is None:
        raise NotSupportedError(f"a target behind {activation.name} has no inverse to carry it through.")
    bound = activation.inverse.exact(LogLinear.rational(level))
    if bound is None:
        raise NotSupportedError(f"the inverse of {activation.name} at {level} could not be decided.")
    return [RealRow(_unit(index, len(half_space.row), sign), bound * sign, half_space.strict)]


def _is_softmax(activation: Activation) -> bool:
    """Tell softmax, whose outputs sum to 1, from its logarithm, whose outputs are z less a common shift."""
    return activation.image.lower is not None


def _invert_shifted_row(half_space: HalfSpace) -> list[RealRow] | None:
    """Carry a row through log_softmax: the common shift drops out where the coefficients sum to 0."""
    if sum(half_space.row) != 0:
        raise NotSupportedError(
            "a target behind log_softmax must compare outputs (coefficients that sum to 0); "
            "others are not linear in the pre-activations."
        )
    return [RealRow(half_space.row, LogLinear.rational(half_space.bound), half_space.strict)]


def _invert_softmax_row(half_space: HalfSpace) -> list[RealRow] | None:
    """Use that the outputs sum to 1: row . y <= b means (row - b) . y <= 0, and y > 0."""
    row = [e - half_space.bound for e in half_space.row]
    support = [i for i, e in enumerate(row) if e]
    positive = [i for i in support if row[i] > 0]
    if not positive:
        return None if not support and half_space.strict else []
    if len(positive) == len(support):
        return None
    if len(support) != 2:
        raise NotSupportedError(
            "a target behind softmax must compare two outputs or their ratio; "
            f"a row that involves {len(support)} outputs is not linear in the pre-activations."
        )
    (i,), (j,) = positive, [k for k in support if k not in positive]
    ratio = -row[j] / row[i]
    slopes = tuple(Fraction(int(k == i) - int(k == j)) for k in range(len(row)))
    return [RealRow(slopes, LogLinear.apply(LOG, ratio), half_space.strict)]


def _softmax_point(point: Vector) -> list[Clause]:
    if sum(point, Fraction(0)) != 1 or any(v <= 0 for v in point):
        return []
    rows = []
    for i in range(1, len(point)):
        ratio = LogLinear.apply(LOG, point[i] / point[0])
        row = tuple(Fraction(int(k == i) - int(k == 0)) for k in range(len(point)))
        rows += [RealRow(row, ratio, False), RealRow(tuple(-e for e in row), -ratio, False)]
    return [tuple(rows)]


def _unit(index: int, width: int, factor: int = 1) -> Vector:
    return tuple(Fraction(factor * int(i == index)) for i in range(width))
