"""Every activation of the table, through invert, compile and the forward pass; branches and pieces by pattern."""

import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

import symbinv as si

W1, W2 = [[2, 1, 1], [1, 3, 0]], [["1/2", "-1/3"], ["1/5", 1]]
B1, B2 = ["1/3", "-1/4"], ["1/7", "1/9"]
SPECS = [
    *(name for name in si.ACTIVATIONS if name not in ("softmax", "log_softmax")),
    "softplus(5/2)",
    "prelu(-1/2)",
    "hard_sigmoid(1/6, 1/2)",
]
INPUTS = [("1/3", "1/2", "-1/5"), ("-1/2", "-1/4", "1/8"), ("1/10", "-1/2", 1), (2, "1/4", "-7/2")]


def inverted(network, x):
    """The inverse at the output of x, computed in floats, on the pattern of x."""
    point = np.array([float(sympy.Rational(e)) for e in x])
    return si.invert(network, network.forward(point).tolist(), at=x), point


@pytest.mark.parametrize("x", INPUTS)
@pytest.mark.parametrize("name", SPECS)
def test_one_layer_comes_back_to_rounding(name, x):
    network = si.Network.from_arrays([W1], [B1], [name])
    inverse, point = inverted(network, x)
    sampler = si.compile_sampler(inverse)
    back = sampler.backward(sampler.free_of(point))
    assert np.abs(network.forward(back) - network.forward(point)).max() < 1e-13
    if all(piece is None or not any(p.is_constant for p in piece) for piece in (inverse.steps[0].pieces,)):
        assert np.abs(back - point).max() < 1e-10
    assert not isinstance(inverse.verdict, si.Empty)


@pytest.mark.parametrize("x", INPUTS)
@pytest.mark.parametrize("name", SPECS)
def test_a_hidden_layer_comes_back_to_rounding(name, x):
    network = si.Network.from_arrays([W1, W2], [B1, B2], [name, "tanh"])
    point = np.array([float(sympy.Rational(e)) for e in x])
    inverse = si.invert(network, at=x)
    sampler = si.compile_sampler(inverse)
    back = sampler.backward(sampler.free_of(point), network.forward(point))
    assert np.abs(network.forward(back) - network.forward(point)).max() < 1e-11


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_mixing_layers_come_back_to_rounding(name):
    network = si.Network.from_arrays([W1, W2], [B1, B2], ["tanh", name])
    point = np.array([0.3, 0.2, -0.1])
    inverse, point = inverted(network, ("3/10", "1/5", "-1/10"))
    sampler = si.compile_sampler(inverse)
    back = sampler.backward(sampler.free_of(point))
    assert np.abs(network.forward(back) - network.forward(point)).max() < 1e-13


# -- branches -----------------------------------------------------------------------------------------

FORWARD = {
    "silu": lambda z: z / (1 + mpmath.exp(-z)),
    "gelu": lambda z: z * mpmath.erfc(-z / mpmath.sqrt(2)) / 2,
    "square": lambda z: z * z,
}
CURVED = pytest.mark.parametrize("name", FORWARD)


@CURVED
@settings(deadline=None, max_examples=15)
@given(units=st.tuples(st.sampled_from(["left", "right"]), st.sampled_from(["left", "right"])), t=st.floats(0.05, 0.95))
def test_the_pattern_names_the_branch_and_the_written_inverse_is_right_by_mpmath(name, units, t):
    f = si.activation(name)
    z = [-3 * t - 1.3 if u == "left" else 2 * t for u in units]
    target = [sympy.Rational(float(f.numeric(np.array([v]))[0])) for v in z]
    network = si.Network.from_arrays([W1], [B1], [name])
    inverse = si.invert(network, target, pattern=[units])
    x3 = sympy.Rational(1, 3)
    written = [str(sympy.N(e.subs(inverse.free_variables[0], x3), 40)) for e in inverse.expand()]
    with mpmath.workdps(40):
        x = [mpmath.mpf(text) for text in written]
        for row, b, y, u in zip(W1, B1, target, units, strict=True):
            shift = mpmath.mpf(sympy.Rational(b).p) / sympy.Rational(b).q
            z = sum(w * e for w, e in zip(row, x, strict=True)) + shift
            assert abs(FORWARD[name](z) - mpmath.mpf(int(y.p)) / int(y.q)) < mpmath.mpf("1e-30")
            assert (z < 0) if u == "left" else (z > -1.3)
    assert isinstance(inverse.verdict, si.NonEmpty) and inverse.verdict.residual < 1e-13


@CURVED
def test_at_an_input_takes_the_branches_of_that_input_behind_smooth_layers_too(name):
    network = si.Network.from_arrays([W1, W2], [B1, B2], ["tanh", name])
    x = ("1/2", -1, "1/4")
    z = network.layers[1].float_weights @ np.tanh(
        network.layers[0].float_weights @ [0.5, -1, 0.25] + network.layers[0].float_bias
    )
    z += network.layers[1].float_bias
    turning = {"silu": -1.2784645, "gelu": -0.7517916, "square": 0.0}[name]
    assert si.invert(network, at=x).pattern == (None, tuple(int(v > turning) for v in z))


def test_one_name_stands_for_all_units_and_images_are_the_branches():
    network = si.Network.from_arrays([W1, W2], [B1, B2], ["silu", "tanh"])
    inverse = si.invert(network, pattern=["left", None])
    assert inverse.pattern == ((0, 0), None)
    assert [str(i) for i in inverse.step(2).images] == ["[≈-0.278465, 0)"] * 2
    assert str(inverse.step(1).preactivations[0].rhs).startswith("a^{(1)}_1 + LambertW(")


def test_a_last_layer_with_one_branch_for_the_target_needs_no_pattern():
    network = si.Network.from_arrays([W1], [B1], ["silu"])
    assert si.invert(network, [1, "1/2"]).pattern == ((1, 1),)
    with pytest.raises(si.NotInvertibleError, match="takes the value -1/10 on its left and on its right branch"):
        si.invert(network, [1, "-1/10"])
    assert isinstance(si.invert(network, [1, "-3/10"]).verdict, si.Empty)
    empty = si.invert(network, [1, "1/2"], pattern=["left"]).verdict
    assert isinstance(empty, si.Empty) and "left branch, whose image is" in empty.reason


@pytest.mark.parametrize(
    ("pattern", "error", "words"),
    [
        (["up", None], si.OptionError, r"branches of layer 1 must lie between 0 and 1 or be left or right"),
        ([(0, 2), None], si.OptionError, "between 0 and 1"),
        ([("left",), None], si.ShapeError, "must have 2 entries, not 1"),
    ],
)
def test_patterns_that_name_no_branch_are_refused(pattern, error, words):
    network = si.Network.from_arrays([W1, W2], [B1, B2], ["gelu", "tanh"])
    with pytest.raises(error, match=words):
        si.invert(network, pattern=pattern)


@CURVED
@pytest.mark.parametrize("side", ["left", "right"])
def test_a_hidden_branch_has_a_certified_witness_on_it(name, side):
    network = si.Network.from_arrays([W1, [[1, 1]]], [B1, [0]], [name, "identity"])
    y = "1/10" if name == "square" else ("-1/20" if side == "left" else "1/2")
    inverse = si.invert(network, [y], pattern=[side, None])
    assert isinstance(inverse.verdict, si.NonEmpty) and inverse.verdict.claim == "certified"
    z = network.layers[0].float_weights @ np.array(inverse.verdict.witness) + network.layers[0].float_bias
    turning = {"silu": -1.2784645, "gelu": -0.7517916, "square": 0.0}[name]
    assert ((z < turning) if side == "left" else (z > turning)).all()


def test_a_target_that_a_branch_cannot_reach_is_empty_with_a_certificate():
    network = si.Network.from_arrays([W1, [[1, 1]]], [B1, [0]], ["silu", "identity"])
    verdict = si.invert(network, [1], pattern=["left", None]).verdict  # two values below zero
    assert isinstance(verdict, si.Empty) and verdict.claim == "exact" and verdict.certificate.check()


@CURVED
def test_the_derivation_says_the_branch(name):
    network = si.Network.from_arrays([W1], [B1], [name])
    text = si.to_latex(si.invert(network, pattern=[("left", "right")]))
    assert "Unit $1$ is on the left branch" in text and "Unit $2$ is on the right branch" in text
    assert ("found by root-finding" in text) == (name == "gelu")


@CURVED
def test_derivatives_on_a_branch_agree_with_differences(name):
    network = si.Network.from_arrays([W1], [B1], [name])
    inverse = si.invert(network, pattern=[("left", "right")])
    y = sympy.symbols("y_1 y_2")
    at = {y[0]: sympy.Rational(-1, 10) if name != "square" else sympy.Rational(1, 10), y[1]: sympy.Rational(1, 5)}
    at[inverse.free_variables[0]] = sympy.Integer(1)
    h = sympy.Rational(1, 10**8)
    for s in y:
        found = si.differentiate(inverse, s).expand()
        for x, slope in zip(inverse.expand(), found, strict=True):
            ends = [sympy.N(x.xreplace(at | {s: at[s] + d}), 40) for d in (h, -h)]
            assert abs(sympy.N(slope.xreplace(at), 40) - (ends[0] - ends[1]) / (2 * h)) < 1e-9
