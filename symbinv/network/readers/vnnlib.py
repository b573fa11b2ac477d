"""VNN-LIB 1.0: the text of a property, read once into constants and cases of linear rows; its input boxes.

A property declares constants X_i (inputs) and Y_j (outputs) and asserts conditions on them: and, or, <=, <, >=, >
and = between sums, differences and products with numbers. Its cases are the alternatives of its disjunctions, each
a list of rows that hold together; each number is exactly the decimal that is written. `read_boxes` reads the rows
on inputs alone; `symbinv.cells.specification` reads those on outputs too.

Source: the VNN-LIB standard, version 1.0 (www.vnnlib.org), a subset of SMT-LIB 2.6.
"""

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from symbinv.errors import BudgetError, NotSupportedError, ReadError
from symbinv.exact.matrix import ExactMatrix
from symbinv.exact.policy import to_fraction
from symbinv.network.readers import limits
from symbinv.network.readers.source import place, read_bytes, show

_TOKEN = re.compile(r"\s+|;[^\n]*|([()]|[^\s();]+)")
_CONSTANT = re.compile(r"([XY])_(0|[1-9][0-9]{0,8})")
_NUMBER = re.compile(r"[+-]?([0-9]{1,400}(\.[0-9]{0,400})?|\.[0-9]{1,400})([eE][+-]?[0-9]{1,3})?")
_MAX_CASES = 10_000
_MAX_ROWS = 1 << 20  # of all cases together
_MAX_DEPTH = 64
_MAX_BITS = 1 << 14  # of a product of numbers

Term = str | tuple["Term", ...]
Constant = tuple[str, int]
Linear = dict[Constant | None, Fraction]  # None: the number that is added
Ends = tuple[Fraction | None, Fraction | None]


@dataclass(frozen=True, slots=True)
class Row:
    """sum of factor * constant <= bound, or < where strict; a constant is ("X", i) or ("Y", j).

    Attributes:
        terms: Constants and their factors, none zero.
        bound: The right side.
        strict: Whether equality is left out.
        line: Where the assertion begins, from 1.
        source: The condition as it is written.
    """

    terms: tuple[tuple[Constant, Fraction], ...]
    bound: Fraction
    strict: bool
    line: int
    source: Term

    @property
    def letters(self) -> frozenset[str]:
        """Return which of "X" and "Y" occur."""
        return frozenset(letter for (letter, _), _ in self.terms)


@dataclass(frozen=True)
class Property:
    """A property: inputs and outputs that satisfy all rows of one case.

    Attributes:
        inputs, outputs: How many of each are declared.
        cases: The alternatives, in the order written.
    """

    inputs: int
    outputs: int
    cases: tuple[tuple[Row, ...], ...]


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
        NotSupportedError: For conditions that mix inputs, and for more than 10,000 cases.
        ReadError: Where the file is damaged, or an input has no bound on one side.
    """
    with place(show(path)):
        found = parse_property(read_text(path))
        boxes: dict[tuple[tuple[Fraction, Fraction], ...], None] = {}
        for rows in found.cases:
            ends = input_ends(rows, found.inputs)
            if ends is not None:
                boxes[tuple(_bounded(pair, index) for index, pair in enumerate(ends))] = None
        if not boxes:
            raise ReadError("the bounds must leave a box, and they contradict each other.")
        return tuple(ExactMatrix([list(pair) for pair in box]) for box in boxes)


def _bounded(ends: Ends, index: int) -> tuple[Fraction, Fraction]:
    low, high = ends
    if low is None or high is None:
        raise ReadError(f"X_{index} must have a lower and an upper bound in every case.")
    return low, high


def input_ends(rows: Sequence[Row], inputs: int) -> list[Ends] | None:
    """Return the lower and upper end of each input of a case, or None where the rows contradict each other.

    Rows on outputs alone are passed over. An end is None where no row sets it.

    Raises:
        NotSupportedError: For a row that ties an input to another constant, or bounds it strictly.
    """
    low: dict[int, Fraction] = {}
    high: dict[int, Fraction] = {}
    possible = True
    for row in rows:
        if not row.terms:
            possible = possible and (row.bound > 0 or (row.bound == 0 and not row.strict))
        elif "X" in row.letters:
            if len(row.terms) > 1:
                raise NotSupportedError(
                    f"line {row.line}: a condition on inputs must bound one of them, not {_shown(row.source)}, which "
                    "ties several together."
                )
            if row.strict:
                raise NotSupportedError(
                    f"line {row.line}: strict bounds on inputs are not supported: a box is closed; write <= or >= "
                    f"in {_shown(row.source)}."
                )
            ((_, index), factor) = row.terms[0]
            level, ends, nearest = row.bound / factor, *((high, min) if factor > 0 else (low, max))
            ends[index] = nearest(ends.get(index, level), level)
    if not possible or any(value > high.get(index, value) for index, value in low.items()):
        return None
    return [(low.get(index), high.get(index)) for index in range(inputs)]


def read_text(path: str | Path) -> str:
    """Return the text of a property's file.

    Raises:
        ReadError: Where it cannot be read, or is not UTF-8.
        BudgetError: Where it is too large.
    """
    try:
        return read_bytes(Path(path)).decode("utf-8")
    except UnicodeDecodeError as error:
        raise ReadError(f"the file must be text in UTF-8: {error}.") from error


def parse_property(text: str) -> Property:
    """Return the constants and cases of VNN-LIB text.

    Raises:
        ReadError: For text outside the format, with its line.
        NotSupportedError: For `not`, and for more than 10,000 cases.
        BudgetError: For more constants, rows or digits than are read.

    Example:
        >>> found = parse_property("(declare-const X_0 Real) (assert (or (<= X_0 1) (>= (* 2 X_0) 3)))")
        >>> found.inputs, len(found.cases), found.cases[1][0].terms, found.cases[1][0].bound
        (1, 2, ((('X', 0), Fraction(-2, 1)),), Fraction(-3, 1))
    """
    declared: dict[str, set[int]] = {"X": set(), "Y": set()}
    assertions: list[list[tuple[Row, ...]]] = []
    for line, term in _parse(text):
        with place(f"line {line}"):
            match term:
                case ("declare-const", str(name), "Real"):
                    match = _CONSTANT.fullmatch(name)
                    if match is None:
                        raise ReadError(f"a constant must be called X_i or Y_j, not {show(name, 40)!r}.")
                    declared[match[1]].add(int(match[2]))
                case ("assert", condition):
                    assertions.append(_Assertion(declared, line).cases(condition))
                case _:
                    raise ReadError(
                        f"a declaration or assertion is needed, not {_shown(term)}: a command must be declare-const "
                        "or assert."
                    )
    inputs = _count(declared["X"], "X", "input")
    outputs = _count(declared["Y"], "Y", "output")
    if not inputs:
        raise ReadError("inputs must be declared as X_0, X_1, ..., and there are none.")
    return Property(inputs, outputs, tuple(_all_of(assertions)))


def _count(seen: set[int], letter: str, what: str) -> int:
    if seen != set(range(len(seen))):
        raise ReadError(
            f"{what}s must be declared as {letter}_0, {letter}_1, ... without gaps, not {len(seen)} up to "
            f"{letter}_{max(seen)}."
        )
    return limits.check_width(len(seen), f"the {what}")


def _all_of(parts: Sequence[Sequence[tuple[Row, ...]]]) -> list[tuple[Row, ...]]:
    """Return the cases in which a case of each part holds, the last part's running fastest."""
    cases, rows = 1, 0
    for part in parts:
        rows = rows * len(part) + cases * sum(map(len, part))
        cases *= len(part)
        _check(cases, rows)
    return [tuple(itertools.chain.from_iterable(chosen)) for chosen in itertools.product(*parts)]


def _check(cases: int, rows: int) -> None:
    if cases > _MAX_CASES:
        raise NotSupportedError(
            f"a property must have at most {_MAX_CASES} cases, not {cases} or more; split it into several files."
        )
    if rows > _MAX_ROWS:
        raise BudgetError(
            f"the cases of a property must have at most {_MAX_ROWS} rows together, not more; split it into several "
            "files."
        )


@dataclass(frozen=True)
class _Assertion:
    """The reader of one assertion, for the constants declared before it."""

    declared: dict[str, set[int]]
    line: int

    def cases(self, condition: Term) -> list[tuple[Row, ...]]:
        """Return the alternatives of a condition."""
        match condition:
            case ("and", *parts):
                return _all_of([self.cases(part) for part in parts])
            case ("or", *parts):
                found: list[tuple[Row, ...]] = []
                rows = 0
                for part in parts:
                    more = self.cases(part)
                    rows += sum(map(len, more))
                    found += more
                    _check(len(found), rows)
                return found
            case ("<=" | "<" | ">=" | ">" | "=" as relation, left, right):
                return [self._rows(str(relation), self._linear(left), self._linear(right), condition)]
            case ("not", *_):
                raise NotSupportedError(
                    f"`not` is not read: a condition must be a bound, and, or, not {_shown(condition)}."
                )
        raise ReadError(f"an assertion must be and, or, <=, <, >=, > or = (of two terms), not {_shown(condition)}.")

    def _rows(self, relation: str, left: Linear, right: Linear, source: Term) -> tuple[Row, ...]:
        difference = _sum([left, {key: -value for key, value in right.items()}])
        bound = -difference.pop(None, Fraction(0))
        terms = tuple((key, value) for key, value in difference.items() if key is not None and value)
        below = Row(terms, bound, relation == "<", self.line, source)
        if relation in ("<=", "<"):
            return (below,)
        opposite = tuple((key, -value) for key, value in terms)
        above = Row(opposite, -bound, relation == ">", self.line, source)
        return (below, above) if relation == "=" else (above,)

    def _linear(self, term: Term) -> Linear:
        match term:
            case str():
                match = _CONSTANT.fullmatch(term)
                if match is not None:
                    if int(match[2]) not in self.declared[match[1]]:
                        raise ReadError(f"constants must be declared before they are bounded: {term}.")
                    return {(match[1], int(match[2])): Fraction(1)}
                if _NUMBER.fullmatch(term):
                    return {None: to_fraction(term)}
                raise ReadError(
                    f"a term must be a number, X_i or Y_j, not {show(term, 40)!r}; a number has at most 400 digits "
                    "on each side of the point and 3 in the exponent."
                )
            case ("-", only):
                return {key: -value for key, value in self._linear(only).items()}
            case ("+", first, *rest):
                return _sum([self._linear(part) for part in (first, *rest)])
            case ("-", first, *rest):
                negated = [{key: -value for key, value in self._linear(part).items()} for part in rest]
                return _sum([self._linear(first), *negated])
            case ("*", first, *rest):
                return self._product((first, *rest), term)
        raise ReadError(f"a term must be a sum, a difference or a product, not {_shown(term)}.")

    def _product(self, factors: Sequence[Term], term: Term) -> Linear:
        number, other = Fraction(1), None
        for part in factors:
            factor = self._linear(part)
            if set(factor) <= {None}:
                number = _short(number * factor.get(None, Fraction(0)))
            elif other is None:
                other = factor
            else:
                raise ReadError(f"a product must have at most one factor that is no number, not {_shown(term)}.")
        return {key: _short(value * number) for key, value in (other or {None: Fraction(1)}).items()}


def _sum(parts: Sequence[Linear]) -> Linear:
    total: Linear = {}
    for part in parts:
        for key, value in part.items():
            total[key] = total.get(key, Fraction(0)) + value
    return total


def _short(value: Fraction) -> Fraction:
    if value.numerator.bit_length() + value.denominator.bit_length() > _MAX_BITS:
        raise BudgetError(f"a product of numbers must have at most {_MAX_BITS} bits, not more.")
    return value


def _parse(text: str) -> Iterator[tuple[int, Term]]:
    """Return the bracketed terms of a text, one by one, each with the line on which it begins."""
    stack: list[list[Term]] = []
    line, seen = 1, 0
    for match in _TOKEN.finditer(text):
        token = match[1]
        if not token:
            continue
        if not stack:
            line, seen = line + text.count("\n", seen, match.start()), match.start()
        if token == "(":
            stack.append([])
            if len(stack) > _MAX_DEPTH:
                raise ReadError(f"line {line}: terms must be nested at most {_MAX_DEPTH} deep.")
        elif not stack:
            missing = ": an opening parenthesis is missing" if token == ")" else ""
            raise ReadError(f"line {line}: a term in brackets is needed, not {show(token, 40)!r}{missing}.")
        elif token == ")":
            term = tuple(stack.pop())
            if not stack:
                yield line, term
            else:
                stack[-1].append(term)
        else:
            stack[-1].append(token)
    if stack:
        raise ReadError(f"line {line}: a bracket is not closed: a closing parenthesis is missing.")


def _shown(term: Term) -> str:
    return show(repr(term).replace("'", "").replace(",", ""), 80)
