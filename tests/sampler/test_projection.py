import numpy as np
import pytest

import symbinv as si


def test_projected_points_lie_on_the_fiber_inside_the_box(data):
    folder = data / "trained"
    network = si.load(folder / "wine_logistic_13-8-5-3.npz")
    arrays = np.load(folder / "wine_logistic_13-8-5-3.npz")
    box = np.stack([arrays["x_star"] - 3, arrays["x_star"] + 3], axis=1)
    samples = si.compile_sampler(si.invert(network, arrays["y_star"])).draw(500, method="project", box=box, seed=0)
    assert len(samples) == 500
    assert samples.residual.max() < 1e-9
    assert ((samples.points >= box[:, 0]) & (samples.points <= box[:, 1])).all()
    assert "not uniform" in samples.report.law
    sampler = si.compile_sampler(si.invert(network, arrays["y_star"]))
    # next to saturation the logit of a rounded activation says little about its pre-activation
    first, second = network.layers[:2]
    a = first.activation.numeric(samples.points @ first.float_weights.T + first.float_bias)
    b = second.activation.numeric(a @ second.float_weights.T + second.float_bias)
    clear = (np.minimum(a, 1 - a) > 1e-4).all(axis=1) & (np.minimum(b, 1 - b) > 1e-4).all(axis=1)
    assert clear.sum() > 50
    assert np.allclose(sampler.backward(samples.free[clear]), samples.points[clear], atol=1e-6)


def test_a_zero_dimensional_preimage_returns_each_solution_once():
    network = si.Network.from_arrays([[[2, 1], [1, 1]], [[1, 0], [1, 1]]], [[0, 0], [0, 0]], ["tanh", "identity"])
    inverse = si.invert(network, ["1/2", "1/4"])
    samples = si.compile_sampler(inverse).draw(50, method="project", box=[[-4, 4]] * 2, seed=0)
    assert inverse.dimension == 0
    assert len(samples) == 1
    assert np.allclose(samples.points[0], [float(v) for v in inverse.verdict.witness])


def test_a_box_is_needed_and_the_error_says_why():
    network = si.Network.from_arrays([[[1, 2]], [[1]]], [[0], [0]], ["tanh", "identity"])
    with pytest.raises(si.OptionError, match="box="):
        si.compile_sampler(si.invert(network, ["1/2"])).draw(5, method="project")


def test_residuals_are_those_of_the_points_as_returned():
    network = si.Network.from_arrays([[[1, 2, -1]], [[2]]], [[0.5], [0]], ["tanh", "identity"])
    sampler = si.compile_sampler(si.invert(network, ["0.3"]))
    for dtype, least, most in (("float64", 0, 1e-12), ("float32", 1e-9, 1e-6)):
        samples = sampler.draw(300, method="project", box=[[-1, 1]] * 3, seed=0, dtype=dtype)
        assert samples.points.dtype == dtype and set(samples.status) == {"numeric"}
        again = np.abs(network.forward(samples.points.astype(float)) - 0.3).max(axis=1)
        np.testing.assert_allclose(samples.residual, again, atol=1e-15)
        assert least <= samples.residual.max() <= most
