"""The walk's points against laws found by other means; false-alarm rate 1e-4 a test, seeds fixed."""

import numpy as np
import pytest
from scipy import integrate, optimize, stats

import symbinv as si
from symbinv.sampler.diagnostics import effective_size
from symbinv.sampler.walks.chart import gaussian

from .walk_cases import TRAINED, energy_distance_test, trained

RATE = 1e-4
EYE = 1e-6 * np.eye(4)


def critical(comparisons):
    """Two-sided critical z for that many comparisons at the false-alarm rate."""
    return stats.norm.isf(RATE / comparisons / 2)


def random_line_roots(inverse, box, lines, rng, grid=160):
    """Return all roots of a one-row constraint on isotropic random lines through the box, with weights.

    A line through a uniform point in a uniform direction meets a surface at area-uniform points (Crofton) when
    each root is weighted by one over the length of its line inside the box.
    """
    c = inverse.constraint
    low, high = box.T
    origin = low + (high - low) * rng.uniform(size=(lines, len(low)))
    way = rng.normal(size=origin.shape)
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    ends = np.sort(np.stack([(low - origin) / way, (high - origin) / way]), axis=0)
    begin, end = ends[0].max(axis=1), ends[1].min(axis=1)
    t = begin[:, None] + (end - begin)[:, None] * np.linspace(0, 1, grid)
    values = c.evaluate((origin[:, None] + t[:, :, None] * way[:, None]).reshape(-1, len(low))).reshape(lines, grid)
    i, j = np.nonzero(values[:, :-1] * values[:, 1:] < 0)
    left, right, sign = t[i, j], t[i, j + 1], values[i, j]
    for _ in range(50):
        middle = 0.5 * (left + right)
        same = c.evaluate(origin[i] + middle[:, None] * way[i])[:, 0] * sign > 0
        left, right = np.where(same, middle, left), np.where(same, right, middle)
    weights = 1 / (end - begin)[i]
    return origin[i] + left[:, None] * way[i], weights / len(weights)


def pre_activation_gaps(network, y, x):
    """Return differences of a softmax layer's pre-activations less those of the target, from the arrays alone."""
    a = x
    for layer in network.layers[:-1]:
        z = a @ layer.float_weights.T + layer.float_bias
        a = np.tanh(z) if "tanh" in layer.activation.label else 1 / (1 + np.exp(-z))
    z = a @ network.layers[-1].float_weights.T + network.layers[-1].float_bias
    return z[:, 1:] - z[:, :1] - np.log(y[1:] / y[0])


def differences(network, y, x):
    """Return the Jacobian of `pre_activation_gaps` by central differences, (k, rows, 4)."""
    sides = [pre_activation_gaps(network, y, x + h) - pre_activation_gaps(network, y, x - h) for h in EYE]
    return np.stack(sides, axis=2) / 2e-6


def compare(points, ess, truth, weights, rng):
    """Compare means by z-tests and the laws by the energy distance."""
    mean = weights @ truth
    variance = weights @ (truth - mean) ** 2
    error = np.sqrt(points.var(axis=0) / ess + variance * (weights**2).sum())
    z = np.abs(points.mean(axis=0) - mean) / error
    assert z.max() < critical(len(z))
    scale = np.sqrt(variance)
    a = points[rng.choice(len(points), 400, replace=False)] / scale
    b = truth[rng.uniform(size=len(truth)) < weights / weights.max()][:400] / scale
    assert len(b) >= 60
    assert energy_distance_test(a, b, rng) > RATE


def test_the_walk_agrees_with_random_lines_on_a_trained_network():
    network, y, box = trained("bc_logistic_30-12-4-1")
    inverse = si.invert(network, y.tolist(), box=box)
    rng = np.random.default_rng(5)
    parts = [random_line_roots(inverse, box, 10_000, rng, grid=40) for _ in range(10)]
    roots, weights = np.concatenate([p[0] for p in parts]), np.concatenate([p[1] * len(p[1]) for p in parts])
    weights /= weights.sum()
    samples = si.compile_sampler(inverse).draw(10_000, seed=2)
    assert samples.report.r_hat.max() <= 1.01
    compare(samples.points, samples.report.ess, roots, weights, rng)


@pytest.mark.parametrize("measure", ["surface", "conditional"])
def test_the_walk_agrees_with_rejection_in_a_thin_shell(measure):
    # steep enough that the means under the two measures lie ten standard errors apart
    network = si.Network.from_arrays(
        [[[4, -2, 1], [0.6, 3, -4], [2, 2, 2]], [[1.5, -2, 1]]], [[0.1, -0.2, 0.3], [0.1]], ["tanh", "sigmoid"]
    )
    box = np.array([[-1.0, 1.0]] * 3)
    inverse = si.invert(network, ["0.6"], box=box.tolist())
    rng = np.random.default_rng(6)
    draws = rng.uniform(-1, 1, size=(400_000, 3))
    shell = draws[np.abs(inverse.constraint.evaluate(draws)[:, 0]) < 0.01]
    weights = np.ones(len(shell))
    if measure == "surface":
        weights = np.linalg.norm(inverse.constraint.linearize(shell)[1][:, 0], axis=1)
    samples = si.compile_sampler(inverse).draw(10_000, seed=2, measure=measure)
    assert samples.report.r_hat.max() <= 1.01
    compare(samples.points, samples.report.ess, shell, weights / weights.sum(), rng)


def test_the_area_of_a_curved_fiber_agrees_with_numerical_integration():
    network = si.Network.from_arrays(
        [[[1.0, 0.5], [-2, 1.5]], [[2, 1.5]]], [[0.2, -0.3], [-1.4]], ["sigmoid", "sigmoid"]
    )
    box = np.array([[-2.0, 2.0]] * 2)
    inverse = si.invert(network, ["0.6"], box=box.tolist())

    def c(x1, x2):
        return float(inverse.constraint.evaluate(np.array([[x1, x2]]))[0, 0])

    grid, kept = np.linspace(-2, 2, 1201), []
    for x1 in grid:  # the fiber is a graph over x1 where c changes sign from bottom to top
        if c(x1, -2.0) * c(x1, 2.0) < 0:
            x2 = optimize.brentq(lambda t, x1=x1: c(x1, t), -2.0, 2.0, xtol=1e-13)
            g = inverse.constraint.linearize(np.array([[x1, x2]]))[1][0, 0]
            kept.append((x1, x2, np.hypot(*g) / abs(g[1])))
    x1, x2, length = np.array(kept).T
    mean = integrate.trapezoid(x1 * length, x1) / integrate.trapezoid(length, x1)
    samples = si.compile_sampler(inverse).draw(10_000, seed=4)
    size = samples.report.ess[0]
    assert abs(samples.points[:, 0].mean() - mean) < critical(1) * samples.points[:, 0].std() / np.sqrt(size)


def test_the_chart_measure_is_uniform_in_the_free_variables():
    # sigmoid(x1 + x2) with the target 1/2 on [-1, 1]^2 is the line x1 = -x2: x2 is free and uniform on [-1, 1]
    network = si.Network.from_arrays([[[1, 3]]], [[0]], ["sigmoid"], box=[[-1, 1]] * 2)
    samples = si.compile_sampler(si.invert(network, ["0.5"])).draw(8000, seed=1, measure="chart")
    assert samples.report.measure == "chart" and "free are x_2" in samples.report.to_text()
    # |x1| = 3 |x2| <= 1
    assert np.abs(samples.weights @ samples.free[:, 0] ** 2 - 1 / 27) < 0.002
    assert samples.weights.sum() == pytest.approx(1)


def test_a_draw_is_the_same_for_the_same_seed_and_differs_for_another():
    network = si.Network.from_arrays([[[1, 2, -1]]], [[0]], ["sigmoid"], box=[[-1, 1]] * 3)
    sampler = si.compile_sampler(si.invert(network, ["0.5"]))
    first, again, other = (sampler.draw(500, seed=s).points for s in (1, 1, 2))
    assert (first == again).all() and (first != other).any()


def test_constant_inputs_and_sides_without_width_stand_still():
    network = si.Network.from_arrays([[[1, 2, -1, 0]], [[1.5]]], [[0], [0]], ["tanh", "sigmoid"])
    box = [[-1, 1], [0.25, 0.25], [-1, 1], [3, 3]]
    samples = si.compile_sampler(si.invert(network, ["0.5"], box=box)).draw(1000, seed=1)
    assert (samples.points[:, 1] == 0.25).all() and (samples.points[:, 3] == 3).all()
    assert samples.residual.max() < 1e-12 and samples.report.r_hat[1] == 1


def test_without_a_box_a_base_measure_is_asked_for_and_taken():
    network = si.Network.from_arrays([[[1, 2, -1]], [[1.5]]], [[0], [0]], ["tanh", "sigmoid"])
    sampler = si.compile_sampler(si.invert(network, ["0.5"]))
    with pytest.raises(si.OptionError, match="infinite area"):
        sampler.draw(10)
    samples = sampler.draw(2000, seed=1, base=gaussian(0, 2))
    assert samples.report.base == "gaussian(0, 2)"
    assert effective_size(samples.points[:, :1, None])[0] > 0
    # on the plane x1 + 2 x2 - x3 = 0 the normal keeps variance 4 (1 - w^2 / 6)
    np.testing.assert_allclose(samples.points.var(axis=0), 4 * (1 - np.array([1, 4, 1]) / 6), rtol=0.2)


def test_float32_and_unknown_options():
    network = si.Network.from_arrays([[[1, 2, -1]]], [[0]], ["sigmoid"], box=[[-1, 1]] * 3)
    sampler = si.compile_sampler(si.invert(network, ["0.5"]))
    assert sampler.draw(100, seed=1, dtype="float32").points.dtype == np.float32
    with pytest.raises(si.OptionError, match="measure must be one of"):
        sampler.draw(10, measure="volume")
    with pytest.raises(si.OptionError, match="dtype must be"):
        sampler.draw(10, dtype="float16")


@pytest.mark.parametrize(
    ("name", "measure", "at", "half", "thin"),
    [
        ("iris_logistic_4-4-3", "conditional", np.zeros(4), 0.3, 0.08),
        ("iris_tanh_4-10-3", "surface", None, 0.15, 0.06),
    ],
)
def test_the_walk_agrees_with_rejection_on_trained_networks_in_small_boxes(name, measure, at, half, thin):
    network, y, _ = trained(name)
    if at is None:
        at = np.load(TRAINED / f"{name}.npz")["x_star"].ravel()
    else:
        y = network.forward(at)
    box = np.column_stack([at - half, at + half])
    rng = np.random.default_rng(8)
    draws = rng.uniform(box[:, 0], box[:, 1], size=(200_000, 4))
    values = pre_activation_gaps(network, y, draws)
    shell = draws[(np.abs(values) < thin * np.sqrt((values**2).mean(axis=0))).all(axis=1)]
    for _ in range(5):  # along the normal: what the two sides of the shell add cancels to first order
        jacobian = differences(network, y, shell)
        gap = pre_activation_gaps(network, y, shell)[:, :, None]
        shell = shell - (np.linalg.pinv(jacobian) @ gap)[:, :, 0]
    assert np.abs(pre_activation_gaps(network, y, shell)).max() < 1e-6
    weights = np.ones(len(shell))
    if measure == "surface":
        weights = np.sqrt(np.linalg.det(jacobian @ jacobian.transpose(0, 2, 1)))
    samples = si.compile_sampler(si.invert(network, y.tolist(), box=box)).draw(3000, seed=2, measure=measure)
    assert len(shell) > 200 and samples.report.r_hat.max() <= 1.01
    compare(samples.points, samples.report.ess, shell, weights / weights.sum(), rng)
