import contextlib
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from symbinv.errors import NotSupportedError, ReadError, ShapeError, SymbinvError
from symbinv.network.network import Network
from symbinv.network.readers.load import load
from symbinv.network.readers.vnnlib import read_box, read_boxes
from tests.network.readers.samples import DATA, needs_data

HEAD = "(declare-const X_0 Real)\n(declare-const X_1 Real)\n(declare-const Y_0 Real)\n"
FIRST = "(assert (>= X_0 -1))(assert (<= X_0 0.1))"


def write(folder, text):
    path = folder / "p.vnnlib"
    path.write_text(text)
    return path


def boxes(folder, text):
    return [box.fractions() for box in read_boxes(write(folder, text))]


def test_numbers_are_taken_as_written_and_comments_are_skipped(tmp_path):
    text = f"; X_0 <= 7\n{HEAD}{FIRST}(assert (<= X_1 1e-1)) ; (\n(assert (<= (- 2.5) X_1))(assert (<= Y_0 3))"
    assert boxes(tmp_path, text) == [[[-1, Fraction(1, 10)], [Fraction(-5, 2), Fraction(1, 10)]]]


def test_repeated_bounds_meet(tmp_path):
    text = f"{HEAD}{FIRST}(assert (<= X_0 0))(assert (= X_1 2))"
    assert boxes(tmp_path, text) == [[[-1, 0], [2, 2]]]


def test_a_disjunction_gives_one_box_a_case(tmp_path):
    cases = (
        "(assert (or (and (= X_1 1) (>= Y_0 2)) (and (= X_1 3)) (and (= X_1 1) (>= Y_0 9)) (and (= X_0 7) (= X_1 0))))"
    )
    path = write(tmp_path, HEAD + FIRST + cases)
    assert [b.fractions()[1] for b in read_boxes(path)] == [[1, 1], [3, 3]]
    with pytest.raises(NotSupportedError, match="must form one box, not 2; `read_boxes` gives all"):
        read_box(path)


def test_conditions_on_outputs_are_no_part_of_a_box(tmp_path):
    outputs = "(assert (or (and (<= Y_0 1) (>= Y_0 0)) (and (< Y_0 -1))))(assert (= Y_0 3))"
    assert len(boxes(tmp_path, HEAD + FIRST + "(assert (= X_1 0))" + outputs)) == 1


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        (HEAD + FIRST, ReadError, "X_1 must have a lower and an upper bound"),
        (HEAD + "(assert (<= X_0 X_1))", NotSupportedError, "must bound one of them, not (<= X_0 X_1)"),
        (HEAD + "(assert (<= (+ X_0 X_1) 3))", NotSupportedError, "must bound one of them"),
        (HEAD + "(assert (< X_0 3))", NotSupportedError, "a box is closed"),
        (HEAD + "(assert (not (<= X_0 3)))", NotSupportedError, "must be a bound, and, or"),
        (HEAD + "(assert (not (= Y_0 3)))", NotSupportedError, "must be a bound, and, or"),
        (HEAD + "(assert (<= X_0 3)", ReadError, "a bracket is not closed"),
        (HEAD + ")", ReadError, "a term in brackets is needed"),
        (HEAD + "x", ReadError, "a term in brackets is needed, not 'x'"),
        (HEAD + "(frob 1)", ReadError, "a declaration or assertion is needed, not (frob 1)"),
        (HEAD + "()", ReadError, "a declaration or assertion is needed"),
        (HEAD + FIRST + "(assert (>= X_0 2))(assert (= X_1 0))", ReadError, "contradict each other"),
        ("(declare-const X_1 Real)(assert (= X_1 0))", ReadError, "X_0, X_1, ..."),
        (HEAD + "(assert (= X_2 0))", ReadError, "must be declared before they are bounded: X_2"),
        ("(declare-const X_999999999 Real)", ReadError, "X_0, X_1, ..."),
        ("(declare-const Z Real)", ReadError, "line 1: a constant must be called X_i or Y_j, not 'Z'"),
        (HEAD + "(declare-const X_01 Real)", ReadError, "line 4: a constant must be called X_i or Y_j, not 'X_01'"),
        (HEAD + "(declare-const X_2 Int)", ReadError, "a declaration or assertion is needed"),
        (HEAD + "(assert (<= 1 0))" + FIRST, ReadError, "contradict each other"),
        ("(" * 100_000, ReadError, "nested at most 64 deep"),
        ("", ReadError, "the file is empty"),
    ],
)
def test_what_is_no_box_is_refused_with_the_files_name(tmp_path, text, error, message):
    with pytest.raises(error) as caught:
        read_box(write(tmp_path, text))
    assert message in str(caught.value)
    assert "p.vnnlib" in str(caught.value)


def test_too_many_cases_are_refused(tmp_path):
    text = HEAD + "(assert (or (= X_0 1) (= X_0 2) (= X_1 3)))" * 40
    with pytest.raises(NotSupportedError, match="at most 10000 cases"):
        read_box(write(tmp_path, text))


@given(st.text(alphabet="()X_Y01 <=>andor-.;\nassertdeclare", max_size=200))
def test_any_text_gives_boxes_or_an_error_of_ours(tmp_path_factory, text):
    path = write(tmp_path_factory.getbasetemp(), HEAD + FIRST + "(assert (= X_1 0))" + text)
    with contextlib.suppress(SymbinvError):
        assert read_boxes(path)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "p.vnnlib"
    path.write_bytes(HEAD.encode() + b"; \xff")
    with pytest.raises(ReadError, match=r"p\.vnnlib: the file must be text in UTF-8"):
        read_box(path)


def test_a_bound_may_be_a_linear_row_on_one_input(tmp_path):
    text = HEAD + FIRST + "(assert (<= (* 2 X_1) (- 3 X_1 1e-1)))(assert (<= (- X_1) 4))"
    assert boxes(tmp_path, text) == [[[-1, Fraction(1, 10)], [-4, Fraction(29, 30)]]]


def test_a_network_takes_its_box_from_a_file(tmp_path):
    path = write(tmp_path, HEAD + FIRST + "(assert (= X_1 0))")
    network = load(Network.from_arrays([[[1, 2]]], [[0]], ["relu"]), box=path)
    assert network.box.fractions() == [[-1, Fraction(1, 10)], [0, 0]]
    with pytest.raises(ShapeError, match=r"shape \(1, 2\)"):
        load(Network.from_arrays([[[1]]], [[0]], ["relu"]), box=str(path))


@needs_data
def test_every_property_of_the_shared_data_has_a_box():
    paths = sorted(DATA.rglob("*.vnnlib"))
    assert len(paths) == 348
    for path in paths:
        assert read_box(path).columns == 2
    assert read_box(DATA / "acasxu" / "prop_2.vnnlib").fraction(0, 0) == Fraction("0.6")
