"""Degenerate networks with answers derived by hand."""

from dataclasses import replace
from fractions import Fraction

import pytest
import sympy

from symbinv.inverse.preimage import preimage, regions
from symbinv.inverse.verdict import Empty, NonEmpty
from symbinv.network.activation import Piece, activation
from symbinv.network.network import Network

ABS = Network.from_arrays([[[1], [-1]], [[1, 1]]], [[0, 0], [0]], ["relu", "identity"])
DIAMOND = Network.from_arrays(
    [[[1, 0], [-1, 0], [0, 1], [0, -1]], [[1, 1, 1, 1]]], [[0] * 4, [-1]], ["relu", "identity"]
)


def with_pieces(name, *pieces):
    """Return an activation with other linear pieces (slope, intercept, lower, upper)."""
    exact = [[None if e is None else Fraction(e) for e in piece] for piece in pieces]
    table = tuple(Piece(*piece) for piece in exact)
    return replace(activation("relu"), name=name, pieces=table)


HARD_TANH = with_pieces("clip", (0, -1, None, -1), (1, 0, -1, 1), (0, 1, 1, None))
MODULUS = with_pieces("modulus", (-1, 0, None, 0), (1, 0, 0, None))


def test_modulus_of_one_input_takes_a_level_twice():
    found = preimage(ABS, [1])
    assert {c.vertices for c in found.cells} == {((Fraction(1),),), ((Fraction(-1),),)}
    assert found.dimension == 0 and found.volume == 2 and isinstance(found.verdict, NonEmpty)


def test_modulus_reaches_its_minimum_where_both_units_are_inactive():
    (cell,) = preimage(ABS, [0]).cells
    assert cell.pattern == ((0, 0), ()) and cell.vertices == ((0,),)


def test_modulus_below_a_level_is_two_half_open_segments_and_their_common_end():
    found = preimage(ABS, "y_0 <= 1")
    assert {c.pattern[0] for c in found.cells} == {(1, 0), (0, 1), (0, 0)}
    assert found.volume == 2 and found.pieces == 2 and len(found.top_cells) == 2
    assert found.bounding_box == ((-1, 1),)


def test_modulus_below_zero_is_empty():
    found = preimage(ABS, "y_0 < 0")
    assert found.cells == () and isinstance(found.verdict, Empty) and found.volume == 0
    assert found.witness() is None and found.bounding_box is None and found.dimension == -1


def test_diamond_has_four_edges_and_four_corners():
    found = preimage(DIAMOND, [0])
    assert sorted(c.dimension for c in found.cells) == [0, 0, 0, 0, 1, 1, 1, 1]
    assert found.volume == 4 * sympy.sqrt(2)
    assert found.bounding_box == ((-1, 1), (-1, 1))


def test_inside_of_the_diamond_has_area_two():
    assert preimage(DIAMOND, "y_0 <= 0").volume == 2


def test_constant_region_makes_a_level_full_dimensional_and_unbounded():
    network = Network.from_arrays([[[1, 0], [0, 1]], [[1, 1]]], [[0, 0], [0]], ["relu", "identity"])
    found = preimage(network, [0])
    (cell,) = found.cells
    assert set(cell.rays) == {(-1, 0), (0, -1)} and cell.vertices == ((0, 0),) and cell.lines == ()
    assert found.dimension == 2 and found.volume == sympy.oo
    assert found.bounding_box == ((-sympy.oo, 0), (-sympy.oo, 0))
    assert preimage(network, [0], box=[[-1, 1], [-1, 1]]).volume == 1


def test_duplicate_units_count_once():
    network = Network.from_arrays([[[1], [1]], [[1, 1]]], [[0, 0], [0]], ["relu", "identity"])
    assert [c.vertices for c in preimage(network, [2]).cells] == [((1,),)]
    assert len(regions(network, box=[[-1, 1]]).cells) == 2


def test_opposite_and_dead_units_leave_the_identity():
    network = Network.from_arrays([[[1], [-1], [0]], [[1, -1, 5]]], [[0, 0, -1], [0]], ["relu", "identity"])
    found = preimage(network, ["1/2"])
    assert [c.vertices for c in found.cells] == [((Fraction(1, 2),),)] and found.cells[0].pattern[0] == (1, 0, 0)
    assert len(regions(network).cells) == 3  # two half-lines, and 0, where both are inactive


def test_constant_network_is_everything_or_nothing():
    network = Network.from_arrays([[[1, 2], [1, 2]], [[3, -3]]], [[1, 1], ["1/3"]], ["relu", "identity"])
    everything = preimage(network, ["1/3"], box=[[0, 1], [0, 2]])
    assert len(everything.cells) == 1 and everything.volume == 2
    assert preimage(network, ["1/4"], box=[[0, 1], [0, 2]]).cells == ()
    assert preimage(network, ["1/3"]).cells[0].lines == ((1, 0), (0, 1))


def test_near_parallel_hyperplanes_leave_wedges_of_exact_area():
    network = Network.from_arrays([[[1, 0], [1, Fraction(1, 10**9)]], [[1, -1]]], [[0, 0], [0]], ["relu", "identity"])
    found = regions(network, box=[[-1, 1], [-1, 1]])
    assert len(found.cells) == 4 and found.volume == 4
    assert sorted(c.volume for c in found.cells)[:2] == [Fraction(1, 2 * 10**9)] * 2


def test_three_concurrent_lines_have_six_sectors_and_their_common_point():
    network = Network.from_arrays([[[1, 0], [0, 1], [-1, -1]]], [[0, 0, 0]], ["relu"])
    for box in (None, [[-1, 1], [-1, 1]]):
        cells = regions(network, box=box).cells
        assert sorted(c.dimension for c in cells) == [0, 2, 2, 2, 2, 2, 2]


def test_parallel_hyperplanes_leave_lines():
    network = Network.from_arrays([[[1, 1], [1, 1]]], [[0, -1]], ["relu"])
    cells = regions(network).cells
    assert len(cells) == 3
    for cell in cells:
        (line,) = cell.lines
        assert line[0] == -line[1] != 0


def test_affine_network_without_kinks_is_one_cell():
    network = Network.from_arrays([[[1, 1]]], [[0]], ["identity"])
    found = preimage(network, [1])
    assert found.dimension == 1 and len(found.cells) == 1 and len(found.cells[0].lines) == 1
    assert found.contains([3, -2]) and not found.contains([3, -3])
    assert len(regions(network).cells) == 1


def test_box_that_fixes_an_input_lowers_the_dimension():
    found = preimage(DIAMOND, "y_0 <= 0", box=[[0, 0], [-2, 2]])
    assert found.dimension == 1 and found.volume == 2


def test_box_of_one_point_is_a_point():
    assert preimage(DIAMOND, [0], box=[[1, 1], [0, 0]]).volume == 1
    assert preimage(DIAMOND, [0], box=[[1, 1], [1, 1]]).cells == ()


def test_hard_tanh_has_three_pieces():
    network = Network.from_arrays([[[2]]], [[0]], [HARD_TANH])
    assert [c.pattern for c in regions(network).cells] == [((0,),), ((1,),), ((2,),)]
    found = preimage(network, [1])
    assert found.bounding_box == ((Fraction(1, 2), sympy.oo),)
    assert {c.pattern for c in found.cells} == {((1,),), ((2,),)}
    assert preimage(network, "y_0 < 1 and y_0 > -1").volume == 1


def test_modulus_as_an_activation_agrees_with_two_relus():
    network = Network.from_arrays([[[1, 0], [0, 1]], [[1, 1]]], [[0, 0], [-1]], [MODULUS, "identity"])
    found = preimage(network, [0])
    assert found.volume == 4 * sympy.sqrt(2) and len(found.cells) == 4


def test_zero_weights_make_every_input_alike():
    network = Network.from_arrays([[[0, 0]]], [[2]], ["relu"])
    found = regions(network)
    assert len(found.cells) == 1 and found.cells[0].pattern == ((1,),) and found.volume == sympy.oo


@pytest.mark.parametrize("box", [None, [[-3, 3], [-3, 3]]])
def test_cells_carry_their_affine_map(box):
    for cell in preimage(DIAMOND, "y_0 <= 2", box=box).cells:
        x = cell.interior_point
        ((constant, *slopes),) = cell.affine
        assert DIAMOND.forward(list(x)) == (constant + sum(s * e for s, e in zip(slopes, x, strict=True)),)


def test_budget_gives_a_partial_answer_that_proceeds_to_the_same_end():
    whole = preimage(DIAMOND, "y_0 <= 1", box=[[-3, 3], [-3, 3]])
    part = preimage(DIAMOND, "y_0 <= 1", box=[[-3, 3], [-3, 3]], max_cells=3)
    assert len(part.cells) == 3 and not part.is_complete and part.undecided_volume >= 0
    end = part.proceed()
    assert end.is_complete and {c.pattern for c in end.cells} == {c.pattern for c in whole.cells}
    assert end.undecided_volume == 0 and end.proceed() is end


def test_around_finds_the_cell_of_its_point_first():
    found = preimage(DIAMOND, "y_0 <= 1", box=[[-3, 3], [-3, 3]], around=["-1/2", "-1/4"], max_cells=1)
    assert found.cells[0].contains(["-1/2", "-1/4"])
    whole = preimage(DIAMOND, "y_0 <= 1", box=[[-3, 3], [-3, 3]], around=["-1/2", "-1/4"])
    assert whole.is_complete and whole.volume == 8
