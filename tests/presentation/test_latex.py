import shutil

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

import symbinv as si
from symbinv.notation import latex_symbol, latex_text
from symbinv.presentation.mathtext import round_number, width

from ..catalogue import CATALOGUE
from ..derivation.test_golden import wide_boxes

HOSTILE = [
    r"x);import os",
    r"\input{/etc/passwd}",
    "<script>alert(1)</script>",
    "%\n\\end{document}",
    "a$b_c^d&#~",
    "é\x00",
]
pdflatex = pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")


def paper():
    return si.invert(si.Network.generic([3, 2], ["sigmoid"]))


def test_the_papers_notation_and_term_order():
    text = si.to_latex(paper(), document=False)
    for piece in (
        r"k_{21} &= \frac{w_{21}}{w_{11}}",
        r"w^{(1)}_{22} &= w_{22} - k_{21} w_{12}",
        r"\xrightarrow{\substack{R_{2} - k_{21}\,R_{1} \to R_{2}}}",
        r"\left(r_{2} - k_{21} r_{1}\right) - \left(w_{23} - k_{21} w_{13}\right) x_{3}",
        r"x_{1} = \dfrac{r_{1} - w_{12} x_{2} - w_{13} x_{3}}{w_{11}}",
        r"$w_{11} \ne 0$, $w^{(1)}_{22} \ne 0$",
    ):
        assert piece in text, piece


def test_a_document_and_a_fragment_hold_the_same_body():
    whole, part = si.to_latex(paper()), si.to_latex(paper(), document=False)
    assert part in whole
    assert whole.startswith(r"\documentclass")
    assert "documentclass" not in part


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
    wide_boxes(si.to_latex(si.invert(network)), tmp_path)


@pdflatex
@pytest.mark.parametrize(
    ("sizes", "activation"),
    [((12, 9), "tanh"), ((3, 5, 4), "softplus"), ((6, 5, 4, 3), "leaky_relu"), ((11, 2), "identity")],
    ids=str,
)
def test_symbolic_networks_compile_without_wide_boxes(sizes, activation, tmp_path):
    network = si.Network.generic(sizes, [activation] * (len(sizes) - 1))
    assert wide_boxes(si.to_latex(si.invert(network)), tmp_path) == []


@pdflatex
@pytest.mark.parametrize("name", ["wine_tanh_13-8-5-3", "digits_logistic_64-32-16-10", "bc_identity_30-12-4-1"])
def test_trained_networks_compile_without_wide_boxes(name, data, tmp_path):
    import numpy as np

    path = data / "trained" / f"{name}.npz"
    text = si.to_latex(si.invert(si.load(path), np.load(path)["y_star"]))
    assert wide_boxes(text, tmp_path) == []
    assert len(text) < 100_000


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
    assert round_number(sympy.Rational(2) ** -400) == r"3.8726 \cdot 10^{-121}"
