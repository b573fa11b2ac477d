"""Numbers for symbols: provisos checked, the derivation done again where they fail, and the notes that say so."""

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

import symbinv as si
from symbinv.inverse.substitute import substitute

entry = st.sampled_from([0, 0, 1, -1, 2, 3])


@settings(deadline=None, max_examples=60)
@given(st.lists(entry, min_size=6, max_size=6))
def test_any_numbers_give_inputs_with_the_output_and_keep_the_free_variable_where_it_can_be_kept(entries):
    generic = si.invert(si.Network.generic([3, 2], ["identity"]))
    names = [f"w_{{{i}{j}}}" for i in (1, 2) for j in (1, 2, 3)]
    W = sympy.Matrix(2, 3, entries)
    x = sympy.Matrix([2, -1, 3])
    values = dict(zip(names, entries, strict=True)) | {"b_1": 1, "b_2": -2}
    y = W * x + sympy.Matrix([1, -2])
    found = substitute(generic, values | {"y_1": y[0], "y_2": y[1]})
    at = dict(zip(sympy.symbols("x_1:4"), x, strict=True))
    assert [e.xreplace(at) for e in found.expand()] == list(x)
    determinant, first = W[:, :2].det(), entries[0]
    assert (found.free_variables == generic.free_variables) == (determinant != 0)
    assert bool(found.notes) == (first == 0 or determinant == 0)
    if first == 0 and determinant != 0:
        assert found.notes == ("Layer 1: w_{11} vanishes; the rows were taken in another order.",)


def test_some_symbols_may_stay():
    w, v = sympy.symbols("w v")
    inverse = si.invert(si.Network.from_arrays([[[w, 1], [1, v]]], [[0, 0]], ["tanh"]))
    found = substitute(inverse, {w: 2})
    assert found.network.layers[0].weights.free_symbols() == {v} and found.notes == ()
    assert sympy.cancel(found.step(1).reduction.values()[found.assumptions[0]] - (v - sympy.Rational(1, 2))) == 0


def test_slopes_are_put_in_and_the_result_compiles():
    inverse = si.invert(si.Network.from_arrays([[[2, 1]]], [[0]], ["elu(alpha)"]))
    found = substitute(inverse, {"alpha": "1/2", "y_1": "-1/4"})
    assert found.network.layers[0].activation.label == "elu(alpha=1/2)"
    assert abs(found.network.forward(si.compile_sampler(found).backward([[0.3]])) + 0.25).max() < 1e-14


def test_a_later_pivot_is_the_one_that_is_named():
    inverse = si.invert(si.Network.generic([3, 3], ["tanh"]))
    W = [[1, 2, 3], [2, 4, 7], [1, 1, 1]]
    values = {f"w_{{{i + 1}{j + 1}}}": W[i][j] for i in range(3) for j in range(3)}
    notes = substitute(inverse, values).notes
    assert notes == ("Layer 1: w^{(1)}_{22} vanishes; the rows were taken in another order.",)


def test_symbols_that_do_not_occur_are_refused():
    with pytest.raises(si.OptionError, match="not q"):
        substitute(si.invert(si.Network.generic([2, 1], ["tanh"])), {"q": 1})
