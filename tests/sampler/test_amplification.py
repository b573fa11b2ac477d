"""The report on error amplification: predictions that hold, and conditions that are those of the matrices."""

import numpy as np
import pytest

import symbinv as si
from symbinv.sampler.amplification import error_amplification

from .walk_cases import trained


def test_predicted_errors_bound_the_achieved_ones_on_a_trained_network():
    network, y, box = trained("wine_tanh_13-8-5-3")
    sampler = si.compile_sampler(si.invert(network, y.tolist(), box=box))
    samples = sampler.draw(500, method="project", seed=0)
    report = error_amplification(sampler, samples)
    seen = np.isfinite(report.achieved)
    assert seen.mean() > 0.5
    assert (report.achieved[seen] <= 100 * report.predicted[seen]).mean() > 0.99
    assert [a.layer for a in report.layers] == [3, 2, 1]
    assert "nearest to saturation" in report.to_text()


def test_an_ill_conditioned_layer_is_named():
    tiny = 2.0**-30
    network = si.Network.from_arrays([[[1, 1, 0], [1, 1 + tiny, 0]]], [[0, 0]], ["tanh"], box=[[-1, 1]] * 3)
    target = network.forward(np.array([0.1, 0.2, 0.3])).tolist()
    sampler = si.compile_sampler(si.invert(network, target))
    samples = sampler.draw(10, method="random", seed=0)
    assert len(samples) == 10 and samples.residual.max() <= 1e-12
    report = error_amplification(sampler, samples)
    exact = np.linalg.cond(np.array([[1, 1], [1, 1 + tiny]]))
    assert report.layers[0].condition == pytest.approx(exact, rel=1e-6)
    direction = np.abs(report.layers[0].direction)
    np.testing.assert_allclose(direction, np.full(2, np.sqrt(0.5)), atol=1e-6)
    assert report.layers[0].is_precise and "in twice the precision" in report.to_text()
    assert report.residual.max() <= 1e-12


def test_the_floor_is_what_rounding_the_inputs_does_and_no_residual_is_promised_below_it():
    network = si.Network.from_arrays(
        [[[1e6, -1e6, 1.0]], [[2.0]]], [[0.0], [0.0]], ["tanh", "identity"], box=[[-1, 1]] * 3
    )
    sampler = si.compile_sampler(si.invert(network, ["0.5"]))
    samples = sampler.draw(200, method="project", seed=0)
    report = error_amplification(sampler, samples)
    half = np.abs(samples.points) * 2.0**-53
    slope = 2 * (1 - 0.25**2)  # a = 0.25
    expected = slope * (half @ [1e6, 1e6, 1.0])
    np.testing.assert_allclose(report.floor, expected, rtol=1e-6)
    assert report.floor.max() > 1e-12
    assert report.residual.max() <= 20 * report.floor.max()


def test_near_a_turning_point_the_error_is_divided_by_the_slope_of_the_branch():
    network = si.Network.from_arrays([[[1, 0], [0, 1]], [[1, 1]]], [[0, 0], [0]], ["silu", "identity"])
    predicted = []
    for x in ([-1.27, 0.3], [1.0, 0.3]):  # silu turns at -1.2785; its slope at -1.27 is about 1/300
        inverse = si.invert(network, network.forward(np.array([x]))[0].tolist(), at=x)
        sampler = si.compile_sampler(inverse)
        (free,) = np.ravel(sampler.free_of(np.array(x))).tolist()
        points = sampler.draw(50, method="random", ranges={"a^{(1)}_2": (free - 1e-6, free + 1e-6)}, seed=0)
        report = error_amplification(sampler, points)
        assert np.nanmax(report.achieved) <= 4 * report.predicted.max()
        predicted.append(report.predicted.max())
    assert predicted[0] > 50 * predicted[1]
