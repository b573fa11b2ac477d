"""`load`: whatever holds a network, as an exact Network."""

import inspect
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

from symbinv.errors import NotSupportedError, OptionError, ReadError
from symbinv.exact.matrix import ExactMatrix
from symbinv.exact.policy import Policy, check_policy
from symbinv.network.network import Network, to_box
from symbinv.network.readers import registry
from symbinv.network.readers.source import place, show
from symbinv.network.readers.vnnlib import read_box

_PICKLES = (".joblib", ".pkl", ".pickle", ".sav")


def load(source: Any, *, policy: Policy = "exact", check: bool = True, box: Any = None, **options: Any) -> Network:
    """Read a network exactly as it is stored.

    Requires: a file or object of a kind that has a reader.
    Exact? Every weight is the exact value of its stored number under `policy`; what is folded (scalers,
        normalisation, convolutions) is folded in rationals. `Network.notes` says what was folded or assumed.
    Cost: linear in the number of stored weights.

    Args:
        source: The path of a file (.json, .npz, .nnet, .onnx, .pt, .pth, .keras, .h5), or a fitted
            scikit-learn network or pipeline, a torch or Keras Sequential, an onnx.ModelProto, a Network.
        policy: What a stored float stands for: "exact", "decimal" or `rationalize(max_denominator)`.
        check: Compare the network at a few points with the source's own runtime where that is
            installed, or with the reference point that the file holds.
        box: A box to take for the network's own: lower and upper end of each input, shape (n0, 2), or the
            path of a VNN-LIB file.
        **options: Further keywords of the reader, such as `space="raw"` for .nnet.

    Returns:
        The network; its weights become objects only when asked for.

    Raises:
        ReadError: For a damaged file; the message begins with the file's name.
        NotSupportedError: For an operator, layer or option that has no exact counterpart here, by name.
        ShapeError, InexactError: For sizes that do not fit together, NaN and infinities.
        BudgetError: For sizes over the limits of `symbinv.network.readers.limits`.

    Example:
        >>> import json, pathlib, tempfile
        >>> layers = [{"W": [[1, "1/2"]], "b": [0.5], "activation": "relu"}]
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder) / "tiny.json"
        ...     _ = path.write_text(json.dumps({"layers": layers}))
        ...     network = load(path)
        >>> network.sizes, network.forward([1, 3])
        ((2, 1), (3,))
    """
    check_policy(policy)
    if isinstance(source, Network):
        network = source
    elif isinstance(source, str | PathLike):
        network = _load_path(source, {"policy": policy, "check": check}, options)
    else:
        network = _load_object(source, {"policy": policy, "check": check}, options)
    return network if box is None else replace(network, box=_to_box(box, network, policy))


def _load_path(source: Any, common: dict[str, Any], options: dict[str, Any]) -> Network:
    try:
        path = Path(source)
        shown = show(path)
    except (TypeError, ValueError) as error:
        raise ReadError(f"a path must be text, not {show(repr(source))}.") from error
    reader = registry.reader_of_path(path)
    with place(shown):
        if reader is None:
            if path.suffix.lower() in _PICKLES:
                raise NotSupportedError(
                    "is a pickle, which runs code when it is opened, so it is never read here; open it "
                    "yourself if you trust it, and pass the fitted object to `load`."
                )
            raise NotSupportedError(f"the ending must be one of {', '.join(registry.endings())}.")
        return _call(reader, path, common, options)


def _load_object(source: object, common: dict[str, Any], options: dict[str, Any]) -> Network:
    reader = registry.reader_of_object(source)
    if reader is None:
        raise NotSupportedError(
            f"an object of class {show(type(source).__module__)}.{show(type(source).__qualname__)} has no reader; "
            f"`load` takes a path, a Network, or objects of {', '.join(registry.type_names())} "
            "(`register_reader` adds others)."
        )
    return _call(reader, source, common, options)


def _call(reader: registry.Reader, source: Any, common: dict[str, Any], options: dict[str, Any]) -> Network:
    parameters = inspect.signature(reader).parameters
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return reader(source, **common, **options)
    names = list(parameters)[1:]
    unknown = [name for name in options if name not in names]
    if unknown:
        known = ", ".join(name for name in names if name not in common) or "none"
        raise OptionError(f"options must be among those of this reader ({known}), not {', '.join(unknown)}.")
    return reader(source, **{k: v for k, v in common.items() if k in names}, **options)


def _to_box(box: Any, network: Network, policy: Policy) -> ExactMatrix:
    if isinstance(box, str | PathLike):
        return to_box(read_box(Path(box)), network.sizes[0])
    return to_box(box, network.sizes[0], policy)
