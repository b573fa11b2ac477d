"""Verdicts: what is known of a preimage, each with its evidence. Values, never exceptions.

A claim says what the evidence rests on: ``exact`` on rational arithmetic (and decidable logarithms),
``certified`` on ball arithmetic, ``numeric`` on floating point alone.
"""

from dataclasses import dataclass
from typing import Any, Literal

Claim = Literal["exact", "certified", "numeric"]


@dataclass(frozen=True)
class Empty:
    """No input produces the target.

    Attributes:
        reason: One sentence.
        claim: What it rests on.
        certificate: Evidence that can be checked (a Farkas or Motzkin vector, an interval, a tree of splits), or
            None where the reason is evident by itself (a sigmoid is never 1).
        layer: The layer at which the target fails, from 1.
        nearest: The distance from the target to the nearest attainable one, largest entry,
            where rounding alone may have put the target off; approximate.
    """

    reason: str
    claim: Claim
    certificate: Any = None
    layer: int | None = None
    nearest: float | None = None


@dataclass(frozen=True)
class NonEmpty:
    """Some input produces the target.

    Attributes:
        witness: Such an input: SymPy numbers where `claim` is exact, doubles else. A certified witness
            lies within `radius` of an exact one, entry by entry.
        claim: What it rests on.
        residual: The largest difference between the forward pass of the witness in doubles and the target.
        radius: Half the width of the box that surely contains an exact solution.
    """

    witness: tuple[Any, ...]
    claim: Claim
    residual: float
    radius: float = 0.0
    reason: str = ""


@dataclass(frozen=True)
class Unknown:
    """Neither was shown; `reason` says why."""

    reason: str


Verdict = Empty | NonEmpty | Unknown
