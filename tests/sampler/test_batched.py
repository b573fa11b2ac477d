"""Many networks at once: against NumPy's solver, against the exact inverse, and where pivots vanish."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symbinv.errors import NotSupportedError, ShapeError
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


def test_another_strategy_with_swaps_compiles_to_the_same_points():
    import sympy

    from symbinv.algebra.elimination import reduce_rows
    from symbinv.sampler.batched import _compile

    inverse = invert(Network.generic([3, 3], ["softmax"]))
    step = inverse.steps[0]
    joint = sympy.Matrix.hstack(sympy.Matrix(step.weights.to_sympy()), -sympy.ones(3, 1))
    other = reduce_rows(joint, strategy="fewest_provisos")
    from dataclasses import replace

    program = _compile(replace(step, reduction=other))
    rng = np.random.default_rng(6)
    W = rng.standard_normal((20, 3, 3))
    from symbinv.sampler.batched import _refined, _Scratch

    matrix = np.concatenate([np.moveaxis(W, 0, -1), np.full((3, 1, 20), -1.0)], axis=1)
    r, free = rng.standard_normal((3, 20)), rng.standard_normal((1, 20))
    x, _ = _refined(program, matrix, r, free, _Scratch(0))
    assert np.allclose(np.einsum("ijk,jk->ik", matrix, x), r, atol=1e-9)


# -- errors -------------------------------------------------------------------------------------------


def test_only_distinct_symbols_are_compiled():
    with pytest.raises(NotSupportedError, match="weights of layer 1 must be distinct symbols"):
        compile_batched(invert(Network.from_arrays([[[1, 2]]], [[0]], ["sigmoid"])))


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
