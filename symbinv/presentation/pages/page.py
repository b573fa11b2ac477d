"""Page: where the steps of a derivation write their sentences and equations, one after the other."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import sympy

from symbinv.presentation.mathtext import Printer, Term, equation_lines, terms_of
from symbinv.presentation.matrixtext import indices_shown
from symbinv.presentation.pages.blocks import (
    Block,
    Display,
    Heading,
    Layout,
    Math,
    Paragraph,
    Piece,
    Ref,
    Row,
    Table,
)

MAX_ROWS = 12  # equations of one display; more are cut down with dots
_SYMBOL = re.compile(r"(?P<letter>[A-Za-z]+)(\^\{\((?P<above>[\d,]+)\)\})?(_\{?(?P<below>[\w,]+)\}?)?")


class Page:
    """The blocks written so far, and what later sentences refer back to.

    Attributes:
        layout: How the page is laid out.
        blocks: What was written.
        depth: The number of layers.
        layer: The layer being written, or None.
        activations: The activation of each layer, as it is labelled.
        unknowns, sides: Of the linear system being solved.
        counted: The matrices shown since the system was.
        matrix_shown: The last one.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.blocks: list[Block] = []
        self.depth = 1
        self.layer: int | None = None
        self.activations: tuple[str, ...] = ()
        self.unknowns: tuple[sympy.Symbol, ...] = ()
        self.sides: tuple[sympy.Symbol, ...] = ()
        self.counted = 0
        self.matrix_shown = ""
        self._keys: set[str] = set()
        self._roles: dict[str, list[str]] = {}
        self._meanings: dict[str, tuple[Piece, ...]] = {}

    # -- writing --------------------------------------------------------------------------------------------

    def heading(self, level: int, *pieces: Piece) -> None:
        """Begin a part."""
        self.blocks.append(Heading(level, pieces))

    def enter(self, layer: int) -> None:
        """Begin a layer, unless it was begun."""
        if layer != self.layer:
            self.layer, self.counted = layer, 0
            self._roles.clear()
            self.heading(2, f"Layer {layer}")

    def say(self, *pieces: Piece, title: str = "") -> None:
        """Begin a paragraph."""
        self.blocks.append(Paragraph(pieces, title=title))

    def go_on(self, *pieces: Piece) -> None:
        """Go on in the paragraph that the last display stands in, or begin one."""
        follows = bool(self.blocks) and isinstance(self.blocks[-1], Display)
        self.blocks.append(Paragraph(pieces, continues=follows))

    def show(self, rows: Sequence[Row], end: str = ".") -> None:
        """Set equations apart, with commas between them and `end` after the last."""
        if not rows:
            return
        last = len(rows) - 1
        ended = [
            row
            if row.lines[-1].endswith("vdots")
            else Row((*row.lines[:-1], row.lines[-1] + (end if i == last else ",")), row.key)
            for i, row in enumerate(rows)
        ]
        self.blocks.append(Display(tuple(ended)))

    # -- equations and their keys -----------------------------------------------------------------------------

    def key(self, name: str, role: str = "") -> str:
        """Return a key that is not taken: l2-r1 for "r1" in layer 2; later text finds it again by its role."""
        where = "" if self.layer is None else f"l{self.layer}-"
        stem = f"{self.layout.prefix}{where}{name}"
        number, key = 2, stem
        while key in self._keys:
            key, number = f"{stem}-n{number}", number + 1
        self._keys.add(key)
        if role:
            self._roles.setdefault(role, []).append(key)
        return key

    def key_of(self, symbol: sympy.Expr, role: str = "", ending: str = "") -> str:
        """Return the key of the equation that gives a symbol: l1-w22-1 for w^{(1)}_{22}."""
        found = _SYMBOL.fullmatch(str(symbol))
        if found is None:
            return self.key(f"equation{ending}", role)
        above = (found["above"] or "").split(",")
        if self.depth > 1 and above[0] == str(self.layer):
            above = above[1:]
        levels = ".".join(a for a in above if a)
        below = (found["below"] or "").replace(",", ".")
        return self.key(f"{found['letter']}{below}{'-' if levels else ''}{levels}{ending}", role)

    def back(self, before: str, role: str) -> tuple[Piece, ...]:
        """Return words with a reference to the last equation of a role; nothing where there is none."""
        return (before, Ref(self._roles[role][-1])) if role in self._roles else ()

    def span(self, before: str, role: str) -> tuple[Piece, ...]:
        """Return words with a reference to all equations of a role: (2), (2) and (3), (2) to (4)."""
        keys = self._roles.get(role, [])
        if len(keys) < 2:
            return self.back(before, role)
        return (before, Ref(keys[0]), " and " if len(keys) == 2 else " to ", Ref(keys[-1]))

    def equation(self, equation: sympy.Eq, role: str = "", ending: str = "") -> Row:
        """Return symbol = sum as a row, broken into lines where it is wide."""
        printer = self.printer()
        terms = terms_of(equation.rhs, printer)
        left = printer.doprint(equation.lhs)
        return self.sum_row(left, terms, printer, self.key_of(equation.lhs, role, ending))

    def sum_row(self, left: str, terms: Sequence[Term], printer: Printer, key: str | None) -> Row:
        """Return left = terms as a row, broken into lines where it is wide."""
        return Row(equation_lines(left, equals(printer), terms, self.layout.width), key)

    def printer(self, keep_order: bool = False) -> Printer:
        """Return a new printer in this page's style."""
        return Printer(keep_order, self.layout.fractions)

    def math(self, expression: sympy.Expr) -> Math:
        """Return an expression as mathematics in a sentence."""
        return Math(self.printer().doprint(expression))

    # -- the list of symbols ----------------------------------------------------------------------------------

    def define(self, latex: str, *meaning: Piece) -> None:
        """List a symbol with its meaning, once."""
        self._meanings.setdefault(latex, meaning)

    def nomenclature(self) -> Table | None:
        """Return the table of symbols, None where none was defined."""
        rows = tuple(((Math(symbol),), meaning) for symbol, meaning in self._meanings.items())
        return Table(("Symbol", "Meaning"), rows) if rows else None


def equals(printer: Printer) -> str:
    r"""Return the sign between two sides: \approx where a number was rounded."""
    return r"\approx" if printer.rounded else "="


def cut_down(render: Callable[[Any], Row], items: Sequence[Any]) -> list[Row]:
    """Render items as rows; where there are many, the first ones, dots and the last."""
    return [Row((r"& \ \vdots",)) if i is None else render(items[i]) for i in indices_shown(len(items), MAX_ROWS)]


def entries(shown: Sequence[str]) -> str:
    """Join pieces of mathematics with commas at which a line may break; dots where there are many."""
    kept = [r"\dots" if i is None else shown[i] for i in indices_shown(len(shown), MAX_ROWS)]
    return r", \allowbreak ".join(kept)


def listing(items: Iterable[Piece], word: str = "and") -> tuple[Piece, ...]:
    """Return items as an enumeration in a sentence: a, b and c.

    Example:
        >>> listing(["a", "b", "c"])
        ('a', ', ', 'b', ' and ', 'c')
    """
    shown = list(items)
    result: list[Piece] = []
    for i, item in enumerate(shown):
        if i:
            result.append(f" {word} " if i == len(shown) - 1 else ", ")
        result.append(item)
    return tuple(result)


def sentence(text: str) -> str:
    """Return text that ends as a sentence does.

    Example:
        >>> sentence("weights were rounded"), sentence("Done.")
        ('weights were rounded.', 'Done.')
    """
    stripped = text.strip()
    return stripped if stripped.endswith((".", "!", "?", ":")) or not stripped else f"{stripped}."
