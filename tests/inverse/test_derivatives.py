"""Derivatives of closed forms: against SymPy's of the written-out inverse, and against differences in floats."""

import numpy as np
import pytest
import sympy

from symbinv.errors import NotSupportedError, OptionError, ShapeError
from symbinv.inverse.derivatives import differentiate
from symbinv.inverse.invert import invert
from symbinv.network.activation import activation
from symbinv.network.network import Network
from symbinv.sampler.compile import compile_sampler
from symbinv.sampler.derivatives import compile_derivatives

NETWORKS = {
    "paper": (Network.generic([3, 2], ["sigmoid"]), None),
    "softmax": (Network.generic([3, 2], ["softmax"]), None),
    "two layers": (Network.generic([3, 2, 2], ["tanh", "sigmoid"]), None),
    "softplus": (Network.generic([2, 2], ["softplus"]), None),
    "shared weight": (
        Network.from_arrays(
            [[[sympy.Symbol("w"), 1, 2], [3, sympy.Symbol("w"), -1]]], [[sympy.Symbol("w"), 0]], ["arctan"]
        ),
        None,
    ),
    "numbers": (Network.from_arrays([[[1, 2, 3], [2, 5, 7]]], [[0, 1]], ["sigmoid"]), None),
    "slope behind a layer": (
        Network.from_arrays([[[2, 1], [1, 3]], [[1, 2], [3, 1]]], [[0, 1], [0, 0]], ["elu(alpha)", "tanh"]),
        None,
    ),
    "slopes of two layers": (
        Network.from_arrays(
            [[[1, sympy.Symbol("w")], [2, 5]], [[3, 1], [1, sympy.Symbol("v")]]],
            [[0, sympy.Symbol("b")], [0, 0]],
            ["leaky_relu(alpha)", "softplus(beta)"],
        ),
        None,
    ),
    "one weight through three layers": (
        Network.from_arrays(
            [[[1, sympy.Symbol("w"), 2], [2, 5, 1]], [[3, 1], [1, 2]], [[1, 1], [0, 1]]],
            [[0, 0], [0, 1], [0, 0]],
            ["tanh", "arctan", "sigmoid"],
        ),
        None,
    ),
    "celu": (Network.from_arrays([[[2, 1]]], [[0]], ["celu(alpha)"]), None),
    "selu": (Network.from_arrays([[[2, 1]]], [[0]], ["selu(alpha, s)"]), None),
    "numeric target": (Network.generic([2, 2], ["sigmoid"]), ["4/5", "1/5"]),
}


def everything(inverse):
    found = set(inverse.free_variables)
    for value in inverse.target:
        found |= value.free_symbols
    for layer in inverse.network.layers:
        found |= layer.weights.free_symbols() | layer.bias.free_symbols()
        found |= {v for v in layer.activation.parameters.values() if isinstance(v, sympy.Symbol)}
    return sorted(found, key=str)


def small_values(symbols):
    """Numbers near which every inverse is defined: outputs inside (0, 1), weights far from singular."""
    rng = np.random.default_rng(0)
    values = {}
    for s in symbols:
        name = str(s)
        inner = name.startswith("y") or name.startswith("a")
        value = rng.uniform(0.2, 0.4) if inner else rng.uniform(1, 2) * (1 if name.endswith(("11}", "22}")) else 0.3)
        values[s] = sympy.Rational(int(value * 1000), 1000)
    return values


@pytest.mark.parametrize("name", NETWORKS)
def test_every_derivative_is_sympys_of_the_written_out_inverse(name):
    inverse = invert(*NETWORKS[name])
    symbols = everything(inverse)
    values = small_values(symbols)
    written = inverse.expand()
    for s in symbols:
        found = differentiate(inverse, s).expand()
        for x, slope in zip(written, found, strict=True):
            expected = sympy.N(sympy.diff(x, s).xreplace(values), 30)
            assert abs(sympy.N(slope.xreplace(values), 30) - expected) < 1e-20 * (1 + abs(expected)), (s, x)


def test_how_x_1_moves_with_w_23_in_the_papers_layer():
    inverse = invert(NETWORKS["paper"][0])
    W = inverse.network.layers[0].weights.to_sympy()
    x3 = inverse.free_variables[0]
    derivative = differentiate(inverse, W[1, 2]).layer(1)
    D = W[0, 0] * W[1, 1] - W[0, 1] * W[1, 0]
    # W x = r: the pivot block times x' is (0, -x_3)
    assert [sympy.cancel(e) for e in derivative.closed] == [
        sympy.cancel(W[0, 1] * x3 / D),
        sympy.cancel(-W[0, 0] * x3 / D),
        0,
    ]
    assert derivative.sides == (0, -x3)


def test_named_and_closed_forms_of_a_layer_agree():
    inverse = invert(NETWORKS["two layers"][0])
    for s in everything(inverse):
        for derivative in differentiate(inverse, s).layers:
            known = {}
            for definition in derivative.definitions:
                known[definition.name] = definition.value.xreplace(known)
            for named, closed in zip(derivative.named, derivative.closed, strict=True):
                difference = (named.xreplace(known) - closed).xreplace(
                    small_values((named - closed).free_symbols | set(everything(inverse)))
                )
                values = small_values(difference.free_symbols)
                assert abs(sympy.N(difference.xreplace(values), 30)) < 1e-20


def test_a_symbolic_slope_moves_the_inputs():
    alpha = sympy.Symbol("alpha", positive=True)
    network = Network.from_arrays([[[2, 1]]], [[0]], [activation("leaky_relu", alpha=alpha)])
    y, x2 = sympy.Symbol("y_1", negative=True), sympy.Symbol("x_2")
    inverse = invert(network, [y])
    assert sympy.cancel(differentiate(inverse, alpha).expand()[0] - sympy.diff((y / alpha - x2) / 2, alpha)) == 0


def test_derivatives_keep_conditions_where_the_layer_widens():
    inverse = invert(Network.generic([1, 2], ["identity"]))
    derivative = differentiate(inverse, inverse.target[0]).layer(1)
    assert len(derivative.conditions) == 1


def test_depth_does_not_make_derivatives_grow():
    network = Network.from_arrays([[[1, 2], [3, 5]]] * 40, [[0, 0]] * 40, ["tanh"] * 40)
    derivative = differentiate(invert(network), sympy.Symbol("y_1"))
    assert len(derivative.layers) == 40
    assert max(sympy.count_ops(e) for layer in derivative.layers for e in layer.named) < 40


def test_symbols_that_do_not_occur_are_refused():
    inverse = invert(NETWORKS["paper"][0])
    with pytest.raises(OptionError, match="not q"):
        differentiate(inverse, sympy.Symbol("q"))
    with pytest.raises(OptionError, match="between 1 and 1"):
        differentiate(inverse, inverse.free_variables[0]).layer(2)


# -- compiled -----------------------------------------------------------------------------------------


def trained(sizes, activations, seed=0):
    rng = np.random.default_rng(seed)
    weights = [rng.standard_normal((m, n)) * 0.7 for n, m in zip(sizes, sizes[1:], strict=False)]
    return weights, [rng.standard_normal(m) * 0.2 for m in sizes[1:]], activations


CASES = [
    trained([4, 3, 2], ["tanh", "sigmoid"]),
    trained([5, 3, 3], ["softsign", "softmax"], 1),
    trained([3, 3], ["log_softmax"], 2),
    trained([4, 3, 2], ["elu", "arctan"], 3),
]


def backward_of(weights, biases, names, x):
    network = Network.from_arrays(weights, biases, names)
    sampler = compile_sampler(invert(network, network.forward(x).tolist()))
    return sampler, sampler.free_of(x)


@pytest.mark.parametrize("case", CASES, ids=lambda c: "-".join(c[2]))
def test_compiled_derivatives_agree_with_differences(case):
    weights, biases, names = case
    x = np.random.default_rng(9).standard_normal(weights[0].shape[1]) * 0.4
    sampler, free = backward_of(weights, biases, names, x)
    found = compile_derivatives(sampler)
    y = Network.from_arrays(weights, biases, names).forward(x)
    h = 1e-6

    def moved(target, values):
        return sampler.backward(values, target)[0]

    for i in range(len(y)):
        step = h * np.eye(len(y))[i] * abs(y[i])
        difference = (moved(y + step, free) - moved(y - step, free)) / (2 * step[i])
        assert np.allclose(found.by_target(x)[0, :, i], difference, rtol=1e-5, atol=1e-6)
    for j in range(free.shape[1]):
        step = h * np.eye(free.shape[1])[j]
        difference = (moved(y, free + step) - moved(y, free - step)) / (2 * h)
        assert np.allclose(found.by_free(x)[0, :, j], difference, rtol=1e-5, atol=1e-6)

    def inputs(w, b):
        network = Network.from_arrays(w, b, names)
        return compile_sampler(invert(network, y.tolist())).backward(free, y)[0]

    for layer in range(1, len(weights) + 1):
        for change, compiled in (("w", found.by_weight(x, layer, 1, 0)), ("b", found.by_bias(x, layer, 1))):
            ends = []
            for sign in (1, -1):
                w, b = [v.copy() for v in weights], [v.copy() for v in biases]
                if change == "w":
                    w[layer - 1][1, 0] += sign * h
                else:
                    b[layer - 1][1] += sign * h
                ends.append(inputs(w, b))
            assert np.allclose(compiled[0], (ends[0] - ends[1]) / (2 * h), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "parameter"),
    [
        ("leaky_relu(0.3)", "alpha"),
        ("elu(0.7)", "alpha"),
        ("celu(0.7)", "alpha"),
        ("selu", "scale"),
        ("softplus(2.5)", "beta"),
    ],
)
def test_compiled_derivatives_by_a_slope_agree_with_differences(name, parameter):
    weights, biases, _ = trained([4, 3, 2], [name, "tanh"], 5)
    x, h = np.array([[0.3, -0.2, 0.1, 0.4], [-0.5, -0.2, 0.3, -0.1]]), 1e-6
    f = activation(name)

    def compiled(shift):
        parts = [f"{k}={float(v) + (shift if k == parameter else 0)!r}" for k, v in f.parameters.items()]
        return compile_sampler(invert(Network.from_arrays(weights, biases, [f"{f.name}({', '.join(parts)})", "tanh"])))

    sampler = compiled(0.0)
    y, free = sampler.forward(x), sampler.free_of(x)
    found = compile_derivatives(sampler).by_parameter(x, 1, parameter)
    expected = (compiled(h).backward(free, y) - compiled(-h).backward(free, y)) / (2 * h)
    assert np.abs(found).max() > 1e-3 and np.allclose(found, expected, rtol=1e-6, atol=1e-7)
    with pytest.raises(OptionError, match=f"name must be a parameter of .*{parameter}"):
        compile_derivatives(sampler).by_parameter(x, 1, "gamma")


def test_moving_a_free_variable_keeps_the_output():
    weights, biases, names = trained([6, 4, 2], ["tanh", "sigmoid"], 4)
    network = Network.from_arrays(weights, biases, names)
    x = np.random.default_rng(1).standard_normal(6) * 0.3
    sampler, _ = backward_of(weights, biases, names, x)
    slopes = compile_derivatives(sampler).by_free(x)[0]
    for direction in slopes.T:
        change = (network.forward(x + 1e-6 * direction) - network.forward(x - 1e-6 * direction)) / 2e-6
        assert np.abs(change).max() < 1e-7 * (1 + np.abs(direction).max())


def test_wrong_arguments_of_compiled_derivatives_are_refused():
    sampler, _ = backward_of(*CASES[0], np.zeros(4))
    found = compile_derivatives(sampler)
    with pytest.raises(ShapeError, match=r"must have shape \(k, 4\)"):
        found.by_free(np.zeros((2, 3)))
    with pytest.raises(OptionError, match="layer must lie between 1 and 2"):
        found.by_weight(np.zeros(4), 3, 0, 0)
    with pytest.raises(OptionError, match="3 x 4 matrix"):
        found.by_weight(np.zeros(4), 1, 3, 0)
    with pytest.raises(OptionError, match="row must lie between 0 and 2"):
        found.by_bias(np.zeros(4), 1, -1)
    widening = invert(Network.from_arrays([[[1], [1]]], [[0, 0]], ["identity"]), [1, 1])
    with pytest.raises(NotSupportedError, match="consistency condition"):
        compile_derivatives(compile_sampler(widening))
