"""What a Keras file declares, looked at before Keras opens it.

Keras builds the layers that a file names and allocates the sizes that it declares. So the configuration
and the table of stored arrays are read here first: only layers that have a reader are let through, sizes are
checked, and a file that points to other files is refused. HDF5 is read in a process of its own first.
"""

import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

from symbinv.errors import NotSupportedError, ReadError
from symbinv.network.readers import hdf5_process, limits
from symbinv.network.readers.source import place, read_bytes, show

_ERRORS = (OSError, ValueError, KeyError, RuntimeError, TypeError, EOFError, zipfile.BadZipFile, zlib.error)
_MEMBERS = ("config.json", "model.weights.h5", "metadata.json")


def inspect(path: Path, known: frozenset[str]) -> None:
    """Refuse a .keras or .h5 file that Keras should not open.

    Args:
        path: The file.
        known: Names of the layers that have a reader.

    Raises:
        ReadError: For a damaged file.
        NotSupportedError: For layers without a reader, and files that point to others.
        BudgetError: For sizes over the limits.
    """
    data = read_bytes(path)
    if zipfile.is_zipfile(io.BytesIO(data)):
        members = _members(data)
        _check_arrays(members["model.weights.h5"])
        config = _parse(members["config.json"])
    else:
        config = _parse(_check_arrays(data) or b"")
    _Sizes(known).check(config)


def _members(data: bytes) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    left = limits.MAX_BYTES
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for member in archive.infolist():
                if member.filename not in _MEMBERS or member.filename in found:
                    raise NotSupportedError(f"must hold {', '.join(_MEMBERS)} once, not {show(member.filename, 60)!r}.")
                with archive.open(member) as stream:
                    found[member.filename] = stream.read(left + 1)
                left -= limits.entries([len(found[member.filename])], "a member") if left > 0 else 0
    except (*_ERRORS, NotImplementedError) as error:
        raise ReadError(f"must be a Keras archive, not damaged: {show(error, 120)}") from error
    missing = [name for name in _MEMBERS[:2] if name not in found]
    if missing:
        raise ReadError(f"a Keras archive must hold {missing[0]}.")
    return found


def _check_arrays(data: bytes) -> bytes | None:
    """Check every array of an HDF5 file; return the model's configuration where it is stored there."""
    if not data.startswith(b"\x89HDF\r\n\x1a\n"):
        raise ReadError("must be an HDF5 file, not something else.")
    found = hdf5_process.look(data)
    if "refused" in found:
        raise NotSupportedError(show(found["refused"], 200))
    if "damaged" in found:
        raise ReadError(f"must be an HDF5 file, not damaged: {show(found['damaged'], 160)}")
    for name, shape, _ in found["arrays"]:
        limits.entries(shape, f"the array {show(name, 60)!r}")
    config = found["config"]
    return None if config is None else str(config).encode("utf-8", "replace")


def _parse(text: bytes) -> Mapping[str, Any]:
    if not text:
        raise ReadError("must hold a whole model, not weights alone.")
    try:
        config = json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ReadError(f"its configuration must be JSON: {show(error, 120)}.") from error
    if not isinstance(config, dict):
        raise ReadError("its configuration must be a JSON object.")
    return config


class _Sizes:
    """Follows the widest possible tensor through the layers, so that no array is built that is too large."""

    def __init__(self, known: frozenset[str]) -> None:
        self._known = known
        self._places, self._channels, self._total = 1, 1, 0

    def check(self, model: Mapping[str, Any]) -> None:
        """Check a model's configuration, and those nested in it."""
        if model.get("class_name") != "Sequential":
            raise NotSupportedError(f"must be a Sequential model, not {show(model.get('class_name'), 40)!r}.")
        if model.get("registered_name") not in (None, "Sequential", "keras>Sequential"):
            raise NotSupportedError("a registered class of its own is not supported.")
        config = model.get("config")
        layers = config.get("layers") if isinstance(config, dict) else None
        if not isinstance(layers, list):
            raise NotSupportedError("its configuration must list layers as Keras 2 and 3 do; save it again with those.")
        for k, layer in enumerate(layers):
            with place(f"layer {k}"):
                self._layer(layer)

    def _layer(self, layer: Any) -> None:
        if not isinstance(layer, dict) or not isinstance(layer.get("config"), dict):
            raise ReadError("must have a class and a configuration.")
        kind, config = layer.get("class_name"), layer["config"]
        if kind == "Sequential":
            self.check(layer)
            return
        if kind not in self._known or not str(layer.get("module") or "keras").startswith("keras"):
            raise NotSupportedError(
                f"the layer {show(kind, 40)} is not supported; {', '.join(sorted(self._known))} are."
            )
        shape = next((config[k] for k in ("batch_shape", "batch_input_shape") if config.get(k)), None)
        if shape is not None:
            sizes = [self._size(s) for s in list(shape)[1:]]
            self._channels = sizes[-1] if sizes else 1
            self._places = limits.check_width(prod(sizes), "the input") // max(self._channels, 1)
        if kind == "Dense":
            self._weigh(1, self._size(config.get("units")))
        elif str(kind).startswith("Conv"):
            kernel = config.get("kernel_size")
            self._weigh(
                prod(self._size(s) for s in (kernel if isinstance(kernel, list) else [kernel])),
                self._size(config.get("filters")),
            )
        elif kind in ("Flatten", "Reshape"):
            self._channels, self._places = self._channels * self._places, 1
        elif str(kind).startswith("ZeroPadding"):
            self._places = limits.check_width(self._places * self._padding(config.get("padding")), "a padded tensor")
        limits.check_width(self._places * self._channels, "a layer")

    def _weigh(self, taps: int, units: int) -> None:
        self._total += limits.entries([taps, self._channels, units], "a layer's weights")
        limits.entries([self._total], "all weights together")
        self._channels = units

    def _padding(self, padding: Any) -> int:
        flat = json.dumps(padding)
        numbers = [self._size(int(part)) for part in "".join(c if c.isdigit() else " " for c in flat[:200]).split()]
        return prod(1 + n for n in numbers)

    @staticmethod
    def _size(value: Any) -> int:
        if value is None:
            return 1
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise ReadError(f"sizes must be whole numbers, not {show(repr(value), 40)}.")
        return limits.check_width(value, "a size")
