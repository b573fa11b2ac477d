"""Laws of inversion: what goes forward comes back, exactly."""

import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

import symbinv as si

from ..strategies import in_unit_interval, matrices, networks, short

FORWARD_BACK = {
    "identity": ["1/3", "-2"],
    "sigmoid": ["4/5", "1/5"],
    "tanh": ["1/2", "-1/3"],
    "softplus": ["3/2", "1/7"],
    "leaky_relu(1/10)": ["3/2", "-1/5"],
}


@pytest.mark.parametrize("name", FORWARD_BACK)
@pytest.mark.parametrize("weights", [[[1, 2, 3], [2, 5, 7]], [[0, 1, 2], [3, 0, 1]], [[2, 1], [1, 1]]], ids=str)
def test_expand_substituted_into_the_forward_map_gives_the_target_exactly(name, weights):
    network = si.Network.from_arrays([weights], [["1/2", -1]], [name])
    inverse = si.invert(network, FORWARD_BACK[name])
    x = [e.subs({s: sympy.Rational(1, 3) for s in inverse.free_variables}) for e in inverse.expand()]
    assert [sympy.simplify(y) for y in network.forward(x)] == list(inverse.target)


def test_expand_of_softmax_gives_the_target_exactly():
    network = si.Network.from_arrays([[[1, 2, 0, -1], [0, 1, 1, 2], [2, 0, 1, 1]]], [[0, 1, 2]], ["softmax"])
    inverse = si.invert(network, ["1/2", "1/4", "1/4"])
    assert [sympy.simplify(y) for y in network.forward(inverse.expand())] == list(inverse.target)


def test_two_layers_with_symbols_give_back_the_target():
    network = si.Network.generic([2, 2], ["identity"])
    inverse = si.invert(network)
    assert [sympy.cancel(y) for y in network.forward(inverse.expand())] == list(inverse.target)


def test_the_papers_layer_has_the_papers_solution():
    inverse = si.invert(si.Network.generic([3, 2], ["sigmoid"]))
    w = inverse.network.layers[0].weights
    b = inverse.network.layers[0].bias
    z1, z2 = sympy.symbols("z_1 z_2")
    x3 = sympy.Symbol("x_3")
    k = w[1, 0] / w[0, 0]
    r1, r2 = z1 - b[0, 0], z2 - b[1, 0]
    x2 = ((r2 - k * r1) - (w[1, 2] - k * w[0, 2]) * x3) / (w[1, 1] - k * w[0, 1])
    x1 = (r1 - w[0, 1] * x2 - w[0, 2] * x3) / w[0, 0]
    first, second = inverse.solution(1)
    assert (first.lhs, second.lhs) == sympy.symbols("x_1 x_2")
    assert sympy.cancel(first.rhs - x1) == 0
    assert sympy.cancel(second.rhs - x2) == 0


@given(networks(depth=st.integers(1, 3)), st.data())
@settings(max_examples=40, deadline=None)
def test_the_target_of_a_real_input_is_never_called_empty(network, data):
    x = [data.draw(st.fractions(-2, 2, max_denominator=8)) for _ in range(network.sizes[0])]
    target = network.forward(x)
    if not all(v.is_Rational for v in target):  # a rounded target need not be attained; a piecewise-linear one is
        return
    assert not isinstance(si.invert(network, target).verdict, si.Empty)


@given(networks(activations=("identity", "leaky_relu(1/4)"), depth=st.integers(1, 3)), st.data())
@settings(max_examples=60, deadline=None)
def test_piecewise_linear_targets_are_found_again(network, data):
    x = [data.draw(st.fractions(-2, 2, max_denominator=8)) for _ in range(network.sizes[0])]
    inverse = si.invert(network, network.forward(x), at=x)
    assert isinstance(inverse.verdict, si.NonEmpty)
    if inverse.verdict.claim == "exact":
        assert network.forward(inverse.verdict.witness) == inverse.target


@given(st.integers(1, 3), st.integers(1, 4), st.data())
@settings(max_examples=60, deadline=None)
def test_emptiness_of_a_layer_below_a_sigmoid_agrees_with_an_lp_oracle(m, n, data):
    from scipy.optimize import linprog

    weights = data.draw(matrices(m, n))
    target = [data.draw(short) for _ in range(m)]
    network = si.Network.from_arrays([np.eye(n).tolist(), weights], [[0] * n, [0] * m], ["sigmoid", "identity"])
    verdict = si.invert(network, target).verdict
    # maximise t with W a = y, t <= a <= 1 - t: the target is attained exactly when the optimum is positive
    a_eq = np.hstack([np.array(weights, float), np.zeros((m, 1))])
    rows = np.vstack([np.hstack([-np.eye(n), np.ones((n, 1))]), np.hstack([np.eye(n), np.ones((n, 1))])])
    lp = linprog(
        [0] * n + [-1],
        A_ub=rows,
        b_ub=[0] * n + [1] * n,
        A_eq=a_eq,
        b_eq=np.array(target, float),
        bounds=[(None, None)] * n + [(None, 1)],
    )
    margin = -lp.fun if lp.status == 0 else -1.0
    if margin > 1e-6:
        assert isinstance(verdict, si.NonEmpty)
    elif margin < -1e-6:
        assert isinstance(verdict, si.Empty)
    else:  # a touch of the boundary; the open image does not contain it
        assert isinstance(verdict, si.Empty)


@given(in_unit_interval(), in_unit_interval())
@settings(max_examples=30, deadline=None)
def test_a_rank_deficient_sigmoid_layer_is_empty_unless_the_logits_agree(p, q):
    network = si.Network.from_arrays([[[1, 1], [1, 1]]], [[0, 0]], ["sigmoid"])
    verdict = si.invert(network, [p, q]).verdict
    assert isinstance(verdict, si.NonEmpty) == (p == q)
    if p != q:
        assert verdict.claim == "exact"
        assert verdict.certificate.check()
        assert verdict.nearest == pytest.approx(abs(float(p - q)) / 2, rel=0.3, abs=1e-9)


def test_chosen_free_variables_are_free():
    network = si.Network.from_arrays([[[1, 2, 3], [2, 5, 7]]], [[0, 0]], ["tanh"])
    inverse = si.invert(network, ["1/2", "1/2"], free={1: [0]})
    assert inverse.free_variables == (sympy.Symbol("x_1"),)
    sampler = si.compile_sampler(inverse)
    assert np.allclose(network.forward(sampler.backward([[0.7]])), 0.5)


def test_free_variables_that_cannot_be_free_are_refused():
    network = si.Network.from_arrays([[[1, 0], [0, 1]]], [[0, 0]], ["tanh"])
    with pytest.raises(
        si.OptionError, match=r"layer 1: free columns .* but x_1 is not \(the others, x_2, have rank 1\)"
    ):
        si.invert(network, [0, 0], free={1: [0]})
    with pytest.raises(si.OptionError, match="layers between 1 and 1"):
        si.invert(network, [0, 0], free={2: [0]})


def test_free_variables_are_named_by_symbol_by_name_or_by_input():
    network = si.Network.from_arrays([[[1, 2, 3], [2, 5, 7]], [[1, 1]]], [[0, 0], [0]], ["tanh", "sigmoid"])
    a1 = sympy.Symbol("a^{(1)}_1")
    for asked in ([a1, "x_1"], ["a^{(1)}_1", 0], {2: [a1], 1: [0]}, {1: "x_1", 2: [0]}):
        inverse = si.invert(network, ["1/2"], free=asked)
        assert inverse.free_variables == (a1, sympy.Symbol("x_1"))
    x = si.compile_sampler(inverse).backward([[0.1, 0.7], [-0.2, 3.0]])
    assert np.allclose(network.forward(x), 0.5) and x[:, 0].tolist() == [0.7, 3.0]


def test_a_pivot_order_and_strategies_are_taken_layer_by_layer():
    network = si.Network.generic([3, 2, 2], ["tanh", "softmax"])
    inverse = si.invert(network, order={1: ["x_3"]}, strategy={2: "fewest_provisos"})
    assert [str(s) for s in inverse.step(1).pivot_variables] == ["x_3", "x_1"]
    assert str(inverse.step(2).pivot_variables[0]) == "c^{(2)}"
    fewest, paper = si.invert(network, strategy="fewest_provisos"), si.invert(network)
    assert len(fewest.assumptions) < len(paper.assumptions)


@given(matrices(3, 4), st.sampled_from(["paper", "fewest_provisos", "best_conditioned"]), st.permutations(range(4)))
@settings(max_examples=40, deadline=None)
def test_every_choice_gives_inputs_with_the_same_output(weights, strategy, order):
    """Rank-deficient layers included: their conditions hold for a target that was made by an input."""
    network = si.Network.from_arrays([weights], [["1/2", -1, 0]], ["leaky_relu(1/4)"])
    x = [sympy.Rational(k, 3) for k in (1, -2, 4, 5)]
    chosen = {"order": order} if strategy == "paper" else {"strategy": strategy}
    inverse = si.invert(network, network.forward(x), **chosen)
    back = [e.xreplace(dict(zip(sympy.symbols("x_1:5"), x, strict=True))) for e in inverse.expand()]
    assert back == x
    pivots = inverse.step(1).reduction.pivots
    rank = sympy.Matrix(weights).rank()
    assert len(pivots) == rank == sympy.Matrix(weights)[:, list(pivots)].rank()
    free = [j for j in range(4) if j not in pivots]
    assert si.invert(network, network.forward(x), free=free).step(1).reduction.free == tuple(free)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"free": ["x_9"]}, r"free must name variables of the layers \(x_1, x_2, x_3\), not 'x_9'"),
        ({"free": [3]}, "free columns of layer 1 must lie between 0 and 2, not 3"),
        ({"free": ["x_1", "x_2"]}, "but x_1, x_2 are not|but x_1 is not|but x_2 is not"),
        ({"order": {4: [0]}}, r"order must name layers between 1 and 1, not \[4\]"),
        ({"strategy": "best"}, "strategy must be one of paper, fewest_provisos, best_conditioned, not 'best'"),
        ({"strategy": {2: "paper"}}, "strategy must name layers between 1 and 1"),
        ({"strategy": "fewest_provisos", "order": ["x_2"]}, "layer 1: give either an order"),
        ({"order": ["x_2"], "free": ["x_2"]}, "must not be free"),
    ],
)
def test_choices_that_do_not_fit_are_named(options, words):
    network = si.Network.from_arrays([[[1, 2, 3], [2, 5, 7]]], [[0, 0]], ["tanh"])
    with pytest.raises(si.OptionError, match=words):
        si.invert(network, [0, 0], **options)
    with pytest.raises(si.OptionError, match="layer 1: strategy 'best_conditioned' needs numbers"):
        si.invert(si.Network.generic([3, 2], ["tanh"]), strategy="best_conditioned")


def test_a_variable_on_a_constant_piece_is_no_unknown():
    network = si.Network.from_arrays([[[1, -1], [-1, 1]], [[1, 1]]], [[0, 0], [0]], ["relu", "identity"])
    with pytest.raises(si.OptionError, match=r"a\^\{\(1\)\}_2 sits on a constant piece"):
        si.invert(network, [2], at=[3, 1], free={2: [1]})


def test_relu_without_a_pattern_points_to_preimage():
    network = si.Network.from_arrays([[[1]], [[1]]], [[0], [0]], ["relu", "identity"])
    with pytest.raises(si.NotInvertibleError, match="layer 1 uses 'relu'.*`preimage`.*`at=`"):
        si.invert(network, [1])


def test_inactive_units_stay_as_inequalities_and_add_no_free_variable():
    network = si.Network.from_arrays([[[1, -1], [-1, 1]], [[1, 1]]], [[0, 0], [0]], ["relu", "identity"])
    inverse = si.invert(network, [2], at=[3, 1])
    assert list(map(str, inverse.free_variables)) == ["x_2"]
    assert [str(r) for r in inverse.step(1).inequalities] == ["-x_1 + x_2 <= 0"]


def test_a_softmax_target_of_floats_is_rescaled_and_the_result_says_so():
    network = si.Network.from_arrays([[[1, 0], [0, 1], [1, 1]]], [[0, 0, 0]], ["softmax"])
    inverse = si.invert(network, [0.1, 0.2, 0.7])  # whose binary values miss 1 by 2.8e-17
    assert sum(inverse.target) == 1
    assert "rescaled" in inverse.notes[0]
    exact = si.invert(network, ["0.1", "0.2", "0.70000000000000001"])
    assert isinstance(exact.verdict, si.Empty)


def test_a_sigmoid_target_of_one_is_empty_but_approached():
    network = si.Network.from_arrays([[[1, 1]]], [[0]], ["sigmoid"])
    verdict = si.invert(network, [1.0]).verdict
    assert isinstance(verdict, si.Empty)
    assert verdict.nearest == 0.0


def test_a_target_next_to_saturation_is_inverted_to_the_last_digit():
    network = si.Network.from_arrays([[[1]]], [[0]], ["sigmoid"])
    for y in (1 - 2.0**-53, 2.0**-537, 5e-324):
        with mpmath.workdps(50):
            z = float(mpmath.log(mpmath.mpf(y) / (1 - mpmath.mpf(y))))
        assert float(si.invert(network, [y]).verdict.witness[0]) == pytest.approx(z, rel=1e-15)


def test_a_box_can_make_a_preimage_empty_with_a_certificate():
    network = si.Network.from_arrays([[[1, 1, 1]], [[1]]], [[0], [0]], ["sigmoid", "identity"])
    verdict = si.invert(network, ["0.99"], box=[[0, 1]] * 3).verdict  # sigmoid(3) = 0.9526
    assert isinstance(verdict, si.Empty)


def test_dimension_counts_constraints_not_widths():
    network = si.Network.from_arrays(
        [[[1, 0, 2], [0, 1, 1], [1, 1, 0], [2, 1, -1]], [[1, 2, -1, 1]]], [[0] * 4, [0]], ["tanh", "identity"]
    )
    inverse = si.invert(network, ["1/2"])
    assert (inverse.dimension, inverse.dimension_claim) == (2, "certified")
    assert len(inverse.free_variables) == 3  # of a widening layer: the conditions cut one


@pytest.mark.parametrize(
    ("target", "error", "words"),
    [
        ([1], si.ShapeError, r"one entry per output of the network \(2\), not 1"),
        ("0.8", si.ShapeError, "sequence of numbers"),
        ([float("nan"), 0.5], si.InexactError, "finite"),
        ([0.5, None], si.InexactError, "exact number"),
    ],
)
def test_a_bad_target_is_named(target, error, words):
    with pytest.raises(error, match=words):
        si.invert(si.Network.from_arrays([[[1, 2], [3, 4]]], [[0, 0]], ["tanh"]), target)


def test_symbolic_targets_and_weights_are_unknown_with_the_reason():
    generic = si.Network.generic([3, 2], ["sigmoid"])
    assert si.invert(generic).verdict.reason == "symbolic target"
    assert si.invert(generic, ["1/2", "1/2"]).verdict.reason == "symbolic weights"
    numbers = si.Network.from_arrays([[[1, 2]]], [[0]], ["tanh"])
    y = sympy.Symbol("t")
    assert si.invert(numbers, [y]).expand()[0] == -2 * sympy.Symbol("x_2") + sympy.atanh(y)


def test_written_out_solutions_have_a_limit_that_names_the_way_out():
    inverse = si.invert(si.Network.generic([20, 16], ["tanh"]))
    with pytest.raises(si.BudgetError, match="named=True"):
        inverse.solution(1)
    assert len(inverse.solution(1, named=True)) == 16


def test_a_hidden_softmax_is_not_supported_yet():
    network = si.Network.from_arrays([[[1], [1]], [[1, 2]]], [[0, 0], [0]], ["softmax", "identity"])
    with pytest.raises(si.NotSupportedError, match="layer 1: softmax in a hidden layer"):
        si.invert(network, [1])


def test_certified_witnesses_come_with_a_radius():
    network = si.Network.from_arrays([[[1, 2], [0, 1]], [[1, 1]]], [[0, 0], [0]], ["tanh", "identity"])
    verdict = si.invert(network, ["1/2"]).verdict
    assert verdict.claim == "certified"
    assert 0 < verdict.radius < 1e-6


def test_results_are_shown_in_one_short_line():
    network = si.Network.from_arrays([[[1, -1, 2]]], [[0]], ["tanh"])
    inverse = si.invert(network, ["1/2"])
    sampler = si.compile_sampler(inverse)
    points = sampler.draw(10, method="random", ranges={"x_2": (0, 1), "x_3": (0, 1)})
    derivation = si.derive(inverse)
    found = si.regions(si.Network.from_arrays([[[1, -1]]], [[0]], ["relu"]), box=[[-1, 1]] * 2)
    shown = [network, network.layers, inverse, inverse.steps, sampler, points, derivation, found, found.cells]
    assert all(len(repr(result)) < 100 and "\n" not in repr(result) for result in shown)
    assert repr(inverse) == "Inverse(3 -> 1, dimension 2, NonEmpty)"
