"""VNN-LIB: boxes and whole properties come from one reader, and mean what the text says."""

import itertools
import operator
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from symbinv.cells.specification import parse_specification, read_specification
from symbinv.errors import BudgetError, NotSupportedError, ReadError
from symbinv.network.readers.vnnlib import read_boxes

HEAD = "(declare-const X_0 Real)\n(declare-const Y_0 Real)\n(declare-const Y_1 Real)\n"
BOX = "(assert (<= X_0 1)) (assert (>= X_0 -1))"
COMPARE = {"<=": operator.le, "<": operator.lt, ">=": operator.ge, ">": operator.gt, "=": operator.eq}
NAMES = ("X_0", "Y_0", "Y_1")


def boxes_of_property(path):
    return {case.box for case in read_specification(path).cases}


def boxes_alone(path):
    return {tuple(map(tuple, box.fractions())) for box in read_boxes(path)}


def test_both_entry_points_give_the_same_boxes_for_every_property_of_the_data(data):
    paths = sorted(data.rglob("*.vnnlib"))
    paths = [path for path in paths if path.is_file()]
    assert len(paths) == 348
    for path in paths:
        assert boxes_of_property(path) == boxes_alone(path), path.name


numbers = st.sampled_from(["-1", "0", "0.5", "1", "2e0", "(- 1)"])


def linear(names):
    leaf = st.one_of(numbers, st.sampled_from(names))
    scaled = st.builds(lambda a, b: ("*", a, b), numbers, st.sampled_from(names))
    return st.one_of(leaf, scaled, st.builds(lambda o, a, b: (o, a, b), st.sampled_from("+-"), leaf, scaled))


on_input = st.tuples(st.sampled_from(["<=", ">=", "="]), st.just("X_0"), numbers)
on_outputs = st.tuples(st.sampled_from(list(COMPARE)), linear(NAMES[1:]), linear(NAMES[1:]))
conditions = st.recursive(
    st.one_of(on_input, on_outputs),
    lambda inner: st.builds(
        lambda word, parts: (word, *parts), st.sampled_from(["and", "or"]), st.lists(inner, min_size=1, max_size=3)
    ),
    max_leaves=6,
)


def written(term):
    return term if isinstance(term, str) else f"({' '.join(map(written, term))})"


def value(term, point):
    """The meaning of a term or condition at a point, by SMT-LIB; shares nothing with the reader."""
    if isinstance(term, str):
        return point[term] if term in point else -Fraction(1) if term == "(- 1)" else Fraction(term)
    word, *parts = term
    found = [value(part, point) for part in parts]
    if word in ("and", "or"):
        return all(found) if word == "and" else any(found)
    if word in COMPARE:
        return COMPARE[word](*found)
    return {"+": operator.add, "-": operator.sub, "*": operator.mul}[word](*found)


@given(st.lists(conditions, max_size=3))
def test_a_property_holds_where_its_text_says_so(assertions):
    text = HEAD + BOX + "".join(f"(assert {written(c)})" for c in assertions)
    cases = parse_specification(text).cases
    grid = [Fraction(k, 2) for k in range(-3, 4)]
    for x, y, z in itertools.product(grid[1:-1:2], grid, grid[::2]):
        point = dict(zip(NAMES, (x, y, z), strict=True))
        expected = -1 <= x <= 1 and all(value(c, point) for c in assertions)
        found = any(c.box[0][0] <= x <= c.box[0][1] and c.outputs.contains([y, z]) for c in cases)
        assert found == expected, (text, point)


@given(st.lists(conditions, max_size=3))
def test_boxes_are_those_of_the_property(tmp_path_factory, assertions):
    path = tmp_path_factory.getbasetemp() / "agree.vnnlib"
    path.write_text(HEAD + BOX + "".join(f"(assert {written(c)})" for c in assertions))
    expected = boxes_of_property(path)
    if expected:
        assert boxes_alone(path) == expected
    else:
        with pytest.raises(ReadError, match="contradict each other"):
            read_boxes(path)


ten = " ".join(f"(<= Y_0 {k})" for k in range(10))
four_thousand = " ".join(f"(<= Y_0 {k})" for k in range(4000))


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("(" * 100_000, ReadError, "nested at most 64 deep"),
        (f"(assert {'(and ' * 64}(<= Y_0 1){')' * 65}", ReadError, "line 4: terms must be nested at most 64 deep"),
        (f"(assert (or {ten}))" * 5, NotSupportedError, "at most 10000 cases"),
        (f"(assert (and {f'(or {ten})' * 30}))", NotSupportedError, "line 4: a property must have at most 10000 cases"),
        (f"(assert (or {four_thousand} (or {four_thousand}) (or {four_thousand})))", NotSupportedError, "10000 cases"),
        (f"(assert (or {four_thousand}))" + "(assert (<= Y_1 1))" * 300, BudgetError, "1048576 rows together"),
        ("(assert (<= Y_0 1e999999999))", ReadError, "not '1e999999999'; a number has at most 400 digits"),
        ("(assert (<= X_0 -1e-9999))", ReadError, "3 in the exponent"),
        (f"(assert (<= Y_0 {'9' * 100_000}))", ReadError, "a number has at most 400 digits"),
        (f"(assert (<= Y_0 (* {'1e999 ' * 100_000})))", BudgetError, "at most 16384 bits"),
        (f"(assert (<= {'(* 1e999 ' * 20}Y_0{')' * 20} 1))", BudgetError, "at most 16384 bits"),
        ("(declare-const X_999999999 Real)", ReadError, "without gaps, not 2 up to X_999999999"),
    ],
)
def test_limits_hold_for_both_entry_points(tmp_path, text, error, message):
    path = tmp_path / "large.vnnlib"
    path.write_text(HEAD + text)
    for read in (read_specification, read_boxes):
        with pytest.raises(error) as caught:
            read(path)
        assert message in str(caught.value) and "large.vnnlib" in str(caught.value)


def test_what_is_within_the_limits_is_read(tmp_path):
    path = tmp_path / "deep.vnnlib"
    path.write_text(HEAD + BOX + f"(assert {'(and ' * 62}(<= Y_0 1e999){')' * 63}" + f"(assert (or {ten}))" * 3)
    (case,) = read_specification(path).cases
    assert len(case.outputs.polyhedra) == 1000 and boxes_alone(path) == {case.box} == {((-1, 1),)}


def test_wide_outputs_with_many_rows_are_refused_before_they_are_stored():
    outputs = "".join(f"(declare-const Y_{j} Real)" for j in range(8192))
    rows = "".join(f"(assert (<= Y_{j} 1))" for j in range(2049))
    with pytest.raises(BudgetError, match="rows on outputs must have at most"):
        parse_specification("(declare-const X_0 Real)" + outputs + BOX + rows)
