"""Networks trained on real data: their own outputs are inverted and lead back to their own inputs."""

import numpy as np
import pytest

import symbinv as si

from ..conftest import DATA

SMOOTH = sorted(
    p.stem
    for p in (DATA / "trained").glob("*.npz")
    if any(kind in p.name for kind in ("logistic", "tanh", "identity", "sigmoid")) and "xy" not in p.name
)


def load(name):
    arrays = np.load(DATA / "trained" / f"{name}.npz", allow_pickle=False)
    return si.load(DATA / "trained" / f"{name}.npz"), arrays["x_star"], arrays["y_star"]


@pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is absent")
@pytest.mark.parametrize("name", SMOOTH or ["absent"])
def test_the_output_of_a_real_input_is_inverted_to_that_input(name):
    network, x, y = load(name)
    inverse = si.invert(network, y)
    assert isinstance(inverse.verdict, si.NonEmpty)
    assert inverse.verdict.claim in ("exact", "certified")
    sizes, ranks = network.sizes, [layer.weights.rank() for layer in network.layers]
    shift = 1 if network.layers[-1].activation.has_shift else 0
    if shift:
        last = network.layers[-1].weights
        shift -= last.beside(si.ExactMatrix([[-1]] * last.rows)).rank() - last.rank()
    expected = sum(n - r for n, r in zip(sizes, ranks, strict=False)) + shift
    assert len(inverse.free_variables) == expected
    sampler = si.compile_sampler(inverse)
    back = sampler.backward(sampler.free_of(x))[0]
    assert (np.abs(back - x) <= 1e-6 * (1 + np.abs(x))).all()
    assert np.abs(network.forward(back) - y).max() <= 1e-10


@pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is absent")
@pytest.mark.parametrize("name", ["wine_relu_13-8-5-3", "bc_relu_30-12-4-1", "iris_relu_4-10-3"])
def test_a_relu_network_is_inverted_inside_the_pattern_of_a_real_input(name):
    network, x, y = load(name)
    inverse = si.invert(network, y, at=x)
    assert isinstance(inverse.verdict, si.NonEmpty)
    assert inverse.verdict.residual < 1e-9
