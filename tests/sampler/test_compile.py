import numpy as np
import pytest
import sympy

import symbinv as si

SIZES = [(3, 2), (4, 3, 2), (5, 3, 3), (2, 3)]


def random_network(sizes, activation="tanh", seed=0):
    rng = np.random.default_rng(seed)
    weights = [rng.integers(-8, 9, size=(m, n)) / 8 for n, m in zip(sizes, sizes[1:], strict=False)]
    biases = [rng.integers(-4, 5, size=m) / 8 for m in sizes[1:]]
    return si.Network.from_arrays(weights, biases, [activation] * len(weights))


@pytest.mark.parametrize("sizes", [(3, 2), (4, 2), (4, 3, 2), (5, 4, 3)], ids=str)
@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "softplus", "leaky_relu(1/4)", "identity"])
def test_matrix_kernels_agree_with_the_scalar_closed_form(sizes, activation):
    network = random_network(sizes, activation)
    x = np.linspace(-0.5, 0.5, sizes[0])
    inverse = si.invert(network, network.forward(x))
    sampler = si.compile_sampler(inverse)
    free = sampler.free_of(x)
    scalar = sympy.lambdify(inverse.free_variables, list(inverse.expand()), "mpmath")
    assert np.allclose(sampler.backward(free)[0], [float(v) for v in scalar(*free[0])], rtol=1e-8, atol=1e-8)
    assert np.allclose(sampler.backward(free)[0], x, atol=1e-6)


def test_a_target_may_be_given_at_run_time_for_every_row():
    network = random_network((3, 2))
    sampler = si.compile_sampler(si.invert(network))
    targets = np.array([[0.1, 0.2], [-0.3, 0.4]])
    x = sampler.backward([[0.0], [1.0]], targets)
    assert np.allclose(network.forward(x), targets)
    with pytest.raises(si.InexactError, match="backward\\(free, target\\)"):
        sampler.backward([[0.0]])


def test_values_that_leave_an_image_give_rows_of_nan():
    network = random_network((4, 3, 2))
    inverse = si.invert(network, network.forward(np.full(4, 0.1)))
    sampler = si.compile_sampler(inverse)
    points, lost = sampler.trace(np.array([[50.0, 0.0], sampler.free_of(np.full(4, 0.1))[0]]))
    assert np.isnan(points[0]).all()
    assert np.isfinite(points[1]).all()
    assert lost.tolist() == [1, 0]


def test_the_source_is_the_generated_text():
    source = si.compile_sampler(si.invert(random_network((4, 3, 2)), [0.1, 0.2])).source
    assert "# layer 2" in source
    assert "# layer 1" in source
    assert "def " in source


def test_bad_shapes_are_named():
    sampler = si.compile_sampler(si.invert(random_network((3, 2)), [0.1, 0.2]))
    with pytest.raises(si.ShapeError, match=r"free must have shape \(k, 1\)"):
        sampler.backward([[1.0, 2.0]])
    with pytest.raises(si.ShapeError, match="target must have shape"):
        sampler.backward([[1.0]], [[0.1, 0.2, 0.3]])


def test_symbolic_weights_have_no_numeric_form():
    with pytest.raises(si.NotSupportedError, match="weights must be numbers"):
        si.compile_sampler(si.invert(si.Network.generic([3, 2], ["tanh"]), ["1/2", "1/2"]))


def test_blocks_do_not_change_the_result():
    network = random_network((4, 3, 2))
    x = np.random.default_rng(0).normal(size=(5000, 4)) / 5
    inverse = si.invert(network)
    sampler = si.compile_sampler(inverse)
    free, y = sampler.free_of(x), network.forward(x)
    whole = sampler.backward(free, y)
    assert np.allclose(whole, x, atol=1e-8)
    assert np.allclose(whole[4096:], sampler.backward(free[4096:], y[4096:]))
