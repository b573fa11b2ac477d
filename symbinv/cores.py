"""How many cores there are for this process."""

import os


def available_cores() -> int:
    """Return how many cores this process may use.

    Example:
        >>> available_cores() >= 1
        True
    """
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
