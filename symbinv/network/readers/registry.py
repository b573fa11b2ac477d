"""Which reader reads what: by the ending of a file's name, or by the class of an object.

A class is named by its top-level package and its name ("sklearn.MLPClassifier"), so that no framework is
imported to find out whether an object is one of its own. The reader's module is imported when it is needed.
"""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from symbinv.errors import OptionError
from symbinv.network.network import Network

Reader = Callable[..., Network]
"""Takes a path or an object, then keywords: `policy`, `check`, and whatever it documents itself."""

_HERE = "symbinv.network.readers"

_BY_ENDING: dict[str, str | Reader] = {
    ".json": f"{_HERE}.arrays:read_json",
    ".npz": f"{_HERE}.arrays:read_npz",
    ".nnet": f"{_HERE}.nnet:read_nnet",
    ".onnx": f"{_HERE}.onnx:read_onnx",
    ".pt": f"{_HERE}.torch_state:read_state_dict",
    ".pth": f"{_HERE}.torch_state:read_state_dict",
    ".keras": f"{_HERE}.keras:read_keras",
    ".h5": f"{_HERE}.keras:read_keras",
    ".hdf5": f"{_HERE}.keras:read_keras",
}

_BY_CLASS: dict[str, str | Reader] = {
    "onnx.ModelProto": f"{_HERE}.onnx:from_model",
    "sklearn.MLPClassifier": f"{_HERE}.sklearn:read_estimator",
    "sklearn.MLPRegressor": f"{_HERE}.sklearn:read_estimator",
    "sklearn.Pipeline": f"{_HERE}.sklearn:read_pipeline",
    "torch.Sequential": f"{_HERE}.torch:read_sequential",
    "keras.Sequential": f"{_HERE}.keras:read_sequential",
}


def register_reader(reader: Reader, *, ending: str = "", type_name: str = "") -> None:
    """Make `load` use a reader of yours.

    Args:
        reader: Called as reader(source, policy=..., check=..., and further keywords given to `load`);
            returns a Network. It takes the keywords that its signature names.
        ending: The ending of the file names it reads, with the dot, such as ".eran".
        type_name: The package and name of the objects it reads, such as "sklearn.MLPClassifier"; it
            then reads objects of derived classes too.

    Raises:
        OptionError: Where neither or both are given, or an ending has no dot.

    Example:
        >>> from symbinv.network.readers.load import load
        >>> from symbinv.network.readers.registry import register_reader, unregister_reader
        >>> register_reader(lambda path: Network.from_arrays([[[1]]], [[0]], ["relu"]), ending=".example")
        >>> load("any.example").sizes
        (1, 1)
        >>> unregister_reader(".example")
    """
    if bool(ending) == bool(type_name):
        raise OptionError("a reader must be registered for an ending or a type_name, one of the two.")
    if ending:
        if not ending.startswith("."):
            raise OptionError(f"an ending must begin with a dot, not be {ending!r}.")
        _BY_ENDING[ending.lower()] = reader
    else:
        _BY_CLASS[type_name] = reader


def unregister_reader(key: str) -> None:
    """Forget the reader of an ending or type_name."""
    _BY_ENDING.pop(key.lower(), None)
    _BY_CLASS.pop(key, None)


def endings() -> tuple[str, ...]:
    """Return the endings of file names that have a reader."""
    return tuple(sorted(_BY_ENDING))


def type_names() -> tuple[str, ...]:
    """Return the package and name of the classes that have a reader."""
    return tuple(sorted(_BY_CLASS))


def reader_of_path(path: Path) -> Reader | None:
    """Return the reader of a file name: that of its longest ending that has one."""
    name = path.name.lower()
    found = max((e for e in _BY_ENDING if name.endswith(e)), key=len, default=None)
    return None if found is None else _resolve(_BY_ENDING[found])


def reader_of_object(value: object) -> Reader | None:
    """Return the reader of an object's class, or of the nearest base class that has one."""
    for cls in type(value).__mro__:
        key = f"{cls.__module__.partition('.')[0]}.{cls.__name__}"
        if key in _BY_CLASS:
            return _resolve(_BY_CLASS[key])
    return None


def _resolve(entry: str | Reader) -> Reader:
    if not isinstance(entry, str):
        return entry
    module, _, name = entry.partition(":")
    reader: Any = getattr(import_module(module), name)
    return reader  # type: ignore[no-any-return]
