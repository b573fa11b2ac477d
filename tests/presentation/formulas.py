"""Read displayed equations back from LaTeX and compute with them: an oracle that shares no code with the printer."""

import re
from fractions import Fraction

SYMBOL = r"\\?[A-Za-z]+(?:\^\{\([\d,]+\)\})?_\{[\d,]+\}|[a-fD](?:\^\{\(\d+\)\})?"
TOKEN = re.compile(
    rf"(?P<fraction>\\[cd]?frac)|(?P<open>\\(?:left|bigl|Bigl)?[(\[]|[(\[{{])|(?P<close>\\(?:right|bigr|Bigr)[)\]]|[)\]}}])"
    rf"|(?P<power>\^\{{\d+\}})|(?P<symbol>{SYMBOL})|(?P<number>\d+(?:\.\d+)?)|(?P<sign>[-+/])|\s+"
)


def equations(latex):
    """Yield (label, factor, symbol, right side) of every displayed equation factor * symbol = right side."""
    for display in re.findall(r"\\begin\{(align|equation)\}(.*?)\\end\{\1\}", latex, re.DOTALL):
        for row in re.split(r"\\\\\n", display[1].replace("\\notag \\\\*", " ").replace(r"&\qquad", " ")):
            label = re.search(r"\\label\{([^}]*)\}", row)
            text = re.sub(r"\\label\{[^}]*\}", "", row).replace("&", "", 1)
            left, equals, right = text.partition("=")
            found = re.fullmatch(rf"(?P<factor>.*?)\s*(?P<symbol>{SYMBOL})\s*", left.strip())
            if label and equals and found and "&" not in right:
                yield label.group(1), found["factor"], found["symbol"], right.strip().rstrip(".,").strip()


def value(latex, known):
    """Compute an expression of symbols, rational numbers, sums, products and fractions."""
    tokens, place = [], 0
    while place < len(latex):
        found = TOKEN.match(latex, place)
        if found is None:
            raise ValueError(f"cannot read {latex[place:]!r}")
        place = found.end()
        if found.lastgroup:
            tokens.append((found.lastgroup, found.group()))
    total, rest = _sum(tokens, known)
    if rest:
        raise ValueError(f"left over: {rest}")
    return total


def _sum(tokens, known):
    total, sign = Fraction(0), 1
    if tokens and tokens[0][1] in "+-":
        sign, tokens = (-1 if tokens[0][1] == "-" else 1), tokens[1:]
    while True:
        term, tokens = _product(tokens, known)
        total += sign * term
        if not tokens or tokens[0][1] not in ("+", "-"):
            return total, tokens
        sign, tokens = (-1 if tokens[0][1] == "-" else 1), tokens[1:]


def _product(tokens, known):
    result, tokens = _factor(tokens, known)
    while tokens and tokens[0][0] != "close" and tokens[0][1] not in ("+", "-"):
        divide = tokens[0][1] == "/"
        factor, tokens = _factor(tokens[1:] if divide else tokens, known)
        result = result / factor if divide else result * factor
    return result, tokens


def _factor(tokens, known):
    (kind, text), *tokens = tokens
    if kind == "number":
        result = Fraction(text)
    elif kind == "symbol":
        result = known[text]
    elif kind == "open":
        result, tokens = _sum(tokens, known)
        tokens = tokens[1:]
    elif kind == "fraction":
        top, tokens = _factor(tokens, known)
        bottom, tokens = _factor(tokens, known)
        result = top / bottom
    else:
        raise ValueError(f"unexpected {text!r}")
    if tokens and tokens[0][0] == "power":
        result, tokens = result ** int(tokens[0][1][2:-1]), tokens[1:]
    return result, tokens
