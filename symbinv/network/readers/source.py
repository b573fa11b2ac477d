"""Files as bytes, read within limits."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from symbinv.errors import BudgetError, ReadError, SymbinvError
from symbinv.network.readers import limits


def show(text: object, length: int = 160) -> str:
    r"""Return a foreign name so that it prints on one line: control characters escaped, cut when long.

    Example:
        >>> show("a\nb\x1b[31m")
        'a\\nb\\x1b[31m'
    """
    begin = str(text)[: length + 1]  # a message may quote megabytes of a file
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in begin)
    return shown if len(shown) <= length else shown[: length - 3] + "..."


@contextmanager
def place(name: object) -> Iterator[None]:
    """Put `name` in front of the message of every error of ours that leaves the block."""
    try:
        yield
    except SymbinvError as error:
        raise type(error)(f"{show(name)}: {error}") from error


def read_bytes(path: Path) -> bytes:
    """Return the content of a regular file of at most `limits.MAX_BYTES` bytes.

    Raises:
        ReadError: Where there is no such file, or it cannot be read.
        BudgetError: Where it is too large.
    """
    try:
        if not path.exists():
            raise ReadError("there is no such file.")
        if not path.is_file():
            raise ReadError("a file is needed, not a folder, pipe or device.")
        with path.open("rb") as stream:
            data = stream.read(limits.MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise ReadError(f"cannot be read: {error}.") from error
    if len(data) > limits.MAX_BYTES:
        raise BudgetError(
            f"a file must have at most {limits.MAX_BYTES} bytes, not more; to read it all the same, raise "
            "symbinv.network.readers.limits.MAX_BYTES."
        )
    if not data:
        raise ReadError("the file is empty.")
    return data
