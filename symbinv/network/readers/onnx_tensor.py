"""Tensors of an ONNX file as arrays: sizes checked before anything is allocated, data only from the file's folder."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symbinv.errors import NotSupportedError, ReadError
from symbinv.network.readers import limits
from symbinv.network.readers.source import place, show

# ONNX's number of a type -> NumPy's type, the field that holds it when not raw, the width there
TYPES: dict[int, tuple[str, str]] = {
    1: ("<f4", "float_data"),
    2: ("|u1", "int32_data"),
    3: ("|i1", "int32_data"),
    4: ("<u2", "int32_data"),
    5: ("<i2", "int32_data"),
    6: ("<i4", "int32_data"),
    7: ("<i8", "int64_data"),
    9: ("|b1", "int32_data"),
    10: ("<f2", "int32_data"),
    11: ("<f8", "double_data"),
    12: ("<u4", "uint64_data"),
    13: ("<u8", "uint64_data"),
}
FLOAT_TYPES = {1: "float32", 10: "float16", 11: "float64"}
_EXTERNAL = 1


def to_array(tensor: Any, folder: Path | None) -> NDArray[Any]:
    """Return a TensorProto as an array of its own type.

    Args:
        tensor: The TensorProto.
        folder: Where the file lies; data outside the file must lie in it. None: no such data.

    Raises:
        ReadError: Where data and declared shape differ.
        NotSupportedError: For types that are no numbers.
    """
    with place(f"tensor {show(tensor.name, 60)!r}"):
        if tensor.data_type not in TYPES:
            raise NotSupportedError(
                f"its type must be a float of 16 to 64 bits, an integer or bool, not {tensor.data_type}."
            )
        if tensor.HasField("segment"):
            raise NotSupportedError("a tensor in segments is not read.")
        dtype, field = np.dtype(TYPES[tensor.data_type][0]), TYPES[tensor.data_type][1]
        shape = tuple(tensor.dims)
        if len(shape) > 32:
            raise ReadError(f"a tensor must have at most 32 axes, not {len(shape)}.")
        count = limits.entries(shape, "it")
        if tensor.data_location == _EXTERNAL:
            return _from_bytes(_external(tensor, folder, count * dtype.itemsize), dtype, shape, count)
        if tensor.HasField("raw_data"):
            return _from_bytes(tensor.raw_data, dtype, shape, count)
        stored = getattr(tensor, field)
        if len(stored) != count:
            raise ReadError(f"it declares {count} entries, and {len(stored)} are stored.")
        if dtype.kind == "f" and dtype.itemsize == 2:
            return _narrow(stored, np.dtype("<u2")).view(dtype).reshape(shape)
        return _narrow(stored, dtype).reshape(shape)


def _narrow(stored: Any, dtype: np.dtype[Any]) -> NDArray[Any]:
    values = np.array(
        stored,
        dtype=np.float64 if dtype.kind == "f" else np.uint64 if dtype.kind == "u" and dtype.itemsize > 2 else np.int64,
    )
    with np.errstate(over="ignore"):
        narrow = values.astype(dtype)
    same = (narrow.astype(values.dtype) == values) | (np.isnan(values) if dtype.kind == "f" else False)
    if not same.all():
        raise ReadError(f"its entries must be of type {dtype.name}.")
    return narrow


def _from_bytes(data: bytes, dtype: np.dtype[Any], shape: tuple[int, ...], count: int) -> NDArray[Any]:
    if len(data) != count * dtype.itemsize:
        raise ReadError(f"it declares {count * dtype.itemsize} bytes, and {len(data)} are stored.")
    return np.frombuffer(data, dtype=dtype, count=count).reshape(shape)


def _external(tensor: Any, folder: Path | None, size: int) -> bytes:
    entries = {str(entry.key): str(entry.value) for entry in tensor.external_data}
    location = entries.get("location", "")
    if folder is None:
        raise NotSupportedError("its data lies outside the model; pass the path of the file.")
    if not location or "\0" in location:
        raise ReadError("its data lies outside the file, at no place.")
    path, base = (folder / location).resolve(), folder.resolve()
    if Path(location).is_absolute() or not path.is_relative_to(base):
        raise ReadError(f"its data must lie in the folder of the file, not at {show(location, 80)!r}.")
    try:
        offset, length = int(entries.get("offset", "0")), int(entries.get("length", size))
        if offset < 0 or length != size:
            raise ReadError(f"it declares {size} bytes, and {length} at {offset} outside the file.")
        if not path.is_file():
            raise ReadError(f"its data at {show(location, 80)!r} is missing.")
        with path.open("rb") as stream:
            stream.seek(offset)
            return bytes(stream.read(size))
    except (OSError, ValueError, OverflowError) as error:
        raise ReadError(f"its data outside the file cannot be read: {show(error)}.") from error
