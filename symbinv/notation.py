r"""How symbols are named and indexed, and how foreign names are shown.

Every symbol that enters a formula, generated code, LaTeX or HTML is made here. Indices count from
1 as in print; a superscript in parentheses is a layer, an elimination step, or both:
x_3, z^{(2)}_1, a^{(1)}_2, w_{12}, w^{(2)}_{12}, k_{21}.

In a network of one layer the layer superscript is dropped, as in a paper.
"""

import re
from collections.abc import Iterable, Sequence

from sympy import Symbol

_SAFE_NAME = re.compile(r"[A-Za-z]+(\^\{\(\d+(,\d+)?\)\})?(_(\d+|[A-Za-z]|\{\d+(,\d+)?\}))?(\^\{\(\d+(,\d+)?\)\})?'*")
_GREEK = re.compile(
    "alpha|beta|gamma|delta|epsilon|zeta|eta|theta|iota|kappa|lambda|mu|nu|xi|pi|rho|sigma|tau|upsilon|phi|chi|psi|omega"
)
_LATEX_ESCAPES = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
}


def symbol(letter: str, *indices: int, superscript: Sequence[int] = ()) -> Symbol:
    r"""Return the symbol `letter` with 1-based `indices` below and `superscript` numbers above.

    Example:
        >>> symbol("w", 2, 3, superscript=[1])
        w^{(1)}_{23}
        >>> symbol("x", 3), symbol("w", 1, 12)
        (x_3, w_{1,12})
    """
    above = f"^{{({','.join(map(str, superscript))})}}" if superscript else ""
    if not indices:
        return Symbol(f"{letter}{above}")
    if len(indices) == 1:
        return Symbol(f"{letter}{above}_{indices[0]}")
    joint = "," if max(indices) > 9 else ""
    return Symbol(f"{letter}{above}_{{{joint.join(map(str, indices))}}}")


def symbols(letter: str, count: int, superscript: Sequence[int] = ()) -> tuple[Symbol, ...]:
    """Return `letter` with the indices 1 to `count`.

    Example:
        >>> symbols("y", 2)
        (y_1, y_2)
    """
    return tuple(symbol(letter, i + 1, superscript=superscript) for i in range(count))


def layer_superscript(layer: int, depth: int) -> tuple[int, ...]:
    """Return the superscript of `layer` in a network of `depth` layers: none where it is the only one."""
    return (layer,) if depth > 1 else ()


def inputs_of_layer(layer: int, width: int) -> tuple[Symbol, ...]:
    """Return the symbols of what enters `layer`: x_j at layer 1, a^{(layer-1)}_j above it."""
    return symbols("x", width) if layer == 1 else symbols("a", width, (layer - 1,))


def is_safe(name: str) -> bool:
    """Tell whether a symbol's name is of the form made here and may be printed as it is."""
    return _SAFE_NAME.fullmatch(name) is not None


def unused(letters: Iterable[str], taken: Iterable[Symbol], superscript: str = "") -> str:
    """Return the first of `letters` that begins no name in `taken` under a superscript (a regular expression)."""
    names = [str(s) for s in taken]
    candidates = list(letters)
    above = rf"\^\{{\({superscript}\)\}}" if superscript else ""
    for letter in candidates:
        if not any(re.match(rf"{letter}{above}(?![A-Za-z^])", name) for name in names):
            return letter
    return candidates[0] + "'"


def step_superscript(layer: Sequence[int]) -> str:
    """Return the pattern of superscripts that an elimination of a layer puts above updated entries."""
    return "".join(f"{number}," for number in layer) + r"\d+"


def latex_text(text: str) -> str:
    r"""Return foreign text so that LaTeX shows it and executes nothing of it.

    Example:
        >>> print(latex_text(r"\input{x}_1"))
        \textbackslash{}input\{x\}\_1
    """
    shown = "".join(_LATEX_ESCAPES.get(c, c if 32 <= ord(c) < 127 else f"[U+{ord(c):04X}]") for c in text)
    return shown.replace("textquotedbl", "textquotedblright") if '"' in text else shown


def latex_symbol(name: str) -> str:
    r"""Return the LaTeX of a symbol's name; a name that is not of our form is shown as text.

    Example:
        >>> print(latex_symbol("x_3"), latex_symbol("w^{(1)}_{22}"), latex_symbol("x);import os"))
        x_{3} w^{(1)}_{22} \texttt{x);import os}
    """
    if is_safe(name):
        letters = re.match(r"[A-Za-z]+", name)
        head = letters.group() if letters else ""
        rest = re.sub(r"_(\d+|[A-Za-z])", r"_{\1}", name[len(head) :])
        if _GREEK.fullmatch(head.lower()):
            return f"\\{head}{rest}"
        return head + rest if len(head) == 1 else f"\\mathrm{{{head}}}{rest}"
    return f"\\texttt{{{latex_text(name)}}}"
