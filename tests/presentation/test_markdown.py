import re

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

import symbinv as si
from derivations.cases import DERIVATIONS
from symbinv.presentation.markdown import escape, mathematics

from ..strategies import networks
from .test_latex import HOSTILE, labels

REFUSED = r"\\(operatorname|mbox|phantom|allowbreak|label|eqref|notag|intertext|def|newcommand|href|class|style)\b"


def displays(text):
    """Return the displays of a page and the text between them."""
    parts = re.split(r"^\$\$$", text, flags=re.MULTILINE)
    assert len(parts) % 2 == 1
    return parts[1::2], parts[0::2]


def check_markdown(text):
    shown, between = displays(text)
    for display in shown:
        assert not re.search(REFUSED, display), display
        lines = display.strip("\n").split("\n")
        assert "" not in [line.strip() for line in lines]
        for line in lines:  # nothing that Markdown takes for a list, a heading, a quotation, a table or a rule
            assert not re.match(r"\s*([-+*>#=|~`]|\d+[.)]\s)", line), line
        assert "$" not in display
        assert not re.search(r"\S[<>]|[<>]\S", display)
        assert not re.search(r"[^\w\s]_\{", display), display  # an underscore that may open emphasis
    for words in between:
        for formula in re.findall(r"(?<!\\)\$(.*?)(?<!\\)\$", words, flags=re.DOTALL):
            assert formula == formula.strip() != ""
            assert "\n" not in formula
            assert not re.search(REFUSED, formula), formula
            assert not re.search(r"\\[^A-Za-z]", formula), formula  # Markdown eats a backslash before punctuation
            assert not re.search(r"[^\w\s]_\{", formula), formula
        outside = re.sub(r"(?<!\\)\$.*?(?<!\\)\$", "", words)
        assert not re.search(r"[A-Za-z0-9]\$\S", re.sub(r"\\\$", "", words.replace("$ ", " "))) or outside
    tags = [int(n) for n in re.findall(r"\\tag\{(\d+)\}", text)]
    assert tags == list(range(1, len(tags) + 1))
    for words in between:
        assert all(1 <= int(n) <= len(tags) for n in re.findall(r"(?<= )\((\d+)\)", re.sub(r"\$[^$]*\$", "", words)))


@pytest.mark.parametrize("name", DERIVATIONS)
def test_the_gallery_is_markdown_that_github_takes(name):
    derivation = DERIVATIONS[name]()
    text = si.to_markdown(derivation)
    check_markdown(text)
    assert len(re.findall(r"\\tag", text)) == len(labels(si.to_latex(derivation)))


@given(networks(), st.sampled_from(["frac", "cfrac", "inline"]))
@settings(max_examples=10, deadline=None)
def test_markdown_of_any_network_is_what_github_takes(network, fractions):
    check_markdown(si.to_markdown(si.invert(network), fractions=fractions))


def test_references_are_the_numbers_of_the_equations_they_mean():
    text = si.to_markdown(si.invert(si.Network.generic([3, 2], ["sigmoid"])))
    (number,) = re.findall(r"Back-substitution in \((\d+)\)", text)
    (display,) = [d for d in displays(text)[0] if rf"\tag{{{number}}}" in d]
    assert r"\xrightarrow{R_{2} - k_{21}\thinspace R_{1} \to R_{2}}" in display


def test_hostile_names_are_shown_and_stay_text():
    weights = sympy.Matrix(1, len(HOSTILE), [sympy.Symbol(name) for name in HOSTILE])
    network = si.Network.from_arrays([weights], [[0]], ["tanh"], notes=HOSTILE)
    text = si.to_markdown(si.invert(network))
    check_markdown(text)
    assert "<script>" not in text
    assert r"\input" not in text.replace(r"\\input", "")


@given(st.text(max_size=30))
def test_escaped_text_holds_no_live_character(text):
    shown = escape(text)
    assert "\n" not in shown
    assert not re.search(r"[\\`*_\[\]<>$~|&]", re.sub(r"\\[\\`*_\[\]<>$~|&]", "", shown))


def test_mathematics_keeps_its_meaning():
    assert mathematics(r"w^{(1,2)}_{22} < \operatorname{artanh}(x)") == r"w_{22}^{(1,2)} < \mathrm{artanh}(x)"
