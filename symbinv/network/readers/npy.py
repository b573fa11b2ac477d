"""NumPy's .npz archives, decoded here: no pickle, no evaluated header, sizes checked before they are trusted.

`numpy.load` evaluates each header as a Python literal and allocates what it declares. This decoder takes
only the one form in which NumPy writes headers, and only arrays of floats, integers and text.
"""

import io
import re
import zipfile
import zlib

import numpy as np
from numpy.typing import NDArray

from symbinv.errors import BudgetError, ReadError
from symbinv.network.readers import limits
from symbinv.network.readers.source import place, show

_HEADER = re.compile(
    rb"\{'descr': ?'([<>|=]?[a-zA-Z]\d{0,6})', ?'fortran_order': ?(True|False), "
    rb"?'shape': ?\(((?:\d+(?:, ?\d+)*,?)?)\),? ?\}\s*"
)
_LAST_CHARACTER = 0x10FFFF
_ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, KeyError, RuntimeError, OverflowError)


def read_npz(data: bytes) -> dict[str, NDArray[np.generic]]:
    """Return the arrays of a .npz archive by name.

    Raises:
        ReadError: Where the archive or an array in it is damaged, or holds Python objects.
        BudgetError: Where an array is over the limits.
    """
    arrays: dict[str, NDArray[np.generic]] = {}
    left = limits.MAX_BYTES
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for member in archive.infolist():
                name = member.filename.removesuffix(".npy")
                with place(name):
                    if name == member.filename:
                        raise ReadError("an .npz archive must hold .npy arrays only.")
                    if name in arrays:
                        raise ReadError("an .npz archive must hold each name once.")
                    content = _extract(archive, member, left)
                    left -= len(content)
                    arrays[name] = decode(content)
    except (*_ZIP_ERRORS, NotImplementedError) as error:
        raise ReadError(f"must be an .npz archive of NumPy arrays, not damaged: {show(error)}") from error
    return arrays


def _extract(archive: zipfile.ZipFile, member: zipfile.ZipInfo, limit: int) -> bytes:
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ReadError("must be stored or deflated, not compressed in another way.")
    with archive.open(member) as stream:
        content = stream.read(limit + 1)
    if len(content) > limit:
        raise BudgetError(f"arrays must have at most {limits.MAX_BYTES} bytes together, not more.")
    return content


def decode(content: bytes) -> NDArray[np.generic]:
    """Return the array of one .npy file.

    Raises:
        ReadError: Where it is damaged or holds anything but floats, integers and text.
    """
    wide = content[6:7] in (b"\x02", b"\x03")
    start = 12 if wide else 10
    if content[:6] != b"\x93NUMPY" or len(content) < start:
        raise ReadError("must begin as a .npy array does.")
    end = start + int.from_bytes(content[8:start], "little")
    header = _HEADER.fullmatch(content, start, min(end, len(content)))
    if header is None or end > len(content):
        raise ReadError("must have NumPy's header with a plain type, not Python objects or records.")
    descr, fortran, sizes = (group.decode("ascii") for group in header.groups())
    dtype = _plain_type(descr)
    shape = tuple(int(size) for size in sizes.split(",") if size)
    count = limits.entries(shape, "the array")
    if len(content) - end != count * dtype.itemsize:
        raise ReadError(f"must have {count * dtype.itemsize} bytes for shape {shape}, not {len(content) - end}.")
    if dtype.kind == "U":
        codes = np.frombuffer(content, dtype=dtype.byteorder.replace("=", "<") + "u4", offset=end)
        if ((codes > _LAST_CHARACTER) | ((codes >= 0xD800) & (codes < 0xE000))).any():
            raise ReadError("text must be of Unicode characters.")
    array = np.frombuffer(content, dtype=dtype, count=count, offset=end)
    return array.reshape(shape, order="F" if fortran == "True" else "C")


def _plain_type(descr: str) -> np.dtype[np.generic]:
    kind, size = descr.lstrip("<>|=")[:1], descr.lstrip("<>|=")[1:]
    allowed = {"f": ("2", "4", "8"), "i": ("1", "2", "4", "8"), "u": ("1", "2", "4", "8")}
    if (kind == "U" and size) or size in allowed.get(kind, ()):
        return np.dtype(descr)
    raise ReadError(f"must hold floats of at most 64 bits, integers or text, not {show(descr)}.")
