"""What is said of elimination in the indices, and of claimed solutions that are substituted."""

import sympy

from symbinv.derivation.steps import GeneralElimination, SubstitutionChecked
from symbinv.presentation.mathtext import Printer, equation_lines, terms_of
from symbinv.presentation.pages.blocks import Math, Ref, Row
from symbinv.presentation.pages.page import Page, cut_down

START = (
    r"\left[\begin{array}{cccc|c} w_{11} & w_{12} & \cdots & w_{1n} & r_{1} \\" + "\n"
    r"w_{21} & w_{22} & \cdots & w_{2n} & r_{2} \\" + "\n"
    r"\vdots & \vdots & \ddots & \vdots & \vdots \\" + "\n"
    r"w_{m1} & w_{m2} & \cdots & w_{mn} & r_{m} \end{array}\right]"
)
ECHELON = (
    r"\left[\begin{array}{cccccc|c} w_{11} & w_{12} & \cdots & w_{1m} & \cdots & w_{1n} & r_{1} \\" + "\n"
    r"0 & w^{(1)}_{22} & \cdots & w^{(1)}_{2m} & \cdots & w^{(1)}_{2n} & r^{(1)}_{2} \\" + "\n"
    r"\vdots & & \ddots & \vdots & & \vdots & \vdots \\" + "\n"
    r"0 & \cdots & 0 & w^{(m-1)}_{mm} & \cdots & w^{(m-1)}_{mn} & r^{(m-1)}_{m} \end{array}\right]"
)


def write_general(step: GeneralElimination, page: Page) -> None:
    """Give the formulas of elimination for any m and n."""
    printer, ordered = page.printer(), page.printer(keep_order=True)
    start, after = page.key("augmented"), page.key("echelon")
    rules = [page.key(name) for name in ("multiplier", "entry", "side")]
    page.define("m", "number of units of the layer, the rows")
    page.define("n", "number of its inputs, the columns; ", Math(r"n \ge m"))
    page.define("w_{ij}", "weight from input ", Math("j"), " to unit ", Math("i"))
    page.define(r"b_{i},\; z_{i}", "bias and pre-activation of unit ", Math("i"))
    page.define("r_{i}", "right side, ", Math("z_{i} - b_{i}"))
    page.define("k_{ip}", "multiplier of row ", Math("p"), " when row ", Math("i"), " is cleared")
    page.define(r"w^{(p)}_{ij},\; r^{(p)}_{i}", "entry and right side after step ", Math("p"))
    page.say(
        "A layer of ",
        Math("m"),
        " units with ",
        Math("n"),
        " inputs, ",
        Math(r"n \ge m"),
        ", asks for all solutions of ",
        Math("W x = r"),
        " with ",
        Math("r_{i} = z_{i} - b_{i}"),
        ". The augmented matrix in the unknowns ",
        Math(r"x_{1}, \dots, x_{n}"),
        " is",
    )
    page.show([Row((START,), start)])
    page.say(
        "For ",
        Math(r"p = 1, \dots, m-1"),
        ", as long as the pivot ",
        Math("w^{(p-1)}_{pp}"),
        " is not zero, and for all ",
        Math("i > p"),
        " and ",
        Math("j > p"),
        ", with ",
        Math("w^{(0)}_{ij} = w_{ij}"),
        " and ",
        Math("r^{(0)}_{i} = r_{i}"),
        ", let",
    )
    equations = (step.multiplier, step.entry, step.side)
    page.show([_plain(e, ordered, key) for e, key in zip(equations, rules, strict=True)], end=",")
    page.go_on("and operate on every row below the pivot,")
    page.show([Row((r"R_{i} - k_{ip}\,R_{p} \to R_{i}",), page.key("operation"))])
    page.go_on("After step ", Math("m - 1"), " the matrix ", Ref(start), " has become")
    page.show([Row((ECHELON,), after)])
    page.say(
        "The variables ",
        Math(r"x_{m+1}, \dots, x_{n}"),
        " have no pivot and stay free. Back-substitution in ",
        Ref(after),
        " gives, for ",
        Math(r"p = m, m-1, \dots, 1"),
        ",",
    )
    page.show([_plain(step.back, printer, page.key("back"))])
    page.say(
        "The formulas ",
        Ref(rules[0]),
        " to ",
        Ref(rules[2]),
        " give names to ",
        Math(printer.doprint(step.definitions)),
        " quantities, those of the right side included. Every pivot ",
        Math("w^{(p-1)}_{pp}"),
        ", ",
        Math(r"p = 1, \dots, m"),
        ", is assumed not to be zero. Where one is zero, rows are exchanged; where a whole column from the diagonal "
        "down is zero, its variable becomes free.",
    )


def write_substituted(step: SubstitutionChecked, page: Page) -> None:
    """Show a claimed solution and what it leaves over."""
    page.layer = None
    page.heading(2, step.title)
    printer = page.printer(keep_order=True)
    keys = [page.key_of(e.lhs, ending="-claimed") for e in step.claimed]
    page.say("The claim is")
    page.show([_plain(e, printer, key) for e, key in zip(step.claimed, keys, strict=True)])
    solved = all(r == 0 for r in step.residuals)
    page.say(
        "Substituted into the rows after elimination, ",
        Math("U x = r'"),
        ", it leaves nothing over, which proves it:"
        if solved
        else ", it leaves a residual over, so it is no solution:",
    )
    page.show(cut_down(lambda item: _residual(item[0], item[1], page), list(enumerate(step.residuals))))


def _residual(row: int, residual: sympy.Expr, page: Page) -> Row:
    printer = page.printer()
    left, key = rf"(U x - r')_{{{row + 1}}}", page.key(f"residual{row + 1}")
    if residual.is_Mul or residual == 0:
        return Row((f"{left} &= {printer.doprint(residual)}",), key)
    return Row(equation_lines(left, "=", terms_of(residual, printer), page.layout.width), key)


def _plain(equation: sympy.Eq, printer: Printer, key: str) -> Row:
    return Row((f"{printer.doprint(equation.lhs)} &= {printer.doprint(equation.rhs)}",), key)
