"""Separate sheets come out in the right proportion, and a given input keeps the walk to its own."""

import numpy as np
import pytest
from scipy import integrate, optimize

import symbinv as si
from symbinv.network.fibermap import network_fiber
from symbinv.sampler.walks.anneal import anneal
from symbinv.sampler.walks.chart import BoxChart

FALSE_ALARM_Z = 3.9  # two-sided 1e-4
BOX = np.array([[-1.0, 1.0], [-1.0, 1.0]])

# tanh(8 x1 + 7.2) - tanh(2 x1 + 2 x2 - 3.5) = 1 has two sheets in the box: a steep one near x1 = -0.9, from
# bottom to top, and a gentle one that cuts the corner (1, 1). Their lengths are as 5.8 to 1, their conditional
# weights as 2.4 to 1, and hardly any Gauss-Newton start arrives in proportion to either.
NETWORK = si.Network.from_arrays([[[8, 0], [2, 2]], [[1, -1]]], [[7.2, -3.5], [0]], ["tanh", "identity"])


def c(x1, x2):
    return np.tanh(8 * x1 + 7.2) - np.tanh(2 * x1 + 2 * x2 - 3.5) - 1


def gradient(x1, x2):
    first = 8 / np.cosh(8 * x1 + 7.2) ** 2
    second = 2 / np.cosh(2 * x1 + 2 * x2 - 3.5) ** 2
    return np.array([first - second, -second])


def share_of_the_steep_sheet(measure):
    """Integrate along both sheets, each a graph over x2, by quadrature and root finding."""

    def weight(x2, low, high):
        if c(low, x2) * c(high, x2) > 0:
            return 0.0
        g = gradient(optimize.brentq(c, low, high, args=(x2,), xtol=1e-14), x2)
        return np.hypot(*g) / abs(g[0]) if measure == "surface" else 1 / abs(g[0])

    grid = np.linspace(-1, 1, 4001)
    steep = integrate.trapezoid([weight(t, -1.0, -0.5) for t in grid], grid)
    gentle = integrate.trapezoid([weight(t, -0.5, 1.0) for t in grid], grid)
    return steep / (steep + gentle)


@pytest.mark.parametrize("measure", ["surface", "conditional"])
def test_annealed_starts_weigh_both_sheets_rightly(measure):
    fiber = network_fiber(si.invert(NETWORK, [1]).constraint, [0, 1], np.zeros(2))
    truth = share_of_the_steep_sheet(measure)
    found = []
    for seed in range(24):
        arrived = anneal(fiber, BoxChart(BOX), measure, 1024, np.random.default_rng(seed))
        x = BoxChart(BOX).inputs(arrived.u)
        assert np.abs(fiber.value(x)).max() < 1e-8
        found.append((x[0] < -0.5).mean())
    error = np.std(found, ddof=1) / np.sqrt(len(found))
    assert error < 0.015
    assert abs(np.mean(found) - truth) < FALSE_ALARM_Z * 1.2 * error  # 1.2: Student's t with 23 degrees of freedom


def test_the_ratio_of_the_sheets_is_at_least_five():
    share = share_of_the_steep_sheet("surface")
    assert share / (1 - share) > 5
    conditional = share_of_the_steep_sheet("conditional")
    assert conditional / (1 - conditional) < 3


def test_a_draw_reports_both_parts_and_claims_no_effective_size():
    sampler = si.compile_sampler(si.invert(NETWORK, [1], box=BOX.tolist()))
    samples = sampler.draw(4000, seed=1)
    report = samples.report
    assert report.components == 2 and report.ess is None
    assert report.shares[0] == pytest.approx(share_of_the_steep_sheet("surface"), abs=0.08)
    assert "2 connected parts" in report.to_text() and "others may exist" in report.to_text()
    assert samples.residual.max() <= 1e-12


def test_a_given_input_keeps_the_walk_to_its_own_sheet():
    sampler = si.compile_sampler(si.invert(NETWORK, [1], box=BOX.tolist()))
    x1 = optimize.brentq(c, 0.5, 1.0, args=(0.9,), xtol=1e-15)
    samples = sampler.draw(2000, seed=1, at=[x1, 0.9])
    assert (samples.points[:, 0] > 0).all() and samples.report.components == 1
    with pytest.raises(si.OptionError, match="produces the target"):
        sampler.draw(10, seed=1, at=[0.0, 0.0])
