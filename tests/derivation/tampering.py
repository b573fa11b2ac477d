"""Derivations with one thing changed, made from their JSON by somebody who knows nothing of the replay.

Every place of the tree is fair game: a number, a sign, an index in a symbol's name, an operation or relation, a text
that is a claim or a name, a truth value, an element of any list dropped, doubled or exchanged with its neighbour (a
step is one). Left alone are only the sentences for the reader: `title`, `notes` and `reason`.
"""

import copy
import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

SENTENCES = {"title", "notes", "reason", "format", "version", "type"}
NUMBER = re.compile(r"-?\d+(/\d+)?")
OTHER = {"+": "*", "*": "+", "<": ">", ">": "<", "<=": ">=", ">=": "<=", "log": "exp", "exp": "log"}
CLAIMS = ["exact", "certified", "probabilistic", "numeric", "upper bound", "generic"]


@dataclass(frozen=True)
class Tampered:
    kind: str
    place: str
    text: str


def tampered(text: str) -> Iterator[Tampered]:
    """Yield every derivation that differs from the given one in one thing."""
    document = json.loads(text)
    original = meaning(document)
    for kind, path, value in _changes(document["steps"], ("steps",)):
        changed = copy.deepcopy(document)
        parent = changed
        for key in path[:-1]:
            parent = parent[key]
        parent[path[-1]] = value
        if meaning(changed) != original:
            yield Tampered(kind, "/".join(map(str, path)), json.dumps(changed))


def sample(text: str, count: int, seed: int) -> list[Tampered]:
    """Return `count` of them at random, every kind alike as far as there are so many."""
    by_kind: dict[str, list[Tampered]] = {}
    for one in tampered(text):
        by_kind.setdefault(one.kind, []).append(one)
    source = random.Random(seed)
    for found in by_kind.values():
        source.shuffle(found)
    chosen: list[Tampered] = []
    while len(chosen) < count and any(by_kind.values()):
        for found in by_kind.values():
            if found and len(chosen) < count:
                chosen.append(found.pop())
    return chosen


def meaning(data: Any) -> Any:
    """Return data in a form that two documents share only where they say the same.

    That is where they differ in the order of a sum's terms or a product's factors, or in a residual of doubles
    by no more than rounding.
    """
    if isinstance(data, dict):
        found = {key: meaning(value) for key, value in data.items()}
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
