"""Laws of preimages on random networks, and their volumes against Qhull and random points, which share no code."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import ConvexHull, QhullError

from symbinv import Network, Polyhedron
from symbinv.cells import union
from symbinv.cells.preimage import preimage, regions

quarters = st.integers(-8, 8).map(lambda e: Fraction(e, 4))


@st.composite
def networks(draw):
    """Return a relu network with 1 to 3 inputs and a box, often degenerate (small multiples of a quarter)."""
    inputs, outputs = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    sizes = [inputs, *draw(st.lists(st.integers(1, 4), min_size=1, max_size=2)), outputs]
    weights = [[[draw(quarters) for _ in range(n)] for _ in range(m)] for n, m in zip(sizes, sizes[1:], strict=False)]
    biases = [[draw(quarters) for _ in range(m)] for m in sizes[1:]]
    name = draw(st.sampled_from(["relu", "leaky_relu(1/4)", "abs", "hard_tanh"]))
    network = Network.from_arrays(weights, biases, [name] * (len(sizes) - 2) + ["identity"])
    low = [draw(quarters) for _ in range(inputs)]
    return network, [[e, e + draw(st.integers(1, 8)) * Fraction(1, 4)] for e in low]


def size_of(box):
    size = Fraction(1)
    for low, high in box:
        size *= high - low
    return size


def full_volume(found):
    """Return the volume in the dimension of the inputs, 0 for a thinner preimage."""
    return found.volume if found.dimension == found.network.sizes[0] else 0


def points_of(box, count=12):
    rng = np.random.default_rng(0)
    return [[lo + (hi - lo) * Fraction(int(rng.integers(0, 9)), 8) for lo, hi in box] for _ in range(count)]


@given(networks(), quarters)
@settings(max_examples=60, deadline=None)
def test_a_target_and_its_complement_share_the_box(case, level):
    network, box = case
    below, above = (preimage(network, f"y_0 {r} {level}", box=box) for r in ("<=", ">"))
    assert full_volume(below) + full_volume(above) == size_of(box) == regions(network, box=box).volume
    both = preimage(network, f"y_0 <= {level} or y_0 > {level}", box=box)
    assert both.volume == size_of(box)
    for x in points_of(box):
        (y, *_) = network.forward(x)
        assert below.contains(x) == (y <= level) == any(c.contains(x) for c in below.cells)
        assert above.contains(x) == (y > level) == any(c.contains(x) for c in above.cells)


@given(networks(), quarters, st.integers(0, 8))
@settings(max_examples=40, deadline=None)
def test_a_larger_target_has_a_larger_preimage(case, level, more):
    network, box = case
    small, large = (preimage(network, f"y_0 <= {e}", box=box) for e in (level, level + Fraction(more, 4)))
    between = preimage(network, f"{level} < y_0 <= {level + Fraction(more, 4)}", box=box)
    assert full_volume(small) + full_volume(between) == full_volume(large)
    for cell in small.cells:
        assert large.contains(cell.interior_point) and not between.contains(cell.interior_point)
    if small.cells:
        for (low, high), (lower, higher) in zip(small.bounding_box, large.bounding_box, strict=True):
            assert lower <= low <= high <= higher


@given(networks())
@settings(max_examples=40, deadline=None)
def test_classes_fill_the_box_whatever_is_looked_for(case):
    network, box = case
    for word in ("argmax", "argmin"):
        parts = [preimage(network, f"{word} == {i}", box=box) for i in range(network.sizes[-1])]
        assert sum(full_volume(p) for p in parts) == size_of(box)
        for x in points_of(box, 5):
            y = network.forward(x)
            best = y.index(max(y) if word == "argmax" else min(y))  # the first of them
            assert [p.contains(x) for p in parts] == [i == best for i in range(len(y))]


def test_rounded_volumes_of_many_cells_are_the_exact_ones(monkeypatch):
    network, box, target, _ = random_case(2)
    exact = preimage(network, target, box=box).volume
    monkeypatch.setattr(union, "EXACT_LIMIT", 0)
    assert preimage(network, target, box=box).rounded_volume == pytest.approx(float(exact), rel=1e-12)
    part = preimage(network, target, box=box, max_cells=5)
    assert 0 <= part.decided_share < 1
    assert part.decided_share == pytest.approx(1 - float(part.undecided_volume / size_of(box)), rel=1e-9)
    assert preimage(network, target, max_cells=5).decided_share is None


def random_case(seed):
    rng = np.random.default_rng(seed)
    inputs = [2, 3, 4][seed % 3]
    sizes = [inputs, 6, 4, 2]
    weights = [rng.normal(size=(m, n)) for n, m in zip(sizes, sizes[1:], strict=False)]
    biases = [rng.normal(size=m) / 2 for m in sizes[1:]]
    network = Network.from_arrays(weights, biases, ["relu", "relu", "identity"])
    box = [[-2, 2]] * inputs
    probe = np.quantile(network.forward(rng.uniform(-2, 2, size=(1000, inputs))), 0.6, axis=0)
    target = Polyhedron([[1, 0], [0, 1]], probe.tolist())
    return network, box, target, probe


@pytest.mark.parametrize("seed", range(6))
def test_volumes_of_target_preimages_are_qhulls_and_those_of_random_points(seed):
    network, box, target, probe = random_case(seed)
    found = preimage(network, target, box=box)
    assert found.dimension == network.sizes[0]
    total = 0.0
    for cell in found.top_cells:
        try:
            hull = ConvexHull(np.array([[float(e) for e in v] for v in cell.vertices])).volume
        except QhullError:  # a sliver, flat in doubles
            assert float(cell.volume) < 1e-9
            continue
        assert float(cell.volume) == pytest.approx(hull, rel=1e-9, abs=1e-12)
        total += hull
    assert float(found.volume) == pytest.approx(total, rel=1e-9)
    points = np.random.default_rng(seed + 100).uniform(-2, 2, size=(40_000, network.sizes[0]))
    inside = (network.forward(points) <= probe).all(axis=1).mean()
    share = float(found.volume / size_of(box))
    assert abs(inside - share) < 5 * np.sqrt(share * (1 - share) / len(points))  # false alarms below 1e-6
