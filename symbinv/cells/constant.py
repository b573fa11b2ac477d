"""Networks that are constant because their units cancel: found exactly, without splitting.

Units with equal rows and biases are equal; they are merged, and their outgoing weights added. A unit whose merged row
vanishes is a constant, which moves into the biases above. If the last row vanishes as well, the network is
constant, whatever its number of regions (a subnetwork minus its copy, for instance).
"""

from collections.abc import Sequence
from fractions import Fraction

from symbinv.cells.stages import Stage
from symbinv.exact.matrix import ExactMatrix


def constant_output(stages: Sequence[Stage], final: tuple[ExactMatrix, ExactMatrix]) -> tuple[Fraction, ...] | None:
    """Return the only output of a network that merging shows to be constant; else None.

    Args:
        stages: The stages with kinks.
        final: The affine map after them.
    """
    if not stages or not _may_cancel(stages, final):
        return None
    groups: list[int | Fraction] = list(range(stages[0].weights.columns))  # a merged unit, or a constant
    width = len(groups)
    for stage in stages:
        rows = _merge(stage.weights, stage.bias, groups, width)
        known: dict[tuple[Fraction, ...], int] = {}
        groups = []
        for *row, bias in rows:
            if not any(row):
                groups.append(stage.activate_exactly(bias))
            else:
                groups.append(known.setdefault((*row, bias), len(known)))
        width = len(known)
    rows = _merge(*final, groups, width)
    return tuple(row[-1] for row in rows) if all(not any(row[:-1]) for row in rows) else None


def _may_cancel(stages: Sequence[Stage], final: tuple[ExactMatrix, ExactMatrix]) -> bool:
    """Tell whether the first stage has equal or zero rows, or a later map is zero; else nothing merges."""
    first = [(*w, b) for w, (b,) in zip(stages[0].weights.fractions(), stages[0].bias.fractions(), strict=True)]
    if len(set(first)) < len(first) or any(not any(row[:-1]) for row in first):
        return True
    return final[0].is_zero() or any(stage.weights.is_zero() for stage in stages)


def _merge(
    weights: ExactMatrix, bias: ExactMatrix, groups: Sequence[int | Fraction], width: int
) -> list[tuple[Fraction, ...]]:
    rows = []
    for row, (offset,) in zip(weights.fractions(), bias.fractions(), strict=True):
        total = offset
        merged = [Fraction(0)] * width
        for w, group in zip(row, groups, strict=True):
            if isinstance(group, Fraction):
                total += w * group
            else:
                merged[group] += w
        rows.append((*merged, total))
    return rows
