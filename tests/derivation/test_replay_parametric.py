"""Closed forms, trees of cases, curved branches and chosen pivots are proved, and what is false of them is not."""

import dataclasses
from fractions import Fraction

import pytest
import sympy
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import symbinv as si
from symbinv.derivation.parametric import derive_cases
from symbinv.derivation.replay.equality import Judge
from symbinv.derivation.replay.where import Where, cover
from symbinv.errors import SymbinvError

from ..algebra.strategies import symbolic_matrices
from ..strategies import matrices
from .varied import varied, with_closed_form

a, b, c, d = sympy.symbols("a b c d")
p = sympy.Symbol("p", positive=True)
CURVED = ["silu", "gelu", "square"]


def check(derivation):
    """The derivation holds, and so does what its JSON says."""
    found = derivation.replay()
    assert found.holds, found.failure
    again = si.Derivation.from_json(derivation.to_json())
    assert again == derivation
    assert again.to_json() == derivation.to_json()
    return found


# -- cases ------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=25)
@given(symbolic_matrices(max_rows=2, max_columns=3))
def test_trees_of_cases_are_proved(rows):
    assert str(check(derive_cases(si.reduce_cases(rows))).claim) == "exact"


@pytest.mark.parametrize(
    "rows",
    [
        [[1 + a**2, b]],
        [[a**2 + b**2, 1]],
        [[a, b, c], [c, a, b], [b, c, a]],
        [[p + 1, a], [a, -p]],
        [[1 / a, b], [c, a / (1 + b)]],
        [[a**3 - b**2 - 1, c], [b, a**3 - b**2 - 1]],
        [[b, a, 0], [a + c, 1, b + 1]],
        [[a * b + c * d, 1], [a, b]],
        [[0, 0], [0, 0]],
        [[1, 2], [2, 4]],
    ],
    ids=str,
)
def test_trees_with_impossible_branches_squares_and_open_equations_are_proved(rows):
    check(derive_cases(si.reduce_cases(rows)))


TREE = varied()["kept_all_cases_2_3"]


def renumbered(given, cases):
    count = len(cases)
    numbered = [dataclasses.replace(case, number=k) for k, case in enumerate(cases, start=1)]
    return si.Derivation("t", (dataclasses.replace(given, count=count), *numbered))


@pytest.mark.parametrize("left_out", range(13))
def test_a_case_that_is_missing_is_found(left_out):
    given, *cases = TREE.steps
    del cases[left_out]
    failure = renumbered(given, cases).replay().failure
    assert failure.number == 13  # every case for itself is right
    assert "leave out" in failure.failure


def test_the_cases_may_come_in_any_order_and_none_twice():
    given, *cases = TREE.steps
    assert renumbered(given, cases[::-1]).replay().holds
    assert "told apart" in renumbered(given, [*cases, cases[3]]).replay().failure.failure


@pytest.mark.parametrize(
    ("number", "fields", "words"),
    [
        (1, {"nonzero": (sympy.Symbol("w_{11}"),)}, "denominator of x_1 may vanish"),
        (3, {"conditions": ()}, "1 conditions"),
        (3, {"conditions": (sympy.Symbol("r_1"),)}, "must not depend on x_1"),
        (4, {"equations": ()}, "entry (1, 1) must be w_{11}"),
        (6, {"free": (sympy.Symbol("x_2"),)}, "free variables"),
        (13, {"nonzero": (sympy.Symbol("w_{11}"),)}, "stated twice"),
        (13, {"nonzero": (sympy.Symbol("w_{11}") ** 2,)}, "no numbers"),
        (13, {"conditions": (sympy.Symbol("r_1"),) * 2}, "independent"),
    ],
)
def test_what_is_wrong_in_a_case_is_named(number, fields, words):
    steps = list(TREE.steps)
    steps[number] = dataclasses.replace(steps[number], **fields)
    failure = si.Derivation("t", tuple(steps)).replay().failure
    assert failure.number == number + 1
    assert words in failure.failure


values = st.one_of(st.just(0), st.sampled_from([1, -1, 2]), st.fractions(-3, 3, max_denominator=3))
polynomials = st.sampled_from([a, b, a + b, a * b - c, a**2 + b**2, a * c - 1, a - b, a**2 - b, c])
relations = st.lists(polynomials, max_size=2)


@settings(deadline=None, max_examples=150)
@given(
    st.lists(polynomials, max_size=2), st.lists(polynomials, max_size=2), polynomials, st.tuples(values, values, values)
)
def test_what_is_said_of_parameters_holds_for_numbers(equations, nonzero, asked, numbers):
    at = {s: sympy.Rational(str(v)) for s, v in zip((a, b, c), numbers, strict=True)}
    assume(all(e.xreplace(at) == 0 for e in equations) and all(e.xreplace(at) != 0 for e in nonzero))
    here = Where(Judge(), (a, b, c), equations, nonzero)
    assert not here.is_impossible
    value = asked.xreplace(at)
    assert value == 0 or not here.vanishes(asked)
    assert value != 0 or not here.is_nonzero(asked)


def test_an_impossible_branch_needs_no_case():
    assert cover(Judge(), (p,), [((), ())], []) == ""
    assert cover(Judge(), (a, p), [((), (a + p,)), ((a + p,), (a,))], []) == ""
    assert "leave out" in cover(Judge(), (a, b), [((), (a + b,)), ((a + b,), (a,))], [])


# -- closed forms -------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=25)
@given(symbolic_matrices(max_rows=3, max_columns=3))
def test_closed_forms_are_proved(rows):
    network = si.Network.from_arrays([rows], [[0] * len(rows)], ["identity"])
    check(with_closed_form(si.invert(network)))


def test_the_closed_form_of_a_layer_stands_after_it_and_once():
    derivation = varied()["kept_closed_form_3_5"]
    *steps, closed, last = derivation.steps
    twice = si.Derivation("t", (*steps, closed, closed, last)).replay()
    assert "no closed form yet" in twice.failure.failure
    early = si.Derivation("t", (*steps[:-1], closed, steps[-1], last)).replay()
    assert early.failure.number == len(steps)
    assert "must come" in early.failure.failure
    false = dataclasses.replace(closed, determinant=-closed.determinant)
    assert "pivot block" in si.Derivation("t", (*steps, false, last)).replay().failure.failure


# -- curved branches, chosen pivots ---------------------------------------------------------------------------


@given(st.data())
@settings(max_examples=25, deadline=None)
def test_networks_on_curved_branches_are_proved(data):
    sizes = data.draw(st.lists(st.integers(1, 2), min_size=2, max_size=3))
    weights = [data.draw(matrices(m, n)) for n, m in zip(sizes, sizes[1:], strict=False)]
    biases = [[e for (e,) in data.draw(matrices(m, 1))] for m in sizes[1:]]
    names = [data.draw(st.sampled_from([*CURVED, "sigmoid", "identity", "relu"])) for _ in sizes[2:]]
    network = si.Network.from_arrays(weights, biases, [*names, data.draw(st.sampled_from(CURVED))])
    x = [data.draw(st.integers(-20, 20)) / 8 for _ in range(sizes[0])]
    given_target = data.draw(st.none() | st.lists(values, min_size=sizes[-1], max_size=sizes[-1]))
    target = network.forward([x])[0].tolist() if given_target is None else given_target
    try:
        inverse = si.invert(network, target, at=x)
    except SymbinvError:
        assume(False)
    check(si.derive(inverse))


@given(st.data())
@settings(max_examples=25, deadline=None)
def test_every_choice_of_pivots_is_proved(data):
    entries = st.sampled_from([a, b, c, d]) if data.draw(st.booleans()) else st.fractions(-2, 2, max_denominator=3)
    rows = data.draw(matrices(2, 3, entries | st.just(Fraction(0))))
    network = si.Network.from_arrays([rows], [[0, 1]], ["tanh"])
    free = data.draw(st.none() | st.sets(st.integers(0, 2), max_size=2))
    order = data.draw(st.none() | st.permutations([0, 1, 2]).map(lambda o: [j for j in o if j not in (free or ())]))
    strategy = data.draw(st.sampled_from(["paper", "fewest_provisos", "best_conditioned"]))
    target = data.draw(st.none() | st.just(["1/2", "-1/3"]))
    try:
        inverse = si.invert(network, target, free=free, order=order, strategy=strategy)
    except SymbinvError:  # columns that cannot be free together, conditioning of symbols
        assume(False)
    check(si.derive(inverse))
    if not network.is_rational:
        found = {s: data.draw(values) for s in network.layers[0].weights.free_symbols()}
        check(si.derive(si.substitute(inverse, found)))
