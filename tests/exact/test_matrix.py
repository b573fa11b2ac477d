import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from symbinv import ExactMatrix, InexactError, ShapeError

entries = st.fractions(-9, 9, max_denominator=7)


@st.composite
def matrices(draw, rows=st.integers(1, 4), columns=st.integers(1, 4)):
    m, n = draw(rows), draw(columns)
    return [[draw(entries) for _ in range(n)] for _ in range(m)]


@given(matrices())
def test_rref_and_rank_are_sympys(rows):
    ours, pivots = ExactMatrix(rows).rref()
    theirs, their_pivots = sympy.Matrix(rows).rref()
    assert (ours.to_sympy(), pivots) == (sympy.ImmutableMatrix(theirs), their_pivots)
    assert ExactMatrix(rows).rank() == len(pivots)


@given(matrices())
def test_the_left_null_space_annihilates_and_is_complete(rows):
    matrix = ExactMatrix(rows)
    null = matrix.left_null_space()
    assert null.rows == matrix.rows - matrix.rank()
    if null.rows:
        assert (null @ matrix).is_zero()
        assert null.rank() == null.rows


@given(st.lists(st.lists(st.floats(-1e300, 1e300), min_size=2, max_size=2), min_size=1, max_size=3))
def test_doubles_survive_unchanged(rows):
    array = np.array(rows)
    held = ExactMatrix(array)
    again = ExactMatrix([[sympy.Rational(*v.as_integer_ratio()) for v in row] for row in rows])
    assert held == again
    assert (again.to_numpy() == array).all()


def test_rounding_to_doubles_is_to_the_nearest():
    third = ExactMatrix([["1/3", "1e-400", "-2e400"]]).to_numpy()[0]
    assert third.tolist() == [1 / 3, 0.0, float("-inf")]


def test_ragged_rows_and_other_errors_name_what_is_wrong():
    with pytest.raises(ShapeError, match=r"same length, not \[1, 2\]"):
        ExactMatrix([[1], [1, 2]])
    with pytest.raises(ShapeError, match="factors must fit, not 1x2 and 1x2"):
        ExactMatrix([[1, 2]]) @ ExactMatrix([[1, 2]])
    with pytest.raises(InexactError, match="finite"):
        ExactMatrix(np.array([[np.nan]]))
    with pytest.raises(InexactError, match="rational coefficients"):
        ExactMatrix([[sympy.Symbol("a") * 0.5]])


def test_symbols_and_numbers_mix():
    a = sympy.Symbol("a")
    matrix = ExactMatrix([[a, "1/2"]])
    assert not matrix.is_rational
    assert (matrix @ ExactMatrix.column([2, 4]))[0, 0] == 2 * a + 2
    assert matrix.free_symbols() == {a}
