"""Properties in VNN-LIB: what is read, what is refused, and how it is answered."""

from fractions import Fraction

import pytest

from symbinv.cells.answer import answer, replay_float32
from symbinv.cells.specification import parse_specification, read_specification
from symbinv.errors import NotSupportedError, ReadError, ShapeError
from symbinv.network.network import Network

HEAD = "(declare-const X_0 Real)\n(declare-const Y_0 Real)\n(declare-const Y_1 Real)\n"
BOX = "(assert (<= X_0 1)) (assert (>= X_0 -1))"
NETWORK = Network.from_arrays([[[1], [-1]], [[1, 0], [0, 1]]], [[0, 0], [0, 0]], ["relu", "identity"])


def test_boxes_and_outputs_are_read_as_the_decimals_written():
    found = parse_specification(HEAD + "(assert (<= X_0 0.1)) (assert (>= X_0 -1e-1)) (assert (<= Y_0 Y_1))")
    (case,) = found.cases
    assert case.box == ((Fraction(-1, 10), Fraction(1, 10)),)
    assert case.outputs.contains([1, 1]) and not case.outputs.contains([2, 1])


def test_alternatives_with_one_box_are_joined_and_others_kept_apart():
    same = parse_specification(HEAD + BOX + "(assert (or (and (>= Y_0 1)) (and (<= Y_1 -1) (<= Y_0 0))))")
    assert [len(c.outputs.polyhedra) for c in same.cases] == [2]
    apart = parse_specification(
        HEAD + "(assert (or (and (<= X_0 1) (>= X_0 0) (>= Y_0 1)) (and (<= X_0 0) (>= X_0 -1) (>= Y_1 1))))"
    )
    assert [c.box for c in apart.cases] == [((0, 1),), ((-1, 0),)]


def test_sums_and_products_are_linear():
    found = parse_specification(HEAD + BOX + "(assert (<= (+ (* 2 Y_0) (- Y_1) 1) (- 3 Y_0)))")
    (half_space,) = found.cases[0].outputs.polyhedra[0].half_spaces
    assert (half_space.row, half_space.bound) == ((3, -1), 2)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("(assert (<= X_0 1)", "closing parenthesis"),
        ("(assert (<= X_0 1)))", "opening parenthesis"),
        ("(assert (<= X_1 1))", "declared before"),
        ("(assert (<= X_0 one))", "a number, X_i or Y_j"),
        ("(assert (* X_0 1))", "must be and, or"),
        ("(assert (<= (* Y_0 Y_1) 1))", "at most one factor"),
        ("(check-sat)", "declare-const or assert"),
        ("(declare-const Z Real)", "X_i or Y_j"),
        ("(declare-const Y_3 Real)", "without gaps"),
    ],
)
def test_text_outside_the_format_is_refused(text, match):
    with pytest.raises(ReadError, match=match):
        parse_specification(HEAD + text)


def test_assertions_beyond_boxes_are_not_supported():
    with pytest.raises(NotSupportedError, match="ties several together"):
        parse_specification(HEAD + BOX + "(assert (<= X_0 Y_0))")
    with pytest.raises(NotSupportedError, match="lower and an upper bound"):
        parse_specification(HEAD + "(assert (<= X_0 1))")


def test_files_that_cannot_be_read_name_the_place(tmp_path):
    with pytest.raises(ReadError, match="absent"):
        read_specification(tmp_path / "absent.vnnlib")
    path = tmp_path / "broken.vnnlib"
    path.write_text("(assert")
    with pytest.raises(ReadError, match=r"broken\.vnnlib.*closing"):
        read_specification(path)


def test_answers_are_right_and_witnesses_are_replayed():
    yes = answer(NETWORK, parse_specification(HEAD + BOX + "(assert (>= Y_0 0.999))"))
    assert yes.status == "sat" and yes.exact_output[0] >= Fraction(999, 1000) and yes.residual == 0
    assert yes.float32_output == pytest.approx([float(e) for e in yes.exact_output], abs=1e-6)
    assert yes.float32_residual < 1e-6
    edge = answer(NETWORK, parse_specification(HEAD + BOX + "(assert (>= Y_0 1))(assert (<= X_0 1))"))
    assert edge.status == "sat" and edge.witness == (1,)
    no = answer(NETWORK, parse_specification(HEAD + BOX + "(assert (> Y_0 0)) (assert (> Y_1 0))"))
    assert no.status == "unsat" and no.witness is None


def test_properties_of_another_shape_are_refused():
    with pytest.raises(ShapeError, match="as the network"):
        answer(Network.from_arrays([[[1]]], [[0]], ["relu"]), parse_specification(HEAD + BOX))


def test_float32_is_used_throughout_the_replay():
    assert replay_float32(NETWORK, [0.1]).dtype == "float32"
