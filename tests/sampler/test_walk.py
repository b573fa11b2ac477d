"""The walk: what one step must satisfy, and the law that many of them follow.

Statistical tests fix their seed and reject at |z| > 3.9, a false-alarm rate of 1e-4 each.
"""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate

import symbinv as si
from symbinv.network.fibermap import network_fiber
from symbinv.sampler.diagnostics import effective_size, split_r_hat
from symbinv.sampler.walks.chart import BoxChart, GaussianChart, gaussian
from symbinv.sampler.walks.gram import factor, gram, solve
from symbinv.sampler.walks.manifold import run_walk, warm_walk
from symbinv.sampler.walks.starts import take_to_manifold
from symbinv.sampler.walks.walk import Manifold

from .walk_cases import Torus, trained

FALSE_ALARM_Z = 3.9  # two-sided 1e-4


def walk_draws(fiber, chart, measure="surface", count=20_000, seed=1, **options):
    root = np.random.SeedSequence(seed)
    walk = warm_walk(fiber, chart, measure=measure, seed=root, **options)
    drawn = run_walk(walk, count, root.spawn(1)[0])
    return walk, drawn.x


def z_score(values, truth):
    """The z-score of a mean, values of shape (draws, chains): error from the effective size."""
    size = effective_size(values[:, None, :])[0]
    return (values.mean() - truth) / np.sqrt(values.var() / size)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 6), st.integers(0, 5), st.integers(0, 10_000))
def test_the_batched_factorisation_solves_every_chains_system(q, extra, seed):
    jacobian = np.random.default_rng(seed).normal(size=(q, q + extra, 7))
    matrix = gram(jacobian)
    inverse, log_det, good = factor(matrix.copy())
    right = np.random.default_rng(seed + 1).normal(size=(q, 7))
    whole = matrix.transpose(2, 0, 1)
    assert good.all()
    np.testing.assert_allclose(log_det, np.linalg.slogdet(whole)[1], rtol=1e-9, atol=1e-9)
    residual = np.einsum("abc,bc->ac", matrix, solve(inverse, right)) - right
    assert np.abs(residual).max() < 1e-9 * np.linalg.cond(whole).max()


def test_charts_agree_with_finite_differences():
    ends = np.array([[-1.0, 2.0], [0.5, 0.5], [3.0, 10.0]])
    for chart in (BoxChart(ends), GaussianChart(gaussian([1.0, 2, 3], [0.5, 0, 2]))):
        assert chart.moving.tolist() == [0, 2]
        u, h = np.array([[0.3, -4.0], [1.2, 5.0]]), 1e-6
        x, slope, force, _ = chart.open(u)
        np.testing.assert_allclose((chart.inputs(u + h) - chart.inputs(u - h)) / (2 * h), slope, rtol=1e-6)
        for j in range(2):
            e = np.zeros((2, 1))
            e[j] = h
            up, down = chart.open(u + e)[3], chart.open(u - e)[3]
            np.testing.assert_allclose((up - down) / (2 * h), force[j], rtol=1e-6, atol=1e-8)
        np.testing.assert_allclose(chart.free(x), u, rtol=1e-9)


def test_the_float_map_agrees_with_the_constraint_and_with_finite_differences():
    network = si.Network.from_arrays(
        [[[1, 2, -1], [0.5, -1, 2]], [[1, -2], [3, 1]], [[1, 1]]],
        [[0, 0.1], [0.2, 0], [0]],
        ["tanh", "sigmoid", "tanh"],
    )
    constraint = si.invert(network, ["0.6"]).constraint
    fixed = np.array([0.0, 0.3, 0.0])
    fiber = network_fiber(constraint, [0, 2], fixed)
    x = np.random.default_rng(0).normal(size=(2, 5))
    whole = np.column_stack([x[0], np.full(5, 0.3), x[1]])
    value, jacobian = constraint.linearize(whole)
    np.testing.assert_allclose(fiber.value(x), value.T, atol=1e-14)
    np.testing.assert_allclose(fiber.linearize(x)[1], jacobian[:, :, [0, 2]].transpose(1, 2, 0), rtol=1e-10)
    again = pickle.loads(pickle.dumps(fiber))
    assert (again.value(x) == fiber.value(x)).all()


def test_a_step_is_reversible_and_stays_on_the_manifold():
    manifold = Manifold(Torus(), BoxChart(np.array([[-2.0, 2.0]] * 3)), "surface")
    rng = np.random.default_rng(0)
    u, arrived = take_to_manifold(manifold, rng.logistic(size=(3, 200)))
    place = manifold.place(u[:, arrived])
    v = manifold.tangent(place, rng.standard_normal(place.u.shape))
    h = np.full(place.u.shape[1], 0.1)
    new, w, good = manifold.step(place, v, h, last=True)
    assert good.mean() > 0.5
    assert np.abs(manifold.value(new.u)[:, good]).max() < 1e-7
    back, minus_v, again = manifold.step(new, -w, h, last=True)
    both = good & again
    assert both.sum() >= 0.99 * good.sum()
    np.testing.assert_allclose(back.u[:, both], place.u[:, both], atol=1e-6)
    np.testing.assert_allclose(minus_v[:, both], -v[:, both], atol=1e-5)


def test_the_torus_is_covered_uniformly_by_area():
    torus = Torus()
    walk, x = walk_draws(torus, BoxChart(np.array([[-2.0, 2.0]] * 3)), count=20_000)
    cosine = (np.sqrt(x[:, 0] ** 2 + x[:, 1] ** 2) - 1.0) / 0.6
    assert abs(z_score(cosine, 0.6 / 2)) < FALSE_ALARM_Z  # area element (R + r cos) dcos-angle
    assert abs(z_score(x[:, 2], 0.0)) < FALSE_ALARM_Z
    assert walk.shares == (1.0,)


def test_the_conditional_measure_of_the_torus_divides_by_the_gradient():
    # |grad c| = 2 r is constant on the torus; for c (2 + x) in its place it is 2 r (2 + x)
    class Scaled(Torus):
        def value(self, x):
            return super().value(x) * (2 + x[0])

        def linearize(self, x):
            value, jacobian = Torus().linearize(x)
            outer = np.stack([1 + 0 * x[0], 0 * x[0], 0 * x[0]])[None]
            return value * (2 + x[0]), jacobian * (2 + x[0]) + value[:, None] * outer

    _, x = walk_draws(Scaled(), BoxChart(np.array([[-1.9, 1.9]] * 3)), measure="conditional", count=20_000)
    angle = np.linspace(0, 2 * np.pi, 20_001)
    rho = 1 + 0.6 * np.cos(angle)
    density = rho / np.sqrt(4 - rho**2)  # rho times the integral of 1 / (2 + rho cos phi) over phi
    truth = integrate.trapezoid(np.cos(angle) * density, angle) / integrate.trapezoid(density, angle)
    cosine = (np.sqrt(x[:, 0] ** 2 + x[:, 1] ** 2) - 1.0) / 0.6
    assert abs(z_score(cosine, truth)) < FALSE_ALARM_Z


def test_a_gaussian_base_weights_the_plane_by_its_density():
    network = si.Network.from_arrays([[[1, 1, 1]]], [[0]], ["identity"])
    constraint = si.invert(network, [3]).constraint
    chart = GaussianChart(gaussian(0.0, [1.0, 2.0, 3.0]))
    _, x = walk_draws(network_fiber(constraint, [0, 1, 2], np.zeros(3)), chart, count=40_000)
    variance = np.array([1.0, 4.0, 9.0])
    for j in range(3):  # the conditional normal: mean 3 v_j / sum v, variance v_j - v_j^2 / sum v
        assert abs(z_score(x[:, j], 3 * variance[j] / 14)) < FALSE_ALARM_Z
        centred = (x[:, j] - 3 * variance[j] / 14) ** 2
        assert abs(z_score(centred, variance[j] - variance[j] ** 2 / 14)) < FALSE_ALARM_Z


def test_r_hat_sees_chains_that_disagree_and_effective_size_sees_slow_ones():
    rng = np.random.default_rng(0)
    free = rng.normal(size=(200, 1, 64))
    assert split_r_hat(free)[0] < 1.01
    assert split_r_hat(free + 2 * rng.normal(size=(1, 1, 64)))[0] > 1.5
    assert split_r_hat(np.ones((200, 1, 64)))[0] == 1.0
    slow = np.zeros((2000, 1, 64))
    for t in range(1, 2000):  # correlation 0.9: autocorrelation time 19
        slow[t] = 0.9 * slow[t - 1] + np.sqrt(1 - 0.81) * rng.normal(size=(1, 64))
    assert effective_size(slow)[0] == pytest.approx(2000 * 64 / 19, rel=0.1)
    assert effective_size(free)[0] == pytest.approx(200 * 64, rel=0.1)


def test_points_of_a_trained_network_are_valid_and_come_back_from_their_free_variables():
    network, y, box = trained("wine_logistic_13-8-5-3")
    sampler = si.compile_sampler(si.invert(network, y.tolist(), box=box))
    samples = sampler.draw(2000, seed=3)
    assert samples.points.shape == (2000, 13) and samples.report.lost == {}
    assert samples.residual.max() <= 1e-12
    assert np.abs(sampler.inverse.constraint.evaluate(samples.points)).max() <= 1e-12
    assert (samples.points >= box[:, 0]).all() and (samples.points <= box[:, 1]).all()
    assert samples.report.r_hat.max() <= 1.01 and samples.report.ess.min() > 1000
    assert "surface" in samples.report.to_text()
    # a saturated hidden unit hides its pre-activation in the last bits of a: there the round trip must lose digits
    gap = np.abs(sampler.backward(samples.free) - samples.points).max(axis=1)
    assert np.median(gap) < 1e-10 and np.mean(gap < 1e-6) > 0.9
    assert samples.weights.sum() == pytest.approx(1)
