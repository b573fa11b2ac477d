"""Intervals with rational or infinite ends, each end open or closed."""

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Interval:
    """The numbers between two ends; None stands for an infinite end, which is open.

    Example:
        >>> Interval.open(0, 1).contains(Fraction(1)), Interval.closed(0, 1).contains(Fraction(1))
        (False, True)
    """

    lower: Fraction | None
    upper: Fraction | None
    open_lower: bool = True
    open_upper: bool = True

    @classmethod
    def open(cls, lower: int | Fraction | None, upper: int | Fraction | None) -> "Interval":
        """Return the interval without its ends."""
        return cls(_end(lower), _end(upper), True, True)

    @classmethod
    def closed(cls, lower: int | Fraction | None, upper: int | Fraction | None) -> "Interval":
        """Return the interval with its finite ends."""
        return cls(_end(lower), _end(upper), lower is None, upper is None)

    @property
    def is_bounded(self) -> bool:
        """Whether both ends are finite."""
        return self.lower is not None and self.upper is not None

    def contains(self, value: Fraction) -> bool:
        """Tell whether a rational number lies in the interval."""
        above = self.lower is None or (value > self.lower if self.open_lower else value >= self.lower)
        below = self.upper is None or (value < self.upper if self.open_upper else value <= self.upper)
        return above and below

    def meet(self, other: "Interval") -> "Interval":
        """Return what two intervals that meet have in common.

        Example:
            >>> str(Interval.open(0, 3).meet(Interval.closed(0, 2)))
            '(0, 2]'
        """
        lows = [(i.lower, i.open_lower) for i in (self, other) if i.lower is not None]
        highs = [(i.upper, not i.open_upper) for i in (self, other) if i.upper is not None]
        lower, is_open = max(lows, default=(None, True))
        upper, is_closed = min(highs, default=(None, False))
        return Interval(lower, upper, is_open, not is_closed)

    def __str__(self) -> str:
        left = "(" if self.open_lower else "["
        right = ")" if self.open_upper else "]"
        lower = "-oo" if self.lower is None else _short(self.lower)
        upper = "oo" if self.upper is None else _short(self.upper)
        return f"{left}{lower}, {upper}{right}"


def _short(value: Fraction) -> str:
    text = str(value)
    return text if len(text) <= 20 else f"≈{float(value):.6g}"


def _end(value: int | Fraction | None) -> Fraction | None:
    return None if value is None else Fraction(value)


REAL_LINE = Interval(None, None)
