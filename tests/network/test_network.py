import flint
import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import symbinv as si

from ..strategies import networks

SMOOTH = ("identity", "sigmoid", "tanh", "softplus", "leaky_relu(1/4)", "relu")


@given(networks(activations=SMOOTH), st.data())
@settings(max_examples=40, deadline=None)
def test_exact_numpy_and_ball_maps_agree(network, data):
    x = [data.draw(st.fractions(-2, 2, max_denominator=8)) for _ in range(network.sizes[0])]
    floats = network.forward(np.array([float(v) for v in x]))
    with mpmath.workdps(40), flint.ctx.workprec(128):
        exact = [mpmath.mpf(str(v.evalf(40))) for v in network.forward(x)]
        balls = network.forward_ball(x)
        for value, near, ball in zip(exact, floats, balls, strict=True):
            assert abs(value - near) < 1e-12 * (1 + abs(value))
            assert abs(ball - flint.arb(mpmath.nstr(value, 35))) < 1e-30 * (1 + abs(float(value)))


def test_softmax_of_extreme_values_neither_overflows_nor_warns():
    network = si.Network.from_arrays([[[1, 0], [0, 1]]], [[0, 0]], ["softmax"])
    assert network.forward(np.array([[1e4, -1e4]])).tolist() == [[1.0, 0.0]]
    assert network.forward(np.array([[-1e308, -1e308]])).tolist() == [[0.5, 0.5]]


def test_sigmoid_of_extreme_values_neither_overflows_nor_warns():
    network = si.Network.from_arrays([[[1]]], [[0]], ["sigmoid"])
    assert network.forward(np.array([[-1e4], [1e4]])).ravel().tolist() == [0.0, 1.0]


def test_generic_names_are_the_papers():
    one = si.Network.generic([3, 2], ["sigmoid"]).layers[0]
    assert str(one.weights[1, 2]) == "w_{23}"
    assert str(one.bias[0, 0]) == "b_1"
    two = si.Network.generic([12, 2, 1], ["sigmoid", "tanh"]).layers
    assert str(two[0].weights[0, 11]) == "w^{(1)}_{1,12}"
    assert str(two[1].bias[0, 0]) == "b^{(2)}_1"


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (([], [], []), si.ShapeError, "at least one layer"),
        (([[[1, 2]]], [[0, 0]], ["tanh"]), si.ShapeError, r"layer 1: .*one entry per output \(1\), not 2"),
        (([[[1, 2]], [[1, 1]]], [[0], [0]], ["tanh", "tanh"]), si.ShapeError, "layer 2 must take the 1 outputs"),
        (([[[1, float("nan")]]], [[0]], ["tanh"]), si.InexactError, "layer 1: .*finite"),
        (([[[1, float("inf")]]], [[0]], ["tanh"]), si.InexactError, "finite"),
        (([[[1, 2]]], [[0]], ["swoosh"]), si.OptionError, "layer 1: activation must be one of .*sigmoid.*'swoosh'"),
        (([[[1, 2], [3]]], [[0, 0]], ["tanh"]), si.ShapeError, "same length"),
        (([[]], [[]], ["tanh"]), si.ShapeError, "at least one input"),
        (([[[]]], [[0]], ["tanh"]), si.ShapeError, "at least one input"),
        (([[1, 2]], [[0]], ["tanh"]), si.ShapeError, "two axes"),
        (([[[1, 2]]], [0], ["tanh"]), si.ShapeError, "vector"),
        (([[[1, 2]]], [[0]], [7]), si.OptionError, "a name or an Activation"),
        (([[[1, "x);import os"]]], [[0]], ["tanh"]), si.InexactError, "number must look like"),
        (([[[1, 2]]], [[0], [1]], ["tanh"]), si.ShapeError, "one entry per layer"),
    ],
)
def test_bad_arrays_are_named(arguments, error, words):
    with pytest.raises(error, match=words):
        si.Network.from_arrays(*arguments)


def test_bad_inputs_and_boxes_are_named():
    network = si.Network.from_arrays([[[1, 2]]], [[0]], ["tanh"])
    with pytest.raises(si.ShapeError, match=r"shape \(k, 2\) or \(2,\)"):
        network.forward(np.zeros((3, 3)))
    with pytest.raises(si.ShapeError, match=r"one entry per input of the network \(2\), not 3"):
        network.forward([1, 2, 3])
    with pytest.raises(si.ShapeError, match="must not exceed"):
        si.invert(network, [0], box=[[1, 0], [0, 1]])
    with pytest.raises(si.ShapeError, match=r"shape \(2, 2\)"):
        si.invert(network, [0], box=[[0, 1]])
    with pytest.raises(si.ShapeError, match="positive integers"):
        si.Network.generic([3, 0], ["tanh"])
