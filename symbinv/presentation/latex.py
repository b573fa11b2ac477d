r"""to_latex: a derivation as LaTeX, in one of four modes.

| mode | what it is |
|---|---|
| article | a whole document |
| fragment | text for \input in a paper: \subsubsection* for each layer |
| appendix | text for \input after \appendix: a \section with its own numbers A.1, A.2, ... |
| beamer | frames for \input in a beamer document: no \section, no float; frames break where they are full |

Every mode needs amsmath alone (beamer loads it too). Equations are numbered and labelled eq:<prefix>l1-r2, the name of
what they give after its layer; a prefix keeps two derivations in one paper apart. The text does not change from run
to run.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from symbinv.derivation.steps import Derivation
from symbinv.errors import OptionError
from symbinv.inverse.invert import Inverse
from symbinv.notation import latex_text
from symbinv.presentation.mathtext import STACKED
from symbinv.presentation.pages.blocks import Block, Display, Heading, Layout, Math, Paragraph, Piece, Ref, Row, Table
from symbinv.presentation.pages.compose import compose


@dataclass(frozen=True)
class Mode:
    """One way to set pages.

    Attributes:
        width: Of a line, in average characters of mathematics, with room for the number.
        headings: Of level 1 and 2, with TITLE for their text.
        opening, closing: Around the body.
        preamble, ending: What makes a document of it that compiles by itself.
    """

    width: float
    headings: tuple[str, str]
    opening: str
    closing: str
    preamble: str
    ending: str = "\\end{document}\n"


_SPACING = (
    "\\allowdisplaybreaks\n\\renewcommand{\\arraystretch}{1.35}\n\\setlength{\\jot}{5pt}\n"
    "\\setlength{\\abovedisplayshortskip}{\\abovedisplayskip}\n"
)
_SETTINGS = f"\\begingroup\n{_SPACING}"
_ARTICLE = "\\documentclass[11pt]{article}\n\\usepackage{amsmath}\n\\emergencystretch=2em\n"
_ARTICLE += "\\setlength{\\parindent}{0pt}\n\\setlength{\\parskip}{0.6em}\n\\begin{document}\n"
_FRAME = f"\\begin{{frame}}[allowframebreaks]{{TITLE}}\n\\small\n\\setlength{{\\parskip}}{{0.6em}}\n{_SPACING}"

MODES: dict[str, Mode] = {
    "article": Mode(50.0, ("\\section*{TITLE}", "\\subsection*{TITLE}"), _SETTINGS, "\\endgroup\n", _ARTICLE),
    "fragment": Mode(
        50.0,
        ("\\subsection*{TITLE}", "\\subsubsection*{TITLE}"),
        "% \\input this file in a paper that loads amsmath.\n" + _SETTINGS,
        "\\endgroup\n",
        _ARTICLE,
    ),
    "appendix": Mode(
        50.0,
        ("\\section{TITLE}", "\\subsection*{TITLE}"),
        "% \\input this file after \\appendix in a paper that loads amsmath.\n"
        "\\numberwithin{equation}{section}\n" + _SETTINGS,
        "\\endgroup\n",
        f"{_ARTICLE}\\appendix\n",
    ),
    "beamer": Mode(
        44.0,
        (_FRAME, _FRAME),
        "% \\input this file in a beamer document, outside of any frame.\n",
        "",
        "\\documentclass{beamer}\n\\setbeamertemplate{frametitle continuation}[from second]\n"
        "\\setbeamertemplate{navigation symbols}{}\n\\begin{document}\n",
    ),
}


def to_latex(
    source: Inverse | Derivation,
    *,
    mode: str = "article",
    prefix: str = "",
    fractions: str = STACKED,
    matrix_size: int = 8,
    nomenclature: bool = True,
) -> str:
    r"""Return the derivation as LaTeX.

    Args:
        source: An inverse, or its derivation.
        mode: "article" (a whole document), "fragment" and "appendix" (text for \input in a paper), "beamer" (frames).
        prefix: Put before the key in every label: \label{eq:<prefix>l1-r2}.
        fractions: "frac"; "cfrac", which never makes them small; or "inline", a / b.
        matrix_size: The most rows and columns of a matrix that are shown; the rest are dots.
        nomenclature: Whether a table lists the symbols with their meaning.

    Raises:
        OptionError: For a mode or style that there is not, or a prefix that cannot stand in a label.

    Example:
        >>> from symbinv.network.network import Network
        >>> from symbinv.inverse.invert import invert
        >>> text = to_latex(invert(Network.generic([3, 2], ["sigmoid"])), mode="fragment", prefix="net-")
        >>> r"R_{2} - k_{21}\,R_{1} \to R_{2}" in text, r"\label{eq:net-l1-k21}" in text
        (True, True)
    """
    how = _mode(mode)
    layout = Layout(how.width, fractions, matrix_size, prefix, nomenclature)
    body = _body(compose(source, layout), how, mode == "beamer")
    text = f"{how.opening}{body}\n{how.closing}"
    return stand_alone(text, mode) if mode == "article" else text


def stand_alone(text: str, mode: str) -> str:
    """Return a document that compiles by itself around the text of a mode."""
    how = _mode(mode)
    return text if text.startswith("\\documentclass") else f"{how.preamble}{text}{how.ending}"


def _mode(mode: str) -> Mode:
    if mode not in MODES:
        raise OptionError(f"mode must be one of {', '.join(MODES)}, not {mode!r}.")
    return MODES[mode]


# -- blocks ---------------------------------------------------------------------------------------------------


def _body(blocks: Sequence[Block], mode: Mode, frames: bool) -> str:
    parts: list[str] = []
    is_open = False
    for block in blocks:
        match block:
            case Heading(level, pieces):
                if is_open:
                    parts.append("\n\\end{frame}\n")
                is_open = frames
                parts.append("\n" + mode.headings[level - 1].replace("TITLE", _inline(pieces)) + "\n")
            case Paragraph(pieces, continues, title):
                start = "" if continues else "\n"
                bold = f"\\textbf{{{latex_text(title)}}} " if title else ""
                parts.append(f"{start}{bold}{_inline(pieces)}\n")
            case Display():
                parts.append(_display(block))
            case Table():
                parts.append(_table(block))
    if is_open:
        parts.append("\n\\end{frame}")
    return "".join(parts).strip("\n")


def _inline(pieces: Sequence[Piece]) -> str:
    shown = []
    for piece in pieces:
        match piece:
            case Math(latex):
                shown.append(f"${latex}$")
            case Ref(key):
                shown.append(rf"\eqref{{eq:{key}}}")
            case _:
                shown.append(latex_text(piece))
    return "".join(shown)


def _display(block: Display) -> str:
    if len(block.rows) == 1 and len(block.rows[0].lines) == 1:
        row = block.rows[0]
        line = without_mark(row.lines[0])
        label = "" if row.key is None else rf"\label{{eq:{row.key}}}" + "\n"
        kind = "equation*" if row.key is None else "equation"
        return f"\\begin{{{kind}}}{label or chr(10)}{line}\n\\end{{{kind}}}\n"
    return "\\begin{align}\n" + " \\\\\n".join(_row(row) for row in block.rows) + "\n\\end{align}\n"


def _row(row: Row) -> str:
    *before, last = row.lines
    end = r" \notag" if row.key is None else rf" \label{{eq:{row.key}}}"
    return " \\\\*\n".join([*(rf"{line} \notag" for line in before), last + end])


def without_mark(line: str) -> str:
    """Return a line without the & at which it is aligned; those inside a matrix stay."""
    head, mark, tail = line.partition("&")
    return line if r"\begin{" in head or not mark else (head + tail).strip()


def _table(block: Table) -> str:
    rows = [" & ".join(_inline(cell) for cell in row) for row in block.rows]
    head = " & ".join(latex_text(cell) for cell in block.head)
    body = " \\\\\n".join([f"{head} \\\\ \\hline", *rows]).replace("\\hline \\\\", "\\hline")
    columns = "l" * (len(block.head) - 1) + r"p{0.7\linewidth}"
    return f"\n\\begin{{center}}\n\\begin{{tabular}}{{{columns}}}\n{body}\n\\end{{tabular}}\n\\end{{center}}\n"
