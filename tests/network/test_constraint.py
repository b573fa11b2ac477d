import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import symbinv as si
from symbinv.network.constraint import project
from symbinv.network.krawczyk import PointCertificate, certify_point

from ..strategies import networks


@given(networks(activations=("sigmoid", "tanh", "softplus"), depth=st.integers(2, 3)), st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_the_jacobian_is_the_finite_difference(network, seed):
    x = np.random.default_rng(seed).normal(size=network.sizes[0])
    constraint = si.invert(network, network.forward(x)).constraint
    if constraint is None or not constraint.rows:
        return
    _, jacobian = constraint.linearize(x[None, :])
    step = 1e-6
    for j in range(len(x)):
        high, low = x.copy(), x.copy()
        high[j] += step
        low[j] -= step
        slope = (constraint.evaluate(high[None, :]) - constraint.evaluate(low[None, :]))[0] / (2 * step)
        assert np.allclose(slope, jacobian[0, :, j], rtol=1e-5, atol=1e-6)


@pytest.fixture
def constraint():
    rng = np.random.default_rng(1)
    network = si.Network.from_arrays(
        [rng.normal(size=(4, 5)), rng.normal(size=(2, 4))], [np.zeros(4), np.zeros(2)], ["tanh", "sigmoid"]
    )
    return si.invert(network, network.forward(np.full(5, 0.3))).constraint


def test_projection_reaches_the_fiber_and_stays_in_the_box(constraint):
    box = np.array([[-1.0, 1.0]] * 4 + [[0.3, 0.3]])
    starts = np.random.default_rng(0).uniform(box[:, 0], box[:, 1], size=(200, 5))
    found = project(constraint, starts, box=box)
    assert found.converged.mean() > 0.5
    good = found.points[found.converged]
    assert np.abs(constraint.evaluate(good)).max() < 1e-11
    assert ((good >= box[:, 0]) & (good <= box[:, 1])).all()
    assert (good[:, 4] == 0.3).all()


def test_a_point_on_the_fiber_is_certified_and_one_off_it_is_not(constraint):
    on = project(constraint, np.full((1, 5), 0.25)).points[0]
    certificate = certify_point(constraint, on)
    assert certificate is not None
    assert certificate.check(constraint)
    normal = constraint.linearize(on[None, :])[1][0].sum(axis=0)
    off = on + 10 * certificate.radius * normal / np.abs(normal).max()
    moved = PointCertificate(tuple(off), certificate.radius, certificate.moved, certificate.bits)
    assert not moved.check(constraint)


def test_a_certificate_of_another_network_does_not_check(constraint):
    on = project(constraint, np.full((1, 5), 0.25)).points[0]
    certificate = certify_point(constraint, on)
    stranger = si.invert(
        si.Network.from_arrays(
            [np.eye(5)[:4], [[1, 1, 1, 1], [1, 2, 3, 4]]], [np.zeros(4), np.ones(2)], ["tanh", "sigmoid"]
        ),
        [0.9, 0.99],
    ).constraint
    assert not certificate.check(stranger)
