"""The derivations that are kept under review, one folder a case.

    python -m derivations.cases --update

writes each as derivation.tex; the tests compare the files with fresh output.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import sympy

import symbinv as si
from symbinv.demo import CASES, builtin_network
from symbinv.derivation.derive import derive
from symbinv.derivation.general import derive_general
from symbinv.derivation.parametric import derive_cases, derive_closed_form
from symbinv.derivation.steps import Derivation
from symbinv.derivation.substitution import check_solution
from symbinv.presentation.latex import to_latex

FOLDER = Path(__file__).parent


def paper_3_2() -> Derivation:
    """The paper's 3 -> 2 layer, its printed formulas with their residual, and the right ones."""
    inverse = si.invert(si.Network.generic([3, 2], ["sigmoid"]))
    step = inverse.step(1)
    x1, x2, x3 = step.unknowns
    r1, r2 = step.sides
    w = inverse.network.layers[0].weights
    k, k_2 = step.reduction.definitions[0].name, sympy.Symbol("k_2")
    denominator = w[1, 1] - k * w[0, 1]
    factor = w[1, 2] - k * w[0, 2]
    printed = (
        sympy.Eq(x2, over(added(added(r2, -k_2), sympy.Mul(-1, factor, evaluate=False)), denominator)),
        sympy.Eq(x1, over(added(r1, -x2, -w[0, 2] * x3), w[0, 0])),
    )
    correct = (
        sympy.Eq(x2, over(added(added(r2, -k * r1), sympy.Mul(-1, factor, x3, evaluate=False)), denominator)),
        sympy.Eq(x1, over(added(r1, -w[0, 1] * x2, -w[0, 2] * x3), w[0, 0])),
    )
    checks = (
        check_solution("The formulas as the paper prints them", step, printed),
        check_solution("The corrected formulas", step, correct),
    )
    derivation = derive(inverse)
    return Derivation(derivation.title, (*derivation.steps, *checks))


def added(*terms: sympy.Expr) -> sympy.Expr:
    """Return a sum that keeps its order."""
    return sympy.Add(*terms, evaluate=False)


def over(numerator: sympy.Expr, denominator: sympy.Expr) -> sympy.Expr:
    """Return a fraction whose numerator keeps its order."""
    return sympy.Mul(numerator, sympy.Pow(denominator, -1), evaluate=False)


def sigmoid_4_3_2() -> Derivation:
    """Two sigmoid layers with symbols."""
    return derive(si.invert(si.Network.generic([4, 3, 2], ["sigmoid", "sigmoid"])))


def sigmoid_4_3_3_2() -> Derivation:
    """Three sigmoid layers with symbols."""
    return derive(si.invert(si.Network.generic([4, 3, 3, 2], ["sigmoid", "sigmoid", "sigmoid"])))


def closed_form_3_5() -> Derivation:
    """A layer of three units with five inputs: the named form, then the ratios of determinants."""
    inverse = si.invert(si.Network.generic([5, 3], ["sigmoid"]))
    step = inverse.step(1)
    derivation = derive(inverse)
    *steps, result = derivation.steps
    closed = derive_closed_form(step, si.closed_form(step.reduction))
    return Derivation(derivation.title, (*steps, closed, result))


def all_cases_2_3() -> Derivation:
    """Every case of a 2 x 3 matrix of symbols."""
    weights = si.Network.generic([3, 2], ["sigmoid"]).layers[0].weights
    return derive_cases(si.reduce_cases(weights), "All cases of a layer with 2 units and 3 inputs")


def softmax_symbols() -> Derivation:
    """A softmax head with symbols."""
    return derive(si.invert(si.Network.generic([4, 3], ["softmax"])))


def leaky_relu_branches() -> Derivation:
    """A leaky relu with a symbol for its slope: undone branch by branch."""
    alpha = si.activation("leaky_relu", alpha=sympy.Symbol("alpha", positive=True))
    return derive(si.invert(si.Network.generic([3, 2], [alpha])))


def softmax_output() -> Derivation:
    """A softmax output, whose shift is one more unknown."""
    network = si.Network.from_arrays([[[1, 2, 0, -1], [0, 1, 1, 2], [2, 0, 1, 1]]], [[0, "1/2", "-1/2"]], ["softmax"])
    return derive(si.invert(network, ["1/2", "1/4", "1/4"]))


def widening() -> Derivation:
    """More outputs than inputs: rows without a pivot become consistency conditions."""
    return derive(si.invert(si.Network.generic([2, 3], ["tanh"])))


def widening_numbers() -> Derivation:
    """A widening layer of numbers whose target breaks its condition."""
    network = si.Network.from_arrays([[[1, 2], [3, 4], [5, 6]]], [[0, 0, 0]], ["identity"])
    return derive(si.invert(network, [1, 2, 4]))


def relu_branches() -> Derivation:
    """A relu layer below a linear one, inside the pattern of one input."""
    network = si.Network.from_arrays(
        [[[1, -1, 2], [0, 2, 1], [-1, 0, 1]], [[1, 1, -2]]], [[0, -1, "-1/2"], ["1/2"]], ["relu", "identity"]
    )
    return derive(si.invert(network, [5], at=[1, 2, 1]))


def iris() -> Derivation:
    """The iris network of the demo, in numbers."""
    case = next(c for c in CASES if c.name == "iris")
    return derive(si.invert(builtin_network("iris"), case.target))


DERIVATIONS: dict[str, Callable[[], Derivation]] = {
    "paper_3_2": paper_3_2,
    "general_m_n": derive_general,
    "all_cases_2_3": all_cases_2_3,
    "closed_form_3_5": closed_form_3_5,
    "sigmoid_4_3_2": sigmoid_4_3_2,
    "sigmoid_4_3_3_2": sigmoid_4_3_3_2,
    "softmax_output": softmax_output,
    "softmax_symbols": softmax_symbols,
    "widening": widening,
    "widening_numbers": widening_numbers,
    "relu_branches": relu_branches,
    "leaky_relu_branches": leaky_relu_branches,
    "iris": iris,
}


def fresh(name: str) -> str:
    """Return the LaTeX that the code makes now."""
    return to_latex(DERIVATIONS[name]())


def path_of(name: str) -> Path:
    """Return where a derivation is kept."""
    return FOLDER / name / "derivation.tex"


def main() -> None:
    """Compare every kept derivation with fresh output; with --update, write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--update", action="store_true", help="write the files")
    update = parser.parse_args().update
    for name in DERIVATIONS:
        text = fresh(name)
        kept = path_of(name)
        same = kept.is_file() and kept.read_text(encoding="utf-8") == text
        print(f"{name}: {'as kept' if same else 'written' if update else 'differs'}")
        if update and not same:
            kept.parent.mkdir(exist_ok=True)
            kept.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
