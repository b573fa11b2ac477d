"""Sets of outputs: points, polyhedra, classes and linear comparisons, and what they ask of pre-activations.

A set is a union of polyhedra. Text is parsed by a small grammar of its own, never evaluated:

    set        = clause { "or" clause }
    clause     = atom { ("and" | ",") atom }
    atom       = ("argmax" | "argmin") ("==" | "!=") index | sum relation sum { relation sum }
    relation   = "<=" | "<" | ">=" | ">" | "=="
    sum        = [sign] term { sign term }
    term       = number | [number ["*"]] "y_" index ["/" number] | "y_" index "*" number

Outputs count from 0. Where several outputs are largest, argmax is the first of them, as NumPy has it, so that the
classes of a network never overlap: argmax == i means y_i > y_j for j < i and y_i >= y_j for j > i.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import sympy

from symbinv.errors import NotSupportedError, OptionError, ShapeError
from symbinv.exact.loglinear import LOG, LogLinear
from symbinv.exact.policy import Policy, to_fraction
from symbinv.network.activation import Activation
from symbinv.polyhedra.polyhedron import HalfSpace, Polyhedron, Vector

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,4})?)|(?P<output>[yY]_?\{?(?P<index>\d{1,6})\}?)"
    r"|(?P<word>argmax|argmin|and|or)\b|(?P<sign><=|>=|==|!=|<|>|=|\+|-|\*|/|,))"
)
_RELATIONS = ("<=", "<", ">=", ">", "==", "=")


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


@dataclass(frozen=True)
class RealRow:
    """row . z <= bound, or < where it is strict; the bound is an exact real."""

    row: Vector
    bound: LogLinear
    strict: bool


Clause = tuple[RealRow, ...]


def to_output_set(target: Any, outputs: int, policy: Policy = "exact") -> OutputSet:
    """Return a target as a set of outputs.

    Args:
        target: A point, a `Polyhedron`, a list of those (their union), text such as "argmax == 2" or
            "y_0 - y_1 >= 1/2 and y_2 < 0", or an `OutputSet`.
        outputs: The number of outputs of the network.
        policy: What a float stands for.

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
        found = _Parser(target, outputs).parse()
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
    return Polyhedron.of(len(point), (), [(_unit(i, len(point)), v) for i, v in enumerate(point)])


def _unit(index: int, width: int, factor: int = 1) -> Vector:
    return tuple(Fraction(factor * int(i == index)) for i in range(width))


def largest(index: int, width: int, sign: int = 1) -> Polyhedron:
    """Return the outputs whose argmax (sign 1) or argmin (sign -1) is `index`; the first wins ties."""
    rows = []
    for j in range(width):
        if j != index:
            row = tuple(Fraction(sign * (int(i == j) - int(i == index))) for i in range(width))
            rows.append(HalfSpace(row, Fraction(0), strict=j < index))
    return Polyhedron.of(width, rows)


class _Parser:
    def __init__(self, text: str, outputs: int) -> None:
        self.text, self.outputs = text, outputs
        self.tokens: list[tuple[str, str, int]] = []
        position = 0
        if len(text) > 100_000:
            raise OptionError(f"a target's text must have at most 100000 characters, not {len(text)}.")
        while text[position:].strip():
            match = _TOKEN.match(text, position)
            if match is None:
                raise self._error(position, "a number, y_0, argmax, argmin or a relation")
            kind = match.lastgroup if match.lastgroup != "index" else "output"
            value = match["index"] if match["output"] else match[0].strip()
            self.tokens.append((kind or "", value, match.start()))
            position = match.end()
        self.place = 0

    def _error(self, position: int, expected: str) -> OptionError:
        return OptionError(
            f"a target must read like 'argmax == 2' or 'y_0 - y_1 >= 1/2'; expected {expected} "
            f"at position {position} of {self.text[:80]!r}."
        )

    def _peek(self) -> tuple[str, str]:
        if self.place >= len(self.tokens):
            return "end", ""
        kind, value, _ = self.tokens[self.place]
        return kind, value

    def _take(self, *values: str) -> str | None:
        kind, value = self._peek()
        if kind in ("word", "sign") and value in values:
            self.place += 1
            return value
        return None

    def _fail(self, expected: str) -> OptionError:
        position = self.tokens[self.place][2] if self.place < len(self.tokens) else len(self.text)
        return self._error(position, expected)

    def parse(self) -> OutputSet:
        clauses = [self._clause()]
        while self._take("or"):
            clauses.append(self._clause())
        if self._peek()[0] != "end":
            raise self._fail("'and', 'or' or the end")
        parts = tuple(p for clause in clauses for p in clause)
        return OutputSet(parts, self.outputs, text=self.text.strip())

    def _clause(self) -> list[Polyhedron]:
        alternatives = self._atom()
        while self._take("and", ","):
            more = self._atom()
            alternatives = [(a + b) for a in alternatives for b in more]
        return [Polyhedron.of(self.outputs, rows) for rows in alternatives]

    def _atom(self) -> list[list[HalfSpace]]:
        word = self._take("argmax", "argmin")
        if word:
            return self._extreme(1 if word == "argmax" else -1)
        left = self._sum()
        rows: list[HalfSpace] = []
        relation = self._take(*_RELATIONS)
        if relation is None:
            raise self._fail("a relation")
        while relation:
            right = self._sum()
            rows += _compare(left, relation, right)
            left, relation = right, self._take(*_RELATIONS)
        return [rows]

    def _extreme(self, sign: int) -> list[list[HalfSpace]]:
        relation = self._take("==", "=", "!=")
        kind, value = self._peek()
        if relation is None or kind != "number" or not value.isdigit():
            raise self._fail("'== index' or '!= index'")
        self.place += 1
        index = int(value)
        if index >= self.outputs:
            raise OptionError(f"an index of an output must lie between 0 and {self.outputs - 1}, not {index}.")
        wanted = [index] if relation != "!=" else [i for i in range(self.outputs) if i != index]
        return [list(largest(i, self.outputs, sign).half_spaces) for i in wanted]

    def _sum(self) -> Vector:
        total = [Fraction(0)] * (self.outputs + 1)
        sign = self._take("+", "-")
        while True:
            factor = Fraction(-1 if sign == "-" else 1)
            while (again := self._take("+", "-")) is not None:
                factor = -factor if again == "-" else factor
            index, value = self._term()
            total[index] += factor * value
            sign = self._take("+", "-")
            if sign is None:
                return tuple(total)

    def _term(self) -> tuple[int, Fraction]:
        value, index = Fraction(1), self.outputs
        expect = True
        while expect:
            kind, text = self._peek()
            if kind == "number":
                self.place += 1
                value *= Fraction(text)
            elif kind == "output" and index == self.outputs:
                self.place += 1
                index = int(text)
                if index >= self.outputs:
                    raise OptionError(f"an index of an output must lie between 0 and {self.outputs - 1}, not {index}.")
            else:
                raise self._fail("a number or an output")
            while self._take("/"):
                kind, text = self._peek()
                if kind != "number" or Fraction(text) == 0:
                    raise self._fail("a number other than 0")
                self.place += 1
                value /= Fraction(text)
            star = self._take("*")
            expect = star is not None or (kind == "number" and self._peek()[0] == "output")
        return index, value


def _compare(left: Vector, relation: str, right: Vector) -> list[HalfSpace]:
    difference = tuple(a - b for a, b in zip(left, right, strict=True))
    row, bound = difference[:-1], -difference[-1]
    opposite = tuple(-e for e in row)
    if relation in ("<=", "<"):
        return [HalfSpace(row, bound, relation == "<")]
    if relation in (">=", ">"):
        return [HalfSpace(opposite, -bound, relation == ">")]
    return [HalfSpace(row, bound), HalfSpace(opposite, -bound)]


# -- through the last activation ----------------------------------------------------------------------


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
