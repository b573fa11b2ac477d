"""Deep networks: no recursion error, and work that grows with depth, not with two to its power."""

from fractions import Fraction

import numpy as np
import pytest

import symbinv as si
from symbinv.derivation.derive import derive

HADAMARD = [[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]


def network(depth, activation, scale, bias):
    weights = [[[v * Fraction(scale) for v in row] for row in HADAMARD]] * depth
    return si.Network.from_arrays(weights, [bias] * depth, [activation] * depth)


def test_two_hundred_leaky_relu_layers_are_inverted_exactly_and_printed():
    deep = network(200, "leaky_relu(9/10)", "1/2", ["1/10"] * 4)
    inverse = si.invert(deep, [1, 2, 3, 4])
    assert (inverse.verdict.claim, inverse.dimension) == ("exact", 0)
    assert deep.forward(inverse.verdict.witness) == inverse.target
    assert np.isfinite(si.compile_sampler(inverse).backward(np.zeros((1, 0)))).all()
    assert len(si.to_latex(inverse)) < 200 * 6000
    assert len(si.to_text(inverse).splitlines()) > 200


def test_sixty_sigmoid_layers_are_inverted_and_printed():
    deep = network(60, "sigmoid", 2, [-4, 0, 0, 0])
    y = deep.forward(np.array([0.5, 0.4, 0.6, 0.5]))
    inverse = si.invert(deep, y)
    assert (inverse.verdict.claim, inverse.dimension) == ("certified", 0)
    assert np.abs(deep.forward(np.array(inverse.verdict.witness)) - y).max() < 1e-12
    assert si.compile_sampler(inverse).backward(np.zeros((1, 0))).shape == (1, 4)
    assert len(si.to_latex(inverse)) < 60 * 6000


@pytest.mark.parametrize("activation", ["sigmoid", "leaky_relu", "tanh"])
def test_the_derivation_grows_in_proportion_to_depth(activation):
    lengths = [len(derive(si.invert(network(d, activation, "1/2", [0] * 4))).steps) for d in (10, 20, 40)]
    assert lengths[2] - lengths[1] == 2 * (lengths[1] - lengths[0])
    texts = [len(si.to_latex(si.invert(network(d, activation, "1/2", [0] * 4)))) for d in (10, 20, 40)]
    assert texts[2] < 2.3 * texts[1]


def test_a_symbolic_network_of_many_layers_keeps_its_names():
    inverse = si.invert(si.Network.generic([3] * 31, ["tanh"] * 30))
    assert len(inverse.steps) == 30
    assert "w^{(30)}_{11}" in si.to_latex(inverse)
