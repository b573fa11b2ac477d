r"""Mathematics to LaTeX: symbols, numbers, fractions, sums in a paper's term order, and where lines may break.

Numbers with short numerator and denominator, or few decimals, are shown exactly; others are rounded to DIGITS
significant digits, and whoever prints them asks `Printer.rounded` whether to write an equality as \approx. The exact
value stays in the result that was printed.

A line breaks before a sign, at the top of a sum or inside a pair of parentheses that is too wide for a line; never
inside a fraction.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import sympy
from sympy.core.function import AppliedUndef
from sympy.printing.latex import LatexPrinter

from symbinv.notation import latex_symbol

DIGITS = 5
EXACT_LENGTH = 7  # digits of numerator and denominator together that are still shown exactly
FRACTION_LIMIT = 100  # from this denominator on a decimal is shown where it is exact
STACKED, CONTINUED, INLINE = FRACTIONS = ("frac", "cfrac", "inline")


class Printer(LatexPrinter):  # type: ignore[misc]
    """SymPy's LaTeX printer with our symbols, numbers and fractions.

    Args:
        keep_order: Print sums in the order in which they are stored.
        fractions: "frac", "cfrac" (never reduced in size) or "inline", a / b.

    Attributes:
        decimals: Whether numbers are shown as decimals wherever that is exact.
        rounded: Whether a number was rounded.
    """

    def __init__(self, keep_order: bool = False, fractions: str = STACKED) -> None:
        super().__init__({"order": "none" if keep_order else None, "inv_trig_style": "full"})
        self.fractions = fractions
        self.decimals = False
        self.rounded = False

    def doprint(self, expr: sympy.Expr) -> str:
        """Return the LaTeX of an expression."""
        return restyle(str(super().doprint(expr)), self.fractions)

    def fraction(self, top: str, bottom: str) -> str:
        """Return a fraction of two pieces of LaTeX, large where it is stacked."""
        return restyle(rf"\dfrac{{{top}}}{{{bottom}}}", self.fractions)

    def _print_Symbol(self, expr: sympy.Symbol, style: str = "plain") -> str:
        return latex_symbol(expr.name)

    def _print_Rational(self, expr: sympy.Rational) -> str:
        decimal = exact_decimal(expr)
        if decimal is not None and (self.decimals or expr.q >= FRACTION_LIMIT):
            return decimal
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
        ordered = Printer(fractions=self.fractions)
        name, arguments = expr.func.__name__, [ordered.doprint(a) for a in expr.args]
        has_step = name in ("w", "r")
        above = f"^{{({arguments[0]})}}" if has_step else ""
        return f"{name}{above}_{{{''.join(arguments[1:] if has_step else arguments)}}}"

    def _print_Piecewise(self, expr: sympy.Piecewise) -> str:
        return str(super()._print_Piecewise(expr))


def exact_decimal(value: sympy.Rational) -> str | None:
    """Return a rational number as a decimal of at most DIGITS significant digits, None where it has none.

    Example:
        >>> exact_decimal(sympy.Rational(1217, 1000)), exact_decimal(sympy.Rational(1, 3))
        ('1.217', None)
    """
    if value.q > 10**DIGITS or 10**DIGITS % value.q:
        return None
    text = f"{float(value):.{DIGITS}g}"
    return text if "e" not in text and sympy.Rational(text) == value else None


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


# -- fractions and widths ---------------------------------------------------------------------------------


def restyle(latex: str, fractions: str) -> str:
    r"""Return LaTeX with its fractions in another style.

    Example:
        >>> print(restyle(r"x = \frac{a + b}{2}", "inline"), restyle(r"\frac{1}{2}", "cfrac"))
        x = \left(a + b\right) / 2 \cfrac{1}{2}
    """
    if fractions == STACKED:
        return latex
    if fractions == CONTINUED:
        return re.sub(r"\\d?frac\{", r"\\cfrac{", latex)
    text = latex
    while (found := re.search(r"\\[cd]?frac\{", text)) is not None:
        top, after = _group(text, found.end() - 1)
        bottom, after = _group(text, after)
        before, rest = text[: found.start()], text[after:]
        shown = f"{_operand(restyle(top, fractions), r'[-+/]')} / {_operand(restyle(bottom, fractions), r'[-+/ ]')}"
        if rest.lstrip()[:1] not in ("", "+", "-", "=", ",", ".", ")", "]", "&", "\\", "}") or before.endswith("/ "):
            shown = rf"\left({shown}\right)"
        text = before + shown + rest
    return text


def _operand(latex: str, loose: str) -> str:
    """Put parentheses around a numerator or denominator that holds a loose operator outside its groups."""
    bare, depth = "", 0
    for c in re.sub(r"\\(left|right)(\\?.)", lambda m: "{" if m.group(1) == "left" else "}", latex.strip()):
        depth += {"{": 1, "}": -1}.get(c, 0)
        bare += c if depth == 0 else ""
    return rf"\left({latex}\right)" if re.search(loose, bare) else latex


def width(latex: str) -> float:
    """Estimate the width of a piece of mathematics in average characters."""
    total = 0.0
    text = latex
    while (found := re.search(r"\\[cd]?frac\{", text)) is not None:
        top, after = _group(text, found.end() - 1)
        bottom, after = _group(text, after)
        total += max(width(top), width(bottom)) + 0.5
        text = text[: found.start()] + text[after:]
    text = re.sub(r"\\(left|right|[Bb]ig[lr]|allowbreak|,|;|!)", "", text)
    text = re.sub(r"\\(quad|qquad)", "    ", text)
    text = re.sub(r"\\[a-zA-Z]+", "o", text)
    small = sum(len(re.sub(r"[{}_^]", "", part)) for part in re.findall(r"[_^]\{[^{}]*\}", text))
    shown = re.sub(r"[{}_^\\]", "", text).replace(" ", "")
    plain = len(shown) - 0.15 * len(re.findall(r"[\d.]", shown)) + 0.15 * len(re.findall("[wm]", shown))
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


# -- sums ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Term:
    """A signed summand as LaTeX.

    Attributes:
        negative: Whether a minus stands before it.
        latex: The summand without its sign.
        parts: The same in parts between which a line may break; empty where it may not.
    """

    negative: bool
    latex: str
    parts: tuple[str, ...] = ()

    @property
    def negated(self) -> "Term":
        """The same with the other sign."""
        return Term(not self.negative, self.latex, self.parts)


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
        return Term(negative, printer.doprint(-coefficient if negative else coefficient))
    shown = printer.doprint(rest)
    return product(coefficient, rf"\left({shown}\right)" if rest.is_Add else shown, printer)


def positive_first(expression: sympy.Expr, printer: Printer) -> list[Term]:
    """Return the summands in the printer's own order, but beginning with one that has no minus where there is one."""
    ordered = [_signed(e, printer) for e in sympy.Add.make_args(expression)]
    if expression.is_Add:
        ordered = [_signed(e, printer) for e in expression.as_ordered_terms()]
    first = next((t for t in ordered if not t.negative), None)
    return ordered if first is None else [first, *(t for t in ordered if t is not first)]


def product(coefficient: sympy.Expr, symbol_latex: str, printer: Printer) -> Term:
    """Return coefficient times a symbol as a signed term; a sum is put in parentheses inside which lines may break."""
    if coefficient.is_Add:
        terms = positive_first(coefficient, printer)
        negative = all(t.negative for t in terms)
        return bracketed([t.negated for t in terms] if negative else terms, symbol_latex, negative)
    negative = bool(coefficient.could_extract_minus_sign())
    size = -coefficient if negative else coefficient
    if size == 1:
        return Term(negative, symbol_latex)
    return Term(negative, f"{printer.doprint(size)} {symbol_latex}")


def bracketed(terms: Sequence[Term], factor: str, negative: bool = False) -> Term:
    """Return (sum of terms) times a factor, with the parts between which a line may break."""
    parts = list(pieces(terms))
    parts[0] = rf"\bigl({parts[0]}"
    parts[-1] = rf"{parts[-1]}\bigr) {factor}".rstrip()
    return Term(negative, rf"\left({join(terms)}\right) {factor}".rstrip(), tuple(parts))


def pieces(terms: Sequence[Term]) -> tuple[str, ...]:
    """Return the summands with their signs, as they follow one another."""
    shown = [f"{'-' if t.negative else '+'} {t.latex}" for t in terms]
    if terms:
        shown[0] = ("-" if terms[0].negative else "") + terms[0].latex
    return tuple(shown)


def flow_of(terms: Sequence[Term], room: float) -> list[str]:
    """Return the parts of a sum between which a line may break, inside parentheses only where they are too wide."""
    flow: list[str] = []
    for term, shown in zip(terms, pieces(terms), strict=True):
        if term.parts and width(shown) > room:
            sign = shown[: len(shown) - len(term.latex)]
            flow += [sign + term.parts[0], *term.parts[1:]]
        else:
            flow.append(shown)
    return flow


def join(terms: Sequence[Term]) -> str:
    """Return a sum on one line."""
    return " ".join(pieces(terms)) if terms else "0"


def equation_lines(left: str, relation: str, terms: Sequence[Term], limit: float) -> tuple[str, ...]:
    r"""Return the lines of an aligned equation, left &= terms, broken before a sign where it grows too wide."""
    room = limit - width(left) - 3
    flow = flow_of(terms, room - 4)
    lines: list[str] = []
    line = ""
    for piece in flow or ["0"]:
        longer = f"{line} {piece}" if line else piece
        if line and width(longer) > (room if not lines else room - 4):
            lines.append(line)
            longer = piece
        line = longer
    lines.append(line)
    head = f"{left} &{relation} {lines[0]}"
    return (head, *(rf"&\qquad {line}" for line in lines[1:]))


def fraction_of_terms(terms: Sequence[Term], denominator: str, limit: float, printer: Printer) -> str | None:
    r"""Return sum / denominator where it fits on a line, else None."""
    shown = printer.fraction(join(terms), denominator)
    return shown if width(shown) <= limit else None
