"""Matrices for the laws of elimination: rational, symbolic and mixed, deficient in every way that occurs."""

from fractions import Fraction

import sympy
from hypothesis import strategies as st

from symbinv.exact.matrix import ExactMatrix

NAMES = sympy.symbols("a b c d e f")
small = st.fractions(min_value=-5, max_value=5, max_denominator=6)
huge = st.one_of(small, st.integers(-(10**40), 10**40).map(Fraction), st.just(Fraction(2**61 - 1)))


@st.composite
def rational_matrices(draw, max_rows=5, max_columns=6, entries=huge):
    """Products of thin factors give every rank; some rows and columns are zeroed."""
    m, n = draw(st.integers(1, max_rows)), draw(st.integers(1, max_columns))
    rank = draw(st.integers(0, min(m, n)))
    left = [[draw(entries) for _ in range(rank)] for _ in range(m)]
    right = [[draw(small) for _ in range(n)] for _ in range(rank)]
    rows = [[sum((left[i][k] * right[k][j] for k in range(rank)), Fraction(0)) for j in range(n)] for i in range(m)]
    for j in draw(st.sets(st.integers(0, n - 1), max_size=1)):
        for row in rows:
            row[j] = Fraction(0)
    for i in draw(st.sets(st.integers(0, m - 1), max_size=1)):
        rows[i] = [Fraction(0)] * n
    return rows


@st.composite
def symbolic_entries(draw):
    """Numbers, repeated symbols, sums and ratios of them, and expressions that are zero in disguise."""
    s, t = draw(st.sampled_from(NAMES)), draw(st.sampled_from(NAMES))
    q = draw(st.integers(-3, 3))
    return draw(
        st.sampled_from(
            [
                sympy.Integer(0),
                sympy.Integer(q),
                s,
                s,
                -s,
                q * s,
                s + t,
                s * t,
                s / t,
                1 + s,
                sympy.Rational(q, 2) + s,
                (s + t) ** 2 - s**2 - 2 * s * t - t**2,
            ]
        )
    )


@st.composite
def symbolic_matrices(draw, max_rows=3, max_columns=4):
    m, n = draw(st.integers(1, max_rows)), draw(st.integers(1, max_columns))
    rows = [[draw(symbolic_entries()) for _ in range(n)] for _ in range(m)]
    if m > 1 and draw(st.booleans()):  # a row that depends on the others
        factors = [draw(st.sampled_from([sympy.Integer(1), sympy.Integer(-2), NAMES[0]])) for _ in range(m - 1)]
        rows[-1] = [sum((f * rows[i][j] for i, f in enumerate(factors)), sympy.Integer(0)) for j in range(n)]
    if draw(st.booleans()):
        k = draw(st.integers(0, n - 1))
        for row in rows:
            row[k] = sympy.Integer(0)
    if draw(st.integers(0, 3)) == 0:
        rows[draw(st.integers(0, m - 1))] = [sympy.Integer(0)] * n
    return rows


@st.composite
def shared_matrices(draw, max_rows=4, max_columns=4):
    """Shared weights: few symbols placed along diagonals, in circles or symmetrically, some numbers among them."""
    m, n = draw(st.integers(1, max_rows)), draw(st.integers(1, max_columns))
    place = draw(st.sampled_from([lambda i, j: i - j, lambda i, j: (j - i) % n, lambda i, j: i * j, lambda i, j: j]))
    entries = {
        k: draw(st.one_of(st.sampled_from(NAMES[:3]), st.integers(-1, 2).map(sympy.Integer)))
        for k in sorted({place(i, j) for i in range(m) for j in range(n)})
    }
    return [[entries[place(i, j)] for j in range(n)] for i in range(m)]


any_symbolic = st.one_of(symbolic_matrices(), shared_matrices(max_rows=3))


@st.composite
def choices(draw, columns):
    """Options of reduce_rows: a strategy, or an order of columns."""
    kind = draw(st.sampled_from(["paper", "fewest_provisos", "order"]))
    return {"order": draw(st.permutations(range(columns)))} if kind == "order" else {"strategy": kind}


def generic(m, n, letter="w"):
    return [[sympy.Symbol(f"{letter}_{{{i + 1},{j + 1}}}") for j in range(n)] for i in range(m)]


def fraction_rref(rows):
    """Textbook Gauss-Jordan in Fractions: the oracle, pivots and all."""
    rows = [[Fraction(e) for e in row] for row in rows]
    pivots = []
    for column in range(len(rows[0]) if rows else 0):
        step = len(pivots)
        found = next((i for i in range(step, len(rows)) if rows[i][column]), None)
        if found is None:
            continue
        rows[step], rows[found] = rows[found], rows[step]
        rows[step] = [e / rows[step][column] for e in rows[step]]
        for i in range(len(rows)):
            if i != step:
                factor = rows[i][column]
                rows[i] = [e - factor * s for e, s in zip(rows[i], rows[step], strict=True)]
        pivots.append(column)
    return rows, tuple(pivots)


def to_exact(rows):
    return ExactMatrix(rows)
