"""Every derivation is proved by its replay, and none that was tampered with."""

import dataclasses
import json
from fractions import Fraction

import pytest
import sympy
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import symbinv as si
from symbinv.derivation import steps
from symbinv.derivation.replay.equality import EXACT, KINDS, Claim, Judge, weakest
from symbinv.derivation.replay.walk import replay
from symbinv.errors import ReadError, SymbinvError

from ..strategies import matrices
from .tampering import sample, true_all_the_same
from .varied import varied

NAMES = sorted(varied())
ONE_TO_ONE = [
    "identity",
    "sigmoid",
    "tanh",
    "softplus",
    "softsign",
    "arctan",
    "exp",
    "elu",
    "celu",
    "selu",
    "leaky_relu(1/10)",
    "prelu",
]
PIECEWISE = ["relu", "relu6", "hard_tanh", "hard_sigmoid", "abs", "leaky_relu"]


# -- what is right holds ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_every_step_holds_and_says_what_it_rests_on(name):
    derivation = varied()[name]
    found = derivation.replay()
    assert found.holds, found.failure
    assert [s.kind for s in found.steps] == [type(s).__name__ for s in derivation.steps]
    assert all(s.claim.kind in KINDS for s in found.steps)
    last = derivation.steps[-1]
    if isinstance(last, steps.VerdictGiven) and not isinstance(last.verdict, si.Unknown):
        assert found.steps[-1].claim.kind == last.verdict.claim
    if not any(s.claim.kind != "exact" for s in found.steps[:-1]):
        assert found.claim.kind == found.steps[-1].claim.kind


@pytest.mark.parametrize("name", NAMES)
def test_json_gives_the_same_steps_again(name):
    derivation = varied()[name]
    text = derivation.to_json()
    again = si.Derivation.from_json(text)
    assert again == derivation
    assert again.to_json() == text
    assert si.to_latex(again) == si.to_latex(derivation)


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_random_networks_of_all_activations_are_replayed(data):
    sizes = data.draw(st.lists(st.integers(1, 3), min_size=2, max_size=4))
    weights = [data.draw(matrices(m, n)) for n, m in zip(sizes, sizes[1:], strict=False)]
    biases = [[e for (e,) in data.draw(matrices(m, 1))] for m in sizes[1:]]
    hidden = data.draw(st.lists(st.sampled_from(ONE_TO_ONE), min_size=len(sizes) - 2, max_size=len(sizes) - 2))
    network = si.Network.from_arrays(weights, biases, [*hidden, data.draw(st.sampled_from([*ONE_TO_ONE, "softmax"]))])
    entry = st.fractions(Fraction(-1), Fraction(1), max_denominator=6)
    target = data.draw(st.none() | st.lists(entry, min_size=sizes[-1], max_size=sizes[-1]))
    box = data.draw(st.none() | st.just([[-2, 2]] * sizes[0]))
    derivation = si.derive(si.invert(network, target, box=box))
    assert derivation.replay().holds, derivation.replay().failure
    assert si.Derivation.from_json(derivation.to_json()) == derivation


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_random_networks_inside_a_pattern_are_replayed(data):
    sizes = data.draw(st.lists(st.integers(1, 3), min_size=2, max_size=4))
    weights = [data.draw(matrices(m, n)) for n, m in zip(sizes, sizes[1:], strict=False)]
    biases = [[e for (e,) in data.draw(matrices(m, 1))] for m in sizes[1:]]
    kinds = data.draw(st.lists(st.sampled_from(PIECEWISE), min_size=len(sizes) - 1, max_size=len(sizes) - 1))
    network = si.Network.from_arrays(weights, biases, kinds)
    x = data.draw(st.lists(st.integers(-3, 3), min_size=sizes[0], max_size=sizes[0]))
    derivation = si.derive(si.invert(network, network.forward(x), at=x))
    found = derivation.replay()
    assert found.holds, found.failure
    assert isinstance(derivation.steps[-1].verdict, si.NonEmpty)


@pytest.mark.parametrize("name", ["wine_tanh_13-8-5-3", "iris2d_relu_2-16-16-3", "wine_identity_13-8-5-3"])
def test_real_networks_are_replayed(data, name):
    network = si.load(data / "trained" / f"{name}.npz")
    x = [Fraction(k, 10) for k in range(network.sizes[0])]
    at = {"at": x} if "relu" in name else {}
    target = network.forward([float(v) for v in x]).tolist()
    derivation = si.derive(si.invert(network, target, **at))
    found = derivation.replay()
    assert found.holds, found.failure
    assert si.Derivation.from_json(derivation.to_json()) == derivation


def test_twenty_layers_and_symbolic_parameters_are_replayed():
    layers = 20
    weights, biases = [[[2, 1, 0], [1, 1, 1], [0, 1, 3]]] * layers, [[0, 1, -1]] * layers
    deep = si.derive(si.invert(si.Network.from_arrays(weights, biases, ["leaky_relu(1/2)"] * layers), [1, -2, 3]))
    assert str(deep.replay().claim) == "exact"
    slope = si.activation("leaky_relu", alpha=sympy.Symbol("alpha"))
    assert si.derive(si.invert(si.Network.from_arrays([[[1, 2]]], [[0]], [slope]))).replay().holds


def test_a_witness_that_cannot_be_proved_is_numeric():
    flat = si.Network.from_arrays([[[1], [-1]], [[1, 1]]], [[0, 0], [0]], ["tanh", "identity"])
    last = si.derive(si.invert(flat, [0])).replay().steps[-1]
    assert last.claim.kind == "numeric"
    assert "residual" in str(last)


def test_a_witness_on_a_kink_is_numeric():
    nothing = [[[0]], [[0], [0]], [[0, 0]]]
    flat = si.Network.from_arrays(nothing, [[0], [0, 0], [0]], ["relu", "leaky_relu", "relu"])
    found = si.derive(si.invert(flat, [0], at=[0])).replay()
    assert found.holds, found.failure


def test_a_zero_too_large_to_expand_is_probabilistic():
    rows = [list(sympy.symbols(" ".join(f"w{i}_{j}" for j in range(8)))) for i in range(6)]
    rows.append([sympy.Add(*column) for column in zip(*rows, strict=True)])
    inverse = si.invert(si.Network.from_arrays([rows], [[0] * 7], ["identity"]))
    found = replay(si.derive(inverse))
    assert found.holds, found.failure
    assert inverse.step(1).reduction.zero_claim == "probabilistic"
    assert found.claim.kind == "probabilistic"
    assert found.claim.bits >= 80


# -- what is wrong is caught --------------------------------------------------------------------------------


def test_a_thousand_tampered_derivations_are_refused():
    originals = varied()
    caught = 0
    for name, one in sample({name: d.to_json() for name, d in originals.items()}, 1000, seed=6):
        try:
            changed = si.Derivation.from_json(one.text)
        except ReadError:
            caught += 1
            continue
        found = changed.replay()
        if found.holds:
            assert true_all_the_same(originals[name], changed), (name, one.kind, one.place)
        else:
            assert "malformed" not in found.failure.failure, (name, one.kind, one.place, found.failure)
            caught += 1
    assert caught >= 990


def changed(derivation, kind, **fields):
    """Return a derivation whose first step of a kind has other fields."""
    number = next(k for k, s in enumerate(derivation.steps) if isinstance(s, kind))
    step = dataclasses.replace(derivation.steps[number], **fields)
    return si.Derivation(derivation.title, (*derivation.steps[:number], step, *derivation.steps[number + 1 :])), number


PAPER = si.derive(si.invert(si.Network.generic([3, 2], ["sigmoid"])))
EMPTY = si.derive(si.invert(si.Network.from_arrays([[[1, 2], [3, 4], [5, 6]]], [[0, 0, 0]], ["identity"]), [1, 2, 4]))
X3 = sympy.Symbol("x_3")


@pytest.mark.parametrize(
    ("derivation", "kind", "fields", "words"),
    [
        (PAPER, steps.LayerGiven, {"layer": 2}, "must be layer 1"),
        (PAPER, steps.ActivationUndone, {"activation": "tanh"}, "activation must be the network's"),
        (PAPER, steps.Augmented, {"unknowns": tuple(sympy.symbols("x_1 x_3 x_2"))}, "unknowns must be"),
        (PAPER, steps.RowsOperated, {"operations": (si.AddMultiple(1, 0, sympy.Integer(2)),)}, "names must be defined"),
        (PAPER, steps.PivotSolved, {"pivot": sympy.Integer(1)}, "pivot of x_2 must be"),
        (PAPER, steps.ConditionsStated, {"assumptions": ()}, "assumed not to vanish"),
        (PAPER, steps.VerdictGiven, {"dimension": 2}, "dimension must be 1"),
        (PAPER, steps.VerdictGiven, {"free": (X3, X3)}, "free variables"),
        (PAPER, steps.NetworkGiven, {"fingerprint": "0" * 64}, "fingerprint"),
        (EMPTY, steps.RowsReduced, {"pivots": (1, 0)}, "pivot column"),
        (EMPTY, steps.VerdictGiven, {"multipliers": steps.Multipliers((Fraction(1),) * 3, ())}, "must refute"),
    ],
    ids=lambda v: getattr(v, "__name__", ""),
)
def test_what_does_not_hold_is_named_with_its_step(derivation, kind, fields, words):
    false, number = changed(derivation, kind, **fields)
    found = false.replay()
    late = kind is steps.NetworkGiven  # the weights are all known at the end only
    assert words in found.failure.failure
    assert found.failure.number == (len(derivation.steps) if late else number + 1)
    assert found.claim is None
    assert len(found.steps) == found.failure.number


def test_no_symbol_may_mean_two_things():
    weights = [[sympy.Symbol("x_2"), sympy.Symbol("b")]]
    found = si.derive(si.invert(si.Network.from_arrays([weights], [[0]], ["identity"]))).replay()
    assert "x_2" in found.failure.failure


def test_a_division_must_be_stated():
    w = sympy.Symbol("w^{(1)}_{22}")
    operated = next(s for s in PAPER.steps if isinstance(s, steps.RowsOperated))
    ratio = operated.definitions[0].value
    false, number = changed(PAPER, steps.RowsOperated, operations=(si.AddMultiple(1, 0, -ratio),))
    assert w in {d.name for d in operated.definitions}
    assert "division by w_{11}" in false.replay().failure.failure
    assert false.replay().failure.number == number + 1


def test_what_is_equal_may_not_divide_by_more():
    zero = sympy.Mul(0, 1 / X3, evaluate=False)
    undone = (sympy.Eq(sympy.Symbol("z_1"), zero, evaluate=False),)
    half = si.derive(si.invert(si.Network.from_arrays([[[1, 2, 3]]], [[0]], ["sigmoid"]), ["1/2"]))
    assert half.replay().holds
    assert "z_1 must be 0" in changed(half, steps.ActivationUndone, equations=undone)[0].replay().failure.failure


def test_an_empty_list_of_steps_proves_nothing():
    assert not si.Derivation("nothing", ()).replay().holds
    assert not si.Derivation("cut", PAPER.steps[:-1]).replay().holds


# -- the judge ----------------------------------------------------------------------------------------------

a, b, c = sympy.symbols("a b c")
expressions = st.recursive(
    st.sampled_from([a, b, c, sympy.log(a)]) | st.integers(-3, 3).map(sympy.Integer),
    lambda inner: st.tuples(inner, inner, st.sampled_from("+*-")).map(
        lambda t: t[0] + t[1] if t[2] == "+" else t[0] * t[1] if t[2] == "*" else t[0] - t[1]
    ),
    max_leaves=8,
)


@given(expressions, expressions)
@settings(max_examples=60, deadline=None)
def test_the_judge_agrees_with_expansion_by_both_of_its_ways(left, right):
    same = sympy.expand(left - right) == 0
    exact, doubtful = Judge().equal(left, right), Judge()._by_residues(left, right, {})
    assert (exact is not None) == same == (doubtful is not None)
    if same:
        assert exact == EXACT
        assert doubtful.bits >= 80


@given(expressions, expressions)
@settings(max_examples=40, deadline=None)
def test_names_are_opened(left, right):
    name = sympy.Symbol("k")
    assert Judge().equal(name * right, left * right, {name: left}) == EXACT
    assume(sympy.expand(right) != 0)
    assert Judge().equal(name * right, left * right + 1, {name: left}) is None


def test_claims_add_up():
    assert str(weakest([])) == "exact"
    assert str(weakest([EXACT, Claim("certified")])) == "certified"
    assert str(weakest([Claim("probabilistic", 90), Claim("certified")])) == "probabilistic (error < 2^-90)"
    assert str(weakest([Claim("probabilistic", 90), Claim("numeric", residual=1e-9)])) == "numeric (residual 1e-09)"


# -- files are data -----------------------------------------------------------------------------------------


def document(**step):
    found = json.loads(PAPER.to_json())
    found["steps"][0] |= step
    return json.dumps(found)


NESTED = "[" * 5000 + "]" * 5000
DEEP = '["log", ' * 300 + '"1"' + "]" * 300


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "JSON"),
        ("[]", "format"),
        (NESTED, "nested"),
        (PAPER.to_json().replace('"version": 1', '"version": 2'), "version 1"),
        (PAPER.to_json().replace('"title"', '"titel"'), "nothing else"),
        (PAPER.to_json().replace("LayerGiven", "Layers"), "must be one of"),
        (document(extra=1), "no others"),
        (document(sizes=[3, "2"]), "whole number"),
        (document(sizes=[3, True]), "whole number"),
        (document(target=["__import__('os')", "1"]), "lowest terms"),
        (document(target=["2/4", "1"]), "lowest terms"),
        (document(target=["1/0", "1"]), "lowest terms"),
        (document(target=[["eval", "1"], "1"]), "grammar"),
        (document(target=[["symbol", 3], "1"]), "symbol must be"),
        (document(target=[["symbol", "m", {"positive": True, "negative": True}], "1"]), "contradict"),
        (document(target=[["^", ["symbol", "y"], "1000000"], "1"]), "at most 10000"),
        (document(target=[["^", "2", "9000"], "1"]), "power of a number"),
        (document(target=[["+", ["<", "1", "2"], "1"], "1"]), "not to relations"),
        (document().replace('"target": [', f'"target": [{DEEP}, '), "nested deeper"),
        (document(fingerprint=0.5), "must be text"),
        ('{"format": "symbinv derivation", "format": "x"}', "key twice"),
    ],
    ids=lambda v: v[:20],
)
def test_what_to_json_would_not_write_is_refused_with_its_place(text, words):
    with pytest.raises(ReadError, match=words):
        si.Derivation.from_json(text)


def test_long_numbers_keep_every_digit():
    long = Fraction(2**40001 + 1, 3 * 2**40000)
    derivation = si.derive(si.invert(si.Network.from_arrays([[[long]]], [[0]], ["identity"]), [1]))
    assert si.Derivation.from_json(derivation.to_json()) == derivation


def test_symbols_keep_what_is_assumed_of_them():
    w = sympy.Symbol("w", positive=True)
    derivation = si.derive(si.invert(si.Network.from_arrays([[[w, 1]]], [[0]], ["tanh"])))
    again = si.Derivation.from_json(derivation.to_json())
    assert again == derivation
    assert again.replay().holds


def test_what_has_no_plain_form_is_refused():
    with pytest.raises(SymbinvError, match="cannot be written"):
        si.Derivation("t", (steps.SidesNamed(1, (sympy.Eq(a, sympy.gamma(b), evaluate=False),)),)).to_json()


def with_first_weight(data):
    """The 3 -> 2 derivation as JSON, another expression in place of w_11."""
    text = si.derive(si.invert(si.Network.generic([3, 2], ["sigmoid"]))).to_json()
    weight = json.dumps(["symbol", "w_{11}"])
    assert weight in text
    return text.replace(weight, json.dumps(data))


def test_a_weight_that_is_zero_in_disguise_is_no_pivot():
    zero = ["+", ["log", "4"], ["*", "-2", ["log", "2"]]]
    failure = si.Derivation.from_json(with_first_weight(zero)).replay().failure
    assert failure.kind == "LayerGiven" and "rational functions of symbols" in failure.failure


def test_powers_of_powers_are_refused_before_they_are_multiplied_out():
    tower = ["*", "2", ["symbol", "w_{11}"]]
    for _ in range(3):
        tower = ["^", tower, "10000"]
    with pytest.raises(si.ReadError, match="powers of powers"):
        si.Derivation.from_json(with_first_weight(tower))
