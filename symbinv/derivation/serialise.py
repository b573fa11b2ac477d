"""A derivation as JSON and back: complete, versioned, plain data.

The document is {"format": FORMAT, "version": VERSION, "title": ..., "steps": [...]}. A step is an object with its
"type" and exactly the fields of its class; expressions are the nested lists of `expression.py`, numbers are exact
text. Nothing that is read is evaluated or trusted: `replay` says whether it holds.
"""

import dataclasses
import hashlib
import json
import types
import typing
from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from typing import Any

import sympy

from symbinv.algebra.named import Ratio, Update
from symbinv.algebra.operation import AddMultiple, Scale, Swap
from symbinv.derivation import steps
from symbinv.derivation.expression import from_data, number_text, read_number, to_data
from symbinv.derivation.parametric_steps import PivotRatio
from symbinv.derivation.steps import Derivation, Step
from symbinv.errors import NotSupportedError, ReadError, SymbinvError
from symbinv.exact.interval import Interval
from symbinv.exact.matrix import ExactMatrix
from symbinv.inverse.verdict import Empty, NonEmpty, Unknown
from symbinv.network.network import Network

FORMAT, VERSION = "symbinv derivation", 1
SIZE_LIMIT = 1 << 28  # characters
STEPS: tuple[type, ...] = typing.get_args(Step)
RECORDS: dict[str, type] = {
    c.__name__: c
    for c in (
        *(*STEPS, steps.Multipliers, PivotRatio, Ratio, Update),
        *(Swap, Scale, AddMultiple, Empty, NonEmpty, Unknown, Interval),
    )
}


def derivation_json(derivation: Derivation) -> str:
    """Return a derivation as JSON text, one step a line.

    Raises:
        NotSupportedError: For an expression that the grammar does not have.

    Example:
        >>> from symbinv.derivation.general import derive_general
        >>> read_derivation(derivation_json(derive_general())).steps == derive_general().steps
        True
    """
    head = {"format": FORMAT, "version": VERSION, "title": derivation.title}
    lines = [json.dumps(_encode(step), ensure_ascii=True) for step in derivation.steps]
    return json.dumps(head, ensure_ascii=True)[:-1] + ', "steps": [\n' + ",\n".join(lines) + "\n]}\n"


def is_derivation(data: Any) -> bool:
    """Tell whether parsed JSON says that it is a derivation."""
    return isinstance(data, dict) and data.get("format") == FORMAT


def read_derivation(text: str) -> Derivation:
    """Return the derivation that JSON text holds; whether it is right, `Derivation.replay` says.

    Raises:
        ReadError: With the place, for anything that `derivation_json` would not write.
    """
    return from_document(parse(text))


def parse(text: str) -> Any:
    """Return JSON text as plain data.

    Raises:
        ReadError: Where it is not JSON, too large, or nested too deep.
    """
    if len(text) > SIZE_LIMIT:
        raise ReadError(f"a derivation must have at most {SIZE_LIMIT} characters, not {len(text)}.")
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except RecursionError as error:
        raise ReadError("a derivation must not be nested so deep.") from error
    except ValueError as error:
        raise ReadError(f"a derivation must be JSON: {str(error)[:200]}.") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object has a key twice")
    return found


def from_document(data: Any) -> Derivation:
    """Return the derivation that parsed JSON holds."""
    if not is_derivation(data):
        raise ReadError(f"a derivation must be an object with format {FORMAT!r}.")
    if data.get("version") != VERSION:
        raise ReadError(f"a derivation must have version {VERSION}, not {str(data.get('version'))[:40]}.")
    if set(data) != {"format", "version", "title", "steps"} or not isinstance(data["steps"], list):
        raise ReadError("a derivation must have a format, a version, a title and a list of steps, and nothing else.")
    title = _decode(str, data["title"], "title")
    found = []
    for number, step in enumerate(data["steps"], start=1):
        place = f"step {number}"
        try:
            found.append(_decode(Step, step, place))
        except ReadError:
            raise
        except (SymbinvError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
            raise ReadError(f"{place}: {str(error)[:200]}") from error
    return Derivation(title, tuple(found))


def same_network(derivation: Derivation, network: Network) -> bool:
    """Tell whether a derivation states exactly a network's weights, biases and activations."""
    given = next((step for step in derivation.steps if isinstance(step, steps.NetworkGiven)), None)
    return given is not None and given.fingerprint == fingerprint_of(network)


def fingerprint_of(network: Network) -> str:
    """Return the SHA-256 of a network's exact weights, biases and activations: which one a derivation is about."""
    digest = hashlib.sha256()
    for layer in network.layers:
        entries = [_encode(layer.weights), _encode(layer.bias), layer.activation.label]
        digest.update(json.dumps(entries, ensure_ascii=True).encode())
    return digest.hexdigest()


# -- writing ------------------------------------------------------------------------------------------


def _encode(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return {"float": repr(value)}
    if isinstance(value, Fraction):
        return number_text(value)
    if isinstance(value, tuple | list):
        return [_encode(v) for v in value]
    if isinstance(value, ExactMatrix):
        return {"rows": value.rows, "columns": value.columns, "entries": _entries(value)}
    if isinstance(value, sympy.Basic):
        return to_data(value)
    if type(value).__name__ in RECORDS:
        fields = {f.name: _encode(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"type": type(value).__name__, **fields}
    raise NotSupportedError(f"a derivation with {type(value).__name__} cannot be written as data yet.")


def _entries(matrix: ExactMatrix) -> list[list[Any]]:
    if matrix.is_rational:
        return [[number_text(e) for e in row] for row in matrix.fractions()]
    return [[to_data(e) for e in row] for row in matrix.to_sympy().tolist()]


# -- reading ------------------------------------------------------------------------------------------


def _decode(hint: Any, data: Any, place: str) -> Any:
    """Return data as a value of the type that a field's annotation names."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _decode_union(arguments, data, place)
    if origin is tuple:
        return _decode_tuple(arguments, data, place)
    if origin is typing.Literal:
        if data in arguments and isinstance(data, str):
            return data
        raise ReadError(f"{place} must be one of {', '.join(arguments)}, not {str(data)[:40]!r}.")
    if hint in (str, int, bool):
        if type(data) is hint:
            return data
        raise ReadError(f"{place} must be {_KINDS[hint]}, not {str(data)[:40]!r}.")
    if hint is Fraction:
        return read_number(data, place)
    if hint is ExactMatrix:
        return _decode_matrix(data, place)
    if hint is float:
        return _decode_float(data, place)
    if isinstance(hint, type) and hint.__name__ in RECORDS:
        return _decode_record((hint,), data, place)
    if hint is Any:
        if data is None:
            return None
        return _decode_float(data, place) if isinstance(data, dict) else from_data(data, place)
    value = from_data(data, place)
    if not isinstance(value, hint):
        raise ReadError(f"{place} must be a {hint.__name__}, not {str(value)[:40]!r}.")
    return value


_KINDS = {str: "text", int: "a whole number", bool: "true or false"}


def _decode_union(choices: Sequence[Any], data: Any, place: str) -> Any:
    if data is None and type(None) in choices:
        return None
    rest = [c for c in choices if c is not type(None)]
    if len(rest) == 1:
        return _decode(rest[0], data, place)
    return _decode_record(rest, data, place)


def _decode_tuple(arguments: Sequence[Any], data: Any, place: str) -> tuple[Any, ...]:
    if not isinstance(data, list):
        raise ReadError(f"{place} must be a list, not {str(data)[:40]!r}.")
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        hints = [arguments[0]] * len(data)
    elif len(arguments) != len(data):
        raise ReadError(f"{place} must be a list of {len(arguments)}, not of {len(data)}.")
    else:
        hints = list(arguments)
    return tuple(_decode(h, v, f"{place}[{k}]") for k, (h, v) in enumerate(zip(hints, data, strict=True)))


def _decode_float(data: Any, place: str) -> float:
    text = data.get("float") if isinstance(data, dict) and len(data) == 1 else None
    try:
        value = float(text) if isinstance(text, str) else None
    except ValueError:
        value = None
    if value is None or repr(value) != text:
        raise ReadError(f"{place} must be a double such as {{'float': '0.5'}}, not {str(data)[:40]!r}.")
    return value


def _decode_matrix(data: Any, place: str) -> ExactMatrix:
    if not isinstance(data, dict) or set(data) != {"rows", "columns", "entries"}:
        raise ReadError(f"{place} must be a matrix with rows, columns and entries.")
    m, n = (_decode(int, data[k], f"{place}.{k}") for k in ("rows", "columns"))
    table = data["entries"]
    if not isinstance(table, list) or len(table) != m or any(not isinstance(r, list) or len(r) != n for r in table):
        raise ReadError(f"{place} must have {m} rows of {n} entries.")
    if not m or not n:
        return ExactMatrix.zeros(m, n)
    entries = [
        [read_number(e, place) if isinstance(e, str) else _decode(sympy.Expr, e, place) for e in row] for row in table
    ]
    return ExactMatrix(entries)


@cache
def _fields(record: type) -> dict[str, Any]:
    hints = typing.get_type_hints(record)
    return {f.name: hints[f.name] for f in dataclasses.fields(record)}


def _decode_record(choices: Sequence[type], data: Any, place: str) -> Any:
    name = data.get("type") if isinstance(data, dict) else None
    record = next((c for c in choices if c.__name__ == name), None)
    if record is None:
        raise ReadError(f"{place} must be one of {', '.join(c.__name__ for c in choices)}, not {str(name)[:40]!r}.")
    fields = _fields(record)
    if set(data) != {"type", *fields}:
        raise ReadError(f"{place} must have the fields {', '.join(fields)} of {name}, and no others.")
    return record(**{key: _decode(hint, data[key], f"{place}.{key}") for key, hint in fields.items()})
