"""Ball arithmetic (Arb through python-flint): rigorous enclosures at any precision.

A ball is an `arb`: a midpoint and a radius that surely contain the real number meant. Precision is a
global of FLINT's, so it is set only through `precision`, which restores it.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction

from flint import arb, arb_mat, arb_series, arf, ctx, fmpq

from symbinv.exact.matrix import ExactMatrix

PRECISION_LIMIT = 1 << 14


@contextmanager
def precision(bits: int) -> Iterator[None]:
    """Compute balls with a working precision of `bits` inside the block."""
    before = ctx.prec
    ctx.prec = bits
    try:
        yield
    finally:
        ctx.prec = before


def ball(value: Fraction | int | float, radius: float = 0.0) -> arb:
    """Return a ball around a number (rounded outward at the current precision) of the given radius."""
    if isinstance(value, Fraction):
        center = arb(fmpq(value.numerator, value.denominator))
    else:
        center = arb(value)
    return arb(center.mid(), center.rad() + arb(radius)) if radius else center


def working_bits() -> int:
    """Return the precision at which balls are computed now."""
    return int(ctx.prec)


def pi() -> arb:
    """Return a ball around pi."""
    return arb.pi()


def taylor(function: Callable[[arb_series], arb_series], center: arb, length: int) -> list[arb]:
    """Return balls around the first `length` Taylor coefficients of a function at a point."""
    before, ctx.cap = ctx.cap, length
    try:
        return list(function(arb_series([center, 1])).coeffs())
    finally:
        ctx.cap = before


def ball_matrix(matrix: ExactMatrix) -> arb_mat:
    """Return balls around the entries of a rational matrix."""
    return arb_mat(matrix.flint)


def ball_column(values: Sequence[arb]) -> arb_mat:
    """Return balls as a matrix of one column."""
    return arb_mat(len(values), 1, list(values))


def hull(low: arb, high: arb) -> arb:
    """Return one ball that contains both."""
    return low.union(high)


def sign(value: arb) -> int | None:
    """Return the sign of the number inside a ball, or None where the ball does not tell."""
    if value > 0:
        return 1
    if value < 0:
        return -1
    return 0 if value.is_zero() else None


def decide_sign(enclose: Callable[[], arb], limit: int = PRECISION_LIMIT) -> int | None:
    """Return the sign of the number that `enclose` encloses, doubling the precision up to `limit` bits.

    Zero is found only where the enclosure is exactly zero, so a caller that can decide zero by other
    means should do that first.
    """
    bits = 64
    while bits <= limit:
        with precision(bits):
            found = sign(enclose())
        if found is not None:
            return found
        bits *= 2
    return None


def lower_bound(value: arb) -> Fraction:
    """Return a rational number that is surely at most the number inside the ball."""
    return _arf_to_fraction(value.lower().mid()) - _arf_to_fraction(value.lower().rad())


def upper_bound(value: arb) -> Fraction:
    """Return a rational number that is surely at least the number inside the ball."""
    return _arf_to_fraction(value.upper().mid()) + _arf_to_fraction(value.upper().rad())


def to_float(value: arb) -> float:
    """Return the midpoint of a ball as a double."""
    return float(value.mid())


def _arf_to_fraction(value: arb | arf) -> Fraction:
    mantissa, exponent = arb(value).man_exp()
    mantissa, exponent = int(mantissa), int(exponent)
    return Fraction(mantissa << exponent) if exponent >= 0 else Fraction(mantissa, 1 << -exponent)
