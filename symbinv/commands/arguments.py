"""Values of command-line options: numbers, pairs, boxes, lists of activations. Text is data, never executed."""

import re
from fractions import Fraction
from pathlib import Path

from symbinv.errors import OptionError, ReadError, ShapeError
from symbinv.exact.policy import to_fraction


def read_activations(text: str) -> list[str]:
    """Split at commas outside parentheses."""
    names, depth = [""], 0
    for c in text:
        depth += {"(": 1, ")": -1}.get(c, 0)
        if c == "," and depth == 0:
            names.append("")
        else:
            names[-1] += c
    return names


def read_names(text: str) -> list[str]:
    """Return names between commas; a comma inside braces belongs to a name."""
    return [name.strip() for name in re.split(r",(?![^{]*\})", text)]


def read_pattern(text: str) -> list[str | list[str | int] | None]:
    """Return a pattern: layers between semicolons, units between commas, one name for all units, - for no pattern."""

    def unit(part: str) -> str | int:
        return read_whole(part) if part.lstrip("-").isdigit() else part

    layers = [[unit(p.strip()) for p in layer.split(",")] for layer in text.split(";")]
    return [
        None if units == ["-"] else units[0] if isinstance(units[0], str) and len(units) == 1 else units
        for units in layers
    ]


def read_numbers(text: str) -> list[Fraction]:
    """Return numbers between commas, exact as written."""
    return [to_fraction(part.strip()) for part in text.split(",")]


def is_condition(text: str) -> bool:
    """Tell a condition from the numbers of a point: it has a relation, or one entry with letters."""
    has_letters = any(c.isalpha() and c not in "eE" for c in text)
    return any(c in "<>=" for c in text) or (has_letters and "," not in text)


def read_goal(text: str) -> str | list[Fraction]:
    """Return a target's text where it is a condition, its numbers where it is a point."""
    return text if is_condition(text) else read_numbers(text)


def read_whole(text: str) -> int:
    """Return a whole number."""
    try:
        return int(text)
    except ValueError as error:
        raise OptionError(f"a whole number is needed, not {text[:40]!r}.") from error


def read_pair(text: str) -> tuple[Fraction, Fraction]:
    """Return a pair lo,hi."""
    numbers = read_numbers(text)
    if len(numbers) != 2:
        raise ShapeError(f"a pair lo,hi is needed, not {text[:60]!r}.")
    return numbers[0], numbers[1]


def read_box(text: str | None, inputs: int) -> list[tuple[Fraction, Fraction]] | None:
    """Read lo,hi for all inputs, one pair for each between semicolons, or a file of such lines."""
    if text is None:
        return None
    if not any(c in text for c in ",;"):
        try:
            lines = Path(text).read_text(encoding="utf-8").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else "not UTF-8 text"
            raise ReadError(f"a box must be lo,hi, pairs between semicolons, or a file; {text!r}: {reason}.") from error
        text = ";".join(line.strip() for line in lines if line.strip())
    pairs = [read_pair(part) for part in text.split(";")]
    return pairs * inputs if len(pairs) == 1 else pairs
