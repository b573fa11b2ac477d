from fractions import Fraction

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from symbinv.errors import InexactError, ShapeError
from symbinv.exact.matrix import ExactMatrix
from symbinv.exact.modular import PRIMES

values = st.sampled_from([Fraction(0), Fraction(1), Fraction(-1), Fraction(1, 2), Fraction(-7, 3)])
doubles = st.sampled_from([0.0, 1.0, -1.0, 0.5, 0.1])


@st.composite
def pairs(draw, rows=None, columns=None):
    """A sparse matrix and the same as a table of Fractions."""
    m, n = rows or draw(st.integers(1, 4)), columns or draw(st.integers(1, 4))
    use_doubles = draw(st.booleans())
    table = [[Fraction(0)] * n for _ in range(m)]
    i, j, v = [], [], []
    for _ in range(draw(st.integers(0, 6))):
        p, q = draw(st.integers(0, m - 1)), draw(st.integers(0, n - 1))
        value = draw(doubles if use_doubles else values)
        table[p][q] += Fraction(value)
        i, j, v = [*i, p], [*j, q], [*v, value]
    return ExactMatrix.from_entries((m, n), i, j, np.array(v, dtype=float) if use_doubles else v), table


def product(a, b):
    return [[sum((x * b[k][j] for k, x in enumerate(row)), Fraction(0)) for j in range(len(b[0]))] for row in a]


@settings(deadline=None)  # the first product imports SciPy
@given(pairs())
def test_a_sparse_matrix_reads_as_the_dense_one(pair):
    sparse, table = pair
    dense = ExactMatrix(table)
    assert sparse.is_sparse
    assert sparse.nonzeros == sum(e != 0 for row in table for e in row)
    assert sparse.fractions() == table
    assert sparse == dense
    assert dense == sparse
    assert sparse.to_sympy() == dense.to_sympy()
    assert (sparse.to_numpy() == dense.to_numpy()).all()
    rows = np.arange(2.0 * sparse.columns).reshape(2, -1)
    assert np.allclose(sparse.times_floats(rows), rows @ dense.to_numpy().T)
    assert np.allclose(sparse.times_floats(rows, absolute=True), dense.times_floats(rows, absolute=True))
    assert sparse.is_zero() == dense.is_zero()
    assert sparse.rank() == dense.rank()
    assert sparse.T.fractions() == [list(column) for column in zip(*table, strict=True)]
    assert (-sparse).fractions() == [[-e for e in row] for row in table]
    assert sparse.scaled(Fraction(2, 3)) == dense.scaled(Fraction(2, 3))
    assert sparse.scaled(Fraction(0)).is_zero()


@settings(max_examples=150)
@given(st.data())
def test_products_and_sums_agree_with_fractions_in_every_mix_of_forms(data):
    m, k, n = (data.draw(st.integers(1, 4)) for _ in range(3))
    a, ta = data.draw(pairs(m, k))
    b, tb = data.draw(pairs(k, n))
    expected = product(ta, tb)
    assert (a @ b).is_sparse
    for left in (
        a,
        ExactMatrix(ta),
        ExactMatrix(np.array(ta, dtype=float)) if a == ExactMatrix(np.array(ta, float)) else a,
    ):
        for right in (b, ExactMatrix(tb)):
            assert (left @ right).fractions() == expected
    c, tc = data.draw(pairs(m, k))
    for left in (a, ExactMatrix(ta)):
        for right in (c, ExactMatrix(tc)):
            assert (left + right).fractions() == [
                [x + y for x, y in zip(p, q, strict=True)] for p, q in zip(ta, tc, strict=True)
            ]
            assert (left - right).fractions() == [
                [x - y for x, y in zip(p, q, strict=True)] for p, q in zip(ta, tc, strict=True)
            ]


@given(st.data())
def test_selecting_rows_and_columns_is_indexing(data):
    sparse, table = data.draw(pairs())
    rows = data.draw(st.lists(st.integers(0, sparse.rows - 1), min_size=1, max_size=5))
    columns = data.draw(st.lists(st.integers(0, sparse.columns - 1), min_size=1, max_size=5))
    assert sparse.select(rows, columns).fractions() == [[table[p][q] for q in columns] for p in rows]


def test_moving_columns_of_doubles_keeps_the_double_form():
    dense = ExactMatrix(np.array([[0.1, 0.2], [0.3, 0.4]]))
    swap = ExactMatrix.from_entries((2, 3), [0, 1], [2, 0], np.array([1.0, -1.0]))
    moved = dense @ swap
    assert moved._doubles is not None
    assert moved.to_numpy().tolist() == [[-0.2, 0, 0.1], [-0.4, 0, 0.3]]
    tripled = dense @ ExactMatrix.from_entries((2, 1), [0, 1], [0, 0], np.array([1.0, 1.0]))
    assert tripled.fraction(0, 0) == Fraction(0.1) + Fraction(0.2)


def test_bad_entries_are_refused():
    with pytest.raises(ShapeError, match="inside the 2x2 matrix"):
        ExactMatrix.from_entries((2, 2), [0], [2], np.ones(1))
    with pytest.raises(ShapeError, match="as many"):
        ExactMatrix.from_entries((2, 2), [0], [1], np.ones(2))
    with pytest.raises(InexactError, match="finite"):
        ExactMatrix.from_entries((2, 2), [0], [1], np.array([np.nan]))


@given(st.lists(st.lists(st.integers(-2, 2), min_size=4, max_size=4), min_size=1, max_size=5))
def test_the_rank_is_the_same_in_every_form(rows):
    expected = sympy.Matrix(rows).rank()
    table = np.array(rows, dtype=float)
    i, j = np.nonzero(table)
    forms = [
        ExactMatrix(rows),
        ExactMatrix(table / 4),
        ExactMatrix.from_entries(table.shape, i, j, table[i, j]),
        ExactMatrix.from_entries(table.shape, i, j, [Fraction(int(v), 3) for v in table[i, j]]),
    ]
    assert [form.rank() for form in forms] == [expected] * 4


def test_a_rank_modulo_a_prime_is_only_a_lower_bound():
    p = PRIMES[0]
    assert ExactMatrix([[p, 0, 1], [0, p, 1]]).rank() == 2
    assert ExactMatrix([[p, 2 * p], [3 * p, 6 * p]]).rank() == 1
    assert ExactMatrix([[Fraction(1, p), 1], [1, p]]).rank() == 1
    assert ExactMatrix.from_entries((2, 2), [0, 1], [0, 1], [Fraction(p), Fraction(1, p)]).rank() == 2
