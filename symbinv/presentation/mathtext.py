r"""Mathematics to LaTeX: symbols, numbers, sums in a paper's term order, matrices with dots, line breaking.

Numbers with short numerator and denominator are shown exactly; others are rounded to DIGITS significant digits,
and whoever prints them asks `Printer.rounded` whether to write an equality as \approx. The exact value stays in
the result that was printed.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import sympy
from sympy.core.function import AppliedUndef
from sympy.printing.latex import LatexPrinter

from symbinv.exact.matrix import ExactMatrix
from symbinv.notation import latex_symbol

DIGITS = 5
EXACT_LENGTH = 7  # digits of numerator and denominator together that are still shown exactly
TEXT_WIDTH = 55.0  # of a line in an article, in average characters of mathematics
MAX_ROWS = 8


class Printer(LatexPrinter):  # type: ignore[misc]
    """SymPy's LaTeX printer with our symbols and numbers."""

    def __init__(self, keep_order: bool = False) -> None:
        super().__init__({"order": "none" if keep_order else None})
        self.rounded = False

    def _print_Symbol(self, expr: sympy.Symbol, style: str = "plain") -> str:
        return latex_symbol(expr.name)

    def _print_Rational(self, expr: sympy.Rational) -> str:
        if len(str(abs(expr.p))) + len(str(expr.q)) <= EXACT_LENGTH:
            return str(super()._print_Rational(expr))
        self.rounded = True
        return round_number(expr)

    def _print_Integer(self, expr: sympy.Integer) -> str:
        if len(str(abs(expr))) <= EXACT_LENGTH:
            return str(expr)
        self.rounded = True
        return round_number(expr)

    def _print_Function(self, expr: sympy.Function, exp: str | None = None) -> str:
        """Print w(p, i, j) of a general derivation as an entry w^{(p)}_{ij}; other functions as SymPy does."""
        if not isinstance(expr, AppliedUndef):
            return str(super()._print_Function(expr, exp))
        name, arguments = expr.func.__name__, [str(self._print(a)) for a in expr.args]
        has_step = name in ("w", "r")
        above = f"^{{({arguments[0]})}}" if has_step else ""
        return f"{name}{above}_{{{''.join(arguments[1:] if has_step else arguments)}}}"

    def _print_Piecewise(self, expr: sympy.Piecewise) -> str:
        return str(super()._print_Piecewise(expr))


def round_number(value: sympy.Expr | float) -> str:
    r"""Return a real number rounded for display.

    Example:
        >>> print(round_number(sympy.Rational(1, 30000007)), round_number(sympy.sqrt(2)))
        3.3333 \cdot 10^{-8} 1.4142
    """
    number = sympy.N(value, DIGITS + 2)
    text = f"{float(number):.{DIGITS}g}" if abs(number) > sympy.Float("1e-300") or number == 0 else str(number)
    mantissa, e, exponent = text.partition("e")
    return f"{mantissa} \\cdot 10^{{{int(exponent)}}}" if e else mantissa


def width(latex: str) -> float:
    """Estimate the width of a piece of mathematics in average characters."""
    total = 0.0
    text = latex
    while (found := re.search(r"\\[cd]?frac\{", text)) is not None:
        top, after = _group(text, found.end() - 1)
        bottom, after = _group(text, after)
        total += max(width(top), width(bottom)) + 0.5
        text = text[: found.start()] + text[after:]
    text = re.sub(r"\\(left|right|,|;|!)", "", text)
    text = re.sub(r"\\(quad|qquad)", "    ", text)
    text = re.sub(r"\\[a-zA-Z]+", "o", text)
    small = sum(len(re.sub(r"[{}_^]", "", part)) for part in re.findall(r"[_^]\{[^{}]*\}", text))
    plain = len(re.sub(r"[{}_^\\]", "", text).replace(" ", ""))
    operators = len(re.findall(r"[-+=<>&]", text))
    return total + plain - 0.35 * small + 1.2 * operators


def _group(text: str, start: int) -> tuple[str, int]:
    """Return the contents of the brace group that opens at `start`, and the place behind it."""
    depth = 0
    for place in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if depth == 0:
            return text[start + 1 : place], place + 1
    return text[start + 1 :], len(text)


@dataclass(frozen=True)
class Term:
    """A signed summand as LaTeX."""

    negative: bool
    latex: str


_ORDER = {"u": 0, "z": 0, "r": 0, "s": 0, "y": 0, "c": 3, "a": 2, "x": 2}


def terms_of(expression: sympy.Expr, printer: Printer) -> list[Term]:
    """Return the summands of an expression, right sides first, then unknowns, numbers last."""
    summands = sympy.Add.make_args(expression)
    return [_signed(e, printer) for e in sorted(summands, key=_term_key)]


def _term_key(term: sympy.Expr) -> tuple[int, str, str]:
    names = sorted(s.name for s in term.free_symbols)
    if not names:
        return (4, "", str(term))
    kind = min(_ORDER.get(name[0], 1) for name in names)
    leading = next((n for n in names if _ORDER.get(n[0], 1) == kind), names[0])
    return (kind, re.sub(r"\d+", lambda m: m.group().zfill(6), leading), str(term))


def _signed(term: sympy.Expr, printer: Printer) -> Term:
    coefficient, rest = term.as_coeff_Mul()
    if rest == 1:
        negative = bool(coefficient < 0) if coefficient.is_real else False
        return Term(negative, str(printer.doprint(-coefficient if negative else coefficient)))
    shown = str(printer.doprint(rest))
    return product(coefficient, rf"\left({shown}\right)" if rest.is_Add else shown, printer)


def product(coefficient: sympy.Expr, symbol_latex: str, printer: Printer) -> Term:
    """Return coefficient times a symbol as a signed term."""
    negative = bool(coefficient.could_extract_minus_sign())
    size = -coefficient if negative else coefficient
    if size == 1:
        return Term(negative, symbol_latex)
    shown = str(printer.doprint(size))
    if size.is_Add:
        shown = rf"\left({shown}\right)"
    return Term(negative, f"{shown} {symbol_latex}")


def join(terms: Sequence[Term]) -> str:
    """Return a sum on one line."""
    if not terms:
        return "0"
    first = ("-" if terms[0].negative else "") + terms[0].latex
    return first + "".join(f" {'-' if t.negative else '+'} {t.latex}" for t in terms[1:])


def equation_lines(left: str, relation: str, terms: Sequence[Term], limit: float = TEXT_WIDTH) -> str:
    r"""Return rows for `aligned`: left &= terms, broken before a sign where the line grows too wide."""
    rows: list[str] = []
    line: list[Term] = []
    room = limit - width(left) - 3
    for term in terms:
        if line and width(join([*line, term])) > room:
            rows.append(join(line) if not rows else _continued(line))
            line = []
        line.append(term)
    rows.append(join(line) if not rows else _continued(line))
    head = f"{left} &{relation} {rows[0]}"
    return " \\\\\n".join([head, *(rf"&\quad {row}" for row in rows[1:])])


def _continued(line: Sequence[Term]) -> str:
    return f"{'-' if line[0].negative else '+'} {join([Term(False, line[0].latex), *line[1:]])}"


def fraction_of_terms(terms: Sequence[Term], denominator: str, limit: float) -> str | None:
    r"""Return \frac{sum}{denominator} where it fits on a line, else None."""
    shown = rf"\dfrac{{{join(terms)}}}{{{denominator}}}"
    return shown if width(shown) <= limit else None


def matrix_cells(matrix: ExactMatrix, printer: Printer, room: float) -> tuple[list[list[str]], list[int | None]]:
    r"""Return the cells of a matrix as LaTeX, cut down with dots to fit, and the columns shown (None: dots)."""
    rows = _shown(matrix.rows, MAX_ROWS)
    fit = _columns_that_fit(matrix, rows, printer, room)
    columns = _shown(matrix.columns, fit)
    cells = []
    for i in rows:
        if i is None:
            cells.append([r"\ddots" if j is None else r"\vdots" for j in columns])
        else:
            cells.append([r"\cdots" if j is None else str(printer.doprint(matrix[i, j])) for j in columns])
    return cells, columns


def _columns_that_fit(matrix: ExactMatrix, rows: Sequence[int | None], printer: Printer, room: float) -> int:
    sample = [i for i in rows if i is not None]
    widths = []
    for j in range(min(matrix.columns, 40)):
        widths.append(max((width(str(printer.doprint(matrix[i, j]))) for i in sample), default=1) + 2.1)
    if sum(widths) <= room and len(widths) == matrix.columns:
        return matrix.columns
    total = 4.0  # the dots, and the last column in the place of one of the first
    for count, w in enumerate(widths):
        total += w
        if total > room:
            return max(count - 1, 2)
    return max(matrix.columns, 1) if len(widths) == matrix.columns else len(widths)


def _shown(count: int, limit: int) -> list[int | None]:
    """Return the indices to show: all, or the first ones, dots (None) and the last."""
    if count <= limit:
        return list(range(count))
    return [*range(max(limit - 2, 1)), None, count - 1]


def shown_rows(count: int) -> list[int | None]:
    """Return the rows of a tall column to show, None for dots."""
    return _shown(count, MAX_ROWS)


def column_latex(entries: Sequence[sympy.Expr], printer: Printer) -> str:
    """Return a column vector, cut down with dots."""
    cells = [r"\vdots" if i is None else str(printer.doprint(entries[i])) for i in shown_rows(len(entries))]
    return r"\begin{pmatrix} " + r" \\ ".join(cells) + r" \end{pmatrix}"


def matrix_latex(matrix: ExactMatrix, printer: Printer, room: float) -> str:
    """Return a matrix in parentheses, cut down with dots."""
    cells, columns = matrix_cells(matrix, printer, room)
    body = " \\\\\n".join(" & ".join(row) for row in cells)
    return rf"\left(\begin{{array}}{{{'c' * len(columns)}}} {body} \end{{array}}\right)"


def augmented_latex(matrix: ExactMatrix, sides: Sequence[str], printer: Printer, room: float) -> str:
    """Return [matrix | sides] with its bar."""
    cells, columns = matrix_cells(matrix, printer, room - max((width(s) for s in sides), default=0))
    shown = shown_rows(matrix.rows)
    rows = [[*row, r"\vdots" if i is None else sides[i]] for row, i in zip(cells, shown, strict=True)]
    body = " \\\\\n".join(" & ".join(row) for row in rows)
    return rf"\left[\begin{{array}}{{{'c' * len(columns)}|c}} {body} \end{{array}}\right]"
