"""Input boxes of VNN-LIB properties.

A property asserts conditions on inputs X_i and outputs Y_j. Here the bounds on single inputs are read, each
number exactly as it is written. A disjunction over inputs gives one box per case; conditions on outputs are
no part of a box, and a condition that mixes inputs is refused, for then the inputs do not form a box.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from symbinv.errors import NotSupportedError, ReadError
from symbinv.exact.matrix import ExactMatrix
from symbinv.exact.policy import to_fraction
from symbinv.network.readers import limits
from symbinv.network.readers.source import place, read_bytes, show

_TOKEN = re.compile(r"\s+|;[^\n]*|([()]|[^\s();]+)")
_VARIABLE = re.compile(r"([XY])_(\d{1,9})")
_NUMBER = re.compile(r"[+-]?(\d{1,400}(\.\d{0,400})?|\.\d{1,400})([eE][+-]?\d{1,3})?")
_MAX_CASES = 10_000
_MAX_DEPTH = 64

Term = str | tuple["Term", ...]


@dataclass
class _Bounds:
    """Lower and upper ends of inputs, by index."""

    low: dict[int, Fraction] = field(default_factory=dict)
    high: dict[int, Fraction] = field(default_factory=dict)

    def meet(self, other: "_Bounds") -> "_Bounds":
        """Return what satisfies both."""
        result = _Bounds(dict(self.low), dict(self.high))
        for index, value in other.low.items():
            result.low[index] = max(value, result.low.get(index, value))
        for index, value in other.high.items():
            result.high[index] = min(value, result.high.get(index, value))
        return result

    @property
    def is_empty(self) -> bool:
        """Whether some lower end exceeds its upper end."""
        return any(value > self.high.get(index, value) for index, value in self.low.items())


def read_box(path: str | Path) -> ExactMatrix:
    """Return the input box of a VNN-LIB file, shape (n0, 2).

    Args:
        path: The file.

    Raises:
        NotSupportedError: Where the inputs do not form one box; `read_boxes` gives several.
        ReadError: Where the file is damaged, or an input has no bound on one side.

    Example:
        >>> import pathlib, tempfile
        >>> text = "(declare-const X_0 Real)(assert (<= X_0 0.1))(assert (>= X_0 -1))"
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder) / "p.vnnlib"
        ...     _ = path.write_text(text)
        ...     read_box(path).fractions()
        [[Fraction(-1, 1), Fraction(1, 10)]]
    """
    boxes = read_boxes(path)
    if len(boxes) != 1:
        raise NotSupportedError(
            f"{show(path)}: the inputs must form one box, not {len(boxes)}; `read_boxes` gives all."
        )
    return boxes[0]


def read_boxes(path: str | Path) -> tuple[ExactMatrix, ...]:
    """Return the input boxes of a VNN-LIB file, one per case of its disjunctions; equal ones once.

    Args:
        path: The file.

    Raises:
        NotSupportedError: For conditions that mix inputs.
        ReadError: Where the file is damaged, or an input has no bound on one side.
    """
    with place(show(path)):
        return _boxes(read_bytes(Path(path)).decode("utf-8", "replace"))


def _boxes(text: str) -> tuple[ExactMatrix, ...]:
    inputs: set[int] = set()
    cases = [_Bounds()]
    for term in _parse(text):
        match term:
            case ("declare-const" | "declare-fun", str(name), *_):
                match = _VARIABLE.fullmatch(name)
                if match is None:
                    raise NotSupportedError(f"variables must be X_i and Y_j, not {show(name, 40)!r}.")
                if match[1] == "X":
                    inputs.add(int(match[2]))
            case ("assert", condition):
                cases = _meet(cases, _cases(condition))
            case ("set-logic" | "set-info" | "set-option" | "check-sat" | "get-model" | "exit", *_):
                pass
            case _:
                raise ReadError(f"a declaration or assertion is needed, not {_shown(term)}.")
    count = limits.check_width(len(inputs), "the input")
    if not inputs or inputs != set(range(count)):
        raise ReadError(f"inputs must be declared as X_0, X_1, ..., not {len(inputs)} of them with gaps.")
    undeclared = {index for case in cases for index in (*case.low, *case.high)} - inputs
    if undeclared:
        raise ReadError(f"inputs must be declared before they are bounded: X_{min(undeclared)}.")
    found: dict[tuple[tuple[Fraction, Fraction], ...], None] = {}
    for case in cases:
        if not case.is_empty:
            found[tuple(_ends(case, index) for index in range(count))] = None
    if not found:
        raise ReadError("the bounds must leave a box, and they contradict each other.")
    return tuple(ExactMatrix([list(pair) for pair in box]) for box in found)


def _ends(case: _Bounds, index: int) -> tuple[Fraction, Fraction]:
    if index not in case.low or index not in case.high:
        raise ReadError(f"X_{index} must have a lower and an upper bound in every case.")
    return case.low[index], case.high[index]


def _meet(left: list[_Bounds], right: list[_Bounds]) -> list[_Bounds]:
    if len(left) * len(right) > _MAX_CASES:
        raise NotSupportedError(f"a property must have at most {_MAX_CASES} cases, not {len(left) * len(right)}.")
    if len(right) == 1 and not right[0].low and not right[0].high:
        return left
    return [a.meet(b) for a in left for b in right]


def _cases(condition: Term) -> list[_Bounds]:
    """Return the bounds on inputs of a condition, one per case."""
    match condition:
        case ("and", *parts):
            cases = [_Bounds()]
            for part in parts:
                cases = _meet(cases, _cases(part))
            return cases
        case ("or", *parts):
            if not _has_input(condition):
                return [_Bounds()]
            return [case for part in parts for case in _cases(part)]
        case ("<=" | "<" as relation, left, right):
            return [_atom(relation, left, right)]
        case (">=" | ">" as relation, left, right):
            return [_atom(relation.replace(">", "<"), right, left)]
        case ("=", left, right):
            return [_atom("<=", left, right).meet(_atom("<=", right, left))]
    if not _has_input(condition):
        return [_Bounds()]
    raise NotSupportedError(f"a condition on inputs must be a bound, and, or, not {_shown(condition)}.")


def _atom(relation: str, left: Term, right: Term) -> _Bounds:
    """Return the bound that left <= right sets to an input."""
    if not _has_input(left) and not _has_input(right):
        return _Bounds()
    if relation == "<":
        raise NotSupportedError("strict bounds on inputs are not supported: a box is closed.")
    a, b = _value(left), _value(right)
    if isinstance(a, int) and isinstance(b, Fraction):
        return _Bounds(high={a: b})
    if isinstance(a, Fraction) and isinstance(b, int):
        return _Bounds(low={b: a})
    raise NotSupportedError(f"a condition on inputs must bound one of them, not {_shown((relation, left, right))}.")


def _value(term: Term) -> int | Fraction | None:
    """Return an input's index, a number, or None for anything else."""
    match term:
        case str():
            match = _VARIABLE.fullmatch(term)
            if match is not None:
                return int(match[2]) if match[1] == "X" else None
            return to_fraction(term) if _NUMBER.fullmatch(term) else None
        case ("-", inner):
            value = _value(inner)
            return -value if isinstance(value, Fraction) else None
    return None


def _has_input(term: Term) -> bool:
    if isinstance(term, str):
        return term.startswith("X_")
    return any(_has_input(part) for part in term)


def _parse(text: str) -> Iterator[Term]:
    """Return the bracketed terms of a text, one by one."""
    stack: list[list[Term]] = []
    for token in _tokens(text):
        if token == "(":
            stack.append([])
            if len(stack) > _MAX_DEPTH:
                raise ReadError(f"terms must be nested at most {_MAX_DEPTH} deep.")
        elif not stack:
            raise ReadError(f"a term in brackets is needed, not {show(token, 40)!r}.")
        elif token == ")":
            term = tuple(stack.pop())
            if not stack:
                yield term
            else:
                stack[-1].append(term)
        else:
            stack[-1].append(token)
    if stack:
        raise ReadError("a bracket is not closed.")


def _tokens(text: str) -> Iterator[str]:
    for match in _TOKEN.finditer(text):
        if match[1]:
            yield match[1]


def _shown(term: Term) -> str:
    return show(repr(term).replace("'", "").replace(",", ""), 80)
