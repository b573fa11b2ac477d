"""Polytopes: known moments and volumes, and every degenerate set recognised. False-alarm rate 1e-4 a test."""

from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

import symbinv as si
from symbinv.sampler.polytopes.polytope import draw_polytope, volume

RATE = 1e-4


def simplex(d):
    """x >= 0, sum x <= 1."""
    return [*(-np.eye(d)).tolist(), [1.0] * d], [0.0] * d + [1.0]


def cube(d):
    return [*np.eye(d).tolist(), *(-np.eye(d)).tolist()], [1.0] * (2 * d)


def z_limit(comparisons):
    return stats.norm.isf(RATE / comparisons / 2)


def test_the_triangle_has_mean_one_third():
    draw = draw_polytope(*simplex(2), count=50_000, seed=0)
    assert draw.method == "triangulation" and draw.dimension == 2
    error = np.sqrt(1 / 18 / 50_000)  # variance of a coordinate: 2 / (9 * 4)
    assert (np.abs(draw.points.mean(axis=0) - 1 / 3) < z_limit(2) * error).all()


def test_a_simplex_of_dimension_five_has_beta_marginals():
    points = draw_polytope(*simplex(5), count=20_000, seed=1).points
    for j in range(5):
        assert stats.kstest(points[:, j], stats.beta(1, 5).cdf).pvalue > RATE / 5


@pytest.mark.parametrize("method", ["triangulation", "hit-and-run"])
def test_both_methods_agree_with_the_beta_marginals_of_a_skewed_simplex(method):
    shear = np.array([[1, 2, 0], [0, 1, 5], [0, 0, 100.0]])
    rows, right = simplex(3)
    draw = draw_polytope(np.array(rows) @ np.linalg.inv(shear), right, count=20_000, seed=2, method=method)
    plain = draw.points @ np.linalg.inv(shear).T
    size = 20_000 if draw.ess is None else draw.ess.min()
    assert draw.r_hat is None or draw.r_hat.max() <= 1.01
    error = np.sqrt(3 / 80 / size)  # variance of Beta(1, 3)
    assert (np.abs(plain.mean(axis=0) - 1 / 4) < z_limit(3) * error).all()
    assert (plain >= -1e-9).all() and (plain.sum(axis=1) <= 1 + 1e-9).all()


def test_hit_and_run_in_a_cube_of_ten_dimensions_has_its_moments():
    draw = draw_polytope(*cube(10), count=20_000, seed=3)
    assert draw.method == "hit-and-run" and draw.ess.min() > 5000
    z = draw.points.mean(axis=0) / np.sqrt(1 / 3 / draw.ess)
    assert np.abs(z).max() < z_limit(10)
    assert abs((draw.points**2).mean() - 1 / 3) < 0.01


def test_volumes_are_those_of_geometry():
    assert volume(*cube(3)) == pytest.approx(8)
    assert volume(*simplex(4)) == pytest.approx(1 / 24)
    assert volume([[1], [-1]], [3, 1]) == pytest.approx(4)
    assert volume([[1, 0], [-1, 0], [0, 1], [0, -1]], [1, -1, 1, 1]) == 0


def test_sobol_points_fill_the_square_more_evenly_than_random_ones():
    points = draw_polytope(*cube(2), count=1024, seed=4, sobol=True).points
    assert np.abs(points.mean(axis=0)).max() < 0.01


def test_flat_sets_are_sampled_in_their_own_dimension():
    # x1 + x2 <= 1 and x1 + x2 >= 1 hide an equation; so does C x = d
    rows = [[1, 1], [-1, -1], [-1, 0], [0, -1]]
    draw = draw_polytope(rows, [1, -1, 0, 0], count=2000, seed=5)
    assert draw.dimension == 1 and np.abs(draw.points.sum(axis=1) - 1).max() < 1e-9
    assert stats.kstest(draw.points[:, 0], stats.uniform.cdf).pvalue > RATE
    same = draw_polytope(rows[2:], [0, 0], [[1, 1]], [1], count=2000, seed=5)
    assert same.dimension == 1 and np.abs(same.points.sum(axis=1) - 1).max() < 1e-9


@pytest.mark.parametrize("size", [1e-7, 1.0, 1e9])
def test_recognition_does_not_depend_on_the_scale(size):
    rows, right = simplex(3)
    draw = draw_polytope(rows, [size * v for v in right], count=500, seed=6)
    assert draw.dimension == 3 and (draw.points.sum(axis=1) <= size * (1 + 1e-9)).all()


def test_points_empty_and_unbounded_sets_are_recognised():
    point = draw_polytope([[1, 1], [-1, 0], [0, -1]], [0, 0, 0], count=10)
    assert point.kind == "point" and np.abs(point.points).max() < 1e-9 and point.points.shape == (1, 2)
    empty = draw_polytope([[1], [-1]], [0, Fraction(-1, 10**30)], count=10)
    assert empty.kind == "empty" and empty.exact and empty.points.shape == (0, 1)
    with pytest.raises(si.NotSupportedError, match="unbounded"):
        draw_polytope([[-1, 0], [0, -1]], [0, 0], count=10)
    with pytest.raises(si.NotSupportedError, match="unbounded"):
        draw_polytope([[1, 0], [-1, 0]], [1, 1], count=10)


def test_duplicate_parallel_and_zero_rows_change_nothing():
    rows, right = cube(2)
    rows, right = rows * 2 + [[2.0, 0.0], [0.0, 0.0]], right * 2 + [5.0, 1.0]
    draw = draw_polytope(rows, right, count=1000, seed=7)
    assert draw.dimension == 2 and volume(rows, right) == pytest.approx(4)
    assert draw_polytope([*rows, [0.0, 0.0]], [*right, -1.0], count=10).kind == "empty"


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(si.ShapeError, match="as many rows"):
        draw_polytope([[1, 0]], [1, 2], count=10)
