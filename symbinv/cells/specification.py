"""Properties in VNN-LIB: input boxes and what is asked of the outputs there.

The question of a property is whether an input exists that satisfies all its assertions. Its cases, which
`symbinv.network.readers.vnnlib` reads, become here boxes of inputs, each with a union of polyhedra of outputs.
`answer` decides it.
"""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from symbinv.cells.output_set import OutputSet
from symbinv.cells.problem import Box
from symbinv.errors import NotSupportedError, ReadError
from symbinv.network.readers import limits
from symbinv.network.readers.source import place, show
from symbinv.network.readers.vnnlib import Property, Row, input_ends, parse_property, read_text
from symbinv.polyhedra.polyhedron import HalfSpace, Polyhedron


@dataclass(frozen=True)
class Case:
    """A box of inputs and the outputs that are looked for there."""

    box: Box
    outputs: OutputSet


@dataclass(frozen=True)
class Specification:
    """A property as cases: it holds for an input that lies in the box and maps into the outputs of one of them.

    Attributes:
        cases: In the order written; cases with the same box are joined.
        inputs, outputs: How many of each are declared.
    """

    cases: tuple[Case, ...]
    inputs: int
    outputs: int


def read_specification(source: str | Path) -> Specification:
    """Read a property from a VNN-LIB file.

    Raises:
        ReadError: For a file that cannot be read or is not of the format, with the place.
        NotSupportedError: For assertions that tie inputs to each other or to outputs, inputs without bounds, and
            more than 10,000 cases.
        BudgetError: For a file beyond the limits on size.
    """
    with place(show(source)):
        return parse_specification(read_text(source))


def parse_specification(text: str) -> Specification:
    """Return a property from VNN-LIB text.

    Example:
        >>> text = '''(declare-const X_0 Real) (declare-const Y_0 Real)
        ... (assert (>= X_0 -1)) (assert (<= X_0 1)) (assert (>= Y_0 100))'''
        >>> parse_specification(text).cases[0].box
        ((Fraction(-1, 1), Fraction(1, 1)),)
    """
    return _assemble(parse_property(text))


def _assemble(found: Property) -> Specification:
    if not found.outputs:
        raise ReadError("outputs must be declared as Y_0, Y_1, ..., and there are none.")
    joined: dict[Box, list[Polyhedron]] = {}
    entries = 0
    for rows in found.cases:
        ends = input_ends(rows, found.inputs)
        if ends is None:
            continue
        box: Box = tuple((low, high) for low, high in ends if low is not None and high is not None)
        if len(box) < found.inputs:
            raise NotSupportedError("every input must have a lower and an upper bound in every case.")
        on_outputs = [row for row in rows if row.letters == {"Y"}]
        entries += limits.entries([len(on_outputs), found.outputs], "a case's rows on outputs")
        limits.entries([entries], "the rows on outputs of all cases")
        half_spaces = [_half_space(row, found.outputs) for row in on_outputs]
        joined.setdefault(box, []).append(Polyhedron.of(found.outputs, half_spaces))
    cases = tuple(Case(box, OutputSet(tuple(p), found.outputs, text="VNN-LIB")) for box, p in joined.items())
    return Specification(cases, found.inputs, found.outputs)


def _half_space(row: Row, outputs: int) -> HalfSpace:
    slopes = [Fraction(0)] * outputs
    for (_, index), factor in row.terms:
        slopes[index] = factor
    return HalfSpace(tuple(slopes), row.bound, row.strict)
