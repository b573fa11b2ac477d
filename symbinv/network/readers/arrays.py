"""The project's own files: JSON, and NumPy's .npz.

JSON: an object with `layers`, first to last, each {"W": rows, "b": numbers, "activation": name}; W has one
row per output. A number is a JSON number (taken for the double it denotes) or text such as "0.8" or "4/5"
(taken exactly as written). An activation's parameters stand in parentheses, "leaky_relu(0.1)", or beside
it, {"activation": "leaky_relu", "alpha": 0.1}. Beside `layers`: `input_names` (or `feature_names`),
`output_names`, `box` (n0 pairs of lower and upper end: the network's box), `notes`. `train_box` says where
training data lay; it is information, not the network's box, and is not taken for it.

.npz: arrays W1, b1, W2, b2, ..., and `activations`, one text with a name per layer, separated by commas.

Where a file holds a reference point (x_star and y_star), the network must map one to the other. Where it
names leaky_relu without a slope, frameworks do not agree which one is meant (0.01 in torch, 0.3 in Keras): the
slope is then the one short decimal that maps x_star to y_star, and the file is refused where that does
not settle it.
"""

import json
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symbinv.errors import InexactError, NotSupportedError, OptionError, ReadError, ShapeError
from symbinv.exact.matrix import ExactMatrix
from symbinv.exact.policy import Policy, Rationalize, to_fraction
from symbinv.files import write_whole
from symbinv.network.activation import ACTIVATIONS, Activation, activation
from symbinv.network.network import Layer, Network
from symbinv.network.readers import limits, npy
from symbinv.network.readers.reference import UNITS, compare, evaluate
from symbinv.network.readers.source import place, read_bytes, show

_LAYER_KEYS = {"W": ("W", "weights"), "b": ("b", "bias"), "activation": ("activation",)}
_ARRAY_NAME = re.compile(r"([Wb])([1-9]\d{0,5})")
_HUGE_EXPONENT = re.compile(r"[eE][+-]?0*\d{4}")
_SLOPES = np.arange(1, 1001) / 1000


def read_json(path: Path, *, policy: Policy = "exact", check: bool = True) -> Network:
    """Return the network of a JSON file; see the module's text."""
    return from_mapping(parse_json(read_bytes(path)), policy=policy, check=check)


def read_npz(path: Path, *, policy: Policy = "exact", check: bool = True) -> Network:
    """Return the network of a .npz archive; see the module's text."""
    arrays = npy.read_npz(read_bytes(path))
    stored = arrays.get("activations")
    if stored is None or stored.dtype.kind != "U" or stored.size == 0:
        raise ReadError("an .npz archive must hold `activations`, one text with a name per layer.")
    names = [part.strip() for text in stored.ravel().tolist() for part in text.split(",")]
    layers: dict[int, dict[str, Any]] = {i: {} for i in range(1, len(names) + 1)}
    for name, array in arrays.items():
        match = _ARRAY_NAME.fullmatch(name)
        if match is None:
            continue
        if int(match[2]) not in layers:
            raise ReadError(f"the archive must have one activation per layer ({len(names)}), and yet holds {name}.")
        if array.dtype.kind not in "fiu":
            raise InexactError(f"{name}: numbers are needed, not an array of {array.dtype}.")
        layers[int(match[2])][match[1]] = array
    table = [{**layer, "activation": name} for layer, name in zip(layers.values(), names, strict=True)]
    rest: dict[str, Any] = {key: arrays[key].tolist() for key in ("x_star", "y_star", "box") if key in arrays}
    return from_mapping({"layers": table, **rest}, policy=policy, check=check)


def save(network: Network, path: str | Path) -> None:
    """Write a network with numeric weights to a JSON file, exactly, whole or not at all.

    Args:
        network: Its weights are written as JSON numbers where a double holds them, else as text "p/q".
        path: Where to; an existing file is replaced.

    Raises:
        NotSupportedError: For symbolic weights.
        ReadError: Where the file cannot be written.
    """
    if not network.is_rational:
        raise NotSupportedError("a network with symbolic weights has no JSON form; save one with numeric weights.")
    content: dict[str, Any] = {"sizes": list(network.sizes)}
    for key in ("input_names", "output_names", "notes"):
        if getattr(network, key):
            content[key] = list(getattr(network, key))
    if network.box is not None:
        content["box"] = _numbers(network.box)
    content["layers"] = [
        {
            "W": _numbers(layer.weights),
            "b": [row[0] for row in _numbers(layer.bias)],
            "activation": layer.activation.label,
        }
        for layer in network.layers
    ]
    write_whole(path, json.dumps(content) + "\n")


def _numbers(matrix: ExactMatrix) -> list[list[float | str]]:
    return [[_number(value) for value in row] for row in matrix.fractions()]


def _number(value: Fraction) -> float | str:
    try:
        rounded = value.numerator / value.denominator
    except OverflowError:
        return str(value)
    return rounded if Fraction(rounded) == value else str(value)


def parse_json(data: bytes) -> Mapping[str, Any]:
    """Return the object that a JSON file holds.

    Raises:
        ReadError: Where it is not JSON, or not an object.
        InexactError: For NaN and infinities.
    """
    try:
        content = json.loads(data.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ReadError(f"must be JSON: {show(error)}.") from error
    if not isinstance(content, dict):
        raise ReadError(f"must hold a JSON object, not {type(content).__name__}.")
    return content


def _refuse_constant(name: str) -> None:
    raise InexactError(f"numbers must be finite, not {name}; replace NaN and infinite values first.")


def from_mapping(content: Mapping[str, Any], *, policy: Policy = "exact", check: bool = True) -> Network:
    """Return the network that a JSON object describes; see the module's text."""
    table = _layer_table(content)
    if not table:
        raise ShapeError("a network must have at least one layer, not 0.")
    layers, unknown = [], []
    for index, entry in enumerate(table, start=1):
        with place(f"layer {index}"):
            layer, has_slope = _layer(entry, policy)
        layers.append(layer)
        unknown += [] if has_slope else [index]
    notes = [show(note, 500) for note in _names(content, "notes")]
    if "train_box" in content:
        notes.append("train_box is where training data lay; it was not taken for the network's box")
    if unknown:
        layers, note = _find_slope(layers, unknown, content, policy)
        notes.append(note)
    box = content.get("box")
    network = Network(
        tuple(layers),
        _names(content, "input_names") or _names(content, "feature_names"),
        _names(content, "output_names"),
        None if box is None else _matrix(box, policy, "box"),
        tuple(notes),
    )
    sizes = content.get("sizes", list(network.sizes))
    if sizes != list(network.sizes):
        raise ShapeError(f"sizes must be those of the layers, {list(network.sizes)}, not {show(sizes)}.")
    if check and not isinstance(policy, Rationalize):
        _check_reference(network, content)
    return network


def _layer_table(content: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    if "layers" not in content and "kernels_and_biases" in content:
        arrays, names = content["kernels_and_biases"], content.get("activations")
        if not isinstance(arrays, list) or not isinstance(names, list) or len(arrays) != 2 * len(names):
            raise ReadError("kernels_and_biases must hold a kernel and a bias per entry of activations.")
        return [
            {"W": _transpose(kernel), "b": bias, "activation": name}
            for kernel, bias, name in zip(arrays[::2], arrays[1::2], names, strict=True)
        ]
    table = content.get("layers")
    if not isinstance(table, list):
        raise ReadError('must hold "layers", a list of {"W": rows, "b": numbers, "activation": name}.')
    return table


def _transpose(kernel: Any) -> list[list[Any]]:
    if not isinstance(kernel, list) or not all(isinstance(row, list) for row in kernel):
        raise ShapeError("a kernel must be rows of numbers with two axes.")
    try:
        return [list(column) for column in zip(*kernel, strict=True)]
    except ValueError as error:
        raise ShapeError("all rows of a kernel must have the same length.") from error


def _layer(entry: Any, policy: Policy) -> tuple[Layer, bool]:
    """Return a layer, and whether its activation is settled (a leaky_relu may lack its slope)."""
    if not isinstance(entry, Mapping):
        raise ReadError(f'must be {{"W": rows, "b": numbers, "activation": name}}, not {type(entry).__name__}.')
    found: dict[str, Any] = {}
    for key, spellings in _LAYER_KEYS.items():
        present = [name for name in spellings if name in entry]
        if len(present) != 1:
            raise ReadError(f"must hold {' or '.join(spellings)} once, not {len(present)} times.")
        found[key] = entry[present[0]]
    known = {name for spellings in _LAYER_KEYS.values() for name in spellings}
    rest = {key: value for key, value in entry.items() if key not in known and key != "name"}
    chosen, settled = read_activation(found["activation"], rest, policy)
    return Layer(_matrix(found["W"], policy, "W"), _column(found["b"], policy), chosen), settled


def read_activation(spec: Any, parameters: Mapping[str, Any], policy: Policy) -> tuple[Activation, bool]:
    """Return an activation from its name in a file, and whether every parameter it needs was given.

    Raises:
        NotSupportedError: For a name that is not in the table, or a key that is no parameter of it.
    """
    if not isinstance(spec, str) or len(spec) > 1000:
        raise ReadError(f"activation must be a name, not {show(repr(spec))}.")
    try:
        chosen = activation(spec, policy)
        if parameters:
            unknown = [key for key in parameters if key not in chosen.parameters]
            if unknown:
                raise NotSupportedError(
                    f"keys beside W, b and activation must be parameters of {chosen.name} "
                    f"({', '.join(chosen.parameters) or 'it has none'}), not {show(', '.join(map(str, unknown)))}."
                )
            make, defaults = ACTIVATIONS[chosen.name]
            given = {key: _fraction(value, policy) for key, value in parameters.items()}
            chosen = make(**{**defaults, **given})
    except OptionError as error:
        raise NotSupportedError(show(error, 400)) from error
    except OverflowError as error:
        raise InexactError("parameters of an activation must be in the range of doubles.") from error
    return chosen, chosen.name != "leaky_relu" or "(" in spec or bool(parameters)


def _matrix(rows: Any, policy: Policy, what: str) -> ExactMatrix:
    with place(what):
        if isinstance(rows, np.ndarray):
            if rows.ndim != 2:
                raise ShapeError(f"must have two axes, not {rows.ndim}.")
            return _from_array(rows, policy)
        if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
            raise ShapeError("must be rows of numbers with two axes.")
        width = len(rows[0]) if rows else 0
        if any(len(row) != width for row in rows):
            raise ShapeError(f"all rows must have the same length, not {sorted({len(row) for row in rows})[:5]}.")
        limits.entries((len(rows), width), "the matrix")
        doubles = _doubles([e for row in rows for e in row]) if policy == "exact" else None
        if doubles is not None:
            return ExactMatrix(doubles.reshape(len(rows), width))
        return ExactMatrix([[_fraction(e, policy) for e in row] for row in rows])


def _column(entries: Any, policy: Policy) -> ExactMatrix:
    with place("b"):
        if isinstance(entries, np.ndarray):
            if entries.ndim != 1:
                raise ShapeError(f"must have one axis, not {entries.ndim}.")
            return _from_array(entries.reshape(-1, 1), policy)
        if not isinstance(entries, list) or any(isinstance(e, list) for e in entries):
            raise ShapeError("must be a list of numbers.")
        return _matrix([[e] for e in entries], policy, "entries")


def _from_array(array: NDArray[Any], policy: Policy) -> ExactMatrix:
    if array.size == 0:
        return ExactMatrix.zeros(*array.shape)
    return ExactMatrix(array if array.dtype.kind == "f" else array.tolist(), policy)


def _doubles(flat: Sequence[Any]) -> NDArray[np.float64] | None:
    """Return numbers as an array of doubles where each is one, else None."""
    if not all(type(e) is float or (type(e) is int and abs(e) < 1 << 53) for e in flat):
        return None
    return np.array(flat, dtype=np.float64)


def _fraction(value: Any, policy: Policy) -> Fraction:
    if isinstance(value, str) and _HUGE_EXPONENT.search(value):
        raise InexactError(f"exponents in a file must have at most three digits, not as in {show(value, 40)}.")
    if not isinstance(value, int | float | str):
        raise InexactError(f"a number or text such as 4/5 is needed, not {show(repr(value), 40)}.")
    return to_fraction(value, policy)


def _names(content: Mapping[str, Any], key: str) -> tuple[str, ...]:
    names = content.get(key, [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ReadError(f"{key} must be a list of text.")
    return tuple(names)


# -- the reference point --------------------------------------------------------------------------------


def _reference(content: Mapping[str, Any], inputs: int) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    if "x_star" not in content or "y_star" not in content:
        return None
    with place("x_star and y_star"):
        pair = []
        for key in ("x_star", "y_star"):
            values = content[key]
            if not isinstance(values, list) or not values or any(isinstance(e, list) for e in values):
                raise ShapeError("must be lists of numbers.")
            pair.append(ExactMatrix.column([_fraction(e, "exact") for e in values]).to_numpy().T)
        if pair[0].shape[1] != inputs:
            raise ShapeError(f"x_star must have one entry per input ({inputs}), not {pair[0].shape[1]}.")
    return pair[0], pair[1]


def _check_reference(network: Network, content: Mapping[str, Any]) -> None:
    pair = _reference(content, network.sizes[0])
    if pair is not None:
        compare(network, *pair, _precision(network), "the file's own x_star and y_star")


def _precision(network: Network) -> str:
    """Return float32 where every weight is one (then the reference was most likely computed so), else float64."""
    for layer in network.layers:
        with np.errstate(over="ignore"):
            if (layer.float_weights.astype(np.float32) != layer.float_weights).any():
                return "float64"
    return "float32"


def _find_slope(
    layers: list[Layer], unknown: list[int], content: Mapping[str, Any], policy: Policy
) -> tuple[list[Layer], str]:
    """Return the layers with the one slope of at most three decimals that maps x_star to y_star."""
    asking = (
        f'layer {unknown[0]}: leaky_relu must have its slope, as in "leaky_relu(0.1)": frameworks do not agree on '
        "the one that is meant where none is given"
    )
    pair = _reference(content, layers[0].weights.columns)
    if pair is None:
        raise ReadError(f"{asking}.")
    fitting = []
    for slope in _SLOPES:
        trial = _with_slope(layers, unknown, to_fraction(float(slope), "decimal"))
        found, error = evaluate(Network(tuple(trial)), pair[0], UNITS["float64"])
        if found.shape == pair[1].shape and (np.abs(found - pair[1]) <= error).all():
            fitting.append(float(slope))
    if len(fitting) != 1:
        raise ReadError(f"{asking}, and the file's x_star and y_star fit {len(fitting)} slopes, not one.")
    exact = to_fraction(fitting[0], policy)
    return _with_slope(layers, unknown, exact), (
        f"the file gives leaky_relu no slope; {fitting[0]} is the only one of at most three decimals that maps its "
        "x_star to its y_star, and was taken"
    )


def _with_slope(layers: list[Layer], unknown: list[int], slope: Fraction) -> list[Layer]:
    return [
        Layer(layer.weights, layer.bias, activation(f"leaky_relu({slope})")) if index in unknown else layer
        for index, layer in enumerate(layers, start=1)
    ]
