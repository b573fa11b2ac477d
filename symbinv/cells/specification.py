"""Properties in VNN-LIB: input boxes and what is asked of the outputs there, read strictly.

A property lists constants X_i and Y_j and assertions over them; its question is whether an input exists that
satisfies all. It is brought into cases, each a box of inputs and a union of polyhedra of outputs. A number is
the decimal that is written. `answer` decides it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from symbinv.cells.output_set import OutputSet
from symbinv.cells.problem import Box
from symbinv.errors import BudgetError, NotSupportedError, ReadError
from symbinv.polyhedra.polyhedron import HalfSpace, Polyhedron

_TOKEN = re.compile(r"\s*(?:;[^\n]*\n?|([()])|([^\s();]+))")
_NAME = re.compile(r"([XY])_(\d{1,6})")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?")
CASE_LIMIT = 10_000

Tree = Any  # a token, or a list of trees


@dataclass(frozen=True)
class Case:
    """A box of inputs and the outputs that are looked for there."""

    box: Box
    outputs: OutputSet


@dataclass(frozen=True)
class Specification:
    """A property as cases: it holds for an input that lies in the box and maps into the outputs of one of them.

    Attributes:
        cases: In the order written; cases with the same box are joined.
        inputs, outputs: How many of each are declared.
    """

    cases: tuple[Case, ...]
    inputs: int
    outputs: int


def read_specification(source: str | Path) -> Specification:
    """Read a property from a VNN-LIB file.

    Raises:
        ReadError: For a file that cannot be read or is not of the format, with the place.
        NotSupportedError: For assertions that tie inputs to each other or to outputs.
    """
    try:
        text = Path(source).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ReadError(f"{source}: cannot be read as text: {error}.") from error
    try:
        return parse_specification(text)
    except ReadError as error:
        raise ReadError(f"{source}: {error}") from error


def parse_specification(text: str) -> Specification:
    """Return a property from VNN-LIB text.

    Example:
        >>> text = '''(declare-const X_0 Real) (declare-const Y_0 Real)
        ... (assert (>= X_0 -1)) (assert (<= X_0 1)) (assert (>= Y_0 100))'''
        >>> parse_specification(text).cases[0].box
        ((Fraction(-1, 1), Fraction(1, 1)),)
    """
    declared: dict[str, set[int]] = {"X": set(), "Y": set()}
    cases: list[list[Row]] = [[]]
    for command in _parse(text):
        head = command[0] if isinstance(command, list) and command else None
        if head == "declare-const" and len(command) == 3 and command[2] == "Real":
            match = _NAME.fullmatch(command[1]) if isinstance(command[1], str) else None
            if match is None:
                raise ReadError(f"a constant must be called X_i or Y_j, not {str(command[1])[:40]!r}.")
            declared[match[1]].add(int(match[2]))
        elif head == "assert" and len(command) == 2:
            more = _cases(command[1], declared)
            if len(cases) * len(more) > CASE_LIMIT:
                raise BudgetError(f"the property has more than {CASE_LIMIT} cases; split it into several files.")
            cases = [a + b for a in cases for b in more]
        else:
            raise ReadError(f"a command must be declare-const or assert, not {_show(command)}.")
    for letter, seen in declared.items():
        if not seen or seen != set(range(len(seen))):
            raise ReadError(f"constants {letter}_0, {letter}_1, ... must be declared without gaps.")
    return _assemble(cases, len(declared["X"]), len(declared["Y"]))


@dataclass(frozen=True)
class Row:
    """sum of coefficient * constant <= bound (or <); keys are (letter, index)."""

    terms: tuple[tuple[tuple[str, int], Fraction], ...]
    bound: Fraction
    strict: bool


def _parse(text: str) -> list[Tree]:
    stack: list[list[Tree]] = [[]]
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            break
        position = match.end()
        if match[1] == "(":
            if len(stack) > 200:
                raise ReadError("parentheses must not be nested more than 200 deep.")
            stack.append([])
        elif match[1] == ")":
            if len(stack) == 1:
                raise ReadError(f"an opening parenthesis is missing at character {match.start()}.")
            done = stack.pop()
            stack[-1].append(done)
        elif match[2]:
            stack[-1].append(match[2])
    if len(stack) > 1:
        raise ReadError("a closing parenthesis is missing at the end.")
    return stack[0]


def _show(tree: Tree) -> str:
    return repr(" ".join(tree[:3]) if isinstance(tree, list) and all(isinstance(t, str) for t in tree) else tree)[:60]


def _cases(tree: Tree, declared: dict[str, set[int]]) -> list[list[Row]]:
    if not isinstance(tree, list) or not tree:
        raise ReadError(f"an assertion must be in parentheses, not {_show(tree)}.")
    head, *rest = tree
    if head == "or":
        return [case for part in rest for case in _cases(part, declared)]
    if head == "and":
        cases: list[list[Row]] = [[]]
        for part in rest:
            more = _cases(part, declared)
            if len(cases) * len(more) > CASE_LIMIT:
                raise BudgetError(f"the property has more than {CASE_LIMIT} cases; split it into several files.")
            cases = [a + b for a in cases for b in more]
        return cases
    if head in ("<=", "<", ">=", ">", "=") and len(rest) == 2:
        left, right = _linear(rest[0], declared), _linear(rest[1], declared)
        difference = dict(left)
        for key, value in right.items():
            difference[key] = difference.get(key, Fraction(0)) - value
        bound = -difference.pop(None, Fraction(0))
        terms = tuple((k, v) for k, v in difference.items() if k is not None and v)
        opposite = tuple((k, -v) for k, v in terms)
        if head in ("<=", "<"):
            return [[Row(terms, bound, head == "<")]]
        if head in (">=", ">"):
            return [[Row(opposite, -bound, head == ">")]]
        return [[Row(terms, bound, False), Row(opposite, -bound, False)]]
    raise ReadError(f"an assertion must be and, or, <=, <, >=, > or =, not {_show(tree)}.")


Linear = dict[tuple[str, int] | None, Fraction]


def _linear(tree: Tree, declared: dict[str, set[int]]) -> Linear:
    if isinstance(tree, str):
        match = _NAME.fullmatch(tree)
        if match is not None:
            if int(match[2]) not in declared[match[1]]:
                raise ReadError(f"{tree} must be declared before it is used.")
            return {(match[1], int(match[2])): Fraction(1)}
        if _NUMBER.fullmatch(tree):
            return {None: Fraction(tree)}
        raise ReadError(f"a term must be a number, X_i or Y_j, not {tree[:40]!r}.")
    if not tree or tree[0] not in ("+", "-", "*") or len(tree) < 2:
        raise ReadError(f"a term must be a sum, a difference or a product, not {_show(tree)}.")
    parts = [_linear(part, declared) for part in tree[1:]]
    if tree[0] == "*":
        total: Linear = {None: Fraction(1)}
        for part in parts:
            constant, other = (total, part) if set(total) <= {None} else (part, total)
            if not set(constant) <= {None}:
                raise ReadError(f"a product must have at most one factor that is no number: {_show(tree)}.")
            total = {k: v * constant.get(None, Fraction(0)) for k, v in other.items()}
        return total
    sign = -1 if tree[0] == "-" else 1
    if sign < 0 and len(parts) == 1:
        return {k: -v for k, v in parts[0].items()}
    total = dict(parts[0])
    for part in parts[1:]:
        for k, v in part.items():
            total[k] = total.get(k, Fraction(0)) + sign * v
    return total


def _assemble(cases: Sequence[Sequence[Row]], inputs: int, outputs: int) -> Specification:
    joined: dict[Box, list[Polyhedron]] = {}
    for rows in cases:
        lower: list[Fraction | None] = [None] * inputs
        upper: list[Fraction | None] = [None] * inputs
        half_spaces = []
        possible = True
        for row in rows:
            letters = {letter for (letter, _), _ in row.terms}
            if not letters:
                possible = possible and (row.bound > 0 or (row.bound == 0 and not row.strict))
            elif letters == {"Y"}:
                slopes = [Fraction(0)] * outputs
                for (_, j), value in row.terms:
                    slopes[j] += value
                half_spaces.append(HalfSpace(tuple(slopes), row.bound, row.strict))
            elif letters == {"X"} and len(row.terms) == 1 and not row.strict:
                ((_, i), factor), level = row.terms[0], row.bound / row.terms[0][1]
                old = upper[i] if factor > 0 else lower[i]
                if factor > 0:
                    upper[i] = level if old is None else min(old, level)
                else:
                    lower[i] = level if old is None else max(old, level)
            else:
                raise NotSupportedError(
                    "assertions on inputs must bound one input each, weakly; this one ties several together or is open."
                )
        box = tuple(zip(lower, upper, strict=True))
        if not possible or any(lo is not None and hi is not None and lo > hi for lo, hi in box):
            continue
        if any(lo is None or hi is None for lo, hi in box):
            raise NotSupportedError("every input must have a lower and an upper bound in every case.")
        exact: Box = tuple((lo, hi) for lo, hi in box if lo is not None and hi is not None)
        joined.setdefault(exact, []).append(Polyhedron.of(outputs, half_spaces))
    found = tuple(Case(box, OutputSet(tuple(parts), outputs, text="VNN-LIB")) for box, parts in joined.items())
    return Specification(found, inputs, outputs)
