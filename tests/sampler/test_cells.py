"""Draws from exact preimages: cells by exact volume, points uniform in them. False-alarm rate 1e-4 a test."""

from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

import symbinv as si
from symbinv.polyhedra.polyhedron import Polyhedron
from symbinv.sampler.polytopes import cells as cell_draws
from symbinv.sampler.polytopes import whole_set
from symbinv.sampler.stream import stream

from .walk_cases import energy_distance_test

RATE = 1e-4
# max(x1, x2) <= 0 in [-1, 2]^2 is the lower left square; its complement is an L of area 8
CORNER = si.Network.from_arrays([[[1, 0], [-1, 1]], [[1, 1]]], [[0, 0], [0]], ["relu", "identity"])
CORNER_BOX = [[-1, 2], [-1, 2]]


def random_relu(sizes, seed):
    rng = np.random.default_rng(seed)
    weights = [rng.normal(size=(m, n)) for n, m in zip(sizes, sizes[1:], strict=False)]
    biases = [0.3 * rng.normal(size=m) for m in sizes[1:]]
    return si.Network.from_arrays(weights, biases, ["relu"] * (len(weights) - 1) + ["identity"])


def test_points_of_an_l_shaped_union_are_uniform_over_it():
    network = si.Network.from_arrays(
        [[[1, 0], [-1, 1], [1, -1]], [[1, 0, 0], [0, 1, 0]]], [[0, 0, 0], [0, 0]], ["relu", "identity"]
    )
    corners = [Polyhedron([[-1, 0]], [-1]), Polyhedron([[0, -1]], [-1])]  # relu(x1) >= 1 or relu(x2 - x1) >= 1
    found = si.preimage(network, corners, box=CORNER_BOX)
    samples = si.compile_sampler(found).draw(8000, seed=1)
    rng = np.random.default_rng(2)
    x = rng.uniform(-1, 2, size=(40_000, 2))
    kept = x[(x[:, 0] >= 1) | (x[:, 1] - x[:, 0] >= 1) & (x[:, 1] - np.maximum(x[:, 0], -9) >= 1)]
    share = (samples.points[:, 0] >= 1).mean()
    exact = Fraction(3) / found.volume
    assert abs(share - float(exact)) < stats.norm.isf(RATE / 2) * np.sqrt(share * (1 - share) / len(samples))
    assert energy_distance_test(samples.points[:400], kept[:400], rng) > RATE
    assert samples.residual.max() <= 1e-12 and samples.report.ess.min() == 8000


@pytest.mark.parametrize(("sizes", "seed"), [((2, 8, 3), 0), ((3, 6, 5, 2), 1), ((4, 6, 3), 4)])
def test_every_cell_gets_points_by_its_exact_volume(sizes, seed):
    network = random_relu(sizes, seed)
    found = si.preimage(network, "argmax == 0", box=[[-1, 1]] * sizes[0])
    assert len(found.top_cells) > 2
    samples = si.compile_sampler(found).draw(6000, seed=seed)
    patterns = {}
    for x in samples.points[:1500]:
        z, units = x, []
        for layer in network.layers[:-1]:
            z = np.maximum(layer.float_weights @ z + layer.float_bias, 0)
            units.append(tuple((z > 0).astype(int).tolist()))
        patterns[tuple(units)] = patterns.get(tuple(units), 0) + 1
    volumes = {}
    for cell in found.top_cells:
        key = tuple(units for units in cell.pattern if units)
        volumes[key] = volumes.get(key, Fraction(0)) + cell.volume
    assert set(patterns) <= set(volumes)
    expected = {key: 1500 * float(v / found.volume) for key, v in volumes.items()}
    often = [key for key, e in expected.items() if e >= 5]
    observed = np.array([patterns.get(key, 0) for key in often] + [1500 - sum(patterns.get(k, 0) for k in often)])
    model = np.array([expected[key] for key in often] + [max(1500 - sum(expected[k] for k in often), 1e-9)])
    keep = model > 1
    assert stats.chisquare(observed[keep], model[keep] * observed[keep].sum() / model[keep].sum()).pvalue > RATE
    assert (samples.points @ np.zeros(sizes[0]) == 0).all() and (np.abs(samples.points) <= 1).all()
    assert (network.forward(samples.points).argmax(axis=1) == 0).all()
    rng = np.random.default_rng(seed)
    box = rng.uniform(-1, 1, size=(20_000, sizes[0]))
    truth = box[network.forward(box).argmax(axis=1) == 0][:400]
    assert energy_distance_test(samples.points[:400], truth, rng) > RATE


def test_a_flat_preimage_is_drawn_by_length_and_lower_pieces_are_left_out():
    # relu(x1) + relu(-x1) + |x2| = 1: the four sides of a square, each of length sqrt(2)
    network = si.Network.from_arrays(
        [[[1, 0], [-1, 0], [0, 1], [0, -1]], [[1, 1, 1, 1]]], [[0] * 4, [0]], ["relu", "identity"]
    )
    found = si.preimage(network, [1], box=[[-2, 2]] * 2)
    samples = si.compile_sampler(found).draw(4000, seed=3)
    assert np.abs(np.abs(samples.points).sum(axis=1) - 1).max() < 1e-14
    quarters = [(np.sign(samples.points) == s).all(axis=1).sum() for s in ([1, 1], [1, -1], [-1, 1], [-1, -1])]
    assert sum(quarters) == 4000 and stats.chisquare(quarters).pvalue > RATE
    assert stats.kstest(np.abs(samples.points[:, 0]), stats.uniform.cdf).pvalue > RATE
    assert "dimension 1" in samples.report.law and samples.target == (1.0,)
    # relu(x) = 0 and a point: x = 1 adds nothing to the half-line's length
    step = si.Network.from_arrays([[[1], [-1]], [[1, 0], [0, 1]]], [[0, 0], [0, 0]], ["relu", "identity"])
    union = si.preimage(step, [Polyhedron([[1, 0]], [0]), Polyhedron(C=[[1, 0]], d=[1])], box=[[-2, 2]])
    mixed = si.compile_sampler(union).draw(500, seed=1)
    assert (mixed.points <= 0).all() and "Left out as of measure zero" in mixed.report.to_text()


def test_weights_of_cells_with_logarithms_are_those_of_their_volumes():
    network = si.Network.from_arrays([[[1], [-1]], [[1, 2]]], [[0, 0], [0]], ["relu", "sigmoid"])
    found = si.preimage(network, "y_0 <= 3/4", box=[[-2, 2]])  # x <= log 3, -2 x <= log 3
    points = si.compile_sampler(found).draw(4000, seed=1).points
    low, high = -np.log(3) / 2, np.log(3)
    assert stats.kstest(points[:, 0], stats.uniform(low, high - low).cdf).pvalue > RATE


def test_points_empty_unbounded_and_partial_preimages_are_told():
    square = si.Network.from_arrays([[[1, 0], [-1, 0], [0, 1], [0, -1]], [[1, 1, 1, 1]]], [[0] * 4, [0]], ["relu"] * 2)
    point = si.compile_sampler(si.preimage(square, "y_0 <= 0", box=[[-1, 1]] * 2)).draw(50)
    assert point.points.tolist() == [[0.0, 0.0]]
    empty = si.compile_sampler(si.preimage(square, "y_0 <= -1", box=[[-1, 1]] * 2)).draw(50)
    assert empty.points.shape == (0, 2) and "empty" in empty.report.law
    with pytest.raises(si.NotSupportedError, match="unbounded.*give `preimage` a box"):
        si.compile_sampler(si.preimage(square, "y_0 >= 1")).draw(50)
    found = si.preimage(square, "y_0 >= 1", box=[[-2, 2]] * 2, max_cells=1)
    sampler = si.compile_sampler(found)
    assert sampler.is_partial and "cells found so far" in sampler.draw(50, seed=0).report.to_text()
    with pytest.raises(si.OptionError, match="'grid'"):
        sampler.draw(50, method="grid")
    with pytest.raises(si.OptionError, match="all cells"):
        stream(sampler, 10, "nowhere")


def test_many_inputs_are_drawn_as_a_whole_without_a_list_of_cells():
    network = random_relu((9, 4, 2), 5)
    found = si.preimage(network, "y_0 - y_1 >= 1", box=[[-1, 1]] * 9, max_cells=1)
    sampler = si.compile_sampler(found)
    assert not found.is_complete and sampler.is_drawn_whole and not sampler.is_partial
    samples = sampler.draw(2000, seed=1)
    y = network.forward(samples.points)
    assert (y[:, 0] - y[:, 1] >= 1).all() and len(samples) == 2000 and samples.report.r_hat.max() == 1
    assert "share of" in samples.report.law and "without a list of cells" in samples.report.to_text()
    lower = si.preimage(network, network.forward(np.zeros(9)), box=[[-1, 1]] * 9)
    assert lower.dimension == 7 and len(lower.top_cells) > 1
    with pytest.raises(si.NotSupportedError, match="exact volume.*`at=`"):
        si.compile_sampler(lower).draw(10)


def test_shrinking_chords_leave_a_set_of_three_parts_uniform(monkeypatch):
    ends = np.array([[-1.0, 1.0], [-1.0, 1.0], [0.5, 0.5]])  # a ring, a bar across it, and a disc apart

    def inside(x):
        r = np.hypot(x[:, 0], x[:, 1])
        return (np.abs(r - 0.5) < 0.1) | (np.abs(x[:, 1]) < 0.03) & (r < 0.6) | (np.hypot(*(x[:, :2] - 0.8).T) < 0.15)

    rng = np.random.default_rng(1)
    box = np.column_stack([rng.uniform(-1, 1, size=(60_000, 2)), np.full(60_000, 0.5)])
    truth = box[inside(box)]
    monkeypatch.setattr(whole_set, "REJECTION", 2.0)
    drawn = whole_set.draw_whole(inside, ends, 4000, np.array([[0.5, 0.0, 0.5]]), np.random.default_rng(2))
    assert "shrinking chords" in drawn.law and drawn.r_hat.max() <= 1.01 and drawn.points.shape == (4000, 3)
    assert inside(drawn.points).all() and (drawn.points[:, 2] == 0.5).all()
    spread = truth[:, :2].var(axis=0) * (1 / drawn.ess[:2] + 1 / len(truth))
    z = (drawn.points[:, :2].mean(axis=0) - truth[:, :2].mean(axis=0)) / np.sqrt(spread)
    assert np.abs(z).max() < stats.norm.isf(RATE / 2 / 2)
    thinned = drawn.points[:: max(1, int(2 * 4000 / drawn.ess.min()))][:400]
    assert energy_distance_test(thinned, truth[:400], rng) > RATE


def test_a_cell_of_six_dimensions_is_walked_with_its_moments(monkeypatch):
    network = si.Network.from_arrays([np.eye(6).tolist(), [[1] * 6]], [[0] * 6, [0]], ["relu", "identity"])
    found = si.preimage(network, "y_0 <= 1", box=[[0, 1]] * 6)
    samples = si.compile_sampler(found).draw(6000, seed=2)
    z = (samples.points.mean(axis=0) - 1 / 7) / np.sqrt(6 / 49 / 8 / samples.report.ess)  # Beta(1, 6)
    assert np.abs(z).max() < stats.norm.isf(RATE / 6 / 2)
    monkeypatch.setattr(cell_draws, "TRIANGULATED", 6)
    exact = si.compile_sampler(found).draw(400, seed=3)
    assert "simplices" in exact.report.law
    assert energy_distance_test(samples.points[::15], exact.points, np.random.default_rng(0)) > RATE


def test_blocks_of_a_stream_of_cells_hold_uniform_points(tmp_path):
    found = si.preimage(CORNER, "y_0 <= 0", box=CORNER_BOX)
    done = stream(si.compile_sampler(found), 5000, tmp_path, seed=1)
    points = np.concatenate(list(done))
    assert points.shape == (5000, 2) and done.ess.min() == 5000
    assert (CORNER.forward(points) <= 1e-12).all()
    again = stream(si.compile_sampler(found), 5000, tmp_path, seed=1)
    assert (np.concatenate(list(again)) == points).all()
    with pytest.raises(si.ReadError, match="polyhedra"):
        stream(si.compile_sampler(si.preimage(CORNER, "y_0 <= 1/2", box=CORNER_BOX)), 5000, tmp_path, seed=1)
