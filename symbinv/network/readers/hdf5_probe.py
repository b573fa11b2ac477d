"""Looks at HDF5 files in processes of their own: python hdf5_probe.py, driven by `hdf5_process`.

The C library of HDF5 can hang or crash on a damaged file, and nothing in the same process can stop it. So
this script, which imports nothing of symbinv, reads every array and attribute once, and answers with a line
of JSON: the model's configuration, the arrays' names and shapes, or why the file is refused. What it has read
to its end, Keras can read too.

Where processes can be forked, the script stays and forks one for each file, which may take so much time and
memory and no more. Elsewhere it reads one file itself, and whoever started it sees to the limits.

A request is eight bytes with the length of the file, lowest first, and the file; an answer is one line.
"""

import contextlib
import io
import json
import math
import os
import select
import signal
import sys
from typing import Any, BinaryIO

MAX_BYTES = 1 << 27
MAX_ITEMS = 10_000
MAX_DEPTH = 20
MEMORY = 384 << 20
MEMORY_ELSEWHERE = 2 << 30
SECONDS = 0.5
BYTES_PER_SECOND = 20e6
WALL = 3.0
IDLE_SECONDS = 60.0


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
    _read_attributes(group)
    if depth > MAX_DEPTH or len(group) > MAX_ITEMS or len(arrays) > MAX_ITEMS:
        raise RefusedError("groups must not be nested or filled beyond reason.")
    for key in group:
        name = f"{prefix}/{key}"[:60]
        if not isinstance(group.get(key, getlink=True), h5py.HardLink):
            raise RefusedError(f"{name!r} must not be a link.")
        item = group[key]
        if isinstance(item, h5py.Group):
            _walk(h5py, item, name, depth + 1, arrays)
            continue
        if not isinstance(item, h5py.Dataset):
            raise RefusedError(f"{name!r} must be an array or a group.")
        if item.external or item.is_virtual:
            raise RefusedError(f"the array {name!r} must lie in the file itself.")
        if item.dtype.kind not in "fiub":
            raise RefusedError(f"the array {name!r} must hold numbers, not {str(item.dtype)[:40]}.")
        shape = [int(size) for size in item.shape or ()]
        arrays.append([name, shape, item.dtype.itemsize])
        if sum(math.prod(sizes) * width for _, sizes, width in arrays) > MAX_BYTES:
            raise RefusedError(f"all arrays together must have at most {MAX_BYTES} bytes, not more.")
        item[()]
        _read_attributes(item)


def _read_attributes(item: Any) -> None:
    for value in item.attrs.values():
        del value  # reading it is what matters


def answer(data: bytes) -> dict[str, Any]:
    """Return what is found in a file, or why it is refused."""
    try:
        return probe(data)
    except RefusedError as error:
        return {"refused": str(error)}
    except Exception as error:  # h5py raises many kinds for damaged files
        return {"damaged": f"{type(error).__name__}: {error}"[:300]}


def answer_in_a_fork(data: bytes) -> bytes:
    """Return the line of JSON of a process of its own, made for this file and limited in time and memory."""
    receive, send = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(receive)
            _limit(SECONDS + len(data) / BYTES_PER_SECOND)
            with os.fdopen(send, "wb") as stream:
                stream.write(json.dumps(answer(data)).encode())
            os._exit(0)
        finally:
            os._exit(1)
    os.close(send)
    with os.fdopen(receive, "rb") as stream:
        found = stream.read()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status == 0:
        return found
    late = status in (-signal.SIGALRM, -signal.SIGPROF)
    return json.dumps({"damaged": "reading it " + ("does not end" if late else "ends the process")}).encode()


def _limit(seconds: float) -> None:
    import resource

    signal.setitimer(signal.ITIMER_PROF, seconds)  # of this process's own work
    signal.setitimer(signal.ITIMER_REAL, WALL * seconds)
    try:
        with open("/proc/self/statm", "rb") as stream:
            memory = int(stream.read().split()[0]) * resource.getpagesize() + MEMORY  # beyond what is taken now
    except (OSError, ValueError):
        memory = MEMORY_ELSEWHERE
    for kind, limit in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_AS, memory)):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (limit, limit))


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until there are no more, or none for a minute."""
    forks = hasattr(os, "fork")
    while not forks or select.select([requests], [], [], IDLE_SECONDS)[0]:
        size = int.from_bytes(requests.read(8), "little")
        data = requests.read(size)
        if not data or len(data) != size:
            return
        line = answer_in_a_fork(data) if forks else json.dumps(answer(data)).encode()
        del data
        answers.write(line + b"\n")
        answers.flush()


def main() -> None:
    """Say "ready" on standard output once h5py is imported, then serve there."""
    for name in ("SIGALRM", "SIGPROF"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [getattr(signal, name)])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the end of the requests ends this
    import h5py

    del h5py  # imported before a clock starts
    answers, sys.stdout = sys.stdout.buffer, sys.stderr
    answers.write(b"ready\n")
    answers.flush()
    serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
