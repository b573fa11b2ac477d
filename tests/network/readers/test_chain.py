from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symbinv.errors import BudgetError, ShapeError
from symbinv.exact.matrix import ExactMatrix
from symbinv.network.activation import activation
from symbinv.network.network import Network
from symbinv.network.readers import limits
from symbinv.network.readers.chain import Chain

entries = st.fractions(-3, 3, max_denominator=5)


def by_hand(table, x):
    return [sum((w * v for w, v in zip(row, x, strict=True)), Fraction(0)) for row in table]


@st.composite
def steps(draw, width):
    """Random steps on a chain, and the same as functions on lists of Fractions."""
    found = []
    for _ in range(draw(st.integers(0, 6))):
        kind = draw(st.sampled_from(["weights", "map", "scale", "shift", "select", "relu", "maximum"]))
        if kind in ("weights", "map"):
            rows = draw(st.integers(1, 4))
            table = [[draw(entries) for _ in range(width)] for _ in range(rows)]
            sparse = draw(st.booleans())
            found.append((kind, (table, sparse)))
            width = rows
        elif kind in ("scale", "shift"):
            found.append((kind, [draw(entries) for _ in range(width)]))
        elif kind == "select":
            chosen = draw(st.lists(st.integers(-1, width - 1), min_size=1, max_size=5))
            found.append((kind, chosen))
            width = len(chosen)
        elif kind == "maximum":
            window = st.lists(st.integers(0, width - 1), min_size=1, max_size=4)
            windows = draw(st.lists(window, min_size=1, max_size=3))
            found.append((kind, windows))
            width = len(windows)
        else:
            found.append((kind, None))
    return found


def apply(chain, kind, value):
    if kind in ("weights", "map"):
        table, sparse = value
        matrix = ExactMatrix(table)
        if sparse:
            places = [(i, j) for i in range(matrix.rows) for j in range(matrix.columns)]
            rows, columns = zip(*places, strict=True)
            matrix = ExactMatrix.from_entries(matrix.shape, rows, columns, [table[i][j] for i, j in places])
        chain.apply(matrix, holds_weights=kind == "weights")
    elif kind == "scale":
        places = range(len(value))
        chain.apply(ExactMatrix.from_entries((len(value),) * 2, places, places, value))
    elif kind == "shift":
        chain.shift(ExactMatrix.column(value))
    elif kind == "select":
        chain.select(np.array(value))
    elif kind == "maximum":
        chain.maximum(value)
    else:
        chain.activate(activation("relu"))


def evaluate(kind, value, x):
    if kind in ("weights", "map"):
        return by_hand(value[0], x)
    if kind == "scale":
        return [f * v for f, v in zip(value, x, strict=True)]
    if kind == "shift":
        return [f + v for f, v in zip(value, x, strict=True)]
    if kind == "select":
        return [Fraction(0) if k < 0 else x[k] for k in value]
    if kind == "maximum":
        return [max(x[k] for k in window) for window in value]
    return [max(v, Fraction(0)) for v in x]


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_a_chain_of_layers_is_the_map_of_its_steps(data):
    width = data.draw(st.integers(1, 4))
    plan = data.draw(steps(width))
    chain = Chain(width)
    for kind, value in plan:
        apply(chain, kind, value)
    network = Network(chain.finish())
    for _ in range(3):
        x = [data.draw(entries) for _ in range(width)]
        y = x
        for kind, value in plan:
            y = evaluate(kind, value, y)
        assert list(network.forward(x)) == y


def test_what_is_known_not_to_be_negative_is():
    chain = Chain(3)
    chain.activate(activation("relu"))
    chain.select(np.array([2, -1, 0]))
    assert chain.nonnegative.all()
    chain.maximum([[0, 1], [2]])
    assert chain.nonnegative.all()
    chain.shift(ExactMatrix.column([1, -1]))
    assert not chain.nonnegative.any()


def test_a_maximum_of_one_known_and_one_unknown_value_is_known():
    chain = Chain(2)
    chain.activate(activation("relu"))
    chain.apply(ExactMatrix([[1, -1], [0, 1]]))
    chain.nonnegative = np.array([False, True])
    chain.maximum([[0, 1]])
    assert chain.nonnegative.all()
    assert [layer.weights.rows for layer in chain.finish()] == [2, 2, 1]


def test_a_chain_without_steps_is_the_identity():
    (layer,) = Chain(2).finish()
    assert layer.weights == ExactMatrix.identity(2)
    assert layer.activation.name == "identity"


def test_sizes_are_checked_before_anything_is_allocated():
    with pytest.raises(BudgetError, match=r"the input must have at most 65536 entries, .* raise symbinv\.network"):
        Chain(limits.MAX_WIDTH + 1)
    with pytest.raises(ShapeError, match="must take the 2 values before it, not 3"):
        Chain(2).apply(ExactMatrix([[1, 2, 3]]))
    with pytest.raises(ShapeError, match="one entry per value"):
        Chain(2).shift(ExactMatrix.column([1]))
    with pytest.raises(ShapeError, match="at least one value"):
        Chain(2).maximum([[]])


def test_a_large_network_is_held_without_an_object_per_weight(tmp_path):
    from symbinv.network.readers.load import load

    sizes = (784, 256, 128, 10)
    rng = np.random.default_rng(0)
    arrays = {"activations": "relu,relu,softmax"}
    for i, (n, m) in enumerate(zip(sizes, sizes[1:], strict=False), start=1):
        arrays |= {f"W{i}": rng.standard_normal((m, n)), f"b{i}": rng.standard_normal(m)}
    np.savez(tmp_path / "large.npz", **arrays)
    for layer in load(tmp_path / "large.npz").layers:
        assert layer.weights._doubles is not None
        assert layer.weights._rational is None
        assert layer.weights._symbolic is None
