"""Derivations with one thing changed, made from their JSON by somebody who knows nothing of the replay.

Every place of the tree is fair game: a number, a sign, an index in a symbol's name, an operation or relation, a text
that is a claim or a name, a truth value, an element of any list dropped, doubled or exchanged with its neighbour (a
step is one). Left alone are only the sentences for the reader: `title`, `notes` and `reason`.
"""

import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import sympy

import symbinv as si
from symbinv.derivation.steps import ClosedFormGiven, SubstitutionChecked, VerdictGiven

SENTENCES = {"title", "notes", "reason", "format", "version", "type"}
NUMBER = re.compile(r"-?\d+(/\d+)?")
OTHER = {"+": "*", "*": "+", "<": ">", ">": "<", "<=": ">=", ">=": "<=", "log": "exp", "exp": "log"}
STATEMENTS = (SubstitutionChecked, ClosedFormGiven)
SETS = {"CaseSolved": ("equations", "nonzero", "conditions"), "ClosedFormGiven": ("conditions",)}
CLAIMS = ["exact", "certified", "probabilistic", "numeric", "upper bound", "generic"]


@dataclass(frozen=True)
class Tampered:
    kind: str
    place: str
    text: str


def tampered(text: str) -> Iterator[Tampered]:
    """Yield every derivation that says something else than the given one in one place."""
    document = json.loads(text)
    original = meaning(document)
    for change in _changes(document["steps"], ("steps",)):
        made = _make(document, original, change)
        if made is not None:
            yield made


def sample(texts: dict[str, str], count: int, seed: int) -> list[tuple[str, Tampered]]:
    """Return `count` tampered derivations at random, from each text and of each kind alike as far as there are."""
    source = random.Random(seed)
    waiting = []
    for name, text in texts.items():
        document = json.loads(text)
        original = meaning(document)
        by_kind: dict[str, list[Any]] = {}
        for change in _changes(document["steps"], ("steps",)):
            by_kind.setdefault(change[0], []).append(change)
        for changes in by_kind.values():
            source.shuffle(changes)
            waiting.append((name, document, original, changes))
    chosen: list[tuple[str, Tampered]] = []
    source.shuffle(waiting)
    while len(chosen) < count and any(changes for *_, changes in waiting):
        for name, document, original, changes in waiting:
            made = _make(document, original, changes.pop()) if changes and len(chosen) < count else None
            if made is not None:
                chosen.append((name, made))
    return chosen


def _make(document: Any, original: Any, change: tuple[str, tuple[Any, ...], Any]) -> Tampered | None:
    kind, path, value = change
    changed = _replaced(document, path, value)
    return None if meaning(changed) == original else Tampered(kind, "/".join(map(str, path)), json.dumps(changed))


def _replaced(data: Any, path: tuple[Any, ...], value: Any) -> Any:
    """Return data with the part at a path replaced; what lies off the path is shared."""
    if not path:
        return value
    copied = data.copy()
    copied[path[0]] = _replaced(data[path[0]], path[1:], value)
    return copied


def true_all_the_same(original: si.Derivation, changed: si.Derivation) -> str | None:
    """Return why a changed derivation is as true as the original, found without the replay; None where it is not."""
    rest = [[s for s in d.steps if not isinstance(s, STATEMENTS)] for d in (original, changed)]
    statements = [{_statement(s) for s in d.steps if isinstance(s, STATEMENTS)} for d in (original, changed)]
    if rest[0] == rest[1] and statements[1] <= statements[0]:
        return "claimed solutions and closed forms stand for themselves, in any order and number"
    if len(rest[0]) != len(rest[1]) or rest[0][:-1] != rest[1][:-1]:
        return None
    old, new = rest[0][-1], rest[1][-1]
    if not isinstance(old, VerdictGiven) or not isinstance(new, VerdictGiven):
        return None
    network = original.replay().network
    given = original.steps[0]
    if isinstance(new.verdict, si.NonEmpty) and isinstance(old.verdict, si.NonEmpty):
        if old == replace(new, verdict=replace(new.verdict, radius=old.verdict.radius)):
            larger = new.verdict.radius > old.verdict.radius > 0
            return "what lies within a radius lies within a larger one" if larger else None
        same = old == replace(new, verdict=replace(new.verdict, witness=old.verdict.witness))
        reached = network.forward(list(new.verdict.witness))
        close = all(abs(sympy.N(a - b, 60)) < 1e-50 for a, b in zip(reached, given.target, strict=True))
        return "the other witness is mapped to the target too" if same and close else None
    if old == replace(new, multipliers=old.multipliers) and new.multipliers is not None:
        system = si.invert(network, given.target, box=given.box).verdict.certificate.system
        return "the other multipliers refute the system too" if _refutes(system, new.multipliers) else None
    return None


def _statement(step: SubstitutionChecked | ClosedFormGiven) -> Any:
    return step if isinstance(step, ClosedFormGiven) else (step.title, frozenset(step.claimed), step.residuals)


def _refutes(system: Any, multipliers: Any) -> bool:
    """Check Motzkin's condition for rational right sides in plain fractions."""
    rows, others = system.equations.fractions(), system.inequalities.fractions()
    v = [Fraction(0)] * len(system.intervals)
    bound = Fraction(0)
    right = [r.constant for r in system.right_side]
    for m, row, r in zip(multipliers.equations, rows, right, strict=True):
        v, bound = [a + m * b for a, b in zip(v, row, strict=True)], bound + m * r
    for m, row, r in zip(multipliers.inequalities, others, system.bounds, strict=True):
        v, bound = [a + m * b for a, b in zip(v, row, strict=True)], bound + m * r
        if m < 0:
            return False
    least, attained = Fraction(0), True
    for slope, interval in zip(v, system.intervals, strict=True):
        end, is_open = (interval.lower, interval.open_lower) if slope > 0 else (interval.upper, interval.open_upper)
        if slope and end is None:
            return False
        least, attained = least + (slope * end if slope else 0), attained and not (slope and is_open)
    strict = any(m > 0 and s for m, s in zip(multipliers.inequalities, system.strict, strict=True))
    return least > bound or (least == bound and (strict or not attained))


def meaning(data: Any) -> Any:
    """Return data in a form that two documents share only where they say the same.

    That is where they differ in the order of a sum's terms, a product's factors or relations that hold together, or in
    a residual of doubles by no more than rounding.
    """
    if isinstance(data, dict):
        found = {key: meaning(value) for key, value in data.items()}
        for key in SETS.get(data.get("type"), ()):
            found[key] = sorted(found[key], key=json.dumps)
        if "residual" in data:
            residual = float(data["residual"]["float"])
            found["residual"] = round(residual * 2.0**40) if residual >= 0 else residual
        return found
    if isinstance(data, list):
        parts = [meaning(part) for part in data]
        if parts and parts[0] in ("+", "*"):
            return [parts[0], *sorted(parts[1:], key=json.dumps)]
        return parts
    return data


def _changes(data: Any, path: tuple[Any, ...]) -> Iterator[tuple[str, tuple[Any, ...], Any]]:
    if isinstance(data, dict):
        if set(data) == {"float"}:
            value = float(data["float"])
            yield from (
                (kind, path, {"float": repr(new)})
                for kind, new in (("number", value + 1), ("number", 2 * value), ("sign", -value))
                if new != value
            )
            return
        for key, value in data.items():
            if key not in SENTENCES:
                yield from _changes(value, (*path, key))
    elif isinstance(data, list):
        yield from _changes_of_list(data, path)
    elif isinstance(data, bool):
        yield "claim", path, not data
    elif isinstance(data, int):
        yield from (("index", path, new) for new in (data + 1, data - 1))
    elif isinstance(data, str):
        yield from _changes_of_text(data, path)


def _changes_of_list(data: list[Any], path: tuple[Any, ...]) -> Iterator[tuple[str, tuple[Any, ...], Any]]:
    what = "step" if path == ("steps",) else "element"
    first = 0
    if data and isinstance(data[0], str) and data[0] in OTHER:
        yield "operation", (*path, 0), OTHER[data[0]]
    if data and isinstance(data[0], str) and not NUMBER.fullmatch(data[0]):
        first = 1
        if data[0] == "symbol":
            yield from (("index", (*path, 1), new) for new in _other_indices(data[1]))
            return
    for k in range(first, len(data)):
        yield f"{what} dropped", path, data[:k] + data[k + 1 :]
        yield f"{what} doubled", path, [*data[: k + 1], *data[k:]]
        if k + 1 < len(data) and data[k] != data[k + 1]:
            yield f"{what}s exchanged", path, [*data[:k], data[k + 1], data[k], *data[k + 2 :]]
        yield from _changes(data[k], (*path, k))


def _changes_of_text(data: str, path: tuple[Any, ...]) -> Iterator[tuple[str, tuple[Any, ...], Any]]:
    if NUMBER.fullmatch(data):
        value = Fraction(data)
        for kind, new in (("number", value + 1), ("number", 2 * value), ("number", value / 3), ("sign", -value)):
            if new != value:
                yield kind, path, str(new)
    elif data in CLAIMS:
        yield from (("claim", path, other) for other in CLAIMS if other != data)
    elif re.fullmatch(r"[0-9a-f]{64}", data):
        yield "claim", path, ("0" if data[0] != "0" else "1") + data[1:]
    else:
        yield "claim", path, "tanh" if data == "sigmoid" else "sigmoid"


def _other_indices(name: str) -> Iterator[str]:
    """Yield a symbol's name with one digit changed, or with a letter exchanged."""
    for found in re.finditer(r"\d", name):
        digit = str(int(found.group()) % 9 + 1)
        yield name[: found.start()] + digit + name[found.end() :]
    yield ("q" if name[0] != "q" else "s") + name[1:]
