"""What is said of row reduction and back-substitution."""

from collections.abc import Sequence

import sympy

from symbinv.algebra.named import Definition, Ratio
from symbinv.algebra.operation import AddMultiple, Operation, Scale, Swap
from symbinv.derivation.steps import (
    Augmented,
    LayerSolved,
    PivotSolved,
    PivotWrittenOut,
    RowsOperated,
    RowsReduced,
)
from symbinv.exact.matrix import ExactMatrix
from symbinv.presentation.mathtext import (
    Printer,
    Term,
    bracketed,
    fraction_of_terms,
    join,
    product,
    terms_of,
    width,
)
from symbinv.presentation.matrixtext import agree_on_decimals, augmented_latex, indices_shown
from symbinv.presentation.pages.blocks import Math, Piece, Row
from symbinv.presentation.pages.page import Page, cut_down, entries, equals, listing

MAX_OPERATIONS = 6  # over an arrow; more are cut down with dots


def write_augmented(step: Augmented, page: Page) -> None:
    """Show the system."""
    page.unknowns = step.unknowns
    printer = page.printer()
    agree_on_decimals(_entries(step.matrix, page), printer)
    sides = [printer.doprint(s) for s in step.sides]
    shown = page.matrix_shown = augmented_latex(step.matrix, sides, printer, page.layout.matrix_size, page.layout.width)
    unknowns = Math(entries([printer.doprint(s) for s in step.unknowns]))
    page.go_on("This leaves a linear system in the ", _unknowns(step.unknowns), unknowns, ". Its augmented matrix is")
    page.show([Row((shown,), page.key("augmented", "system"))])
    if printer.rounded:
        page.go_on("Its entries are rounded for print.")


def _unknowns(names: Sequence[sympy.Symbol]) -> str:
    return "unknown " if len(names) == 1 else "unknowns "


def write_operated(step: RowsOperated, page: Page) -> None:
    """Show one group of row operations, the names that it defines, and the matrix after it."""
    printer = page.printer()
    page.counted += 1
    doing = _doing(step.operations, printer, page.back(" of ", "system"))
    if step.definitions:
        only_sides = all(str(d.name).startswith("r") for d in step.definitions)
        what = "right side" if only_sides else "name"
        page.say(f"With the new {what}{'' if len(step.definitions) == 1 else 's'}")
        page.show(cut_down(lambda d: _definition(d, page), step.definitions), end=",")
        page.go_on(*doing, ", which gives")
        _define_names(step, page)
    else:
        first, *rest = doing
        page.say(first[0].upper() + first[1:] if isinstance(first, str) else first, *rest, ", which gives")
    agree_on_decimals(_entries(step.matrix, page), printer)
    sides = [join(terms_of(s, printer)) for s in step.sides]
    arrow, arrow_width = _arrow(step.operations, printer)
    size, width_left = page.layout.matrix_size, page.layout.width - arrow_width
    alone = augmented_latex(step.matrix, sides, printer, size, page.layout.width)
    beside = augmented_latex(step.matrix, sides, printer, size, width_left)
    key = page.key(f"step{page.counted}", "system")
    page.matrix_shown = alone
    # an arrow that would cost columns stands on a line of its own
    lines = (rf"{arrow} \; {beside}",) if alone == beside else (rf"&{arrow}", rf"&\qquad {alone}")
    page.show([Row(lines, key)])


def _arrow(operations: Sequence[Operation], printer: Printer) -> tuple[str, float]:
    """Return the arrow with the operations over it, and its width."""
    shown = [_operation(o, printer) for o in operations]
    shown = [r"\vdots" if i is None else shown[i] for i in indices_shown(len(shown), MAX_OPERATIONS)]
    stacked = r" \\ ".join(shown)
    over = rf"\substack{{{stacked}}}" if len(shown) > 1 else stacked
    return rf"\xrightarrow{{{over}}}", 0.75 * max(map(width, shown)) + 2


def _entries(matrix: ExactMatrix, page: Page) -> list[sympy.Expr]:
    """Return the entries of a matrix that can be seen."""
    return [matrix[i, j] for i in range(min(matrix.rows, page.layout.matrix_size)) for j in range(matrix.columns)]


def _doing(operations: Sequence[Operation], printer: Printer, of: tuple[Piece, ...]) -> tuple[Piece, ...]:
    """Return what operations do, as the middle of a sentence: we subtract k_21 times row 1 from row 2 of (6)."""
    match operations:
        case [Swap(first, second)]:
            return ("we exchange the rows ", Math(f"{first + 1}"), " and ", Math(f"{second + 1}"), *of)
        case [Scale(row, factor)]:
            return ("we multiply row ", Math(f"{row + 1}"), *of, " by ", Math(printer.doprint(factor)))
        case [AddMultiple(target, source, factor)]:
            negative = bool(factor.could_extract_minus_sign())
            size = -factor if negative else factor
            times: tuple[Piece, ...] = () if size == 1 else (Math(printer.doprint(size)), " times ")
            verb, word = ("subtract", "from") if negative else ("add", "to")
            return (f"we {verb} ", *times, "row ", Math(f"{source + 1}"), f" {word} row ", Math(f"{target + 1}"), *of)
        case [AddMultiple(_, source, _), *_]:
            targets = {o.target for o in operations if isinstance(o, AddMultiple)}
            below = all(t > source for t in targets)
            where = "the rows below it" if below else "other rows"
            return ("we add multiples of row ", Math(f"{source + 1}"), *of, f" to {where}")
    return ("we operate on the rows", *of)


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


def _define_names(step: RowsOperated, page: Page) -> None:
    above = r"\ell,p" if page.depth > 1 else "p"
    layer = r"^{(\ell)}" if page.depth > 1 else ""
    page.define("R_{i}", "row ", Math("i"), " of the augmented matrix")
    for definition in step.definitions:
        letter = str(definition.name)[0]
        if isinstance(definition, Ratio):
            multiplier: tuple[Piece, ...] = ("multiplier of row ", Math("p"), " when row ", Math("i"), " is cleared")
            page.define(f"{letter}{layer}_{{ip}}", *multiplier)
        elif letter == "r":
            page.define(f"r^{{({above})}}_{{i}}", Math(f"r{layer}_{{i}}"), " after step ", Math("p"))
        else:
            entry: tuple[Piece, ...] = (
                "entry in row ",
                Math("i"),
                " and column ",
                Math("j"),
                " after step ",
                Math("p"),
            )
            page.define(f"{letter}^{{({above})}}_{{ij}}", *entry)


def _definition(definition: Definition, page: Page) -> Row:
    printer = page.printer()
    name = printer.doprint(definition.name)
    meaning = meaning_of(definition, printer)
    return Row((f"{name} &{equals(printer)} {meaning}",), page.key_of(definition.name))


def meaning_of(definition: Definition, printer: Printer) -> str:
    """Return what a defined name stands for, in the paper's order: old - multiplier entry."""
    return join(_meaning_terms(definition, printer))


def _meaning_terms(definition: Definition, printer: Printer) -> list[Term]:
    if isinstance(definition, Ratio):
        shown = printer.fraction(printer.doprint(definition.numerator), printer.doprint(definition.denominator))
        return [Term(False, shown)]
    terms = [] if definition.old == 0 else [*terms_of(definition.old, printer)]
    if definition.old.is_Add:
        terms = [bracketed(terms, "")]
    return [*terms, _times(definition.multiplier, definition.entry, printer).negated]


def _times(multiplier: sympy.Expr, entry: sympy.Expr, printer: Printer) -> Term:
    """Return multiplier * entry with one sign before it; a number comes first."""
    if entry.is_number:
        multiplier, entry = entry, multiplier
    if entry.could_extract_minus_sign() and not entry.is_Add:
        return _times(multiplier, -entry, printer).negated
    shown = printer.doprint(entry)
    return product(multiplier, rf"\left({shown}\right)" if entry.is_Add else shown, printer)


def write_reduced(step: RowsReduced, page: Page) -> None:
    """Show the reduced row echelon form."""
    printer = page.printer()
    sides = [join(terms_of(s, printer)) for s in step.sides]
    too_wide = max(map(width, sides), default=0.0) > page.layout.width * 0.5
    if too_wide:
        sides = [rf"(T r)_{{{i + 1}}}" for i in range(len(sides))]
    agree_on_decimals(_entries(step.matrix, page), printer)
    shown = augmented_latex(step.matrix, sides, printer, page.layout.matrix_size, page.layout.width)
    pivots = Math(entries([printer.doprint(step.unknowns[j]) for j in step.pivots]))
    where = "Its pivots stand in the columns of " if len(step.pivots) != 1 else "Its pivot stands in the column of "
    counts: tuple[Piece, ...] = (where, pivots, "; the nullity is ", Math(str(step.nullity)), ".")
    if shown == page.matrix_shown:
        page.say("The matrix", *page.back(" in ", "system"), " is in reduced row echelon form already. ", *counts)
        return
    page.say(
        *(page.back("Back-substitution in ", "system") or ("Back-substitution",)),
        " leads to the reduced row echelon form",
    )
    page.show([Row((shown,), page.key("reduced", "system"))])
    page.go_on(
        *counts,
        " Its entries are rounded for print." if printer.rounded else "",
        *((" On the right, ", Math("T"), " is the product of the row operations.") if too_wide else ()),
    )
    if too_wide:
        page.define("T", "product of the row operations")


def write_pivots(steps: Sequence[PivotSolved], page: Page) -> None:
    """Solve for the pivot variables, last one first."""
    free = [x for x in page.unknowns if x not in {s.unknown for s in steps}]
    opening: tuple[Piece, ...] = ()
    if free:
        word = " has no pivot and stays free. " if len(free) == 1 else " have no pivot and stay free. "
        which = "The variable " if len(free) == 1 else "The variables "
        opening = (which, Math(entries([page.printer().doprint(s) for s in free])), word)
    goal = "the pivot variable" if len(steps) == 1 else "the pivot variables, the last one first"
    page.say(*opening, *(page.back("Back-substitution in ", "system") or ("Back-substitution",)), f" gives {goal},")
    page.show(cut_down(lambda s: _solved(s, page), steps))


def _solved(step: PivotSolved, page: Page) -> Row:
    printer = page.printer()
    left = printer.doprint(step.unknown)
    side = terms_of(step.side, printer)
    if len(side) > 1 and step.others:
        side = [bracketed(side, "")]
    moved = [product(e, printer.doprint(x), printer).negated for e, x in step.others]
    terms = [*([] if step.side == 0 else side), *moved]
    key = page.key_of(step.unknown, f"solved {step.unknown}")
    return _quotient(left, terms, step.pivot, printer.doprint(step.pivot), printer, page, key)


def _quotient(
    left: str, terms: Sequence[Term], pivot: sympy.Expr, shown: str, printer: Printer, page: Page, key: str
) -> Row:
    """Return left = terms / pivot, or pivot left = terms over several lines where the fraction is too wide."""
    if pivot == 1:
        return page.sum_row(left, terms, printer, key)
    fitting = fraction_of_terms(terms, shown, page.layout.width - width(left) - 3, printer)
    if fitting is not None:
        return Row((f"{left} &{equals(printer)} {fitting}",), key)
    factor = rf"\left({shown}\right)" if pivot.is_Add or " - " in shown or " + " in shown else shown
    return page.sum_row(rf"{factor} {left}", terms, printer, key)


def write_written_out(steps: Sequence[PivotWrittenOut], page: Page) -> None:
    """Print solved pivots as the paper does, ((r_2 - k r_1) - (w_23 - k w_13) x_3) / (w_22 - k w_12)."""
    which = [p for s in steps for p in page.back("", f"solved {s.solved.unknown}") if p]
    page.say("Written out, ", *listing(which), " is" if len(which) == 1 else " are") if which else page.say(
        "Written out,"
    )
    page.show(cut_down(lambda s: _written_out(s, page), steps))


def _written_out(step: PivotWrittenOut, page: Page) -> Row:
    printer = page.printer()
    meaning = {d.name: _meaning_terms(d, printer) for d in step.definitions}
    solved = step.solved
    left = printer.doprint(solved.unknown)
    others = []
    for entry, unknown in solved.others:
        name = printer.doprint(unknown)
        if entry in meaning:
            others.append(bracketed(meaning[entry], name, negative=True))
        else:
            others.append(product(entry, name, printer).negated)
    side = meaning.get(solved.side, terms_of(solved.side, printer))
    if others and len(side) > 1:
        side = [bracketed(side, "")]
    below = join(meaning[solved.pivot]) if solved.pivot in meaning else printer.doprint(solved.pivot)
    key = page.key_of(solved.unknown, ending="-written")
    return _quotient(left, [*side, *others], solved.pivot, below, printer, page, key)


def write_solved(step: LayerSolved, page: Page) -> None:
    """Show the pivot variables of a layer of numbers."""
    free = Math(entries([page.printer().doprint(s) for s in step.free]))
    if not step.free:
        what: tuple[Piece, ...] = ("No variable is free, and the layer is solved by",)
    elif len(step.free) == 1:
        what = ("With the free variable ", free, ", the layer is solved by")
    else:
        what = ("With the free variables ", free, ", the layer is solved by")
    if not step.solution:
        page.say("No column has a pivot, so every variable is free.")
        return
    page.say(*what)
    page.show(cut_down(lambda e: page.equation(e, f"solved {e.lhs}"), step.solution))
