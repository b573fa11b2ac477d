"""Limits on what a file may declare, checked before anything of that size is allocated.

A file of one kilobyte can declare a tensor of 10^12 entries. Every reader passes each size that it takes
from a file through here first, so that such a file costs nothing.
"""

from collections.abc import Iterable

from symbinv.errors import BudgetError, ReadError

MAX_BYTES = 1 << 28
"""The largest file that is read."""

MAX_ENTRIES = 1 << 24
"""The largest number of entries of one stored tensor."""

MAX_WIDTH = 1 << 16
"""The largest number of inputs, or of units of one layer."""

MAX_NONZEROS = 1 << 20
"""The largest number of non-zero entries of one sparse map (a convolution or a pool)."""


def check_width(width: int, what: str) -> int:
    """Return a number of inputs or units, or raise BudgetError where it is over MAX_WIDTH."""
    return _check(width, MAX_WIDTH, what, "symbinv.network.readers.limits.MAX_WIDTH")


def check_nonzeros(count: int, what: str) -> int:
    """Return a number of non-zero entries, or raise BudgetError where it is over MAX_NONZEROS."""
    return _check(count, MAX_NONZEROS, what, "symbinv.network.readers.limits.MAX_NONZEROS")


def entries(shape: Iterable[int], what: str) -> int:
    """Return the number of entries of a declared shape.

    Raises:
        ReadError: Where a size is negative.
        BudgetError: Where the product is over MAX_ENTRIES.

    Example:
        >>> entries([3, 4], "W1")
        12
    """
    count, empty = 1, False
    for size in shape:
        if size < 0:
            raise ReadError(f"{what}: sizes must not be negative, not {size}.")
        empty = empty or size == 0
        count = min(count * max(size, 1), MAX_ENTRIES + 1)
    return 0 if empty else _check(count, MAX_ENTRIES, what, "symbinv.network.readers.limits.MAX_ENTRIES")


def _check(count: int, limit: int, what: str, name: str) -> int:
    if count > limit:
        raise BudgetError(f"{what} must have at most {limit} entries, not more; to read it all the same, raise {name}.")
    return count
