"""What is said of closed forms by determinants, and of the cases of a matrix of symbols."""

from collections.abc import Sequence
from functools import reduce

import sympy

from symbinv.derivation.parametric_steps import CaseSolved, CaseTreeGiven, ClosedFormGiven, PivotRatio
from symbinv.presentation.mathtext import (
    Printer,
    Term,
    bracketed,
    equation_lines,
    flow_of,
    fraction_of_terms,
    join,
    positive_first,
    product,
    width,
)
from symbinv.presentation.matrixtext import augmented_latex
from symbinv.presentation.pages.blocks import Math, Piece, Row
from symbinv.presentation.pages.page import Page, cut_down, entries, listing

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def write_closed_form(step: ClosedFormGiven, page: Page) -> None:
    """Give every pivot variable as a ratio of determinants."""
    page.layer = step.layer
    page.sides = tuple(dict.fromkeys(r for ratio in step.ratios for _, r in ratio.sides))
    page.heading(2, "Closed form")
    printer = page.printer()
    short = [_fraction(r, printer, page) for r in step.ratios]
    named = any(shown is None for shown in short)
    provisos = [Math(rf"{printer.doprint(e)} \ne 0") for e in step.denominators if not e.is_number]
    proviso = Math(r"D \ne 0")
    determinant = positive_first(step.determinant, printer)
    page.say(
        "Written out, the names disappear, and each pivot variable is a ratio of determinants. With the determinant of "
        "the pivot block,"
    )
    key = page.key("determinant", "determinant")
    page.show([page.sum_row("D", determinant, printer, key)], end=",")
    page.define("D", "determinant of the pivot block")
    page.go_on("the solution is")
    rows = [
        Row((f"{printer.doprint(r.unknown)} &= {shown}",), page.key_of(r.unknown, ending="-closed"))
        if shown is not None and not named
        else _named_ratio(r, step.determinant, page)
        for r, shown in zip(step.ratios, short, strict=True)
    ]
    page.show(rows)
    page.say(
        "It holds wherever ",
        *listing([proviso, *provisos]),
        ". This asks for less than the named form, in which no pivot on the way may vanish.",
    )
    if step.conditions:
        page.say("There is a solution only where")
        page.show([_vanishing(c, page, page.key("condition")) for c in step.conditions])


def _terms(ratio: PivotRatio, printer: Printer) -> tuple[list[Term], list[Term]]:
    """Return the summands of the right sides, positive ones first, and those of the free variables."""
    sides = [product(a, printer.doprint(r), printer) for a, r in ratio.sides]
    return (
        sorted(sides, key=lambda t: t.negative),
        [product(b, printer.doprint(x), printer).negated for b, x in ratio.free],
    )


def _fraction(ratio: PivotRatio, printer: Printer, page: Page) -> str | None:
    """Return the ratio on one line, ((a r_1 + ...) - (b x_3)) / d, or None where it is too wide.

    Where right sides and free variables have simpler denominators apart than together, they are shown apart.
    """
    apart = _reduced_parts(ratio)
    if len({bottom for _, bottom in apart}) > 1:
        shown = _sum_of_parts(apart, printer)
        return shown if width(shown) < page.layout.width - 6 else None
    sides, free = _terms(ratio, printer)
    grouped = [bracketed(sides, "")] if len(sides) > 1 and free else sides
    terms = [*grouped, *free]
    if ratio.denominator == 1:
        shown = join(terms)
        return shown if width(shown) < page.layout.width - 6 else None
    bottom = join(positive_first(ratio.denominator, printer))
    return fraction_of_terms(terms, bottom, page.layout.width - 6, printer)


Part = tuple[tuple[tuple[sympy.Expr, sympy.Expr], ...], sympy.Expr]


def _reduced_parts(ratio: PivotRatio) -> list[Part]:
    """Return the right sides together, and every free variable, each over a denominator with no common factor."""
    groups = [ratio.sides, *(((-b, x),) for b, x in ratio.free)]
    parts: list[Part] = []
    for group in groups:
        if group:
            common = reduce(sympy.gcd, (a for a, _ in group), ratio.denominator)
            lowered = tuple((sympy.cancel(a / common), s) for a, s in group)
            parts.append((lowered, sympy.cancel(ratio.denominator / common)))
    return parts


def _sum_of_parts(parts: Sequence[Part], printer: Printer) -> str:
    terms = []
    for group, bottom in parts:
        if len(group) == 1:
            ((coefficient, name),) = group
            factor = product(coefficient, "", printer)
            top = factor.latex.strip() or "1"
            shown = printer.doprint(name) if bottom == 1 and top == "1" else ""
            fraction = top if bottom == 1 else printer.fraction(top, join(positive_first(bottom, printer)))
            terms.append(Term(factor.negative, shown or f"{fraction} {printer.doprint(name)}"))
            continue
        top = join(sorted((product(a, printer.doprint(s), printer) for a, s in group), key=lambda t: t.negative))
        terms.append(Term(False, top if bottom == 1 else printer.fraction(top, join(positive_first(bottom, printer)))))
    return join(terms)


def _named_ratio(ratio: PivotRatio, determinant: sympy.Expr, page: Page) -> Row:
    """Return the ratio over as many lines as it takes, with the determinant by its name."""
    printer = page.printer()
    sides, free = _terms(ratio, printer)
    left = printer.doprint(ratio.unknown)
    key = page.key_of(ratio.unknown, ending="-closed")
    terms = [*sides, *free]
    bottom = "D" if ratio.denominator == determinant else join(positive_first(ratio.denominator, printer))
    if ratio.denominator == 1:
        return page.sum_row(left, terms, printer, key)
    room = page.layout.width
    if (shown := fraction_of_terms(terms, bottom, room - 6, printer)) is not None:
        return Row((f"{left} &= {shown}",), key)
    flow = flow_of(terms, room - width(left) - 12)
    flow[0] = rf"{printer.fraction('1', bottom)} \Bigl[{flow[0]}"
    flow[-1] = rf"{flow[-1]}\Bigr]"
    whole = Term(False, " ".join(flow), tuple(flow))
    return Row(equation_lines(left, "=", [whole], room), key)


def _vanishing(expression: sympy.Expr, page: Page, key: str | None) -> Row:
    printer = page.printer()
    lines = list(equation_lines("", "", _condition_terms(expression, page, printer), page.layout.width - 4))
    lines[-1] += " = 0"
    return Row(tuple(line.strip() for line in lines), key)


def write_case_tree(step: CaseTreeGiven, page: Page) -> None:
    """Show the system, and say how its cases are to be read."""
    printer = page.printer()
    page.unknowns, page.sides = step.unknowns, step.sides
    sides = [printer.doprint(s) for s in step.sides]
    shown = augmented_latex(step.matrix, sides, printer, page.layout.matrix_size, page.layout.width)
    unknowns = entries([printer.doprint(s) for s in step.unknowns])
    count = NUMBERS[step.count] if step.count < len(NUMBERS) else str(step.count)
    page.say("We solve the linear system in the unknowns ", Math(unknowns), " with the augmented matrix")
    page.show([Row((shown,), page.key("augmented", "system"))], end=",")
    page.go_on(
        "for all real values of its symbols. What elimination does depends on which of its pivots vanish, and so the "
        f"values fall into {count} {'case' if step.count == 1 else 'cases'}. Every choice of values belongs to exactly "
        "one of them.",
    )


def write_case(step: CaseSolved, page: Page) -> None:
    """Show where a case holds, and all solutions there."""
    where = _where(step, page)
    rank = f"The rank is {step.rank}"
    free = [page.math(x) for x in step.free]
    if not free:
        which: tuple[Piece, ...] = (", and no variable is free",)
    elif not step.ratios:
        which = (", and every variable is free",)
    else:
        which = (", ", *listing(free), " is free" if len(free) == 1 else " are free")
    only = _solvable(step, page)
    if not step.ratios:
        page.say(*where, rank, *which, ". ", *only, title=f"Case {step.number}.")
        return
    page.say(*where, *only, rank, *which, ", and" if free else ":", title=f"Case {step.number}.")
    page.show(cut_down(lambda r: _solution(r, step.number, page), step.ratios))


def _solvable(step: CaseSolved, page: Page) -> tuple[Piece, ...]:
    """Return the sentence on the conditions of a case, "" without any."""
    printer = page.printer()
    shown = [Math(f"{join(_condition_terms(c, page, printer))} = 0") for c in step.conditions]
    return ("There is a solution only where ", *listing(shown), ". ") if shown else ()


def _condition_terms(condition: sympy.Expr, page: Page, printer: Printer) -> list[Term]:
    """Return a condition as a sum of right sides with their coefficients before them, positive ones first."""
    terms = []
    for summand in sympy.Add.make_args(condition):
        side = next((s for s in page.sides if s in summand.free_symbols), sympy.Integer(1))
        terms.append(product(summand / side, printer.doprint(side), printer))
    return sorted(terms, key=lambda t: t.negative)


def _solution(ratio: PivotRatio, number: int, page: Page) -> Row:
    printer = page.printer()
    left = printer.doprint(ratio.unknown)
    key = page.key_of(ratio.unknown, ending=f"-case{number}")
    if (shown := _fraction(ratio, printer, page)) is not None:
        return Row((f"{left} &= {shown}",), key)
    sides, free = _terms(ratio, printer)
    bottom = join(positive_first(ratio.denominator, printer))
    return page.sum_row(rf"\left({bottom}\right) {left}", [*sides, *free], printer, key)


def _where(step: CaseSolved, page: Page) -> tuple[Piece, ...]:
    """Return the relations of a case: symbols that vanish in one chain, then other equations, then what does not."""
    printer = page.printer()
    plain = [e for e in step.equations if e.is_Symbol]
    others = [e for e in step.equations if not e.is_Symbol]
    relations: list[Piece] = []
    if plain:
        relations.append(Math(" = ".join([*(printer.doprint(e) for e in plain), "0"])))
    relations += [Math(f"{_sum(e, printer)} = 0") for e in others]
    relations += [Math(rf"{_sum(e, printer)} \ne 0") for e in sorted(step.nonzero, key=_size)]
    if not relations:
        return ()
    return ("Let ", *listing(relations), ". ")


def _sum(expression: sympy.Expr, printer: Printer) -> str:
    return join(positive_first(expression, printer))


def _size(expression: sympy.Expr) -> int:
    return len(sympy.Add.make_args(expression))
