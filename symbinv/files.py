"""Files are written whole or not at all: a temporary file beside the place, fsync, then a rename over it."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from symbinv.errors import ReadError

UNFINISHED = ".symbinv-"  # how the names of temporary files begin


def write_whole(place: str | Path, content: bytes | str) -> Path:
    """Write a file so that it appears whole or not at all; folders on the way are made.

    Raises:
        ReadError: Where it cannot be written; an existing file is then unchanged.
    """
    data = content.encode() if isinstance(content, str) else content
    return write_with(Path(place), lambda temporary: temporary.write_bytes(data))


def write_with(place: Path, write: Callable[[Path], Any]) -> Path:
    """Let `write` make a temporary file beside `place`, then rename it to `place`.

    Raises:
        ReadError: Where it cannot be written; an existing file is then unchanged.
    """
    temporary: Path | None = None
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=place.parent, prefix=UNFINISHED, suffix=place.suffix)
        os.close(handle)
        temporary = Path(name)
        write(temporary)
        with temporary.open("rb") as done:
            os.fsync(done.fileno())
        temporary.chmod(place.stat().st_mode & 0o777 if place.exists() else 0o644)
        temporary.replace(place)
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise ReadError(f"{str(place)!r} cannot be written: {reason}.") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
    return place
