"""Linear fibers as polytopes: of any dimension, inside boxes and activation patterns, recognised exactly."""

from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

import symbinv as si
from symbinv.exact.interval import Interval
from symbinv.exact.loglinear import LogLinear
from symbinv.exact.matrix import ExactMatrix
from symbinv.polyhedra.feasibility import LinearSystem
from symbinv.sampler.polytopes.body import NoPoints, recognise
from symbinv.sampler.stream import stream

RATE = 1e-4


def system(rows, bounds, equations=(), right=(), intervals=None, n=2):
    return LinearSystem(
        ExactMatrix(equations) if len(equations) else ExactMatrix.zeros(0, n),
        tuple(right),
        intervals or (Interval(None, None),) * n,
        ExactMatrix(rows) if len(rows) else ExactMatrix.zeros(0, n),
        tuple(map(Fraction, bounds)),
        (False,) * len(bounds),
    )


@pytest.mark.parametrize("gap", [Fraction(1, 10**6), Fraction(1, 10**30)])
def test_a_thin_set_a_flat_one_and_an_empty_one_are_told_apart_without_a_tolerance(gap):
    rows = [[1, 1], [-1, -1], [1, 0], [-1, 0]]
    flat = recognise(system(rows, [1, -1, 1, 1]))
    assert flat.exact and flat.dimension == 1
    assert recognise(system(rows, [1, -1 - gap, 1, 1])) == NoPoints(True)
    thin = recognise(system(rows, [1, -1 + gap, 1, 1]))
    assert (thin.dimension, thin.exact) == ((2, True) if gap > 1e-9 else (1, False))


def test_equalities_that_hide_behind_several_rows_and_behind_logarithms_are_found():
    # x + y + z <= 1, x >= 1/3, y >= 1/3, z >= 1/3: one point, though no two rows are opposite
    rows = [[1, 1, 1], [-1, 0, 0], [0, -1, 0], [0, 0, -1]]
    point = recognise(system(rows, [1, *[Fraction(-1, 3)] * 3], n=3))
    assert point.exact and point.dimension == 0 and point.origin == pytest.approx([1 / 3] * 3)
    # x + y = log 6 in x <= 1, y <= 1 has a short segment; in x <= log 2 ... a box of rationals near it none
    unit = (Interval.closed(0, 1), Interval.closed(0, 1))
    segment = recognise(system([], [], [[1, 1]], [LogLinear.log(6)], unit))
    assert segment.exact and segment.dimension == 1 and segment.origin.sum() == pytest.approx(np.log(6))
    assert recognise(system([], [], [[1, 1]], [LogLinear.log(8)], unit)) == NoPoints(True)
    with pytest.raises(si.NotSupportedError, match="unbounded"):
        recognise(system([[1, 0], [-1, 0], [0, 1]], [1, 0, 1]))
    assert recognise(system([[1, 0], [-1, 0], [0, 1], [0, -1]], [1, 0, 1, 5])).exact


def test_an_identity_network_of_any_dimension_is_walked_by_hit_and_run():
    # the sum of nine inputs of [0, 1] is 1: the standard simplex, marginals Beta(1, 8)
    network = si.Network.from_arrays([[[1] * 9]], [[0]], ["identity"], box=[[0, 1]] * 9)
    samples = si.compile_sampler(si.invert(network, [1])).draw(8000, seed=1)
    assert "hit-and-run" in samples.report.law and samples.report.r_hat.max() <= 1.01
    assert samples.residual.max() < 1e-14 and "polytope of dimension 8" in samples.report.to_text()
    z = (samples.points.mean(axis=0) - 1 / 9) / np.sqrt(8 / 81 / 10 / samples.report.ess)
    assert np.abs(z).max() < stats.norm.isf(RATE / 9 / 2)


def test_an_activation_pattern_is_sampled_inside_its_cell():
    # relu(x1) + relu(x2) + 0 x3 = 1 where both are active: the segment x1 + x2 = 1, x1, x2 > 0, times x3 in [-1, 1]
    network = si.Network.from_arrays([[[1, 0, 0], [0, 1, 0]], [[1, 1]]], [[0, 0], [0]], ["relu", "identity"])
    inverse = si.invert(network, [1], box=[[-1, 1]] * 3, at=["1/2", "1/2", 0])
    samples = si.compile_sampler(inverse).draw(4000, seed=1)
    assert samples.report.measure == "surface" and "one activation pattern" in samples.report.to_text()
    assert (samples.points[:, :2] >= -1e-12).all() and np.abs(samples.points[:, :2].sum(axis=1) - 1).max() < 1e-14
    assert stats.kstest(samples.points[:, 0], stats.uniform.cdf).pvalue > RATE
    assert stats.kstest(samples.points[:, 2], stats.uniform(-1, 2).cdf).pvalue > RATE
    # bounded by the pattern alone in x1 and x2, but not in x3
    free = si.invert(network, [1], at=["1/2", "1/2", 0])
    with pytest.raises(si.NotSupportedError, match="unbounded.*give a box"):
        si.compile_sampler(free).draw(10)


def test_a_given_input_must_lie_on_the_polytope_and_streams_hold_the_same_law(tmp_path):
    network = si.Network.from_arrays([[[1, 1]]], [[0]], ["identity"], box=[[0, 1]] * 2)
    sampler = si.compile_sampler(si.invert(network, [1]))
    assert len(sampler.draw(100, at=["1/4", "3/4"], seed=1)) == 100
    with pytest.raises(si.OptionError, match="produces the target"):
        sampler.draw(100, at=[0, 0], seed=1)
    with pytest.raises(si.OptionError, match="produces the target"):
        stream(sampler, 100, tmp_path / "none", at=[0, 0])
    assert not (tmp_path / "none").exists()
    points = np.concatenate(list(stream(sampler, 3000, tmp_path / "some", at=["1/4", "3/4"], seed=1)))
    assert stats.kstest(points[:, 0], stats.uniform.cdf).pvalue > RATE
    with pytest.raises(si.ReadError, match="at differ"):
        stream(sampler, 3000, tmp_path / "some", seed=1)
