"""Files are written whole or not at all: a temporary file beside the place, fsync, then a rename over it."""

import os
import tempfile
from pathlib import Path

from symbinv.errors import ReadError


def write_whole(place: str | Path, content: bytes | str) -> Path:
    """Write a file so that it appears whole or not at all; folders on the way are made.

    Raises:
        ReadError: Where it cannot be written; an existing file is then unchanged.
    """
    path = Path(place)
    data = content.encode() if isinstance(content, str) else content
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=".symbinv-", dir=path.parent)
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).chmod(path.stat().st_mode & 0o777 if path.exists() else 0o644)
        Path(temporary).replace(path)
    except (OSError, ValueError) as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise ReadError(f"{str(path)!r} cannot be written: {error}.") from error
    return path
