import numpy as np
import pytest
import sympy

import symbinv as si
from symbinv.sampler import blocks

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


@pytest.fixture
def wide():
    """A network of three sigmoid layers and free variables of which a part leaves the images."""
    network = random_network((9, 6, 4, 2), "sigmoid", seed=3)
    sampler = si.compile_sampler(si.invert(network, network.forward(np.full(9, 0.1)).tolist()))
    free = sampler.free_of(np.full(9, 0.1)) + np.random.default_rng(1).normal(size=(40_000, 7)) / 20
    return sampler, free


def test_the_result_depends_on_neither_threads_nor_blocks_nor_layout(wide, monkeypatch):
    sampler, free = wide
    one = sampler.backward(free)
    assert 0.01 < np.isnan(one[:, 0]).mean() < 0.99
    for cores, width in ((1, 512), (2, 1000), (5, 777), (3, 8192)):
        monkeypatch.setattr(blocks, "available_cores", lambda cores=cores: cores)
        monkeypatch.setattr(blocks, "block_width", lambda kernels, itemsize, width=width: width)
        again = sampler.backward(np.asfortranarray(free))
        assert np.array_equal(np.isnan(one), np.isnan(again))
        np.testing.assert_allclose(again, one, rtol=1e-12, atol=1e-12)


def test_the_fast_pass_loses_the_same_points_as_the_one_that_looks(wide):
    sampler, free = wide
    assert sampler.is_streamlined
    free[0], free[1] = np.inf, np.nan
    fast, (slow, lost) = sampler.backward(free), sampler.trace(free)
    assert np.array_equal(np.isnan(fast).all(axis=1), lost > 0)
    assert np.array_equal(np.isnan(fast).any(axis=1), lost > 0)
    np.testing.assert_allclose(fast[lost == 0], slow[lost == 0], rtol=1e-9, atol=1e-9)


def test_single_precision_is_computed_and_returned_in_single_precision(wide):
    sampler, free = wide
    single = sampler.backward(free.astype(np.float32))
    assert single.dtype == np.float32
    good = ~np.isnan(sampler.backward(free)).any(axis=1) & ~np.isnan(single).any(axis=1)
    assert np.median(np.abs(single[good] - sampler.backward(free)[good])) < 1e-4


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "softplus", "softsign", "arctan", "exp", "elu"])
def test_undoing_an_activation_in_place_keeps_the_digits_of_the_accurate_form(name):
    network = random_network((4, 3, 2), name)
    sampler = si.compile_sampler(si.invert(network, network.forward(np.full(4, 0.1)).tolist()))
    undo, inverse = sampler.kernels[0].undo, network.layers[0].activation.inverse
    if undo is None:  # arctan, softsign, pieces: outside the image the formula gives numbers too, so one must look
        assert name in ("arctan", "softsign") and not sampler.is_streamlined
        return
    z = np.random.default_rng(0).normal(size=(3, 500)) * 4
    a = network.layers[0].activation.numeric(z)
    place = a.copy()
    undo(place, np.empty_like(place))
    np.testing.assert_allclose(place, inverse.numeric(a), rtol=4e-16, atol=4e-16)


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "exp"])
def test_kernels_of_the_common_activations_are_printed_by_lambdify(name):
    network = random_network((4, 3, 2), name)
    source = si.compile_sampler(si.invert(network, network.forward(np.full(4, 0.1)).tolist())).source
    assert "matmul(P_2, S_2, out=X)" in source
    assert "out=A)" in source


def test_regularised_layers_solve_the_penalised_least_squares_problem():
    weights = np.array([[1.0, 2.0, 0.5, 1.0], [1.0, 2.0, 0.5, 1.0 + 2.0**-30], [0.0, 1.0, -1.0, 2.0]])
    network = si.Network.from_arrays([weights], [[0.1, 0.2, 0.3]], ["tanh"])
    inverse, penalty = si.invert(network, [0.25, 0.5, -0.25]), 1e-3
    sampler = si.compile_sampler(inverse, regularize=penalty)
    pivots, free = list(inverse.steps[0].reduction.pivots), list(inverse.steps[0].reduction.free)
    x = sampler.backward([[0.7]])[0]
    right = np.arctanh([0.25, 0.5, -0.25]) - network.layers[0].float_bias - weights[:, free] @ [0.7]
    stacked = np.vstack([weights[:, pivots], np.sqrt(penalty) * np.eye(3)])
    expected = np.linalg.lstsq(stacked, np.append(right, np.zeros(3)), rcond=None)[0]
    np.testing.assert_allclose(x[pivots], expected, rtol=1e-9)
    assert x[free] == [0.7]
    exact = si.compile_sampler(inverse).backward([[0.7]])[0]
    assert np.abs(exact).max() > 1e6 > np.abs(x).max()


def test_an_inconsistent_target_has_regularised_points_and_they_are_labelled():
    network = si.Network.from_arrays([[[1, 2], [2, 4]]], [[0, 0]], ["identity"], box=[[-2, 2]] * 2)
    inverse = si.invert(network, [1, 1])
    assert isinstance(inverse.verdict, si.Empty)
    sampler = si.compile_sampler(inverse, regularize="1/1000")
    samples = sampler.draw(100, method="random", seed=0)
    assert 0 < len(samples) < 100 and set(samples.status) == {"failed"}  # the others left the box
    np.testing.assert_allclose(samples.points @ [1, 2], 0.6, atol=2e-3)  # least squares: (1 + 2) / 5
    np.testing.assert_allclose(samples.residual, np.abs(network.forward(samples.points) - 1).max(axis=1))
    assert "no exact preimage" in samples.report.to_text() and "not on it" in samples.report.law
    with pytest.raises(si.OptionError, match="only propagates backward"):
        sampler.draw(10)
    with pytest.raises(si.OptionError, match="regularize must be a positive number"):
        si.compile_sampler(inverse, regularize=0)
    with pytest.raises(si.InexactError, match="the preimage is empty"):
        si.compile_sampler(inverse).backward([[0.0]])


def test_a_result_goes_into_given_memory_or_says_what_memory_must_be_like(wide):
    sampler, free = wide
    place = np.empty((len(free), 9), order="F")
    assert np.shares_memory(sampler.backward(free, out=place), place)
    np.testing.assert_array_equal(place, sampler.backward(free))
    with pytest.raises(si.ShapeError, match="column-major array of float64"):
        sampler.backward(free, out=np.empty((len(free), 9)))
    network = random_network((4, 3, 2), "softsign")
    looking = si.compile_sampler(si.invert(network, network.forward(np.full(4, 0.1)).tolist()))
    place = np.empty((1, 4), order="F")
    assert not looking.is_streamlined
    looking.backward(looking.free_of(np.full(4, 0.1)), out=place)
    np.testing.assert_allclose(place, 0.1, rtol=1e-9)
