import re

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

import symbinv as si
from derivations.cases import DERIVATIONS
from symbinv.notation import latex_symbol, latex_text
from symbinv.presentation.latex import stand_alone
from symbinv.presentation.mathtext import Printer, round_number, width

from ..algebra.strategies import symbolic_matrices
from ..catalogue import CATALOGUE
from ..strategies import networks
from .compiling import complaints, pdflatex

HOSTILE = [
    r"x);import os",
    r"\input{/etc/passwd}",
    "<script>alert(1)</script>",
    "%\n\\end{document}",
    "a$b_c^d&#~",
    "é\x00",
]
MODES = ("article", "fragment", "appendix", "beamer")


def paper():
    return si.invert(si.Network.generic([3, 2], ["sigmoid"]))


def test_the_papers_notation_and_term_order():
    text = si.to_latex(paper(), mode="fragment")
    for piece in (
        r"k_{21} &= \dfrac{w_{21}}{w_{11}}",
        r"w^{(1)}_{22} &= w_{22} - k_{21} w_{12}",
        r"\xrightarrow{R_{2} - k_{21}\,R_{1} \to R_{2}}",
        r"\left(r_{2} - k_{21} r_{1}\right) - \left(w_{23} - k_{21} w_{13}\right) x_{3}",
        r"x_{1} &= \dfrac{r_{1} - w_{12} x_{2} - w_{13} x_{3}}{w_{11}}",
        r"$w_{11} \ne 0$ and $w^{(1)}_{22} \ne 0$",
    ):
        assert piece in text, piece


def test_only_an_article_is_a_whole_document():
    for mode in MODES:
        text = si.to_latex(paper(), mode=mode)
        assert (r"\documentclass" in text) == (mode == "article")
        whole = stand_alone(text, mode)
        assert whole.startswith(r"\documentclass")
        assert whole.count(r"\begin{document}") == whole.count(r"\end{document}") == 1
        assert text in whole


def test_frames_hold_no_section_and_no_float():
    text = si.to_latex(paper(), mode="beamer")
    assert not re.search(r"\\(sub)*section|\\begin\{(table|figure)\}", text)
    assert text.count(r"\begin{frame}[allowframebreaks]") == text.count(r"\end{frame}") == 4


def test_a_prefix_stands_in_every_label_and_reference():
    text = si.to_latex(paper(), prefix="net2.")
    assert r"\label{eq:net2.l1-w22-1}" in text
    assert all(key.startswith("eq:net2.") for key in labels(text) + references(text))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mode": "book"}, "mode must be one of article"),
        ({"prefix": "a}b"}, "prefix may hold"),
        ({"prefix": 3}, "prefix may hold"),
        ({"fractions": "slanted"}, "fractions must be one of frac, cfrac, inline"),
        ({"matrix_size": 2}, "at least 3"),
        ({"matrix_size": 4.5}, "whole number"),
    ],
)
def test_misuse_says_what_must_hold(options, words):
    with pytest.raises(si.OptionError, match=words):
        si.to_latex(paper(), **options)


def test_fractions_come_in_three_styles():
    shown = {style: si.to_latex(paper(), fractions=style, mode="fragment") for style in ("frac", "cfrac", "inline")}
    assert r"\dfrac{w_{21}}{w_{11}}" in shown["frac"]
    assert r"\cfrac{w_{21}}{w_{11}}" in shown["cfrac"]
    assert "k_{21} &= w_{21} / w_{11}" in shown["inline"]
    assert "frac" not in shown["inline"]
    assert r"\log{\left(y_{1} / \left(1 - y_{1}\right) \right)}" in shown["inline"]


@given(st.integers(3, 9), st.integers(1, 14), st.integers(1, 14))
@settings(max_examples=25, deadline=None)
def test_no_matrix_shows_more_rows_or_columns_than_asked_for(size, rows, columns):
    network = si.Network.from_arrays([[[1] * columns] * rows], [[0] * rows], ["identity"])
    text = si.to_latex(si.invert(network), matrix_size=size)
    (width, body) = re.search(r"\\left\(\\begin\{array\}\{(c*)\}(.*?)\\end\{array\}", text, re.DOTALL).groups()
    assert len(width) == min(size, columns)
    assert body.count(r"\\") + 1 == min(size, rows)
    assert (r"\vdots" in body) == (rows > size)
    assert (r"\cdots" in body) == (columns > size)


def labels(text):
    return re.findall(r"\\label\{([^}]*)\}", text)


def references(text):
    return re.findall(r"\\eqref\{([^}]*)\}", text)


def check_structure(text):
    """Braces balance, environments nest, labels are unique, references resolve, no sign is repeated."""
    bare = re.sub(r"\\[{}\\]", "", text)
    depth = 0
    for c in bare:
        depth += {"{": 1, "}": -1}.get(c, 0)
        assert depth >= 0
    assert depth == 0
    opened = []
    for kind, name in re.findall(r"\\(begin|end)\{([^}]*)\}", text):
        if kind == "begin":
            opened.append(name)
        else:
            assert opened.pop() == name
    assert not opened
    assert len(set(labels(text))) == len(labels(text))
    assert set(references(text)) <= set(labels(text))
    assert len(re.findall(r"\\left(?![a-z])", bare)) == len(re.findall(r"\\right(?![a-z])", bare))
    assert not re.search(r"[-+] *[-+]|[-+=] *[,.]?\s*\\end|None|[A-Za-z]+\(.*=.*\) object", re.sub(r"%.*", "", bare))


@given(networks(), st.sampled_from(MODES), st.sampled_from(["frac", "cfrac", "inline"]), st.booleans())
@settings(max_examples=20, deadline=None)
def test_pages_of_any_network_are_well_formed(network, mode, fractions, symbolic):
    target = None if symbolic else network.forward([0] * network.sizes[0])
    numeric = target is None or all(v.is_Rational for v in target)
    inverse = si.invert(network, target if numeric else ["1/2"] * network.sizes[-1])
    check_structure(si.to_latex(inverse, mode=mode, fractions=fractions))


@given(symbolic_matrices(), st.sampled_from(MODES))
@settings(max_examples=15, deadline=None)
def test_pages_of_any_symbolic_layer_are_well_formed(rows, mode):
    check_structure(si.to_latex(si.invert(si.Network.from_arrays([rows], [[0] * len(rows)], ["tanh"])), mode=mode))


@pytest.mark.parametrize("name", DERIVATIONS)
@pytest.mark.parametrize("mode", MODES)
def test_pages_of_the_gallery_are_well_formed(name, mode, gallery):
    check_structure(si.to_latex(gallery[name], mode=mode))


@pytest.fixture(scope="module")
def gallery():
    return {name: make() for name, make in DERIVATIONS.items()}


@pdflatex
@pytest.mark.parametrize("mode", MODES)
def test_references_resolve_and_nothing_is_too_wide_in_any_mode(mode, gallery, tmp_path):
    # overfull \vbox: what does not fit on a slide
    names = ("paper_3_2", "closed_form_3_5", "all_cases_2_3", "iris", "leaky_relu_branches")
    texts = {n: stand_alone(si.to_latex(gallery[n], mode=mode, prefix=f"{k}-"), mode) for k, n in enumerate(names)}
    assert complaints(texts, tmp_path, runs=2) == []


@pytest.mark.parametrize("case", CATALOGUE, ids=lambda c: c.name)
def test_it_is_the_same_from_run_to_run(case):
    assert si.to_latex(case.invert()) == si.to_latex(case.invert())


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_shown_and_not_executed(name):
    shown = latex_symbol(name)
    assert r"\input{" not in shown
    assert "\n" not in shown
    assert "$" not in shown.replace(r"\$", "")
    assert "%" not in shown.replace(r"\%", "")


@pdflatex
def test_hostile_symbols_in_a_network_compile(tmp_path):
    weights = sympy.Matrix(1, len(HOSTILE), [sympy.Symbol(name) for name in HOSTILE])
    network = si.Network.from_arrays([weights], [[0]], ["tanh"], input_names=HOSTILE, notes=HOSTILE)
    complaints({"hostile": si.to_latex(si.invert(network))}, tmp_path)


@pdflatex
def test_large_symbolic_networks_compile_without_wide_boxes(tmp_path):
    cases = [((12, 9), "tanh"), ((3, 5, 4), "softplus"), ((6, 5, 4, 3), "leaky_relu"), ((11, 2), "identity")]
    made = {str(sizes): si.Network.generic(sizes, [name] * (len(sizes) - 1)) for sizes, name in cases}
    assert complaints({name: si.to_latex(si.invert(network)) for name, network in made.items()}, tmp_path) == []


@pdflatex
def test_trained_networks_compile_without_wide_boxes(data, tmp_path):
    import numpy as np

    texts = {}
    for name in ("wine_tanh_13-8-5-3", "digits_logistic_64-32-16-10", "bc_identity_30-12-4-1"):
        path = data / "trained" / f"{name}.npz"
        texts[name] = si.to_latex(si.invert(si.load(path), np.load(path)["y_star"]))
        assert len(texts[name]) < 100_000
    assert complaints(texts, tmp_path) == []


def test_rounded_numbers_carry_the_sign_and_exact_ones_do_not():
    network = si.Network.from_arrays([[[0.1, 0.7]]], [["1/3"]], ["identity"])
    text = si.to_latex(si.invert(network, [1]))
    assert r"\approx" in text
    exact = si.Network.from_arrays([[["1/10", "7/10"]]], [["1/3"]], ["identity"])
    assert r"\approx" not in si.to_latex(si.invert(exact, [1])).split("Result")[0]


@given(st.text(max_size=30))
@settings(max_examples=200)
def test_escaped_text_holds_no_live_character(text):
    shown = latex_text(text)
    assert shown.isascii()
    live = shown
    for command in (
        r"\textbackslash{}",
        r"\textasciicircum{}",
        r"\textasciitilde{}",
        r"\textless{}",
        r"\textgreater{}",
        r"\textbar{}",
        r"\textquotedblright{}",
        r"\{",
        r"\}",
        r"\$",
        r"\&",
        r"\#",
        r"\%",
        r"\_",
    ):
        live = live.replace(command, "")
    assert not set(live) & set('\\{}$&#%_^~<>|"\n')


def test_widths_and_rounding():
    assert width(r"\dfrac{a + b}{c}") < width("a + b + c + d")
    assert round_number(sympy.Rational(1, 3)) == "0.33333"
    assert Printer().doprint(sympy.Rational(1217, 1000)) == "1.217"
    assert round_number(sympy.Rational(2) ** -400) == r"3.8726 \cdot 10^{-121}"
