"""The process that reads HDF5 files for this one, started at the first file and kept for the next; see `hdf5_probe`."""

import atexit
import contextlib
import importlib.util
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from symbinv.errors import NotSupportedError, ReadError
from symbinv.network.readers import hdf5_probe

_STAYS = hasattr(os, "fork")
_SECONDS_TO_START = 60.0
_SECONDS_MORE = 10.0
_ENDS = "must be an HDF5 file, not damaged: reading it ends the process."


def look(data: bytes) -> dict[str, Any]:
    """Return what another process finds in an HDF5 file: "config" and "arrays", or "refused", or "damaged".

    A crash, an endless loop or an explosion of memory in there ends that process, and is an error here.

    Args:
        data: The content of the file, not empty.

    Raises:
        NotSupportedError: Where h5py is absent.
        ReadError: Where the other process does not come back from reading it.
    """
    if importlib.util.find_spec("h5py") is None:
        raise NotSupportedError("the package h5py is needed: pip install symbinv[keras].")
    return _READERS.setdefault(os.getpid(), _Reader()).look(data)  # a fork of this process has its own


class _Reader:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def look(self, data: bytes) -> dict[str, Any]:
        with self._lock:
            fresh = self._process is None
            line = self._ask(data)
            if line is None and not fresh:  # it ended while it waited, or was ended: not the file's fault
                line = self._ask(data)
        try:
            return dict(json.loads(line or b""))
        except ValueError as error:
            raise ReadError(_ENDS) from error

    def _ask(self, data: bytes) -> bytes | None:
        """Return the line with which a file is answered; None where the process ends instead."""
        process = self._started()
        seconds = hdf5_probe.SECONDS + len(data) / hdf5_probe.BYTES_PER_SECOND
        line = b""
        try:
            with _deadline(process, hdf5_probe.WALL * seconds + _SECONDS_MORE if _STAYS else seconds):
                process.stdin.write(len(data).to_bytes(8, "little"))  # type: ignore[union-attr]
                process.stdin.write(data)  # type: ignore[union-attr]
                process.stdin.flush()  # type: ignore[union-attr]
                line = process.stdout.readline()  # type: ignore[union-attr]
        except OSError:
            return None
        finally:
            if not line.endswith(b"\n") or not _STAYS:
                self.stop()
        return line if line.endswith(b"\n") else None

    def _started(self) -> "subprocess.Popen[bytes]":
        if self._process is None:
            script = Path(__file__).with_name("hdf5_probe.py")
            pipe, one_thread = subprocess.PIPE, {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(script)],
                stdin=pipe,
                stdout=pipe,
                stderr=subprocess.DEVNULL,
                env={**os.environ, **one_thread},
            )
            line = b""
            try:
                with _deadline(self._process, _SECONDS_TO_START):
                    line = self._process.stdout.readline()  # type: ignore[union-attr]
            finally:
                if line != b"ready\n":
                    self.stop()
            if line != b"ready\n":
                raise NotSupportedError("h5py could not be started in a process of its own.")
        return self._process

    def stop(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            for stream in (process.stdin, process.stdout):
                with contextlib.suppress(OSError):
                    stream.close()  # type: ignore[union-attr]
            process.wait()


@contextlib.contextmanager
def _deadline(process: "subprocess.Popen[bytes]", seconds: float) -> Any:
    timer = threading.Timer(seconds, process.kill)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


_READERS: dict[int, _Reader] = {}


@atexit.register
def stop() -> None:
    """End the process that reads for this one; the next file starts another."""
    if os.getpid() in _READERS:
        _READERS[os.getpid()].stop()
