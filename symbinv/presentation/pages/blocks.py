r"""Blocks: the shape between a derivation and its pages, read by LaTeX and Markdown alike.

Mathematics is LaTeX; text is plain and may be foreign: whoever prints a block escapes it. An equation carries a key,
made once, that references name; a renderer turns keys into labels or numbers.
"""

import re
from dataclasses import dataclass

from symbinv.errors import OptionError
from symbinv.presentation.mathtext import FRACTIONS, STACKED


@dataclass(frozen=True)
class Math:
    """A piece of mathematics in a sentence."""

    latex: str


@dataclass(frozen=True)
class Ref:
    """A reference to the equation with a key."""

    key: str


Piece = str | Math | Ref


@dataclass(frozen=True)
class Heading:
    """A heading: level 1 is the whole derivation, 2 a layer or part of it."""

    level: int
    pieces: tuple[Piece, ...]


@dataclass(frozen=True)
class Paragraph:
    """Sentences.

    Attributes:
        pieces: Text, mathematics and references.
        continues: Whether they go on after a display in the same paragraph.
        title: Words that stand before in bold, or "".
    """

    pieces: tuple[Piece, ...]
    continues: bool = False
    title: str = ""


@dataclass(frozen=True)
class Row:
    """One equation of a display.

    Attributes:
        lines: Its lines; where a display has several rows or lines, each holds one & at which they are aligned.
        key: What references call it; None: it has no number.
    """

    lines: tuple[str, ...]
    key: str | None = None


@dataclass(frozen=True)
class Display:
    """Equations set apart, one under the other."""

    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Table:
    """A table with a heading row."""

    head: tuple[str, ...]
    rows: tuple[tuple[tuple[Piece, ...], ...], ...]


Block = Heading | Paragraph | Display | Table


@dataclass(frozen=True)
class Layout:
    """How pages are laid out.

    Attributes:
        width: Of a line, in average characters of mathematics.
        fractions: "frac", "cfrac" or "inline".
        matrix_size: The most rows and columns of a matrix that are shown.
        prefix: Put before the key of every equation.
        nomenclature: Whether the symbols are listed with their meaning.
    """

    width: float
    fractions: str = STACKED
    matrix_size: int = 8
    prefix: str = ""
    nomenclature: bool = True

    def __post_init__(self) -> None:
        if self.fractions not in FRACTIONS:
            raise OptionError(f"fractions must be one of {', '.join(FRACTIONS)}, not {self.fractions!r}.")
        if not isinstance(self.matrix_size, int) or self.matrix_size < 3:
            raise OptionError(f"matrix_size must be a whole number of at least 3, not {self.matrix_size!r}.")
        if not isinstance(self.prefix, str) or not re.fullmatch(r"[A-Za-z0-9:.-]*", self.prefix):
            raise OptionError(f"prefix may hold letters, digits, colons, dots and hyphens, not {self.prefix!r}.")
