"""Looks at an HDF5 file in a process of its own: python hdf5_probe.py < file.

The C library of HDF5 can hang or crash on a damaged file, and nothing in the same process can stop it. So
this script, which imports nothing of symbinv, reads every array and attribute once, and writes what it found
as one line of JSON: the model's configuration, the arrays' names and shapes, or why the file is refused.
What it has read to its end, Keras can read too.
"""

import contextlib
import io
import json
import math
import sys
from typing import Any

MAX_ENTRIES = 1 << 24
MAX_ITEMS = 10_000
MAX_DEPTH = 20
MEMORY = 2 << 30


class RefusedError(Exception):
    """A file that is whole and still not read."""


def probe(data: bytes) -> dict[str, Any]:
    """Return the configuration and the shapes of all arrays, having read every one of them.

    Args:
        data: The content of an HDF5 file.
    """
    import h5py

    arrays: list[list[Any]] = []
    with h5py.File(io.BytesIO(data), "r") as file:
        _walk(h5py, file, "", 0, arrays)
        config = file.attrs.get("model_config")
    text = config.decode("utf-8", "replace") if isinstance(config, bytes) else config
    return {"config": text if isinstance(text, str) else None, "arrays": arrays}


def _walk(h5py: Any, group: Any, prefix: str, depth: int, arrays: list[list[Any]]) -> None:
    for value in group.attrs.values():
        del value  # reading it is what matters
    if depth > MAX_DEPTH or len(group) > MAX_ITEMS or len(arrays) > MAX_ITEMS:
        raise RefusedError("groups must not be nested or filled beyond reason.")
    for key in group:
        name = f"{prefix}/{key}"
        if not isinstance(group.get(key, getlink=True), h5py.HardLink):
            raise RefusedError(f"{name[:60]!r} must not be a link.")
        item = group[key]
        if isinstance(item, h5py.Group):
            _walk(h5py, item, name, depth + 1, arrays)
            continue
        if not isinstance(item, h5py.Dataset):
            raise RefusedError(f"{name[:60]!r} must be an array or a group.")
        if item.external or item.is_virtual:
            raise RefusedError(f"the array {name[:60]!r} must lie in the file itself.")
        shape = [int(size) for size in item.shape or ()]
        arrays.append([name, shape])
        if sum(math.prod(size) for _, size in arrays) > MAX_ENTRIES:
            raise RefusedError(f"all arrays together must have at most {MAX_ENTRIES} entries, not more.")
        item[()]


def main() -> None:
    """Read a file from standard input, answer on standard output."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    import h5py

    del h5py  # imported before the clock starts
    answer = sys.stdout
    sys.stdout = sys.stderr
    print("ready", file=answer, flush=True)
    try:
        found = probe(sys.stdin.buffer.read())
    except RefusedError as error:
        found = {"refused": str(error)}
    except Exception as error:  # h5py raises many kinds for damaged files
        found = {"damaged": f"{type(error).__name__}: {error}"[:300]}
    print(json.dumps(found), file=answer, flush=True)


if __name__ == "__main__":
    main()
