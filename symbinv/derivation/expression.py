"""Expressions as plain data and back: a small strict grammar of nested lists, read without evaluating anything.

A number is a text in lowest terms ("3", "-4/5"; hexadecimal from 10,000 bits on), everything else a list:

    ["symbol", "x_1"]                     ["symbol", "m", {"integer": true}]
    ["+", a, b, ...]   ["*", a, b, ...]   ["^", base, exponent]     in the order in which they are printed
    ["log", a]                            and the other names of FUNCTIONS
    ["apply", "w", p, i, j]               a general entry w(p, i, j)
    ["sum", body, symbol, low, high]      ["piecewise", [value, condition], ...]
    ["=", a, b], ["<", a, b], ...         ["true"], ["false"], ["pi"], ["e"]
"""

import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import sympy
from sympy.core.function import AppliedUndef

from symbinv.errors import NotSupportedError, ReadError
from symbinv.exact.policy import to_rational
from symbinv.network.activations.branched import gelu_left_inverse, gelu_right_inverse

DEPTH_LIMIT = 200
EXPONENT_LIMIT = 10_000
POWER_LIMIT = 10_000_000
DECIMAL_BITS = 10_000  # Python turns no longer integers into decimal text
NAME_LIMIT = 200

FUNCTIONS: Mapping[str, Any] = {
    f.__name__: f
    for f in (
        sympy.log,
        sympy.exp,
        sympy.tanh,
        sympy.atanh,
        sympy.tan,
        sympy.atan,
        sympy.erf,
        sympy.LambertW,
        sympy.Abs,
        sympy.sign,
        gelu_left_inverse,
        gelu_right_inverse,
    )
}
RELATIONS: Mapping[str, Any] = {
    "=": sympy.Eq,
    "!=": sympy.Ne,
    "<": sympy.StrictLessThan,
    "<=": sympy.LessThan,
    ">": sympy.StrictGreaterThan,
    ">=": sympy.GreaterThan,
}
CONSTANTS: Mapping[str, Any] = {"pi": sympy.pi, "e": sympy.E, "true": sympy.true, "false": sympy.false}
ASSUMPTIONS = frozenset({"positive", "negative", "nonnegative", "nonpositive", "real", "nonzero", "zero", "integer"})

_DECIMAL = re.compile(r"-?[0-9]+(/[0-9]+)?")
_HEXADECIMAL = re.compile(r"-?0x[0-9a-f]+(/0x[0-9a-f]+)?")
_NAMES_OF_FUNCTIONS = {f: name for name, f in FUNCTIONS.items()}
_NAMES_OF_RELATIONS = {f: name for name, f in RELATIONS.items()}
_NAMES_OF_CONSTANTS = {value: name for name, value in CONSTANTS.items()}
_PLAIN = sympy.Symbol("plain").assumptions0


# -- numbers ------------------------------------------------------------------------------------------


def number_text(value: Fraction) -> str:
    """Return a rational number as text in lowest terms.

    Example:
        >>> number_text(Fraction(-4, 5)), number_text(Fraction(7))
        ('-4/5', '7')
    """
    top, bottom = value.numerator, value.denominator
    long = max(top.bit_length(), bottom.bit_length()) > DECIMAL_BITS
    write: Callable[[int], str] = hex if long else str
    return write(top) if bottom == 1 else f"{write(top)}/{write(bottom)}"


def read_number(data: Any, place: str) -> Fraction:
    """Return the number that a text stands for.

    Raises:
        ReadError: For anything but a number in lowest terms, as `number_text` writes it.
    """
    if isinstance(data, str):
        base = 10 if len(data) < DECIMAL_BITS and _DECIMAL.fullmatch(data) else 16
        if base == 10 or _HEXADECIMAL.fullmatch(data):
            top, _, bottom = data.partition("/")
            try:
                value = Fraction(int(top, base), int(bottom, base) if bottom else 1)
            except (ValueError, ZeroDivisionError):
                value = None
            if value is not None and number_text(value) == data:
                return value
    raise ReadError(f"{place}: a number must be text in lowest terms such as '-4/5', not {_shown(data)}.")


def _shown(data: Any) -> str:
    text = repr(data)
    return text if len(text) <= 60 else f"{text[:57]}..."


# -- writing ------------------------------------------------------------------------------------------


def to_data(expression: sympy.Basic) -> Any:
    """Return an expression as nested lists.

    Raises:
        NotSupportedError: For what the grammar does not have.

    Example:
        >>> x, y = sympy.symbols("x y")
        >>> to_data(x / 2 + sympy.log(y))
        ['+', ['*', '1/2', ['symbol', 'x']], ['log', ['symbol', 'y']]]
    """
    if isinstance(expression, sympy.Rational):
        return number_text(Fraction(int(expression.p), int(expression.q)))
    if isinstance(expression, sympy.Symbol) and not isinstance(expression, sympy.Dummy):
        extra = {k: v for k, v in sorted(_given(expression).items()) if k in ASSUMPTIONS}
        return ["symbol", expression.name, *([extra] if extra else [])]
    if expression in _NAMES_OF_CONSTANTS:
        return [_NAMES_OF_CONSTANTS[expression]]
    head: list[Any] | None = None
    if expression.is_Add or expression.is_Mul:
        head = ["+" if expression.is_Add else "*"]
    elif expression.is_Pow:
        head = ["^"]
    elif expression.func in _NAMES_OF_FUNCTIONS:
        head = [_NAMES_OF_FUNCTIONS[expression.func]]
    elif expression.func in _NAMES_OF_RELATIONS:
        head = [_NAMES_OF_RELATIONS[expression.func]]
    elif isinstance(expression, AppliedUndef):
        head = ["apply", expression.func.__name__]
    if head is not None:
        return [*head, *map(to_data, expression.args)]
    if isinstance(expression, sympy.Piecewise):
        return ["piecewise", *([to_data(part.expr), to_data(part.cond)] for part in expression.args)]
    if isinstance(expression, sympy.Sum) and len(expression.limits) == 1:
        return ["sum", to_data(expression.function), *map(to_data, expression.limits[0])]
    raise NotSupportedError(f"a derivation with {expression.func.__name__} cannot be written as data yet.")


def _given(symbol: sympy.Symbol) -> dict[str, bool]:
    """Return the assumptions that make a symbol what it is."""
    given: dict[str, bool] = dict(getattr(symbol, "_assumptions_orig", {}) or {})
    wanted = symbol.assumptions0
    for choice in (given, wanted):
        kept = {k: v for k, v in choice.items() if k in ASSUMPTIONS and v is not None}
        if sympy.Symbol(symbol.name, **kept) == symbol:
            return kept
    raise NotSupportedError(f"the symbol {symbol} has assumptions that cannot be written as data.")


# -- reading ------------------------------------------------------------------------------------------


def from_data(data: Any, place: str, depth: int = 0) -> sympy.Basic:
    """Return the expression that nested lists stand for, its terms in their order.

    Raises:
        ReadError: With the place, for anything that the grammar does not have, or that is nested too deep.

    Example:
        >>> from_data(["+", ["*", "1/2", ["symbol", "x"]], ["log", ["symbol", "y"]]], "it")
        x/2 + log(y)
    """
    if isinstance(data, str):
        return to_rational(read_number(data, place))
    if depth > DEPTH_LIMIT:
        raise ReadError(f"{place}: an expression must not be nested deeper than {DEPTH_LIMIT} levels.")
    if not isinstance(data, list) or not data or not isinstance(data[0], str):
        raise ReadError(f"{place}: an expression must be a number or a list beginning with a name, not {_shown(data)}.")
    head, rest = data[0], data[1:]
    if head == "symbol":
        return _symbol(rest, place)
    if head == "piecewise":
        return _piecewise(rest, place, depth)
    if head in CONSTANTS and not rest:
        return CONSTANTS[head]
    name = rest[0] if head == "apply" and rest else None
    parts = [from_data(part, place, depth + 1) for part in (rest[1:] if head == "apply" else rest)]
    if head in RELATIONS and len(parts) == 2 and _are_values(parts):
        return RELATIONS[head](*parts, evaluate=False)
    if not _are_values(parts):
        raise ReadError(f"{place}: {head!r} must be applied to values, not to relations.")
    if head in ("+", "*") and len(parts) > 1:
        return (sympy.Add if head == "+" else sympy.Mul)(*parts, evaluate=False)
    if head == "^" and len(parts) == 2:
        return _power(parts[0], parts[1], place)
    if head in FUNCTIONS and len(parts) in (FUNCTIONS[head].nargs or {1}):
        return FUNCTIONS[head](*parts, evaluate=False)
    if isinstance(name, str) and name.isalpha() and len(name) == 1 and parts:
        return sympy.Function(name)(*parts)
    if head == "sum" and len(parts) == 4 and isinstance(parts[1], sympy.Symbol):
        return sympy.Sum(parts[0], tuple(parts[1:]))
    raise ReadError(f"{place}: {_shown(data)} is not an expression of the grammar.")


def _are_values(parts: list[sympy.Basic]) -> bool:
    return all(isinstance(part, sympy.Expr) for part in parts)


def _symbol(rest: list[Any], place: str) -> sympy.Symbol:
    name = rest[0] if rest else None
    extra = rest[1] if len(rest) == 2 else {}
    if (
        not isinstance(name, str)
        or not 1 <= len(name) <= NAME_LIMIT
        or len(rest) > 2
        or not isinstance(extra, dict)
        or not all(k in ASSUMPTIONS and isinstance(v, bool) for k, v in extra.items())
    ):
        raise ReadError(f"{place}: a symbol must be ['symbol', name], not {_shown(['symbol', *rest])}.")
    try:
        return sympy.Symbol(name, **extra)
    except ValueError as error:  # InconsistentAssumptions
        raise ReadError(f"{place}: the assumptions of the symbol {name!r} contradict each other.") from error


def _power(base: sympy.Expr, exponent: sympy.Expr, place: str) -> sympy.Expr:
    if exponent.is_Rational and abs(exponent) > EXPONENT_LIMIT:
        raise ReadError(f"{place}: exponents must be at most {EXPONENT_LIMIT}, not {exponent}.")
    if base.is_Rational and exponent.is_Integer:
        raise ReadError(f"{place}: a power of a number must be written as a number.")
    if exponent.is_Rational and _bits(base) * abs(exponent) > POWER_LIMIT:
        raise ReadError(f"{place}: powers of powers must stay below {POWER_LIMIT} bits when they are multiplied out.")
    if exponent.is_number and not exponent.is_Rational:
        raise ReadError(f"{place}: an exponent must be written as one number, not {_shown(str(exponent))}.")
    return sympy.Pow(base, exponent, evaluate=False)


def _bits(expression: sympy.Basic) -> int:
    """Return about how many bits a coefficient or an exponent of an expression takes when it is multiplied out."""
    if isinstance(expression, sympy.Rational):
        return int(max(abs(expression.p), expression.q).bit_length())
    parts = [_bits(part) for part in expression.args]
    if expression.is_Pow and expression.exp.is_Rational:
        return parts[0] * int(abs(expression.exp) + 1)
    return max(sum(parts), 1)


def _piecewise(rest: list[Any], place: str, depth: int) -> sympy.Expr:
    parts = []
    for part in rest:
        if not isinstance(part, list) or len(part) != 2:
            raise ReadError(f"{place}: 'piecewise' must be followed by pairs of a value and a condition.")
        value, condition = (from_data(e, place, depth + 1) for e in part)
        is_condition = isinstance(condition, sympy.core.relational.Relational) or condition in (sympy.true, sympy.false)
        if not isinstance(value, sympy.Expr) or not is_condition:
            raise ReadError(f"{place}: 'piecewise' must be followed by pairs of a value and a condition.")
        parts.append((value, condition))
    if not parts:
        raise ReadError(f"{place}: 'piecewise' must have at least one part.")
    found = sympy.Piecewise(*parts, evaluate=False)
    is_kept = isinstance(found, sympy.Piecewise) and [(part.expr, part.cond) for part in found.args] == parts
    if not is_kept:
        raise ReadError(f"{place}: the parts of a 'piecewise' must differ, and end with the one that holds always.")
    return found
