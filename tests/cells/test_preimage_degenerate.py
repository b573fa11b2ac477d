"""Degenerate networks with answers derived by hand."""

import json
from dataclasses import replace
from fractions import Fraction

import pytest
import sympy

from symbinv import checker
from symbinv.cells.preimage import preimage, regions
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


def one_input(name):
    return Network.from_arrays([[[1]]], [[0]], [name])


def hidden(rows, biases, weights, bias=0, name="relu"):
    return Network.from_arrays([rows, [weights]], [biases, [bias]], [name, "identity"])


MAXIMUM = hidden([[1, -1], [0, 1], [0, -1]], [0, 0, 0], [1, 1, -1])  # max(x_1, x_2), as MaxPool is rewritten
STRIP = hidden([[1, 0], [1, 0]], [0, Fraction(-1, 10**9)], [1, -1])  # rises by 1e-9 between two parallel lines
TENT = hidden([[1], [1], [1]], [1, 0, -1], [1, -2, 1])  # 1 - |x| on [-1, 1], 0 elsewhere

EVERYTHING = [(-sympy.oo, sympy.oo)] * 2

# network, target, box, then by hand: number of cells, dimension, volume, ends of every input
BY_HAND = {
    "a line in a bias-free network": (hidden([[1, 1]], [0], [1]), "y_0 == 2", None, 1, 1, sympy.oo, EVERYTHING),
    "a half-plane in a bias-free network": (hidden([[1, 1]], [0], [1]), [0], None, 1, 2, sympy.oo, EVERYTHING),
    "a cone in a bias-free network": (
        hidden([[1, 0], [0, 1]], [0, 0], [-1, -1]), "y_0 >= 0", None, 1, 2, sympy.oo, [(-sympy.oo, 0)] * 2,
    ),
    "opposite units: their common line is a cell": (
        hidden([[1, -1], [-1, 1]], [0, 0], [1, 1]), [0], [[-1, 1]] * 2, 1, 1, 2 * sympy.sqrt(2), [(-1, 1)] * 2,
    ),
    "a unit that is 0 everywhere": (hidden([[1], [0]], [0, 0], [1, 7]), [1], None, 1, 0, 1, [(1, 1)]),
    "a unit that is dead on all outputs of the layer below": (
        Network.from_arrays([[[1]], [[-1]], [[1]]], [[0], [0], [0]], ["relu", "relu", "identity"]),
        [0], [[-1, 1]], 2, 1, 2, [(-1, 1)],
    ),
    "parallel hyperplanes 1e-9 apart: the rise between": (
        STRIP, "0 < y_0 < 1/1000000000", [[-1, 1]] * 2, 1, 2, Fraction(2, 10**9), [(0, Fraction(1, 10**9)), (-1, 1)],
    ),
    "parallel hyperplanes 1e-9 apart: above both": (
        STRIP, [Fraction(1, 10**9)], [[-1, 1]] * 2, 2, 2, 2 - Fraction(2, 10**9), [(Fraction(1, 10**9), 1), (-1, 1)],
    ),
    "a level at the top of a tent, on a kink": (TENT, [1], None, 1, 0, 1, [(0, 0)]),
    "the foot of a tent: two constant regions": (TENT, [0], [[-3, 3]], 3, 1, 4, [(-3, 3)]),
    "half way up a tent": (TENT, ["1/2"], None, 2, 0, 2, [(Fraction(-1, 2), Fraction(1, 2))]),
    "a maximum below a level": (MAXIMUM, "y_0 <= 1", [[-2, 2]] * 2, 6, 2, 9, [(-2, 1)] * 2),
    "a maximum at a level: a corner": (MAXIMUM, [0], [[-2, 2]] * 2, 2, 1, 4, [(-2, 0)] * 2),
    "relu6 at its upper kink": (one_input("relu6"), [6], None, 2, 1, sympy.oo, [(6, sympy.oo)]),
    "relu6 between its kinks": (one_input("relu6"), [3], None, 1, 0, 1, [(3, 3)]),
    "relu6 above its range": (one_input("relu6"), "y_0 > 6", None, 0, -1, 0, None),
    "hard_sigmoid at 0": (one_input("hard_sigmoid"), [0], [[-4, 4]], 1, 1, Fraction(3, 2), [(-4, Fraction(-5, 2))]),
    "hard_sigmoid at one half": (one_input("hard_sigmoid"), ["1/2"], None, 1, 0, 1, [(0, 0)]),
    "leaky_relu below 0": (one_input("leaky_relu(1/4)"), "-1 <= y_0 <= 1", None, 2, 1, 5, [(-4, 1)]),
    "leaky_relu of slope 0.01": (one_input("leaky_relu"), [-1], None, 1, 0, 1, [(-100, -100)]),
    "prelu takes each value once": (one_input("prelu(1/2)"), ["-1/2"], None, 1, 0, 1, [(-1, -1)]),
    "prelu with slope 1 is the identity": (one_input("prelu(1)"), "0 <= y_0 + 1 <= 2", None, 2, 1, 2, [(-1, 1)]),
    "abs takes a value twice": (one_input("abs"), [2], None, 2, 0, 2, [(-2, 2)]),
    "hard_tanh inside": (one_input("hard_tanh"), "-1 < y_0 < 1", None, 1, 1, 2, [(-1, 1)]),
}  # fmt: skip


@pytest.mark.parametrize("name", BY_HAND)
def test_degenerate_networks_have_the_answers_derived_by_hand(name):
    network, target, box, cells, dimension, volume, ends = BY_HAND[name]
    found = preimage(network, target, box=box)
    assert (len(found.cells), found.dimension, found.volume) == (cells, dimension, volume)
    assert found.bounding_box == (None if ends is None else tuple(ends))
    assert checker.check(json.loads(json.dumps(found.certificate())))["cells"] == cells
    for cell in found.cells:
        assert found.contains(cell.interior_point) and sum(c.contains(cell.interior_point) for c in found.cells) == 1


def test_bias_free_cones_have_their_rays_and_lines():
    quadrants = regions(hidden([[1, 0], [0, 1]], [0, 0], [1, 1])).cells
    assert {frozenset(c.rays) for c in quadrants} == {frozenset({(a, 0), (0, b)}) for a in (1, -1) for b in (1, -1)}
    left, right = regions(hidden([[1, 1]], [0], [1])).cells
    for cell, sign in ((left, -1), (right, 1)):
        ((ray,), (line,)) = cell.rays, cell.lines
        assert sign * sum(ray) > 0 and sum(line) == 0 != line[0]


def test_ties_go_to_the_first_output_for_argmax_and_argmin():
    flat = Network.from_arrays([[[0], [0]]], [[1, 1]], ["identity"])
    for word in ("argmax", "argmin"):
        assert [len(preimage(flat, f"{word} == {i}", box=[[0, 1]]).cells) for i in range(2)] == [1, 0]
    crossing = Network.from_arrays([[[1], [-1]]], [[0, 0]], ["identity"])  # equal at 0
    first, second = (preimage(crossing, f"argmax == {i}", box=[[-1, 1]]) for i in range(2))
    assert first.contains([0]) and not second.contains([0]) and first.volume == second.volume == 1
