"""Sets of outputs that a preimage is asked for: points, polyhedra, classes and linear comparisons.

A set is a union of polyhedra; text is read by `output_grammar`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import sympy

from symbinv.cells.output_grammar import parse_outputs
from symbinv.errors import ShapeError
from symbinv.exact.policy import Policy, to_fraction
from symbinv.polyhedra.polyhedron import Polyhedron, Vector


@dataclass(frozen=True)
class OutputSet:
    """A union of polyhedra of outputs.

    Attributes:
        polyhedra: Its parts; they may overlap.
        width: The number of outputs.
        point: The output where the set is one point that was given as such.
        text: How it was given.
    """

    polyhedra: tuple[Polyhedron, ...]
    width: int
    point: Vector | None = None
    text: str = ""

    def contains(self, y: Sequence[Any]) -> bool:
        """Tell whether an exact output lies in the set."""
        return any(p.contains(y) for p in self.polyhedra)


def to_output_set(target: Any, outputs: int, policy: Policy = "exact", names: Sequence[str] = ()) -> OutputSet:
    """Return a target as a set of outputs.

    Args:
        target: A point, a `Polyhedron`, a list of those (their union), text such as "argmax == 2" or
            "y_0 - y_1 >= 1/2 and y_2 < 0", or an `OutputSet`.
        outputs: The number of outputs of the network.
        policy: What a float stands for.
        names: Names of the outputs, which text may use.

    Raises:
        ShapeError: Where the target does not fit the number of outputs.
        OptionError: For text that is not of the grammar.

    Example:
        >>> to_output_set("y_0 - y_1 >= 1/2", 2).contains([1, 0])
        True
    """
    if isinstance(target, OutputSet):
        found = target
    elif isinstance(target, Polyhedron):
        found = OutputSet((target,), target.width, text=repr(target))
    elif isinstance(target, str):
        found = OutputSet(parse_outputs(target, outputs, names), outputs, text=target.strip())
    elif isinstance(target, list | tuple) and target and all(isinstance(p, Polyhedron) for p in target):
        found = OutputSet(tuple(target), target[0].width, text=f"union of {len(target)} polyhedra")
    else:
        found = _point(target, outputs, policy)
    if any(p.width != outputs for p in found.polyhedra) or found.width != outputs:
        raise ShapeError(f"a target must have one entry per output of the network ({outputs}), not {found.width}.")
    return found


def _point(target: Any, outputs: int, policy: Policy) -> OutputSet:
    if isinstance(target, np.ndarray):
        target = target.ravel().tolist()
    if isinstance(target, sympy.MatrixBase):
        target = list(target)
    if not isinstance(target, Sequence):
        raise ShapeError(f"a target must be a point, a Polyhedron or text, not {target!r}.")
    if len(target) != outputs:
        raise ShapeError(f"target must have one entry per output of the network ({outputs}), not {len(target)}.")
    point = tuple(to_fraction(v, policy) for v in target)
    return OutputSet((_single(point),), outputs, point, f"y = ({', '.join(map(str, target))})")


def _single(point: Vector) -> Polyhedron:
    units = [tuple(Fraction(int(i == j)) for j in range(len(point))) for i in range(len(point))]
    return Polyhedron.of(len(point), (), list(zip(units, point, strict=True)))
