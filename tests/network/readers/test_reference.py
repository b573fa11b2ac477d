import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symbinv.errors import ReadError
from symbinv.network.network import Network
from symbinv.network.readers.reference import UNITS, check_parity, compare, evaluate, sample_inputs

NAMES = ["relu", "sigmoid", "tanh", "softplus", "leaky_relu(0.1)", "identity"]


def random_network(seed, depth, dtype, last="identity"):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 12, depth + 1)
    pairs = list(zip(sizes, sizes[1:], strict=False))
    weights = [rng.normal(0, rng.uniform(0.1, 3), (m, n)).astype(dtype) for n, m in pairs]
    biases = [rng.normal(0, 1, m).astype(dtype) for _, m in pairs]
    names = [*rng.choice(NAMES, depth - 1), last]
    return Network.from_arrays(weights, biases, names), weights, biases


def narrow(network, weights, biases, dtype):
    """The same map in another precision."""

    def run(x):
        a = x.astype(dtype)
        for layer, w, b in zip(network.layers, weights, biases, strict=True):
            a = layer.activation.numeric(a @ w.T + b).astype(dtype)
        return a.astype(float)

    return run


@settings(max_examples=80)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.sampled_from(["float32", "float64"]), st.booleans())
def test_a_runtime_of_lower_precision_is_never_taken_for_another_map(seed, depth, dtype, softmax):
    network, weights, biases = random_network(seed, depth, dtype, "softmax" if softmax else "identity")
    note = check_parity(network, narrow(network, weights, biases, dtype), dtype, "numpy")
    assert note == "checked against numpy at 3 points"


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_a_changed_weight_is_noticed_in_networks_of_eight_layers_and_fewer(depth):
    rng = np.random.default_rng(depth)
    weights = [rng.normal(0, 0.6, (6, 6)).astype("f4") for _ in range(depth)]
    biases = [rng.normal(0, 0.5, 6).astype("f4") for _ in range(depth)]
    names = ["tanh"] * (depth - 1) + ["identity"]
    network = Network.from_arrays(weights, biases, names)
    changed = [w.copy() for w in weights]
    changed[0][0, 0] += np.float32(0.05)
    with pytest.raises(
        ReadError, match=r"must agree with numpy, not give \[.*\] where numpy gives \[.*\], at the input"
    ):
        check_parity(network, narrow(network, changed, biases, "float32"), "float32", "numpy")


def test_another_slope_is_noticed():
    one, two = (Network.from_arrays([[[1.0]]], [[0.0]], [f"leaky_relu({slope})"]) for slope in ("0.1", "0.101"))
    x = np.array([[-3.0]])
    with pytest.raises(ReadError):
        compare(one, x, two.forward(x), "float32", "another")


def test_outputs_of_another_shape_are_an_error():
    network = Network.from_arrays([[[1.0]]], [[0.0]], ["relu"])
    with pytest.raises(ReadError, match=r"another gives outputs of shape \(1, 2\), the network that was read \(1, 1\)"):
        compare(network, np.ones((1, 1)), np.ones((1, 2)), "float32", "another")


def test_points_lie_in_the_box_and_the_estimate_is_not_negative():
    network = Network.from_arrays([[[1, 2]]], [[0]], ["sigmoid"], box=[[5, 6], [-1, -1]])
    points = sample_inputs(network)
    assert ((points >= [5, -1]) & (points <= [6, -1])).all()
    assert (evaluate(network, points, UNITS["float32"])[1] >= 0).all()
