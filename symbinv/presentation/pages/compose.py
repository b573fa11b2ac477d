"""compose: a derivation to blocks. The table WRITERS is all that connects steps with what is said of them."""

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

from symbinv.derivation.derive import derive
from symbinv.derivation.parametric_steps import CaseSolved, CaseTreeGiven, ClosedFormGiven
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
from symbinv.inverse.invert import Inverse
from symbinv.presentation.pages.blocks import Block, Heading, Layout, Math, Piece
from symbinv.presentation.pages.elimination import (
    write_augmented,
    write_operated,
    write_pivots,
    write_reduced,
    write_solved,
    write_written_out,
)
from symbinv.presentation.pages.general import write_general, write_substituted
from symbinv.presentation.pages.layers import (
    write_branches,
    write_conditions,
    write_domain,
    write_layer,
    write_sides,
    write_undone,
)
from symbinv.presentation.pages.network import write_network, write_verdict
from symbinv.presentation.pages.page import Page
from symbinv.presentation.pages.parametric import write_case, write_case_tree, write_closed_form

Writer = Callable[[Sequence[Any], Page], None]


def compose(source: Inverse | Derivation, layout: Layout) -> tuple[Block, ...]:
    """Return what a derivation says, as blocks: its title, the symbols used, then step after step.

    Example:
        >>> from symbinv.inverse.invert import invert
        >>> from symbinv.network.network import Network
        >>> blocks = compose(invert(Network.generic([2, 1], ["tanh"])), Layout(width=50))
        >>> [block.pieces for block in blocks if isinstance(block, Heading)][1:]
        [('Symbols',), ('Layer 1',), ('Result',)]
    """
    derivation = derive(source) if isinstance(source, Inverse) else source
    page = Page(layout)
    for kind, group in groupby(derivation.steps, key=type):
        steps: list[Any] = list(group)
        index = getattr(steps[0], "layer", None)
        if index is not None and kind is not ClosedFormGiven:
            for part_of, part in groupby(steps, key=lambda s: s.layer):
                page.enter(part_of)
                WRITERS[kind](list(part), page)
        else:
            WRITERS[kind](steps, page)
    opening: list[Block] = [Heading(1, _with_arrows(derivation.title))]
    table = page.nomenclature() if layout.nomenclature else None
    first = next((i for i, block in enumerate(page.blocks) if isinstance(block, Heading)), len(page.blocks))
    symbols: list[Block] = [] if table is None else [Heading(2, ("Symbols",)), table]
    return (*opening, *page.blocks[:first], *symbols, *page.blocks[first:])


def _with_arrows(title: str) -> tuple[Piece, ...]:
    """Return a title whose arrows -> are mathematics."""
    pieces: list[Piece] = []
    for i, part in enumerate(title.split(" -> ")):
        pieces += [part] if i == 0 else [" ", Math(r"\to"), f" {part}"]
    return tuple(pieces)


def _each(write: Callable[[Any, Page], None]) -> Writer:
    """Return a writer of several steps from a writer of one."""

    def write_all(steps: Sequence[Any], page: Page) -> None:
        for step in steps:
            write(step, page)

    return write_all


WRITERS: dict[type, Writer] = {
    NetworkGiven: _each(write_network),
    LayerGiven: _each(write_layer),
    ActivationUndone: _each(write_undone),
    BranchesTaken: _each(write_branches),
    SidesNamed: _each(write_sides),
    Augmented: _each(write_augmented),
    RowsOperated: _each(write_operated),
    RowsReduced: _each(write_reduced),
    PivotSolved: write_pivots,
    PivotWrittenOut: write_written_out,
    LayerSolved: _each(write_solved),
    ConditionsStated: _each(write_conditions),
    DomainStated: _each(write_domain),
    SubstitutionChecked: _each(write_substituted),
    GeneralElimination: _each(write_general),
    VerdictGiven: _each(write_verdict),
    ClosedFormGiven: _each(write_closed_form),
    CaseTreeGiven: _each(write_case_tree),
    CaseSolved: _each(write_case),
}
