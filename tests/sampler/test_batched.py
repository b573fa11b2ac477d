"""Many networks at once: against NumPy's solver, against the exact inverse, and where pivots vanish."""

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from symbinv.errors import NotSupportedError, OptionError, ShapeError
from symbinv.inverse.invert import invert
from symbinv.network.network import Network
from symbinv.sampler.batched import (
    AS_DERIVED,
    BROKEN_CONDITION,
    OTHER_ORDER,
    OUTSIDE,
    SINGULAR,
    compile_batched,
)
from symbinv.sampler.compile import compile_sampler


def generic(sizes, activations):
    return compile_batched(invert(Network.generic(sizes, activations)))


@settings(deadline=None, max_examples=25)
@given(m=st.integers(1, 6), extra=st.integers(0, 3), seed=st.integers(0, 10**6))
def test_every_point_solves_its_own_system_to_rounding(m, extra, seed):
    rng = np.random.default_rng(seed)
    W, b = rng.standard_normal((700, m, m + extra)), rng.standard_normal((700, m))
    y, free = rng.standard_normal((700, m)), rng.standard_normal((700, extra))
    found = generic([m + extra, m], ["identity"]).backward(W, b, y, free)
    x = found.points
    assert (x[:, m:] == free).all() and (found.status <= OTHER_ORDER).all()
    size = np.abs(W).max(axis=(1, 2)) * np.abs(x).max(axis=1) + np.abs(y - b).max(axis=1)
    assert (np.abs(np.einsum("kij,kj->ki", W, x) + b - y).max(axis=1) <= 1e-14 * size).all()


def test_square_layers_agree_with_numpys_solver():
    rng = np.random.default_rng(1)
    W, y = rng.standard_normal((2000, 4, 4)), rng.standard_normal((2000, 4))
    found = generic([4, 4], ["identity"]).backward(W, np.zeros(4), y, np.zeros((1, 0))).points
    expected = np.linalg.solve(W, y[:, :, None])[:, :, 0]
    scale = np.linalg.cond(W)[:, None] * np.abs(expected).max(axis=1, keepdims=True)
    assert (np.abs(found - expected) <= 1e-14 * scale).all()


def test_deep_networks_give_what_the_sampler_of_each_gives():
    rng = np.random.default_rng(2)
    sizes, names = [4, 3, 2], ["tanh", "softmax"]
    batched = generic(sizes, names)
    weights = [0.4 * rng.standard_normal((5, m, n)) for n, m in zip(sizes, sizes[1:], strict=False)]
    biases = [0.1 * rng.standard_normal((5, m)) for m in sizes[1:]]
    x = rng.standard_normal((5, 4)) * 0.5
    for k in range(5):
        network = Network.from_arrays([w[k] for w in weights], [b[k] for b in biases], names)
        y = network.forward(x[k])
        sampler = compile_sampler(invert(network, y.tolist()))
        if sampler.inverse.free_variables != batched.inverse.free_variables:
            continue
        free = sampler.free_of(x[k])
        found = batched.backward([w[k] for w in weights], [b[k] for b in biases], y, free[0])
        assert found.points.shape == (4,) and np.abs(found.points - x[k]).max() < 1e-9
        assert found.status == AS_DERIVED


def test_leading_axes_broadcast():
    batched = generic([3, 2], ["sigmoid"])
    rng = np.random.default_rng(3)
    W, b = rng.standard_normal((6, 1, 2, 3)), rng.standard_normal(2)
    y, free = rng.uniform(0.1, 0.9, (5, 2)), rng.standard_normal((6, 1, 1))
    found = batched.backward(W, b, y, free)
    assert found.points.shape == (6, 5, 3) and found.status.shape == (6, 5)
    one = batched.backward(W[4, 0], b, y[2], free[4, 0]).points
    assert np.allclose(one, found.points[4, 2], rtol=1e-13)
    many = batched.backward(W[4, 0], b, np.repeat(y, 3, axis=0), free[4, 0]).points
    assert many.shape == (15, 3) and np.allclose(many[6], one, rtol=1e-12)


# -- provisos -----------------------------------------------------------------------------------------


def test_a_vanishing_pivot_is_met_by_another_order_and_said():
    W = np.array(
        [[[0.0, 1.0], [1.0, 1.0]], [[1e-14, 1.0], [1.0, 1.0]], [[2.0, 1.0], [1.0, 1.0]], [[1.0, 2.0], [2.0, 4.0]]]
    )
    found = generic([2, 2], ["identity"]).backward(W, np.zeros(2), [3.0, 5.0], np.zeros((4, 0)))
    assert found.status.tolist() == [OTHER_ORDER, OTHER_ORDER, AS_DERIVED, SINGULAR]
    assert np.allclose(found.points[:3], [[2, 3], [2, 3], [-2, 7]], atol=1e-12)
    assert np.isnan(found.points[3]).all()
    assert "2 in another pivot order" in found.report and "1 not determined" in found.report


def test_a_later_pivot_that_vanishes_is_met_too():
    W = np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 7.0], [1.0, 1.0, 1.0]])  # the second pivot is 4 - 2 * 2
    x = np.array([1.0, -2.0, 3.0])
    found = generic([3, 3], ["identity"]).backward(W, np.zeros(3), W @ x, np.zeros(0))
    assert found.status == OTHER_ORDER and np.allclose(found.points, x)


def test_nearly_singular_networks_keep_a_residual_at_rounding_level():
    rng = np.random.default_rng(4)
    W = rng.standard_normal((500, 4, 4))
    W[:, 3] = W[:, 0] + W[:, 1] + 1e-9 * rng.standard_normal((500, 4))
    y = rng.standard_normal((500, 4))
    found = generic([4, 4], ["identity"]).backward(W, np.zeros(4), y, np.zeros((1, 0)))
    assert (found.status <= OTHER_ORDER).all()
    size = np.abs(W).max(axis=(1, 2)) * np.abs(found.points).max(axis=1) + np.abs(y).max(axis=1)
    assert (np.abs(np.einsum("kij,kj->ki", W, found.points) - y).max(axis=1) <= 1e-13 * size).all()


def test_widening_layers_check_their_condition():
    rng = np.random.default_rng(5)
    W, x = rng.standard_normal((50, 3, 2)), rng.standard_normal((50, 2))
    y = np.einsum("kij,kj->ki", W, x)
    batched = generic([2, 3], ["identity"])
    good = batched.backward(W, np.zeros(3), y, np.zeros((1, 0)))
    assert np.allclose(good.points, x) and (good.status <= OTHER_ORDER).all()
    bad = batched.backward(W, np.zeros(3), y + np.array([0, 0, 0.1]), np.zeros((1, 0)))
    assert (bad.status == BROKEN_CONDITION).all() and np.isnan(bad.points).all()


def test_values_that_leave_an_image_are_marked():
    batched = generic([2, 2, 2], ["sigmoid", "identity"])
    W = [np.eye(2), np.eye(2)]
    found = batched.backward(W, [np.zeros(2), np.zeros(2)], [[0.5, 0.5], [0.5, 1.5]], np.zeros((2, 0)))
    assert found.status.tolist() == [AS_DERIVED, OUTSIDE]
    assert np.allclose(found.points[0], 0) and np.isnan(found.points[1]).all()


@pytest.mark.parametrize("choice", [{"strategy": "fewest_provisos"}, {"order": ["c", "x_3"]}, {"free": ["x_1"]}])
def test_other_pivots_compile_to_right_points(choice):
    batched = compile_batched(invert(Network.generic([3, 3], ["softmax"]), **choice))
    rng = np.random.default_rng(6)
    W, y, free = rng.standard_normal((20, 3, 3)), rng.dirichlet(np.ones(3), 20), rng.standard_normal((20, 1))
    found = batched.backward(W, np.zeros(3), y, free)
    z = np.einsum("kij,kj->ki", W, found.points)
    assert (found.status <= OTHER_ORDER).all()
    assert np.allclose(np.exp(z) / np.exp(z).sum(axis=1, keepdims=True), y, atol=1e-9)
    given = batched.inverse.free_variables[0]
    if str(given) != "c":
        assert (found.points[:, int(str(given)[2:]) - 1] == free[:, 0]).all()


# -- numbers for symbols ------------------------------------------------------------------------------


def test_numbers_for_all_symbols_give_what_arrays_of_weights_give():
    network = Network.generic([3, 2, 2], ["tanh", "sigmoid"])
    batched, rng = compile_batched(invert(network)), np.random.default_rng(7)
    W = [0.3 * rng.standard_normal((9, 2, 3)), 0.3 * rng.standard_normal((9, 2, 2))]
    b, y, free = (
        [0.1 * rng.standard_normal((9, 2)) for _ in range(2)],
        rng.uniform(0.45, 0.55, (9, 2)),
        np.zeros((9, 1)),
    )
    values = {f"y_{i + 1}": y[:, i] for i in range(2)}
    for layer, w, v in zip(network.layers, W, b, strict=True):
        for i in range(2):
            values[layer.bias[i, 0]] = v[:, i]
            values |= {layer.weights[i, j]: w[:, i, j] for j in range(w.shape[2])}
    found, expected = batched.at(values, free), batched.backward(W, b, y, free)
    assert np.array_equal(found.points, expected.points, equal_nan=True) and (found.status == expected.status).all()


SLOPES = {
    "leaky_relu(alpha)": lambda z, a: np.where(z > 0, z, a * z),
    "prelu(alpha)": lambda z, a: np.where(z > 0, z, a * z),
    "elu(alpha)": lambda z, a: np.where(z > 0, z, a * np.expm1(np.minimum(z, 0))),
    "celu(alpha)": lambda z, a: np.where(z > 0, z, a * np.expm1(np.minimum(z, 0) / a)),
    "softplus(alpha)": lambda z, a: np.log1p(np.exp(a * z)) / a,
}


@pytest.mark.parametrize("name", SLOPES)
def test_symbolic_slopes_and_single_weights_take_numbers(name):
    """A shared weight, a symbolic slope and a symbolic bias in a network that is otherwise of numbers."""
    w, s = sympy.symbols("w s")
    network = Network.from_arrays([[[w, 1, 2], [1, w, -1]], [[1, s], [2, 1]]], [[s, 0], [0, 1]], [name, "tanh"])
    batched, rng = compile_batched(invert(network)), np.random.default_rng(8)
    values = {"w": rng.uniform(1.5, 3, 200), "s": rng.uniform(-0.4, 0.4, 200), "alpha": rng.uniform(0.2, 2, 200)}
    x = 0.2 * rng.standard_normal((200, 3))
    w, s, alpha = values["w"], values["s"], values["alpha"]
    z = np.stack([w * x[:, 0] + x[:, 1] + 2 * x[:, 2] + s, x[:, 0] + w * x[:, 1] - x[:, 2]])
    a = SLOPES[name](z, alpha)
    y = np.tanh(np.stack([a[0] + s * a[1], 2 * a[0] + a[1] + 1], axis=1))
    found = batched.at(values | {"y_1": y[:, 0], "y_2": y[:, 1]}, x[:, 2:])
    assert (found.status == AS_DERIVED).all() and np.abs(found.points - x).max() < 1e-6
    again = batched.at(values, x[:, 2:], target=y)
    assert np.array_equal(again.points, found.points)


def test_a_proviso_that_vanishes_for_some_numbers_is_met_by_another_order_or_said():
    w = sympy.Symbol("w")
    batched = compile_batched(invert(Network.from_arrays([[[w, 1], [1, w]]], [[0, 0]], ["identity"])))
    found = batched.at({"w": [0.0, 1e-13, 1.0, -1.0, 2.0]}, np.zeros((1, 0)), target=[3.0, 4.0])
    assert found.status.tolist() == [OTHER_ORDER, OTHER_ORDER, SINGULAR, SINGULAR, AS_DERIVED]
    assert np.allclose(found.points[[0, 1, 4]], [[4, 3], [4, 3], [2 / 3, 5 / 3]])


def test_under_a_pattern_units_that_leave_their_piece_are_marked():
    w = sympy.Symbol("w")
    network = Network.from_arrays([[[1, 1], [w, -1]], [[2, 5]]], [[0, 0], [1]], ["relu", "identity"])
    batched = compile_batched(invert(network, pattern=[(1, 0), None]))
    found = batched.at({"w": [-1.0, 1.0, 3.0], "y_1": 5.0}, [[0.5]])  # x_1 + x_2 = 2, and w x_1 - x_2 <= 0
    assert found.status.tolist() == [AS_DERIVED, OUTSIDE, OUTSIDE]
    assert np.allclose(found.points[0], [1.5, 0.5])


def test_a_value_outside_the_image_is_said_to_be_outside_and_not_singular():
    batched = compile_batched(invert(Network.from_arrays([[[1, 2]]], [[0]], ["elu(alpha)"])))
    found = batched.at({"alpha": [0.5, 2.0], "y_1": -1.0}, [[0.0]])
    assert found.status.tolist() == [OUTSIDE, AS_DERIVED]
    sigmoid = compile_batched(invert(Network.generic([2, 2], ["sigmoid"])))
    assert sigmoid.backward(np.eye(2), [0, 0], [0.5, 1.5], []).status == OUTSIDE


def test_numbers_that_are_missing_are_named():
    batched = compile_batched(invert(Network.generic([2, 2], ["tanh"])))
    with pytest.raises(OptionError, match=r"every symbol; b_1, b_2, w_\{11\}"):
        batched.at({}, [], target=[0, 0])
    slope = compile_batched(invert(Network.from_arrays([[[1]]], [[0]], ["leaky_relu(alpha)"])))
    with pytest.raises(OptionError, match="alpha is missing"):
        slope.at({}, [], target=[0])
    with pytest.raises(OptionError, match="`at`"):
        slope.backward([[1]], [0], [1], [])
    with pytest.raises(ShapeError, match="broadcast"):
        slope.at({"alpha": [1, 2]}, np.zeros((3, 0)), target=[1])


# -- errors -------------------------------------------------------------------------------------------


def test_a_network_of_numbers_is_left_to_the_sampler():
    with pytest.raises(NotSupportedError, match="use compile_sampler"):
        compile_batched(invert(Network.from_arrays([[[1, 2]]], [[0]], ["sigmoid"]), ["1/2"]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros((2, 2)), np.zeros(2), [0.5, 0.5], [0.0]), "weights of layer 1 must end in shape \\(2, 3\\)"),
        ((np.zeros((2, 3)), np.zeros(3), [0.5, 0.5], [0.0]), "biases of layer 1 must end in shape"),
        ((np.zeros((2, 3)), np.zeros(2), [0.5], [0.0]), "target must end in shape \\(2,\\)"),
        ((np.zeros((2, 3)), np.zeros(2), [0.5, 0.5], []), "free must end in shape \\(1,\\)"),
        ((np.zeros((4, 2, 3)), np.zeros(2), np.full((3, 2), 0.5), [0.0]), "must broadcast"),
        ((np.zeros(3), np.zeros(2), [0.5, 0.5], [0.0]), "at least 2 axes"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(arguments, message):
    with pytest.raises(ShapeError, match=message):
        generic([3, 2], ["sigmoid"]).backward(*arguments)
