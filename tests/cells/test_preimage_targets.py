"""Targets: the grammar, ties, smooth last activations, and what is refused."""

from fractions import Fraction

import numpy as np
import pytest
import sympy

from symbinv.cells.output_set import to_output_set
from symbinv.cells.preimage import preimage, regions
from symbinv.errors import NotSupportedError, OptionError, ShapeError
from symbinv.inverse.verdict import Empty
from symbinv.network.network import Network
from symbinv.polyhedra.polyhedron import Polyhedron

IDENTITY_ARRAYS = [[[1, 0, 0], [0, 1, 0], [0, 0, 1]]]
IDENTITY = Network.from_arrays(IDENTITY_ARRAYS, [[0, 0, 0]], ["identity"])
UNIT = [[0, 1]] * 3


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("argmax == 1", [1, 2, 2], [2, 2, 1]),
        ("argmin == 0", [1, 1, 2], [2, 1, 3]),
        ("argmax != 1", [2, 2, 1], [1, 2, 2]),
        ("y_0 - y_1 >= 1/2", [1, "1/2", 0], [1, "3/4", 0]),
        ("2*y_0 + 3 y_1 - y_2/2 < 1e0", [0, 0, 0], [1, 0, 0]),
        ("0 <= y_0 <= 1 and y_1 = 2", [1, 2, 9], [1, 1, 9]),
        ("y_0 > 1 or y_1 > 1, y_2 > 1", [0, 2, 2], [0, 2, 0]),
        ("-y_0 + .5 == - 2.5", [3, 0, 0], [2, 0, 0]),
        ("Y_{2} >= --1", [0, 0, 1], [0, 0, 0]),
    ],
)
def test_grammar_reads_linear_comparisons_and_classes(text, inside, outside):
    target = to_output_set(text, 3)
    assert target.contains(inside) and not target.contains(outside)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "argmax",
        "argmax == x",
        "y_0",
        "y_0 >=",
        "y_0 >= y_1 1 2 y_2",
        "y_0 * y_1 > 0",
        "y_0 / 0 > 1",
        "__import__('os')",
        "y_0 >= 1 and",
        "1/y_0 > 0",
        "argmax == 1.5",
        "y_0 => 1",
    ],
)
def test_text_outside_the_grammar_is_refused(text):
    with pytest.raises(OptionError, match="must read like"):
        to_output_set(text, 3)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("y_0 >= ", "number or an output at position 7 (^ in 'y_0 >= ^')"),
        ("y_0 > 1 and argmax = 7", "not 7, at position 21 (^ in 'y_0 > 1 and argmax = ^7')"),
        ("y_0 ~ 1", "relation at position 4 (^ in 'y_0 ^~ 1')"),
        ("y_0 y_1", "relation at position 4"),
    ],
)
def test_errors_show_the_place(text, place):
    with pytest.raises(OptionError) as caught:
        to_output_set(text, 3)
    assert place in str(caught.value) and "\n" not in str(caught.value)


def test_outputs_may_be_called_by_their_names():
    names = ["setosa", "y[1]", "petal width (cm)"]
    network = Network.from_arrays(IDENTITY_ARRAYS, [[0, 0, 0]], ["identity"], output_names=names)
    for text, plain in (
        ("argmax == setosa", "argmax == 0"),
        ("setosa - 2*y[1] >= 1/2 petal width (cm)", "y_0 - 2*y_1 >= 1/2 y_2"),
        ("0 <= petal width (cm) <= 1/2 or y_1 < y[1]", "0 <= y_2 <= 1/2"),
    ):
        assert preimage(network, text, box=UNIT).volume == preimage(network, plain, box=UNIT).volume
    with pytest.raises(OptionError, match="position 0"):
        to_output_set("setosas > 0", 3, names=names)
    digits = to_output_set("y_0 >= 1 and argmax == 2", 3, names=["2", "1", "0"])  # numbers are numbers
    assert digits.contains([1, 0, 2]) and not digits.contains([0, 0, 2])


@pytest.mark.parametrize("text", ["argmax == 3", "y_3 > 0"])
def test_outputs_that_do_not_exist_are_refused(text):
    with pytest.raises(OptionError, match="between 0 and 2"):
        to_output_set(text, 3)


def test_targets_of_wrong_width_are_refused():
    with pytest.raises(ShapeError, match="one entry per output"):
        preimage(IDENTITY, [1, 2])
    with pytest.raises(ShapeError, match="one entry per output"):
        preimage(IDENTITY, Polyhedron([[1, 0]], [0]))
    with pytest.raises(ShapeError, match="one right side per row"):
        Polyhedron([[1, 0]], [0, 1])


def test_classes_partition_the_box_whatever_the_ties():
    flat = Network.from_arrays([[[1, 0], [0, 1]], [[1, 0], [0, 1]]], [[0, 0], [0, 0]], ["relu", "identity"])
    parts = [preimage(flat, f"argmax == {i}", box=[[-1, 1], [-1, 1]]) for i in range(2)]
    assert [p.volume for p in parts] == [
        Fraction(5, 2),
        Fraction(3, 2),
    ]  # the first wins the tie
    assert preimage(IDENTITY, "argmax == 2", box=UNIT).volume == Fraction(1, 3)


def test_overlapping_alternatives_are_counted_once():
    assert preimage(IDENTITY, "y_0 <= 1/2 or y_1 <= 1/2", box=UNIT).volume == Fraction(3, 4)
    whole = [Polyhedron([[1, 0, 0]], ["1/2"]), Polyhedron([[0, 1, 0]], ["1/2"])]
    assert preimage(IDENTITY, whole, box=UNIT).volume == Fraction(3, 4)


def test_sigmoid_threshold_gives_logarithms_that_are_decided_exactly():
    network = Network.from_arrays([[[1, 0]]], [[0]], ["sigmoid"])
    found = preimage(network, "y_0 >= 3/4", box=[[-2, 2], [0, 3]])
    assert sympy.simplify(found.volume - 3 * (2 - sympy.log(3))) == 0
    assert float(found.bounding_box[0][0]) == pytest.approx(float(sympy.log(3)))
    edge = preimage(network, "y_0 == 3/4", box=[[-2, 2], [0, 3]])
    assert edge.dimension == 1 and edge.volume == 3
    assert not edge.contains([1, 1]) and found.contains([2, 1]) and not found.contains([1, 1])


def test_targets_outside_the_image_of_a_sigmoid_are_empty_or_everything():
    network = Network.from_arrays([[[1]]], [[0]], ["sigmoid"])
    assert isinstance(preimage(network, [1]).verdict, Empty)
    assert isinstance(preimage(network, "y_0 >= 2").verdict, Empty)
    assert preimage(network, "y_0 < 1", box=[[0, 1]]).volume == 1
    assert preimage(network, "y_0 > 0", box=[[0, 1]]).volume == 1


def test_argmax_ignores_softmax():
    rng = np.random.default_rng(3)
    w, v = rng.normal(size=(5, 2)), rng.normal(size=(3, 5))
    soft = Network.from_arrays([w, v], [np.zeros(5), np.zeros(3)], ["relu", "softmax"])
    plain = Network.from_arrays([w, v], [np.zeros(5), np.zeros(3)], ["relu", "identity"])
    box = [[-1, 1]] * 2
    for i in range(3):
        assert preimage(soft, f"argmax == {i}", box=box).volume == preimage(plain, f"argmax == {i}", box=box).volume


def test_softmax_point_is_a_line_along_the_shift():
    network = Network.from_arrays([[[1, 0, 0], [0, 1, 0], [0, 0, 1]]], [[0, 0, 0]], ["softmax"])
    found = preimage(network, ["1/2", "1/4", "1/4"])
    (cell,) = found.cells
    assert found.dimension == 1 and cell.lines == ((1, 1, 1),)
    x = cell.interior_point
    assert sympy.simplify(x[0] - x[1] - sympy.log(2)) == 0 and x[1] == x[2]
    assert preimage(network, ["1/2", "1/2", "1/2"]).cells == ()
    assert len(preimage(network, [0.1, 0.2, 0.7]).cells) == 1  # floats that sum to 1 up to rounding


def test_softmax_ratio_is_linear():
    network = Network.from_arrays([[[1, 0], [0, 1]]], [[0, 0]], ["softmax"])
    found = preimage(network, "y_0 >= 3/4", box=[[0, 2], [0, 2]])
    assert sympy.simplify(found.volume - (2 - sympy.log(3)) ** 2 / 2) == 0


def test_rows_that_are_not_linear_before_the_last_activation_are_refused():
    network = Network.from_arrays([[[1, 0], [0, 1]]], [[0, 0]], ["sigmoid"])
    with pytest.raises(NotSupportedError, match="thresholds of single outputs"):
        preimage(network, "y_0 + 2 y_1 <= 1")
    three = Network.from_arrays([[[1, 0], [0, 1], [1, 1]]], [[0, 0, 0]], ["softmax"])
    with pytest.raises(NotSupportedError, match="compare two outputs"):
        preimage(three, "y_0 >= 1/2")


def test_smooth_hidden_layers_are_refused_with_the_way_out():
    network = Network.from_arrays([[[1]], [[1]]], [[0], [0]], ["tanh", "identity"])
    with pytest.raises(NotSupportedError, match=r"layer 1 uses 'tanh'.*`invert`"):
        regions(network)


def test_log_softmax_compares_outputs_as_the_identity_does():
    arrays = [[[1, 0], [0, 1]]], [[0, 0]]
    logged, plain = (Network.from_arrays(*arrays, [name]) for name in ("log_softmax", "identity"))
    for text in ("argmax == 0", "y_0 - y_1 >= 1/2"):
        assert preimage(logged, text, box=UNIT[:2]).volume == preimage(plain, text, box=UNIT[:2]).volume
    assert preimage(logged, [-1, -1]).cells == ()
    with pytest.raises(NotSupportedError, match="sum to 0"):
        preimage(logged, "y_0 >= -1")


def test_comparisons_behind_an_activation_that_is_not_one_to_one_are_refused():
    network = Network.from_arrays([[[1, 0], [0, 1]]], [[0, 0]], ["square"])
    with pytest.raises(NotSupportedError, match="not one-to-one"):
        preimage(network, "argmax == 0", box=UNIT[:2])


@pytest.mark.parametrize(
    ("name", "cells"), [("abs", 4), ("hard_tanh", 9), ("relu6", 9), ("hard_sigmoid", 9), ("prelu", 4)]
)
def test_every_piecewise_linear_activation_splits_at_its_kinks(name, cells):
    network = Network.from_arrays([[[1, 2], [2, -1]]], [[0, 1]], [name])
    found = regions(network, box=[[-9, 9]] * 2)
    assert len(found.cells) == cells and found.volume == 18**2
