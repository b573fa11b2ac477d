"""Cutting, volumes and both representations of cells, against hand-made answers and independent ones."""

from fractions import Fraction
from itertools import product
from math import factorial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symbinv.cells.preimage import regions
from symbinv.errors import ShapeError
from symbinv.exact.integer import IntegerMatrix, determinant, exact_sum, primitive
from symbinv.network.network import Network
from symbinv.polyhedra.cutting import common_bits, crossed_edges, face_dimension
from symbinv.polyhedra.polyhedron import Polyhedron
from symbinv.polyhedra.volume import simplices, volume


def cube(d):
    vertices, masks = [], []
    for corner in product((0, 1), repeat=d):
        vertices.append((1, *corner))
        masks.append(sum(1 << (2 * k + side) for k, side in enumerate(corner)))
    return vertices, masks


@pytest.mark.parametrize("d", [1, 2, 3, 4, 5])
def test_unit_cubes_have_volume_one_and_d_factorial_simplices(d):
    vertices, masks = cube(d)
    assert volume(vertices, masks, d) == (1, 1)
    assert len(list(simplices(masks, d))) == factorial(d)


def test_diagonal_cut_of_a_cube_crosses_its_edges_only():
    vertices, masks = cube(3)
    heights = [2 * sum(v[1:]) - 3 for v in vertices]
    above, below = ([i for i, h in enumerate(heights) if s * h > 0] for s in (1, -1))
    assert len(crossed_edges(masks, above, below, 3)) == 6  # the hexagon


def test_apex_of_a_pyramid_with_four_facets_is_joined_to_every_corner():
    # base z = 0 (bit 0), four sides; the apex lies on all of them, and base diagonals are no edges
    masks = [0b00111, 0b01101, 0b11001, 0b10011, 0b11110]
    assert len(crossed_edges(masks, [4], [0, 1, 2, 3], 3)) == 4
    assert crossed_edges(masks, [0], [2], 3) == []


def test_segment_in_space_has_its_length():
    rational, square = volume([(1, 0, 0, 0), (2, 2, 4, 4)], [1, 2], 1)
    assert rational**2 * square == 9


def test_faces_and_common_constraints():
    assert face_dimension([]) == -1 and face_dimension([(1, 2), (2, 4)]) == 0
    assert common_bits([0b110, 0b011]) == 0b010 and common_bits([]) == 0


@given(st.lists(st.lists(st.integers(-9, 9), min_size=4, max_size=4), min_size=4, max_size=4))
def test_determinants_agree_with_expansion(rows):
    def expand(table):
        if len(table) == 1:
            return table[0][0]
        minors = [[row[:j] + row[j + 1 :] for row in table[1:]] for j in range(len(table))]
        return sum((-1) ** j * table[0][j] * expand(m) for j, m in enumerate(minors))

    assert determinant(rows) == expand(rows)
    assert (IntegerMatrix(rows).rank() == 4) == (determinant(rows) != 0)


@given(st.lists(st.fractions(max_denominator=50), max_size=12))
def test_exact_sum_is_the_sum(values):
    assert exact_sum([(v.numerator, v.denominator) for v in values]) == sum(values, Fraction(0))


def test_primitive_keeps_zero_and_direction():
    assert primitive([0, 0]) == (0, 0) and primitive([-4, 6]) == (-2, 3)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10**6), st.integers(1, 3), st.integers(1, 7))
def test_regions_fill_the_box_and_both_representations_agree(seed, inputs, units):
    generator = np.random.default_rng(seed)
    weights = generator.integers(-3, 4, size=(units, inputs))
    network = Network.from_arrays([weights], [generator.integers(-3, 4, size=units)], ["relu"])
    found = regions(network, box=[[-2, 2]] * inputs)
    assert found.volume == 4**inputs
    for cell in found.cells:
        closure = cell.polyhedron
        for vertex in cell.vertices:
            for half_space in closure.half_spaces:
                value = sum((a * e for a, e in zip(half_space.row, vertex, strict=True)), Fraction(0))
                assert value <= half_space.bound
            assert all(
                sum((a * e for a, e in zip(row, vertex, strict=True)), Fraction(0)) == right
                for row, right in closure.equations
            )
        assert len(set(cell.vertices)) == len(cell.vertices) >= cell.dimension + 1


def test_qhull_agrees_on_volumes():
    from scipy.spatial import ConvexHull

    generator = np.random.default_rng(4)
    network = Network.from_arrays([generator.normal(size=(7, 3))], [generator.normal(size=7)], ["relu"])
    for cell in regions(network, box=[[-1, 1]] * 3).cells:
        points = np.array([[float(e) for e in v] for v in cell.vertices])
        assert ConvexHull(points).volume == pytest.approx(float(cell.volume), rel=1e-7, abs=1e-10)


def test_polyhedra_hold_open_rows_and_equations():
    half = Polyhedron([[1, 0]], [1], [[0, 1]], ["1/2"], strict=True)
    assert half.contains([0.5, 0.5]) and not half.contains([1, "1/2"]) and not half.contains([0, 0])
    with pytest.raises(ShapeError, match="2 entries"):
        half.contains([1])


@pytest.mark.parametrize(
    ("arguments", "match"),
    [(([[1, 0], [1]], [0, 0]), "one length"), (([1, 2], [0, 0]), "sequences of numbers"), (((), ()), "one length")],
)
def test_ill_formed_polyhedra_are_refused(arguments, match):
    with pytest.raises(ShapeError, match=match):
        Polyhedron(*arguments)


def test_one_entry_of_strict_per_row_is_needed():
    with pytest.raises(ShapeError, match="strict must have"):
        Polyhedron([[1]], [0], strict=[True, False])
