"""Products and layers beyond double precision, against exact fractions and mpmath."""

from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import symbinv as si
from symbinv.sampler.precise import PreciseMatrix


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 3), st.integers(1, 40), st.integers(1, 3), st.integers(0, 30), st.integers(0, 2**32))
def test_a_precise_product_is_the_exact_one_rounded_once(m, n, k, spread, seed):
    rng = np.random.default_rng(seed)
    tops = rng.integers(-(2**62), 2**62, size=(m, n)).tolist()
    rows = [[Fraction(t, int(rng.integers(1, 2**40)) << int(rng.integers(0, 60))) for t in row] for row in tops]
    s = rng.normal(size=(n, k)) * 10.0 ** rng.integers(-spread, spread + 1, size=(n, k))
    matrix = PreciseMatrix.of(rows)
    product = matrix.times(s)
    for i in range(m):
        for c in range(k):
            exact = sum((a * Fraction(v) for a, v in zip(rows[i], s[:, c].tolist(), strict=True)), Fraction(0))
            largest = max(abs(a) for a in rows[i]) * Fraction(float(np.abs(s[:, c]).max()))
            bound = abs(exact) * Fraction(2) ** -52 + 4 * n * largest / Fraction(2) ** (2 * matrix.bits + 53)
            assert abs(Fraction(float(product[i, c])) - exact) <= bound


def test_values_that_are_no_numbers_spread():
    with np.errstate(invalid="ignore"):
        product = PreciseMatrix.of([[Fraction(1), Fraction(0)]]).times(np.array([[1.0, 2, 3], [np.nan, np.inf, 4]]))
    assert np.isfinite(product[0]).tolist() == [False, False, True]


def hilbert(size, extra, rng):
    """Return the Hilbert matrix (cond about e^(3.5 n)), whose columns become the pivots, beside further columns."""
    h = np.array([[1 / (i + j + 1) for j in range(size)] for i in range(size)])
    return np.hstack([h, rng.integers(-8, 9, size=(size, extra)) / 64])


def nearly_dependent(size, extra, rng, gap):
    """Return rows of which two differ by about `gap` only."""
    w = rng.integers(-8, 9, size=(size, size + extra)) / 8
    w[1] = w[0] + gap * rng.integers(1, 9, size=size + extra) / 8
    return w


def graded(size, extra, rng, gap):
    """Return columns graded from 1 down to `gap`, mixed by rotations on either side."""
    left, _ = np.linalg.qr(rng.normal(size=(size, size)))
    right, _ = np.linalg.qr(rng.normal(size=(size + extra, size + extra)))
    return left @ (np.geomspace(1, gap, size)[:, None] * right[:size])


RNG = np.random.default_rng(5)
ILL = {f"nearly dependent, 1e{-e}": nearly_dependent(3, 3, RNG, 10.0**-e) for e in (4, 6, 8, 10, 12)}
ILL |= {f"graded, 1e{-e}": graded(4, 3, RNG, 10.0**-e) for e in (4, 8, 12)}
ILL |= {f"Hilbert {n}": hilbert(n, 3, RNG) for n in (5, 8)}


def exact_residual(network, x, target):
    """Return the largest |f(x) - y| with exact weights at 60 digits (shares no code with ours)."""
    with mpmath.workdps(60):
        a = [mpmath.mpf(v) for v in x.tolist()]
        for layer in network.layers:
            w, b = layer.weights.fractions(), layer.bias.fractions()
            z = [
                sum(mpmath.mpf(e.numerator) / e.denominator * v for e, v in zip(row, a, strict=True))
                + mpmath.mpf(c[0].numerator) / c[0].denominator
                for row, c in zip(w, b, strict=True)
            ]
            a = [{"tanh": mpmath.tanh, "sigmoid": mpmath.sigmoid}[layer.activation.name](v) for v in z]
        return max(abs(u - mpmath.mpf(int(t.p)) / int(t.q)) for u, t in zip(a, target, strict=True))


@pytest.mark.parametrize("name", ILL)
@pytest.mark.parametrize("hidden", [True, False], ids=["last layer", "only layer"])
def test_an_ill_conditioned_layer_goes_back_with_a_residual_of_1e_12(name, hidden):
    """The layer is solved at free variables read off inputs, so that x is of moderate size, as in any box."""
    weights, rng = ILL[name], np.random.default_rng(1)
    n = weights.shape[1]
    below = [rng.normal(size=(n, n + 2)) / 2] if hidden else []
    layers = [*below, weights]
    biases = [np.zeros(len(w)) for w in layers]
    network = si.Network.from_arrays(layers, biases, ["tanh"] * len(layers))
    x = rng.normal(size=(1, layers[0].shape[1])) / 3
    sampler = si.compile_sampler(si.invert(network, network.forward(x)[0].tolist()))
    assert np.linalg.cond(weights[:, list(sampler.inverse.steps[0].reduction.pivots)]) > 5e3
    assert sampler.kernels[0].precise is not None
    nudges = np.array([0.0, 1e-13, -2e-13])[:, None]  # near x, since a step of 1e-12 may leave the image
    free = sampler.free_of(x) + nudges * rng.normal(size=(1, len(sampler.inverse.free_variables)))
    back = sampler.backward(free)
    found = back[np.isfinite(back).all(axis=1)]
    assert len(found) >= 1
    scale = max(1.0, float(np.abs(found).max()))
    for point in found:
        assert exact_residual(network, point, sampler.inverse.target) <= 1e-12 * scale


def test_well_conditioned_layers_stay_in_doubles(data):
    for name in ("wine_logistic_13-8-5-3", "bc_logistic_30-12-4-1"):
        path = data / "trained" / f"{name}.npz"
        sampler = si.compile_sampler(si.invert(si.load(path), np.load(path)["y_star"]))
        assert all(kernel.precise is None for kernel in sampler.kernels)


def test_the_status_of_a_point_is_what_exact_arithmetic_says():
    """A valley of |c|: at cond 1e8 Gauss-Newton stalls a long way off, and not every point gets further."""
    rng = np.random.default_rng(0)
    layers = [rng.normal(size=(6, 8)) * 0.7, nearly_dependent(3, 3, rng, 1e-8)]
    network = si.Network.from_arrays(layers, [rng.normal(size=6) / 4, np.zeros(3)], ["tanh"] * 2)
    target = network.forward(rng.normal(size=8) / 2).tolist()
    sampler = si.compile_sampler(si.invert(network, target))
    samples = sampler.draw(300, method="project", box=[[-2, 2]] * 8, seed=0)
    failed = np.flatnonzero(samples.status == "failed")
    numeric = np.flatnonzero(samples.status == "numeric")
    assert len(numeric) > 250 and 0 < len(failed) < 30
    assert f"{len(failed)} of 300 points have the status failed" in samples.report.to_text()
    exact = [float(exact_residual(network, x, sampler.inverse.target)) for x in samples.points]
    assert max(exact[i] for i in numeric[:40]) <= 2e-12
    assert min(exact[i] for i in failed) > 1e-13
    after = si.certify(samples)
    assert not (after.status[failed] == "numeric").any()


def chain(depth, activation, rng):
    """Return a network of `depth` layers, the first four narrowing, without flat spots."""
    sizes, gain = [max(8 - i, 4) for i in range(depth + 1)], 1.5 if activation == "tanh" else 5.0
    weights = [gain * np.linalg.qr(rng.normal(size=(n, n)))[0][:m] for n, m in zip(sizes, sizes[1:], strict=False)]
    biases = [-w.sum(axis=1) / 2 if activation == "sigmoid" else np.zeros(len(w)) for w in weights]
    return si.Network.from_arrays(weights, biases, [activation] * depth)


@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
def test_twenty_layers_keep_their_accuracy(activation):
    rng = np.random.default_rng(2)
    network = chain(20, activation, rng)
    target = network.forward(rng.normal(size=network.sizes[0]) / 2)
    sampler = si.compile_sampler(si.invert(network, target.tolist()))
    samples = sampler.draw(40, method="project", box=[[-2, 2]] * network.sizes[0], seed=0)
    assert len(samples) == 40 and set(samples.status) == {"numeric"}
    back = sampler.backward(samples.free)
    found = back[np.isfinite(back).all(axis=1)]
    assert len(found) >= 3
    for point in [*samples.points[:3], *found[:3]]:
        assert exact_residual(network, point, sampler.inverse.target) <= 1e-12


@pytest.mark.parametrize("target", [(0.999999, 0.999999), (0.999999, 1e-6), (0.5, 1 - 1e-9), (1 - 1e-15, 1e-300)])
def test_saturated_targets_keep_their_accuracy_in_the_logit_too(target):
    rng, y = np.random.default_rng(3), np.array(target)
    weights = [rng.normal(size=(4, 6)), rng.normal(size=(2, 4))]
    hidden = 1 / (1 + np.exp(-weights[0] @ rng.normal(size=6)))
    biases = [np.zeros(4), np.log(y) - np.log1p(-y) - weights[1] @ hidden]
    network = si.Network.from_arrays(weights, biases, ["sigmoid"] * 2)
    sampler = si.compile_sampler(si.invert(network, target))
    samples = sampler.draw(50, method="project", box=[[-5, 5]] * 6, seed=0)
    assert len(samples) == 50 and set(samples.status) == {"numeric"}
    with mpmath.workdps(400):
        for x in samples.points[:5].tolist():
            z = mpmath.matrix([mpmath.mpf(v) for v in x])
            a = (mpmath.matrix(weights[0].tolist()) * z).apply(mpmath.sigmoid)
            z = mpmath.matrix(weights[1].tolist()) * a + mpmath.matrix(biases[1].tolist())
            for i in range(2):
                wanted = mpmath.log(mpmath.mpf(target[i]) / (1 - mpmath.mpf(target[i])))
                assert abs(z[i] - wanted) <= 1e-12 * (1 + abs(wanted))
