"""Preimages explored outward from an input, by vertices in few inputs and by half-spaces in many."""

from fractions import Fraction

import numpy as np
import pytest

from symbinv.cells.preimage import preimage
from symbinv.errors import ShapeError
from symbinv.network.network import Network

F = Fraction


def network_of(inputs):
    rng = np.random.default_rng(2)
    sizes = [inputs, 4, 2]
    weights = [np.round(rng.normal(size=(m, n)) * 8) / 8 for n, m in zip(sizes, sizes[1:], strict=False)]
    return Network.from_arrays(weights, [[0.5, -0.25, 0, 0.125], [0, 0.25]], ["relu", "identity"])


def lower_bound(cell, point):
    """Return the squared distance to the farthest half-space of a cell, exactly."""
    gaps = [
        (max(F(0), sum((a * b for a, b in zip(h.row, point, strict=True)), -h.bound)), sum(a * a for a in h.row))
        for h in cell.polyhedron.half_spaces
    ]
    return max(gap * gap / size for gap, size in gaps)


@pytest.mark.parametrize("inputs", [2, 9])
@pytest.mark.parametrize("place", [0, 1])
def test_the_cell_of_the_point_comes_first_and_all_cells_come_at_last(inputs, place):
    network = network_of(inputs)
    box = [[-1, 1]] * inputs
    whole = preimage(network, "y_0 >= y_1", box=box)
    start = whole.cells[place * (len(whole.cells) - 1)].interior_point
    first = preimage(network, "y_0 >= y_1", box=box, around=start, max_cells=1)
    assert len(first.cells) == 1 and not first.is_complete and first.cells[0].contains(start)
    outward = preimage(network, "y_0 >= y_1", box=box, around=start)
    assert outward.is_complete and outward.cells[0].pattern == first.cells[0].pattern
    assert sorted(c.pattern for c in outward.cells) == [c.pattern for c in whole.cells]
    continued = first.proceed(max_cells=2).proceed()
    assert continued.is_complete and sorted(c.pattern for c in continued.cells) == [c.pattern for c in whole.cells]


def test_in_many_inputs_the_nearest_by_their_half_spaces_come_first():
    network, box = network_of(9), [[-1, 1]] * 9
    start = [F(1, 3), F(-1, 2), F(0), F(3, 4), F(-1, 4), F(1, 8), F(-1, 3), F(0), F(2, 5)]
    outward = preimage(network, "y_0 >= y_1", box=box, around=start)
    bounds = [lower_bound(cell, start) for cell in outward.cells]
    assert len(bounds) > 3 and all(a <= b + F(1, 10**9) for a, b in zip(bounds, bounds[1:], strict=False))
    few = preimage(network, "y_0 >= y_1", box=box, around=start, max_cells=3)
    assert [c.pattern for c in few.cells] == [c.pattern for c in outward.cells[:3]]


@pytest.mark.parametrize("inputs", [2, 9])
def test_a_point_of_another_size_is_refused(inputs):
    with pytest.raises(ShapeError, match="around must have one entry per input"):
        preimage(network_of(inputs), "y_0 >= y_1", box=[[-1, 1]] * inputs, around=[0] * (inputs + 1))
