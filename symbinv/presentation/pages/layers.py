"""What is said of a layer: what it computes, how its activation is undone, conditions, domains."""

import re
from collections.abc import Sequence
from typing import Any

import sympy

from symbinv.derivation.steps import (
    ActivationUndone,
    BranchesTaken,
    ConditionsStated,
    DomainStated,
    LayerGiven,
    SidesNamed,
)
from symbinv.exact.interval import Interval
from symbinv.exact.policy import to_rational
from symbinv.network.activation import Activation, activation
from symbinv.notation import is_safe, latex_symbol
from symbinv.presentation.mathtext import Printer, equation_lines, round_number, terms_of, width
from symbinv.presentation.matrixtext import agree_on_decimals, column_latex, matrix_latex
from symbinv.presentation.pages.blocks import Math, Piece, Row
from symbinv.presentation.pages.page import Page, cut_down, entries, equals, listing

_NUMBER = re.compile(r"[-+]?\d[\d./e+-]*")
LISTED = 6  # conditions and names in a sentence; more are counted


def write_layer(step: LayerGiven, page: Page) -> None:
    """Show what a layer computes."""
    printer, size, room = page.printer(), page.layout.matrix_size, page.layout.width
    bias = [step.bias[i, 0] for i in range(step.bias.rows)]
    shown = [step.weights[i, j] for i in range(min(step.weights.rows, size)) for j in range(step.weights.columns)]
    agree_on_decimals([*shown, *bias], printer)
    columns = (step.preactivations, step.inputs, bias)
    z, a, b = (column_latex(column, printer, size) for column in columns)
    taken = [max(width(printer.doprint(e)) for e in column) + 3 for column in columns]
    w = matrix_latex(step.weights, printer, size, room - sum(taken) - 2)
    wider = matrix_latex(step.weights, printer, size, room - taken[0] - taken[1] - 2)
    sign = equals(printer)
    lines: tuple[str, ...] = (rf"{z} {sign} {w} {a} + {b}",)
    if w != wider:
        lines = (rf"{z} &{sign} {wider} {a}", rf"&\qquad + {b}")
    page.say("The layer computes" if page.depth == 1 else f"Layer {step.layer} computes")
    page.show([Row(lines, page.key("forward", "forward"))], end=",")
    _write_forward(step, page)
    for key, value in activation_of(step.activation).parameters.items():
        if isinstance(value, sympy.Symbol):
            page.define(
                printer.doprint(value), f"parameter {key} of ", activation_of(step.activation).name.replace("_", " ")
            )
    _define_layer(step, page, bias)


def _write_forward(step: LayerGiven, page: Page) -> None:
    """Say what the activation makes of the pre-activations."""
    f = activation_of(step.activation)
    letter, z = _output(step.layer, page), _preactivation(step.layer, page)
    total = rf"\textstyle\sum_{{j}} e^{{{z.replace('_{i}', '_{j}')}}}"
    if f.name == "softmax":
        page.go_on("and its output is the softmax of this, ", Math(rf"{letter} = e^{{{z}}} / {total}"), ".")
        return
    if f.name == "log_softmax":
        page.go_on("and its output is the logarithm of softmax, ", Math(rf"{letter} = {z} - \log {total}"), ".")
        return
    if f.is_identity:
        page.go_on("which is its output: the activation is the identity, ", Math(f"{letter} = {z}"), ".")
        return
    value = f.symbolic(sympy.Symbol("z"))
    shown = f"f(z) = {page.printer().doprint(value)}"
    opening: tuple[Piece, ...] = (
        "and its output is ",
        Math(f"{letter} = f({z})"),
        " with the activation ",
        *activation_name(step.activation),
        ", ",
    )
    if value.has(sympy.Piecewise):
        page.go_on(*opening)
        page.show([Row((shown,), page.key("activation"))])
    else:
        page.go_on(*opening, Math(shown), ".")


def activation_name(label: str) -> tuple[Piece, ...]:
    r"""Return an activation in words, its parameters as mathematics: leaky relu with alpha = 1/10.

    Example:
        >>> activation_name("leaky_relu(alpha=1/10)")
        ('leaky relu', ' with ', Math(latex='\\alpha = \\frac{1}{10}'))
    """
    f = activation_of(label)
    name = f.name.replace("_", " ")
    if not f.parameters:
        return (name,)
    printer = Printer()
    shown = []
    for key, value in f.parameters.items():
        left = latex_symbol(key)
        if isinstance(value, sympy.Symbol):
            right = printer.doprint(value)
            shown.append(f"{left} > 0" if left == right else f"{left} = {right} > 0")
        else:
            shown.append(f"{left} = {printer.doprint(to_rational(value))}")
    return (name, " with ", Math(", ".join(shown)))


def activation_of(label: str) -> Activation:
    """Return the activation that a step names; a parameter that is no number is a symbol.

    Example:
        >>> activation_of("leaky_relu(alpha=s)").parameters["alpha"], activation_of("relu").name
        (s, 'relu')
    """
    name, _, tail = label.partition("(")
    given = dict(part.strip().split("=", 1) for part in tail.removesuffix(")").split(",") if "=" in part)
    symbols = {k: sympy.Symbol(v, positive=True) for k, v in given.items() if not _NUMBER.fullmatch(v)}
    numbers = ", ".join(f"{k}={v}" for k, v in given.items() if k not in symbols)
    return activation(f"{name}({numbers})" if numbers else name, **symbols)


def _output(layer: int, page: Page) -> str:
    """Return the name of output i of a layer: y_i, a^{(1)}_i."""
    return "y_{i}" if layer == page.depth else f"a^{{({layer})}}_{{i}}"


def _preactivation(layer: int, page: Page) -> str:
    above = f"^{{({layer})}}" if page.depth > 1 else ""
    return f"z{above}_{{i}}"


def _define_layer(step: LayerGiven, page: Page, bias: Sequence[sympy.Expr]) -> None:
    """List the symbols of a layer; layers of a deep network share one line."""
    above = r"^{(\ell)}" if page.depth > 1 else ""
    where: tuple[Piece, ...] = (" of layer ", Math(r"\ell")) if page.depth > 1 else ()
    weights = {s for row in step.weights.to_sympy().tolist() for e in row for s in e.free_symbols}
    page.define(f"z{above}_{{i}}", "pre-activation ", Math("i"), *where)
    if page.depth > 1:
        page.define(r"a^{(\ell)}_{i}", "activation ", Math("i"), *where, ", an input of the layer above")
    own = [s for s in weights if s.name.startswith("w") and is_safe(s.name)]
    if own:
        page.define(f"w{above}_{{ij}}", "weight", *where, " from input ", Math("j"), " to unit ", Math("i"))
    biases = {s for e in bias for s in e.free_symbols}
    if any(s.name.startswith("b") for s in biases):
        page.define(f"b{above}_{{i}}", "bias of unit ", Math("i"), *where)
    rest = sorted((weights - set(own)) | {s for s in biases if not s.name.startswith("b")}, key=lambda s: str(s.name))
    if rest:
        page.define(entries([page.printer().doprint(s) for s in rest]), "given numbers, kept as symbols")


def write_undone(step: ActivationUndone, page: Page) -> None:
    """Show the pre-activations in terms of the layer's values."""
    f = activation_of(step.activation)
    if f.is_identity and not any(e.rhs.is_number for e in step.equations):
        return
    rows = cut_down(lambda e: _valued(e, page), step.equations)
    if not rows:
        return
    name = f.name.replace("_", " ")
    image = Math(interval_latex(step.image, page.printer()))
    if step.shift is not None:
        c = page.math(step.shift)
        u = Math(_letter_of(step.equations[0].lhs, page))
        z = Math(_preactivation(step.layer, page))
        page.say(
            f"The function {name} takes values in ",
            image,
            " and forgets a shift that all entries have in common. It is undone up to such a shift ",
            c,
            ", which joins the unknowns: ",
            Math(f"{z.latex} = {u.latex} + {c.latex}"),
            ", where",
        )
        page.define(c.latex, "common shift that softmax forgets")
        page.define(u.latex, "pre-activation ", Math("i"), " less the shift")
    elif f.is_identity:
        page.say("The given output means")
    elif f.inverse is None:
        page.say(f"Inside the activation pattern, {name} is undone on each unit's own piece by")
    else:
        page.say(f"The function {name} takes values in ", image, ", where it is undone by")
    page.show(rows)


def _letter_of(symbol: sympy.Expr, page: Page) -> str:
    """Return the symbol of a vector's first entry with the index i."""
    return page.printer().doprint(symbol).rpartition("_")[0] + "_{i}"


def _valued(equation: sympy.Eq, page: Page) -> Row:
    """Return z = expression, with a decimal where the expression is a number that is not rational."""
    printer = page.printer()
    left, right = printer.doprint(equation.lhs), printer.doprint(equation.rhs)
    tail = ""
    if equation.rhs.is_number and not equation.rhs.is_Rational:
        tail = rf" \approx {round_number(equation.rhs)}"
    return Row((f"{left} &{equals(printer)} {right}{tail}",), page.key_of(equation.lhs, "undone"))


def write_branches(step: BranchesTaken, page: Page) -> None:
    """Say which units are on constant pieces, and what keeps them there; or on which side of a turning point."""
    if step.branches:
        _write_curved(step, page)
        return
    count = len(step.constant_units)
    if not count:
        page.say(f"Every unit is on a sloped piece of {activation_of(step.activation).name.replace('_', ' ')}.")
        return
    units = (Math(str(i + 1)) for i in step.constant_units)
    whose = "Unit " if count == 1 else "Units "
    verb = " is" if count == 1 else " are"
    page.say(
        "There, ",
        whose.lower(),
        *listing(units),
        f"{verb} on a constant piece of {activation_of(step.activation).name.replace('_', ' ')}. ",
        "Its equation leaves" if count == 1 else "Their equations leave",
        " the linear system, and what remains is ",
        {0: "nothing.", 1: "an inequality,"}.get(len(step.inequalities), "inequalities,"),
    )
    page.show(cut_down(lambda r: _relation(r, page), step.inequalities))


def _write_curved(step: BranchesTaken, page: Page) -> None:
    """Say on which side of its turning point each unit is; units of one branch together."""
    name_of = activation_of(step.activation).name
    page.say(f"The activation {name_of} falls and then rises, so that a value may come from either side.")
    for name, z, image, claim in dict.fromkeys(step.branches):
        units = [Math(str(i + 1)) for i, taken in enumerate(step.branches) if taken[0] == name]
        printer = page.printer()
        page.go_on(
            "Unit " if len(units) == 1 else "Units ",
            *listing(units),
            f"{' is' if len(units) == 1 else ' are'} on the {name} branch, ",
            Math(rf"z_i \in {interval_latex(z, printer)}"),
            ", with values in ",
            Math(interval_latex(image, printer)),
            "." if claim == "exact" else "; its inverse there has no closed form and is found by root-finding.",
        )


def _relation(relation: Any, page: Page) -> Row:
    printer = page.printer()
    sign = {"<": "<", ">": ">", "<=": r"\le", ">=": r"\ge"}[relation.rel_op]
    lines = list(equation_lines("", "", terms_of(relation.lhs, printer), page.layout.width))
    lines[-1] += f" {sign} {printer.doprint(relation.rhs)}"
    return Row(tuple(line.strip() for line in lines), page.key("branch"))


def write_sides(step: SidesNamed, page: Page) -> None:
    """Show the right side of the linear system."""
    above = r"^{(\ell)}" if page.depth > 1 else ""
    where: tuple[Piece, ...] = (" of layer ", Math(r"\ell")) if page.depth > 1 else ()
    page.define(f"r{above}_{{i}}", "right side of equation ", Math("i"), *where)
    undone = page.span(" given by ", "undone")
    page.say(
        "Bringing the known terms",
        *page.back(" of ", "forward"),
        " to the right side",
        *((", with the pre-activations", *undone, ",") if undone else ()),
        " leaves",
    )
    page.show(cut_down(lambda e: page.equation(e, "sides"), step.definitions))


def write_conditions(step: ConditionsStated, page: Page) -> None:
    """State what must vanish and what was divided by."""
    if step.conditions:
        one = len(step.conditions) == 1
        page.say(
            "A row" if one else "Rows",
            *page.back(" of ", "system"),
            " without a pivot " + ("leaves" if one else "leave"),
            " a condition on the right side: there is a solution only where",
        )
        page.show(cut_down(lambda c: _condition(c, page), step.conditions))
    if step.assumptions:
        shown = [page.printer().doprint(e) for e in step.assumptions]
        pivots = [Math(rf"{e} \ne 0") for e in shown[: LISTED if len(shown) > LISTED + 1 else None]]
        more = len(shown) - len(pivots)
        extra: list[Piece] = [f"{more} more pivots are not zero either"] if more else []
        page.say("Dividing by the pivots takes for granted that ", *listing([*pivots, *extra]), ".")
    if step.zero_claim != "exact":
        page.say("Some entries were found to be zero by evaluation modulo large primes, not by expansion.")


def _condition(condition: sympy.Expr, page: Page) -> Row:
    printer = page.printer()
    lines = list(equation_lines("", "", terms_of(condition, printer), page.layout.width))
    lines[-1] += f" {equals(printer)} 0"
    return Row(tuple(line.strip() for line in lines), page.key("condition"))


def write_domain(step: DomainStated, page: Page) -> None:
    """State the interval of each unknown."""
    printer = page.printer()
    printer.decimals = True
    groups: dict[Interval, list[sympy.Symbol]] = {}
    for name, interval in step.intervals:
        groups.setdefault(interval, []).append(name)
    if step.layer > 1 and len(page.activations) >= step.layer - 1:
        below = activation_name(page.activations[step.layer - 2])
        why: tuple[Piece, ...] = ("As values of ", *below, " in the layer below, the unknowns")
    else:
        why = ("The inputs are bounded: they",)
    if len(groups) == 1:
        ((interval, names),) = groups.items()
        shown = f"{entries([printer.doprint(s) for s in names])} \\in {interval_latex(interval, printer)}"
        page.say(*why, " must satisfy ", Math(shown), ".")
        return
    page.say(*why, " must satisfy")
    rows = [
        Row(
            (rf"{entries([printer.doprint(s) for s in names])} &\in {interval_latex(interval, printer)}",),
            page.key("domain"),
        )
        for interval, names in groups.items()
    ]
    page.show(cut_down(lambda row: row, rows))


def interval_latex(interval: Interval, printer: Printer) -> str:
    """Return an interval, its open ends with parentheses."""
    low = r"-\infty" if interval.lower is None else printer.doprint(to_rational(interval.lower))
    high = r"\infty" if interval.upper is None else printer.doprint(to_rational(interval.upper))
    left, right = "(" if interval.open_lower else "[", ")" if interval.open_upper else "]"
    tall = "frac" in low or "frac" in high
    return rf"\left{left}{low}, {high}\right{right}" if tall else f"{left}{low}, {high}{right}"
