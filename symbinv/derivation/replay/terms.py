"""What the replay is made of: the failure of a step, the names of a derivation, linear forms."""

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import sympy

from symbinv.errors import SymbinvError

Form = dict[sympy.Symbol, Fraction]  # a linear form in symbols, without zeros


class StepFailedError(SymbinvError):
    """A step that does not follow from those before it; says what does not hold."""


def need(condition: bool, message: str) -> None:
    """Refuse the step unless the condition holds."""
    if not condition:
        raise StepFailedError(message)


class Names:
    """Every symbol of a derivation so far, by name: none may mean two things.

    Symbols of the target and the weights stand for any numbers; unknowns, pre-activations, right sides and definitions
    are names that the derivation gives.
    """

    def __init__(self) -> None:
        self._open: dict[str, sympy.Basic] = {}
        self._bound: set[str] = set()

    def use(self, symbols: Iterable[Any]) -> None:
        """Take symbols of weights in."""
        for s in symbols:
            need(
                s.name not in self._bound, f"weights may not hold {s}, which the derivation gives a meaning of its own"
            )
            need(self._open.setdefault(s.name, s) == s, f"{s} may not stand for two symbols")

    def bind(self, names: Iterable[Any]) -> None:
        """Take names in, which must be new."""
        for s in names:
            need(s.name not in self._bound and s.name not in self._open, f"the name {s} is taken already")
            self._bound.add(s.name)


def linear_form(expression: sympy.Expr, names: Iterable[sympy.Symbol]) -> Form:
    """Return the coefficients of a linear form in given symbols.

    Raises:
        StepFailedError: For anything else.

    Example:
        >>> x, y = sympy.symbols("x y")
        >>> linear_form(x / 2 - y, [x, y])
        {x: Fraction(1, 2), y: Fraction(-1, 1)}
    """
    allowed = set(names)
    form: Form = {}
    for term in sympy.Add.make_args(expression):
        if term == 0:
            continue
        coefficient, rest = term.as_coeff_Mul(rational=True)
        if rest not in allowed:
            raise StepFailedError(f"{short(expression)} must be a linear form in {listed(allowed)}")
        add_form(form, Fraction(int(coefficient.p), int(coefficient.q)), {rest: Fraction(1)})
    return form


def add_form(form: Form, factor: Fraction, other: Form) -> None:
    """Add a multiple of another form to a form, in place."""
    for name, value in other.items():
        total = form.get(name, Fraction(0)) + factor * value
        if total:
            form[name] = total
        else:
            form.pop(name, None)


def divisors(*expressions: sympy.Expr) -> set[sympy.Expr]:
    """Return what expressions with symbols are divided by.

    Example:
        >>> x, y = sympy.symbols("x y")
        >>> divisors(x / (1 + y) + x / 2)
        {y + 1}
    """
    powers = {p for e in expressions for p in e.atoms(sympy.Pow)}
    return {p.base for p in powers if p.base.free_symbols and not p.exp.is_nonnegative}


def is_rational_function(expression: sympy.Expr) -> bool:
    """Tell whether an expression is made of symbols and rational numbers by sums, products and whole powers.

    Numbers such as log(4) - 2 log(2) are none, since only their value tells whether they are zero.

    Example:
        >>> x, y = sympy.symbols("x y")
        >>> is_rational_function((x + y / 2) ** -3), is_rational_function(x * sympy.log(2))
        (True, False)
    """
    if expression.is_Rational or expression.is_Symbol:
        return True
    if expression.is_Pow:
        return bool(expression.exp.is_Integer) and is_rational_function(expression.base)
    return bool(expression.is_Add or expression.is_Mul) and all(map(is_rational_function, expression.args))


def listed(names: Iterable[Any]) -> str:
    """Return a few names between commas."""
    shown = [str(n) for n in names]
    return ", ".join(sorted(shown) if len(shown) <= 6 else [*shown[:5], "..."]) or "none"


def short(expression: Any) -> str:
    """Return an expression as text that fits in a message."""
    text = str(expression)
    return text if len(text) <= 80 else f"{text[:77]}..."
