r"""to_markdown: a derivation as Markdown whose mathematics MathJax shows, in the form that GitHub takes.

GitHub reads Markdown before mathematics in places, so what could be taken for Markdown is avoided: no backslash before
punctuation in a sentence, subscripts before superscripts (an underscore after a brace may open emphasis), spaces around
< and >, no line of a display that begins as a list or a heading does, and none of the macros that it refuses, such as
\operatorname. A foreign name keeps its letters and digits alone. Equations carry the numbers that they have in LaTeX.
"""

import re
from collections.abc import Sequence

from symbinv.derivation.steps import Derivation
from symbinv.inverse.invert import Inverse
from symbinv.presentation.latex import MODES, without_mark
from symbinv.presentation.mathtext import STACKED
from symbinv.presentation.pages.blocks import Block, Display, Heading, Layout, Math, Paragraph, Piece, Ref, Row, Table
from symbinv.presentation.pages.compose import compose

_SUPERSCRIPT_FIRST = re.compile(r"\^(\{\([^{}]*\)\})_(\{[^{}]*\})")
_PUNCTUATED = {r"\,": r"\thinspace ", r"\;": r"\thickspace ", r"\{": r"\lbrace ", r"\}": r"\rbrace ", r"\!": ""}
_NAME = re.compile(r"\\texttt\{((?:\\.|[^\\{}]|\{\})*)\}")
_LIVE = re.compile(r"([\\`*_\[\]<>$~|&])")


def to_markdown(
    source: Inverse | Derivation,
    *,
    fractions: str = STACKED,
    matrix_size: int = 8,
    nomenclature: bool = True,
) -> str:
    r"""Return the derivation as Markdown with MathJax.

    Args:
        source: An inverse, or its derivation.
        fractions, matrix_size, nomenclature: As in `to_latex`.

    Raises:
        OptionError: For a style that there is not.

    Example:
        >>> from symbinv.network.network import Network
        >>> from symbinv.inverse.invert import invert
        >>> text = to_markdown(invert(Network.generic([2, 1], ["tanh"])))
        >>> r"z_{1} = \mathrm{artanh}" in text, r"\tag{3}" in text
        (True, True)
    """
    layout = Layout(MODES["article"].width, fractions, matrix_size, "", nomenclature)
    blocks = compose(source, layout)
    keys = [row.key for b in blocks if isinstance(b, Display) for row in b.rows if row.key is not None]
    numbers = {key: number for number, key in enumerate(keys, start=1)}
    return "\n\n".join(_block(block, numbers) for block in blocks) + "\n"


def _block(block: Block, numbers: dict[str, int]) -> str:
    match block:
        case Heading(level, pieces):
            return f"{'#' * level} {_inline(pieces, numbers)}"
        case Paragraph(pieces, _, title):
            bold = f"**{escape(title)}** " if title else ""
            return (bold + _inline(pieces, numbers)).strip()
        case Display(rows):
            return _display(rows, numbers)
        case Table(head, rows):
            lines = [head, ["---"] * len(head), *([_inline(cell, numbers) for cell in row] for row in rows)]
            return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _inline(pieces: Sequence[Piece], numbers: dict[str, int]) -> str:
    shown = []
    for piece in pieces:
        match piece:
            case Math(latex):
                shown.append(f"${mathematics(latex)}$")
            case Ref(key):
                shown.append(f"({numbers[key]})")
            case _:
                shown.append(escape(piece))
    return "".join(shown)


def _display(rows: Sequence[Row], numbers: dict[str, int]) -> str:
    if len(rows) == 1 and len(rows[0].lines) == 1:
        return f"$$\n{_numbered(without_mark(rows[0].lines[0]), rows[0].key, numbers)}\n$$"
    lines = []
    for row in rows:
        *before, last = row.lines
        lines += [*(mathematics(line) for line in before), _numbered(last, row.key, numbers)]
    body = " \\\\\n".join(lines)
    return f"$$\n\\begin{{align*}}\n{body}\n\\end{{align*}}\n$$"


def _numbered(line: str, key: str | None, numbers: dict[str, int]) -> str:
    return mathematics(line) + ("" if key is None else rf" \tag{{{numbers[key]}}}")


def mathematics(latex: str) -> str:
    r"""Return LaTeX in the form that GitHub's Markdown leaves alone.

    Example:
        >>> print(mathematics(r"\operatorname{arctanh}{\left(y_{1} \right)} - w^{(1)}_{22}\,x"))
        \mathrm{arctanh}{\left(y_{1} \right)} - w_{22}^{(1)}\thinspace x
    """
    text = _NAME.sub(lambda found: rf"\texttt{{{re.sub(r'[^A-Za-z0-9 .:()=-]', '?', found.group(1))}}}", latex)
    text = text.replace(r"\operatorname{", r"\mathrm{").replace(r", \allowbreak ", ", ")
    text = _SUPERSCRIPT_FIRST.sub(r"_\2^\1", text)
    for mark, word in _PUNCTUATED.items():
        text = text.replace(mark, word)
    text = " ".join(text.split("\n"))
    text = re.sub(r"(?<=[^\w\s])_(?=\{)", r"\\sb", text)  # the same as an underscore, which here may open emphasis
    return re.sub(r"^([-+])", r"{\1}", re.sub(r"\s*([<>])\s*", r" \1 ", text))


def escape(text: str) -> str:
    r"""Return foreign text so that Markdown shows it as it is; control characters and line ends become spaces.

    Example:
        >>> print(escape("<b>*x_1*</b> costs $5"))
        \<b\>\*x\_1\*\</b\> costs \$5
    """
    shown = "".join(c if c.isprintable() else " " for c in text)
    return _LIVE.sub(r"\\\1", shown)
