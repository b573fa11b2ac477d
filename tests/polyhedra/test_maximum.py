"""Largest values of forms on polyhedra, against vertices and rays found by splitting, which shares no code with it."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import symbinv.cells.problem as engine
from symbinv import Network, Polyhedron
from symbinv.cells.preimage import preimage, regions
from symbinv.polyhedra.maximum import maximum

from ..strategies import matrices, short


@given(matrices(4, 2), st.lists(short, min_size=4, max_size=4), st.tuples(short, short), st.booleans())
@settings(max_examples=60, deadline=None)
def test_the_maximum_is_that_of_vertices_and_rays(rows, biases, form, has_box):
    network = Network.from_arrays([rows], [biases], ["relu"])
    for cell in regions(network, box=[[-2, 2]] * 2 if has_box else None).cells:
        directions = [*cell.rays, *cell.lines, *(tuple(-e for e in line) for line in cell.lines)]
        if any(sum(a * b for a, b in zip(form, r, strict=True)) > 0 for r in directions):
            expected = None
        else:
            expected = max(sum(a * b for a, b in zip(form, v, strict=True)) for v in cell.vertices)
        assert maximum(cell.polyhedron, form) == expected


def test_an_equation_and_a_zero_form():
    segment = Polyhedron([[1, 0], [-1, 0]], [1, 1], [[1, 1]], ["1/3"])
    assert maximum(segment, [Fraction(0), Fraction(1)]) == Fraction(4, 3)
    assert maximum(segment, [Fraction(0), Fraction(0)]) == 0


def test_many_inputs_have_exact_bounding_boxes():
    width = 12
    network = Network.from_arrays([[[1] * width]], [[0]], ["relu"])
    found = preimage(network, "y_0 >= 23/2", box=[[0, 1]] * width)
    assert found.bounding_box == ((Fraction(1, 2), 1),) * width
    assert preimage(network, "y_0 == 0").bounding_box[3] == (-float("inf"), float("inf"))
    assert preimage(network, "y_0 >= 13", box=[[0, 1]] * width).bounding_box is None


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("box", [None, [[-2, 2]] * 2])
def test_bounding_boxes_do_not_depend_on_how_cells_are_kept(seed, box, monkeypatch):
    import random

    rng = random.Random(seed)
    draw = lambda m, n: [[Fraction(rng.randint(-8, 8), 4) for _ in range(n)] for _ in range(m)]  # noqa: E731
    network = Network.from_arrays([draw(4, 2), draw(2, 4)], [draw(1, 4)[0], draw(1, 2)[0]], ["relu", "identity"])
    near = preimage(network, "argmax == 1", box=box)
    monkeypatch.setattr(engine, "VERTEX_LIMIT", 0)
    assert preimage(network, "argmax == 1", box=box).bounding_box == near.bounding_box
