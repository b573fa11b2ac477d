"""Text that describes a set of outputs, parsed by a small grammar of its own, never evaluated:

    set        = clause { "or" clause }
    clause     = atom { ("and" | ",") atom }
    atom       = ("argmax" | "argmin") ("==" | "!=") (index | output) | sum relation sum { relation sum }
    relation   = "<=" | "<" | ">=" | ">" | "=="
    sum        = [sign] term { sign term }
    term       = number | [number ["*"]] output ["/" number] | output "*" number
    output     = "y_" index | a name of the network's output

Outputs count from 0. Where several outputs are largest, argmax is the first of them, as NumPy has it, so that the
classes of a network never overlap: argmax == i means y_i > y_j for j < i and y_i >= y_j for j > i.
"""

import re
from collections.abc import Sequence
from fractions import Fraction

from symbinv.errors import OptionError
from symbinv.polyhedra.polyhedron import HalfSpace, Polyhedron, Vector

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,4})?)"
    r"|(?P<output>[yY](?:_?(?P<index>\d{1,6})|_?\{(?P<braced>\d{1,6})\})(?![\w\[]))"
    r"|(?P<word>argmax|argmin|and|or)\b|(?P<sign><=|>=|==|!=|<|>|=|\+|-|\*|/|,))"
)
_RELATIONS = ("<=", "<", ">=", ">", "==", "=")


def parse_outputs(text: str, outputs: int, names: Sequence[str] = ()) -> tuple[Polyhedron, ...]:
    """Return the polyhedra whose union a text describes.

    Args:
        text: Such as "argmax == 2" or "y_0 - y_1 >= 1/2 and y_2 < 0".
        outputs: The number of outputs.
        names: Their names, which may stand for y_0, y_1, ...; none, or one each.

    Raises:
        OptionError: For text that is not of the grammar, with the place.

    Example:
        >>> (half_plane,) = parse_outputs("cat >= 2 dog", 2, ["cat", "dog"])
        >>> half_plane.contains([3, 1]), half_plane.contains([1, 1])
        (True, False)
    """
    return _Parser(text, outputs, names).parse()


def largest(index: int, width: int, sign: int = 1) -> Polyhedron:
    """Return the outputs whose argmax (sign 1) or argmin (sign -1) is `index`; the first wins ties."""
    rows = []
    for j in range(width):
        if j != index:
            row = tuple(Fraction(sign * (int(i == j) - int(i == index))) for i in range(width))
            rows.append(HalfSpace(row, Fraction(0), strict=j < index))
    return Polyhedron.of(width, rows)


class _Parser:
    def __init__(self, text: str, outputs: int, names: Sequence[str]) -> None:
        self.text, self.outputs = text, outputs
        self.names = sorted(((name, i) for i, name in enumerate(names) if name.strip()), key=lambda e: -len(e[0]))
        self.tokens: list[tuple[str, str, int]] = []
        self.place = 0
        if len(text) > 100_000:
            raise OptionError(f"a target's text must have at most 100000 characters, not {len(text)}.")
        position = 0
        while text[position:].strip():
            token, end = self._token(position + len(text[position:]) - len(text[position:].lstrip()))
            self.tokens.append(token)
            position = end

    def _token(self, position: int) -> tuple[tuple[str, str, int], int]:
        """Return kind, value and place of the token at a position, and where it ends; a name must be the longest."""
        match = _TOKEN.match(self.text, position)
        if match is not None and match["output"]:
            return ("output", match["index"] or match["braced"], position), match.end()
        for name, index in self.names:
            end = position + len(name)
            if match is not None and match.end() >= end:
                break
            if self.text.startswith(name, position) and not (_in_word(self.text, end - 1) and _in_word(self.text, end)):
                return ("output", str(index), position), end
        if match is None:
            raise self._error(position, "a number, an output such as y_0, argmax, argmin or a relation")
        return (match.lastgroup or "", match[0].strip(), position), match.end()

    def _error(self, position: int, expected: str) -> OptionError:
        """Return an error that shows the text with ^ where it goes wrong."""
        start = max(0, position - 60)
        shown = f"{'...' if start else ''}{self.text[start:position]}^{self.text[position : position + 20]}"
        return OptionError(
            f"a target must read like 'argmax == 2' or 'y_0 - y_1 >= 1/2'; expected {expected} "
            f"at position {position} (^ in {shown!r})."
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

    def parse(self) -> tuple[Polyhedron, ...]:
        clauses = [self._clause()]
        while self._take("or"):
            clauses.append(self._clause())
        if self._peek()[0] != "end":
            raise self._fail("'and', 'or' or the end")
        return tuple(p for clause in clauses for p in clause)

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
        if relation is None or not (kind == "output" or (kind == "number" and value.isdigit())):
            raise self._fail("'== index' or '!= index'")
        index = self._index(value)
        wanted = [index] if relation != "!=" else [i for i in range(self.outputs) if i != index]
        return [list(largest(i, self.outputs, sign).half_spaces) for i in wanted]

    def _index(self, value: str) -> int:
        """Take a token that names an output."""
        if int(value) >= self.outputs:
            raise self._fail(f"an index of an output between 0 and {self.outputs - 1}, not {value},")
        self.place += 1
        return int(value)

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
                index = self._index(text)
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


def _in_word(text: str, position: int) -> bool:
    """Tell whether a word goes on at a position."""
    return position < len(text) and (text[position].isalnum() or text[position] == "_")
