"""Hypothesis strategies shared by the tests."""

from fractions import Fraction

from hypothesis import strategies as st

import symbinv as si

short = st.fractions(-4, 4, max_denominator=4)


@st.composite
def matrices(draw, rows, columns, entries=short):
    return [[draw(entries) for _ in range(columns)] for _ in range(rows)]


ONE_TO_ONE = ("identity", "sigmoid", "tanh", "softplus", "leaky_relu(1/4)")


@st.composite
def networks(draw, activations=ONE_TO_ONE, depth=st.integers(1, 3), width=st.integers(1, 4), last=None):
    """Draw a network with short rational weights."""
    sizes = [draw(width) for _ in range(draw(depth) + 1)]
    names = [draw(st.sampled_from(activations)) for _ in sizes[1:]]
    if last:
        names[-1] = last
    weights = [draw(matrices(m, n)) for n, m in zip(sizes, sizes[1:], strict=False)]
    biases = [[draw(short) for _ in range(m)] for m in sizes[1:]]
    return si.Network.from_arrays(weights, biases, names)


@st.composite
def inputs(draw, network):
    return [draw(st.fractions(-2, 2, max_denominator=8)) for _ in range(network.sizes[0])]


def in_unit_interval(bits=20):
    return st.integers(1, 2**bits - 1).map(lambda n: Fraction(n, 2**bits))
