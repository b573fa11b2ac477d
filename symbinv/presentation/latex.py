r"""to_latex: a derivation as a LaTeX document or fragment.

Each kind of step has one function here; the table RENDERERS is all that connects them. The text compiles with
amsmath alone (Debian's texlive-latex-base) and does not change from run to run.
"""

from collections.abc import Callable, Sequence
from typing import Any

import sympy

from symbinv.algebra.named import Definition, Ratio
from symbinv.algebra.operation import AddMultiple, Operation, Scale, Swap
from symbinv.derivation.derive import derive
from symbinv.derivation.steps import (
    ActivationUndone,
    Augmented,
    BranchesTaken,
    ConditionsStated,
    Derivation,
    DomainStated,
    GeneralElimination,
    LayerGiven,
    LayerSolved,
    NetworkGiven,
    PivotSolved,
    PivotWrittenOut,
    RowsOperated,
    RowsReduced,
    SidesNamed,
    SubstitutionChecked,
    VerdictGiven,
)
from symbinv.exact.interval import Interval
from symbinv.exact.policy import to_rational
from symbinv.inverse.invert import Inverse
from symbinv.inverse.verdict import Empty, NonEmpty
from symbinv.network.activation import activation
from symbinv.notation import latex_text
from symbinv.presentation.mathtext import (
    TEXT_WIDTH,
    Printer,
    Term,
    augmented_latex,
    column_latex,
    equation_lines,
    fraction_of_terms,
    join,
    matrix_latex,
    product,
    round_number,
    terms_of,
    width,
)

PREAMBLE = r"""\documentclass[11pt]{article}
\usepackage[T1]{fontenc}
\usepackage{amsmath}
\setlength{\parindent}{0pt}
\setlength{\parskip}{0.6em}
\allowdisplaybreaks
\emergencystretch=2em
\begin{document}
"""
MAX_EQUATIONS = 12
MAX_OPERATIONS = 6


def to_latex(source: Inverse | Derivation, *, document: bool = True) -> str:
    r"""Return the derivation as LaTeX.

    Args:
        source: An inverse, or its derivation.
        document: A whole document; False gives a fragment for \input (it needs amsmath).

    Example:
        >>> from symbinv.network.network import Network
        >>> from symbinv.inverse.invert import invert
        >>> text = to_latex(invert(Network.generic([3, 2], ["sigmoid"])), document=False)
        >>> r"R_{2} - k_{21}\,R_{1} \to R_{2}" in text
        True
    """
    derivation = derive(source) if isinstance(source, Inverse) else source
    blocks = []
    layer = None
    for step in derivation.steps:
        index = getattr(step, "layer", None)
        if index is not None and index != layer:
            blocks.append(rf"\subsection*{{Layer {index}}}")
            layer = index
        elif isinstance(step, VerdictGiven):
            blocks.append(r"\subsection*{Result}")
        blocks.append(RENDERERS[type(step)](step))
    body = "\n\n".join(block for block in blocks if block)
    heading = rf"\section*{{{_arrows(derivation.title)}}}"
    fragment = f"\\begingroup\n\\renewcommand{{\\arraystretch}}{{1.25}}\n{heading}\n\n{body}\n\\endgroup\n"
    return f"{PREAMBLE}{fragment}\\end{{document}}\n" if document else fragment


# -- one function a step ----------------------------------------------------------------------------------


def _network(step: NetworkGiven) -> str:
    printer = Printer()
    sizes = r" \to ".join(map(str, step.sizes))
    kinds = ", ".join(latex_text(a) for a in _runs(step.activations))
    target = _tuple(step.target, printer)
    sign = _equals(printer)
    notes = "".join(f" {latex_text(note)}" for note in step.notes)
    return (
        f"The network has layers of sizes ${sizes}$ with activations {kinds}. "
        f"All inputs $x$ with output $y {sign} ({target})$ are derived, from the last layer down.{notes}"
    )


def _runs(names: Sequence[str]) -> list[str]:
    """Return names with repetitions counted: sigmoid (59 times), softmax."""
    runs: list[tuple[str, int]] = []
    for name in names:
        if runs and runs[-1][0] == name:
            runs[-1] = (name, runs[-1][1] + 1)
        else:
            runs.append((name, 1))
    return [name if count == 1 else f"{name} ({count} layers)" for name, count in runs]


def _layer(step: LayerGiven) -> str:
    printer = Printer()
    z = column_latex(step.preactivations, printer)
    a = column_latex(step.inputs, printer)
    bias = [step.bias[i, 0] for i in range(step.bias.rows)]
    b = column_latex(bias, printer)
    columns = (step.preactivations, step.inputs, bias)
    taken = sum(max(width(str(printer.doprint(e))) for e in column) + 3 for column in columns)
    w = matrix_latex(step.weights, printer, TEXT_WIDTH - taken - 2)
    sign = _equals(printer)
    lines = [rf"{z} &{sign} {w} {a} + {b}"]
    if width(lines[0]) > 4 * TEXT_WIDTH:
        lines = [rf"{z} &{sign} {w} {a}", rf"&\quad + {b}"]
    body = " \\\\\n".join(lines)
    return f"The layer computes\n\\begin{{align*}}\n{body}\n\\end{{align*}}\n{_forward_formula(step)}"


def _forward_formula(step: LayerGiven) -> str:
    f = activation(step.activation)
    printer = Printer()
    out, z = sympy.Symbol("a_i"), sympy.Symbol("z_i")
    if f.has_shift:
        return rf"and $a_i = {_name(f.name)}(z)_i = e^{{z_i}} / \sum_j e^{{z_j}}$."
    if f.is_identity:
        return "with the identity as activation, $a_i = z_i$."
    return rf"with the activation ({latex_text(f.label)}) ${printer.doprint(out)} = {printer.doprint(f.symbolic(z))}$."


def _undone(step: ActivationUndone) -> str:
    if activation(step.activation).is_identity and not any(e.rhs.is_number for e in step.equations):
        return ""
    rows = _rows(_valued, step.equations)
    if not rows:
        return ""
    shift = ""
    if step.shift is not None:
        c = Printer().doprint(step.shift)
        shift = f" The activation forgets a common shift ${c}$ of $z$: $z_i = u_i + {c}$, and ${c}$ joins the unknowns."
    where = f"for values in ${interval_latex(step.image, Printer())}$"
    return f"The activation is undone {where}:{_align(rows)}{shift}".rstrip()


def _valued(equation: sympy.Eq) -> str:
    """Return z = expression, with a decimal where the expression is a number that is not rational."""
    printer = Printer()
    left, right = printer.doprint(equation.lhs), printer.doprint(equation.rhs)
    sign = _equals(printer)
    tail = ""
    if equation.rhs.is_number and not equation.rhs.is_Rational:
        tail = rf" \approx {round_number(equation.rhs)}"
    return f"{left} &{sign} {right}{tail}"


def _branches(step: BranchesTaken) -> str:
    printer = Printer()
    if step.branches:
        return _curved_branches(step, printer)
    if not step.constant_units:
        return f"Every unit is on a sloped piece of {latex_text(step.activation)}."
    units = ", ".join(str(i + 1) for i in step.constant_units)
    f = latex_text(step.activation)
    if len(step.constant_units) == 1:
        text = f"Unit {units} is on a constant piece of {f}: its equation leaves the linear system and stays"
    else:
        text = f"Units {units} are on a constant piece of {f}: their equations leave the linear system and stay"
    text += " as inequalities on the unknowns:"
    return text + _align(_rows(lambda r: _relation(r, printer), step.inequalities))


def _curved_branches(step: BranchesTaken, printer: Printer) -> str:
    """Say on which side of its turning point each unit is; units of one branch together."""
    f = latex_text(step.activation)
    sentences = []
    for name, z, image, claim in dict.fromkeys(step.branches):
        units = [i + 1 for i, taken in enumerate(step.branches) if taken[0] == name]
        who = f"unit {units[0]} is" if len(units) == 1 else f"units {', '.join(map(str, units))} are"
        how = "" if claim == "exact" else "; its inverse there has no closed form and is found by root-finding"
        z_range, values = interval_latex(z, printer), interval_latex(image, printer)
        sentences.append(f"{who} on the {name} branch, $z_i \\in {z_range}$ with values in ${values}${how}")
    text = "; ".join(sentences)
    return f"The activation {f} falls and then rises, so a value may have a $z$ on either side: {text}."


def _sides(step: SidesNamed) -> str:
    rows = _rows(_equation, step.definitions)
    return f"With the biases moved to the right side,{_align(rows)}"


def _augmented(step: Augmented) -> str:
    printer = Printer()
    sides = [str(printer.doprint(s)) for s in step.sides]
    names = _tuple(step.unknowns, printer)
    shown = augmented_latex(step.matrix, sides, printer, TEXT_WIDTH)
    return f"the augmented matrix in the unknowns $({names})$ is{_rounding(printer)}\n\\[\n{shown}\n\\]"


def _operated(step: RowsOperated) -> str:
    printer = Printer()
    sides = [join(terms_of(s, printer)) for s in step.sides]
    operations = [_operation(o, printer) for o in step.operations]
    if len(operations) > MAX_OPERATIONS:
        operations = [*operations[: MAX_OPERATIONS - 2], r"\vdots", operations[-1]]
    stacked = r" \\ ".join(operations)
    arrow = rf"\xrightarrow{{\substack{{{stacked}}}}}"
    shown = augmented_latex(step.matrix, sides, printer, TEXT_WIDTH - max(map(width, operations), default=0.0))
    text = ""
    if step.definitions:
        rows = _rows(_definition, step.definitions)
        text = f"With{_align(rows)}\n"
    return f"{text}\\[\n{arrow}\\;\n{shown}\n\\]"


def _operation(operation: Operation, printer: Printer) -> str:
    match operation:
        case Swap(first, second):
            return rf"R_{{{first + 1}}} \leftrightarrow R_{{{second + 1}}}"
        case Scale(row, factor):
            return rf"{printer.doprint(factor)}\,R_{{{row + 1}}} \to R_{{{row + 1}}}"
        case AddMultiple(target, source, factor):
            term = product(factor, rf"R_{{{source + 1}}}", printer)
            sign = "-" if term.negative else "+"
            body = term.latex.replace(" R_", r"\,R_")
            return rf"R_{{{target + 1}}} {sign} {body} \to R_{{{target + 1}}}"


def _definition(definition: Definition) -> str:
    printer = Printer()
    name = printer.doprint(definition.name)
    meaning = _meaning(definition, printer)
    return f"{name} &{_equals(printer)} {meaning}"


def _meaning(definition: Definition, printer: Printer) -> str:
    """Return what a defined name stands for, in the paper's order: old - multiplier entry."""
    if isinstance(definition, Ratio):
        below, above = printer.doprint(definition.denominator), printer.doprint(definition.numerator)
        return rf"\frac{{{above}}}{{{below}}}"
    terms = [] if definition.old == 0 else [*terms_of(definition.old, printer)]
    if definition.old.is_Add:
        terms = [Term(False, join(terms))]
    moved = product(definition.multiplier, _grouped(definition.entry, printer), printer)
    return join([*terms, Term(not moved.negative, moved.latex)])


def _equals(printer: Printer) -> str:
    return r"\approx" if printer.rounded else "="


def _grouped(expression: sympy.Expr, printer: Printer) -> str:
    shown = str(printer.doprint(expression))
    return rf"\left({shown}\right)" if expression.is_Add else shown


def _reduced(step: RowsReduced) -> str:
    printer = Printer()
    sides = [join(terms_of(s, printer)) for s in step.sides]
    if max(map(width, sides), default=0.0) > TEXT_WIDTH * 0.5:
        sides = [rf"(T r)_{{{i + 1}}}" for i in range(len(sides))]
    shown = augmented_latex(step.matrix, sides, printer, TEXT_WIDTH)
    pivots = _tuple([step.unknowns[j] for j in step.pivots], printer)
    t_note = " Here $T$ is the product of the row operations." if "(T r)" in shown else ""
    return (
        f"The reduced row echelon form has pivots in the columns of ${pivots}$; the nullity is "
        f"{step.nullity}.{t_note}{_rounding(printer)}\n\\[\n{shown}\n\\]"
    )


def _pivot(step: PivotSolved) -> str:
    printer = Printer()
    left = str(printer.doprint(step.unknown))
    side = terms_of(step.side, printer)
    if len(side) > 1:
        side = [Term(False, join(side))]
    moved = [product(e, str(printer.doprint(x)), printer) for e, x in step.others]
    terms = [*([] if step.side == 0 else side), *(Term(not t.negative, t.latex) for t in moved)]
    pivot = str(printer.doprint(step.pivot))
    room = TEXT_WIDTH - width(left) - 3
    if step.pivot == 1:
        return _align([equation_lines(left, "=", terms)]).lstrip()
    if (shown := fraction_of_terms(terms, pivot, room)) is not None:
        return f"\\[\n{left} = {shown}\n\\]"
    bracket = equation_lines(rf"{pivot}\,{left}", "=", terms)
    return _align([bracket]).lstrip()


def _written_out(step: PivotWrittenOut) -> str:
    """Print a solved pivot as the paper does, ((r_2 - k r_1) - (w_23 - k w_13) x_3) / (w_22 - k w_12)."""
    printer = Printer()
    meaning = {d.name: _meaning(d, printer) for d in step.definitions}
    solved = step.solved

    def shown(entry: sympy.Expr, bracket: bool) -> str:
        text = meaning.get(entry)
        if text is None:
            return str(printer.doprint(entry))
        return rf"\left({text}\right)" if bracket else text

    others = [Term(True, f"{shown(e, True)} {printer.doprint(x)}") for e, x in solved.others]
    terms = [Term(False, shown(solved.side, bool(others))), *others]
    left = str(printer.doprint(solved.unknown))
    fitting = fraction_of_terms(terms, shown(solved.pivot, False), TEXT_WIDTH - width(left) - 3)
    if fitting is None:
        return f"Written out,{_align([equation_lines(f'{shown(solved.pivot, True)} {left}', '=', terms)])}"
    return f"Written out,\n\\[\n{left} = {fitting}\n\\]"


def _solved(step: LayerSolved) -> str:
    rows = _rows(_equation, step.solution)
    what = f"the free variables are ${_tuple(step.free, Printer())}$" if step.free else "there are no free variables"
    return f"Solved for the pivot variables ({what}):{_align(rows)}"


def _conditions(step: ConditionsStated) -> str:
    parts = []
    if step.conditions:
        rows = _rows(lambda c: _sum_equation(sympy.Integer(0), c), step.conditions)
        parts.append(f"Rows without a pivot leave the consistency conditions{_align(rows)}")
    if step.assumptions:
        shown = [str(Printer().doprint(e)) for e in step.assumptions]
        names = r" \ne 0$, $".join(shown[:MAX_EQUATIONS])
        more = f" and {len(shown) - MAX_EQUATIONS} more pivots" if len(shown) > MAX_EQUATIONS else ""
        parts.append(rf"This assumes the pivots ${names} \ne 0${more}.")
    if step.zero_claim != "exact":
        parts.append("Some entries were found to be zero by evaluation modulo large primes, not by expansion.")
    return "\n".join(parts)


def _domain(step: DomainStated) -> str:
    printer = Printer()
    groups: dict[Interval, list[sympy.Symbol]] = {}
    for name, interval in step.intervals:
        groups.setdefault(interval, []).append(name)
    if len(groups) > MAX_EQUATIONS:
        return f"Each of the {len(step.intervals)} unknowns must lie in an interval of its own (the input box)."
    rows = [rf"{_tuple(names, printer)} &\in {interval_latex(interval, printer)}" for interval, names in groups.items()]
    return f"The unknowns must satisfy{_align(rows)}"


def _substituted(step: SubstitutionChecked) -> str:
    printer = Printer(keep_order=True)
    claims = [_plain_equation(e, printer) for e in step.claimed]
    solved = all(r == 0 for r in step.residuals)
    ending = "nothing is left over" if solved else "a residual is left over, so they are no solution"
    rows = [_residual_row(r, i) for i, r in enumerate(step.residuals)]
    return (
        f"\\subsection*{{{latex_text(step.title)}}}\n\n{_align(claims).lstrip()}\n"
        f"Substituted into the rows after elimination, $U x - r'$, {ending}:{_align(rows)}"
    )


def _residual_row(residual: sympy.Expr, row: int) -> str:
    printer = Printer()
    left = rf"(U x - r')_{{{row + 1}}}"
    if residual.is_Mul or residual == 0:
        return f"{left} &= {printer.doprint(residual)}"
    return equation_lines(left, "=", terms_of(residual, printer))


def _general(step: GeneralElimination) -> str:
    printer = Printer()
    start = _template("w", 0)
    after = r"\left[\begin{array}{cccccc|c} w_{11} & w_{12} & \cdots & w_{1m} & \cdots & w_{1n} & r_{1} \\" + "\n"
    after += r"0 & w^{(1)}_{22} & \cdots & w^{(1)}_{2m} & \cdots & w^{(1)}_{2n} & r^{(1)}_{2} \\" + "\n"
    after += r"\vdots & & \ddots & \vdots & & \vdots & \vdots \\" + "\n"
    after += r"0 & \cdots & 0 & w^{(m-1)}_{mm} & \cdots & w^{(m-1)}_{mn} & r^{(m-1)}_{m} \end{array}\right]"
    ordered = Printer(keep_order=True)
    rules = [_plain_equation(e, ordered) for e in (step.multiplier, step.entry, step.side)]
    arrow = r"\xrightarrow{R_{i} - k_{ip}\,R_{p} \to R_{i}}"
    back = _plain_equation(step.back, printer).replace(" &= ", " = ")
    count = printer.doprint(step.definitions)
    return (
        "With $r_i = z_i - b_i$, the augmented matrix in the unknowns $(x_1, \\dots, x_n)$ is\n"
        f"\\[\n{start}\n\\]\n"
        "For $p = 1, \\dots, m-1$, as long as the pivot $w^{(p-1)}_{pp}$ is not zero, and for all $i > p$ and $j > p$, "
        f"with $w^{{(0)}}_{{ij}} = w_{{ij}}$ and $r^{{(0)}}_{{i}} = r_{{i}}$,{_align(rules)}\n"
        f"and every row below the pivot is operated on:\n\\[\n{arrow}\n\\]\nAfter step $m - 1$,\n\\[\n{after}\n\\]\n"
        f"The variables $x_{{m+1}}, \\dots, x_n$ are free, and for $p = m, \\dots, 1$\n\\[\n{back}.\n\\]\n"
        f"These are ${count}$ named definitions, the right side's included. "
        r"Every pivot $w^{(p-1)}_{pp}$, $p = 1, \dots, m$, is assumed not to be zero; where one is, "
        "rows are exchanged, and where a whole column below the diagonal is zero, its variable becomes free."
    )


def _template(letter: str, step: int) -> str:
    above = f"^{{({step})}}" if step else ""
    rows = [
        rf"{letter}{above}_{{{i}1}} & {letter}{above}_{{{i}2}} & \cdots & {letter}{above}_{{{i}n}} & r_{{{i}}}"
        for i in ("1", "2", "m")
    ]
    rows.insert(2, r"\vdots & \vdots & \ddots & \vdots & \vdots")
    body = " \\\\\n".join(rows)
    return rf"\left[\begin{{array}}{{cccc|c}} {body} \end{{array}}\right]"


def _verdict(step: VerdictGiven) -> str:
    verdict = step.verdict
    printer = Printer()
    if isinstance(verdict, Empty):
        near = ""
        if verdict.nearest is not None:
            near = rf" The nearest attainable target is about ${round_number(sympy.Float(verdict.nearest))}$ away."
        return f"The preimage is empty ({verdict.claim}): {latex_text(verdict.reason)}{near}"
    count = len(step.free)
    free = f"There {'is 1 free variable' if count == 1 else f'are {count} free variables'}"
    free += f", ${_tuple(step.free, printer)}$." if count else "."
    size = f"The preimage has dimension {step.dimension} ({step.dimension_claim})."
    if isinstance(verdict, NonEmpty):
        point = _cut([round_number(v) for v in verdict.witness])
        found = rf"It is not empty ({verdict.claim}): one input is $x \approx ({point})$."
        return f"{free} {size} {found}"
    return f"{free} {size} Whether it is empty is not decided: {latex_text(verdict.reason)}."


# -- pieces ---------------------------------------------------------------------------------------------


def _rows(render: Callable[[Any], str], items: Sequence[Any]) -> list[str]:
    """Render items as rows; where there are many, the first ones, dots and the last."""
    if len(items) <= MAX_EQUATIONS:
        return [render(item) for item in items]
    return [*(render(item) for item in items[: MAX_EQUATIONS - 2]), r"& \ \vdots", render(items[-1])]


def _tuple(entries: Sequence[sympy.Expr], printer: Printer) -> str:
    """Return entries between commas, cut down with dots."""
    return _cut([str(printer.doprint(e)) for e in entries])


def _cut(shown: Sequence[str]) -> str:
    """Join pieces of a list with commas at which a line may break; dots where there are many."""
    kept = shown if len(shown) <= MAX_EQUATIONS else [*shown[: MAX_EQUATIONS - 2], r"\dots", shown[-1]]
    return r", \allowbreak ".join(kept)


def _equation(equation: sympy.Eq) -> str:
    return _sum_equation(equation.lhs, equation.rhs)


def _arrows(text: str) -> str:
    return latex_text(text).replace(r"-\textgreater{}", r"$\to$")


def _align(rows: Sequence[str]) -> str:
    body = " \\\\\n".join(rows)
    return f"\n\\begin{{align*}}\n{body}\n\\end{{align*}}"


def _sum_equation(left: sympy.Expr, right: sympy.Expr) -> str:
    printer = Printer()
    terms = terms_of(right, printer)
    shown = str(printer.doprint(left))
    return equation_lines(shown, _equals(printer), terms)


def _plain_equation(equation: sympy.Eq, printer: Printer) -> str:
    return f"{printer.doprint(equation.lhs)} &= {printer.doprint(equation.rhs)}"


def _relation(relation: Any, printer: Printer) -> str:
    sign = {"<": "<", ">": ">", "<=": r"\le", ">=": r"\ge"}[relation.rel_op]
    terms = terms_of(relation.lhs, printer)
    tail = f" {sign} {printer.doprint(relation.rhs)}"
    lines = equation_lines("", "", terms).removeprefix(" & ").removeprefix(" &")
    return f"& {lines}{tail}"


def interval_latex(interval: Interval, printer: Printer) -> str:
    """Return an interval, its open ends with parentheses."""
    low = r"-\infty" if interval.lower is None else str(printer.doprint(to_rational(interval.lower)))
    high = r"\infty" if interval.upper is None else str(printer.doprint(to_rational(interval.upper)))
    return f"{'(' if interval.open_lower else '['}{low}, {high}{')' if interval.open_upper else ']'}"


def _name(text: str) -> str:
    return rf"\mathrm{{{latex_text(text)}}}"


def _rounding(printer: Printer) -> str:
    return " (entries rounded, $\\approx$)" if printer.rounded else ""


RENDERERS: dict[type, Callable[[Any], str]] = {
    NetworkGiven: _network,
    LayerGiven: _layer,
    ActivationUndone: _undone,
    BranchesTaken: _branches,
    SidesNamed: _sides,
    Augmented: _augmented,
    RowsOperated: _operated,
    RowsReduced: _reduced,
    PivotSolved: _pivot,
    PivotWrittenOut: _written_out,
    LayerSolved: _solved,
    ConditionsStated: _conditions,
    DomainStated: _domain,
    SubstitutionChecked: _substituted,
    GeneralElimination: _general,
    VerdictGiven: _verdict,
}
